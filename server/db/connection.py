"""The SQLite connections of one process: a reader, and a writer that only transactions touch."""

import asyncio
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiosqlite
import anyio

from server.db import hosting
from server.db.clock import Clock
from server.db.failures import BUSY_TIMEOUT_MS, translate
from server.db.line import LINGER_SECONDS, Line
from server.db.lock_holder import describe, holder
from server.db.named import teach
from server.errors import Busy, ProjectMemoryError, SchemaTooNew, Storage
from server.models.base import timestamp
from server.models.events import Event, Origin

logger = logging.getLogger(__name__)

Params = Mapping[str, Any]
Statement = tuple[str, Params | Sequence[Params]]  # with a sequence it runs once for each
NO_PARAMS: Params = {}
BEGIN, COMMIT = "BEGIN IMMEDIATE", "COMMIT"
LOCK_PAUSE_SECONDS = 0.002  # between two looks for a write lock that another program holds
LOOK_SECONDS = (0.01, 0.25)  # between looks for other processes' writes: at first, and at most
OPEN_ATTEMPTS = 20
CHECKPOINT_COMMITS = 256
WAL_HEADER_BYTES = 32
LOOK_COMMITS = 8  # between two looks at the size of the WAL
CHECKPOINT_BYTES = 4 * 1024 * 1024
WAL_WARNING_BYTES = 64 * 1024 * 1024
FOREIGN = """
    SELECT count(*) FROM sqlite_master
    WHERE name NOT LIKE 'sqlite_%' AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_migrations')
"""


