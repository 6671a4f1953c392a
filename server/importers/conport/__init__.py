"""The database of ConPort, `context_portal/context.db` of a project."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from server.importers import layout
from server.importers.conport import tables
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.reading import Entry, modified, walk
from server.importers.taking import Sink, Taker
from server.models.imports import ImportBatch

NAME: str = "conport"
HOME, DATABASE = "context_portal", "context.db"
MARKS = ((f"{HOME}/{DATABASE}", ""),)
EXPORT = "conport_export"
EXPORTED = ("product_context.md", "active_context.md", "decision_log.md", "decisions.md", "progress_log.md",
            "system_patterns.md", "custom_data")  # fmt: skip
NOT_READ = ("conport_vector_data", "logs", "alembic", "__pycache__")  # what it makes of the rest, and its own files
PASSING = (f"{DATABASE}-shm", f"{DATABASE}-journal")  # which change while somebody merely reads
LOG = f"{HOME}/{DATABASE}-wal"
TEXTS = (".md", ".txt", ".ini", ".json")


@dataclass(frozen=True)
class ConPortStore:
    """A recognised store: the database, and the files beside it."""

    database: Entry
    others: tuple[Entry, ...]


def recognise(path: Path) -> RecognisedSource | None:
    """Return the database of a project, of its `context_portal`, or the file itself."""
    folder = path.parent if path.name == DATABASE and path.is_file() else path
    folder = folder.parent if folder.name == HOME else folder
    home = folder / HOME
    if not (home / DATABASE).is_file() or home.is_symlink() or (home / DATABASE).is_symlink():
        return None
    found = {entry.path: entry for entry in walk(home, f"{HOME}/", without=(*NOT_READ, *PASSING))}
    database = found.pop(f"{HOME}/{DATABASE}")
    return layout.project(NAME, folder, ConPortStore(database, (*found.values(), *_exported(folder / EXPORT))))


def _exported(folder: Path) -> Iterator[Entry]:
    """Yield what was written of the database as Markdown."""
    if folder.is_dir() and not folder.is_symlink() and any((folder / name).exists() for name in EXPORTED):
        yield from walk(folder, f"{folder.name}/")


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the database, then what lies beside it."""
    store: ConPortStore = source.detail
    for entry in (store.database, *store.others):
        yield SourceFile(source.workspaces[0].workspace_id, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the database becomes, table by table."""
    store: ConPortStore = source.detail
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    sink = Sink(taker.workspace_id)
    make = taker.maker(store.database.path, modified(store.database.location))
    if taker.is_new:
        sink.add(make.workspace(source.workspaces[0].path, source.root.name))
    with taker.database(store.database, sink) as db:
        if db:
            for _ in tables.add(taker, make, sink, db):
                yield sink.taken()
    yield sink.taken()
    for entry in store.others:
        if entry.path == LOG:
            yield taker.skipped(entry, "read with the database", keep=False)
        else:
            is_text = entry.location.suffix.lower() in TEXTS
            yield taker.skipped(entry, "made of the database, which counts", keep=is_text)
