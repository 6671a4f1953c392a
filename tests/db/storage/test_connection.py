"""Transactions are all or nothing, readers see only what was committed, and no checkpoint runs beside a commit."""

import asyncio
import errno
import shutil
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import pytest_asyncio

from server import calls
from server.db.storage import connection, driver
from server.db.storage.connection import Database
from server.db.storage.driver import QUICK_CHANGES, QUICK_COMMIT_SECONDS, Connection, RawConnection, connected
from server.db.storage.driver_errors import ConstraintViolation, translate
from server.db.storage.opening import open_database
from server.db.storage.wal_checkpoints import LIMIT_BYTES, WARNING_BYTES
from server.errors import Busy, Ending, InvalidArguments, Storage
from server.models import base
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from tests.cancelling import cancelled


class Defect(Exception):
    """Goes wrong inside a transaction."""


@pytest_asyncio.fixture
async def bare(tmp_path: Path) -> AsyncGenerator[Database]:
    """A database with one table and the log that every transaction looks at."""
    db = await open_database(tmp_path / "data" / "some.db")
    async with connected(db.path) as other:
        await other.run("CREATE TABLE _migrations (name TEXT)")
        await other.run("CREATE TABLE event_log (timestamp TEXT)")
        await other.run("CREATE TABLE notes (note_id TEXT PRIMARY KEY, text TEXT NOT NULL)")
    yield db
    await db.close()


async def insert(db: Database, note_id: str, text: Any = "text") -> None:
    async with db.transaction() as tx:
        await tx.run("INSERT INTO notes VALUES (:note_id, :text)", {"note_id": note_id, "text": text})


async def notes(db: Database) -> list[str]:
    return [row["note_id"] for row in await db.all("SELECT note_id FROM notes ORDER BY note_id")]


@contextmanager
def locked(path: Path) -> Generator[sqlite3.Connection]:
    """Hold the write lock from outside, as another process does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


async def until_it_waits(db: Database) -> None:
    """Let a task that was just started get as far as its BEGIN."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert db._turn.locked()


def in_the_file_alone(db: Database, folder: Path) -> int:
    """How many notes the database file holds without its write-ahead log."""
    copy = folder / "copy.db"
    shutil.copyfile(db.path, copy)
    with closing(sqlite3.connect(copy)) as alone:
        if not alone.execute("SELECT 1 FROM sqlite_master WHERE name = 'notes'").fetchone():
            return 0
        return alone.execute("SELECT count(*) FROM notes").fetchone()[0]


async def test_what_was_committed_is_there_for_every_connection(bare: Database) -> None:
    await insert(bare, "a")

    with closing(sqlite3.connect(bare.path)) as other:
        assert other.execute("SELECT note_id FROM notes").fetchall() == [("a",)]
    assert await notes(bare) == ["a"]


async def test_an_exception_rolls_everything_back_and_frees_the_writer(bare: Database) -> None:
    async def go_wrong() -> None:
        async with bare.transaction() as tx:
            await tx.run("INSERT INTO notes VALUES ('a', 'one')")
            assert await tx.value("SELECT count(*) FROM notes") == 1
            raise Defect

    with pytest.raises(Defect):
        await go_wrong()
    await insert(bare, "b")

    assert await notes(bare) == ["b"]


async def test_a_statement_that_fails_takes_those_before_it_along(bare: Database) -> None:
    async def insert_twice() -> None:
        async with bare.transaction() as tx:
            await tx.run("INSERT INTO notes VALUES ('a', 'one')")
            await tx.many(
                "INSERT INTO notes VALUES (:id, :text)", [{"id": "b", "text": "x"}, {"id": "c", "text": None}]
            )

    with pytest.raises(ConstraintViolation, match="NOT NULL"):
        await insert_twice()

    assert await notes(bare) == []


async def test_statements_run_in_their_order_and_show_their_rows(bare: Database) -> None:
    async with bare.transaction() as tx:
        await tx.run("INSERT INTO notes VALUES ('a', 'one')")
        await tx.many("UPDATE notes SET text = text || :more", [{"more": "+"}, {"more": "-"}])
        assert await tx.value("SELECT text FROM notes") == "one+-"
        await tx.run("DELETE FROM notes")
        await tx.settle()
        first, second = await tx.batch(("SELECT 1 AS one", {}), ("SELECT count(*) FROM notes", {}))

    assert ([tuple(row) for row in first], [tuple(row) for row in second]) == ([(1,)], [(0,)])


