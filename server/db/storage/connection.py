"""The SQLite connections of one process: a reader, and a writer that only transactions touch."""

import asyncio
import json
import logging
import os
import random
import sqlite3
import stat
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiosqlite
import anyio

from server.db.storage.clock import Clock
from server.db.storage.driver_errors import BUSY_TIMEOUT_MS, Unreadable, translate
from server.db.storage.lock_holder import blamed
from server.db.storage.name_functions import teach
from server.db.storage.wal_checkpoints import LIMIT_BYTES, Wal
from server.errors import Busy, Ending, ProjectMemoryError, SchemaTooNew, Storage
from server.models.base import timestamp
from server.models.events import Event, Origin

logger = logging.getLogger(__name__)

Params = Mapping[str, Any]
Statement = tuple[str, Params | Sequence[Params]]  # with a sequence it runs once for each
NO_PARAMS: Params = {}
BEGIN, COMMIT = "BEGIN IMMEDIATE", "COMMIT"
LOCK_PAUSE_SECONDS = (0.0005, 0.005)  # between two looks for a write lock that another process holds
LEAST_PATIENCE_SECONDS = 0.25  # that a write waits for the lock, however long it waited for other writes of ours
LOOK_SECONDS = (0.01, 0.25)  # between looks for other processes' writes: at first, and at most
OPEN_ATTEMPTS = 20
FOREIGN = """
    SELECT count(*) FROM sqlite_master
    WHERE name NOT LIKE 'sqlite_%' AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_migrations')
"""


class Connection(aiosqlite.Connection):
    """aiosqlite's connection, with several statements in one hop to its thread: a hop costs more than a statement."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: sqlite3.connect(path, isolation_level=None, cached_statements=512), 64)
        self._is_closing = self.is_stopped = False
        self._patience = 0.0  # seconds that the next BEGIN waits for the write lock
        self.before_commit: Callable[[sqlite3.Connection], None] | None = None  # work for the same transaction

    async def batch(self, statements: Sequence[Statement]) -> list[list[sqlite3.Row]]:
        """Run statements in order, up to the first that fails, and return the rows of each."""
        if self._is_closing or self.is_stopped:
            raise Ending
        return await self._execute(self._run, statements)  # pyright: ignore[reportUnknownMemberType] - untyped there

    async def begin(self, seconds: float, *statements: Statement) -> list[list[sqlite3.Row]]:
        """Take the write lock, waiting so long at the most, and go on in the same hop. A `rollback` ends the wait."""
        self._patience = seconds
        return (await self.batch([(BEGIN, NO_PARAMS), *statements]))[1:]

    async def rollback(self) -> None:
        """End the transaction, if there is one, and the wait for it."""
        self._patience = 0.0
        if not self._is_closing:
            with anyio.CancelScope(shield=True):
                await super().rollback()

    async def close(self) -> None:
        """Run what was asked before, and refuse what is asked from now on."""
        self._is_closing = True
        await super().close()

    def _run(self, statements: Sequence[Statement]) -> list[list[sqlite3.Row]]:
        return [self._run_one(sql, params) for sql, params in statements]

    def _run_one(self, sql: str, params: Params | Sequence[Params]) -> list[sqlite3.Row]:
        if sql == BEGIN:
            self._begin()
            return []
        if not isinstance(params, Mapping):
            return self._conn.executemany(sql, params).fetchall()
        if sql == COMMIT and self.before_commit:
            self.before_commit(self._conn)
        return self._conn.execute(sql, params).fetchall()

    def _begin(self) -> None:
        """Look for the write lock often and at random: SQLite's own way sleeps ever longer, and starves who waits."""
        began = time.monotonic()
        while not self._is_begun(began):
            time.sleep(random.uniform(*LOCK_PAUSE_SECONDS))

    def _is_begun(self, began: float) -> bool:
        try:
            self._conn.execute(BEGIN)
        except sqlite3.OperationalError as error:
            if self.is_stopped:
                raise Ending from error
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() - began > self._patience:
                raise
            return False
        return True


