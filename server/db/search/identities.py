"""Every kind of thing that has an id: where it is stored, and how one is found by the end of its id."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.storage.connection import Reader
from server.db.storage.table_shapes import with_archive
from server.errors import Ambiguous, NotFound
from server.models.base import as_dict, encode

LEAST = 4  # characters of the end of an id
NEAR = 5
EMPTY = (None, "", "[]", "{}")
EXPIRED = "coalesce(expires_at, '~') <= :now"  # it is there no more, though its row still is
LABEL = 200  # characters of what one is called


@dataclass(frozen=True)
class IdentifiedTable:
    """A table whose rows have ids, and what people call one of them."""

    table: str
    key: str
    label: str
    archives: bool = False
    hidden: str = "0"  # the condition that a row is not shown
    from_elsewhere: bool = False  # may have an id of another program too
    name: str = ""  # the condition that it is called so, in one of its workspaces

    @property
    def tables(self) -> Sequence[str]:
        return with_archive(self.table) if self.archives else (self.table,)


IDENTITIES = {
    "workspace": IdentifiedTable(
        "workspaces",
        "workspace_id",
        "coalesce(display_name, name)",
        hidden="importing IS NOT NULL",
        from_elsewhere=True,
    ),
    "plan": IdentifiedTable("plans", "plan_id", "title", archives=True, from_elsewhere=True),
    "phase": IdentifiedTable("phases", "phase_id", "name", archives=True, from_elsewhere=True),
    "step": IdentifiedTable("steps", "step_id", "task", archives=True, from_elsewhere=True),
    "session": IdentifiedTable("sessions", "session_id", "agent", archives=True, from_elsewhere=True),
    "program": IdentifiedTable("programs", "program_id", "title", from_elsewhere=True),
    "risk": IdentifiedTable("program_risks", "risk_id", "title"),
    "approval": IdentifiedTable("approvals", "approval_id", "what", archives=True),
    "message": IdentifiedTable("messages", "message_id", "content", from_elsewhere=True),
    "note": IdentifiedTable("plan_notes", "note_id", "note", archives=True),
    "lineage": IdentifiedTable(
        "lineage", "lineage_id", "from_agent || ' to ' || to_agent", archives=True, from_elsewhere=True
    ),
    "context_item": IdentifiedTable("context_items", "item_id", "type", archives=True, hidden=EXPIRED),
    "research": IdentifiedTable("research_documents", "document_id", "filename", archives=True),
    "knowledge": IdentifiedTable(
        "knowledge",
        "knowledge_id",
        "title",
        name="slug = lower(replace(replace(replace(:wanted, ' ', '-'), '_', '-'), '.', '-'))",
    ),
    "entry": IdentifiedTable("cache_entries", "entry_id", "key", archives=True, hidden=EXPIRED, from_elsewhere=True),
    "memory": IdentifiedTable("memory_entries", "entry_id", "key", hidden=EXPIRED, name="key = :wanted"),
    "checkpoint": IdentifiedTable("checkpoints", "checkpoint_id", "name", archives=True, from_elsewhere=True),
    "file_edit": IdentifiedTable("step_file_edits", "edit_id", "file_path", archives=True),
    "reservation": IdentifiedTable("file_reservations", "reservation_id", "path"),
    "build_script": IdentifiedTable("build_scripts", "script_id", "name", archives=True),
    "confirmation": IdentifiedTable("confirmations", "confirmation_id", "coalesce(confirmed_by, via)", archives=True),
    "dependency": IdentifiedTable(
        "dependencies", "dependency_id", "source_id || ' waits for ' || target_id", archives=True
    ),
    "run": IdentifiedTable("runs", "run_id", "name", archives=True, from_elsewhere=True),
    "decision": IdentifiedTable("decisions", "decision_id", "decision", archives=True, from_elsewhere=True),
    "call": IdentifiedTable("tool_calls", "call_id", "tool", archives=True, from_elsewhere=True),
    "gate": IdentifiedTable(
        "quality_gates", "gate_id", "gate_name || ': ' || status", archives=True, from_elsewhere=True
    ),
    "artifact": IdentifiedTable("artifacts", "artifact_id", "name", archives=True, from_elsewhere=True),
    "point": IdentifiedTable("metric_points", "point_id", "name", archives=True, from_elsewhere=True),
    "change": IdentifiedTable("field_changes", "change_id", "field", archives=True, from_elsewhere=True),
    "progress": IdentifiedTable("task_progress", "progress_id", "task_name", archives=True, from_elsewhere=True),
    "term": IdentifiedTable("plan_terms", "term_id", "term", archives=True, from_elsewhere=True),
    "budget": IdentifiedTable("budgets", "budget_id", "unit", archives=True, from_elsewhere=True),
    "agent": IdentifiedTable("agents", "agent_id", "agent", from_elsewhere=True),
    "allowlist": IdentifiedTable("terminal_allowlist", "rule_id", "program"),
    "trash": IdentifiedTable("trash", "trash_id", "title"),
    "import": IdentifiedTable("import_runs", "run_id", "source_path"),
}
LABELS = f"""
    SELECT {{key}} AS id, substr({{label}}, 1, {LABEL}) AS label FROM {{table}}
    WHERE {{key}} IN (SELECT value FROM json_each(:ids))
