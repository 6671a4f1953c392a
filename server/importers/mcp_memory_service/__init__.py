"""Exports of mcp-memory-service: memories known by the hash of their content, of no project."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.importers import layout
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.mcp_memory_service import memories
from server.importers.reading import Entry, object_of
from server.importers.taking import Taker
from server.importers.values import Object, text
from server.models.imports import ImportBatch

NAME: str = "mcp-memory-service"
NAMES = re.compile(r"(?i).*(?:memor|export).*\.json")  # of exports that are looked for in a folder
MOST = 100  # files of such a name that are looked into
HEAD = 64 * 1024  # bytes at the beginning of a file that tell what it is
METADATA = re.compile(r'"export_metadata"\s*:\s*')
FIRST_KEY = re.compile(r'\ufeff?\s*\{\s*"(?:export_metadata|memories)"\s*:')


@dataclass(frozen=True)
class MemoryExport:
    """A file of memories, and what it says of itself."""

    entry: Entry
    metadata: Object


def recognise(path: Path) -> RecognisedSource | None:
    """Return the export that a file is, or those in a folder."""
    exports = sorted(_exports(path), key=lambda one: (text(one.metadata.get("export_timestamp")), one.entry.path))
    if not exports:
        return None
    stores = {_store(one.metadata) for one in exports}
    folder = path if path.is_dir() else path.parent
    whose = next(iter(stores)) if len(stores) == 1 else None
    return layout.placeless(NAME, folder, whose or path.absolute(), tuple(reversed(exports)))


def _exports(path: Path) -> Iterator[MemoryExport]:
    try:
        listed = sorted(one for one in path.iterdir() if NAMES.fullmatch(one.name))[:MOST] if path.is_dir() else [path]
    except OSError:
        return
    for one in listed:
        if one.suffix.lower() == ".json" and not one.is_symlink() and one.is_file():
            metadata = _metadata(one)
            if metadata is not None:
                yield MemoryExport(Entry(one.name, one), metadata)


def _metadata(path: Path) -> Object | None:
    """Return what an export says of itself; None if the file is none."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return None
    found = METADATA.search(head)
    if not found or not FIRST_KEY.match(head):
        return None
    try:
        return object_of(json.JSONDecoder().raw_decode(head, found.end())[0])
    except (ValueError, RecursionError):
        return {}


def _store(metadata: Object) -> tuple[str, ...] | None:
    """Return which store the memories are of: exports of one go to one workspace."""
    told = [metadata.get(name) for name in ("source_machine", "database_path")]
    return tuple(map(text, told)) if all(told) else None


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the exports."""
    for one in source.detail:
        yield SourceFile(source.workspaces[0].workspace_id, one.entry.path, one.entry.location)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield the memories, the newest export first: what stands in an older one as well is taken once."""
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    seen: dict[str, str] = {}
    is_new = taker.is_new
    for one in source.detail:
        batch, taken = taker.json(one.entry)
        if is_new:
            make = taken.make if taken else taker.maker(one.entry.path, known.now)
            batch.rows.append(make.workspace(None, _name(one.metadata)))
            is_new = False
        if taken:
            memories.add(taken, seen)
        yield batch


def _name(metadata: Object) -> str:
    machine = metadata.get("source_machine")
    return f"memories of {machine}" if machine and isinstance(machine, str) else "memories"
