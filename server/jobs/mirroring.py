"""The mirror: the documents of a folder kept like the database, by whichever server gets to it first.

Each server with a mirror follows the database. After a change, once it is calm for a moment, the first to get the
folder's lock brings the folder up to date from where its cursor is; the others find nothing left to do. So it does not
matter who wrote, nor who dies: the next server goes on from the cursor.
"""

import json
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync

from server.db.audit import event_feed
from server.db.audit.event_feed import Moment
from server.db.interchange import exports
from server.db.storage.connection import Database, Reader
from server.db.storage.table_shapes import shape_of
from server.errors import Busy, Conflict, ProjectMemoryError, Storage
from server.exporters import documents
from server.exporters.folder import File
from server.exporters.formats import JSON, exporter_of
from server.exporters.mirror import Cursor, Done, Folder
from server.store import Store
from server.tools.commands import on
from server.tools.wording import completed

logger = logging.getLogger(__name__)

CALM_SECONDS = 1.0  # without a change, before the folder is written
LONGEST_WAIT = 5.0  # until it is written though there is no calm
IDLE_SECONDS = 60.0
TAKEN_SECONDS = 0.5  # between two looks at a lock that another process has
RETRY_SECONDS = 30.0  # after a failure
CLOSE_SECONDS = 3.0
SHARE = 4  # times as long as a pass took nothing is written after it

SHOWN = 80
NOWHERE = None

IsOver = Callable[[], bool]


class FolderTaken(Exception):
    """Another process is writing the folder."""


@dataclass
class Pass:
    """One time that the folder is written. `is_whole`: nothing is left to do."""

    db: Reader
    folder: Folder
    is_over: IsOver
    data_root: Path
    done: Done = field(default_factory=Done)
    is_whole: bool = True

    def put(self, file: File) -> None:
        if self.folder.put(file):
            self.done.written.append(file.path)

    def remove(self, names: Collection[str]) -> None:
        for name in sorted(names):
            self.folder.remove(name)
            self.done.removed.append(name)


