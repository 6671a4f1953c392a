"""memory_workspace: the projects that own plans and memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from server.db.audit import events
from server.db.storage.connection import Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments
from server.models.events import Event
from server.models.text import Id, Line
from server.models.workspaces import Checkout, Registered, Relative, Workspace, WorkspaceInfo, brief, nested
from server.tools import paths
from server.tools.common import Call, Detail, WorkspacePath
from server.tools.render import Page, Result
from server.tools.workspace import indexing, moved_folders
from server.tools.workspace.indexing import Profile
from server.tools.workspace.moved_folders import ProjectFolder
from server.tools.workspace.tool import TOOL

LAST_EVENTS = 10
MOST_CLAIMS = 100
LinkMode = Literal["link", "unlink"]


async def _settled(call: Call, made: dict[str, Any]) -> Registered:
    """Make the folder say which workspace it is, and tell of an older store in it."""
    folder, workspace = made["folder"], await workspaces.require(call.db, made["workspace_id"])
    is_worktree = workspace.path != folder
    moved = [await workspaces.require(call.db, workspace_id) for workspace_id in made["moved_with"]]
    warnings: list[str] = [*made["warnings"]]
    for one in [*([] if is_worktree else [workspace]), *moved]:
        data_root = str(call.settings.data_root)
        warnings += await moved_folders.identify(call.db, one.folder, one, data_root, force=call.shared.force)
    legacy = await call.greeting(workspace.workspace_id)
    if made["unindexed"] and call.older:
        call.older.index_later(workspace.workspace_id)
    return Registered(
        workspace_id=workspace.workspace_id,
        name=workspace.label,
        path=workspace.folder,
        plan_counts=await workspaces.plan_counts(call.db, workspace.workspace_id),
        first_time=made["first_time"],
        worktree_of=workspace.path if is_worktree else None,
        moved_from=made["moved_from"],
        moved_with=[Relative(workspace_id=w.workspace_id, name=w.label, path=w.path) for w in moved],
        copy_of=made["copy_of"],
        warnings=warnings,
        legacy_store=legacy,
    )


@TOOL.action(takes=("force",), then=_settled)
async def register(call: Call, *, workspace_path: WorkspacePath, name: Line | None = None) -> dict[str, Any]:
    """Make a project folder a workspace, or find the one it is.

    Idempotent: any spelling of the same folder, and any git worktree of a registered repository, is one workspace. So
    is a folder that was renamed or moved, by its .projectmemory/identity.json: moved_from says so, and the old path
    goes on to mean it. Where that cannot be told, it is a conflict; migrate settles it. A copy is a new workspace. A
    folder inside or around a registered one is a conflict, unless force=true. Nothing is written but that file, a
    .gitignore beside it, and identity.previous.json if another was there; one that this database does not know is
    replaced only with force. `name` is that of the folder, unless given. A new workspace gets its profile (reindex), in
    the background if that takes long. `legacy_store` in the answer tells of a store of the file-based Project Memory or
    of another program (beads, Task Master and others) in the folder, with the command that imports it.

    Example: {"action":"register","workspace_path":"/home/me/project"}
    """
    folder = paths.project_folder(workspace_path)
    place = await moved_folders.look(call.db, folder, str(call.settings.data_root))
    profile = await _first_look(call, place)
    async with call.write() as tx:
        found = await _find(call, tx, place, name)
        moved = [] if found or place.nature != "moved" else await _move(call, tx, place)
        workspace = found or (await _refresh(tx, moved[0], name, place.checkout) if moved else None)
        first_time = workspace is None
        workspace = workspace or await _create(tx, place, name, profile)
        await _refuse_other(call, tx, workspace)
        return {
            **_made(tx, place, workspace, moved, first_time=first_time),
            "unindexed": first_time and profile is None,
        }


@TOOL.action(takes=("force",), then=_settled)
async def migrate(call: Call, *, workspace_path: WorkspacePath) -> dict[str, Any]:
    """Give a workspace the folder it was moved to.

    By hand, where register cannot tell: the same id, plans and memory, a new path. workspace_id says which workspace;
    without it the identity file of the folder does. Workspaces inside come along. A workspace whose old folder is
    still there is a conflict, and so is a folder inside or around another one, unless force=true.

    Example: {"action":"migrate","workspace_path":"/home/me/renamed","workspace_id":"ws_1rqewqexykb7"}
    """
    folder = paths.project_folder(workspace_path)
    told = call.shared.workspace_id
    named = (await workspaces.require(call.db, told)).workspace_id if told else None
    place = await moved_folders.look(call.db, folder, str(call.settings.data_root), workspace_id=named)
    if place.owner is None:
        raise InvalidArguments(
            f"No identity file in {folder!r} names a workspace of this database. Send the workspace_id of the one that "
            "was moved here; action='list' shows them.",
            missing=["workspace_id"],
        )
    async with call.write(is_quick=False) as tx:
        there = await workspaces.at(tx, folder)
        if there is None:
            _refuse_copy(call, place, place.owner)
        elif there.workspace_id != place.owner.workspace_id:
            raise Conflict(
                f"{folder!r} is workspace {there.workspace_id} already, so {place.owner.workspace_id} cannot have it.",
                workspace_id=there.workspace_id,
            )
        moved = [] if there else await _move(call, tx, place)
        return {**_made(tx, place, there or moved[0], moved, first_time=False), "unindexed": False}


def _made(
    tx: Transaction, place: ProjectFolder, workspace: Workspace, moved: Sequence[Workspace], *, first_time: bool
) -> dict[str, Any]:
    """Return what has become of a folder, for `_settled`."""
    tx.workspace_id = workspace.workspace_id
    copied = place.owner if first_time and place.nature == "copy" else None
    told = (
        f"The folder is a copy of {copied.workspace_id}, whose folder {copied.path!r} is still there." if copied else ""
    )
    return {
        "workspace_id": workspace.workspace_id,
        "folder": place.folder,
        "first_time": first_time,
        "moved_from": place.owner.path if moved and place.owner else None,
        "moved_with": [inner.workspace_id for inner in moved[1:]],
        "copy_of": copied.workspace_id if copied else None,
        "warnings": [told] if told else [],
    }


async def _find(call: Call, tx: Transaction, place: ProjectFolder, name: str | None) -> Workspace | None:
    """Return the workspace that a folder or git worktree is by its place; refuse what cannot become one."""
    if there := await workspaces.at(tx, place.folder):
        away = place.owner if place.nature in ("moved", "doubtful") else None
        if away and away.workspace_id != there.workspace_id and not call.shared.force:
            raise _two_workspaces(place.folder, there, away)
        return await _refresh(tx, there, name, place.checkout)
    if place.nature == "moved":
        return None
    if place.nature == "doubtful" and not call.shared.force:
        raise moved_folders.doubt(place)
    found = await workspaces.holding(tx, place.folder, place.checkout, former=False)
    if found and place.checkout and place.checkout.place_of(found) == place.checkout.prefix:
        return found
    if not call.shared.force:
        if place.main:
            raise moved_folders.waits(place.main)
        await _refuse_overlap(tx, place, found)
    return None


def _two_workspaces(folder: str, there: Workspace, owner: Workspace) -> Conflict:
    return Conflict(
        f"{folder!r} is workspace {there.workspace_id}, but its identity file names {owner.workspace_id}, whose folder "
        f"{owner.path!r} is not there. force=true makes the file name {there.workspace_id}; the other one waits for "
        "action='migrate' with another folder.",
        workspace_id=there.workspace_id,
        named=owner.workspace_id,
    )


async def _move(call: Call, tx: Transaction, place: ProjectFolder) -> list[Workspace]:
    if not call.shared.force:
        await _refuse_overlap(tx, place, await workspaces.holding(tx, place.folder, place.checkout, former=False))
    return await moved_folders.move(tx, place)


def _refuse_copy(call: Call, place: ProjectFolder, owner: Workspace) -> None:
    if place.old == "there" and not call.shared.force:
        raise Conflict(
            f"The folder of {owner.workspace_id}, {owner.path!r}, is still there, so it was not moved. "
            "action='register' makes a copy a workspace of its own; force=true leaves the old folder without one.",
            path=owner.path,
        )


async def _refuse_other(call: Call, tx: Transaction, workspace: Workspace) -> None:
    told = call.shared.workspace_id
    if told and (await workspaces.require(tx, told)).workspace_id != workspace.workspace_id:
        raise Conflict(
            f"The folder belongs to workspace {workspace.workspace_id!r}, not {told!r}. Leave out workspace_id: "
            "register finds or makes it."
        )


async def _refuse_overlap(tx: Transaction, place: ProjectFolder, around: Workspace | None) -> None:
    """Refuse a folder inside or around others; what it is itself, was linked below, or brings along is no other."""
    own = {inner.workspace_id for inner, *_ in place.inner}
    if place.nature != "copy" and place.owner:
        own |= {place.owner.workspace_id, place.owner.parent_workspace_id or ""}
    around = around if around and around.workspace_id not in own else None
    inside = [w for w in await workspaces.below(tx, place.folder) if w.workspace_id not in own]
    if not around and not inside:
        return
    where = "inside" if around else "around"
    listed: Sequence[Workspace] = [around] if around else inside[:5]
    names = ", ".join(f"{w.workspace_id} ({w.path})" for w in listed)
    raise Conflict(
        f"{place.folder!r} lies {where} what is registered already: {names}. Either work in that workspace (pass its "
        "workspace_id), or send the same call with force=true to make one of its own; then action='link' with "
        "workspace_id (the outer one) and child_workspace_id (the inner one) joins them.",
        relationship="parent" if around else "child",
        overlaps=[{"workspace_id": w.workspace_id, "path": w.path} for w in listed],
    )


async def _first_look(call: Call, place: ProjectFolder) -> Profile | None:
    """Return the profile of a folder that looks as if it became a workspace, unless that takes long."""
    if place.nature == "moved" or await workspaces.at(call.db, place.folder):
        return None
    return await indexing.quick_look(place.folder, call.db.now())


async def _create(tx: Transaction, place: ProjectFolder, name: str | None, profile: Profile | None) -> Workspace:
    """Insert a workspace, under the id that its folder remembers if no other workspace has it."""
    columns: dict[str, Any] = moved_folders.git_columns(place.checkout, {})
    columns["profile"] = profile if profile and profile["total_files"] else None  # an empty folder says nothing
    remembered = place.known.workspace_id if place.known.is_here else None
    if remembered and not await workspaces.find(tx, remembered):
        columns["workspace_id"] = remembered
    await workspaces.refuse_importing(tx, place.folder, columns.get("workspace_id"))
    await workspaces.forget_path(tx, place.folder)
    workspace = await workspaces.insert(tx, path=place.folder, name=name or Path(place.folder).name, **columns)
    _record(tx, "workspace_registered", workspace, f"Registered {workspace.path}")
    return workspace


async def _refresh(tx: Transaction, workspace: Workspace, name: str | None, checkout: Checkout | None) -> Workspace:
    """Bring what registration knows of a workspace up to date."""
    wanted = {"name": name or workspace.name, **moved_folders.git_columns(checkout, workspace.meta)}
    changes = {column: value for column, value in wanted.items() if value != getattr(workspace, column)}
    if not changes:
        return workspace
    workspace = await workspaces.update(tx, workspace.workspace_id, changes)
    _record(tx, "workspace_updated", workspace, None)
    return workspace


def _record(tx: Transaction, type_: str, workspace: Workspace, summary: str | None) -> None:
    workspace_id = workspace.workspace_id
    events.record(tx, Event(type_, "workspace", workspace_id, workspace_id=workspace_id, summary=summary))


@TOOL.action(read_only=True, takes=("page",))
async def list_(call: Call, *, hierarchical: bool = False, detail: Detail = "brief", query: Line | None = None) -> Page:
    """Workspaces by name, with their plan counts.

    workspace_id or workspace_path: only that one and those linked below it. hierarchical=true nests children in their
    parents. query is part of the name or path. detail="full" adds profile, repository and times.

    Example: {"action":"list","hierarchical":true}
    """
    limit = call.shared.limit
    under = await call.told(call.db)
    after = call.after("list", 2)
    found, total = await workspaces.page(
        call.db, under=under, roots=hierarchical, after=after, limit=limit + 1, query=query
    )
    if hierarchical:
        found = nested(found, await workspaces.descendants(call.db, [w.workspace_id for w in found]))
    rows = found if detail == "full" else [brief(workspace) for workspace in found]
    return Page("workspaces", rows, total, limit, lambda row: [row.name, row.workspace_id], "list")


@TOOL.action(read_only=True)
async def info(call: Call) -> Result:
    """One workspace: plans, profile, claims, last events.

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
            former_paths=await workspaces.former_paths(db, workspace_id),
            created_at=workspace.created_at,
            updated_at=workspace.updated_at,
            plan_counts=await workspaces.plan_counts(db, workspace_id),
            profile=workspace.profile,
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
        named = workspace
        if workspace.display_name != display_name:
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
