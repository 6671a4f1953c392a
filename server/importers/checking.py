"""The usual check of a layout: what the source becomes, as it is staged, compared with what the tools return."""

import json
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping
from typing import Any

from server.db.interchange.scratch import Stage
from server.errors import NotFound, ProjectMemoryError
from server.importers.answers import pages, whole
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
            yield plan_id, await _plan(stage, ask, plan_id, archived)
    yield None, [finding for row in stage.rows_in("knowledge") for finding in await _knowledge(ask, row)]


async def _plan(stage: Stage, ask: Ask, plan_id: str, archived: bool) -> list[Finding]:
    head = stage.rows_of("plans", [plan_id]).get(plan_id)
    if head is None:
        return []
    try:
        told = await whole(ask, "memory_plan", {"action": "get", "plan_id": plan_id, "include": ["facts"]})
        found = list(_differences(head, told, PLAN))
        found += _different(head, "status", "archived" if archived else head.values["status"], told.get("status"))
        return [*found, *await _steps(stage, ask, plan_id), *await _notes(stage, ask, plan_id)]
    except ProjectMemoryError as error:
        return [Finding("error", head.path, head.json_path, f"the tools refuse to show it: {error}", plan_id)]


async def _steps(stage: Stage, ask: Ask, plan_id: str) -> list[Finding]:
    """Return what differs in the steps of a plan, page by page: a plan may have more than memory should hold."""
    found: list[Finding] = []
    missing = stage.keys_of(plan_id, "steps")
    async for page in pages(ask, "memory_steps", "steps", {"action": "list", "plan_id": plan_id, "detail": "full"}):
        by_id = {step["step_id"]: step for step in page}
        for key, row in stage.rows_of("steps", list(by_id)).items():
            found += _step(row, by_id[key])
            missing.pop(key, None)
    return found + _missing(stage, "steps", missing, "the step is not there")


async def _notes(stage: Stage, ask: Ask, plan_id: str) -> list[Finding]:
    missing = stage.keys_of(plan_id, "plan_notes")
    async for page in pages(ask, "memory_plan", "notes", {"action": "list_notes", "plan_id": plan_id}):
        for note in page:
            missing.pop(str(note.get("note_id")), None)
    return _missing(stage, "plan_notes", missing, "the note is not there")


def _missing(stage: Stage, table: str, keys: Collection[str], what: str) -> list[Finding]:
    rows = stage.rows_of(table, list(keys)).values()
    return [Finding("error", row.path, row.json_path, what, row.key) for row in rows]


def _step(row: ImportedRow, told: Mapping[str, Any]) -> Iterator[Finding]:
    clipped = ("task", "notes") if "clipped" in told else ()
    names = tuple(name for name in STEP if name not in clipped)
    return _differences(row, {"type": "standard", **told}, names)


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
