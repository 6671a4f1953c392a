"""Taking values out of JSON that was written by many hands: nothing is lost, and every repair is told."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from server.models.base import ALPHABET, ID_LENGTH, encode, timestamp
from server.models.imports import Finding, Severity
from server.models.research import file_name

OURS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ZONE_NAME = re.compile(r" ?(?:UTC|GMT)$")
# As Go prints a time: a zone, its name, and perhaps the reading of a clock that only that process had.
OF_GO = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4})(?: [A-Z+-][\w+-]*)?(?: m=[+-][\d.]+)?")
LATEST = 253_402_300_799  # the last second of the year 9999
ID_BYTES = 200
MOST_TOLD = 100  # lines of the report about one table; the others would say the same
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0", "")
WHOLE = re.compile(r"-?\d{1,15}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # what an id of ours never holds

Object = dict[str, Any]


def derived(prefix: str, *parts: object) -> str:
    """Return the id that these parts always give: an id of ours, but not ordered by time."""
    number = int.from_bytes(hashlib.sha256(encode([str(part) for part in parts]).encode()).digest()[:8], "big")
    text = ""
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, 32)
        text = ALPHABET[digit] + text
    return f"{prefix}_{text}"


def moment(value: object) -> str | None:
    """Return a time as a timestamp of ours: ISO-8601 in any dress, seconds or milliseconds since 1970; else None."""
    if isinstance(value, str) and OURS.fullmatch(value):
        return value if _parsed(value) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = _parsed(value) if isinstance(value, str) else _since_epoch(value)
    return timestamp(found) if found and 1 < found.year < 9999 else None


def _parsed(text: str) -> datetime | None:
    try:
        told = OF_GO.fullmatch(text.strip())
        found = datetime.fromisoformat("".join(told.groups()) if told else ZONE_NAME.sub("+00:00", text.strip()))
    except ValueError:
        return _since_epoch(float(text)) if re.fullmatch(r"\d{9,13}(\.\d+)?", text.strip()) else None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _since_epoch(number: float) -> datetime | None:
    seconds = number / 1000 if abs(number) > 1e11 else number
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= LATEST else None


def text(value: object) -> str:
    return value if isinstance(value, str) else encode(value)


def whole_number(value: object) -> int | None:
    """Return a whole number, however it is written; else None."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return int(text(value)) if not isinstance(value, float) and WHOLE.fullmatch(text(value)) else None


def plain_word(value: object) -> str:
    """Return a value of an enumeration as it compares: `In Progress` and `in-progress` are `in_progress`."""
    return re.sub(r"[\s-]+", "_", text(value).strip().lower())


def callable_as(name: str, most: int = ID_BYTES) -> str:
    """Return the name itself if a tool can be asked for it, else one like it: on one line, of at most `most` bytes."""
    escaped = CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", name.strip())
    if not file_name(escaped).strip(".-_"):
        return derived("unnamed", name)
    if len(escaped.encode()) <= most:
        return escaped
    return f"{escaped.encode()[: most - 40].decode('utf-8', 'ignore').strip()}-{derived('cut', name)}"


def place(at: str, name: str) -> str:
    """Return where a field is: `$.a.b`, or `$.a['b c']` if its name is no word."""
    return f"{at}.{name}" if name.replace("_", "a").isalnum() and name.isascii() else f"{at}[{name!r}]"


class Teller:
    """Collects the lines of the report about one file."""

    def __init__(self, path: str, findings: list[Finding]) -> None:
        self.path = path
        self.findings = findings

    def tell(self, severity: Severity, at: str, what: str, value: Any = None, used: Any = None) -> None:
        self.findings.append(Finding(severity, self.path, at, what, value, used))

    def info(self, at: str, what: str, value: Any = None, used: Any = None) -> None:
        self.tell("info", at, what, value, used)

    def warn(self, at: str, what: str, value: Any = None, used: Any = None) -> None:
        self.tell("warning", at, what, value, used)


class QuietTeller(Teller):
    """Tells what is wrong, up to a point, and not what was merely mapped: a table has a million of these."""

    def __init__(self, path: str, findings: list[Finding]) -> None:
        super().__init__(path, findings)
        self.told = 0

    def tell(self, severity: Severity, at: str, what: str, value: Any = None, used: Any = None) -> None:
        self.told += severity != "info"
        if severity != "info" and self.told <= MOST_TOLD:
            super().tell(severity, at, what, value, used)


