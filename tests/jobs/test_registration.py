"""Servers sign on with their first write and off at the end; after one that did not, the database is looked over."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server import __version__
from server.db.shared_state import server_runs
from server.db.storage.connection import Database
from server.jobs import registration
from server.settings import Settings
from server.store import open_store
from tests.conftest import Agent, client_of
from tests.e2e.processes import PLAIN, ServerProcess
from tests.served import held


@pytest_asyncio.fixture
async def reader(settings: Settings) -> AsyncGenerator[Agent]:
    """An agent whose server only reads: any other one looks the database over by itself, seconds after its start."""
    async with held(client_of(replace(settings, read_only=True), "memory")) as client:
        yield Agent(client, settings)


def runs(settings: Settings) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(settings.database)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("SELECT * FROM server_runs ORDER BY started_at, name")]


async def killed(settings: Settings, project: Path) -> int:
    server = await ServerProcess.start(settings.data_root, command=PLAIN)
    await server("memory_workspace", "register", workspace_path=str(project))
    await server.kill()
    return server.process.pid


async def test_a_server_that_does_not_know_whether_it_signed_on_does_so_again(db: Database, settings: Settings) -> None:
    for _ in range(2):
        db.with_first_write(server_runs.registration("one", 1, __version__, db.now()))
        async with db.transaction():
            pass
    assert [run["name"] for run in runs(settings)] == ["one"]


async def test_a_server_signs_on_with_its_first_write_and_off_at_the_end(settings: Settings, project: Path) -> None:
    server = await ServerProcess.start(settings.data_root, command=PLAIN)
    await server("memory_workspace", "list")
    assert runs(settings) == []
    await server("memory_workspace", "register", workspace_path=str(project))
    [run] = runs(settings)
    assert run["name"].startswith(f"{server.process.pid}-")
    assert (run["pid"], run["version"], run["ended_at"]) == (server.process.pid, __version__, None)
    assert await server.close() == 0

    [ended] = runs(settings)
    assert ended["ended_at"] > run["started_at"]
    assert ended | {"ended_at": None} == run


async def test_a_server_that_only_reads_writes_nothing(settings: Settings, project: Path) -> None:
    for flags in ((), ("--read-only",)):
        server = await ServerProcess.start(settings.data_root, *flags, command=PLAIN)
        await server("memory_workspace", "list")
        assert await server.close() == 0

    assert runs(settings) == []


async def test_one_process_looks_the_database_over_after_a_server_that_left_without_signing_off(
    settings: Settings, project: Path, caplog: pytest.LogCaptureFixture, reader: Agent
) -> None:
    pid = await killed(settings, project)
    assert (await reader("memory_workspace", "stats")).get("crash_check") is None
    several = [await open_store(settings) for _ in range(3)]
    await asyncio.gather(*(registration.look_over(db) for db in several))

    [run] = [run for run in runs(settings) if run["pid"] == pid]
    assert run["checked_by"] in {db.lock.name for db in several}
    assert caplog.messages.count("a server left without signing off: looking the database over") == 1
    assert caplog.messages[-1] == "the database is sound"
    told = (await reader("memory_workspace", "stats"))["crash_check"]
    assert told == {"checked_at": run["checked_at"], "pid": pid, "started_at": run["started_at"]}
    for db in several:
        await registration.look_over(db)
        await db.close()
    assert [run] == [run for run in runs(settings) if run["pid"] == pid]


async def test_who_died_looking_is_looked_after_too(settings: Settings, project: Path, db: Database) -> None:
    await killed(settings, project)
    async with db.transaction() as tx:
        await tx.run("UPDATE server_runs SET checked_by = '1-00000000'")
    await registration.look_over(db)

    [run] = runs(settings)
    assert run["checked_by"] == db.lock.name
    assert json.loads(run["problems"]) == []


async def test_a_server_that_lives_is_not_taken_for_one_that_left(
    settings: Settings, project: Path, db: Database
) -> None:
    server = await ServerProcess.start(settings.data_root, command=PLAIN)
    await server("memory_workspace", "register", workspace_path=str(project))
    await registration.look_over(db)

    assert [run["checked_by"] for run in runs(settings)] == [None]
    await server.close()


async def test_damage_is_logged_and_told(
    settings: Settings, project: Path, reader: Agent, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await killed(settings, project)
    with closing(sqlite3.connect(settings.database, isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute(
            "INSERT INTO plans (plan_id, workspace_id, title, created_at, updated_at) VALUES ('p', 'none', 't', '', '')"
        )
    await registration.look_over(db)

    assert "the database is damaged: plans row" in caplog.text
    assert "workspaces" in (await reader("memory_workspace", "stats"))["crash_check"]["problems"][0]


async def test_old_runs_go_with_new_ones(settings: Settings, project: Path, db: Database) -> None:
    async with db.transaction() as tx:
        await tx.many(
            "INSERT INTO server_runs (name, pid, version, started_at) VALUES (:name, 1, '0', '2020-01-01T00:00:00Z')",
            [{"name": f"1-{number}"} for number in range(5)],
        )
    server = await ServerProcess.start(settings.data_root, command=PLAIN)
    await server("memory_workspace", "register", workspace_path=str(project))
    await server.close()

    assert [run["pid"] for run in runs(settings)] == [server.process.pid]
