"""The database of one process as everything else sees it: queries, and transactions, of which one runs at a time."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

from server.db.storage.clock import Clock
from server.db.storage.driver import COMMIT, NO_PARAMS, Connection, Params, RawConnection, Record, Statement, connected
from server.db.storage.driver_errors import BUSY_TIMEOUT_MS, DriverError, Locked, Unreadable
from server.db.storage.lock_holder import blamed
from server.db.storage.process_lock import ProcessLock
from server.db.storage.wal_checkpoints import Wal
from server.errors import Ending, ProjectMemoryError, SchemaTooNew
from server.models.base import timestamp
from server.models.events import Event, Origin

logger = logging.getLogger(__name__)

LEAST_PATIENCE_SECONDS = 0.25  # that a write waits for the lock, however long it waited for other writes of ours
READ_PAUSE_SECONDS = 0.01  # between two attempts to read what another process has locked while it repairs it
LOOK_SECONDS = (0.01, 0.25)  # between looks for other processes' writes: at first, and at most


class Reader:
    """Runs queries; never leaves a statement open."""

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._clock = clock

    def now(self) -> str:
        """Return the time that decides about leases and expiry."""
        return timestamp(self._clock())

    async def batch(self, *statements: Statement) -> list[list[Record]]:
        """Run statements in order, in one hop if they take long, and return the rows of each."""
        return await self._connection.batch(*statements)

    async def all(self, sql: str, params: Params = NO_PARAMS) -> list[Record]:
        return (await self.batch((sql, params)))[-1]

    async def one(self, sql: str, params: Params = NO_PARAMS) -> Record | None:
        rows = await self.all(sql, params)
        return rows[0] if rows else None

    async def value(self, sql: str, params: Params = NO_PARAMS) -> Any:
        """Return the first column of the first row, or None."""
        row = await self.one(sql, params)
        return row[0] if row else None


class Transaction(Reader):
    """A reader that may also write; made by `Database.transaction()` alone. Its clock stands still.

    A statement that returns nothing waits for the next one that does, or for the commit, and travels with it.
    """

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        super().__init__(connection, clock)
        self._now = super().now()
        self.origin = Origin()
        self.workspace_id: str | None = None  # of events that do not name theirs
        self.events: list[Event] = []
        self.elsewhere: list[Event] = []  # of plans that may have no other event in this transaction
        self._waiting: list[Statement] = []

    def now(self) -> str:
        return self._now

    async def batch(self, *statements: Statement) -> list[list[Record]]:
        waiting, self._waiting = self._waiting, []
        return (await super().batch(*waiting, *statements))[len(waiting) :]

    def wait_with(self, statements: Iterable[Statement]) -> None:
        """Let statements wait for the next one that returns something."""
        self._waiting.extend(statements)

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
        *,
        lock: ProcessLock,
    ) -> None:
        super().__init__(reader, clock)
        reader.is_quick = True
        self.path = path
        self.schema_version = 0
        self.lock = lock
        self._with_first_write: list[Statement] = []
        self._writer = writer
        self._synchronous = synchronous
        self._turn = anyio.Lock(fast_acquire=True)
        self._wal = Wal(path)
        self._checkpointing: asyncio.Task[None] | None = None
        self._is_dirty = self._is_closing = self.is_committing = False

    @asynccontextmanager
    async def transaction(self, *, is_quick: bool = False) -> AsyncGenerator[Transaction]:
        """Hold the write lock; commit on success, roll back on any exit by exception, cancellation included.

        With `is_quick` no statement before the commit takes long enough to mind that it holds up the loop.
        """
        deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        async with self._turn:
            if self._is_closing:
                raise Ending
            commits = self._writer.commits
            try:
                await self._begin(max(deadline - time.monotonic(), LEAST_PATIENCE_SECONDS))
                self._writer.is_quick = is_quick
                tx = Transaction(self._writer, self._clock)
                tx.wait_with(self._with_first_write)
                yield tx
                self.is_committing = True
                await tx.batch((COMMIT, NO_PARAMS))
            finally:
                self.is_committing = False
                # A cancelled COMMIT may still be on its way to the thread: the rollback queues behind it.
                if self._writer.commits == commits:
                    await self._writer.rollback()
                if self._writer.commits > commits:
                    self._with_first_write = []
                    self._is_dirty = True
        if self._checkpointing is None:
            self._checkpointing = asyncio.create_task(self._checkpoint_if_due())  # who wrote need not wait for it

    async def batch(self, *statements: Statement) -> list[list[Record]]:
        """Read; once more what the disk did not give, and again and again what another process has locked."""
        deadline, is_again = time.monotonic() + BUSY_TIMEOUT_MS / 1000, False
        while True:
            try:
                return await super().batch(*statements)
            except Locked:
                if time.monotonic() > deadline:
                    raise
                await anyio.sleep(READ_PAUSE_SECONDS)
            except Unreadable as error:
                if is_again:
                    raise
                is_again = True
                logger.warning("reading once more: %s", error)

    def before_commit(
        self, work: Callable[[RawConnection], None], is_long: Callable[[RawConnection], bool] | None = None
    ) -> None:
        """Let `work` be done at the end of every transaction, as a part of it; where it `is_long`, beside the loop."""
        self._writer.before_commit, self._writer.is_long = work, is_long

    def with_first_write(self, statements: Sequence[Statement]) -> None:
        """Let statements run with the next transaction that commits, as a part of it."""
        self._with_first_write = list(statements)

    async def equip(self, *statements: str) -> None:
        """Run statements that concern the connection that writes alone, such as those that make TEMP triggers."""
        async with self._turn:
            await self._writer.run(*statements)

    def stop_writing(self) -> None:
        """Refuse what writers ask from now on, but for a rollback; a commit that was asked for comes to its end."""
        self._writer.is_stopped = True

    async def version(self) -> int:
        """Return a number that moves with every commit, of whichever process."""
        return await self.value("PRAGMA data_version")

    async def wait_for_change(self, mark: int, seconds: float, *, pause: float = LOOK_SECONDS[0]) -> bool:
        """Wait until `version` is no longer `mark`, looking ever less often; return False after `seconds`.

        Between the first two looks is a `pause`.
        """
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
        if self._is_dirty:
            await self._checkpoint_quietly(self._elsewhere)

    async def checkpoint(self) -> None:
        """Copy the WAL into the database file, as far as readers allow, whoever wrote it."""
        self._is_dirty = True
        await self.checkpoint_if_dirty()

    async def close(self, *, checkpoint: bool = True) -> None:
        """Close, and bring the log into the file before, unless that must not be touched any more."""
        self._is_closing = True  # who waits for its turn is refused
        with anyio.CancelScope(shield=True):
            if self._checkpointing:
                await self._checkpointing
            async with self._turn:
                if checkpoint and self._is_dirty:
                    await self._checkpoint_quietly(self._at_end)
                for connection in (self._writer, self._connection):
                    if not checkpoint:  # SQLite would make one with the last connection
                        connection.interrupt()
                    await connection.close()
            self.lock.release()

    async def _begin(self, patience: float) -> None:
        await self._lock(patience)
        [(version,)], [(last,)] = await self._writer.run("PRAGMA user_version", "SELECT max(timestamp) FROM event_log")
        if version != self.schema_version:
            raise SchemaTooNew(
                f"The database has schema version {version} since another server changed it; this process knows "
                f"version {self.schema_version}. Nothing was written. Restart this server with the current release."
            )
        if last and isinstance(self._clock, Clock):
            self._clock.at_least(datetime.fromisoformat(last))

    async def _lock(self, patience: float) -> None:
        self._writer.is_quick = True
        try:
            await self._writer.begin(patience)
        except Locked as error:
            raise blamed(error, self.path) from error

    async def _checkpoint_if_due(self) -> None:
        try:
            if self._wal.is_due():
                await self.checkpoint_if_dirty()
        except OSError as error:
            logger.warning("no look at the WAL: %s", error)
        finally:
            self._checkpointing = None

    async def _checkpoint_quietly(self, how: Callable[[], Awaitable[None]]) -> None:
        """Checkpoint; a failure is logged, since what was committed is safe in the WAL."""
        try:
            await how()
        except (ProjectMemoryError, DriverError, OSError) as error:
            logger.warning("no checkpoint: %s", error)
        finally:
            self._wal.looked_after()

    async def _elsewhere(self) -> None:
        """Checkpoint with a connection of its own, which reads the schema before anybody waits for the checkpoint."""
        async with connected(self.path, self._synchronous) as other:
            await other.run("SELECT 1 FROM sqlite_master LIMIT 1")
            async with self._turn:
                if self._is_dirty:
                    await self._checkpoint(other)

    async def _at_end(self) -> None:
        """Checkpoint with the connection that reads: nobody needs it any more, and another one would cost its start."""
        self._connection.is_quick = False
        await self._connection.run("SELECT 1")  # behind what it may still do: the write lock is held for less
        await self._checkpoint(self._connection)

    async def _checkpoint(self, other: Connection) -> None:
        """Run a PASSIVE checkpoint while the write lock is ours.

        SQLite before 3.51.3 can corrupt a file when a commit runs during a checkpoint, so the writer holds
        BEGIN IMMEDIATE, writes nothing, and another connection does the work.
        """
        try:
            await self._lock(BUSY_TIMEOUT_MS / 1000)
            [[(_, frames, copied)]] = await other.run("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            await self._writer.rollback()
        self._is_dirty = False
        if copied < frames:
            self._wal.warn_of_reader()
