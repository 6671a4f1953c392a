"""A project folder that was renamed or moved is still its workspace: how that is told from a copy, and what follows.

Folders are looked at before the transaction, which checks that what was seen still holds: a dead disk must not hold the
write lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

import anyio

from server.db.audit import events
from server.db.storage.connection import Reader, Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict
from server.models.events import Event
from server.models.workspaces import GIT_PREFIX, Checkout, Workspace
from server.settings import DATABASE_NAME, leads_to
from server.tools import identity, older_stores, paths
from server.tools.identity import Identity
from server.tools.paths import Whereabouts

Nature = Literal["new", "own", "moved", "copy", "doubtful"]
HINTS = {
    "unreachable": "the folder around it is gone too, as it is when a disk is not mounted",
    "gone": "the file does not fit: its data root or its path is not what this database knows",
}


Inner = tuple[Workspace, str, Checkout | None]


@dataclass(frozen=True)
class ProjectFolder:
    """A project folder, and what it tells: the git working tree around it, its identity file, whose that is.

    `nature` says what the folder is by that file. `inner` are the workspaces below the old folder of `owner` that came
    along, with where they are now.
    """

    folder: str
    checkout: Checkout | None
    known: Identity
    owner: Workspace | None = None
    nature: Nature = "new"
    old: Whereabouts = "gone"
    inner: Sequence[Inner] = ()
    main: "ProjectFolder | None" = None


async def look(db: Reader, folder: str, data_root: str, *, workspace_id: str | None = None) -> ProjectFolder:
    """Look at a project folder. `workspace_id` is the workspace that it is said to be, instead of its file."""
    checkout = await anyio.to_thread.run_sync(paths.checkout, folder)
    known = await anyio.to_thread.run_sync(identity.read, folder)
    named = workspace_id or known.workspace_id
    owner = await workspaces.find(db, named) if named else None
    if owner is None:
        return ProjectFolder(folder, checkout, known, main=await _moved_main(db, folder, checkout, data_root))
    old = await anyio.to_thread.run_sync(paths.whereabouts, owner.folder, folder)
    former = [owner.folder, *await workspaces.former_paths(db, owner.workspace_id)]
    nature = _nature(owner, old, fits=_fits(known, former, data_root), folder=folder)
    below = await workspaces.below(db, owner.folder) if old != "there" and owner.path != folder else []
    inner = await anyio.to_thread.run_sync(_came_along, owner.folder, folder, below)
    return ProjectFolder(folder, checkout, known, owner, nature, old, inner)


async def _moved_main(db: Reader, folder: str, checkout: Checkout | None, data_root: str) -> ProjectFolder | None:
    """Return where the repository of a worktree holds the file of a workspace that was moved there, if it does."""
    if checkout is None or folder in checkout.twins:
        return None
    for twin in checkout.twins:
        place = await look(db, twin, data_root)
        if place.nature in ("moved", "doubtful"):
            return place
    return None


def _nature(owner: Workspace, old: Whereabouts, *, fits: bool, folder: str) -> Nature:
    if owner.path == folder:
        return "own"
    if old == "same":
        return "moved"
    if old == "there":
        return "copy"
    return "moved" if fits and old == "gone" else "doubtful"


def _fits(known: Identity, former: Sequence[str], data_root: str) -> bool:
    """Return whether an identity file is one that this database, or the older store it took over, has written."""
    root, path = known.fields.get("data_root"), known.fields.get("workspace_path")
    here = root in (None, data_root) or (isinstance(root, str) and leads_to(root, Path(data_root)))
    ours = here or older_stores.is_led_away(known)
    return ours and isinstance(path, str) and (path in former or paths.normal_path(Path(path)) in former)


def _came_along(old: str, new: str, below: Sequence[Workspace]) -> list[Inner]:
    """Return those of the workspaces below the old folder that are below the new one now, by their own files."""
    found: list[Inner] = []
    for workspace in below:
        folder = str(Path(new) / PurePath(workspace.folder).relative_to(old))
        is_gone = paths.whereabouts(workspace.folder, folder) != "there"
        if is_gone and identity.read(folder).workspace_id == workspace.workspace_id:
            found.append((workspace, folder, paths.checkout(folder)))
    return found


def doubt(place: ProjectFolder) -> Conflict:
    """Return the error for a folder of which only a person can tell whether it is the workspace it names."""
    assert place.owner is not None  # or there would be no doubt
    workspace_id = place.owner.workspace_id
    return Conflict(
        f"The identity file of {place.folder!r} names workspace {workspace_id}, whose folder {place.owner.path!r} is "
        f"not there, and {HINTS[place.old]}. If this is that project, moved: action='migrate' workspace_path=... "
        f"workspace_id={workspace_id!r}. If it is another one: the same call with force=true makes a new workspace.",
        workspace_id=workspace_id,
        last_path=place.owner.path,
    )


def waits(main: ProjectFolder) -> Conflict:
    """Return the error for a git worktree of a repository whose workspace was moved, and is not registered anew."""
    assert main.owner is not None  # it was moved, or may have been
    return Conflict(
        f"This is a git worktree of what {main.folder!r} holds, and the identity file there names workspace "
        f"{main.owner.workspace_id}, whose folder was {main.owner.path!r}. First action='register' with workspace_path="
        f"{main.folder!r}, then the same call again; force=true makes a new workspace.",
        workspace_id=main.owner.workspace_id,
        workspace_path=main.folder,
    )


async def move(tx: Transaction, place: ProjectFolder) -> list[Workspace]:
    """Give a workspace its new folder, and those that came along theirs; return them all, the first one first."""
    assert place.owner is not None  # the caller found it
    moved = [await _moved(tx, place.owner, place.folder, place.checkout)]
    for workspace, folder, checkout in place.inner:
        if await workspaces.at(tx, folder) is None:
            moved.append(await _moved(tx, workspace, folder, checkout))
    return moved


async def _moved(tx: Transaction, seen: Workspace, folder: str, checkout: Checkout | None) -> Workspace:
    now = await workspaces.require(tx, seen.workspace_id)
    if now.path != seen.path:
        raise Conflict(
            f"The workspace {now.workspace_id} was moved to {now.path!r} at this moment. Send the same call again."
        )
    name = {"name": Path(folder).name} if now.name == PurePath(now.folder).name else {}
    changes = {"path": folder, **name, **git_columns(checkout, now.meta)}
    await workspaces.remember_path(tx, now.workspace_id, now.folder, new=folder)
    moved = await workspaces.update(tx, now.workspace_id, changes)
    summary = f"Moved workspace {moved.label} from {now.path} to {folder}"
    data = {"from": now.path, "to": folder}
    ids = moved.workspace_id
    events.record(tx, Event("workspace_moved", "workspace", ids, workspace_id=ids, summary=summary, data=data))
    return moved


def git_columns(checkout: Checkout | None, meta: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in meta.items() if key != GIT_PREFIX}
    prefix = {GIT_PREFIX: checkout.prefix} if checkout and checkout.prefix else {}
    return {"git_common_dir": checkout.common_dir if checkout else None, "meta": {**kept, **prefix}}


async def identify(db: Reader, folder: str, workspace: Workspace, data_root: str, *, force: bool) -> list[str]:
    """Make a folder say which workspace it is; return what the caller should know about its identity file.

    A file of another workspace, or of another database, that this database does not know stays, unless by force.
    """
    known = await anyio.to_thread.run_sync(identity.read, folder)
    owner = await workspaces.find(db, known.workspace_id) if known.workspace_id else workspace
    other, unknown = owner is None or owner.workspace_id != workspace.workspace_id, owner is None
    foreign = not other and await anyio.to_thread.run_sync(_is_foreign, known, data_root)
    if (unknown or foreign) and not force:
        whose = f"workspace {known.workspace_id} of the data root {known.fields.get('data_root')!r}"
        left = f"{identity.FOLDER}/{identity.FILE} names {whose}, which this database does not know"
        return [f"{left}, so it was left as it is. force=true replaces it."]
    fields = {
        "workspace_id": workspace.workspace_id,
        "workspace_path": folder,
        "created_at": workspace.created_at,
    }
    if other or not older_stores.is_led_away(known):
        fields["data_root"] = data_root
    old = Identity(problem=f"it names {known.workspace_id}, which is another workspace") if other else known
    told = await anyio.to_thread.run_sync(identity.write, folder, old, fields, db.now())
    return [told] if told else []


def _is_foreign(known: Identity, data_root: str) -> bool:
    """Return whether an identity file was written by a server with another database, which is still there."""
    root = known.fields.get("data_root")
    if not isinstance(root, str) or "\0" in root or root == data_root or older_stores.is_led_away(known):
        return False
    return (Path(root) / DATABASE_NAME).is_file() and not leads_to(root, Path(data_root))
