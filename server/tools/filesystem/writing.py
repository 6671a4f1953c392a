"""memory_filesystem: files are written, moved, copied and deleted; what that takes away can be restored."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from server.confined.changes import MOST_BYTES, PreparedChange, not_empty
from server.confined.folder import OpenFolder, Parts, blocks, kind_of, refuse_odd
from server.db.storage.connection import Transaction
from server.errors import Conflict, InvalidArguments, NotFound, TooLarge
from server.models.text import Id, Text
from server.tools.common import Call
from server.tools.filesystem.tool import TOOL
from server.tools.filesystem.walking import MOST_ENTRIES
from server.tools.project_files import file_changes
from server.tools.project_files.places import FilePath, Root, root_of

WRITE_BYTES = 256 * 1024
APPEND_BYTES = 16 * 1024 * 1024  # of a file that is appended to: it is written anew
StepId = Annotated[Id, Field(description="the step it is done for")]


@TOOL.action(destructive=True, takes=("request",), then=file_changes.carry_out)
async def write(
    call: Call, *, path: FilePath, content: Text, create_dirs: bool = True, step_id: StepId | None = None
) -> dict[str, Any]:
    """Write a text file, whole or not at all.

    A file that is there keeps its mode; what it held goes to the trash, and memory_workspace restore brings it back
    (trash_id). At most 256 KiB. With step_id the edit is recorded for that step.

    Example: {"action":"write","path":"docs/notes.md","content":"# Notes\\n","step_id":"step_1rqewqexykb7"}
    """
    root, data = await root_of(call, step_id), _bytes(content)
    change = call.ending.enter_context(PreparedChange(root.path, root.file(path)))
    await run_sync(_ready_to_write, change, data, create_dirs, file_changes.new_store(call.settings))
    is_same = change.kept is not None and change.kept.sha256 == change.left
    created = change.kept is None
    async with call.write() as tx:
        await call.workspace_id(tx, root.workspace_id)
        told: dict[str, Any] = {"workspace_id": root.workspace_id, "path": "/".join(change.path)}
        if is_same:
            change.forget()
            return {**told, "bytes_written": 0, "created": False, "unchanged": True}
        trash_id = await file_changes.decide(call, tx, change, root.workspace_id)
        summary = f"{'Created' if created else 'Wrote'} {told['path']}"
        about = {"bytes": change.size, "created": created, "trash_id": trash_id}
        file_changes.record(tx, "file_changed", change.path, summary, **about)
        edit_id = await _edited(tx, step_id, change.path, created=created)
        return {**told, "bytes_written": change.size, "created": created, "trash_id": trash_id, "edit_id": edit_id}


def _bytes(content: str) -> bytes:
    data = content.encode()
    if len(data) > WRITE_BYTES:
        raise TooLarge(f"'content' has {len(data)} bytes; at most {WRITE_BYTES} are written at once. Append the rest.")
    return data


def _ready_to_write(change: PreparedChange, data: bytes, create_dirs: bool, store: Path) -> None:
    if create_dirs:
        change.make_folders(change.path[:-1])
    change.put([data], store)


async def _edited(tx: Transaction, step_id: str | None, parts: Parts, *, created: bool) -> str | None:
    return await file_changes.record_edit(tx, step_id, parts, "create" if created else "edit") if step_id else None


@TOOL.action(takes=("request",), then=file_changes.carry_out)
async def append(call: Call, *, path: FilePath, content: Text, step_id: StepId | None = None) -> dict[str, Any]:
    """Add text to the end of a file that is there.

    At most 256 KiB, to a file of at most 16 MiB. If somebody else changes it meanwhile, nothing is added: conflict.

    Example: {"action":"append","path":"docs/notes.md","content":"- one more\\n","request_id":"5e2f..."}
    """
    root, data = await root_of(call, step_id), _bytes(content)
    change = call.ending.enter_context(PreparedChange(root.path, root.file(path)))
    await run_sync(_ready_to_append, change, data)
    async with call.write() as tx:
        await call.workspace_id(tx, root.workspace_id)
        await file_changes.decide(call, tx, change, root.workspace_id)
        told = "/".join(change.path)
        file_changes.record(tx, "file_changed", change.path, f"Appended to {told}", bytes=len(data), appended=True)
        edit_id = await _edited(tx, step_id, change.path, created=False)
        added = {"bytes_appended": len(data), "size": change.size, "edit_id": edit_id}
        return {"workspace_id": root.workspace_id, "path": told, **added}


def _ready_to_append(change: PreparedChange, data: bytes) -> None:
    with OpenFolder.opened(change.root, change.path[:-1]) as home:
        found = home.find(change.path[-1])
    if found is None:
        raise _missing("/".join(change.path))
    if found.st_size > APPEND_BYTES:
        raise TooLarge(f"{'/'.join(change.path)!r} has {found.st_size} bytes; up to {APPEND_BYTES} it is appended to.")
    change.put(_with_more(change, data), None)


def _with_more(change: PreparedChange, data: bytes) -> Iterator[bytes]:
    with OpenFolder.opened(change.root, change.path[:-1]) as home, home.reading(change.path[-1]) as file:
        yield from blocks(file)
    yield data


@TOOL.action(destructive=True, takes=("request",), then=file_changes.carry_out)
async def delete(
    call: Call, *, path: FilePath, confirm: bool = False, dry_run: bool = False, step_id: StepId | None = None
) -> dict[str, Any]:
    """Delete a file or an empty folder; preview unless confirm.

    It goes to the trash, and memory_workspace restore brings it back. A link is removed itself. What is not there is
    no error: deleted is false then.

    Example: {"action":"delete","path":"docs/old.md","confirm":true}
    """
    root = await root_of(call, step_id)
    parts = root.file(path, follows_last=False)
    kind = await run_sync(_deletable, root, parts)
    told = {"workspace_id": root.workspace_id, "path": "/".join(parts), "type": kind}
    if kind and (dry_run or not confirm):
        return {**told, "preview": {"would_delete": told["path"]}, "hint": "confirm=true deletes it."}
    change = call.ending.enter_context(PreparedChange(root.path, parts))
    if kind:
        await run_sync(change.remove, file_changes.new_store(call.settings))
    async with call.write() as tx:
        await call.workspace_id(tx, root.workspace_id)
        if kind is None:
            return {**told, "deleted": False}
        trash_id = await file_changes.decide(call, tx, change, root.workspace_id)
        file_changes.record(tx, "file_deleted", parts, f"Deleted {told['path']}", trash_id=trash_id)
        edit_id = await file_changes.record_edit(tx, step_id, parts, "delete") if step_id else None
        return {**told, "deleted": True, "trash_id": trash_id, "edit_id": edit_id}


def _deletable(root: Root, parts: Parts) -> str | None:
    """Return what is to be deleted, None if it is not there."""
    try:
        with OpenFolder.opened(root.path, parts[:-1]) as home:
            found = home.find(parts[-1])
    except NotFound:
        return None
    if found is None:
        return None
    if stat.S_ISDIR(found.st_mode):
        with OpenFolder.opened(root.path, parts) as inside:
            if inside.names():
                raise not_empty("/".join(parts))
    elif not stat.S_ISLNK(found.st_mode):
        refuse_odd(found, "/".join(parts))
    return kind_of(found)


@TOOL.action(destructive=True, takes=("request",), then=file_changes.carry_out)
async def move(
    call: Call,
    *,
    source: FilePath,
    destination: FilePath,
    overwrite: bool = False,
    dry_run: bool = False,
    step_id: StepId | None = None,
) -> dict[str, Any]:
    """Give a file or folder another name.

    destination is the new name itself; the folder it is in has to be there. With overwrite=true a file that has the
    name goes to the trash. dry_run only tells what would be done.

    Example: {"action":"move","source":"docs/a.md","destination":"docs/b.md"}
    """
    root = await root_of(call, step_id)
    here, there = (root.file(text, follows_last=False) for text in (source, destination))
    await run_sync(_movable, root, here, there, overwrite)
    told = {"workspace_id": root.workspace_id, "source": "/".join(here), "destination": "/".join(there)}
    if dry_run:
        return {**told, "preview": {"would_move": told["source"], "to": told["destination"]}}
    change = call.ending.enter_context(PreparedChange(root.path, here))
    if here != there:
        await run_sync(change.rename, there, file_changes.new_store(call.settings))
    async with call.write() as tx:
        await call.workspace_id(tx, root.workspace_id)
        if here == there:
            return {**told, "moved": False}
        trash_id = await file_changes.decide(call, tx, change, root.workspace_id)
        summary = f"Moved {told['source']} to {told['destination']}"
        file_changes.record(tx, "file_moved", here, summary, to=told["destination"], trash_id=trash_id)
        edit_id = await file_changes.record_edit(tx, step_id, there, "rename", here) if step_id else None
        return {**told, "moved": True, "overwritten": trash_id is not None, "trash_id": trash_id, "edit_id": edit_id}


def _movable(root: Root, here: Parts, there: Parts, overwrite: bool) -> None:
    with OpenFolder.opened(root.path, here[:-1]) as home:
        found = home.find(here[-1])
    if found is None:
        raise _missing("/".join(here))
    if here == there:
        return
    _refuse_taken(root, there, overwrite)
    if stat.S_ISDIR(found.st_mode):
        if there[: len(here)] == here:
            raise InvalidArguments(f"A folder cannot be moved into itself: {'/'.join(there)!r} is in it.")
        _refuse_guarded_inside(root, here, there)
    elif not stat.S_ISLNK(found.st_mode):
        refuse_odd(found, "/".join(here))


def _refuse_taken(root: Root, parts: Parts, overwrite: bool) -> None:
    with OpenFolder.opened(root.path, parts[:-1]) as home:
        found = home.find(parts[-1])
    path = "/".join(parts)
    if found and stat.S_ISDIR(found.st_mode):
        raise Conflict(f"{path!r} is a folder. Send the whole new name, such as {path}/NAME.")
    if found and not overwrite:
        raise Conflict(f"{path!r} is there already. Nothing was written. Send overwrite=true, or another destination.")


def _refuse_guarded_inside(root: Root, here: Parts, there: Parts) -> None:
    """Refuse a folder that holds something guarded, under its old name or its new one."""
    waiting, seen = [here], 0
    while waiting:
        at = waiting.pop()
        with OpenFolder.opened(root.path, at) as folder:
            found = folder.entries()
        seen += len(found)
        if seen > MOST_ENTRIES:
            raise TooLarge(f"{'/'.join(here)!r} holds more than {MOST_ENTRIES} files. Move it in parts.")
        for name, about in found:
            inside = (*at, name)
            root.refuse_guarded(inside, (*there, *inside[len(here) :]), writing=True)
            if stat.S_ISDIR(about.st_mode):
                waiting.append(inside)


@TOOL.action(destructive=True, takes=("request",), then=file_changes.carry_out)
async def copy(
    call: Call,
    *,
    source: FilePath,
    destination: FilePath,
    overwrite: bool = False,
    step_id: StepId | None = None,
) -> dict[str, Any]:
    """Copy a file, with its mode.

    destination is the new name itself; folders on the way to it are made. With overwrite=true a file that has the name
    goes to the trash.

    Example: {"action":"copy","source":"docs/a.md","destination":"docs/b.md"}
    """
    root = await root_of(call, step_id)
    here, there = root.file(source, writing=False), root.file(destination)
    if here == there:
        raise InvalidArguments(f"source and destination are both {'/'.join(here)!r}.")
    change = call.ending.enter_context(PreparedChange(root.path, there))
    await run_sync(_ready_to_copy, root, change, here, overwrite, file_changes.new_store(call.settings))
    async with call.write() as tx:
        await call.workspace_id(tx, root.workspace_id)
        told = {"workspace_id": root.workspace_id, "source": "/".join(here), "destination": "/".join(there)}
        trash_id = await file_changes.decide(call, tx, change, root.workspace_id)
        summary = f"Copied {told['source']} to {told['destination']}"
        file_changes.record(tx, "file_copied", there, summary, source=told["source"], trash_id=trash_id)
        edit_id = await _edited(tx, step_id, there, created=change.kept is None)
        done = {"bytes_copied": change.size, "overwritten": change.kept is not None}
        return {**told, **done, "trash_id": trash_id, "edit_id": edit_id}


def _ready_to_copy(root: Root, change: PreparedChange, here: Parts, overwrite: bool, store: Path) -> None:
    with OpenFolder.opened(root.path, here[:-1]) as home:
        if home.find(here[-1]) is None:
            raise _missing("/".join(here))
    with root.reading(here) as file:
        found = os.fstat(file.fileno())
        if found.st_size > MOST_BYTES:
            raise TooLarge(f"{'/'.join(here)!r} has {found.st_size} bytes; up to {MOST_BYTES} are copied here.")
        change.make_folders(change.path[:-1])
        _refuse_taken(root, change.path, overwrite)
        change.put(blocks(file), store, mode=found.st_mode)


def _missing(path: str) -> NotFound:
    return NotFound(f"There is no {path!r}. memory_filesystem action='search' pattern=... finds names.")
