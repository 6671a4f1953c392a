"""The usual check of a layout: what the source becomes, as it is staged, compared with what the tools return."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any

from server.db.interchange.scratch import Stage
from server.errors import NotFound, ProjectMemoryError
from server.importers.answers import every, whole
from server.importers.layout import Ask
from server.models.imports import Finding, ImportedRow

EMPTY: tuple[object, ...] = (None, "", [], {}, False, 0)
PLAN = ("title", "description", "category", "priority", "goals", "success_criteria", "workspace_id", "created_at")
STEP = ("task", "status", "type", "assignee", "notes", "completed_at")
KNOWLEDGE = ("title", "content", "category", "tags")
LISTS = ("goals", "success_criteria", "tags")


async def compared(
    stage: Stage, ask: Ask, wanted: Callable[[str], bool]
) -> AsyncGenerator[tuple[str | None, list[Finding]]]:
    """Yield each wanted plan with what differs, then what differs in knowledge, which is of no plan."""
    for plan_id, archived in stage.plans():
        if wanted(plan_id):
            rows = stage.rows_of(plan_id, ("plans", "steps", "plan_notes"))
            yield plan_id, await _plan(ask, plan_id, rows, archived)
    yield None, [finding for row in stage.rows_in("knowledge") for finding in await _knowledge(ask, row)]


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
    return list(_differences(row, told, KNOWLEDGE))


def _differences(row: ImportedRow, told: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Finding]:
    for name in names:
        source = row.values[name]
        yield from _different(row, name, json.loads(source or "[]") if name in LISTS else source, told.get(name))


def _different(row: ImportedRow, name: str, source: Any, told: Any) -> Iterator[Finding]:
    if source != told and not (source in EMPTY and told in EMPTY):
        where = f"{row.json_path} {name}"
        yield Finding("error", row.path, where, "differs from the database", source, told)
