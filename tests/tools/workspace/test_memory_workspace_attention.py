"""What needs a person or does not go on is told in one call, and is gone from it when it is done."""

import sqlite3
from typing import Any

from server.tools.render import MIN_BYTES
from tests.conftest import Agent

PAST = "2026-01-31T12:00:00.000Z"


async def plan_of(agent: Agent, workspace_id: str, *steps: dict[str, Any]) -> str:
    made = {"workspace_id": workspace_id, "title": "Vouchers", "category": "quick_task", "steps": [*steps]}
    return (await agent("memory_plan", "create", **made))["plan_id"]


async def attention(agent: Agent, workspace_id: str, **more: Any) -> dict[str, Any]:
    return await agent("memory_workspace", "attention", workspace_id=workspace_id, **more)


def long_ago(agent: Agent, sql: str) -> None:
    """Let time pass."""
    assert agent.settings
    db = sqlite3.connect(agent.settings.database)
    with db:
        db.execute(sql, {"past": PAST})
    db.close()


async def test_where_all_goes_on_nothing_needs_attention(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, {"task": "look"})
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    found = await attention(agent, workspace_id)

    assert set(found) == {"workspace_id", "totals"}
    assert set(found["totals"].values()) == {0}


async def test_a_gate_is_told_before_and_after_somebody_asks_with_how_to_answer(
    agent: Agent, workspace_id: str
) -> None:
    plan_id = await plan_of(agent, workspace_id, {"task": "look", "type": "user_validation"})
    reached = await attention(agent, workspace_id)
    assert [(row["kind"], row["plan_id"]) for row in reached["approvals"]] == [("step", plan_id)]

    asked = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="ada")
    found = await attention(agent, workspace_id)
    assert [row["approval_id"] for row in found["approvals"]] == [asked["approval_id"]]
    assert " confirm ID" in found["answer"]["confirm"]
    await agent.person_confirms(found["approvals"][0]["step_id"])
    assert "approvals" not in await attention(agent, workspace_id)


async def test_steps_that_are_stuck_are_told_with_the_end_of_their_notes(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, {"task": "a", "notes": "n" * 1000}, {"task": "b"}, {"task": "c"})
    for index, status in enumerate(("blocked", "failed")):
        edit = {"plan_id": plan_id, "step_index": index, "status": status, "append_notes": "no API key"}
        await agent("memory_steps", "update", **edit, agent="ada")
    found = await attention(agent, workspace_id)

    assert {step["status"]: step["index"] for step in found["stuck_steps"]} == {"blocked": 0, "failed": 1}
    assert all(step["note"].endswith("no API key") and len(step["note"]) <= 300 for step in found["stuck_steps"])
    assert all(step["plan"] == "Vouchers" for step in found["stuck_steps"])
    await agent("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="deferred")
    assert (await attention(agent, workspace_id))["totals"]["stuck_steps"] == 0


async def test_leases_and_sessions_of_which_nothing_is_heard_are_told(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, {"task": "look"}, {"task": "build"})
    session = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
    held = await agent("memory_steps", "next", plan_id=plan_id, session_id=session["session_id"])
    long_ago(agent, "UPDATE sessions SET last_seen_at = :past")
    still = await attention(agent, workspace_id)
    assert set(still["totals"].values()) == {0}  # a session with a claim that lives is at work

    long_ago(agent, "UPDATE steps SET lease_expires_at = :past WHERE lease_expires_at IS NOT NULL")
    found = await attention(agent, workspace_id)
    [lost] = found["lost_leases"]
    assert (lost["step_id"], lost["agent"], lost["lease_expires_at"]) == (held["next"]["step_id"], "ada", PAST)
    [silent] = found["silent_sessions"]
    assert (silent["session_id"], silent["plan"]) == (session["session_id"], "Vouchers")

    await agent("memory_steps", "next", plan_id=plan_id, agent="bob")
    await agent("memory_agent", "complete", session_id=session["session_id"], summary="over", force=True)
    assert set((await attention(agent, workspace_id))["totals"].values()) == {0}


async def test_messages_to_a_person_are_told_under_every_name_of_one(agent: Agent, workspace_id: str) -> None:
    me = {"workspace_id": workspace_id, "agent": "ada"}
    for name in ("human", "User", "ada"):
        await agent("memory_session", "send_message", to_agent=name, content=f"for {name}", **me)
    found = await attention(agent, workspace_id)

    assert {message["content"] for message in found["messages"]} == {"for human", "for User"}
    assert found["totals"]["messages"] == 2


async def test_it_is_of_one_workspace_and_can_be_of_one_plan(agent: Agent, workspace_id: str, tmp_path: Any) -> None:
    first = await plan_of(agent, workspace_id, {"task": "a", "status": "blocked"})
    await plan_of(agent, workspace_id, {"task": "b", "status": "failed"})
    other = tmp_path / "other"
    other.mkdir()
    elsewhere = (await agent("memory_workspace", "register", workspace_path=str(other)))["workspace_id"]
    await plan_of(agent, elsewhere, {"task": "c", "status": "failed"})
    to_me = {"to_agent": "human", "agent": "ada"}
    await agent("memory_session", "send_message", content="of the plan", plan_id=first, **to_me)
    await agent("memory_session", "send_message", content="of none", workspace_id=workspace_id, **to_me)

    assert (await attention(agent, workspace_id))["totals"]["stuck_steps"] == 2
    one = await agent("memory_workspace", "attention", plan_id=first)
    assert [step["task"] for step in one["stuck_steps"]] == ["a"]
    assert [message["content"] for message in one["messages"]] == ["of the plan"]
    assert (one["totals"]["stuck_steps"], one["totals"]["messages"]) == (1, 1)


async def test_more_than_a_result_holds_is_counted_and_the_rest_can_be_read(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": f"step {n} {'words ' * 20}", "status": "failed"} for n in range(60)]
    plan_id = await plan_of(agent, workspace_id, *steps)
    found = await attention(agent, workspace_id, max_bytes=45_000)
    assert (len(found["stuck_steps"]), found["totals"]["stuck_steps"]) == (50, 60)

    cut = await attention(agent, workspace_id, max_bytes=4 * MIN_BYTES)
    assert cut["truncated"]["omitted"] == 50 - len(cut["stuck_steps"])
    assert f"plan_id='{plan_id}'" in cut["truncated"]["hint"]
