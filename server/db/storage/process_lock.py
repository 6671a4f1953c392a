"""Who uses a database: processes of ours share a lock, and who wants the file alone takes it away from all others.

The lock is on a file beside the database: to close a descriptor of the database itself would drop SQLite's own locks.
Each process has a file in `processes/` too, named after it and locked for as long as it lives, so that nobody takes a
process that is gone, or another one with its number, for a user.
"""

import logging
import os
import re
import secrets
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import anyio

from server.db.storage.driver import connected, is_database
from server.db.storage.driver_errors import Locked
from server.db.storage.lock_holder import describe
from server.errors import Busy, Storage
from server.file_locks import lockable, locked
from server.settings import PROCESSES

logger = logging.getLogger(__name__)

WAIT_SECONDS = 20.0  # of a start, for who has the database for itself; clients give up on a call after a minute
PAUSE_SECONDS = 0.05
NAME = re.compile(r"[0-9]+-[0-9a-f]{8}")  # of a use; what is stored may be anything, a path too


class User(NamedTuple):
    """A process that uses a database; `work` is what it has the database for itself for."""

    pid: int
    work: str = ""

    def __str__(self) -> str:
        return describe(self.pid)


class ProcessLock:
    """What a process holds for as long as it uses a database. `name` is what tells its use from every other one."""

    def __init__(self, database: Path, handle: int | None, work: str = "") -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = database.parent / PROCESSES / self.name
        self._handles = [] if handle is None else [handle]
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._handles.append(_own(self._path))
            os.write(self._handles[-1], work.encode())
        except OSError as error:  # a disk that is full or read-only: others see the lock, but not whose it is
            logger.info("no file in %s: %s", self._path.parent, error)

    def release(self) -> None:
        """Let others have the database. A second time does nothing."""
        handles, self._handles = self._handles, []
        for handle in reversed(handles):
            os.close(handle)
        if handles:
            with suppress(OSError):
                self._path.unlink()


async def share(database: Path) -> ProcessLock:
    """Use a database together with others; wait a while for one who has it for itself, then raise Busy."""
    handle, deadline, told = _opened(database), time.monotonic() + WAIT_SECONDS, False
    try:
        while not _is_locked(handle, exclusive=False):
            if not told:
                logger.warning("waiting for %s", _who_is_alone(database))
            if told and time.monotonic() > deadline:
                raise Busy(
                    f"{_who_is_alone(database)} has the database for itself. Nothing was written. "
                    "Try again when that is done."
                )
            told = True
            await anyio.sleep(PAUSE_SECONDS)
    except BaseException:
        _close(handle)
        raise
    users(database)  # which removes what those who died left
    return ProcessLock(database, handle)


@contextmanager
def seized(database: Path, work: str) -> Generator[None]:
    """Keep all other processes of ours from a database, or raise Busy with who uses it; who starts meanwhile waits."""
    handle = _opened(database)
    if not _is_locked(handle, exclusive=True):
        _close(handle)
        raise _in_use(users(database), work)
    lock = ProcessLock(database, handle, work)
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def alone(database: Path, work: str) -> AsyncGenerator[None]:
    """Have a database that no other process uses, one of others either, or raise Busy.

    It is one file then, with nothing in a log beside it, unless it cannot be read.
    """
    with seized(database, work):
        if database.is_file() and database.stat().st_size and is_database(database):
            await _leave_wal(database, work)
        yield


def users(database: Path) -> list[User]:
    """Return the processes of ours that use a database, and forget those that are gone."""
    folder = database.parent / PROCESSES
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a start waits for it
    except OSError:
        return []
    return [user for name in names if (user := _user(folder / name))]


def is_in_use(database: Path, name: str) -> bool:
    """Return whether the process that a name was given to still uses the database."""
    return bool(NAME.fullmatch(name)) and _user(database.parent / PROCESSES / name) is not None


def _own(path: Path) -> int:
    """Make a file and lock it. Who looks for users may remove it before it is locked: then it is made anew."""
    while True:
        handle = lockable(path)
        try:
            if locked(handle, exclusive=True) and _is_at(handle, path):
                return handle
        except OSError as error:
            logger.info("the file system has no locks: %s", error)
            return handle
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _user(path: Path) -> User | None:
    pid = path.name.partition("-")[0]
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        if not locked(handle, exclusive=True):
            return User(int(pid), os.read(handle, 100).decode("utf-8", "replace")) if pid.isdigit() else None
        if os.name == "posix":
            path.unlink(missing_ok=True)  # while it is locked: afterwards another process may have made it its own
    except OSError:  # a file system without locks
        return User(int(pid)) if pid.isdigit() else None
    finally:
        os.close(handle)
    if os.name != "posix":  # where no file is removed that somebody has open
        with suppress(OSError):
            path.unlink()
    return None


def _opened(database: Path) -> int | None:
    """Open what is locked; None where that cannot be: what protects the database then are SQLite's own locks."""
    path = database.with_suffix(".lock")
    try:
        return lockable(path)
    except OSError as error:
        logger.info("%s cannot be made: %s", path, error)
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _is_locked(handle: int | None, *, exclusive: bool) -> bool:
    try:
        return handle is None or locked(handle, exclusive=exclusive)
    except OSError as error:
        logger.info("the file system has no locks: %s", error)
        return True


def _close(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)


def _who_is_alone(database: Path) -> str:
    found = next((user for user in users(database) if user.work), None)
    return f"`{found.work}` ({found})" if found else "Another process"


def _in_use(found: list[User], work: str) -> Busy:
    who = ", ".join(str(user) for user in found) or "another process"
    return Busy(
        f"The database is in use by {who}. Nothing was changed. End what uses it (close the editors), then run "
        f"`{work}` again.",
        used_by=[user.pid for user in found],
    )


async def _leave_wal(database: Path, work: str) -> None:
    """Bring the log into the database, which takes that nobody else has it open: a program of others, an old server."""
    try:
        async with connected(database) as connection:
            [[(mode,)]] = (await connection.run("PRAGMA busy_timeout = 0", "PRAGMA journal_mode = DELETE"))[1:]
    except Locked as error:
        raise _in_use([], work) from error
    except Storage as error:
        logger.warning("the database cannot be read: %s", error)
    else:
        if mode != "delete":
            raise _in_use([], work)
