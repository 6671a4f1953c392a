"""Entries of their files found again by the places that the import noted, and changed where they stand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from server.exporters.given_back import place_of
from server.exporters.legacy.entries import Change, Entry, Row
from server.importers.reading import list_of, object_of
from server.importers.values import plain_word
from server.importers.vocabulary import STEP_STATUS_NAMES, STEP_STATUSES

# The words of their task manager, of their roadmaps, and of their databases for what became of a step.
UPPER = {"pending": "TODO", "active": "IN_PROGRESS", "blocked": "BLOCKED", "done": "DONE", "failed": "FAILED",
         "cancelled": "CANCELLED"}  # fmt: skip
LOWER = {"pending": "pending", "active": "in_progress", "blocked": "blocked", "done": "complete", "failed": "failed",
         "cancelled": "cancelled"}  # fmt: skip
PRIORITIES = {"critical": "P0", "high": "P1", "medium": "P2", "low": "P3"}
SCALE = {"critical": 10, "high": 8, "medium": 5, "low": 2}
MISSING = object()


def parts(json_path: str) -> list[str | int] | None:
    """Return the keys and indices of a place such as `$.a[0]['b c']`; None for one that is of a table."""
    if not json_path.startswith("$"):
        return None
    return [*place_of(json_path)]


def at(value: Any, json_path: str) -> Any:
    """Return what stands at a place, or None."""
    for key in parts(json_path) or ():
        if isinstance(key, int):
            listed = list_of(value)
            value = listed[key] if key < len(listed) else None
        else:
            value = object_of(value).get(key)
    return value


def put(value: Any, json_path: str, new: Any) -> None:
    """Set what stands at a place, unless something else is in its way. What is missing on the way there is made."""
    keys = parts(json_path) or []
    for key in keys[:-1]:
        if isinstance(value, dict) and not isinstance(key, int):
            cast(Entry, value).setdefault(key, {})
        value = at(value, f"$[{key}]" if isinstance(key, int) else f"$[{key!r}]")
    if keys and isinstance(value, dict | list):
        cast(Any, value)[keys[-1]] = new


def take_out(value: Any, json_path: str) -> None:
    """Take out what stands at a place, if something does."""
    keys = parts(json_path) or []
    holder = value
    for key in keys[:-1]:
        holder = holder[key] if isinstance(key, int) else object_of(holder).get(key, {})
    if keys and keys[-1] in holder:
        del holder[keys[-1]]


@dataclass(frozen=True)
class ChangedFile:
    """One file: its value, which is changed in place, and what has changed of the rows that it became."""

    path: str
    value: Entry
    known: Change

    def rows(self, table: str) -> Iterable[tuple[str, Row, Row | None, str]]:
        """Yield the rows of a table that the file became: key, before, now if it is there, and its place."""
        before, now = self.known.table(table)
        for key, was in before.items():
            path, where = self.known.paths[table, key]
            if path == self.path:
                yield key, was, now.get(key), where

    def plan(self) -> tuple[Row, Row] | None:
        """Return the plan of the file, as it was and as it is; None if it is gone, or the file made none."""
        return next(((was, now) for _, was, now, _ in self.rows("plans") if now is not None), None)

    def new(self, table: str, plan_id: str) -> list[Row]:
        """Return the rows of a plan that came since the import."""
        return [row for row in self.known.new(table).values() if row.get("plan_id") == plan_id]


def differs(was: Row, now: Row, *columns: str) -> bool:
    return any(was.get(column) != now.get(column) for column in columns)


def patch(entry: Any, was: Row, now: Row, names: Mapping[str, str]) -> None:
    """Set the fields whose columns have changed: column -> the place of the field in the entry.

    What was not there and is empty now stays away; what became empty becomes null.
    """
    for column, where in names.items():
        if not differs(was, now, column):
            continue
        value = now.get(column)
        if value is not None or at(entry, f"$.{where}") is not None:
            put(entry, f"$.{where}", value)


def field_of(entry: Mapping[str, Any], *names: str) -> str:
    """Return the first of the names that an entry has; if it has none, the first."""
    return next((name for name in names if name in entry), names[0])


def spelled(entry: Any, known: Mapping[str, str], status: str, *, upper: bool) -> str:
    """Return how a file writes a status: as it does elsewhere, else as its programs do."""
    del entry
    return known.get(status) or (UPPER if upper else LOWER).get(status, status)


def words(change: ChangedFile, field: str = "status") -> dict[str, str]:
    """Return the words that the file itself has for the statuses of steps, but for those that nobody knows."""
    found: dict[str, str] = {}
    for _, was, _, where in change.rows("steps"):
        told = object_of(at(change.value, where)).get(field)
        if isinstance(told, str) and plain_word(told) in STEP_STATUS_NAMES | dict.fromkeys(STEP_STATUSES):
            found.setdefault(was["status"], told)
    return found


def priority(value: str | None, like: object) -> Any:
    """Return a priority in the way of another one: on the scale of 1 to 10, or as P0 to P3."""
    if value is None:
        return None
    is_scale = isinstance(like, int) and not isinstance(like, bool)
    return SCALE.get(value, 5) if is_scale else PRIORITIES.get(value, value)


def plain_time(value: str | None, like: object) -> str | None:
    """Return a time in the way of another one: with or without a zone, with a space or a T."""
    if value is None or not isinstance(like, str) or " " not in like:
        return value
    return datetime.fromisoformat(value).replace(tzinfo=None).isoformat(" ", "seconds")


def number(value: Any) -> Any:
    """Return a number as people write it: 45, not 45.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Changer = Callable[[ChangedFile], None]


def listed(entry: Entry, name: str) -> list[Any]:
    """Return the list in a field, which is made if there is none."""
    if not isinstance(entry.get(name), list):
        entry[name] = []
    return cast(list[Any], entry[name])
