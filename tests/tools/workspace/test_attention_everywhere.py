"""What needs a person in all workspaces is one call, whose parts say where they are from."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.jobs import checking
from server.settings import Settings
from server.store import Store
from tests.conftest import Agent

PAST = "2026-01-31T12:00:00.000Z"
KINDS = ("approvals", "messages", "lost_leases", "stuck_steps", "silent_sessions")


@pytest_asyncio.fixture
async def homes(agent: Agent, tmp_path: Path) -> dict[str, str]:
    """A workspace for each kind of thing that needs somebody, one for a gate that work reached, and a calm one."""
    found: dict[str, str] = {}
    for name in (*KINDS, "reached", "calm"):
        (tmp_path / name).mkdir()
        made = await agent("memory_workspace", "register", workspace_path=str(tmp_path / name))
        found[name] = made["workspace_id"]
        gate = {"type": "user_validation"} if name in ("approvals", "reached") else {}
        plan = await agent(
            "memory_plan", "create", workspace_id=found[name], title=name, category="quick_task",
            steps=[{"task": f"{name} step", **gate}],
        )  # fmt: skip
        await needing(agent, name, plan["plan_id"], found[name])
    return found


async def needing(agent: Agent, name: str, plan_id: str, home: str) -> None:
    one = {"plan_id": plan_id, "step_index": 0}
    if name == "approvals":
        await agent.fails("memory_steps", "update", **one, status="done", agent="ada")
    elif name == "messages":
        await agent(
            "memory_session", "send_message", workspace_id=home, to_agent="human", content="May I?", agent="ada"
        )
    elif name == "lost_leases":
        await agent("memory_steps", "claim", **one, agent="ada")
        past(agent, "UPDATE steps SET lease_expires_at = :past WHERE plan_id = :plan", plan_id)
    elif name == "stuck_steps":
        await agent("memory_steps", "update", **one, status="blocked", agent="ada")
    elif name == "silent_sessions":
        await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
        past(agent, "UPDATE sessions SET last_seen_at = :past WHERE plan_id = :plan", plan_id)


def past(agent: Agent, sql: str, plan_id: str) -> None:
    """Let time pass."""
    assert agent.settings
    with closing(sqlite3.connect(agent.settings.database)) as db, db:
        db.execute(sql, {"past": PAST, "plan": plan_id})


async def test_each_thing_says_its_workspace_and_calm_ones_are_left_out(agent: Agent, homes: dict[str, str]) -> None:
    found = await agent("memory_workspace", "attention", everywhere=True, max_bytes=45_000)

    assert {one["workspace_id"] for one in found["workspaces"]} == {*homes.values()} - {homes["calm"]}
    assert found["workspaces_total"] == 6
    for kind in KINDS:
        of = {homes[kind]} | ({homes["reached"]} if kind == "approvals" else set())
        assert {one["workspace_id"] for one in found[kind]} == of
    assert found["totals"] == {**dict.fromkeys(KINDS, 1), "approvals": 2, "check": 0}
    assert " confirm ID" in found["answer"]["confirm"]


async def test_it_is_what_each_workspace_says_for_itself(agent: Agent, homes: dict[str, str]) -> None:
    everywhere = await agent("memory_workspace", "attention", everywhere=True, max_bytes=45_000)
    for kind in KINDS:
        rows: list[dict[str, Any]] = []
        for home in homes.values():
            found = await agent("memory_workspace", "attention", workspace_id=home)
            rows += [{"workspace_id": home, **row} for row in found.get(kind, ())]

        assert sorted(map(str, rows)) == sorted(map(str, everywhere[kind]))


async def test_where_all_is_calm_nothing_is_told(agent: Agent, workspace_id: str) -> None:
    found = await agent("memory_workspace", "attention", everywhere=True)

    assert set(found) == {"totals", "workspaces_total"}
    assert set(found["totals"].values()) == {0}


async def test_a_plan_is_in_one_workspace(agent: Agent, homes: dict[str, str]) -> None:
    error = await agent.fails("memory_workspace", "attention", everywhere=True, plan_id="plan_1")

    assert "not both" in error["message"]


async def test_what_the_daily_look_found_is_told_until_it_is_mended(agent: Agent, workspace_id: str) -> None:
    assert agent.settings
    with closing(sqlite3.connect(agent.settings.database)) as db, db:
        db.execute(
            """
            INSERT INTO context_items
                (item_id, workspace_id, parent_type, parent_id, type, data, created_at, updated_at)
            VALUES ('i', ?, 'step', 'gone', 'a', '1', ?, ?)
            """,
            (workspace_id, PAST, PAST),
        )
    await look(agent.settings)
    found = await agent("memory_workspace", "attention", everywhere=True)

    names = {one["name"]: one for one in found["check"]}
    assert "orphaned-context" in names
    assert "repair orphaned-context" in names["orphaned-context"]["command"]
    assert found["totals"]["check"] == len(found["check"])

    with closing(sqlite3.connect(agent.settings.database)) as db, db:
        db.execute("DELETE FROM context_items")
    await look(agent.settings)
    again = await agent("memory_workspace", "attention", everywhere=True)
    assert "orphaned-context" in {one["name"] for one in again["check"]}  # this day was looked at

    with closing(sqlite3.connect(agent.settings.database)) as db, db:
        db.execute("UPDATE upkeep_turns SET taken_at = ? WHERE task = 'check'", (PAST,))
    await look(agent.settings)
    mended = await agent("memory_workspace", "attention", everywhere=True)
    assert "orphaned-context" not in {one["name"] for one in mended.get("check", ())}


async def look(settings: Settings) -> None:
    store = Store(settings)
    await checking.once(store)
    await store.close()


@pytest.mark.parametrize("number", [60])
async def test_of_many_workspaces_some_are_told_and_how_many_there_are(
    agent: Agent, tmp_path: Path, number: int
) -> None:
    for name in range(number):
        (tmp_path / str(name)).mkdir()
        home = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / str(name))))["workspace_id"]
        await agent(
            "memory_session", "send_message", workspace_id=home, to_agent="human", content=str(name), agent="ada"
        )

    found = await agent("memory_workspace", "attention", everywhere=True, max_bytes=45_000)

    assert (found["workspaces_total"], len(found["workspaces"]), len(found["messages"])) == (number, 50, 50)
