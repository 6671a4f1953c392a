"""Rows as the entries of the old files: which column is which field, and what of an entry a changed row changes."""

import json
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from server.db.interchange.exports import Rows
from server.importers.reading import is_object, list_of, object_of
from server.models.documents import JSON_COLUMNS

Row = Mapping[str, Any]
Entry = dict[str, Any]
Table = dict[str, dict[str, Any]]  # key -> row

KEYS = {
    "plans": "plan_id", "phases": "phase_id", "steps": "step_id", "plan_notes": "note_id", "sessions": "session_id",
    "confirmations": "confirmation_id", "dependencies": "dependency_id", "lineage": "lineage_id",
    "context_items": "item_id", "research_documents": "document_id", "build_scripts": "script_id",
    "knowledge": "knowledge_id", "programs": "program_id", "program_risks": "risk_id", "workspaces": "workspace_id",
    "workspace_aliases": "alias", "artifacts": "artifact_id", "budgets": "budget_id", "quality_gates": "gate_id",
    "plan_terms": "term_id", "decisions": "decision_id", "tool_calls": "call_id", "runs": "run_id",
    "memory_entries": "entry_id", "checkpoints": "checkpoint_id", "messages": "message_id", "agents": "agent_id",
}  # fmt: skip
PLACE = re.compile(r"\$\.(\w+)\[(\d+)\]|\$\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Field:
    """A column, the field it is, and how its value is written. `always` says that a new entry has it, even if empty."""

    column: str
    name: str
    shown: Callable[[Any], Any] = lambda value: value
    always: bool = False


def _same(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name) for name in names)


FIELDS: dict[str, tuple[Field, ...]] = {
    "plans": (
        Field("plan_id", "id", always=True),
        *(Field(name, name, always=True) for name in ("workspace_id", "title", "description", "priority", "category")),
        *_same("categorization", "program_id", "goals", "success_criteria", "deployment_context"),
        *_same("recommended_next_agent", "paused_at_snapshot"),
        Field("workflow_mode", "workflow_mode", lambda mode: None if mode == "standard" else mode),
        *_same("owner", "created_at", "updated_at", "completed_at", "archived_at"),
    ),
    "phases": (
        Field("name", "name", always=True),
        *_same("description"),
        Field("success_criteria", "success_criteria", always=True),
        Field("required_agents", "required_agents", always=True),
        Field("approval_required", "approval_required", bool, always=True),
    ),
    "steps": (
        Field("task", "task", always=True),
        Field("status", "status", always=True),
        *_same("type", "assignee", "notes", "completed_at"),
        *(Field(f"requires_{name}", f"requires_{name}", lambda flag: True if flag else None)
          for name in ("validation", "confirmation", "user_confirmation")),
        *_same("section", "priority", "completed_by"),
    ),
    "sessions": (
        Field("session_id", "session_id", always=True),
        Field("agent", "agent_type", always=True),
        Field("started_at", "started_at", always=True),
        Field("context", "context", always=True),
        *_same("completed_at", "summary"),
        Field("artifacts", "artifacts", lambda listed: listed or None),
        *_same("parent_session_id"),
    ),
    "lineage": (
        Field("created_at", "timestamp", always=True),
        *(Field(name, name, always=True) for name in ("from_agent", "to_agent", "reason")),
        Field("data", "data", lambda data: data or None),
    ),
    "plan_notes": (
        Field("note", "note", always=True),
        Field("note_type", "type", always=True),
        Field("created_at", "added_at", always=True),
        *_same("added_by", "deliver_to", "acknowledged_by", "acknowledged_at"),
    ),
    "confirmations": (
        Field("confirmed_by", "confirmed_by"),
        Field("created_at", "confirmed_at"),
        Field("via", "via", lambda via: None if via == "unknown" else via),
        *_same("relayed_by", "client", "note"),
    ),
    "build_scripts": (
        Field("script_id", "id", always=True),
        *(Field(name, name, always=True) for name in ("name", "description", "command", "directory", "workspace_id")),
        *_same("plan_id", "created_at"),
    ),
    "knowledge": (
        *(Field(name, name, always=True) for name in ("slug", "title", "category", "content", "tags")),
        *_same("created_at", "updated_at", "created_by_agent", "created_by_plan"),
    ),
    "programs": (
        Field("program_id", "id", always=True),
        *(Field(name, name, always=True) for name in ("workspace_id", "title", "description", "priority", "category")),
        *_same("goals", "success_criteria"),
        *(Field(name, name, always=True) for name in ("status", "created_at", "updated_at")),
        *_same("archived_at", "owner"),
    ),
    "program_risks": (
        Field("risk_id", "id", always=True),
        *(Field(name, name, always=True) for name in ("program_id", "type", "severity", "status", "title")),
        *_same("description", "mitigation", "likelihood", "detected_by", "source_plan_id", "created_at", "updated_at"),
    ),
    "workspaces": _same("display_name", "profile", "parent_workspace_id", "updated_at"),
}  # fmt: skip
EMPTY: tuple[Any, ...] = (None, [], {}, False)
WORK = ("steps", "phases")  # which a file gets again if it lost them, and they stayed here
NOWHERE = ("", "")


