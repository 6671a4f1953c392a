"""A file comes back out of the trash: where it was, with its mode, and over nothing newer without saying so."""

import base64
import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Any

from anyio.to_thread import run_sync

from server.confined.changes import PreparedChange
from server.confined.folder import OpenFolder, Parts
from server.db.audit import trash
from server.db.storage.connection import Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict, NotAllowed, NotFound
from server.models.workspaces import Trashed
from server.tools.common import Call
from server.tools.project_files import file_changes
from server.tools.project_files.file_changes import FILES
from server.tools.project_files.places import Root, root_of


async def ready(call: Call, trash_id: str) -> PreparedChange | None:
    """Make ready that a file comes back; None for an entry that is no file, or that is not there."""
    entry = await trash.find(call.db, trash_id)
    if entry is None or entry.entity_type != "file":
        return None
    call.caller.refuse_host("to restore a file")
    row = entry.data[FILES][0]
    root = await _root(call, entry, row)
    parts = tuple(row["path"].split("/"))
    root.refuse_guarded(parts, writing=True)
    change = call.ending.enter_context(PreparedChange(root.path, parts))
    await run_sync(_ready, root, change, row, call.shared.force)
    await file_changes.sweep(call.db, call.settings)
    return change


async def _root(call: Call, entry: Trashed, row: Mapping[str, Any]) -> Root:
    """Return the folder that a file was in: that of its workspace, or one that was merged into it."""
    workspace, was_in = await call.workspace(call.db, entry.workspace_id), row.get("root")
    if was_in in (None, workspace.path):
        return await root_of(call, workspace_id=entry.workspace_id)
    told = f"{row['path']!r} was in the folder {was_in!r}, which"
    if was_in not in await workspaces.former_paths(call.db, workspace.workspace_id):
        raise NotAllowed(
            f"{told} is no folder of the workspace {workspace.workspace_id} any more. Nothing was written."
        )
    if not await run_sync(os.path.isdir, was_in):
        raise NotAllowed(f"{told} is not there. Nothing was written; once it is there again, send the same call.")
    return Root(workspace.workspace_id, os.path.realpath(was_in), call.settings)


def _ready(root: Root, change: PreparedChange, row: Mapping[str, Any], force: bool) -> None:
    change.make_folders(change.path[:-1])
    _refuse_newer(root, change.path, row, force)
    store = file_changes.new_store(root.settings)
    if row["kind"] == "directory":
        change.put_folder(row["mode"])
    elif row["kind"] == "symlink":
        change.put_link(os.fsdecode(_bytes(row)))
    else:
        spent = file_changes.stored(row, root.settings)
        if spent and not spent.is_file():
            raise NotFound(f"The content of {row['path']!r} is gone: {spent} is not there any more.")
        change.spent = spent
        change.put(file_changes.content_of(row, root.settings), store, mode=row["mode"])


def _bytes(row: Mapping[str, Any]) -> bytes:
    return base64.b64decode(row["base64"]) if "base64" in row else row["text"].encode()


def _refuse_newer(root: Root, parts: Parts, row: Mapping[str, Any], force: bool) -> None:
    """Refuse to replace what is not what the change that filled the trash left there."""
    with OpenFolder.opened(root.path, parts[:-1]) as home:
        found = home.find(parts[-1])
        if found is None:
            return
        now = None
        if stat.S_ISREG(found.st_mode):
            with home.reading(parts[-1]) as file:
                now = hashlib.file_digest(file, "sha256").hexdigest()
    is_file = row["kind"] == "file" and now is not None
    if is_file and (now == row["left"] or force):
        return
    way = "force=true puts it back all the same; what is there goes to the trash." if is_file else "Move that away."
    raise Conflict(
        f"{row['path']!r} is there, and not as it was left when this went to the trash: somebody changed it since. "
        f"Nothing was written. {way}"
    )


async def put_back(call: Call, tx: Transaction, change: PreparedChange, entry: Trashed) -> list[str]:
    """Store that it comes back, and return what there is to say about it."""
    was_in = entry.data[FILES][0].get("root")
    trash_id = await file_changes.decide(call, tx, change, entry.workspace_id or "", was_in=was_in)
    told = [f"What was at {entry.entity_id!r} is in the trash now: trash_id={trash_id!r}."] if trash_id else []
    return [*told, *([f"It is in {was_in!r}, where it was."] if was_in else [])]
