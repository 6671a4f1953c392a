"""Bad storage: the server lists its tools, says in every answer what to do, and recovers when that was done."""

import importlib
import shutil
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Message, RawServer, Start

# Only Linux can give the disk of a running process back.
resource: Any = importlib.import_module("resource") if sys.platform == "linux" else None
ROOM = 600_000  # bytes that a file may still grow on the full disk


async def refusal(server: RawServer, tool: str, action: str, /, **arguments: Any) -> Message:
    return (await server.call(tool, action, **arguments))["error"]


async def check_that_everything_is_told(server: RawServer, project: Path, code: str, *words: str) -> None:
    """Tools are listed, help is given, and each call that needs the store gets one error that says what to do."""
    assert await server.is_alive()
    assert "error" not in await server.call("memory_plan", "help")
    for told in (
        await refusal(server, "memory_workspace", "list"),
        await refusal(server, "memory_workspace", "register", workspace_path=str(project)),
        await refusal(server, "memory_steps", "next", plan_id="plan_1", agent="a"),
    ):
        assert told["code"] == code, told
        assert all(word in told["message"] for word in words), told
    assert (await refusal(server, "memory_plan", "creat"))["code"] == "unknown_action"


async def check_that_it_works(server: RawServer, project: Path) -> None:
    registered = await server.call("memory_workspace", "register", workspace_path=str(project))
    plan = await server.call("memory_plan", "create", workspace_id=registered["workspace_id"], title="A")
    assert (await server.call("memory_plan", "get", plan_id=plan["plan_id"]))["title"] == "A"
    assert await server.end() == (0, [])


async def fill(start: Start, project: Path, plans: int = 30) -> str:
    """Make a store with some megabytes in it and return its workspace."""
    server = await start()
    workspace_id = (await server.call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    for number in range(plans):
        await server.call(
            "memory_plan", "create", workspace_id=workspace_id, title=f"{number}", description="x" * 50_000
        )
    assert await server.end() == (0, [])
    return workspace_id


def sound(data_root: Path) -> bool:
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        return db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_file_in_place_of_the_data_root(start: Start, data_root: Path, project: Path) -> None:
    data_root.write_text("a file", encoding="utf-8")
    server = await start()
    await check_that_everything_is_told(server, project, "storage", str(data_root), "--data-root")
    data_root.unlink()

    await check_that_it_works(server, project)


async def test_a_data_root_below_a_file(start: Start, data_root: Path, project: Path) -> None:
    data_root.write_text("a file", encoding="utf-8")
    server = await start(data_root=data_root / "below" / "it")
    await check_that_everything_is_told(server, project, "storage", "cannot be used", "--data-root")
    data_root.unlink()

    await check_that_it_works(server, project)


async def test_a_folder_in_place_of_the_database(start: Start, data_root: Path, project: Path) -> None:
    (data_root / "project-memory.db" / "sub").mkdir(parents=True)
    server = await start()
    await check_that_everything_is_told(server, project, "storage", "cannot be used", "--data-root")
    shutil.rmtree(data_root / "project-memory.db")

    await check_that_it_works(server, project)


@pytest.mark.parametrize("size", [1, 5_000])
async def test_a_database_that_is_none(start: Start, data_root: Path, project: Path, size: int) -> None:
    data_root.mkdir()
    database = data_root / "project-memory.db"
    database.write_bytes(b"\xde\xad\xbe\xef" * size)
    server = await start()
    await check_that_everything_is_told(server, project, "storage", "not an SQLite database", "move it away")
    assert database.read_bytes() == b"\xde\xad\xbe\xef" * size
    database.rename(data_root / "moved-away")

    await check_that_it_works(server, project)


async def test_an_empty_file_becomes_a_database(start: Start, data_root: Path, project: Path) -> None:
    data_root.mkdir()
    (data_root / "project-memory.db").touch()

    await check_that_it_works(await start(), project)


async def test_a_database_of_another_program(start: Start, data_root: Path, project: Path) -> None:
    data_root.mkdir()
    database = data_root / "project-memory.db"
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE cookies (name TEXT)")
        other.commit()
    before = database.read_bytes()
    server = await start()
    await check_that_everything_is_told(server, project, "storage", "another program", "--data-root")
    assert database.read_bytes() == before
    database.rename(data_root / "moved-away.db")

    await check_that_it_works(server, project)


async def test_a_database_that_is_damaged_in_the_middle(start: Start, data_root: Path, project: Path) -> None:
    workspace_id = await fill(start, project)
    database = data_root / "project-memory.db"
    shutil.copyfile(database, data_root / "good.db")
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\x5a" * (size - 4096 * 4))
    server = await start()
    answers = [
        await server.call("memory_workspace", "list"),
        await server.call("memory_plan", "list", workspace_id=workspace_id),
        await server.call("memory_plan", "create", workspace_id=workspace_id, title="A"),
        await server.call("memory_workspace", "register", workspace_path=str(project)),
    ]
    assert await server.is_alive()

    assert [answer["error"]["code"] for answer in answers] == ["storage"] * 4
    assert all("restore a backup" in answer["error"]["message"] for answer in answers)
    (data_root / "good.db").replace(database)
    for rest in ("-wal", "-shm"):
        (data_root / f"project-memory.db{rest}").unlink(missing_ok=True)
    await check_that_it_works(await start(), project)
    assert sound(data_root)


async def test_a_database_that_is_cut_off(start: Start, data_root: Path, project: Path) -> None:
    await fill(start, project)
    database = data_root / "project-memory.db"
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 3])
    server = await start()

    await check_that_everything_is_told(server, project, "storage", "restore a backup")


