"""What went to the trash comes back with what it was joined to, in any order, and not when its time is over."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.db.workspaces.stats import EXPIRING
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import make

WS = "memory_workspace"
PAST, FAR = "2020-01-01T00:00:00.000Z", "9999-12-30T00:00:00.000Z"
ORDERS = list(itertools.permutations(("target", "middle", "waiter")))


async def end(db: Database, table: str) -> None:
    """Let everything in a table that may expire have done so long ago."""
    column = EXPIRING[table]
    async with db.transaction() as tx:
        await tx.run(f"UPDATE {table} SET {column} = '{PAST}' WHERE {column} IS NOT NULL")


async def edges(db: Database) -> list[Any]:
    columns = "source_type, source_id, target_type, target_id, dep_type, dep_status"
    return [tuple(row) for row in await db.all(f"SELECT {columns} FROM dependencies ORDER BY 1, 2, 3, 4")]


@pytest.mark.parametrize("orders", list(itertools.product([ORDERS[0], ORDERS[-1]], ORDERS)))
@pytest.mark.parametrize("what", ["steps", "plans"])
async def test_what_waits_and_what_it_waits_for_come_back_joined_in_any_order(
    agent: Agent, workspace_id: str, db: Database, what: str, orders: Sequence[Sequence[str]]
) -> None:
    gone, back = orders
    names, before = ORDERS[0], list[str]()
    named: dict[str, dict[str, str]] = {}
    if what == "plans":
        for name in names:
            plan = await make(agent, workspace_id, name, steps=[{"task": "x"}], depends_on_plans=before[-1:])
            named[name] = {"plan_id": plan["plan_id"]}
            before.append(plan["plan_id"])
    else:
        steps = [{"task": name, "depends_on": [place - 1] if place else []} for place, name in enumerate(names)]
        plan = await make(agent, workspace_id, "Plan", steps=steps)
        named = {name: {"step_id": step_id} for name, step_id in zip(names, plan["step_ids"], strict=True)}
    joined = await edges(db)
    assert len(joined) == 2
    tool = f"memory_{what}" if what == "steps" else "memory_plan"

    trash = {name: (await agent(tool, "delete", confirm=True, **named[name]))["trash_id"] for name in gone}
    assert await edges(db) == []
    answers = [await agent(WS, "restore", trash_id=trash[name]) for name in back]

    assert await edges(db) == joined
    assert not any("left out" in told for answer in answers for told in answer.get("warnings", []))
    assert "warnings" not in answers[-1]


async def test_trash_that_expired_is_not_listed_not_restored_and_not_named(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan = await make(agent, workspace_id, "Plan", steps=[{"task": "a"}, {"task": "b", "depends_on": [0]}])
    target, waiter = plan["step_ids"]
    of_waiter = (await agent("memory_steps", "delete", step_id=waiter, confirm=True))["trash_id"]
    of_target = (await agent("memory_steps", "delete", step_id=target, confirm=True))["trash_id"]
    async with db.transaction() as tx:
        await tx.run("UPDATE trash SET expires_at = :past WHERE trash_id = :id", {"past": PAST, "id": of_target})

    listed = await agent(WS, "trash", workspace_id=workspace_id)
    assert ([entry["trash_id"] for entry in listed["trash"]], listed["total"]) == ([of_waiter], 1)
    error = await agent.fails(WS, "restore", trash_id=of_target)
    assert (error["code"], PAST in error["message"]) == ("not_found", True)
    unknown = await agent.fails(WS, "restore", trash_id="trash_unknown")
    assert [near["trash_id"] for near in unknown["near"]] == [of_waiter]
    stats = await agent(WS, "stats")
    assert (stats["rows"]["trash"], stats["trash"]["entries"]) == (1, 1)
    assert stats["expiring"]["trash"] == {"expired": 1, "next_at": listed["trash"][0]["expires_at"]}

    back = await agent(WS, "restore", trash_id=of_waiter)
    assert back["warnings"] == ["1 dependencies were left out: what they name is gone."]
    await agent.fails(WS, "restore", trash_id=of_target)


async def test_what_belongs_to_expired_trash_is_gone_for_good(agent: Agent, workspace_id: str, db: Database) -> None:
    plan = await make(agent, workspace_id, "Plan", steps=[{"task": "a"}])
    of_step = (await agent("memory_steps", "delete", step_id=plan["step_ids"][0], confirm=True))["trash_id"]
    of_plan = (await agent("memory_plan", "delete", plan_id=plan["plan_id"], confirm=True))["trash_id"]
    async with db.transaction() as tx:
        await tx.run("UPDATE trash SET expires_at = :past WHERE trash_id = :id", {"past": PAST, "id": of_plan})
    error = await agent.fails(WS, "restore", trash_id=of_step)
    assert ("trash_id" in error, "does not exist any more" in error["message"]) == (False, True)


@pytest.mark.parametrize("kind", ["item", "fact"])
async def test_what_expired_in_the_trash_does_not_come_back(
    agent: Agent, workspace_id: str, db: Database, kind: str
) -> None:
    here = {"workspace_id": workspace_id}
    if kind == "item":
        stored: dict[str, Any] = {"parent_type": "workspace", "type": "notes", **here}
        await agent("memory_context", "store", data={"a": 1}, expires_in=60, **stored)
        gone = await agent("memory_context", "delete", confirm=True, **stored)
    else:
        await agent("memory_context", "remember", key="k", value="v", ttl_seconds=60, **here)
        gone = await agent("memory_context", "forget", key="k", confirm=True, **here)
    async with db.transaction() as tx:
        data = json.loads(await tx.value("SELECT data FROM trash"))
        for rows in data.values():
            rows[0]["expires_at"] = PAST
        await tx.run("UPDATE trash SET data = :data", {"data": json.dumps(data)})
    error = await agent.fails(WS, "restore", trash_id=gone["trash_id"])
    assert (error["code"], PAST in error["message"]) == ("conflict", True)


async def test_a_plan_comes_back_without_what_expired_meanwhile(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = (await make(agent, workspace_id, "Plan", steps=[{"task": "a"}]))["plan_id"]
    for name in ("short", "long"):
        await agent("memory_context", "store", plan_id=plan_id, type=name, data={"a": 1}, expires_in=600)
    async with db.transaction() as tx:
        await tx.run("UPDATE context_items SET expires_at = :past WHERE type = 'short'", {"past": PAST})
    gone = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    back = await agent(WS, "restore", trash_id=gone["trash_id"])
    assert back["warnings"] == ["1 rows were left out: they expired meanwhile."]
    assert await db.value("SELECT count(*) FROM context_items") == 1


async def test_what_expired_is_seen_nowhere_and_stats_say_so(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = (await make(agent, workspace_id, "Plan", steps=[{"task": "a"}]))["plan_id"]
    await agent("memory_context", "store", plan_id=plan_id, type="zebra", data={"zebra": 1}, expires_in=60)
    await agent("memory_context", "remember", key="zebra", value="zebra", ttl_seconds=60, workspace_id=workspace_id)
    await agent("memory_session", "reserve_files", paths=["zebra.py"], agent="ada", workspace_id=workspace_id)
    stats = await agent(WS, "stats", workspace_id=workspace_id)
    tables = ("context_items", "file_reservations", "memory_entries")
    assert {table: stats["rows"].get(table) for table in tables} == dict.fromkeys(tables, 1)
    assert all(stats["expiring"][table].keys() == {"next_at"} for table in tables)
    for table in tables:
        await end(db, table)

    readings = [
        await agent("memory_plan", "get", plan_id=plan_id, include=["context"]),
        await agent("memory_plan", "get", plan_id=plan_id, detail="full", include=["context"]),
        await agent("memory_context", "list", plan_id=plan_id, workspace_id=workspace_id),
        await agent("memory_context", "recall", workspace_id=workspace_id),
        await agent("memory_context", "search", query="zebras", workspace_id=workspace_id),
        await agent("memory_context", "pull", query="zebra", workspace_id=workspace_id),
        await agent("memory_session", "list_reservations", workspace_id=workspace_id),
        await agent("memory_agent", "init", agent="ada", plan_id=plan_id),
        await agent("memory_plan", "export_plan", plan_id=plan_id, format="markdown"),
    ]
    for reading in readings:
        assert "zebra" not in json.dumps(reading).replace("zebras", "")
    after = await agent(WS, "stats", workspace_id=workspace_id)
    assert not set(tables) & after["rows"].keys()
    assert {table: after["expiring"][table] for table in tables} == {table: {"expired": 1} for table in tables}


async def test_a_clock_that_was_far_in_the_future_breaks_nothing(agent: Agent, workspace_id: str, db: Database) -> None:
    plan = await make(agent, workspace_id, "Plan", steps=[{"task": "a"}])
    gone = await agent("memory_steps", "delete", step_id=plan["step_ids"][0], confirm=True)
    async with db.transaction() as tx:
        await tx.run("UPDATE trash SET created_at = :far, expires_at = :far", {"far": FAR})
        await tx.run("UPDATE event_log SET timestamp = :far", {"far": FAR})
    assert (await agent(WS, "trash", workspace_id=workspace_id))["total"] == 1
    assert (await agent(WS, "stats"))["trash"]["may_go_from"] == FAR
    assert (await agent(WS, "restore", trash_id=gone["trash_id"]))["restored"] == {"steps": 1}
