"""The store opens its database when it is needed, once for all, and anew when its file was replaced."""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from server import calls
from server.db.storage.connection import Database
from server.db.storage.opening import open_database
from server.errors import Storage
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from tests.waiting import until


async def call(store: Store, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
    return json.loads(await calls.run(store, TOOLS, tool, {"action": action, **arguments}))


def move_away(settings: Settings) -> None:
    for file in settings.data_root.glob("project-memory.db*"):
        file.rename(file.with_name(f"old-{file.name}"))


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


def put_back(settings: Settings) -> None:
    for file in settings.data_root.glob("old-project-memory.db*"):
        file.replace(file.with_name(file.name.removeprefix("old-")))


def nothing(settings: Settings) -> None:
    """Leave the place of the database empty."""


def an_empty_file(settings: Settings) -> None:
    settings.database.touch()


def another_database(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.database)) as other:
        other.execute("CREATE TABLE other (name TEXT)")


@pytest.mark.parametrize("instead", [nothing, an_empty_file, another_database])
async def test_a_database_that_is_gone_is_an_error_until_it_is_back(
    settings: Settings, project: Path, instead: Callable[[Settings], None]
) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    move_away(settings)
    instead(settings)
    before = {file.name: file.read_bytes() for file in settings.data_root.glob("project-memory.db*")}

    for _ in range(2):
        with pytest.raises(Storage, match="Put that very file back"):
            await call(store, "memory_workspace", "list")
        with pytest.raises(Storage, match="Nothing was written"):
            await call(store, "memory_workspace", "register", workspace_path=str(project), name="other")
    assert {file.name: file.read_bytes() for file in settings.data_root.glob("project-memory.db*")} == before
    put_back(settings)
    assert (await call(store, "memory_workspace", "list"))["total"] == 1
    await call(store, "memory_workspace", "register", workspace_path=str(project), name="other")
    await store.close()
    anew = Store(settings)
    assert (await call(anew, "memory_workspace", "list"))["workspaces"][0]["name"] == "other"
    await anew.close()


async def test_a_server_that_ends_while_its_database_is_gone_leaves_what_is_there_alone(
    settings: Settings, project: Path
) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    move_away(settings)
    another = Store(settings)
    await call(another, "memory_workspace", "register", workspace_path=str(project))
    await store.close()
    await another.close()
    with closing(sqlite3.connect(settings.data_root / "old-project-memory.db")) as old:
        assert old.execute("SELECT count(*) FROM workspaces").fetchone() == (1,)
    with closing(sqlite3.connect(settings.database)) as new:
        assert new.execute("SELECT count(*) FROM workspaces").fetchone() == (1,)
        assert new.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_database_that_was_emptied_in_its_place_is_an_error(settings: Settings, project: Path) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    os.truncate(settings.database, 0)

    with pytest.raises(Storage, match="emptied"):
        await call(store, "memory_workspace", "list")
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from server.settings import Settings
from server.store import Store
from tests.test_store import call

async def main():
    store = Store(Settings(data_root=Path(sys.argv[1]), synchronous="off"))
    for number in range(20):
        await call(store, "memory_context", "remember", scope="global", agent="b", key=f"b{number}", value="b" * 5_000)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="files that are open cannot be deleted elsewhere")
@pytest.mark.parametrize("gone", [("-wal",), ("-shm",), ("-wal", "-shm")])
@pytest.mark.parametrize("another", [True, False])
async def test_a_log_that_is_taken_away_under_a_server_loses_nothing_and_is_told(
    settings: Settings, gone: tuple[str, ...], *, another: bool
) -> None:
    store = Store(settings)
    fact = {"scope": "global", "agent": "a", "value": "a" * 5_000}
    for number in range(20):
        await call(store, "memory_context", "remember", key=f"a{number}", **fact)
    await (await store.open()).checkpoint()
    await call(store, "memory_context", "remember", key="last", **fact)
    for suffix in gone:
        Path(f"{settings.database}{suffix}").unlink()
    with pytest.raises(Storage, match=r"-wal.*Nothing was written\. Restart"):
        await call(store, "memory_context", "remember", key="refused", **fact)
    written = 0
    if another:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(settings.data_root), stderr=asyncio.subprocess.DEVNULL
        )
        written = 0 if await process.wait() else 20
    await store.close()

    anew = Store(settings)
    await anew.open()
    await anew.close()
    with closing(sqlite3.connect(settings.database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        keys = {row[0] for row in db.execute("SELECT key FROM memory_entries")}
    wanted = {f"a{number}" for number in range(20)} | {f"b{number}" for number in range(written)}
    is_lost = another and len(gone) == 2  # it was in the log alone, and another one was begun meanwhile
    assert keys == (wanted if is_lost else {*wanted, "last"})


@pytest.mark.parametrize("is_empty", [True, False])
async def test_a_log_without_its_database_is_not_thrown_away(
    settings: Settings, project: Path, *, is_empty: bool
) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    copies = {file.name: file.read_bytes() for file in settings.data_root.glob("project-memory.db*")}
    await store.close()
    for name, content in copies.items():
        (settings.data_root / name).write_bytes(content)
    settings.database.unlink()
    if is_empty:
        settings.database.touch()
    anew = Store(settings)
    with pytest.raises(Storage, match=r"its log project-memory\.db-wal is there"):
        await anew.open()
    settings.database.write_bytes(copies["project-memory.db"])

    assert (await call(anew, "memory_workspace", "list"))["total"] == 1
    await anew.close()


if sys.platform != "win32":

    async def test_a_pipe_in_place_of_the_database_is_told(unused: Settings) -> None:
        unused.data_root.mkdir(parents=True, exist_ok=True)
        os.mkfifo(unused.database)

        with pytest.raises(Storage, match="is no file"):
            await Store(unused).open()


async def test_opening_a_database_drops_no_lock_that_this_process_has_on_it(settings: Settings, project: Path) -> None:
    store = Store(settings)
    await call(store, "memory_workspace", "register", workspace_path=str(project))
    await (await open_database(settings.database)).close()
    taken = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA journal_mode = DELETE')"
    asked = await anyio.run_process([sys.executable, "-c", taken, str(settings.database)], check=False)
    await store.close()

    assert b"locked" in asked.stderr


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
