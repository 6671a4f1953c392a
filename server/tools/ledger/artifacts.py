"""memory_ledger: what work left behind."""

from typing import Any, cast

from server.db.audit import events
from server.db.ledger import entries
from server.db.ledger.entries import LedgerFilter
from server.db.storage.connection import Transaction
from server.db.storage.driver import Record
from server.models.base import as_dict, encode
from server.models.events import Event
from server.models.evidence import ToldData, ToldLine
from server.models.ledger import Artifact, FieldChange
from server.models.text import Id, Line
from server.tools.common import Call, Detail
from server.tools.ledger.parameters import find_named, listed, one, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

ALIASES = {"coding": "code", "testing": "test"}
MOST_CHANGES = 200


@TOOL.action()
async def add_artifact(
    call: Call,
    *,
    artifact_type: Line,
    name: ToldLine,
    path: ToldLine | None = None,
    ref: ToldLine | None = None,
    url: ToldLine | None = None,
    branch: ToldLine | None = None,
    status: Line | None = None,
    metadata: ToldData | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Name something that work left behind.

    A document, a branch, a pull request, a build. There is one of a type and name for a step, plan or workspace: the
    same name again changes what you give, and what it said before stays in its history (list_artifacts artifact_id).

    Example: {"action":"add_artifact","artifact_type":"code","name":"parser","path":"src/parser.py","branch":"parser"}
    """
    given = {"path": path, "ref": ref, "url": url, "branch": branch, "status": status, "metadata": metadata}
    given = {column: value for column, value in given.items() if value is not None}
    kind = ALIASES.get(artifact_type.lower(), artifact_type)
    async with call.write() as tx:
        where = await place(call, tx, plan_id, step_id)
        known = await find_named(tx, entries.ARTIFACTS, where, artifact_type=kind, name=name)
        if known is None:
            values = {**where.parent, "artifact_type": kind, "name": name, **given}
            row = Artifact.of(await entries.add(tx, entries.ARTIFACTS, values))
            changed = []
        else:
            row, changed = await _changed(tx, known, given)
        if changed or known is None:
            what = "artifact_changed" if changed else "artifact_added"
            data = {"type": kind, "name": name, **({"changed": changed} if changed else {})}
            summary = f"Artifact {name!r} ({kind}) {'changed' if changed else 'added'}"
            events.record(tx, Event(what, "artifact", row.artifact_id, None, where.plan_id, summary, data))
        told = {"artifact_type": kind, "changed": changed, "version": row.version}
        return {"artifact_id": row.artifact_id, **where.told, **told}


async def _changed(tx: Transaction, known: Record, given: dict[str, Any]) -> tuple[Artifact, list[str]]:
    """Change what differs, and keep what it was."""
    before = Artifact.of(known)
    changed = sorted(column for column, value in given.items() if getattr(before, column) != value)
    if not changed:
        return before, []
    home = {"workspace_id": known["workspace_id"], "plan_id": before.plan_id}
    about = {"entity_type": "artifact", "entity_id": before.artifact_id, "changed_at": tx.now()}
    rows = [
        {
            **home,
            **about,
            "field": column,
            "old_value": _text(getattr(before, column)),
            "new_value": _text(given[column]),
            "author": tx.origin.agent,
        }
        for column in changed
    ]
    await entries.add_many(tx, entries.CHANGES, rows)
    wanted_now = {column: given[column] for column in changed}
    return Artifact.of(await entries.change(tx, entries.ARTIFACTS, before.artifact_id, wanted_now)), changed


def _text(value: Any) -> str | None:
    return encode(cast(object, value)) if isinstance(value, dict) else value


@TOOL.action(read_only=True, takes=("page",))
async def list_artifacts(
    call: Call,
    *,
    artifact_id: Id | None = None,
    artifact_type: Line | None = None,
    name: ToldLine | None = None,
    status: Line | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    detail: Detail = "brief",
) -> Page | Artifact:
    """Artifacts, those changed last first.

    Of a step, a plan or the workspace. detail=full adds metadata; artifact_id gives one whole, with the history of what
    it said.

    Example: {"action":"list_artifacts","plan_id":"plan_1rqewqexykb7","artifact_type":"code"}
    """
    if artifact_id:
        row = await one(call, entries.ARTIFACTS, artifact_id)
        return Artifact.of({**as_dict(row), "history": await _history(call, row)})
    kind = ALIASES.get(artifact_type.lower(), artifact_type) if artifact_type else None
    found = await wanted(call, plan_id, step_id, by_parent=True, artifact_type=kind, name=name, status=status)
    return await listed(call, "artifacts", entries.ARTIFACTS, Artifact, found, full=detail == "full")


async def _history(call: Call, row: Record) -> list[dict[str, Any]]:
    about = {"entity_type": "artifact", "entity_id": row["artifact_id"]}
    for suffix in ("", "_archive"):
        found = LedgerFilter(row["workspace_id"], about, suffix=suffix)
        rows, _ = await entries.page(call.db, entries.CHANGES, found, after=None, limit=MOST_CHANGES)
        if rows:
            return [FieldChange.of(one).model_dump(exclude_none=True) for one in rows]
    return []
