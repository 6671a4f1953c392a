"""Many agents, each with its own server process, on one plan: every step done once, in an order that holds."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest_asyncio

from server.settings import DATABASE_NAME
from tests.conftest import ToolError
from tests.e2e.processes import Died, ServerProcess
from tests.thoroughness import often

PROCESSES = often(16, usual=8)
STEPS = often(400, usual=120)
SLEEPS = 8  # that are to be expected of all agents together: dice decide
KILLED = 4
TIME_LIMIT = 240
T = TypeVar("T")


def waits_for(index: int) -> list[int]:
    """Each step waits for two earlier ones, so that the order matters and many agents still find work."""
    picked = random.Random(index)
    return sorted({picked.randrange(index) for _ in range(2)}) if index > 20 else []


@pytest_asyncio.fixture
async def plan_id(tmp_path: Path, project: Path) -> str:
    server = await ServerProcess.start(tmp_path / "data")
    workspace = await server("memory_workspace", "register", workspace_path=str(project))
    plan = await server(
        "memory_plan",
        "create",
        workspace_id=workspace["workspace_id"],
        title="Many hands",
        category="quick_task",
        steps=[{"task": f"step {i}", "phase": f"Phase {i // 100}", "depends_on": waits_for(i)} for i in range(STEPS)],
    )
    assert await server.close() == 0
    return plan["plan_id"]


@pytest_asyncio.fixture
async def servers(tmp_path: Path, plan_id: str) -> AsyncGenerator[list[ServerProcess]]:
    found = await asyncio.gather(*(ServerProcess.start(tmp_path / "data") for _ in range(PROCESSES)))
    yield list(found)
    await asyncio.gather(*(server.kill() for server in found))


async def next_step(server: ServerProcess, **arguments: Any) -> dict[str, Any]:
    """Send a call until the database is free, as `busy` tells to: on a loaded machine who has the lock may sleep."""
    while True:
        try:
            return await server("memory_steps", "next", **arguments)
        except ToolError as error:
            if error.code != "busy":
                raise


async def work(server: ServerProcess, who: str, plan_id: str, **arguments: Any) -> int:
    """Take and finish steps until none is left; return how many this worker finished."""
    finished, held = 0, dict[str, Any]()
    while True:
        answer = await next_step(server, plan_id=plan_id, agent=who, **held, **arguments)
        finished += "completed" in answer
        if answer["remaining"] == 0:
            return finished
        held = {"step_id": answer["next"]["step_id"]} if "next" in answer else {}
        if not held:
            await server("memory_workspace", "events", plan_id=plan_id, since_id=10**9, wait_seconds=0.2)


async def together(*agents: Coroutine[Any, Any, T]) -> list[T]:
    """Return what all did, once all are done: who goes on when one has failed would start servers that nobody ends."""
    async with asyncio.timeout(TIME_LIMIT):
        ended = await asyncio.gather(*agents, return_exceptions=True)
    done = [end for end in ended if not isinstance(end, BaseException)]
    assert len(done) == len(ended), [end for end in ended if isinstance(end, BaseException)]
    return done


def check(data_root: Path, plan_id: str) -> None:
    """Every step is done, was finished exactly once, and after all it waits for; the database is whole."""
    db = sqlite3.connect(data_root / DATABASE_NAME)
    db.row_factory = sqlite3.Row
    try:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = db.execute("SELECT step_id, status FROM steps WHERE plan_id = ?", (plan_id,)).fetchall()
        assert [row["status"] for row in rows] == ["done"] * STEPS
        done = db.execute(
            """
            SELECT entity_id, min(event_id) AS event_id, count(*) AS times FROM event_log
            WHERE type = 'step_updated' AND data ->> 'to' = 'done' AND plan_id = ? GROUP BY entity_id
            """,
            (plan_id,),
        ).fetchall()
        assert {row["entity_id"]: row["times"] for row in done} == {row["step_id"]: 1 for row in rows}
        order = {row["entity_id"]: row["event_id"] for row in done}
        edges = db.execute("SELECT source_id, target_id FROM dependencies WHERE source_type = 'step'").fetchall()
        assert len(edges) > STEPS
        assert all(order[row["target_id"]] < order[row["source_id"]] for row in edges)
        tokens = db.execute(
            """
            SELECT entity_id, data ->> 'claim_token' AS token FROM event_log
            WHERE type IN ('step_claimed', 'step_reclaimed') ORDER BY event_id
            """
        ).fetchall()
        seen: dict[str, int] = {}
        for row in tokens:
            assert row["token"] == seen.get(row["entity_id"], 0) + 1
            seen[row["entity_id"]] = row["token"]
    finally:
        db.close()


async def test_many_agents_do_every_step_once(tmp_path: Path, servers: list[ServerProcess], plan_id: str) -> None:
    done = await together(*(work(server, f"agent-{i}", plan_id) for i, server in enumerate(servers)))
    assert sum(done) == STEPS
    check(tmp_path / "data", plan_id)


async def test_agents_that_are_killed_and_come_back_do_every_step_once(
    tmp_path: Path, servers: list[ServerProcess], plan_id: str
) -> None:
    async def mortal(place: int) -> None:
        """Work as one agent through several lives: killed at random moments, started again under the same name."""
        while True:
            try:
                await work(servers[place], f"agent-{place}", plan_id)
            except Died:
                servers[place] = await ServerProcess.start(tmp_path / "data")
            else:
                return

    async def reaper() -> None:
        dice = random.Random(7)
        for place in range(KILLED):
            await asyncio.sleep(dice.uniform(0.1, 0.6))
            await servers[place].kill()

    await together(reaper(), *(mortal(place) for place in range(PROCESSES)))
    check(tmp_path / "data", plan_id)


async def test_agents_that_sleep_through_their_lease_never_finish_what_others_took(
    tmp_path: Path, servers: list[ServerProcess], plan_id: str
) -> None:
    refused = 0

    async def sleepy(server: ServerProcess, who: str, place: int) -> None:
        """Work with a lease of one second, and now and then sleep longer than that before finishing."""
        nonlocal refused
        dice, held = random.Random(place), dict[str, Any]()
        while True:
            try:
                answer = await next_step(server, plan_id=plan_id, agent=who, lease_seconds=1, **held)
            except ToolError as error:
                if error.code != "conflict":
                    raise
                refused += 1
                held = {}
                continue
            if answer["remaining"] == 0:
                return
            step = answer.get("next", {})
            held = {"step_id": step["step_id"], "claim_token": step["claim_token"]} if step else {}
            if not step:
                await server("memory_workspace", "events", plan_id=plan_id, since_id=10**9, wait_seconds=0.2)
            elif dice.random() < SLEEPS / STEPS:
                await asyncio.sleep(1.5)

    await together(*(sleepy(server, f"agent-{i}", i) for i, server in enumerate(servers)))
    assert refused > 0
    check(tmp_path / "data", plan_id)
