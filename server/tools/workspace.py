"""memory_workspace: the projects that own plans and memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from server.db import events, workspaces
from server.db.connection import Transaction
from server.errors import Conflict
from server.models.events import Event
from server.models.workspaces import GIT_PREFIX, Checkout, Registered, Workspace
from server.tools import identity, paths
from server.tools.common import Call, Line, WorkspacePath, tool
from server.tools.render import Page

TOOL = tool("memory_workspace", "Workspaces", "The projects that own plans and memory.")


@TOOL.action(takes=("force",))
async def register(call: Call, *, workspace_path: WorkspacePath, name: Line | None = None) -> Registered:
    """Make a project folder a workspace, or find the one it is.

    Idempotent: any spelling of the same folder, and any git worktree of a registered repository, is one workspace.
    A folder inside or around a registered one is a conflict, unless force=true. The only files written are
    .projectmemory/identity.json and a .gitignore beside it. `name` is that of the folder, unless given.

    Example: {"action":"register","workspace_path":"/home/me/project"}
    """
    folder = paths.project_folder(workspace_path)
    checkout = paths.checkout(folder)
    known = identity.read(folder)
    async with call.write() as tx:
        found = await workspaces.holding(tx, folder, checkout)
        if found and found.path != folder and _is_worktree(found, checkout):
            return await _registered(call, tx, found, worktree_of=found.path)
        if first_time := not found or found.path != folder:
            if not call.shared.force:
                await _refuse_overlap(tx, folder, found)
            workspace, warnings = await _create(tx, folder, name, checkout, known)
        else:
            workspace, warnings = await _refresh(tx, found, name, checkout), []
        answer = await _registered(call, tx, workspace, first_time=first_time, warnings=warnings)
    fields = {
        "workspace_id": workspace.workspace_id,
        "workspace_path": folder,
        "data_root": str(call.settings.data_root),
        "created_at": workspace.created_at,
    }
    told = [known.problem, await anyio.to_thread.run_sync(identity.write, folder, known, fields, call.db.now())]
    return answer.model_copy(update={"warnings": [*answer.warnings, *filter(None, told)]})


def _is_worktree(workspace: Workspace, checkout: Checkout | None) -> bool:
    return bool(checkout) and checkout.place_of(workspace) == checkout.prefix


async def _registered(call: Call, tx: Transaction, workspace: Workspace, **more: Any) -> Registered:
    told = call.shared.workspace_id
    if told and (await workspaces.require(tx, told)).workspace_id != workspace.workspace_id:
        raise Conflict(
            f"The folder belongs to workspace {workspace.workspace_id!r}, not {told!r}. Leave out workspace_id: "
            "register finds or makes it."
        )
    tx.workspace_id = workspace.workspace_id
    counts = await workspaces.plan_counts(tx, workspace.workspace_id)
    fields = {"first_time": False, "warnings": [], "plan_counts": counts, **more}
    return Registered(workspace_id=workspace.workspace_id, name=workspace.label, path=workspace.path, **fields)


async def _refuse_overlap(tx: Transaction, folder: str, around: Workspace | None) -> None:
    inside = await workspaces.below(tx, folder)
    if not around and not inside:
        return
    where = "inside" if around else "around"
    listed: Sequence[Workspace] = [around] if around else inside[:5]
    names = ", ".join(f"{w.workspace_id} ({w.path})" for w in listed)
    raise Conflict(
        f"{folder!r} lies {where} what is registered already: {names}. Either work in that workspace (pass its "
        "workspace_id), or send the same call with force=true to make one of its own; then action='link' with "
        "workspace_id (the outer one) and child_workspace_id (the inner one) joins them.",
        relationship="parent" if around else "child",
        overlaps=[{"workspace_id": w.workspace_id, "path": w.path} for w in listed],
    )


async def _create(
    tx: Transaction, folder: str, name: str | None, checkout: Checkout | None, known: identity.Identity
) -> tuple[Workspace, list[str]]:
    """Insert a workspace, under the id that its folder remembers if no other workspace has it."""
    columns: dict[str, Any] = _git_columns(checkout, {})
    warnings: list[str] = []
    if known.workspace_id:
        if owner := await workspaces.find(tx, known.workspace_id):
            warnings.append(f"The id in the identity file, {known.workspace_id}, belongs to {owner.path!r} now.")
        else:
            columns["workspace_id"] = known.workspace_id
    workspace = await workspaces.insert(tx, path=folder, name=name or Path(folder).name, **columns)
    _record(tx, "workspace_registered", workspace, f"Registered {workspace.path}")
    return workspace, warnings


async def _refresh(tx: Transaction, workspace: Workspace, name: str | None, checkout: Checkout | None) -> Workspace:
    """Bring what registration knows of a workspace up to date."""
    wanted = {"name": name or workspace.name, **_git_columns(checkout, workspace.meta)}
    changes = {column: value for column, value in wanted.items() if value != getattr(workspace, column)}
    if not changes:
        return workspace
    workspace = await workspaces.update(tx, workspace.workspace_id, changes)
    _record(tx, "workspace_updated", workspace, None)
    return workspace


def _git_columns(checkout: Checkout | None, meta: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in meta.items() if key != GIT_PREFIX}
    prefix = {GIT_PREFIX: checkout.prefix} if checkout and checkout.prefix else {}
    return {"git_common_dir": checkout.common_dir if checkout else None, "meta": {**kept, **prefix}}


def _record(tx: Transaction, type_: str, workspace: Workspace, summary: str | None) -> None:
    workspace_id = workspace.workspace_id
    events.record(tx, Event(type_, "workspace", workspace_id, workspace_id=workspace_id, summary=summary))


@TOOL.action(read_only=True, takes=("page",))
async def list_(call: Call) -> Page:
    """Registered workspaces with their plan counts.

    Example: {"action":"list"}
    """
    found = await workspaces.all_(call.db)
    return Page("workspaces", found, len(found), call.shared.limit, lambda w: [w.name, w.workspace_id])