class Reader:
    """Runs queries; never leaves a statement open."""

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._clock = clock

    def now(self) -> str:
        """Return the time that decides about leases and expiry."""
        return timestamp(self._clock())

    async def batch(self, *statements: Statement) -> list[list[sqlite3.Row]]:
        """Run statements in order, in one hop to the connection's thread, and return the rows of each."""
        try:
            return await self._connection.batch(statements)
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise translate(error) from error

    async def all(self, sql: str, params: Params = NO_PARAMS) -> list[sqlite3.Row]:
        return (await self.batch((sql, params)))[-1]

    async def one(self, sql: str, params: Params = NO_PARAMS) -> sqlite3.Row | None:
        rows = await self.all(sql, params)
        return rows[0] if rows else None

    async def value(self, sql: str, params: Params = NO_PARAMS) -> Any:
        """Return the first column of the first row, or None."""
        row = await self.one(sql, params)
        return row[0] if row else None


@dataclass(frozen=True)
class ForeignKey:
    """A column that names a row of another table. A `loose` one becomes NULL when that row goes."""

    column: str
    parent: str
    parent_key: str
    loose: bool


@dataclass(frozen=True)
class Shape:
    """What the schema demands of the rows of a table: its primary key, its unique keys of columns, its foreign keys."""

    key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    foreign: tuple[ForeignKey, ...]


class Transaction(Reader):
    """A reader that may also write; made by `Database.transaction()` alone. Its clock stands still.

    A statement that returns nothing waits for the next one that does, or for the commit, and travels with it.
    """

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        moment = clock()
        super().__init__(connection, lambda: moment)
        self.origin = Origin()
        self.workspace_id: str | None = None  # of events that do not name theirs
        self.events: list[Event] = []
        self._waiting: list[Statement] = []

    async def batch(self, *statements: Statement) -> list[list[sqlite3.Row]]:
        waiting, self._waiting = self._waiting, []
        return (await super().batch(*waiting, *statements))[len(waiting) :]

    async def run(self, sql: str, params: Params = NO_PARAMS) -> None:
        """Run a statement that returns nothing, in its turn. Its failure shows when it runs: see `settle`."""
        self._waiting.append((sql, params))

    async def many(self, sql: str, rows: Iterable[Params]) -> None:
        """Run `sql` once for each of `rows`, in its turn."""
        if found := list(rows):
            self._waiting.append((sql, found))

    async def settle(self) -> None:
        """Run what still waits, so that its failure shows here."""
        await self.batch()


