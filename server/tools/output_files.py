"""Texts that an action writes to a file of the project, with the transaction that tells of it, or returns."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from server.confined.changes import PreparedChange
from server.confined.folder import OpenFolder, Parts
from server.db.audit import events
from server.errors import Conflict, NotAllowed, NotFound
from server.files import PRIVATE, PRIVATE_FOLDER
from server.models.events import Event
from server.models.text import Line
from server.tools.common import Call
from server.tools.paths import expanded
from server.tools.project_files import file_changes
from server.tools.project_files.places import Root, root_of

OutputPath = Annotated[Line, Field(description="in the workspace")]
MARKDOWN = (".md", ".markdown")
JSON = (".json",)
LARGEST = 1024 * 1024


async def give(
    call: Call, workspace_id: str, text: str, output_path: str | None, *, ends: Sequence[str], event: Event
) -> dict[str, Any]:
    """Return a text as `content`; with a path, have it written there and return where that is.

    The name of the file has to end in one of `ends`; `event` is what the log says of it. What is there already is
    replaced only by force, and goes to the trash. The action is followed by `carry_out`.
    """
    if output_path is None:
        return {"content": text}
    root = await root_of(call, workspace_id=workspace_id)
    change = call.ending.enter_context(PreparedChange(root.path, _place(root, output_path, ends)))
    await run_sync(_ready, call, change, text.encode())
    told: dict[str, Any] = {"output_path": str(Path(root.path, *change.path)), "bytes": change.size}
    async with call.write() as tx:
        if change.kept and change.kept.sha256 == change.left:
            change.forget()
            return {**told, "unchanged": True}
        if trash_id := await file_changes.decide(call, tx, change, root.workspace_id):
            told["trash_id"] = trash_id
        data = {**event.data, "path": told["output_path"], "bytes": change.size}
        events.record(tx, replace(event, summary=f"{event.summary} to {told['output_path']}", data=data))
    return told


async def carry_out(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Give the file its name, once that is stored; a call that returned the text has nothing to do."""
    return await file_changes.carry_out(call, result) if call.decided else result


async def present(call: Call, workspace_id: str, output_path: str, *, ends: Sequence[str]) -> str | None:
    """Return the text that is at a path where a file may be written, or None if there is none to read."""
    root = await root_of(call, workspace_id=workspace_id)
    return await run_sync(_text_at, root, _place(root, output_path, ends))


def _text_at(root: Root, path: Parts) -> str | None:
    try:
        with OpenFolder.opened(root.path, path[:-1]) as home, home.reading(path[-1]) as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except (NotFound, NotAllowed):
        return None


def _place(root: Root, output_path: str, ends: Sequence[str]) -> Parts:
    """Return where a file may be written, or refuse."""
    parts = root.file(str(expanded(output_path)))
    if PurePosixPath(parts[-1]).suffix.lower() not in ends:
        raise NotAllowed(f"output_path {output_path[:200]!r} has to end in {ends[0]}, and so has what a link leads to.")
    return parts


def _ready(call: Call, change: PreparedChange, data: bytes) -> None:
    change.make_folders(change.path[:-1], PRIVATE_FOLDER)
    with OpenFolder.opened(change.root, change.path[:-1]) as home:
        if home.find(change.path[-1]) and not call.shared.force:
            raise Conflict(
                f"{'/'.join(change.path)!r} is there already. Nothing was written. Name another file, or send "
                "force=true."
            )
    change.put([data], file_changes.new_store(call.settings), mode=PRIVATE)