class Fields:
    """The fields of one JSON object. What is not taken, and the original of what was changed, is `left`."""

    def __init__(self, found: Mapping[str, Any], at: str, teller: Teller) -> None:
        self.found = found
        self.at = at
        self.teller = teller
        self.left: Object = dict(found)

    def __contains__(self, name: str) -> bool:
        return name in self.found

    def raw(self, name: str) -> Any:
        """Take a value as it is."""
        self.left.pop(name, None)
        return self.found.get(name)

    def keep(self, name: str) -> Any:
        """Look at a value, and leave it."""
        return self.found.get(name)

    def text(self, name: str, default: str | None = None) -> str | None:
        """Take a text. Another value becomes one, and stays in `left` as it was."""
        value = self.found.get(name)
        if value is None:
            if default is not None:
                self.defaulted(name, default)
            return default
        if isinstance(value, str):
            self.left.pop(name)
            return value
        self.teller.warn(f"{self.at}.{name}", "no text", value, text(value))
        return text(value)

    def word(self, name: str, default: str) -> str:
        """Take a text that must not be empty."""
        found = self.text(name)
        if found is not None and found.strip():
            return found
        self.defaulted(name, default)
        return default

    def choice(self, name: str, known: Sequence[str], renamed: Mapping[str, str], default: str) -> str:
        """Take one of the values `known`; others are renamed or become the default, and stay in `left`."""
        value = self.found.get(name)
        if value in known and isinstance(value, str):
            self.left.pop(name)
            return value
        if value is None or value == "":
            self.defaulted(name, default)
            return default
        plain = plain_word(value)
        used = plain if plain in known else renamed.get(plain)
        if used is None:
            self.teller.warn(f"{self.at}.{name}", "an unknown value", value, default)
        else:
            self.teller.info(f"{self.at}.{name}", "mapped", value, used)
        return used or default

    def flag(self, name: str) -> int:
        value = self.found.get(name)
        if value is None or isinstance(value, bool):
            self.left.pop(name, None)
            return int(bool(value))
        plain = text(value).strip().lower()
        used = int(plain not in FALSE)
        severity: Severity = "info" if plain in (*TRUE, *FALSE) else "warning"
        self.teller.tell(severity, f"{self.at}.{name}", "neither true nor false", value, bool(used))
        return used

    def number(self, name: str) -> int | None:
        """Take a whole number; text that is one counts as one."""
        value = self.found.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
            self.left.pop(name)
            return value
        used = whole_number(value)
        if value is not None:
            self.teller.tell("info" if used is not None else "warning", f"{self.at}.{name}", "no number", value, used)
        return used

    def strings(self, name: str) -> list[str]:
        """Take a list of texts; what is in it and no text becomes one, and the whole list stays in `left`."""
        value = self.found.get(name)
        if value is None:
            self.left.pop(name, None)
            return []
        listed = cast(list[Any], value) if isinstance(value, list) else [value]
        used = [text(item) for item in listed]
        if used == value:
            self.left.pop(name)
        else:
            self.teller.warn(f"{self.at}.{name}", "no list of texts", value, used)
        return used

    def object(self, name: str) -> Object:
        """Take an object; another value goes under `value`."""
        value = self.found.get(name)
        if value is None or isinstance(value, dict):
            self.left.pop(name, None)
            return dict(cast(Object, value or {}))
        self.teller.warn(f"{self.at}.{name}", "no object", value, {"value": value})
        return {"value": value}

    def maybe_object(self, name: str) -> Object | None:
        """Take an object, or None. Another value stays in `left`."""
        value = self.found.get(name)
        if value is None or isinstance(value, dict):
            self.left.pop(name, None)
            return cast(Object | None, value)
        self.teller.warn(f"{self.at}.{name}", "no object; kept in extra", value)
        return None

    def objects(self, name: str) -> list[tuple[str, Any]]:
        """Take a list, each item with its place. What is no list stays in `left`."""
        value = self.found.get(name)
        if value is None or isinstance(value, list):
            self.left.pop(name, None)
            return [(f"{self.at}.{name}[{n}]", item) for n, item in enumerate(cast(list[Any], value or []))]
        self.teller.warn(f"{self.at}.{name}", "no list; kept in extra", value)
        return []

    def moment(self, name: str, default: str) -> str:
        """Take a time, or the default."""
        found = self.maybe_moment(name)
        if found is None:
            self.defaulted(name, default)
        return found or default

    def maybe_moment(self, name: str) -> str | None:
        """Take a time. One in another format than ours stays in `left`, and so does what is none."""
        value = self.found.get(name)
        if value is None:
            self.left.pop(name, None)
            return None
        found = moment(value)
        if found is None:
            self.teller.warn(f"{self.at}.{name}", "no time; kept in extra", value)
        elif found == value:
            self.left.pop(name)
        else:
            self.teller.info(f"{self.at}.{name}", "a time in another format", value, found)
        return found

    def defaulted(self, name: str, used: Any) -> None:
        self.teller.info(f"{self.at}.{name}", "missing", self.found.get(name), used)

    def extra(self, under: str = "legacy") -> Object:
        """Return the column `extra`: what found no other place, as it was, `under` the name of the system."""
        return {under: self.left} if self.left else {}


def fields(value: Any, at: str, teller: Teller) -> Fields | None:
    """Return the fields of an object, or None, with a line, for anything else."""
    if isinstance(value, dict):
        return Fields(cast(Object, value), at, teller)
    teller.warn(at, "no object; it is kept in the raw bytes only", value)
    return None


def shape(columns: Mapping[str, Any], *, at: str) -> Object:
    """Return columns with the three that every edited entity has, from one time."""
    return {**columns, "created_at": at, "updated_at": at}