class Follower:
    """Keeps a mirror for as long as a server lives."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._folder = Folder(path)
        self._db: Database | None = None
        self._stop = threading.Event()
        self._reached: Cursor | None = None
        self._told: str | None = None

    async def run(self) -> None:
        """Follow the database; write what is still to be written when the server closes."""
        self._stop = threading.Event()
        try:
            while True:
                await self._once()
        finally:
            self._stop.set()
            with anyio.CancelScope(shield=True):
                await self._finish()

    async def _once(self) -> None:
        try:
            db = self._db = await self._store.open()
            mark = await db.version()
            begun = time.monotonic()
            await self._until_written(db)
            await anyio.sleep((time.monotonic() - begun) * SHARE)
            if await db.wait_for_change(mark, IDLE_SECONDS):
                await _calm(db)
        except ProjectMemoryError as error:
            logger.warning("the mirror waits: %s", error)
            await anyio.sleep(RETRY_SECONDS)

    async def _until_written(self, db: Database) -> None:
        while not await self._pass(db, self._stop.is_set):  # noqa: ASYNC110 - the lock of a file is no event
            await anyio.sleep(TAKEN_SECONDS)

    async def _pass(self, db: Database, is_over: IsOver) -> bool:
        """Bring the folder up to date; return False if another process is at it."""
        work = partial(follow, db, self._folder, self._reached, is_over)
        told: str | None = None
        try:
            self._reached = await run_sync(anyio.run, work, abandon_on_cancel=True)
        except FolderTaken:
            return False
        except ProjectMemoryError as error:
            told = str(completed(error))
            if told != self._told:
                logger.warning("the mirror is not written: %s", told)
        self._told = told
        return True

    async def _finish(self) -> None:
        until = time.monotonic() + CLOSE_SECONDS
        while self._db and time.monotonic() < until:
            if await self._pass(self._db, lambda: time.monotonic() > until):
                return
            await anyio.sleep(TAKEN_SECONDS / 10)


async def _calm(db: Database) -> None:
    until = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < until and await db.wait_for_change(await db.version(), CALM_SECONDS):
        pass


async def follow(db: Database, folder: Folder, reached: Cursor | None, is_over: IsOver) -> Cursor | None:
    """Write what changed since the folder's cursor, and return how far it got; `reached` is where we got before.

    It runs on a thread with an event loop of its own, since documents are made and compared without a pause. Raises
    FolderTaken when another process is writing.
    """
    try:
        folder.check()
        with _turn(folder):
            async with exports.snapshot(db) as reader:
                cursor = folder.cursor()
                if cursor and reached and not folder.has_lock:
                    cursor = min(cursor, reached, key=_age)  # others may have written over what we wrote
                return await _follow(reader, folder, cursor, is_over, db.path.parent)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _age(cursor: Cursor) -> int:
    return cursor.event_id


@contextmanager
def _turn(folder: Folder) -> Generator[None]:
    with folder.lock() as is_mine:
        if not is_mine:
            raise FolderTaken
        yield


def _unwritable(folder: Folder, error: OSError) -> Storage:
    return Storage(f"{error.filename or str(folder.path)!r} cannot be used: {error.strerror}.")


async def _follow(db: Reader, folder: Folder, cursor: Cursor | None, is_over: IsOver, data_root: Path) -> Cursor | None:
    now = await event_feed.moment(db)
    if cursor and cursor.database != now.database:
        raise Conflict(
            f"{str(folder.path)!r} mirrors another database. Name another folder, or make it a mirror of this database "
            f"with: {on(data_root, 'mirror', '--mirror', str(folder.path))}"
        )
    if folder.format != JSON and not (cursor and await event_feed.is_unchanged(db, cursor.event_id, cursor.at)):
        await _other_format(Pass(db, folder, is_over, data_root))
        return _reached(folder, now)
    known = cursor if cursor and now.trimmed <= cursor.event_id <= now.newest else None
    work = Pass(db, folder, is_over, data_root)
    if known is None:
        await _everything(work, now)
    elif await event_feed.is_unchanged(db, known.event_id, known.at):
        return known
    else:
        found = await event_feed.after(db, known.event_id, known.at)
        for unit in (NOWHERE, *sorted(found.workspaces)):
            await _keep(work, unit, None if unit in found.whole else found.plans.keys())
    if work.done.removed:
        count = len(work.done.removed)
        logger.warning("%d documents that the database no longer has are in %s now", count, folder.aside)
    return _reached(folder, now) if work.is_whole else cursor


def _reached(folder: Folder, now: Moment) -> Cursor:
    """Note how far the folder is."""
    cursor = Cursor(now.database, now.newest, now.at)
    folder.keep(cursor)
    return cursor


async def _everything(work: Pass, now: Moment) -> None:
    folder = work.folder
    if not now.plans and (there := folder.plans()):
        raise Conflict(
            f"The database has no plan, and {str(folder.path)!r} has {there}. Nothing was written. To have them back: "
            f"{on(work.data_root, 'import', str(folder.path))}\nTo begin anew, name an empty folder."
        )
    folder.sweep()
    work.put(documents.manifest())
    units = await exports.workspaces(work.db)
    for unit in (NOWHERE, *units):
        await _keep(work, unit, None)
    strange = folder.roots() - {documents.file_name(unit) for unit in units}
    for root in sorted(strange) if work.is_whole else ():
        work.remove(folder.present(root))


async def _other_format(work: Pass) -> None:
    """Make the files of another program's layout be like the database; what is as it should be is not touched."""
    names: set[str] = set()
    async for file in exporter_of(work.folder.format).store(work.db):
        names.add(file.path)
        work.put(file)
    gone = work.folder.listed() - names
    work.remove([name for name in gone if work.folder.read(name) is not None])
    work.folder.note(names)


async def _keep(work: Pass, unit: str | None, plans: Collection[str] | None) -> None:
    """Make the documents of a workspace, or those of none, be like the database: all, or only some plans' ones."""
    names: set[str] = set()
    async for file in _documents(work.db, unit, plans):
        if work.is_over():
            work.is_whole = False
            return
        names.add(file.path)
        work.put(file)
    if plans is not None and unit:
        names.update(_path(unit, plan_id) for plan_id in await exports.plans(work.db, unit))
    root = documents.file_name(unit) if unit else None
    work.remove(work.folder.present(root, with_ledger=plans is None) - names)


def _path(workspace_id: str, plan_id: str) -> str:
    return f"{documents.file_name(workspace_id)}/plans/{documents.file_name(plan_id)}.json"


