"""The settings that stand in the database, once each: name, values, default and meaning."""

import re
from dataclasses import dataclass
from typing import Literal

from server.errors import InvalidArguments
from server.models.base import Row

AMOUNT = re.compile(r"([0-9]{1,15})\s*([a-z]*)", re.IGNORECASE)
# What a number may be followed by, and what each stands for: bytes, or seconds.
UNITS = {
    "number": {"": 1},
    "size": {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12},
    "duration": {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400},
}
EXAMPLES = {"number": "7", "size": "500MB or 2GB", "duration": "12h, 30d, 8w, 2y or never"}
NEVER = "never"
MOST = 10**15


@dataclass(frozen=True)
class Definition:
    """One setting that all servers of a file share.

    A choice has `values`, from the strictest to the loosest. A number, a size (in bytes) or a duration (in seconds) has
    the `least` and the `most` that it may be, and is the stricter the larger it is.
    """

    key: str
    default: str
    meaning: str
    kind: Literal["choice", "number", "size", "duration"] = "choice"
    values: tuple[str, ...] = ()
    least: int = 0
    most: int = MOST

    def checked(self, text: str) -> str:
        """Return a value as it is stored, or raise InvalidArguments."""
        value = text.strip().lower()
        if self.kind == "choice":
            if value in self.values:
                return value
            raise InvalidArguments(f"{self.key} takes one of: {', '.join(self.values)}.")
        if self.kind == "duration" and value == NEVER:
            return value
        found = AMOUNT.fullmatch(value)
        units = UNITS[self.kind]
        if not (found and found[2] in units and self.least <= int(found[1]) * units[found[2]] <= self.most):
            raise InvalidArguments(f"{self.key} takes a {self.kind}, such as {EXAMPLES[self.kind]}{self._range()}.")
        return f"{int(found[1])}{found[2].upper() if self.kind == 'size' else found[2]}"

    def amount(self, value: str) -> int | None:
        """Return a stored number, bytes or seconds; None for a duration that never ends."""
        found = AMOUNT.fullmatch(value)
        return int(found[1]) * UNITS[self.kind][found[2].lower()] if found else None

    def loosens(self, old: str, new: str) -> bool:
        if self.kind == "choice":
            return self.values.index(new) > self.values.index(old)
        before, after = self.amount(old), self.amount(new)
        return after is not None and (before is None or after < before)

    def _range(self) -> str:
        told = [f"at least {self._text(self.least)}"] if self.least else []
        told += [f"at most {self._text(self.most)}"] if self.most < MOST else []
        return f"; {' and '.join(told)}" if told else ""

    def _text(self, amount: int) -> str:
        """Return an amount in the largest unit that has it whole."""
        unit, size = max(((u, s) for u, s in UNITS[self.kind].items() if amount % s == 0), key=lambda pair: pair[1])
        return f"{amount // size}{unit.upper() if self.kind == 'size' else unit}"


DEFINITIONS = (
    Definition(
        "gates",
        "human",
        "who opens a gate: human (a person, in their editor or a terminal), or relayed (also an agent that never "
        "worked on it and passes its user's word on)",
        values=("human", "relayed"),
    ),
    Definition(
        "backups.automatic",
        "on",
        "whether a server makes a backup each day on which something changed",
        values=("on", "off"),
    ),
    Definition("backups.keep_daily", "7", "days of which the newest backup is kept", kind="number", least=1, most=1000),
    Definition("backups.keep_weekly", "4", "weeks of which the newest backup is kept", kind="number", most=1000),
    Definition("backups.keep_monthly", "6", "months of which the newest backup is kept", kind="number", most=1000),
    Definition(
        "backups.max_bytes",
        "5GB",
        "what all backups in the data root may take: the oldest go first, and none is made that alone takes more",
        kind="size",
        least=1_000_000,
    ),
    *(
        Definition(f"retention.{name}", default, f"how long {what}", kind="duration", least=least * 86_400)
        for name, default, least, what in (
            ("trash", "30d", 1, "what was deleted can come back"),
            ("expired", "1d", 0, "what has expired (facts, context, reservations) stays after that"),
            ("messages", "90d", 1, "a message stays after it was acknowledged"),
            ("event_log", "180d", 30, "events stay; those of plans that are not completed stay longer"),
            ("update_log", "2y", 30, "the history stays"),
        )
    ),
    Definition(
        "warn_size",
        "1GB",
        "size of the database from which on people and agents are warned",
        kind="size",
        least=1_000_000,
    ),
)
DEFINED = {found.key: found for found in DEFINITIONS}


class SharedSetting(Row):
    """A row of `settings`."""

    key: str
    value: str
    changed_by: str | None = None
    via: str
    updated_at: str