"""
WORK = ("workspace", "program", "plan", "phase", "step")  # what records are about
EVENTS = {"legacy_store": "workspace", "steps": "step"}  # what events call some kinds of things


@dataclass(frozen=True)
class Thing:
    """A thing that was found: its kind, its id, and the beginning of what it is called."""

    kind: str
    id: str
    label: str


async def named(db: Reader, wanted: str, kinds: Iterable[str] = IDENTITIES) -> Thing:
    """Return the thing that has an id, here or where it came from, or is the only one whose id ends so, or that is
    called so.

    Raise NotFound, or Ambiguous.
    """
    kinds = list(kinds)
    found = await _where(db, kinds, "{key} = :wanted", wanted) or await _from_elsewhere(db, kinds, wanted)
    if not found and len(wanted) >= LEAST:
        found = await _where(db, kinds, "substr({key}, -length(:wanted)) = :wanted", wanted)
    if not found:
        found = await _where(db, [kind for kind in kinds if IDENTITIES[kind].name], "{name}", wanted)
    if len(found) == 1:
        return found[0]
    if found:
        told = ", ".join(f"{one.id} ({one.kind} {one.label[:60]!r})" for one in found[:NEAR])
        raise Ambiguous(f"More than one id ends in {wanted[:80]!r}: {told}. Give more of it.")
    short = f" An end of an id has {LEAST} characters or more." if len(wanted) < LEAST else ""
    raise NotFound(f"Nothing has the id {wanted[:80]!r}, and none ends so.{short}")


async def _from_elsewhere(db: Reader, kinds: Iterable[str], wanted: str) -> list[Thing]:
    """Return what has an id of another program, in any case if no id is written so; what happened to a thing there
    often has the id of that.
    """
    those = [kind for kind in kinds if IDENTITIES[kind].from_elsewhere]
    found = await _where(db, those, "external_id = :wanted", wanted)
    found = found or await _where(db, those, "lower(external_id) = lower(:wanted)", wanted)
    return [one for one in found if one.kind in WORK] or found


async def _where(db: Reader, kinds: Iterable[str], condition: str, wanted: str) -> list[Thing]:
    parts = (
        f"""
        SELECT * FROM (
            SELECT '{kind}' AS kind, {of.key} AS id, substr({of.label}, 1, {LABEL}) AS label FROM {table}
            WHERE {condition.format(key=of.key, name=of.name)} AND NOT ({of.hidden}) LIMIT {NEAR + 1})
        """
        for kind, of in ((kind, IDENTITIES[kind]) for kind in kinds)
        for table in of.tables
    )
    query = " UNION ALL ".join(parts)
    rows = await db.all(query, {"wanted": wanted, "now": db.now()}) if query else []
    return [Thing(row["kind"], row["id"], row["label"] or "") for row in rows]


async def row(db: Reader, found: Thing) -> dict[str, Any]:
    """Return everything that is stored of a thing, as it is stored; JSON is read."""
    of = IDENTITIES[found.kind]
    for table in of.tables:
        stored = await db.one(f"SELECT * FROM {table} WHERE {of.key} = :id", {"id": found.id})
        if stored is not None:
            return {name: _read(value) for name, value in as_dict(stored).items() if value not in EMPTY}
    raise NotFound(f"{found.id} is gone.")


def _read(value: object) -> object:
    if isinstance(value, str) and value[:1] in "[{" and value[-1:] in "]}":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


async def labels(db: Reader, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return what things are called, by the kind that events say they are, and id; of those that are still there."""
    ids: dict[str, list[str]] = {}
    for kind, name in wanted:
        ids.setdefault(kind, []).append(name)
    known = {kind: IDENTITIES[EVENTS.get(kind, kind)] for kind in ids if EVENTS.get(kind, kind) in IDENTITIES}
    statements = [
        (kind, LABELS.format(key=of.key, label=of.label, table=table), {"ids": encode(ids[kind])})
        for kind, of in known.items()
        for table in of.tables
    ]
    found = await db.batch(*((sql, params) for _, sql, params in statements))
    return {
        (kind, row["id"]): row["label"] or ""
        for (kind, _, _), rows in zip(statements, found, strict=True)
        for row in rows
    }
