"""memory_plan archive_old: what is over is put away together, told before, and comes back as it was."""

from typing import Any

import pytest

from server.db.storage.connection import Database
from server.models.base import later
from server.tools.plan.status import AT_ONCE
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

PLAN = "memory_plan"


async def made(agent: Agent, workspace_id: str, title: str, status: str = "completed") -> str:
    steps = [{"task": "one", "status": "done", "notes": "kept"}, {"task": "two", "status": "cancelled"}]
    plan = await agent(PLAN, "create", workspace_id=workspace_id, title=title, steps=steps)
    if status != "active":
        await agent(PLAN, "update", plan_id=plan["plan_id"], status=status, agent="ada")
    return plan["plan_id"]


async def aged(db: Database, days: int, *plan_ids: str) -> None:
    """Let plans have been touched last so many days ago."""
    then = later(db.now(), -days * 86_400)
    async with db.transaction() as tx:
        for plan_id in plan_ids:
            params = {"then": then, "plan_id": plan_id}
            await tx.run("UPDATE steps SET updated_at = :then WHERE plan_id = :plan_id", params)
            changes = "updated_at = :then, completed_at = iif(completed_at IS NULL, NULL, :then)"
            await tx.run(f"UPDATE plans SET {changes} WHERE plan_id = :plan_id", params)


async def test_plans_that_were_completed_long_ago_are_archived_together(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    old, older, young, going = [
        await made(agent, workspace_id, title, status)
        for title, status in (("Old", "completed"), ("Older", "completed"), ("Young", "completed"), ("On", "active"))
    ]
    await aged(db, 100, old, going)
    await aged(db, 200, older)
    await aged(db, 80, young)
    before = [await agent(PLAN, "get", plan_id=plan_id, detail="full") for plan_id in (older, old)]

    told = await agent(PLAN, "archive_old", workspace_id=workspace_id, agent="ada")
    assert [one["plan_id"] for one in told["preview"]["plans"]] == [older, old]
    assert told["preview"]["would_archive"] == 2
    assert (await agent(PLAN, "get", plan_id=old))["status"] == "completed"
    few = await agent(PLAN, "archive_old", workspace_id=workspace_id, older_than_days=150)
    assert [one["plan_id"] for one in few["preview"]["plans"]] == [older]

    sent: dict[str, Any] = {"workspace_id": workspace_id, "confirm": True, "agent": "ada", "request_id": "once"}
    done = await agent(PLAN, "archive_old", **sent)
    assert (done["archived"], done["remaining"]) == ([older, old], 0)
    assert await agent(PLAN, "archive_old", **sent) == done
    archived = await agent(PLAN, "list", workspace_id=workspace_id, status="archived")
    assert {one["plan_id"] for one in archived["plans"]} == {older, old}
    live = await agent(PLAN, "list", workspace_id=workspace_id)
    assert {one["plan_id"] for one in live["plans"]} == {young, going}

    for plan_id, was in zip((older, old), before, strict=True):
        await agent(PLAN, "unarchive", plan_id=plan_id, agent="ada")
        assert await agent(PLAN, "get", plan_id=plan_id, detail="full") == was


async def test_plans_of_another_status_go_when_nobody_touched_them(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    left, touched = [await made(agent, workspace_id, title, "failed") for title in ("Left", "Touched")]
    await aged(db, 100, left, touched)
    steps = await agent("memory_steps", "list", plan_id=touched)
    await agent("memory_steps", "update", step_id=steps["steps"][0]["step_id"], append_notes="seen", agent="ada")
    wanted = {"workspace_id": workspace_id, "status": "failed", "confirm": True, "agent": "ada"}
    assert (await agent(PLAN, "archive_old", **wanted))["archived"] == [left]
    error = await agent.fails(PLAN, "archive_old", workspace_id=workspace_id, status="archived")
    assert error["code"] == "invalid_arguments"


async def test_a_plan_in_which_somebody_works_stays(agent: Agent, workspace_id: str, db: Database) -> None:
    plan = await agent(PLAN, "create", workspace_id=workspace_id, title="Held", steps=[{"task": "one"}])
    await agent("memory_steps", "next", plan_id=plan["plan_id"], agent="ada", lease_seconds=3600)
    await aged(db, 100, plan["plan_id"])
    wanted = {"workspace_id": workspace_id, "status": "active", "confirm": True, "agent": "bob"}
    told = await agent(PLAN, "archive_old", **wanted)
    assert ("archived" in told, told["in_work"]) == (False, 1)


async def test_a_call_archives_so_many_and_tells_how_many_are_left(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    ids = [await made(agent, workspace_id, f"Plan {number}") for number in range(AT_ONCE + 2)]
    await aged(db, 100, *ids)
    sent = {"workspace_id": workspace_id, "confirm": True, "agent": "ada"}
    first = await agent(PLAN, "archive_old", **sent)
    assert (len(first["archived"]), first["remaining"]) == (AT_ONCE, 2)
    second = await agent(PLAN, "archive_old", **sent)
    assert (len(second["archived"]), second["remaining"]) == (2, 0)
    assert {*first["archived"], *second["archived"]} == {*ids}
