"""memory_steps: which files were touched for which step."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.plans import plans
from server.db.steps import file_edits, step_workers, steps
from server.db.storage.list_totals import COUNTED
from server.db.workspaces import workspaces
from server.errors import InvalidArguments, NotAllowed
from server.models.events import Event
from server.models.steps import ChangeType, FileEdit
from server.models.text import Id, Index, Line, Text
from server.tools import step_rules
from server.tools.common import Call
from server.tools.paths import file_in
from server.tools.plan_rules import live
from server.tools.render import Page, reading
from server.tools.steps.tool import TOOL

WHOLE = reading("memory_steps list_edits", "edit_id")
Change = Annotated[ChangeType, Field(description="create|edit|delete|rename")]


@TOOL.action(takes=("request",), one_of=(("step_id",), ("plan_id",)))
async def record_edit(
    call: Call,
    *,
    file_path: Line,
    change_type: Change,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
    previous_path: Line | None = None,
    notes: Text | None = None,
) -> dict[str, Any]:
    """Record that a file was touched for a step or plan.

    Paths are relative to the workspace, or absolute in it; they are kept relative. A rename needs previous_path.

    Example: {"action":"record_edit","step_id":"step_1rqewqexykb7","file_path":"src/app.py","change_type":"edit"}
    """
    if (change_type == "rename") != (previous_path is not None):
        raise InvalidArguments("'previous_path' belongs to change_type='rename', and to it alone.")
    async with call.write() as tx:
        if step_id or step_index is not None:
            where = await step_rules.target(call, tx, step_id, plan_id, step_index)
            plan, step, workspace_id = where.plan, where.step, where.workspace_id
        else:
            plan, workspace_id = await live(call, tx, plan_id or "")
            step = None
        workspace = await workspaces.require(tx, workspace_id)
        edit = await file_edits.insert(
            tx,
            workspace_id=workspace_id,
            plan_id=plan.plan_id,
            step_id=step.step_id if step else None,
            file_path=file_in(workspace, file_path, "file_path"),
            previous_path=file_in(workspace, previous_path, "previous_path") if previous_path else None,
            change_type=change_type,
            notes=notes,
        )
        if step:
            await step_workers.record(tx, step, tx.origin.agent)
        data = {"file_path": edit.file_path, "change_type": change_type}
        events.record(tx, Event("file_edited", "file_edit", edit.edit_id, plan_id=plan.plan_id, data=data))
        return {
            "edit_id": edit.edit_id,
            "workspace_id": workspace_id,
            "plan_id": plan.plan_id,
            "step_id": edit.step_id,
            "file_path": edit.file_path,
            "previous_path": edit.previous_path,
        }


@TOOL.action(read_only=True, takes=("page",))
async def list_edits(
    call: Call,
    *,
    file_path: Line | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    edit_id: Id | None = None,
) -> Page | FileEdit:
    """Who touched which file, newest first.

    file_path is relative to the workspace, or absolute; a renamed file is found by both of its names. edit_id gives one
    edit whole, in pieces if need be (`next_offset`).

    Example: {"action":"list_edits","file_path":"src/app.py"}
    """
    if edit_id:
        edit, home = await file_edits.require(call.db, edit_id)
        await call.workspace_id(call.db, home)
        return edit
    named = await plans.require(call.db, plan_id) if plan_id else None
    if step_id and named is None:
        named = await plans.require(call.db, (await steps.require(call.db, step_id)).plan_id)
    workspace_id = await call.workspace_id(call.db, named.workspace_id if named else None)
    rows, total = await file_edits.page(
        call.db,
        workspace_id=workspace_id,
        plan_id=plan_id,
        step_id=step_id,
        file_paths=await _spellings(call, workspace_id, file_path) if file_path else (),
        after=call.after("edits", 2),
        limit=call.shared.limit + 1,
    )
    extra = {"workspace_id": workspace_id}
    return Page("edits", rows, total, call.shared.limit, _position, "edits", extra, COUNTED, WHOLE)


async def _spellings(call: Call, workspace_id: str, file_path: str) -> list[str]:
    """Return how a file may be stored: relative; or in full or as it is given, by an older store."""
    workspace = await workspaces.require(call.db, workspace_id)
    try:
        inside = file_in(workspace, file_path, "file_path")
    except NotAllowed:
        return [file_path]
    return list({inside, f"{workspace.path}/{inside}", file_path})


def _position(row: FileEdit) -> list[str | int]:
    return [row.created_at, row.edit_id]
