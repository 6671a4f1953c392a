"""memory_workspace: the projects that own plans and memory. Logs, trash and figures are in `workspace_logs`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio

from server.db import events, workspaces
from server.db.connection import Transaction
from server.errors import Conflict
from server.models.events import Event
from server.models.text import Id, Line
from server.models.workspaces import GIT_PREFIX, Checkout, Registered, Workspace, WorkspaceInfo, brief, nested
from server.tools import identity, older_stores, paths
from server.tools.common import Call, Detail, WorkspacePath, tool
from server.tools.identity import Identity
from server.tools.render import Page, Result

LAST_EVENTS = 10
MOST_CLAIMS = 100
LinkMode = Literal["link", "unlink"]

TOOL = tool("memory_workspace", "Workspaces", "The projects that own plans and memory.")


async def _settled(call: Call, made: dict[str, Any]) -> Registered:
    """Make the folder say which workspace it is, and tell of an older store in it."""
    folder, workspace = made["folder"], await workspaces.require(call.db, made["workspace_id"])
    is_worktree = workspace.path != folder
    warnings = [] if is_worktree else await _identify(call, folder, workspace)
    legacy = await call.greeting(workspace.workspace_id)
    return Registered(
        workspace_id=workspace.workspace_id,
        name=workspace.label,
        path=workspace.path,
        plan_counts=await workspaces.plan_counts(call.db, workspace.workspace_id),
        first_time=made["first_time"],
        worktree_of=workspace.path if is_worktree else None,
        warnings=warnings,
        legacy_store=legacy,
    )


@TOOL.action(takes=("force",), then=_settled)
async def register(call: Call, *, workspace_path: WorkspacePath, name: Line | None = None) -> dict[str, Any]:
    """Make a project folder a workspace, or find the one it is.

    Idempotent: any spelling of the same folder, and any git worktree of a registered repository, is one workspace.
    A folder inside or around a registered one is a conflict, unless force=true. The only files written are
    .projectmemory/identity.json and a .gitignore beside it. `name` is that of the folder, unless given. `legacy_store`
    in the answer tells of a store of the file-based Project Memory in the folder, with the command that imports it.

    Example: {"action":"register","workspace_path":"/home/me/project"}
    """
    folder = paths.project_folder(workspace_path)
    place = Place(folder, paths.checkout(folder), await anyio.to_thread.run_sync(identity.read, folder))
    async with call.write() as tx:
        workspace, first_time = await _find_or_create(call, tx, place, name)
        await _refuse_other(call, tx, workspace)
        tx.workspace_id = workspace.workspace_id
        return {"workspace_id": workspace.workspace_id, "folder": folder, "first_time": first_time}


@dataclass(frozen=True)
class Place:
    """A folder that asks to be registered: its one spelling, the git working tree around it, its identity file."""

    folder: str
    checkout: Checkout | None
    known: Identity


async def _find_or_create(call: Call, tx: Transaction, place: Place, name: str | None) -> tuple[Workspace, bool]:
    """Return the workspace of a folder or git worktree, and whether it was made just now."""
    found = await workspaces.holding(tx, place.folder, place.checkout)
    if found and found.path == place.folder:
        return await _refresh(tx, found, name, place.checkout), False
    if found and place.checkout and place.checkout.place_of(found) == place.checkout.prefix:
        return found, False
    if not call.shared.force:
        await _refuse_overlap(tx, place.folder, found)
    return await _create(tx, place, name), True


async def _refuse_other(call: Call, tx: Transaction, workspace: Workspace) -> None:
    told = call.shared.workspace_id
    if told and (await workspaces.require(tx, told)).workspace_id != workspace.workspace_id:
        raise Conflict(
            f"The folder belongs to workspace {workspace.workspace_id!r}, not {told!r}. Leave out workspace_id: "
            "register finds or makes it."
        )


async def _identify(call: Call, folder: str, workspace: Workspace) -> list[str]:
    """Write the identity file once the workspace is committed; return what the caller should know about it."""
    known = await anyio.to_thread.run_sync(identity.read, folder)
    fields = {
        "workspace_id": workspace.workspace_id,
        "workspace_path": folder,
        "created_at": workspace.created_at,
    }
    warnings = [known.problem]
    if not older_stores.is_led_away(known):
        fields["data_root"] = str(call.settings.data_root)
    if known.workspace_id not in (None, workspace.workspace_id):
        warnings.append(f"The identity file named {known.workspace_id}, which is another workspace; it was corrected.")
    warnings.append(await anyio.to_thread.run_sync(identity.write, folder, known, fields, call.db.now()))
    return [warning for warning in warnings if warning]


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


async def _create(tx: Transaction, place: Place, name: str | None) -> Workspace:
    """Insert a workspace, under the id that its folder remembers if no other workspace has it."""
    columns: dict[str, Any] = _git_columns(place.checkout, {})
    remembered = place.known.workspace_id
    if remembered and not await workspaces.find(tx, remembered):
        columns["workspace_id"] = remembered
    workspace = await workspaces.insert(tx, path=place.folder, name=name or Path(place.folder).name, **columns)
    _record(tx, "workspace_registered", workspace, f"Registered {workspace.path}")
    return workspace


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
async def list_(call: Call, *, hierarchical: bool = False, detail: Detail = "brief") -> Page:
    """Workspaces by name, with their plan counts.

    workspace_id or workspace_path: only that one and those linked below it. hierarchical=true nests children in their
    parents. detail="full" adds profile, repository and times.

    Example: {"action":"list","hierarchical":true}
    """
    limit = call.shared.limit
    under = await call.told(call.db)
    after = call.after("list", 2)
    found, total = await workspaces.page(call.db, under=under, roots=hierarchical, after=after, limit=limit + 1)
    if hierarchical:
        found = nested(found, await workspaces.descendants(call.db, [w.workspace_id for w in found]))
    rows = found if detail == "full" else [brief(workspace) for workspace in found]
    return Page("workspaces", rows, total, limit, lambda row: [row.name, row.workspace_id], "list")


@TOOL.action(read_only=True)
async def info(call: Call) -> Result:
    """One workspace: plans, relatives, open claims, last events.

    Example: {"action":"info","workspace_path":"/home/me/project"}
    """
    db = call.db
    workspace = await call.workspace(db)
    workspace_id = workspace.workspace_id
    parent, children = await workspaces.relatives(db, workspace)
    last = await events.latest(db, workspace_id, limit=LAST_EVENTS)
    return Result(
        WorkspaceInfo(
            workspace_id=workspace_id,
            name=workspace.label,
            display_name=workspace.display_name,
            path=workspace.path,
            aliases=await workspaces.aliases(db, workspace_id),
            created_at=workspace.created_at,
            updated_at=workspace.updated_at,
            plan_counts=await workspaces.plan_counts(db, workspace_id),
            parent=parent,
            children=children,
            open_claims=await workspaces.held_steps(db, workspace_id, limit=MOST_CLAIMS),
            last_events=[event.model_copy(update={"workspace_id": None}) for event in last],
            legacy_store=await call.older.seen(db, workspace) if call.older else None,
        ),
        hint="memory_workspace action='events' and memory_steps action='list' page through the rest",
    )


@TOOL.action()
async def set_display_name(call: Call, *, display_name: Line) -> dict[str, Any]:
    """Change what people call a workspace.

    Example: {"action":"set_display_name","display_name":"Shop","workspace_id":"ws_1rqewqexykb7"}
    """
    async with call.write() as tx:
        workspace = await call.workspace(tx)
        named = await workspaces.update(tx, workspace.workspace_id, {"display_name": display_name})
        _record(tx, "workspace_updated", named, f"Renamed workspace {workspace.label} to {display_name}")
    return {"workspace_id": named.workspace_id, "name": named.label, "previous_name": workspace.label}


@TOOL.action()
async def link(call: Call, *, child_workspace_id: Id, mode: LinkMode = "link") -> dict[str, Any]:
    """Put a workspace below this one, or take it off.

    Both have to be registered. A workspace has one parent; no workspace is below itself. mode="unlink" undoes it.

    Example: {"action":"link","workspace_id":"ws_1rqewqexykb7","child_workspace_id":"ws_1rqewr02mdzk"}
    """
    async with call.write() as tx:
        parent = await call.workspace(tx)
        child = await workspaces.require(tx, child_workspace_id)
        linked = child.parent_workspace_id == parent.workspace_id
        if not linked:
            await _refuse_link(tx, parent, child, mode)
        if linked is not (mode == "link"):
            above = parent.workspace_id if mode == "link" else None
            await workspaces.update(tx, child.workspace_id, {"parent_workspace_id": above})
            for side in (parent, child):
                _record(tx, f"workspace_{mode}ed", side, f"{mode.title()}ed {child.path} below {parent.path}")
        _, children = await workspaces.relatives(tx, parent)
    return {
        "workspace_id": parent.workspace_id,
        "child_workspace_id": child.workspace_id,
        "mode": mode,
        "children": children,
    }


async def _refuse_link(tx: Transaction, parent: Workspace, child: Workspace, mode: str) -> None:
    if child.parent_workspace_id:
        raise Conflict(
            f"{child.workspace_id} is linked below another workspace: action='link' mode='unlink' "
            f"workspace_id={child.parent_workspace_id!r} child_workspace_id={child.workspace_id!r} takes it off.",
            parent_workspace_id=child.parent_workspace_id,
        )
    line = [parent.workspace_id, *await workspaces.above(tx, parent.workspace_id)] if mode == "link" else []
    if child.workspace_id in line:
        cycle = [child.workspace_id, *line[: line.index(child.workspace_id) + 1]]
        raise Conflict(f"That would put a workspace below itself: {' below '.join(cycle)}.", cycle=cycle)
