"""Opens a database: its folder and file made for their owner alone, and WAL."""

import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import anyio

from server.db.backups import restoring
from server.db.storage import process_lock
from server.db.storage.clock import Clock
from server.db.storage.connection import Database
from server.db.storage.driver import Connection, connect, is_database
from server.db.storage.process_lock import ProcessLock
from server.db.storage.wal_checkpoints import Wal
from server.errors import Busy, Storage
from server.settings import require_in_force

OPEN_ATTEMPTS = 20
IMPATIENT = "busy_timeout = 0"  # of connections that wait in their own way, and hold up nobody
FOREIGN = """
    SELECT count(*) FROM sqlite_master
    WHERE name NOT LIKE 'sqlite_%' AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_migrations')
"""


async def open_database(
    path: Path, *, synchronous: str = "full", clock: Callable[[], datetime] | None = None
) -> Database:
    """Open `path`, creating it readable by its owner only. The caller migrates and closes it."""
    with _usable(path.parent):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = await _share(path)
    try:
        with _usable(path.parent):
            require_in_force(path.parent)  # who waited for the lock may have waited for that
            _create_private(path)
        reader, writer = await _connections(path, synchronous)
    except BaseException:
        lock.release()
        raise
    return Database(path, reader, writer, synchronous, clock or Clock(), lock=lock)


async def _share(path: Path) -> ProcessLock:
    """Share a database, once nothing is left to do of a restoration that was interrupted."""
    while True:
        lock = await process_lock.share(path)
        if not restoring.is_unfinished(path):
            return lock
        lock.release()
        with suppress(Busy), process_lock.seized(path, "restore"):  # else another one that starts does it
            restoring.finish(path)
        await anyio.sleep(process_lock.PAUSE_SECONDS)


async def _connections(path: Path, synchronous: str) -> tuple[Connection, Connection]:
    writer = connect(path, synchronous)
    try:
        await _enter_wal(writer, path)
        reader = connect(path, synchronous, "query_only = ON", IMPATIENT)
        await writer.run(f"PRAGMA {IMPATIENT}")
    except BaseException:
        with anyio.CancelScope(shield=True):
            await writer.close()
        raise
    return reader, writer


@contextmanager
def _usable(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Storage(
            f"The data root {str(folder)!r} cannot be used: {error.strerror}. "
            "Choose another one with --data-root or PM_DATA_ROOT, or repair its permissions."
        ) from error


def _create_private(path: Path) -> None:
    if not _is_there(path):
        with suppress(FileExistsError):  # another process was faster
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _is_there(path: Path) -> bool:
    """Return whether there is a database, or raise Storage for what none can be made of without a loss.

    A file that is there is not opened here: closing it would drop the locks that this process has on it.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    if found and not stat.S_ISREG(found.st_mode):
        raise Storage(
            f"The data root {str(path.parent)!r} cannot be used: {path.name!r} in it is no file. Move it away, or "
            "choose another one with --data-root or PM_DATA_ROOT."
        )
    if (found is None or not found.st_size) and Wal(path).size():
        raise Storage(
            f"{str(path)!r} is {'empty' if found else 'gone'}, but its log {path.name}-wal is there, with what was "
            "written last. Put the database back beside it; or, if it is lost, move the log and -shm away."
        )
    if found and Wal(path).size() and not is_database(path):
        raise Storage(
            f"{str(path)!r} is not an SQLite database, but its log {path.name}-wal is there, with what was written "
            "last. Nothing was changed. `restore` puts a backup in its place and keeps both; or move both away."
        )
    return found is not None


async def _enter_wal(writer: Connection, path: Path) -> None:
    """Switch to WAL. While another process does the same SQLite answers `locked` at once, without waiting."""
    for attempt in range(OPEN_ATTEMPTS):
        try:
            if (await writer.run(FOREIGN))[0][0][0]:
                raise Storage(f"{str(path)!r} is an SQLite database of another program. Choose another --data-root.")
            [[(mode,)]] = await writer.run("PRAGMA journal_mode = WAL")
        except Busy:
            if attempt == OPEN_ATTEMPTS - 1:
                raise
            await anyio.sleep(0.01 * (attempt + 1))
        else:
            if mode != "wal":
                raise Storage(f"The file system refuses SQLite's WAL mode (it stays {mode!r}). Use a local disk.")
            return
