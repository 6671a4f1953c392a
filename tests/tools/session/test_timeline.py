"""memory_session timeline: who worked when, on what, and who had the ball."""

from typing import Any

import pytest_asyncio

from server.settings import Settings
from server.store import open_store
from tests.conftest import Agent, tick

LONG_AGO = "2020-01-01T00:00:00.000Z"


@pytest_asyncio.fixture
async def worked(agent: Agent, workspace_id: str) -> dict[str, Any]:
    """A plan on which ada did a step, passed another to bob, and left one; bob holds his."""
    steps = [{"task": name} for name in ("draw", "saw", "glue", "paint")]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="A boat", steps=steps)
    here = {"plan_id": plan["plan_id"]}
    ada = {"session_id": (await agent("memory_agent", "init", agent="ada", **here))["session_id"]}
    bob = {"session_id": (await agent("memory_agent", "init", agent="bob", **here))["session_id"]}
    for index in (0, 1, 2):
        await agent("memory_steps", "claim", step_index=index, **here, **ada)
    await agent("memory_steps", "update", step_index=0, status="done", **here, **ada)
    await agent("memory_steps", "release", step_index=2, reason="no glue", **here, **ada)
    await agent(
        "memory_agent", "handoff", to_agent="bob", reason="bob saws better",
        pass_claims=True, **here, **ada,
    )  # fmt: skip
    return {
        "workspace_id": workspace_id, **here, "ada": ada["session_id"], "bob": bob["session_id"],
        "steps": plan["step_ids"],
    }  # fmt: skip


async def test_it_tells_who_held_what_and_why_that_ended(agent: Agent, worked: dict[str, Any]) -> None:
    for where in ({"plan_id": worked["plan_id"]}, {"workspace_id": worked["workspace_id"]}):
        found = await agent("memory_session", "timeline", **where)

        draw, saw, glue, _ = worked["steps"]
        told = {(one["step_id"], one["agent"]): one.get("ended") for one in found["held"]}
        assert told == {(draw, "ada"): "done", (saw, "ada"): "passed", (saw, "bob"): None, (glue, "ada"): "no glue"}
        now = next(one for one in found["held"] if one["agent"] == "bob")
        assert (now["holder"], now["task"], now["index"]) == ("bob", "saw", 1)
        assert "until" not in now
        [handoff] = found["handoffs"]
        assert (handoff["from_agent"], handoff["to_agent"], handoff["reason"]) == ("ada", "bob", "bob saws better")
        assert {one["session_id"] for one in found["sessions"]} == {worked["ada"], worked["bob"]}
        assert found["sessions_total"] == 2


async def test_a_session_that_fell_silent_ends_where_it_was_last_heard_of_and_its_claim_with_its_lease(
    agent: Agent, worked: dict[str, Any], settings: Settings
) -> None:
    db = await open_store(settings)
    async with db.transaction() as tx:
        await tx.run("UPDATE sessions SET last_seen_at = :then WHERE session_id = :bob", {"then": LONG_AGO, **worked})
        await tx.run("UPDATE steps SET lease_expires_at = :then WHERE claimed_by = 'bob'", {"then": LONG_AGO})
    await db.close()

    found = await agent("memory_session", "timeline", plan_id=worked["plan_id"])

    bob = next(one for one in found["sessions"] if one["session_id"] == worked["bob"])
    assert (bob["status"], bob["until"]) == ("orphaned", LONG_AGO)
    held = next(one for one in found["held"] if one["agent"] == "bob")
    assert (held["until"], held["ended"]) == (LONG_AGO, "the lease ran out")


async def test_only_what_the_sessions_that_are_asked_for_saw_is_told(agent: Agent, worked: dict[str, Any]) -> None:
    tick()
    await agent("memory_agent", "init", agent="eve", plan_id=worked["plan_id"])

    found = await agent("memory_session", "timeline", plan_id=worked["plan_id"], most=1)

    assert [one["agent"] for one in found["sessions"]] == ["eve"]
    assert found["sessions_total"] == 3
    assert "handoffs" not in found
    assert "held" not in found


async def test_where_nobody_worked_there_is_nothing_to_tell(agent: Agent, workspace_id: str) -> None:
    found = await agent("memory_session", "timeline", workspace_id=workspace_id)

    assert found["sessions_total"] == 0
    assert "sessions" not in found
