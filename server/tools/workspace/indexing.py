"""memory_workspace: what a project folder holds, looked at anew; the walk happens before the transaction."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio

from server.db.audit import events
from server.db.storage.connection import Transaction
from server.db.workspaces import workspaces
from server.errors import InvalidArguments
from server.models.base import encode
from server.models.events import Event
from server.models.workspaces import Workspace
from server.text.display import number_of
from server.tools.common import Call
from server.tools.workspace import profile
from server.tools.workspace.tool import TOOL

MOST_BYTES = 4_000  # of a profile in an answer
QUICK_SECONDS = 0.2  # that a registration may take longer for the profile
Profile = dict[str, Any]


@TOOL.action()
async def reindex(call: Call) -> dict[str, Any]:
    """Look at the project folder anew and keep its profile.

    Languages, frameworks, build system, tests, package manager, folders, conventions, files and lines. What .gitignore
    names, and vendored folders, are left out; after 50,000 files it stops, and `stopped` says so. `previous` is the
    profile before, `new` the one now; where they say the same, it is kept as it is, with its time.

    Example: {"action":"reindex"}
    """
    workspace = await call.workspace(call.db)
    found = await look(workspace.folder, call.db.now())
    async with call.write() as tx:
        now = await call.workspace(tx)
        if now.path != workspace.path:
            raise InvalidArguments(f"The workspace was moved to {now.path!r} at this moment. Send the same call again.")
        before, new = _of(now), await keep(tx, now, found)
    return {"workspace_id": now.workspace_id, "previous": _told(before), "new": new, "changes": _changes(before, new)}


async def look(folder: str, now: str) -> Profile:
    """Return the profile of a folder, or refuse one that is not there. Cancelling ends the walk."""
    if not Path(folder).is_absolute() or not await anyio.to_thread.run_sync(Path(folder).is_dir):
        raise InvalidArguments(
            f"The project folder {folder!r} is not there. If it was moved: action='migrate' with workspace_path=..., "
            "where it is now; action='scan_ghosts' lists every workspace whose folder is gone."
        )
    is_left = threading.Event()
    try:
        return await _walked(folder, now, is_left.is_set)
    finally:
        is_left.set()


async def quick_look(folder: str, now: str) -> Profile | None:
    """Return the profile of a folder; None if that takes long."""
    is_left, end = threading.Event(), time.monotonic() + QUICK_SECONDS
    try:
        with anyio.move_on_after(QUICK_SECONDS):
            return await _walked(folder, now, lambda: is_left.is_set() or time.monotonic() > end)
    except profile.Interrupted:
        return None
    finally:
        is_left.set()
    return None


async def _walked(folder: str, now: str, is_over: Callable[[], bool]) -> Profile:
    walk = partial(profile.profile, folder, now, is_over)
    return await anyio.to_thread.run_sync(walk, abandon_on_cancel=True)


async def keep(tx: Transaction, workspace: Workspace, found: Profile) -> Profile:
    """Store a profile, unless it says what the one before did; return what is there now."""
    before = _of(workspace)
    if before and {**before, "indexed_at": None} == {**found, "indexed_at": None}:
        return before
    await workspaces.update(tx, workspace.workspace_id, {"profile": found})
    ids, summary = workspace.workspace_id, f"Indexed {workspace.path}: {number_of(found['total_files'], 'file')}"
    events.record(tx, Event("workspace_updated", "workspace", ids, workspace_id=ids, summary=summary))
    return found


def _of(workspace: Workspace) -> Profile:
    """Return the profile of a workspace. An older store may have left anything there."""
    return cast(Profile, workspace.profile) if isinstance(workspace.profile, dict) else {}


def _told(before: Profile) -> Profile:
    """Return a profile, or its figures if it is one of another store that would fill the answer."""
    if len(encode(before).encode()) <= MOST_BYTES:
        return before
    return {name: _count(before, name) for name in ("total_files", "total_lines")}


def _changes(before: Profile, new: Profile) -> dict[str, Any]:
    return {
        "languages_changed": _names(before, "languages") != _names(new, "languages"),
        "frameworks_changed": _names(before, "frameworks") != _names(new, "frameworks"),
        "files_delta": new["total_files"] - _count(before, "total_files"),
        "lines_delta": new["total_lines"] - _count(before, "total_lines"),
    }


def _names(found: Profile, key: str) -> set[str]:
    """Return what a list of a profile names; an item is a name or has one."""
    listed = found.get(key)
    items = cast(list[object], listed) if isinstance(listed, list) else []
    return {str(cast(Profile, one).get("name") if isinstance(one, dict) else one) for one in items}


def _count(found: Profile, key: str) -> int:
    value = found.get(key)
    return value if isinstance(value, int) else 0
