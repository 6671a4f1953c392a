"""The store opens its database when it is needed, once for all, and anew when its file was replaced."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from server import calls
from server.db.connection import Database
from server.errors import Busy, Storage
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS


async def call(store: Store, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
    return json.loads(await calls.run(store, TOOLS, tool, {"action": action, **arguments}))


def move_away(settings: Settings) -> None:
    for file in settings.data_root.glob("project-memory.db*"):
        file.rename(file.with_name(f"old-{file.name}"))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nothing tells of."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_callers_that_come_at_once_get_one_database(settings: Settings) -> None:
    store = Store(settings)
    found = await asyncio.gather(*(store.open() for _ in range(10)))
    await store.close()

    assert len({id(db) for db in found}) == 1


async def test_a_failure_is_told_to_each_caller_and_tried_again(unused: Settings) -> None:
    unused.database.mkdir(parents=True)
    store = Store(unused)
    failures = await asyncio.gather(*(store.open() for _ in range(3)), return_exceptions=True)
    unused.database.rmdir()

    assert [type(failure) for failure in failures] == [Storage] * 3
    assert isinstance(await store.open(), Database)
    await store.close()


async def test_a_file_that_was_replaced_is_opened_anew(settings: Settings, project: Path) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    move_away(settings)

    assert (await call(store, "memory_workspace", "list"))["total"] == 0
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    assert (await call(store, "memory_workspace", "list"))["total"] == 1
    await store.close()
    with closing(sqlite3.connect(settings.data_root / "old-project-memory.db")) as old:
        assert old.execute("SELECT count(*) FROM workspaces").fetchone() == (1,)


async def test_who_is_at_work_when_the_file_is_replaced_finishes_or_is_told_to_try_again(settings: Settings) -> None:
    store = Store(settings)
    old = await store.open()
    inside, go_on = anyio.Event(), anyio.Event()

    async def write() -> None:
        async with old.transaction() as tx:
            await tx.run("DELETE FROM tools")
            inside.set()
            await go_on.wait()

    writing = asyncio.create_task(write())
    await inside.wait()
    waiting = asyncio.create_task(old.wait_for_change(await old.version(), 60))
    move_away(settings)
    opening = asyncio.create_task(store.open())
    go_on.set()
    await writing
    new = await opening
    with pytest.raises(Busy, match="Send the same call again"):
        await waiting
    with pytest.raises(Busy, match="Send the same call again"):
        await old.value("SELECT 1")
    with pytest.raises(Busy, match="Send the same call again"):
        await write()

    assert new is not old
    assert await new.value("SELECT count(*) FROM tools") == len(TOOLS)
    await store.close()
    with closing(sqlite3.connect(settings.data_root / "old-project-memory.db")) as file:
        assert file.execute("SELECT count(*) FROM tools").fetchone() == (0,)


async def test_the_database_is_opened_ahead_of_the_first_call(settings: Settings) -> None:
    store = Store(settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.keep, 60.0)
        await until(lambda: store._db is not None)
        tasks.cancel_scope.cancel()
    await store.close()

    assert settings.database.exists()


async def test_what_was_written_is_checkpointed_when_nothing_happens_for_a_while(
    settings: Settings, project: Path
) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    before = settings.database.stat().st_mtime_ns
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.keep, 0.001)
        await until(lambda: settings.database.stat().st_mtime_ns != before)
        tasks.cancel_scope.cancel()
    await store.close()


async def test_closing_twice_is_closing_once(settings: Settings) -> None:
    store = Store(settings)
    await store.close()
    await store.open()
    await store.close()
    await store.close()
