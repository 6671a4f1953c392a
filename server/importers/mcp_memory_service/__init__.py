"""Memories of mcp-memory-service, its database or exports: known by the hash of their content, of no project."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.db.storage.foreign import WAL
from server.importers import layout
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.mcp_memory_service import memories
from server.importers.reading import Entry, entry_at, head, object_of
from server.importers.taking import Taker
from server.importers.values import Object, text
from server.models.imports import ImportBatch

NAME: str = "mcp-memory-service"
NAMES = re.compile(r"(?i).*(?:memor|export).*\.json")  # of exports that are looked for in a folder
MOST = 100  # files of such a name that are looked into
HEAD = 64 * 1024  # bytes at the beginning of a file that tell what it is
METADATA = re.compile(r'"export_metadata"\s*:\s*')
FIRST_KEY = re.compile(r'\ufeff?\s*\{\s*"(?:export_metadata|memories)"\s*:')
OF_THE_DASHBOARD = re.compile(r'\ufeff?\s*\{\s*"export_date"\s*:\s*"([^"]*)"\s*,\s*"total_memories"\s*:')
DATABASE = "sqlite_vec.db"
SUFFIXES = (".db", ".sqlite", ".sqlite3")


@dataclass(frozen=True)
class MemoryExport:
    """A file of memories, and what it says of itself."""

    entry: Entry
    metadata: Object


@dataclass(frozen=True)
class MemoryStore:
    """The database, the log that is read with it, and the exports, the newest first."""

    database: Entry | None
    log: Entry | None
    exports: tuple[MemoryExport, ...]


def recognise(path: Path) -> RecognisedSource | None:
    """Return the database or the export that a file is, or those in a folder."""
    database = _database(path)
    log = database.with_name(f"{database.name}{WAL}") if database else None
    exports = sorted(_exports(path), key=lambda one: (text(one.metadata.get("export_timestamp")), one.entry.path))
    if not exports and not database:
        return None
    stores = {whose for one in exports if (whose := _store(one.metadata))}  # the dashboard tells of none
    folder = path if path.is_dir() else path.parent
    whose = next(iter(stores)) if len(stores) == 1 and not database else None
    first, second = (entry_at(one, one.name) if one and one.exists() else None for one in (database, log))
    store = MemoryStore(first, second, tuple(reversed(exports)))
    return layout.placeless(NAME, folder, whose or (database or path).absolute(), store)


def _database(path: Path) -> Path | None:
    """Return the database that a file is, or that lies in a folder under its usual name."""
    one = path / DATABASE if path.is_dir() else path
    return one if one.suffix in SUFFIXES and memories.is_database(head(one, HEAD)) else None


def _exports(path: Path) -> Iterator[MemoryExport]:
    try:
        listed = sorted(one for one in path.iterdir() if NAMES.fullmatch(one.name))[:MOST] if path.is_dir() else [path]
    except OSError:
        return
    for one in listed:
        if one.suffix.lower() == ".json":
            metadata = _metadata(one)
            if metadata is not None:
                yield MemoryExport(Entry(one.name, one), metadata)


def _metadata(path: Path) -> Object | None:
    """Return what an export says of itself; None if the file is none."""
    start = head(path, HEAD).decode("utf-8", "replace")
    if dashboard := OF_THE_DASHBOARD.match(start):
        return {"export_timestamp": dashboard[1]}
    found = METADATA.search(start)
    if not found or not FIRST_KEY.match(start):
        return None
    try:
        return object_of(json.JSONDecoder().raw_decode(start, found.end())[0])
    except (ValueError, RecursionError):
        return {}


def _store(metadata: Object) -> tuple[str, ...] | None:
    """Return which store the memories are of: exports of one go to one workspace."""
    told = [metadata.get(name) for name in ("source_machine", "database_path")]
    return tuple(map(text, told)) if all(told) else None


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the database with its log, then the exports."""
    store: MemoryStore = source.detail
    for entry in (store.database, store.log, *(one.entry for one in store.exports)):
        if entry:
            yield SourceFile(source.workspaces[0].workspace_id, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield the memories: of the database, then of the newest export; what stood before is taken once."""
    store: MemoryStore = source.detail
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    seen: dict[str, str] = {}
    if taker.is_new:
        named = store.exports[0].metadata if store.exports else {}
        make = taker.maker(store.exports[0].entry.path if store.exports else DATABASE, known.now)
        yield ImportBatch(taker.workspace_id, rows=[make.workspace(None, _name(named))])
    if store.database:
        yield from memories.of_database(taker, store.database, seen)
    if store.log:
        yield taker.skipped(store.log, "read with the database", keep=False)
    for one in store.exports:
        batch, taken = taker.json(one.entry)
        if taken:
            memories.of_export(taken, seen)
        yield batch


def _name(metadata: Object) -> str:
    machine = metadata.get("source_machine")
    return f"memories of {machine}" if machine and isinstance(machine, str) else "memories"