class Database(Reader):
    """The open database of one process. Use `open_database`."""

    def __init__(
        self,
        path: Path,
        reader: Connection,
        writer: Connection,
        synchronous: str,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(reader, clock)
        self.path = path
        self.schema_version = 0
        self._writer = writer
        self._synchronous = synchronous
        self._turn = anyio.Lock()
        self._wal = Wal(path)
        self._checkpointing: asyncio.Task[None] | None = None
        self._is_dirty = self._is_closing = self.is_committing = False

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Hold the write lock; commit on success, roll back on any exit by exception, cancellation included."""
        deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        async with self._turn:
            if self._is_closing:
                raise Ending
            committed = False
            try:
                await self._begin(max(deadline - time.monotonic(), LEAST_PATIENCE_SECONDS))
                tx = Transaction(self._writer, self._clock)
                yield tx
                self.is_committing = True
                await tx.batch((COMMIT, NO_PARAMS))
                committed = True
            finally:
                self.is_committing = False
                # A cancelled BEGIN may still be on its way to the thread: the rollback queues behind it.
                if not committed:
                    await self._writer.rollback()
        self._is_dirty = True
        if self._checkpointing is None:
            self._checkpointing = asyncio.create_task(self._checkpoint_if_due())  # who wrote need not wait for it

    async def batch(self, *statements: Statement) -> list[list[sqlite3.Row]]:
        try:
            return await super().batch(*statements)
        except Unreadable as error:
            logger.warning("reading once more: %s", error)
            return await super().batch(*statements)

    def before_commit(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Let `work` be done at the end of every transaction, as a part of it."""
        self._writer.before_commit = work

    async def equip(self, *statements: str) -> None:
        """Run statements that concern the connection that writes alone, such as those that make TEMP triggers."""
        async with self._turn:
            await _batch(self._writer, *statements)

    def stop_writing(self) -> None:
        """Refuse what writers ask from now on, but for a rollback; a commit that was asked for comes to its end."""
        self._writer.is_stopped = True

    async def version(self) -> int:
        """Return a number that moves with every commit, of whichever process."""
        return await self.value("PRAGMA data_version")

    async def wait_for_change(self, mark: int, seconds: float) -> bool:
        """Wait until `version` is no longer `mark`, looking ever less often; return False after `seconds`."""
        pause = LOOK_SECONDS[0]
        with anyio.move_on_after(seconds):
            while await self.version() == mark:
                await anyio.sleep(pause)
                pause = min(pause * 2, LOOK_SECONDS[1])
            return True
        return False

    def wal_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        return self._wal.size()

    async def checkpoint_if_dirty(self) -> None:
        """Copy the WAL into the database file, as far as readers allow, if this process wrote since it last did."""
        async with self._turn:
            if self._is_dirty:
                await self._checkpoint_quietly()

    async def close(self, *, checkpoint: bool = True) -> None:
        self._is_closing = True  # who waits for its turn is refused
        with anyio.CancelScope(shield=True):
            if self._checkpointing:
                await self._checkpointing
            if checkpoint:
                await self.checkpoint_if_dirty()
            async with self._turn:
                await self._writer.close()
            await self._connection.close()

    async def _begin(self, patience: float) -> None:
        [(version,)], [(last,)] = await self._lock(
            patience,
            ("PRAGMA user_version", NO_PARAMS),
            ("SELECT max(timestamp) FROM event_log", NO_PARAMS),
        )
        if version != self.schema_version:
            raise SchemaTooNew(
                f"The database has schema version {version} since another server changed it; this process knows "
                f"version {self.schema_version}. Nothing was written. Restart this server with the current release."
            )
        if last and isinstance(self._clock, Clock):
            self._clock.at_least(datetime.fromisoformat(last))

    async def _lock(self, patience: float, *statements: Statement) -> list[list[sqlite3.Row]]:
        try:
            return await self._writer.begin(patience, *statements)
        except sqlite3.Error as error:
            told = translate(error)
            raise (blamed(told, self.path) if isinstance(told, Busy) else told) from error

    async def _checkpoint_if_due(self) -> None:
        try:
            if self._wal.is_due():
                await self.checkpoint_if_dirty()
        except OSError as error:
            logger.warning("no look at the WAL: %s", error)
        finally:
            self._checkpointing = None

    async def _checkpoint_quietly(self) -> None:
        """Checkpoint; a failure is logged, since what was committed is safe in the WAL."""
        try:
            await self._checkpoint()
        except (ProjectMemoryError, sqlite3.Error, OSError) as error:
            logger.warning("no checkpoint: %s", error)
        finally:
            self._wal.looked_after()

    async def _checkpoint(self) -> None:
        """Run a PASSIVE checkpoint while the write lock is ours.

        SQLite before 3.51.3 can corrupt a file when a commit runs during a checkpoint, so the writer holds
        BEGIN IMMEDIATE, writes nothing, and another connection does the work.
        """
        try:
            await self._lock(BUSY_TIMEOUT_MS / 1000)
            async with connected(self.path, self._synchronous) as other:
                [[(_, frames, copied)]] = await _batch(other, "PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            with anyio.CancelScope(shield=True):
                await self._writer.rollback()
        self._is_dirty = False
        if copied < frames:
            self._wal.warn_of_reader()


async def columns_of_tables(db: Reader) -> dict[str, list[str]]:
    """Return the columns of every table that holds rows of ours, by its name."""
    rows = await db.all(
        """
        SELECT t.name, json_group_array(c.name) AS columns FROM pragma_table_list t JOIN pragma_table_info(t.name) c
        WHERE t.schema = 'main' AND t.type = 'table' AND substr(t.name, 1, 7) NOT IN ('sqlite_', 'search_')
        GROUP BY t.name ORDER BY t.name
        """
    )
    return {row["name"]: json.loads(row["columns"]) for row in rows}


async def shape_of(db: Reader, table: str) -> Shape:
    """Return the keys of a table, foreign ones as declared. Each has one column, and names its parent's primary key."""
    unique: dict[str, list[str | None]] = {}
    rows = await db.all(
        """
        SELECT l.name, l.origin, c.name AS "column" FROM pragma_index_list(:table) l JOIN pragma_index_info(l.name) c
        WHERE l."unique" AND NOT l.partial ORDER BY l.origin <> 'pk', l.name, c.seqno
        """,
        {"table": table},
    )
    for row in rows:
        unique.setdefault(row["name"], []).append(row["column"])
    foreign = await db.all(
        """
        SELECT f."from", f."table", f.on_delete, p.name AS "to"
        FROM pragma_foreign_key_list(:table) f JOIN pragma_table_info(f."table") p ON p.pk = 1
        ORDER BY f.id DESC
        """,
        {"table": table},
    )
    keys = tuple(tuple(filter(None, columns)) for columns in unique.values() if None not in columns)  # no expressions
    links = (ForeignKey(row["from"], row["table"], row["to"], row["on_delete"] == "SET NULL") for row in foreign)
    return Shape(keys[0], keys, tuple(links))


async def connect(path: Path, synchronous: str = "full", *more: str) -> Connection:
    """Open one connection with the settings that every connection of ours has, and `more` of them."""
    connection = Connection(path)
    try:
        with anyio.CancelScope(shield=True):  # a connection that is half open cannot be closed
            await connection
    except sqlite3.Error as error:
        raise translate(error) from error
    connection.row_factory = sqlite3.Row
    try:
        await teach(connection)
        await _batch(
            connection,
            f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
            "PRAGMA foreign_keys = ON",
            f"PRAGMA synchronous = {synchronous}",
            "PRAGMA wal_autocheckpoint = 0",
            f"PRAGMA journal_size_limit = {LIMIT_BYTES}",
            *more,
        )
    except BaseException:
        with anyio.CancelScope(shield=True):
            await connection.close()
        raise
    return connection


@asynccontextmanager
async def connected(path: Path, synchronous: str = "full") -> AsyncGenerator[Connection]:
    """Open a connection for a while."""
    connection = await connect(path, synchronous)
    try:
        yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


async def open_database(
    path: Path, *, synchronous: str = "full", clock: Callable[[], datetime] | None = None
) -> Database:
    """Open `path`, creating it readable by its owner only. The caller migrates and closes it."""
    _create_private(path)
    writer = await connect(path, synchronous)
    try:
        await _enter_wal(writer, path)
        await _batch(writer, "PRAGMA busy_timeout = 0")  # it waits for the write lock in its own way
        reader = await connect(path, synchronous, "PRAGMA query_only = ON")
    except BaseException:
        with anyio.CancelScope(shield=True):
            await writer.close()
        raise
    return Database(path, reader, writer, synchronous, clock or Clock())


def _create_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_there(path):
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Storage(
            f"The data root {str(path.parent)!r} cannot be used: {error.strerror}. "
            "Choose another one with --data-root or PM_DATA_ROOT, or repair its permissions."
        ) from error


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
    return found is not None


async def _enter_wal(writer: Connection, path: Path) -> None:
    """Switch to WAL. While another process does the same SQLite answers `locked` at once, without waiting."""
    for attempt in range(OPEN_ATTEMPTS):
        try:
            if (await _batch(writer, FOREIGN))[0][0][0]:
                raise Storage(f"{str(path)!r} is an SQLite database of another program. Choose another --data-root.")
            [[(mode,)]] = await _batch(writer, "PRAGMA journal_mode = WAL")
        except Busy:
            if attempt == OPEN_ATTEMPTS - 1:
                raise
            await anyio.sleep(0.01 * (attempt + 1))
        else:
            if mode != "wal":
                raise Storage(f"The file system refuses SQLite's WAL mode (it stays {mode!r}). Use a local disk.")
            return


async def _batch(connection: Connection, *statements: str) -> list[list[sqlite3.Row]]:
    try:
        return await connection.batch([(sql, NO_PARAMS) for sql in statements])
    except sqlite3.Error as error:
        raise translate(error) from error