class Connection(aiosqlite.Connection):
    """aiosqlite's connection, with several statements in one hop to its thread: a hop costs more than a statement."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: sqlite3.connect(path, isolation_level=None, cached_statements=512), 64)
        self._line = Line(path)
        self._is_eager = False  # who has had its turn in line waits for other programs only, and looks often
        self.lingers = False  # it has kept its turn to write, and has to give way soon
        self.before_commit: Callable[[sqlite3.Connection], None] | None = None  # work for the same transaction

    async def batch(self, statements: Sequence[Statement]) -> list[list[sqlite3.Row]]:
        """Run statements in order, up to the first that fails, and return the rows of each."""
        if not self._running:
            raise Busy(
                "The database is being opened anew, because its file was replaced. Nothing was written. "
                "Send the same call again."
            )
        if self._is_here():
            return self._run(statements)
        return await self._execute(self._run, statements)  # pyright: ignore[reportUnknownMemberType] - untyped there

    async def rollback(self) -> None:
        """End the transaction, if there is one."""
        if self._is_here():
            self._end()
        elif self._running:
            with anyio.CancelScope(shield=True):
                await self._execute(self._end)  # pyright: ignore[reportUnknownMemberType] - untyped there

    async def close(self) -> None:
        await super().close()
        self._line.close()

    def give_way(self) -> None:
        """Let other processes write, if this one does not."""
        self._line.give_way()

    def submit(self, future: asyncio.Future[Any], function: Callable[[], Any]) -> None:
        """Call `function` on the thread and set `future` to what it returns."""
        self._tx.put_nowait((future, function))  # pyright: ignore[reportUnknownMemberType] - untyped there

    def _is_here(self) -> bool:
        return threading.get_ident() == self._thread.ident

    def _run(self, statements: Sequence[Statement]) -> list[list[sqlite3.Row]]:
        return [self._run_one(sql, params) for sql, params in statements]

    def _run_one(self, sql: str, params: Params | Sequence[Params]) -> list[sqlite3.Row]:
        if sql == BEGIN:
            self._begin()
            return []
        if not isinstance(params, Mapping):
            self._conn.executemany(sql, params)
            return []
        if sql == COMMIT and self.before_commit:
            self.before_commit(self._conn)
        rows = self._conn.execute(sql, params).fetchall()
        if sql == COMMIT:
            self.lingers = self._line.leave(linger=True)
        return rows

    def _begin(self) -> None:
        """Take the write lock; one that is taken is waited for as long as `busy_timeout` says."""
        deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        self._line.enter(BUSY_TIMEOUT_MS / 1000)
        if not self._is_eager:
            self._conn.execute("PRAGMA busy_timeout = 0")
            self._is_eager = True
        while not self._is_begun(deadline):
            time.sleep(LOCK_PAUSE_SECONDS)

    def _is_begun(self, deadline: float) -> bool:
        try:
            self._conn.execute(BEGIN)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            return False
        return True

    def _end(self) -> None:
        try:
            self._conn.rollback()
        finally:
            self._line.leave()


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
        self._gives_way: asyncio.TimerHandle | None = None
        self._checkpointing: asyncio.Task[None] | None = None
        self._commits = 0
        self._wal_size = 0
        self._wal_header = b""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Hold the write lock; commit on success, roll back on any exit by exception, cancellation included."""
        async with self._turn, self._lingering(), hosting.on(self._writer):
            committed = False
            try:
                await self._begin()
                tx = Transaction(self._writer, self._clock)
                yield tx
                await tx.batch((COMMIT, NO_PARAMS))
                committed = True
            finally:
                # A cancelled BEGIN may still be on its way to the thread: the rollback queues behind it.
                if not committed:
                    await self._writer.rollback()
        self._commits += 1
        if self._checkpoint_is_due() and (self._checkpointing is None or self._checkpointing.done()):
            self._checkpointing = asyncio.create_task(self.checkpoint_if_dirty())  # whoever wrote need not wait for it

    @asynccontextmanager
    async def _lingering(self) -> AsyncGenerator[None]:
        """Give way a moment after the body, unless another one follows at once."""
        if self._gives_way:
            self._gives_way.cancel()
        try:
            yield
        finally:
            if self._writer.lingers:
                loop = asyncio.get_running_loop()
                self._gives_way = loop.call_later(LINGER_SECONDS, self._writer.give_way)

    def before_commit(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Let `work` be done at the end of every transaction, as a part of it."""
        self._writer.before_commit = work

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Run the body on the reader's thread: for several reads, one after the other, and nothing else."""
        return hosting.on(self._connection)

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

    async def checkpoint_if_dirty(self) -> None:
        """Copy the WAL into the database file, as far as readers allow, if this process wrote since it last did."""
        if self._commits:
            async with self._turn:
                await self._checkpoint_quietly()

    async def close(self, *, checkpoint: bool = True) -> None:
        with anyio.CancelScope(shield=True):
            if self._checkpointing:
                await self._checkpointing
            if checkpoint:
                await self.checkpoint_if_dirty()
            async with self._turn:
                await self._writer.close()
            await self._connection.close()

    async def _begin(self) -> None:
        try:
            _, [(version,)], [(last,)] = await Reader(self._writer, self._clock).batch(
                (BEGIN, NO_PARAMS),
                ("PRAGMA user_version", NO_PARAMS),
                ("SELECT max(timestamp) FROM event_log", NO_PARAMS),
            )
        except Busy as error:
            raise _blamed(error, self.path) from error
        if version != self.schema_version:
            raise SchemaTooNew(
                f"The database has schema version {version} since another server changed it; this process knows "
                f"version {self.schema_version}. Nothing was written. Restart this server with the current release."
            )
        if last and isinstance(self._clock, Clock):
            self._clock.at_least(datetime.fromisoformat(last))

    def _checkpoint_is_due(self) -> bool:
        self._wal_header = self._wal_header or self._header()
        is_long = not self._commits % LOOK_COMMITS and self.wal_size() >= self._wal_size + CHECKPOINT_BYTES
        if is_long and self._wal_header != (header := self._header()):
            self._wal_header, self._wal_size, is_long = header, self.wal_size(), False  # another process has copied it
        return is_long or self._commits >= CHECKPOINT_COMMITS

    def _header(self) -> bytes:
        """Return what changes whenever the WAL is begun anew, as the first write after a whole checkpoint does."""
        try:
            with Path(f"{self.path}-wal").open("rb") as log:
                return log.read(WAL_HEADER_BYTES)
        except FileNotFoundError:
            return b""

    def wal_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    async def _checkpoint_quietly(self) -> None:
        """Checkpoint; a failure is logged, since what was committed is safe in the WAL."""
        try:
            await self._checkpoint()
        except (ProjectMemoryError, sqlite3.Error) as error:
            logger.warning("no checkpoint: %s", error)

    async def _checkpoint(self) -> None:
        """Run a PASSIVE checkpoint while the write lock is ours.

        SQLite before 3.51.3 can corrupt a file when a commit runs during a checkpoint, so the writer holds
        BEGIN IMMEDIATE, writes nothing, and another connection does the work.
        """
        try:
            await _batch(self._writer, BEGIN)
            async with connected(self.path, self._synchronous) as other:
                [[(_, frames, copied)]] = await _batch(other, "PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            with anyio.CancelScope(shield=True):
                await self._writer.rollback()
        self._commits, self._wal_size, self._wal_header = 0, self.wal_size(), b""
        if copied < frames and self._wal_size > WAL_WARNING_BYTES:
            logger.warning("a long reader keeps the WAL from shrinking: %d bytes", self._wal_size)


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
    with anyio.CancelScope(shield=True):  # a connection that is half open cannot be closed
        await connection
    connection.row_factory = sqlite3.Row
    try:
        await teach(connection)
        await _batch(
            connection,
            f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
            "PRAGMA foreign_keys = ON",
            f"PRAGMA synchronous = {synchronous}",
            "PRAGMA wal_autocheckpoint = 0",
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
        reader = await connect(path, synchronous, "PRAGMA query_only = ON")
    except BaseException:
        with anyio.CancelScope(shield=True):
            await writer.close()
        raise
    return Database(path, reader, writer, synchronous, clock or Clock())


def _create_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Storage(
            f"The data root {str(path.parent)!r} cannot be used: {error.strerror}. "
            "Choose another one with --data-root or PM_DATA_ROOT, or repair its permissions."
        ) from error


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


def _blamed(busy: Busy, path: Path) -> Busy:
    """Name the process that holds the lock, where the platform tells."""
    pid = holder(path)
    return Busy(f"{busy} The lock is held by {describe(pid)}.", held_by_pid=pid) if pid else busy