async def test_a_reader_never_sees_what_is_not_committed(bare: Database) -> None:
    async with bare.transaction() as tx:
        await tx.run("INSERT INTO notes VALUES ('a', 'one')")
        await tx.settle()
        assert await notes(bare) == []

    assert await notes(bare) == ["a"]


async def test_a_reader_cannot_write(bare: Database) -> None:
    with pytest.raises(Storage, match="read-only"):
        await bare.all("DELETE FROM notes")


async def test_transactions_of_one_process_take_turns(bare: Database) -> None:
    await insert(bare, "n", "0")

    async def add_one() -> None:
        async with bare.transaction() as tx:
            text = int(await tx.value("SELECT text FROM notes"))
            await anyio.lowlevel.checkpoint()
            await tx.run("UPDATE notes SET text = :text", {"text": str(text + 1)})

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(add_one)

    assert await bare.value("SELECT text FROM notes") == "50"


async def test_time_stands_still_in_a_transaction(bare: Database) -> None:
    async with bare.transaction() as tx:
        assert tx.now() == tx.now() <= bare.now()


async def test_a_transaction_that_is_cancelled_at_any_moment_is_whole_or_nothing(bare: Database) -> None:
    async def write_two() -> None:
        async with bare.transaction() as tx:
            await tx.run("INSERT INTO notes VALUES ('a', 'one')")
            await tx.settle()
            await tx.run("INSERT INTO notes VALUES ('b', 'two')")
            await tx.settle()

    outcomes: list[int] = []
    wait, finished = 0, False
    while not finished:
        with anyio.CancelScope() as scope:
            finished = await cancelled(write_two(), scope, wait) <= wait
        with anyio.fail_after(60):
            async with bare.transaction() as tx:
                outcomes.append(await tx.value("SELECT count(*) FROM notes"))
                await tx.run("DELETE FROM notes")
        wait += 1

    assert set(outcomes) == {0, 2}
    assert wait > 3


async def test_what_goes_with_the_first_write_goes_once_whenever_that_is_cancelled(bare: Database) -> None:
    wait, finished = 0, False
    while not finished:
        bare.with_first_write([("INSERT INTO notes VALUES ('first', 'of this process')", {})])
        with anyio.CancelScope() as scope:
            finished = await cancelled(insert(bare, "a"), scope, wait) <= wait
        await insert(bare, "b")
        assert {*await notes(bare)} - {"a"} == {"b", "first"}
        async with bare.transaction() as tx:
            await tx.run("DELETE FROM notes")
        wait += 1
    assert wait > 1


async def test_a_transaction_that_is_cancelled_while_it_waits_for_the_lock_writes_nothing(bare: Database) -> None:
    with locked(bare.path):
        waiting = asyncio.create_task(insert(bare, "a"))
        await until_it_waits(bare)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with anyio.fail_after(60):
        await insert(bare, "b")

    assert await notes(bare) == ["b"]


async def test_a_lock_that_is_held_for_too_long_is_busy_and_writes_nothing(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 20)
    impatient = await open_database(bare.path)
    with locked(bare.path):
        with pytest.raises(Busy, match=r"Nothing was written\. Send the same call again\."):
            await insert(impatient, "a")
        assert await notes(impatient) == []
    await insert(impatient, "b")
    await impatient.close()

    assert await notes(bare) == ["b"]


async def test_a_lock_that_is_given_back_in_time_is_waited_for(bare: Database) -> None:
    with locked(bare.path) as other:
        waiting = asyncio.create_task(insert(bare, "a"))
        await until_it_waits(bare)
        other.execute("COMMIT")
        await waiting

    assert await notes(bare) == ["a"]


async def test_nothing_is_copied_into_the_file_before_a_checkpoint(bare: Database, tmp_path: Path) -> None:
    await insert(bare, "a")

    assert in_the_file_alone(bare, tmp_path) == 0
    assert bare.wal_size() > 0
    await bare.checkpoint_if_dirty()
    assert in_the_file_alone(bare, tmp_path) == 1


async def test_a_process_that_wrote_nothing_makes_no_checkpoint(bare: Database, tmp_path: Path) -> None:
    await insert(bare, "a")
    idle = await open_database(bare.path)
    await idle.checkpoint_if_dirty()
    await idle.close()

    assert in_the_file_alone(bare, tmp_path) == 0


