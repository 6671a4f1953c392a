"""A transaction's body runs on the writer's thread, and comes back from there whatever happens."""

import asyncio
import sqlite3
import threading
from contextlib import closing

import anyio
import anyio.lowlevel
import pytest

from server.db.connection import Database
from server.db.hosting import movable
from server.errors import Storage
from tests.cancelling import cancelled


async def names(db: Database) -> list[str]:
    return [row["name"] for row in await db.all("SELECT name FROM seeds WHERE name LIKE 'test%' ORDER BY name")]


async def write(db: Database, name: str) -> int:
    """Write a row in a transaction, and return the thread its body ran on."""
    async with db.transaction() as tx:
        await tx.run(
            "INSERT INTO seeds (name, content_hash, updated_at) VALUES (:name, '', :now)",
            {"name": name, "now": tx.now()},
        )
        return threading.get_ident()


async def test_a_movable_body_runs_on_the_thread_of_the_writer_and_the_rest_on_the_loop(db: Database) -> None:
    async def work() -> tuple[int, int]:
        inside = await write(db, "test")
        await anyio.lowlevel.checkpoint()
        return inside, threading.get_ident()

    inside, after = await movable(work())
    assert inside != threading.get_ident() == after
    assert await write(db, "test 2") == threading.get_ident()
    assert await names(db) == ["test", "test 2"]


async def test_what_fails_on_the_thread_is_rolled_back_and_raised_on_the_loop(db: Database) -> None:
    async def work() -> None:
        async with db.transaction() as tx:
            await tx.run("DELETE FROM seeds")
            await tx.settle()
            raise Storage("no more")

    with pytest.raises(Storage, match="no more"):
        await movable(work())
    assert await db.value("SELECT count(*) FROM seeds")
    await movable(write(db, "test"))
    assert await names(db) == ["test"]


async def test_awaiting_something_else_on_the_thread_fails_loudly_and_leaves_no_lock(db: Database) -> None:
    async def work() -> None:
        elsewhere = asyncio.get_running_loop().create_future()
        async with db.transaction():
            await elsewhere

    with pytest.raises(RuntimeError, match="on the thread of a connection"):
        await movable(work())
    await movable(write(db, "test"))
    assert await names(db) == ["test"]


async def test_two_transactions_of_one_process_take_turns(db: Database) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(movable, write(db, f"test {number}"))
    assert len(await names(db)) == 8


async def test_a_cancellation_waits_until_the_thread_is_done_and_then_arrives(db: Database) -> None:
    with closing(sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        freed = threading.Timer(0.3, other.execute, ["COMMIT"])
        freed.start()
        with anyio.move_on_after(0.05) as scope:
            await movable(write(db, "test"))
            await anyio.lowlevel.checkpoint()
        freed.join()
    assert scope.cancelled_caught
    assert await names(db) == ["test"]


async def test_a_write_cancelled_at_any_moment_is_whole_or_not_there_and_blocks_nobody(db: Database) -> None:
    wait, finished = 0, False
    while not finished:
        name = f"test {wait}"

        async def work(name: str = name) -> None:
            await movable(write(db, name))

        with anyio.CancelScope() as scope:
            finished = await cancelled(work(), scope, wait) <= wait
        assert await names(db) in ([], [name])
        await movable(write(db, "test after"))
        async with db.transaction() as tx:
            await tx.run("DELETE FROM seeds WHERE name LIKE 'test%'")
        wait += 1
    assert wait > 1


async def test_a_native_cancellation_arrives_too(db: Database) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with db.transaction():
            pass
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(movable(work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await movable(write(db, "test"))
    assert await names(db) == ["test"]