@dataclass
class Change:
    """What an import made of some files, and what it is now. `places` are the indices of rows in the list they were in.

    Both have JSON columns as what they are. `now` holds what was imported and what has come since.
    """

    before: dict[str, Table] = field(default_factory=dict[str, Table])
    now: dict[str, Table] = field(default_factory=dict[str, Table])
    paths: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict[tuple[str, str], tuple[str, str]])

    def table(self, name: str) -> tuple[Table, Table]:
        return self.before.get(name, {}), self.now.get(name, {})

    def of_file(self, path: str, *tables: str) -> list[tuple[str, str]]:
        """Return table and key of the rows of those tables that a file became."""
        return [at for at, (own, _) in self.paths.items() if own == path and at[0] in tables]

    def new(self, table: str) -> Table:
        """Return the rows that came since the import."""
        before, now = self.table(table)
        return {key: row for key, row in now.items() if key not in before}

    def place(self, table: str, key: str, listed: str) -> int | None:
        """Return the index that a row had in the list of that name ("" for a file that is a list)."""
        found = PLACE.fullmatch(self.paths.get((table, key), ("", ""))[1])
        if found is None or (found[1] or "") != listed:
            return None
        return int(found[2] or found[3])


def change(origins: list[dict[str, Any]], rows: Rows) -> Change:
    """Return what became of the imported rows `origins`; `rows` are all that are there now, live or archived."""
    found = Change()
    for origin in origins:
        table, key = origin["table_name"], origin["row_key"]
        is_there = bool(origin["json_path"])
        if is_there or table not in WORK:
            found.before.setdefault(table, {})[key] = decoded(json.loads(origin["base"]))
            found.paths[table, key] = (origin["path"], origin["json_path"]) if is_there else NOWHERE
    for name, some in rows.items():
        table = name.removesuffix("_archive")
        if key_column := KEYS.get(table):
            found.now.setdefault(table, {}).update((row[key_column], decoded(row)) for row in some)
    return found


def decoded(row: Row) -> dict[str, Any]:
    """Return a row with its JSON columns as what they are."""
    return {
        name: _value(value) if name in JSON_COLUMNS and isinstance(value, str) else value for name, value in row.items()
    }


def _value(text: str) -> Any:
    """Return the value of JSON; text of a column that is called like one of JSON in another table stays text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def fresh(table: str, row: Row) -> Entry:
    """Return the entry of a row that no file has yet."""
    shown = ((one, one.shown(row.get(one.column))) for one in FIELDS[table])
    return {one.name: value for one, value in shown if one.always or value not in EMPTY}


def patch(entry: Entry, table: str, before: Row, now: Row) -> None:
    """Set the fields of an entry whose columns have changed; those that became empty go, if they may be missing."""
    for one in FIELDS[table]:
        value = one.shown(now.get(one.column))
        if one.column not in now or value == one.shown(before.get(one.column)):
            continue
        if value is None and not one.always:
            entry.pop(one.name, None)
        else:
            entry[one.name] = deepcopy(value)


def listed(found: Entry, name: str, table: str, known: Change, *, others: bool = True) -> None:
    """Bring a list of entries up to date: those that are gone leave it, new ones are appended unless not `others`."""
    before, now = known.table(table)
    places = {key: place for key in before if (place := known.place(table, key, name)) is not None}
    entries = list_of(found.get(name))
    for key, place in places.items():
        if key in now and place < len(entries):
            entries[place] = patched(entries[place], table, before[key], now[key])
    gone = {place for key, place in places.items() if key not in now}
    kept = [entry for place, entry in enumerate(entries) if place not in gone]
    new = [fresh(table, row) for key, row in now.items() if key not in before] if others else []
    if gone or new:
        found[name] = [*kept, *new]


def patched(entry: Any, table: str, before: Row, now: Row) -> Any:
    """Return an entry as it is now. One that was a mere text becomes an object when it has to say more."""
    own = deepcopy(object_of(entry)) if is_object(entry) else fresh(table, before)
    old = deepcopy(own)
    patch(own, table, before, now)
    return entry if own == old else own
