"""One connection to SQLite: what is quick runs on the loop's own thread, since a hop costs more than a statement."""

import asyncio
import random
import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import chain, count, repeat
from math import inf
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import anyio

from server.db.storage.driver_errors import BUSY_TIMEOUT_MS, translate
from server.db.storage.name_functions import FUNCTIONS
from server.db.storage.wal_checkpoints import LIMIT_BYTES
from server.errors import Ending

Record = sqlite3.Row  # of a result: its values by the names of columns, and by their places
RawConnection = sqlite3.Connection
Params = Mapping[str, Any]
Statement = tuple[str, Params | Sequence[Params]]  # with a sequence it runs once for each
NO_PARAMS: Params = {}
BEGIN, COMMIT = "BEGIN IMMEDIATE", "COMMIT"
# macOS tells that something is on the disk when it is in the disk's own cache, unless it is asked for more.
SYNC = {
    "full": ("synchronous = full", "fullfsync = ON", "checkpoint_fullfsync = ON"),
    "normal": ("synchronous = normal",),
    "off": ("synchronous = off",),  # no setting takes it: for what is thrown away
}
PRAGMAS = ("foreign_keys = ON", "wal_autocheckpoint = 0", f"journal_size_limit = {LIMIT_BYTES}")
# The longest, between looks for a write lock that another process holds; to look costs that process time, too.
FIRST_PAUSES, LAST_PAUSE = (0.002, 0.005, 0.01, 0.02, 0.05), 0.1  # seconds
QUICK_SECONDS = 0.002  # that a query may hold the loop up
QUICK_COMMIT_SECONDS = 0.005  # that one may hold it up if the last one took no longer: a disk is quick, or is not
QUICK_CHANGES = 50  # rows, up to which a commit may hold it up: each may have to be indexed
QUICK_ROWS = 20  # for which one statement may run there
LOOK_STEPS = 1000  # of SQLite's machine between two looks at the time
MOST_LATE = 500  # statements that are known to take longer
QUICK_LOOKS = 50  # in a transaction, before its statements count as long
COPIED_PAGES = 4096  # between two looks whether a copy is still wanted
TURN = 16  # batches, after which others have the loop
CHANGE = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Connection:
    """Runs statements in the order in which they are asked for.

    What may take long has a thread of its own: a commit, unless the last one was quick; a statement for many rows; a
    query that is not done within QUICK_SECONDS and then begins anew there, and one that was not the last time; the rest
    of a transaction that took QUICK_LOOKS; what comes behind one of these; and everything, unless it `is_quick`.
    """

    def __init__(self, driver: RawConnection) -> None:
        driver.row_factory = sqlite3.Row
        driver.set_progress_handler(self._is_late, LOOK_STEPS)
        for name, function in FUNCTIONS.items():
            driver.create_function(name, 1, function, deterministic=True)
        self._driver = driver
        self._thread = ThreadPoolExecutor(1, "database")
        self._under_way = set[Future[Any]]()  # on the thread
        self._turns = count(1)
        self._deadline = inf
        self._late = set[str]()  # queries that were not done in time when they last ran
        self._fresh = dict[str, str]()  # the texts by which Python prepares interrupted queries anew
        self._looks = 0  # since the transaction began
        self._unchanged = 0  # rows, when it began
        self.commits = 0
        self._is_disk_quick = False  # by the last commit
        self._is_closing = self.is_stopped = self.is_quick = self._is_interrupted = False
        self.before_commit: Callable[[RawConnection], None] | None = None  # work for the same transaction
        self.is_long: Callable[[RawConnection], bool] | None = None  # whether that work is

    async def batch(self, *statements: Statement) -> list[list[Record]]:
        """Run statements in order, up to the first that fails, and return the rows of each."""
        if self._is_closing or self.is_stopped:
            raise Ending
        try:
            found = self._at_once(statements)
            if len(found) < len(statements):
                return found + await self._on_thread(self._run, statements[len(found) :])
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise translate(error) from error
        if not next(self._turns) % TURN:
            await asyncio.sleep(0)
        return found

    async def run(self, *statements: str) -> list[list[Record]]:
        """Run statements without parameters."""
        return await self.batch(*((sql, NO_PARAMS) for sql in statements))

    async def begin(self, seconds: float) -> None:
        """Take the write lock, waiting so long at the most.

        Looks for it often and at random: SQLite's own way sleeps ever longer, and starves who waits.
        """
        deadline = time.monotonic() + seconds
        if self._under_way:
            await self._on_thread(int)
        for longest in chain(FIRST_PAUSES, repeat(LAST_PAUSE)):
            if self._is_closing or self.is_stopped:
                raise Ending
            if self._has_begun(is_last=time.monotonic() > deadline):
                break
            await asyncio.sleep(random.uniform(longest / 10, longest))
        self._looks, self._unchanged = 0, self._driver.total_changes

    async def rollback(self) -> None:
        """End the transaction, if there is one, behind what is under way."""
        if self._under_way and not self._is_closing:
            with anyio.CancelScope(shield=True):
                await self._on_thread(self._driver.rollback)
        elif not self._is_closing:
            self._driver.rollback()

    async def copy_to(self, path: Path) -> None:
        """Copy the whole database, as it is now, into an empty file. What it holds is on the disk then."""
        try:
            await self._on_thread(self._copy_to, path)
        except sqlite3.Error as error:
            raise translate(error) from error

    def interrupt(self) -> None:
        """Let the statement, or the copy, that is under way on the thread fail."""
        self._is_interrupted = True
        self._driver.interrupt()

    async def close(self) -> None:
        """Run what was asked before, and refuse what is asked from now on."""
        if not self._is_closing:
            self._is_closing = True
            await self._on_thread(self._driver.close)
            self._thread.shutdown(wait=False)

    def _has_begun(self, *, is_last: bool) -> bool:
        try:
            self._driver.execute(BEGIN)
        except sqlite3.Error as error:
            if is_last or getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise translate(error) from error
            return False
        return True

    def _at_once(self, statements: Sequence[Statement]) -> list[list[Record]]:
        """Run what is quick where we are, and return the rows of as many statements as came to their end."""
        found: list[list[Record]] = []
        if self._under_way or not self.is_quick or self._are_long(statements):
            return found
        latest = time.monotonic() + QUICK_SECONDS
        try:
            for sql, params in statements:
                # To interrupt a change would roll the whole transaction back.
                self._deadline = inf if sql == COMMIT or _changes(sql) else latest
                if sql in self._late or (sql == COMMIT and self._is_much()):
                    break
                found.append(self._run_one(sql, params))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            self._remember_late(statements[len(found)][0])
            self._prepare_anew(statements[len(found)][0])
        finally:
            self._deadline = inf
        return found

    def _are_long(self, statements: Sequence[Statement]) -> bool:
        """Return whether statements wait for the disk, run for many rows, or go on with long work."""
        if self._driver.in_transaction and self._looks > QUICK_LOOKS:
            return True
        if not self._is_disk_quick and any(sql == COMMIT for sql, _ in statements):
            return len(statements) > 1 or self._changed() > 0
        return any(not isinstance(params, Mapping) and len(params) > QUICK_ROWS for _, params in statements)

    def _is_much(self) -> bool:
        """Return whether there is much to be done before a commit."""
        return self._changed() > QUICK_CHANGES or bool(self.is_long and self.is_long(self._driver))

    def _changed(self) -> int:
        """Return how many rows were changed since the transaction began."""
        return self._driver.total_changes - self._unchanged

    def _remember_late(self, sql: str) -> None:
        if len(self._late) >= MOST_LATE:
            self._late.clear()
        self._late.add(sql)

    def _prepare_anew(self, sql: str) -> None:
        """Ask for a query by another text from now on.

        Python 3.11 takes one that was interrupted among its rows for one in use, for ever: it would prepare it each
        time that it runs, which takes longer than most queries do.
        """
        if len(self._fresh) >= MOST_LATE:
            self._fresh.clear()
        self._fresh[sql] = f"{sql} -- {next(self._turns)}"

    def _is_late(self) -> bool:
        self._looks += 1
        return time.monotonic() > self._deadline

    def _on_thread(self, work: Callable[[*Ts], T], *args: *Ts) -> Awaitable[T]:
        """Do work on the thread, and to its end, even if who asked for it does not wait."""
        future = self._thread.submit(work, *args)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return asyncio.shield(asyncio.wrap_future(future))

    def _run(self, statements: Sequence[Statement]) -> list[list[Record]]:
        return [self._run_apart(sql, params) for sql, params in statements]

    def _run_apart(self, sql: str, params: Params | Sequence[Params]) -> list[Record]:
        """Run a statement on the thread, and see by its own cost whether it need be there again."""
        begun = time.thread_time()
        rows = self._run_one(sql, params)
        if time.thread_time() - begun < QUICK_SECONDS:
            self._late.discard(sql)
        elif not _changes(sql):
            self._remember_late(sql)
        return rows

    def _run_one(self, sql: str, params: Params | Sequence[Params]) -> list[Record]:
        if not isinstance(params, Mapping):
            return self._driver.executemany(sql, params).fetchall()
        if sql == COMMIT:
            return self._commit()
        return self._driver.execute(self._fresh.get(sql, sql), params).fetchall()

    def _commit(self) -> list[Record]:
        begun = time.monotonic()
        if self.before_commit:
            self.before_commit(self._driver)
        self._driver.execute(COMMIT)
        self.commits += 1
        if self._changed():
            self._is_disk_quick = time.monotonic() - begun < QUICK_COMMIT_SECONDS
        return []

    def _copy_to(self, path: Path) -> None:
        """All of it in one read transaction: else a commit of others would let it begin anew, again and again.

        Nobody sees the file before it is whole, so it needs no journal, and one look to the disk, at the end.
        """
        copy = sqlite3.connect(path, isolation_level=None)
        self._is_interrupted = False
        try:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
                copy.execute(f"PRAGMA {pragma}")
            self._driver.execute("BEGIN")
            self._driver.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            self._driver.backup(copy, pages=COPIED_PAGES, progress=self._may_go_on)
        finally:
            self._driver.rollback()
            copy.close()

    def _may_go_on(self, status: int, remaining: int, total: int) -> None:
        if self._is_interrupted:
            raise Ending


