"""memory_filesystem: what a file says, and what is in a folder."""

import hashlib
import io
import os
import re
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any, BinaryIO

from anyio.to_thread import run_sync
from pydantic import Field

from server.confined.folder import OpenFolder, Parts, blocks, kind_of, translated
from server.errors import InvalidArguments, NotFound
from server.models.text import Line
from server.tools.common import Call
from server.tools.filesystem.tool import TOOL
from server.tools.filesystem.walking import FoundFile, Walk
from server.tools.project_files.guarded_paths import LISTED
from server.tools.project_files.places import FilePath, Root, root_of
from server.tools.render import Page

READ_BYTES = 1024 * 1024
HASHED_BYTES = 256 * 1024 * 1024  # of a file that is no text
LONGEST_LINE = 256 * 1024  # characters; a longer one comes in several
SNIFFED = 8192  # bytes in which a NUL shows that a file is no text
TREE_ENTRIES = 500
LINES = re.compile(r"(\d{1,9})(?:-(\d{1,9})?)?")
LineRange = Annotated[Line, Field(description="'120-180', '120-' or '120'")]


@TOOL.action(read_only=True, lists={"guarded": LISTED})
async def read(call: Call, *, path: FilePath, lines: LineRange | None = None) -> dict[str, Any]:
    """A text file, or some lines of it.

    A long text comes in pieces: pass next_offset as offset. Of a file over 1 MiB the first MiB is returned; `lines`
    reaches what is behind it. A file that is no UTF-8 text is said to be binary. `guarded` lists what is kept from
    every action of this tool, and why. A file with several names (hard links) is read only where package managers put
    such (node_modules, site-packages, .venv).

    Example: {"action":"read","path":"src/app.py","lines":"120-180"}
    """
    root = await root_of(call)
    parts = root.file(path, writing=False)
    span = _span(lines) if lines else None
    told = await run_sync(_read, root, parts, span)
    return {"workspace_id": root.workspace_id, "path": "/".join(parts), **told}


def _span(lines: str) -> tuple[int, int | None]:
    """Return the first and the last line that are wanted, None for the end."""
    found = LINES.fullmatch(lines.replace(" ", ""))
    first = int(found[1]) if found else 0
    last = None if found is None or lines.rstrip().endswith("-") else int(found[2] or first)
    if first < 1 or (last is not None and last < first):
        raise InvalidArguments(
            f"'lines' is {lines[:40]!r}; it takes a range of line numbers from 1, such as '120-180'."
        )
    return first, last


def _read(root: Root, parts: Parts, span: tuple[int, int | None] | None) -> dict[str, Any]:
    with root.reading(parts) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(SNIFFED)
        if b"\0" in start:
            return _binary(size, start, file)
        file.seek(0)
        if span:
            return {"size": size, **_lines(file, *span)}
        data = file.read(READ_BYTES + 1)
        text = decoded(data[:READ_BYTES], is_cut=len(data) > READ_BYTES)
        if text is None:
            return _binary(size, data, file)
    told: dict[str, Any] = {"size": size, "content": text}
    if len(data) > READ_BYTES:
        line = text.count("\n") + 1
        told |= {"cut": True, "warning": f"This is the first MiB of {size} bytes. lines='{line}-' goes on."}
    return told


def _binary(size: int, start: bytes, file: BinaryIO) -> dict[str, Any]:
    """Return what is told of a file that is no text; one of any size, with holes, would be read for hours."""
    if size > HASHED_BYTES:
        return {"size": size, "binary": True}
    digest = hashlib.sha256(start)
    for block in blocks(file):
        digest.update(block)
    return {"size": size, "binary": True, "sha256": digest.hexdigest()}