async def test_closing_makes_a_checkpoint_while_others_go_on(bare: Database, tmp_path: Path) -> None:
    second = await open_database(bare.path)
    await insert(second, "a")
    await second.close()

    assert in_the_file_alone(bare, tmp_path) == 1
    await insert(bare, "b")
    assert await notes(bare) == ["a", "b"]


async def checkpoint_of(db: Database) -> None:
    """Wait for the checkpoint that a write has made due, and did not wait for."""
    if db._checkpointing:
        await db._checkpointing


async def test_a_long_log_makes_a_checkpoint_and_is_used_again(bare: Database, tmp_path: Path) -> None:
    for number in range(8):
        await insert(bare, f"{number}", "x" * 1_000_000)

    await checkpoint_of(bare)
    assert in_the_file_alone(bare, tmp_path) >= 4
    assert bare.wal_size() < 2 * LIMIT_BYTES


async def test_the_log_stays_bounded_however_much_is_written(bare: Database) -> None:
    longest = 0
    for number in range(60):
        await insert(bare, f"{number}", "x" * 1_000_000)
        await checkpoint_of(bare)
        longest = max(longest, bare.wal_size())

    assert longest < 2 * LIMIT_BYTES


async def test_a_long_reader_is_told_of_once_and_the_log_shrinks_after_it(
    bare: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(bare.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM notes").fetchone()
        for number in range(40):
            await insert(bare, f"{number}", "x" * 1_000_000)
            await checkpoint_of(bare)
        assert bare.wal_size() > WARNING_BYTES
    for number in range(6):
        await insert(bare, f"after {number}", "x" * 1_000_000)
        await checkpoint_of(bare)
    await insert(bare, "last")

    assert bare.wal_size() < 2 * LIMIT_BYTES
    assert caplog.text.count("keeps the write-ahead log from shrinking") == 1


@pytest.mark.parametrize("broken", ["stat", "open"])
async def test_a_write_that_is_stored_succeeds_when_nobody_can_look_at_the_log(
    bare: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    await insert(bare, "long", "x" * 5_000_000)
    await checkpoint_of(bare)
    real = getattr(Path, broken)

    def refuse(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name.endswith("-wal"):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, broken, refuse)
    for number in range(6):
        await insert(bare, f"{number}", "x" * 1_000_000)
        await checkpoint_of(bare)
    monkeypatch.undo()

    assert len(await notes(bare)) == 7
    assert "Too many open files" in caplog.text


async def test_what_is_asked_of_a_database_that_closes_is_refused_at_once(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 600_000)  # at once is far from that on any machine
    inside, go_on = anyio.Event(), anyio.Event()

    async def hold() -> None:
        async with bare.transaction() as tx:
            await tx.run("INSERT INTO notes VALUES ('a', 'one')")
            inside.set()
            await go_on.wait()

    holding = asyncio.create_task(hold())
    await inside.wait()
    closing_ = asyncio.create_task(bare.close())
    waiting = [asyncio.create_task(insert(bare, f"{number}")) for number in range(3)]
    await anyio.lowlevel.checkpoint()
    go_on.set()
    refused = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)
    await asyncio.gather(holding, closing_)
    with pytest.raises(Busy):
        await insert(bare, "late")
    with pytest.raises(Busy):
        await notes(bare)

    assert [type(answer) for answer in refused] == [Ending] * 3
    with closing(sqlite3.connect(bare.path)) as other:
        assert other.execute("SELECT note_id FROM notes").fetchall() == [("a",)]


async def test_who_waits_for_the_lock_can_be_cancelled(bare: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 600_000)
    with locked(bare.path):
        with anyio.fail_after(60):
            with anyio.move_on_after(0.05) as scope:
                await insert(bare, "a")
    await insert(bare, "b")

    assert scope.cancelled_caught
    assert await notes(bare) == ["b"]


async def test_a_lock_that_does_not_come_costs_no_thread_and_no_descriptor(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr(connection, "LEAST_PATIENCE_SECONDS", 0.01)
    await insert(bare, "a")
    await checkpoint_of(bare)
    before = threading.active_count(), descriptors()
    with locked(bare.path):
        for _ in range(5):
            with pytest.raises(Busy):
                await insert(bare, "b")
        assert descriptors() - before[1] <= 3  # those of the connection that holds the lock

    assert (threading.active_count(), descriptors()) == before


async def test_those_who_wait_behind_a_write_that_is_busy_are_told_with_it(
    bare: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 2000)
    with locked(bare.path), anyio.fail_after(12):  # one after the other they would take 16 seconds
        answers = await asyncio.gather(*(insert(bare, f"{n}") for n in range(8)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Busy] * 8


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


async def test_no_checkpoint_runs_while_another_process_may_commit(
    bare: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 20)
    impatient = await open_database(bare.path)
    await insert(impatient, "a")
    with locked(bare.path):
        await impatient.checkpoint_if_dirty()
        assert in_the_file_alone(bare, tmp_path) == 0
    assert "no checkpoint" in caplog.text
    await impatient.checkpoint_if_dirty()
    assert in_the_file_alone(bare, tmp_path) == 1
    await impatient.close()


async def test_no_connection_makes_a_checkpoint_by_itself(bare: Database) -> None:
    async with connected(bare.path) as other:
        [[(pages,)]] = await other.run("PRAGMA wal_autocheckpoint")

    assert pages == 0
    assert await bare.value("PRAGMA wal_autocheckpoint") == 0
    async with bare.transaction() as tx:
        assert await tx.value("PRAGMA wal_autocheckpoint") == 0


async def test_a_long_reader_delays_the_checkpoint_and_loses_nothing(bare: Database, tmp_path: Path) -> None:
    await insert(bare, "a")
    with closing(sqlite3.connect(bare.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        await insert(bare, "b")
        await bare.checkpoint_if_dirty()
        assert reader.execute("SELECT count(*) FROM notes").fetchone() == (1,)
    assert await notes(bare) == ["a", "b"]
    await insert(bare, "c")
    await bare.checkpoint_if_dirty()

    assert in_the_file_alone(bare, tmp_path) == 3
    assert await bare.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize("synchronous", [("full", 2), ("normal", 1)])
async def test_every_connection_has_the_settings_of_the_house(tmp_path: Path, synchronous: tuple[str, int]) -> None:
    name, number = synchronous
    db = await open_database(tmp_path / "some.db", synchronous=name)
    async with connected(db.path, name) as other:
        [[(foreign_keys,)]] = await other.run("PRAGMA foreign_keys")
        [[(level,)]] = await other.run("PRAGMA synchronous")
        [[(timeout,)]] = await other.run("PRAGMA busy_timeout")
        [[(mode,)]] = await other.run("PRAGMA journal_mode")
        in_earnest = [
            (await other.run(f"PRAGMA {pragma}"))[0][0][0] for pragma in ("fullfsync", "checkpoint_fullfsync")
        ]
    readers = [await db.value(f"PRAGMA {name}") for name in ("foreign_keys", "synchronous", "query_only")]
    await db.close()

    assert (foreign_keys, level, timeout, mode) == (1, number, 5000, "wal")
    assert in_earnest == [int(name == "full")] * 2  # which macOS alone heeds
    assert readers == [1, number, 1]


async def test_the_data_root_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path / "a" / "data")
    store = Store(settings)
    await store.open()
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in settings.data_root.iterdir() if path.is_file()}
    [process] = (settings.data_root / "processes").iterdir()
    folders = {stat.S_IMODE(path.stat().st_mode) for path in (settings.data_root, process.parent)}
    files["process"] = stat.S_IMODE(process.stat().st_mode)
    await store.close()

    name = "project-memory.db"
    assert files.keys() == {name, f"{name}-wal", f"{name}-shm", "project-memory.lock", "process"}
    if sys.platform != "win32":  # which has no such modes
        assert folders == {0o700}
        assert set(files.values()) == {0o600}


async def test_a_data_root_that_is_a_file_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")

    with pytest.raises(Storage, match="Choose another one with --data-root or PM_DATA_ROOT"):
        await open_database(tmp_path / "data" / "some.db")


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
async def test_a_lone_surrogate_is_refused_and_nothing_is_written(bare: Database, text: str) -> None:
    with pytest.raises(InvalidArguments, match="lone surrogate"):
        await insert(bare, "a", text)
    with pytest.raises(InvalidArguments, match="lone surrogate"):
        await bare.all("SELECT * FROM notes WHERE text = :text", {"text": text})

    assert await notes(bare) == []


async def test_a_number_beyond_64_bits_is_refused_and_nothing_is_written(bare: Database) -> None:
    with pytest.raises(InvalidArguments, match="64 bits"):
        await insert(bare, "a", 2**63)

    assert await notes(bare) == []


async def test_a_generated_id_that_is_taken_is_drawn_again(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, real = base._ids.next(), base._ids.next
    numbers = iter([taken, taken])
    monkeypatch.setattr(base._ids, "next", lambda: next(numbers, None) or real())
    other = tmp_path / "other"
    other.mkdir()
    store = Store(Settings(data_root=tmp_path / "data"))
    call = {"action": "register", "workspace_path": str(project)}
    first = await calls.run(store, TOOLS, "memory_workspace", call)
    second = await calls.run(store, TOOLS, "memory_workspace", {**call, "workspace_path": str(other)})
    ids = await (await store.open()).all("SELECT workspace_id FROM workspaces")
    logged = await (await store.open()).value("SELECT count(*) FROM event_log WHERE type = 'workspace_registered'")
    await store.close()

    assert len({row["workspace_id"] for row in ids}) == 2
    assert all(row["workspace_id"] in first + second for row in ids)
    assert logged == 2


def failure(code: int, message: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (sqlite3.SQLITE_FULL, "free some space"),
        (sqlite3.SQLITE_IOERR | 3 << 8, "check the disk"),
        (sqlite3.SQLITE_READONLY | 4 << 8, "choose another --data-root"),
        (sqlite3.SQLITE_CANTOPEN, "check --data-root"),
        (sqlite3.SQLITE_CORRUPT | 1 << 8, "restore a backup"),
        (sqlite3.SQLITE_NOTADB, "move it away"),
    ],
)
def test_what_the_disk_refuses_is_told_with_what_to_do(code: int, advice: str) -> None:
    told = translate(failure(code, "it failed"))

    assert isinstance(told, Storage)
    assert "it failed" in str(told)
    assert "Nothing was written." in str(told)
    assert advice in str(told)


def test_a_defect_of_ours_stays_what_it_is() -> None:
    error = failure(sqlite3.SQLITE_ERROR, "no such table: x")

    assert translate(error) is error


async def test_a_long_log_that_another_process_has_copied_makes_no_checkpoint(bare: Database, tmp_path: Path) -> None:
    other = await open_database(bare.path)
    await insert(bare, "first")
    for number in range(5):
        await insert(other, f"{number}", "x" * 1_000_000)
    await other.checkpoint_if_dirty()
    for number in range(7):
        await insert(bare, f"small {number}")
    await other.close()

    assert bare.wal_size() == LIMIT_BYTES
    assert in_the_file_alone(bare, tmp_path) == 6


async def test_nothing_is_stored_after_the_end_began_not_even_what_was_written_already(bare: Database) -> None:
    async def under_way() -> None:
        async with bare.transaction() as tx:
            await tx.run("INSERT INTO notes VALUES ('under way', 'text')")
            await tx.settle()
            bare.stop_writing()

    await insert(bare, "before")
    for write in (under_way(), insert(bare, "after")):
        with pytest.raises(Ending):
            await write

    assert await notes(bare) == ["before"]


MANY = str(QUICK_CHANGES + 1)
LONG = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 1000000) SELECT count(*) FROM n"


async def test_a_quick_query_needs_no_thread_and_a_long_one_does_not_hold_the_loop_up(bare: Database) -> None:
    before = set(threading.enumerate())
    assert await notes(bare) == []
    assert set(threading.enumerate()) <= before  # those of other tests may end meanwhile

    long = asyncio.create_task(bare.value(LONG))
    await asyncio.sleep(0)
    assert not long.done()
    behind = asyncio.create_task(bare.value("SELECT 1"))
    await asyncio.sleep(0)
    assert not behind.done()

    assert (await long, await behind) == (1_000_000, 1)
    assert await notes(bare) == []


async def test_a_query_that_was_late_goes_to_the_thread_at_once_until_it_is_quick_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[bool] = []
    here = threading.get_ident()
    raw = sqlite3.connect(tmp_path / "some.db", isolation_level=None, check_same_thread=False)
    raw.create_function("place", 0, lambda: places.append(threading.get_ident() == here))
    quick = Connection(raw)
    quick.is_quick = True
    look = LONG.replace("1000000", ":many").replace("SELECT count", "SELECT place() UNION ALL SELECT count")

    async def asked(many: int) -> None:
        [rows] = await quick.batch((look, {"many": many}))
        assert rows[1][0] == many

    await asked(1_000_000)
    await asked(1_000_000)
    assert places == [True, False, False]
    await quick.batch((look, {"many": 1}), (look, {"many": 1_000_000}))  # the last one counts
    monkeypatch.setattr(driver, "QUICK_SECONDS", 60)  # however slow this machine is
    await asked(1)
    await asked(1)
    await quick.close()

    assert places[3:] == [False, False, False, True]


async def test_a_query_that_was_interrupted_among_its_rows_is_prepared_once_more_and_not_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[object] = []
    raw = sqlite3.connect(tmp_path / "some.db", isolation_level=None, check_same_thread=False)
    raw.set_authorizer(lambda *part: prepared.append(part) or sqlite3.SQLITE_OK)
    quick = Connection(raw)
    quick.is_quick = True
    rows = LONG.replace("1000000", ":many").replace("SELECT count(*)", "SELECT n")

    assert len((await quick.batch((rows, {"many": 100_000})))[0]) == 100_000
    monkeypatch.setattr(driver, "QUICK_SECONDS", 60)
    for _ in range(3):
        await quick.batch((rows, {"many": 1}))
    assert prepared
    prepared.clear()
    await quick.batch((rows, {"many": 1}))
    await quick.close()

    assert prepared == []


async def test_a_query_that_is_cancelled_on_its_way_leaves_the_connection_in_order(bare: Database) -> None:
    with anyio.move_on_after(0.01) as scope:
        await bare.batch(("SAVEPOINT look", {}), (LONG, {}), ("RELEASE look", {}))
    assert scope.cancelled_caught
    await insert(bare, "a")

    assert await notes(bare) == ["a"]
    await bare.checkpoint_if_dirty()
    assert bare.wal_size() > 0


async def test_a_transaction_that_takes_long_does_not_hold_the_loop_up(bare: Database) -> None:
    fill = LONG.replace("SELECT count(*)", "INSERT INTO notes SELECT n, 'many'").replace("1000000", "20000")

    async def write() -> None:
        async with bare.transaction(is_quick=True) as tx:
            await tx.all(fill)
            going_on.set()
            assert await tx.value(LONG) == 1_000_000
            await tx.all("UPDATE notes SET text = 'changed'")
            await tx.all("DELETE FROM notes WHERE note_id > '2'")

    going_on = asyncio.Event()
    writing = asyncio.create_task(write())
    await going_on.wait()
    for _ in range(3):
        await asyncio.sleep(0)
        assert not writing.done()
    await writing

    assert await bare.value("SELECT count(*) FROM notes WHERE text = 'changed'") == 11_112


async def test_a_query_inside_a_transaction_that_takes_long_keeps_what_was_written(bare: Database) -> None:
    async with bare.transaction(is_quick=True) as tx:
        await tx.run("INSERT INTO notes VALUES ('a', 'one')")
        assert await tx.value(LONG) == 1_000_000
        await tx.run("INSERT INTO notes VALUES ('b', 'two')")

    assert await notes(bare) == ["a", "b"]


async def test_a_commit_leaves_the_loop_while_the_disk_is_slow_or_there_is_much_to_store(bare: Database) -> None:
    places: list[bool] = []
    here, is_slow = threading.get_ident(), True

    def work(_: RawConnection) -> None:
        places.append(threading.get_ident() == here)
        until = time.monotonic() + QUICK_COMMIT_SECONDS * is_slow
        while time.monotonic() < until:
            pass

    async def write(*, settled: bool) -> None:
        async with bare.transaction(is_quick=True) as tx:
            await tx.run("INSERT INTO notes VALUES (:id, 'one')", {"id": f"{len(places):04}"})
            if settled:
                await tx.settle()

    bare.before_commit(work)
    async with bare.transaction(is_quick=True) as tx:
        assert await tx.value("SELECT count(*) FROM notes") == 0
    for settled in (True, False) * 2:
        await write(settled=settled)
    assert places == [True, False, False, False, False]

    is_slow = False
    while not places[-1] and len(places) < 1000:  # each may have waited for the machine
        await write(settled=True)
    assert not places[5]
    assert places[-1]
    assert await notes(bare) == [f"{n:04}" for n in range(1, len(places))]

    async with bare.transaction(is_quick=True) as tx:
        await tx.all(LONG.replace("SELECT count(*)", "INSERT INTO notes SELECT n, 'many'").replace("1000000", MANY))
    assert not places[-1]

    async def write_once(*, is_long: bool) -> bool:
        bare.before_commit(work, lambda _: is_long)
        await write(settled=True)
        return places[-1]

    while not await write_once(is_long=False) and len(places) < 2000:
        pass
    assert not await write_once(is_long=True)
