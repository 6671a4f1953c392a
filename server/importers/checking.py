"""The usual check of a layout: the source is read anew, and what it becomes compared with what the tools return."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from server.errors import NotFound, ProjectMemoryError
from server.importers.answers import every, whole
from server.importers.layout import Ask, Known, RecognisedSource
from server.models.imports import Finding, ImportBatch, ImportedRow

EMPTY: tuple[object, ...] = (None, "", [], {}, False, 0)
PLAN = ("title", "description", "category", "priority", "goals", "success_criteria", "workspace_id", "created_at")
STEP = ("task", "status", "type", "assignee", "notes", "completed_at")
COMPARED = {
    "plans": (*PLAN, "status"),
    "steps": STEP,
    "plan_notes": (),
}  # what of a row is kept till its plan is asked for
Read = Callable[[RecognisedSource, Known], Iterator[ImportBatch]]


async def compared(
    read: Read, source: RecognisedSource, known: Known, ask: Ask, wanted: Callable[[str], bool]
) -> AsyncGenerator[tuple[str | None, list[Finding]]]:
    """Yield each wanted plan with what differs, then what differs in knowledge and context that are of no plan."""
    plans: dict[str, list[ImportedRow]] = {}
    archived: set[str] = set()
    others: list[Finding] = []
    for batch in read(source, known):
        archived |= batch.archived
        for row in batch.rows:
            if row.table in COMPARED and row.plan_id and wanted(row.plan_id):
                values = {name: row.values[name] for name in COMPARED[row.table]}
                plans.setdefault(row.plan_id, []).append(replace(row, values=values))
            elif row.table == "knowledge":
                others += await _knowledge(ask, row)
    for plan_id in [*plans]:
        yield plan_id, await _plan(ask, plan_id, plans.pop(plan_id), plan_id in archived)
    yield None, others


async def _plan(ask: Ask, plan_id: str, rows: list[ImportedRow], archived: bool) -> list[Finding]:
    head = next((row for row in rows if row.table == "plans"), None)
    if head is None:
        return []
    try:
        told = await whole(ask, "memory_plan", {"action": "get", "plan_id": plan_id, "detail": "full"})
        steps = await every(ask, "memory_steps", "steps", {"action": "list", "plan_id": plan_id, "detail": "full"})
        notes = await every(ask, "memory_plan", "notes", {"action": "list_notes", "plan_id": plan_id})
    except ProjectMemoryError as error:
        return [Finding("error", head.path, head.json_path, f"the tools refuse to show it: {error}", plan_id)]
    found = list(_differences(head, told, PLAN))
    status = "archived" if archived else head.values["status"]
    found += _different(head, "status", status, told.get("status"))
    by_id = {step["step_id"]: step for step in steps}
    for row in (row for row in rows if row.table == "steps"):
        found += _step(row, by_id.get(row.key))
    there = {note.get("note_id") for note in notes}
    gone = [row for row in rows if row.table == "plan_notes" and row.key not in there]
    return found + [Finding("error", row.path, row.json_path, "the note is not there", row.key) for row in gone]


def _step(row: ImportedRow, told: Mapping[str, Any] | None) -> Iterator[Finding]:
    if told is None:
        yield Finding("error", row.path, row.json_path, "the step is not there", row.key)
    elif "clipped" in told:
        yield from _differences(row, told, tuple(name for name in STEP if name not in ("task", "notes")))
    else:
        yield from _differences(row, {"type": "standard", **told}, STEP)


async def _knowledge(ask: Ask, row: ImportedRow) -> list[Finding]:
    named = {"workspace_id": row.values["workspace_id"], "slug": row.values["slug"]}
    try:
        told = await whole(ask, "memory_context", {"action": "knowledge_get", **named})
    except NotFound:
        return [Finding("error", row.path, row.json_path, "the knowledge is not there", row.values["slug"])]
    except ProjectMemoryError as error:
        return [Finding("error", row.path, row.json_path, f"the tools refuse to show it: {error}", row.values["slug"])]
    return list(_differences(row, told, ("title", "content", "category", "tags")))


def _differences(row: ImportedRow, told: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Finding]:
    for name in names:
        yield from _different(row, name, row.values[name], told.get(name))


def _different(row: ImportedRow, name: str, source: Any, told: Any) -> Iterator[Finding]:
    if source != told and not (source in EMPTY and told in EMPTY):
        where = f"{row.json_path} {name}"
        yield Finding("error", row.path, where, "differs from the database", source, told)