def decoded(data: bytes, *, is_cut: bool = False) -> str | None:
    """Return text, or None if it is none; the character in which it was cut is left out."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return data[: error.start].decode() if is_cut and len(data) - error.start < 4 else None


def _lines(file: Any, first: int, last: int | None) -> dict[str, Any]:
    """Return lines of a file of any size, up to as much as is read at once."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    try:
        for _ in range(first - 1):
            if not text.readline(LONGEST_LINE):
                return {"first_line": first, "content": "", "warning": "The file has fewer lines."}
        kept, room = list[str](), READ_BYTES
        while last is None or len(kept) <= last - first:
            line = text.readline(LONGEST_LINE)
            room -= len(line.encode())
            if not line or room < 0:
                break
            kept.append(line)
        told = {"first_line": first, "last_line": first + len(kept) - 1, "content": "".join(kept)}
        return told | ({"warning": f"lines='{first + len(kept)}-' goes on."} if room < 0 else {})
    finally:
        text.detach()


@TOOL.action(read_only=True, takes=("page",))
async def list_(call: Call, *, path: FilePath = ".", recursive: bool = False) -> Page:
    """What is in a folder, with type and size.

    recursive goes into folders, but for what git ignores and what tools put there (node_modules, build, ...). What is
    guarded is not shown; `hidden` counts it.

    Example: {"action":"list","path":"src","recursive":true}
    """
    root = await root_of(call)
    start = root.place(path)
    walk = Walk(root)
    found = await run_sync(lambda: list(walk.below(start) if recursive else walk.entries(start)))
    rows = sorted((_shown(entry, recursive) for entry in found), key=lambda row: str(row.get("path", row["name"])))
    after = call.after("list", 1)
    rest = [row for row in rows if after is None or _place(row) > after]
    extra = {"workspace_id": root.workspace_id, "path": "/".join(start) or ".", "hidden": walk.hidden or None}
    extra["cut"] = f"only the first {len(found)} entries were looked at; name a folder" if walk.is_cut else None
    limit = call.shared.limit
    return Page("entries", rest[: limit + 1], len(rows), limit, _place, "list", extra)


def _shown(entry: FoundFile, with_path: bool) -> dict[str, Any]:
    path = {"path": entry.path} if with_path else {}
    size = {} if entry.size is None else {"size": entry.size}
    return {"name": entry.parts[-1], **path, "type": entry.kind, **size}


def _place(row: dict[str, Any]) -> list[str | int]:
    return [row.get("path", row["name"])]


@TOOL.action(read_only=True)
async def tree(
    call: Call, *, path: FilePath = ".", max_depth: Annotated[int, Field(ge=1, le=10)] = 3
) -> dict[str, Any]:
    """A folder as an indented text, folders first.

    At most 500 entries. It leaves out what git ignores, what tools put there and what is guarded.

    Example: {"action":"tree","path":"src","max_depth":2}
    """
    root = await root_of(call)
    start = root.place(path)
    walk = Walk(root, max_depth)
    found = await run_sync(lambda: list(islice(walk.below(start), TREE_ENTRIES + 1)))
    kept = found[:TREE_ENTRIES]
    told = {
        "workspace_id": root.workspace_id,
        "path": "/".join(start) or ".",
        "tree": "\n".join(_tree(kept, len(start))),
    }
    more = (
        {"cut": True, "warning": "There is more. Name a folder, or a smaller max_depth."}
        if len(found) > len(kept)
        else {}
    )
    return {**told, "depth": max_depth, "total_entries": len(kept), **more}


def _tree(entries: Iterable[FoundFile], base: int) -> Iterable[str]:
    for entry in entries:
        ending = {"directory": "/", "symlink": " ->"}.get(entry.kind, "")
        yield f"{'  ' * (len(entry.parts) - base - 1)}{entry.parts[-1]}{ending}"


@TOOL.action(read_only=True)
async def exists(call: Call, *, path: FilePath) -> dict[str, Any]:
    """Whether something has this path, and what it is.

    Example: {"action":"exists","path":"src/app.py"}
    """
    root = await root_of(call)
    parts = root.place(path, follows_last=False)
    kind = await run_sync(_kind, root, parts)
    return {"workspace_id": root.workspace_id, "path": "/".join(parts) or ".", "exists": kind is not None, "type": kind}


def _kind(root: Root, parts: Parts) -> str | None:
    if not parts:
        return "directory"
    try:
        with OpenFolder.opened(root.path, parts[:-1]) as folder, translated(parts[-1]):
            found = folder.find(parts[-1])
    except NotFound:
        return None
    return kind_of(found) if found else None