async def test_a_database_of_a_newer_release(start: Start, data_root: Path, project: Path) -> None:
    await fill(start, project, plans=1)
    database = data_root / "project-memory.db"
    with closing(sqlite3.connect(database)) as db:
        [version] = db.execute("PRAGMA user_version").fetchone()
        db.execute("PRAGMA user_version = 99")
    server = await start()
    await check_that_everything_is_told(server, project, "schema_too_new", "schema version 99", "Update the server")
    with closing(sqlite3.connect(database)) as db:
        db.execute(f"PRAGMA user_version = {version}")

    await check_that_it_works(server, project)


async def test_a_server_that_runs_when_a_newer_one_migrates(start: Start, data_root: Path, project: Path) -> None:
    server = await start()
    await server.call("memory_workspace", "register", workspace_path=str(project))
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        [version] = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
    refused = await refusal(server, "memory_workspace", "register", workspace_path=str(project), name="new name")
    listed = await server.call("memory_workspace", "list")

    assert refused["code"] == "schema_too_new"
    assert "Restart this server with the current release" in refused["message"]
    assert [found["name"] for found in listed["workspaces"]] == ["project"]


async def test_a_data_root_that_vanishes_is_told_until_the_server_is_started_again(
    start: Start, data_root: Path, project: Path
) -> None:
    server = await start()
    await server.call("memory_workspace", "register", workspace_path=str(project))
    shutil.rmtree(data_root)
    await check_that_everything_is_told(server, project, "storage", str(data_root), "restart this server")
    assert not data_root.exists()

    await check_that_it_works(await start(), project)


@contextmanager
def locked(database: Path) -> Generator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_lock_that_another_process_keeps(start: Start, data_root: Path, project: Path) -> None:
    server = await start()
    await server.call("memory_workspace", "register", workspace_path=str(project))
    with locked(data_root / "project-memory.db"):
        refused = await refusal(server, "memory_workspace", "register", workspace_path=str(project), name="new name")
        listed = await server.call("memory_workspace", "list")

    assert refused["code"] == "busy"
    assert "Nothing was written. Send the same call again." in refused["message"]
    assert [found["name"] for found in listed["workspaces"]] == ["project"]
    await check_that_it_works(server, project)


if resource:

    async def test_a_full_disk(start: Start, data_root: Path, project: Path) -> None:
        workspace_id = await fill(start, project)
        size = (data_root / "project-memory.db").stat().st_size
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill_the_disk() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + ROOM, unlimited[1]))

        server = await start(preexec_fn=fill_the_disk)
        written = 0
        while "error" not in (answer := await make_plan(server, workspace_id)):
            written += 1
            assert written < 1_000
        listed = await server.call("memory_plan", "list", workspace_id=workspace_id, limit=1)
        assert answer["error"]["code"] == "storage"
        assert "Nothing was written." in answer["error"]["message"]
        assert "free some space" in answer["error"]["message"]
        assert listed["total"] == 30 + written
        assert await server.is_alive()

        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert "error" not in await make_plan(server, workspace_id)
        await check_that_it_works(server, project)
        assert sound(data_root)

    async def make_plan(server: RawServer, workspace_id: str) -> Message:
        return await server.call(
            "memory_plan", "create", workspace_id=workspace_id, title="A", description="x" * 90_000
        )

    def take_all_descriptors(pid: int) -> tuple[int, int]:
        """Leave a process none but those that it has, and return what limit it had."""
        limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        lowest_free = next(number for number in range(max(used) + 2) if number not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, limit[1]))
        return limit

    async def test_a_server_out_of_descriptors_stores_what_it_says_it_stored(
        start: Start, data_root: Path, project: Path
    ) -> None:
        server = await start()
        registered = await server.call("memory_workspace", "register", workspace_path=str(project))
        plan = await server.call("memory_plan", "create", workspace_id=registered["workspace_id"], title="A")
        await server.call("memory_context", "list", plan_id=plan["plan_id"])  # a tool is loaded when it is called
        limit = take_all_descriptors(server.process.pid)
        answers = [
            await server.call(
                "memory_context", "store", plan_id=plan["plan_id"], type=f"t{number}", data={"text": "x" * 40_000}
            )
            for number in range(300)
        ]
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limit)

        assert [answer["error"] for answer in answers if "error" in answer] == []
        listed = await server.call("memory_context", "list", plan_id=plan["plan_id"], limit=1)
        assert listed["total"] == 300
        await check_that_it_works(server, project)
        assert sound(data_root)

    async def test_a_tool_that_could_not_be_loaded_for_want_of_descriptors_is_loaded_later(
        start: Start, project: Path
    ) -> None:
        server = await start()
        registered = await server.call("memory_workspace", "register", workspace_path=str(project))
        limit = take_all_descriptors(server.process.pid)
        told = [await server.call(tool, "help") for tool in ("memory_steps", "memory_plan") for _ in range(3)]
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limit)

        assert {one["error"]["code"] for one in told if "error" in one} <= {"internal"}
        plan = await server.call("memory_plan", "create", workspace_id=registered["workspace_id"], title="A")
        assert (await server.call("memory_steps", "list", plan_id=plan["plan_id"]))["total"] == 0
        await check_that_it_works(server, project)

    async def test_a_disk_that_is_full_from_the_start(start: Start, project: Path) -> None:
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill_the_disk() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))

        server = await start(preexec_fn=fill_the_disk)
        await check_that_everything_is_told(server, project, "storage", "free some space")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)

        await check_that_it_works(server, project)
