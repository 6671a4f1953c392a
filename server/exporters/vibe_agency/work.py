"""Tasks of their roadmaps, task manager and backlogs, with what has become of the steps that they are here."""

from collections.abc import Mapping
from typing import Any

from server.exporters.legacy.entries import Entry, Row
from server.exporters.vibe_agency.patching import (
    ChangedFile,
    at,
    differs,
    field_of,
    listed,
    number,
    parts,
    patch,
    plain_time,
    priority,
    put,
    spelled,
    words,
)
from server.importers.reading import list_of, object_of

TIMES = ("started_at", "completed_at")
MINUTES = {"estimated_minutes": ("estimated_time_mins", "time_budget_mins"),
           "actual_minutes": ("time_used_mins", "actual_time_mins")}  # fmt: skip
LISTS = {"done": "completed_tasks", "blocked": "blocked_tasks"}  # of `progress_tracking`


class TaskChanges:
    """The tasks of one file."""

    def __init__(self, change: ChangedFile) -> None:
        self.change = change
        self.value = change.value
        self.words = words(change)
        self.gone: list[str] = []
        before, now = change.known.table("steps")
        both = {**before, **now}
        self.ids = {key: row.get("external_id") or key for key, row in both.items()}

    def follow(self) -> None:
        """Change the entries of steps that have changed, and take out those of steps that are gone."""
        for key, was, now, where in list(self.change.rows("steps")):
            entry = at(self.value, where)
            if now is None:
                self.gone.append(where)
            elif isinstance(entry, dict):
                self._entry(entry, key, was, now)  # pyright: ignore[reportUnknownArgumentType]
            elif differs(was, now, "task", "status", "notes"):
                put(self.value, where, self._more_than_text(key, was, now))
        self._take_out()

    def _entry(self, entry: Entry, key: str, was: Row, now: Row) -> None:
        if was["task"] != now["task"]:
            entry[field_of(entry, "name", "title", "task", "feature")] = now["task"]
        if was.get("notes") != now.get("notes"):
            reason = entry.get("blocking_reason")
            notes = now.get("notes")
            entry["description"] = notes.removesuffix(f"\n{reason}") if notes and reason else notes
        if was["status"] != now["status"]:
            self.status(entry, key, was["status"], now["status"])
        if differs(was, now, "priority"):
            entry["priority"] = priority(now.get("priority"), entry.get("priority"))
        patch(entry, was, now, {"acceptance_criteria": "acceptance_criteria"})
        for column, names in MINUTES.items():
            if differs(was, now, column):
                entry[field_of(entry, *names)] = number(now.get(column))
        for column in TIMES:
            if differs(was, now, column) and (column in entry or self._tells_status(entry)):
                entry[column] = plain_time(now.get(column), entry.get("created_at") or entry.get(column))
        self._waits(entry, key)

    def _tells_status(self, entry: Entry) -> bool:
        return "status" in entry

    def status(self, entry: Entry, key: str, was: str, now: str) -> None:
        """Write a status where the file tells it: in the entry, or in the lists of what is done and blocked."""
        tracking = object_of(self.value.get("progress_tracking"))
        if "status" in entry or not tracking or now not in (*LISTS, "pending"):
            entry["status"] = spelled(entry, self.words, now, upper=self._is_upper())
            return
        foreign = self.ids[key]
        for status, name in LISTS.items():
            if status == was and foreign in list_of(tracking.get(name)):
                tracking[name].remove(foreign)
            if status == now and foreign not in list_of(tracking.get(name)):
                listed(tracking, name).append(foreign)

    def _is_upper(self) -> bool:
        return any(word.isupper() for word in self.words.values()) or not self.words

    def _more_than_text(self, key: str, was: Row, now: Row) -> Entry:
        """Return the entry of a step that was a mere text, and has more to say now."""
        entry: Entry = {"name": now["task"]}
        if was["status"] != now["status"]:
            entry["status"] = spelled(entry, self.words, now["status"], upper=False)
        if now.get("notes"):
            entry["description"] = now["notes"]
        del key
        return entry

    def _waits(self, entry: Entry, key: str) -> None:
        """Bring what a step waits for up to date, where that has changed."""
        before, now = (self._targets(table, key) for table in self.change.known.table("dependencies"))
        if before == now:
            return
        name = field_of(entry, "dependencies", "blocked_by")
        kept = [one for one in list_of(entry.get(name)) if str(one) not in before - now]
        entry[name] = [*kept, *sorted(one for one in now - before if one not in map(str, kept))]

    def _targets(self, table: Mapping[str, Row], key: str) -> set[str]:
        rows = [row for row in table.values() if row["source_id"] == key and row["dep_type"] == "blocks"]
        return {str(self.ids[row["target_id"]]) for row in rows if row["target_id"] in self.ids}

    def _take_out(self) -> None:
        """Take out entries, the last of each list first, and what names them."""
        for where in sorted(self.gone, key=_last_index, reverse=True):
            holder, key = _holder(self.value, where)
            if holder is not None:
                del holder[key]
            if isinstance(key, str):
                for phase in list_of(self.value.get("phases")):
                    ids = list_of(object_of(phase).get("task_ids"))
                    if key in ids:
                        ids.remove(key)

    def fresh(self, row: Row, like: Mapping[str, Any] | None) -> Entry:
        """Return the entry of a step that no file has, in the way of another one."""
        is_managed = like is not None and "id" in like
        entry: Entry = {"id" if is_managed else "task_id": self.ids[row["step_id"]], "name": row["task"]}
        entry["description"] = row.get("notes") or ""
        if not is_managed:
            entry["acceptance_criteria"] = row.get("acceptance_criteria") or []
        if row.get("estimated_minutes") is not None:
            entry[field_of(like or {}, *MINUTES["estimated_minutes"])] = number(row["estimated_minutes"])
        if row.get("priority"):
            entry["priority"] = priority(row["priority"], (like or {}).get("priority", "P2"))
        waits = sorted(self._targets(self.change.known.now.get("dependencies", {}), row["step_id"]))
        if waits or not is_managed:
            entry["blocked_by" if is_managed else "dependencies"] = waits
        if like is None or "status" in like or row["status"] != "pending":
            entry["status"] = spelled(entry, self.words, row["status"], upper=self._is_upper())
        for column in TIMES:
            if row.get(column):
                entry[column] = plain_time(row[column], (like or {}).get("created_at"))
        return entry


def _last_index(where: str) -> tuple[str, int]:
    head, _, tail = where.rpartition("[")
    return head, int(tail[:-1]) if tail[:-1].isdigit() else -1


def _holder(value: Any, where: str) -> tuple[Any, Any]:
    """Return the list or object that holds an entry, and its index or key in that; None if there is none."""
    keys = parts(where) or []
    for key in keys[:-1]:
        value = list_of(value)[key] if isinstance(key, int) else object_of(value).get(key)
    if not keys:
        return None, None
    last = keys[-1]
    is_there = last < len(list_of(value)) if isinstance(last, int) else last in object_of(value)
    return (value, last) if is_there else (None, None)