@lru_cache(maxsize=1024)
def _changes(sql: str) -> bool:
    return bool(CHANGE.search(sql))


def connect(path: Path, synchronous: str = "full", *more: str) -> Connection:
    """Open one connection with the settings that every connection of ours has, and `more` of them."""
    try:
        driver = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
    except sqlite3.Error as error:
        raise translate(error) from error
    try:
        for pragma in (*PRAGMAS, *SYNC[synchronous], *more):
            driver.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        driver.close()
        raise translate(error) from error
    return Connection(driver)


def connect_read_only(path: Path, how: str) -> Connection:
    """Open a file that is only looked at, with the parameters of SQLite's URIs that keep it as it is."""
    try:
        driver = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise translate(error) from error
    try:
        driver.execute("SELECT count(*) FROM sqlite_master").fetchone()  # it is opened when it is first read
    except sqlite3.Error as error:
        driver.close()
        raise translate(error) from error
    return Connection(driver)


def is_database(path: Path) -> bool:
    """Return whether SQLite takes a file for a database, by the file alone.

    To be asked where a log lies beside it: SQLite removes the log of a file whose header it cannot read.
    """
    driver = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    try:
        driver.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB
    finally:
        driver.close()
    return True


@asynccontextmanager
async def connected(path: Path, synchronous: str = "full") -> AsyncGenerator[Connection]:
    """Open a connection for a while."""
    connection = connect(path, synchronous)
    try:
        yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


def open_scratch(path: Path | str, schema: str) -> RawConnection:
    """Make a database that one task uses for a while, and that may be lost with it."""
    driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    driver.row_factory = sqlite3.Row
    driver.executescript(schema)
    return driver