async def _documents(db: Reader, unit: str | None, plans: Collection[str] | None) -> AsyncGenerator[File]:
    """Yield the documents of a workspace or of none; with `plans` only theirs, and no ledger."""
    if unit and unit not in await exports.workspaces(db):
        return
    async for file in documents.heads(db, unit) if unit else documents.everywhere(db):
        yield file
    for plan_id in await exports.plans(db, unit) if unit else ():
        if plans is None or plan_id in plans:
            yield await documents.plan(db, plan_id)
    if plans is None:
        async for file in documents.pages(db, "ledger", unit):
            yield file


async def write(db: Database, folder: Folder) -> Done:
    """Write the whole mirror now; a folder that mirrored another database is this one's from now on."""
    try:
        folder.check()
        until = time.monotonic() + LONGEST_WAIT
        while True:
            try:
                return await _write(db, folder)
            except FolderTaken:
                if time.monotonic() > until:
                    raise Busy(f"Another process is writing {str(folder.path)!r}. Try again.") from None
            await anyio.sleep(TAKEN_SECONDS / 10)
    except OSError as error:
        raise _unwritable(folder, error) from error


async def _write(db: Database, folder: Folder) -> Done:
    with _turn(folder):
        async with exports.snapshot(db) as reader:
            now = await event_feed.moment(reader)
            work = Pass(reader, folder, lambda: False, db.path.parent)
            await (_everything(work, now) if folder.format == JSON else _other_format(work))
            _reached(folder, now)
            return work.done


async def compare(db: Database, folder: Folder) -> AsyncGenerator[str]:
    """Yield every difference between the folder and the database, a line each."""
    async with exports.snapshot(db) as reader:
        async for line in compare_with(reader, folder):
            yield line


async def compare_with(reader: Reader, folder: Folder) -> AsyncGenerator[str]:
    """Yield every difference between the folder and what a reader sees, in a transaction of its own."""
    try:
        if folder.format != JSON:
            async for line in _other_differences(reader, folder):
                yield line
            return
        names: set[str] = set()
        units = await exports.workspaces(reader)
        for unit in (NOWHERE, *units):
            async for file in _documents(reader, unit, None):
                names.add(file.path)
                async for line in _differences(reader, folder, file):
                    yield line
        there = folder.path.is_dir()
        present = {name for root in (None, *folder.roots()) for name in folder.present(root)} if there else set[str]()
        for name in sorted(present - names):
            yield f"{name}: only in the mirror"
    except OSError as error:
        raise _unwritable(folder, error) from error


async def _other_differences(db: Reader, folder: Folder) -> AsyncGenerator[str]:
    names: set[str] = set()
    async for file in exporter_of(folder.format).store(db):
        names.add(file.path)
        content = folder.read(file.path)
        if content != file.content:
            yield f"{file.path}: {'not in the mirror' if content is None else 'another one than the database gives'}"
    for name in sorted(folder.listed() - names):
        yield f"{name}: only in the mirror"


async def _differences(db: Reader, folder: Folder, file: File) -> AsyncGenerator[str]:
    content = folder.read(file.path)
    if content == file.content:
        return
    if content is None:
        yield f"{file.path}: not in the mirror"
        return
    try:
        theirs = json.loads(content)
        mine = json.loads(file.content)
        lines = [line async for line in _of_tables(db, theirs["tables"], mine["tables"])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        yield f"{file.path}: no document in the mirror; it was damaged"
        return
    for line in lines or ["the same rows, but not the same text; it was edited, or written by another release"]:
        yield f"{file.path}: {line}"


async def _of_tables(db: Reader, theirs: dict[str, Any], mine: dict[str, Any]) -> AsyncGenerator[str]:
    for table in sorted({*theirs, *mine}):
        key = (await shape_of(db, table)).key
        there = {tuple(row[name] for name in key): row for row in theirs.get(table, [])}
        here = {tuple(row[name] for name in key): row for row in mine.get(table, [])}
        for which in sorted({*there, *here}, key=str):
            named = f"{table} {' '.join(map(str, which))}"
            if which not in there or which not in here:
                yield f"{named}: only in the {'mirror' if which in there else 'database'}"
                continue
            for column in {**here[which], **there[which]}:
                was, now = there[which].get(column), here[which].get(column)
                if was != now:
                    yield f"{named}: {column} is {_short(was)} in the mirror, {_short(now)} in the database"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
