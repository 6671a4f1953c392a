"""memory_steps: claims, leases, fences, gates and dependencies."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from server.settings import Settings
from server.store import open_store
from tests.conftest import Agent, tick

pytestmark = pytest.mark.any_transport


@pytest_asyncio.fixture
async def other_process(settings: Settings) -> AsyncGenerator[Database]:
    """A second connection to the same database, to make time pass for leases."""
    database = await open_store(settings)
    yield database
    await database.close()


async def run_out(db: Database, step_id: str) -> None:
    """Let the lease of a step end in the past."""
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    async with db.transaction() as tx:
        await tx.run(
            "UPDATE steps SET lease_expires_at = :past WHERE step_id = :step_id", {"past": past, "step_id": step_id}
        )


async def plan_of(agent: Agent, workspace_id: str, *phases: dict[str, Any], **more: Any) -> str:
    plan = await agent(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="Work",
        category="quick_task",
        phases=list(phases),
        **more,
    )
    return plan["plan_id"]


def phase(name: str, *tasks: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "steps": [{"task": t} if isinstance(t, str) else t for t in tasks], **more}


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    return await plan_of(agent, workspace_id, phase("Work", "a", "b", "c"))


async def take(agent: Agent, plan_id: str, who: str, **arguments: Any) -> dict[str, Any]:
    return await agent("memory_steps", "next", plan_id=plan_id, agent=who, **arguments)


async def confirm_step(agent: Agent, step_id: str) -> None:
    await agent.person_confirms(step_id)


async def test_who_claims_must_say_who_it_is(agent: Agent, plan_id: str) -> None:
    for action, arguments in (("next", {}), ("claim", {"step_index": 0})):
        error = await agent.fails("memory_steps", action, plan_id=plan_id, **arguments)
        assert error["code"] == "invalid_arguments"
        assert error["missing"] == ["session_id or agent"]


async def test_next_claims_and_a_repetition_returns_the_same_step(agent: Agent, plan_id: str) -> None:
    first = await take(agent, plan_id, "ada")
    again = await take(agent, plan_id, "ada")
    assert first["next"] == again["next"]
    assert (first["next"]["task"], first["next"]["claim_token"], first["remaining"]) == ("a", 1, 3)
    assert (await take(agent, plan_id, "bob"))["next"]["task"] == "b"


async def test_next_finishes_the_named_step_once(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    done = await take(agent, plan_id, "ada", step_id=step["step_id"], notes="green")
    again = await take(agent, plan_id, "ada", step_id=step["step_id"], notes="green")
    assert done["completed"] == again["completed"] == {"step_id": step["step_id"], "index": 0, "status": "done"}
    assert done["next"]["step_id"] == again["next"]["step_id"]
    finished = await agent("memory_steps", "get", step_id=step["step_id"])
    assert (finished["notes"], finished["completed_by"]) == ("green", "ada")
    error = await agent.fails("memory_steps", "next", plan_id=plan_id, agent="bob", step_id=step["step_id"])
    assert error["code"] == "conflict"
    assert "ada" in error["message"]


async def test_the_last_next_says_that_nothing_remains(agent: Agent, plan_id: str) -> None:
    answer = await take(agent, plan_id, "ada")
    for _ in range(3):
        answer = await take(agent, plan_id, "ada", step_id=answer["next"]["step_id"])
    assert answer["remaining"] == 0
    assert "next" not in answer
    assert "waiting" not in answer


async def test_a_held_step_is_a_conflict_for_others_and_names_holder_and_expiry(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    for action, arguments in (
        ("update", {"status": "done"}),
        ("update", {"notes": "x"}),
        ("delete", {"confirm": True}),
        ("set_dependencies", {"depends_on": ["1"]}),
        ("claim", {}),
        ("release", {}),
        ("heartbeat", {}),
    ):
        error = await agent.fails("memory_steps", action, step_id=step["step_id"], agent="bob", **arguments)
        assert error["code"] == "conflict", action
        assert (error["held_by"], error["until"]) == ("ada", step["lease_expires_at"]), action
    unchanged = await agent("memory_steps", "get", step_id=step["step_id"])
    assert (unchanged["status"], unchanged["claimed_by"]) == ("active", "ada")


async def test_the_token_lets_someone_else_write(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    await agent("memory_steps", "update", step_id=step["step_id"], claim_token=1, append_notes="from a helper")
    assert (await agent("memory_steps", "get", step_id=step["step_id"]))["claimed_by"] == "ada"


async def test_force_takes_over_and_the_old_token_is_worth_nothing(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    taken = await agent("memory_steps", "claim", step_id=step["step_id"], agent="bob", force=True)
    assert (taken["claimed_by"], taken["claim_token"]) == ("bob", 2)
    assert "ada" in taken["notes"]
    for action, arguments in (
        ("update", {"status": "done"}),
        ("heartbeat", {}),
        ("release", {}),
        ("next", {"plan_id": plan_id}),
    ):
        error = await agent.fails(
            "memory_steps", action, step_id=step["step_id"], agent="ada", claim_token=1, **arguments
        )
        assert error["code"] == "conflict", action
        assert "next" in error["message"]
    events = await agent("memory_workspace", "events", plan_id=plan_id, since_id=0)
    assert [e["data"]["lost_by"] for e in events["events"] if e["type"] == "step_taken_over"] == ["ada"]


async def test_a_lease_that_ran_out_is_reclaimed_with_a_note_and_a_new_token(
    agent: Agent, plan_id: str, other_process: Database
) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    await run_out(other_process, step["step_id"])
    ready = await agent("memory_steps", "ready", plan_id=plan_id)
    assert ready["steps"][0]["step_id"] == step["step_id"]
    taken = (await take(agent, plan_id, "bob"))["next"]
    assert (taken["step_id"], taken["claim_token"], taken["claimed_by"]) == (step["step_id"], 2, "bob")
    assert "ran out" in taken["notes"]
    assert "ada" in taken["notes"]
    error = await agent.fails(
        "memory_steps", "next", plan_id=plan_id, agent="ada", step_id=step["step_id"], claim_token=1
    )
    assert error["code"] == "conflict"
    assert error["held_by"] == "bob"
    events = await agent("memory_workspace", "events", plan_id=plan_id, since_id=0)
    assert "step_reclaimed" in [event["type"] for event in events["events"]]


async def test_a_holder_whose_lease_ran_out_keeps_the_step_while_nobody_took_it(
    agent: Agent, plan_id: str, other_process: Database
) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    await run_out(other_process, step["step_id"])
    tick()
    again = (await take(agent, plan_id, "ada"))["next"]
    assert (again["step_id"], again["claim_token"]) == (step["step_id"], 1)
    assert again["lease_expires_at"] > step["lease_expires_at"]


async def test_heartbeat_extends_the_lease(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada", lease_seconds=60))["next"]
    kept = await agent("memory_steps", "heartbeat", step_id=step["step_id"], agent="ada", lease_seconds=3600)
    assert kept["lease_expires_at"] > step["lease_expires_at"]
    assert kept["claim_token"] == 1
    error = await agent.fails("memory_steps", "heartbeat", plan_id=plan_id, step_index=1, agent="ada")
    assert error["code"] == "conflict"


async def test_release_frees_the_step_and_the_token_keeps_growing(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    await agent("memory_steps", "release", step_id=step["step_id"], agent="ada", reason="too hard")
    freed = await agent("memory_steps", "get", step_id=step["step_id"])
    assert (freed["status"], freed["notes"]) == ("pending", "too hard")
    assert "claimed_by" not in freed
    assert (await take(agent, plan_id, "bob"))["next"]["claim_token"] == 2
    error = await agent.fails("memory_steps", "release", step_id=step["step_id"], agent="bob", status="active")
    assert error["code"] == "conflict"


async def test_a_step_one_is_done_with_cannot_stay_active(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    error = await agent.fails(
        "memory_steps", "next", plan_id=plan_id, step_id=step["step_id"], agent="ada", status="active"
    )
    assert (error["code"], "cannot stay active" in error["message"]) == ("conflict", True)


async def test_setting_a_step_active_claims_it(agent: Agent, plan_id: str) -> None:
    changed = await agent("memory_steps", "update", plan_id=plan_id, step_index=1, status="active", agent="ada")
    assert changed["claim_token"] == 1
    assert (await take(agent, plan_id, "ada"))["next"]["index"] == 1
    assert (await take(agent, plan_id, "bob"))["next"]["index"] == 0


async def test_a_dependency_is_satisfied_by_done_and_cancelled_but_not_by_failed(
    agent: Agent, workspace_id: str
) -> None:
    for status, ready in (("failed", []), ("done", ["b"]), ("cancelled", ["b"])):
        plan_id = await plan_of(agent, workspace_id, phase("P", "a", {"task": "b", "depends_on": [0]}))
        await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status=status)
        found = await agent("memory_steps", "ready", plan_id=plan_id)
        assert [step["task"] for step in found["steps"]] == ready, status


async def test_nothing_eligible_says_why(agent: Agent, workspace_id: str) -> None:
    steps = ["a", {"task": "b", "depends_on": [0]}, {"task": "c", "type": "critical"}, "d", "e"]
    plan_id = await plan_of(agent, workspace_id, phase("P", *steps))
    held = (await take(agent, plan_id, "ada"))["next"]
    await agent("memory_steps", "update", plan_id=plan_id, step_index=3, status="blocked")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=4, status="failed")
    answer = await take(agent, plan_id, "bob")
    assert answer["waiting"]["counts"] == {"held": 1, "dependency": 1, "confirmation": 1, "blocked": 1, "failed": 1}
    reasons = [step["reason"] for step in answer["waiting"]["first"]]
    assert reasons[0] == f"held by ada until {held['lease_expires_at']}"
    assert held["step_id"] in reasons[1]
    assert "needs confirmation" in reasons[2]
    assert "next" not in answer


async def test_a_plan_that_is_not_active_gives_no_work(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="deferred")
    answer = await take(agent, plan_id, "ada")
    assert answer["waiting"]["counts"] == {"plan_paused": 3}
    error = await agent.fails("memory_steps", "claim", plan_id=plan_id, step_index=0, agent="ada")
    assert (error["code"], error["reason"]) == ("conflict", "plan_paused")
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["steps"] == []


async def test_next_gives_what_is_assigned_to_nobody_or_to_the_caller(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": "a", "assignee": "Tester"}, {"task": "b", "type": "test"}, "c"]
    plan_id = await plan_of(agent, workspace_id, phase("P", *steps))
    assert (await take(agent, plan_id, "ada", types=["test"]))["next"]["task"] == "b"
    assert (await take(agent, plan_id, "bob"))["next"]["task"] == "c"
    for arguments in ({}, {"assignee": "Coder"}):
        waiting = (await take(agent, plan_id, "eve", **arguments))["waiting"]
        assert waiting["counts"] == {"held": 2, "other_assignee": 1}
        assert waiting["first"][0]["reason"] == "is assigned to Tester; assignee='Tester' takes it"
    assert (await take(agent, plan_id, "eve", assignee="Tester"))["next"]["task"] == "a"


async def test_a_step_may_be_assigned_to_the_name_or_the_session_of_an_agent(agent: Agent, workspace_id: str) -> None:
    sessions = [await agent("memory_agent", "init", workspace_id=workspace_id, agent="tester") for _ in range(2)]
    one, two = (session["session_id"] for session in sessions)
    steps = [{"task": "a", "assignee": two}, {"task": "b", "assignee": "Tester"}, {"task": "c", "assignee": "ada"}]
    plan_id = await plan_of(agent, workspace_id, phase("P", *steps))

    given = [await agent("memory_steps", "next", plan_id=plan_id, session_id=session) for session in (one, two)]
    assert [answer["next"]["task"] for answer in given] == ["b", "a"]
    assert (await take(agent, plan_id, "ada"))["next"]["task"] == "c"


async def test_a_briefing_offers_what_next_would_give_and_ready_says_whose_a_step_is(
    agent: Agent, workspace_id: str
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase("P", {"task": "a", "assignee": "Tester"}, "b"))
    for arguments in ({"plan_id": plan_id}, {"workspace_id": workspace_id}):
        briefing = await agent("memory_agent", "init", agent="Coder", **arguments)
        assert [step["task"] for step in briefing["next"]] == ["b"]
    listed = (await agent("memory_steps", "ready", plan_id=plan_id))["steps"]
    assert [step.get("assignee") for step in listed] == ["Tester", None]


@pytest.mark.parametrize("status", ["failed", "blocked", "cancelled", "pending"])
async def test_next_calls_completed_only_what_is_done(agent: Agent, plan_id: str, status: str) -> None:
    step_id = (await take(agent, plan_id, "ada"))["next"]["step_id"]
    answer = await take(agent, plan_id, "ada", step_id=step_id, status=status)
    assert "completed" not in answer
    assert answer["updated"] == {"step_id": step_id, "index": 0, "status": status}


async def test_what_waits_for_a_plan_or_a_phase_names_it(agent: Agent, workspace_id: str) -> None:
    first = await plan_of(agent, workspace_id, phase("Only", "x"))
    gated = [phase("Design", "a", approval_required=True), phase("Build", "b")]
    plan_id = await plan_of(agent, workspace_id, *gated, depends_on_plans=[first])

    async def reasons() -> list[str]:
        answers = [await take(agent, plan_id, "ada"), await agent("memory_steps", "ready", plan_id=plan_id)]
        told = [[step["reason"] for step in answer["waiting"]["first"]] for answer in answers]
        assert told[0] == told[1]
        return told[0]

    assert await reasons() == [f"its plan waits for plan 'Work' ({first})"] * 2
    refused = await agent.fails("memory_steps", "claim", plan_id=plan_id, step_index=0, agent="ada")
    assert f"plan 'Work' ({first})" in refused["message"]

    await take(agent, first, "ada", step_index=0, status="cancelled")
    await agent("memory_plan", "update", plan_id=first, status="completed")
    await take(agent, plan_id, "ada", step_index=0)
    [reason] = await reasons()
    assert reason.startswith("the phase 'Design' before it needs confirmation")


@pytest.mark.parametrize(
    "gated", [{"type": "confirmation"}, {"type": "user_validation"}, {"requires_confirmation": True}]
)
async def test_a_gated_step_can_be_claimed_but_not_done_before_it_is_confirmed(
    agent: Agent, workspace_id: str, gated: dict[str, Any]
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase("P", {"task": "look at it", **gated}, "b"))
    step = (await take(agent, plan_id, "ada"))["next"]
    for action, arguments in (("next", {"plan_id": plan_id}), ("update", {"status": "done"})):
        error = await agent.fails("memory_steps", action, step_id=step["step_id"], agent="ada", **arguments)
        assert error["code"] == "gated", action
        assert error["confirm"] == {"confirmation_scope": "step", "step_id": step["step_id"]}
    await confirm_step(agent, step["step_id"])
    assert (await take(agent, plan_id, "ada", step_id=step["step_id"]))["completed"]["status"] == "done"


async def test_a_critical_step_is_passed_by_until_it_is_confirmed(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, phase("P", {"task": "drop it", "type": "critical"}, "b"))
    answer = await take(agent, plan_id, "ada")
    assert answer["next"]["task"] == "b"
    assert [(step["index"], "confirm" in step["reason"]) for step in answer["passed_by"]] == [(0, True)]
    for action, arguments in (("claim", {}), ("update", {"status": "active"}), ("update", {"status": "done"})):
        error = await agent.fails("memory_steps", action, plan_id=plan_id, step_index=0, agent="bob", **arguments)
        assert error["code"] == "gated", (action, arguments)
    step = await agent("memory_steps", "get", plan_id=plan_id, step_index=0)
    await confirm_step(agent, step["step_id"])
    assert (await take(agent, plan_id, "bob"))["next"]["task"] == "drop it"


async def test_reopening_drops_the_confirmation(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, phase("P", {"task": "a", "type": "confirmation"}))
    step_id = (await take(agent, plan_id, "ada"))["next"]["step_id"]
    await confirm_step(agent, step_id)
    await take(agent, plan_id, "ada", step_id=step_id)
    await agent("memory_steps", "update", step_id=step_id, status="pending")
    error = await agent.fails("memory_steps", "update", step_id=step_id, status="done")
    assert error["code"] == "gated"


async def test_behind_a_phase_that_needs_approval_nothing_is_eligible(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(
        agent, workspace_id, phase("First", "a", approval_required=True), phase("Second", "b"), phase("Third", "c")
    )
    step = (await take(agent, plan_id, "ada"))["next"]
    answer = await take(agent, plan_id, "ada", step_id=step["step_id"])
    assert answer["waiting"]["counts"] == {"phase_confirmation": 2}
    error = await agent.fails("memory_steps", "claim", plan_id=plan_id, step_index=1, agent="ada")
    assert error["code"] == "gated"
    await agent.person_confirms_phase(plan_id, "First")
    assert (await take(agent, plan_id, "ada"))["next"]["task"] == "b"


async def test_phase_gates_hold_every_phase(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, phase("First", "a"), phase("Second", "b"))
    await agent("memory_plan", "update", plan_id=plan_id, phase_gates=True)
    step = (await take(agent, plan_id, "ada"))["next"]
    assert "next" not in await take(agent, plan_id, "ada", step_id=step["step_id"])
    await agent.person_confirms_phase(plan_id, "First")
    assert (await take(agent, plan_id, "ada"))["next"]["task"] == "b"


async def test_a_plan_waits_for_the_plans_it_depends_on(agent: Agent, workspace_id: str) -> None:
    first = await plan_of(agent, workspace_id, phase("P", "a"))
    second = await plan_of(agent, workspace_id, phase("P", "b"))
    await agent("memory_plan", "set_plan_dependencies", plan_id=second, depends_on_plans=[first])
    assert (await take(agent, second, "ada"))["waiting"]["counts"] == {"plan_dependency": 1}
    await agent("memory_steps", "update", plan_id=first, step_index=0, status="done")
    await agent("memory_plan", "update", plan_id=first, status="completed")
    assert (await take(agent, second, "ada"))["next"]["task"] == "b"
    await agent("memory_plan", "update", plan_id=first, status="active")
    assert (await agent("memory_steps", "ready", plan_id=second))["steps"] == []


async def test_ready_counts_to_a_thousand(agent: Agent, workspace_id: str) -> None:
    tasks = [{"task": f"Do {number}"} for number in range(1000)]
    plan_id = await plan_of(agent, workspace_id, {"name": "A", "steps": tasks})
    whole = {"workspace_id": workspace_id}
    assert [(await agent("memory_steps", "ready", **one))["total"] for one in (whole, {"plan_id": plan_id})] == [
        1000
    ] * 2

    await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "One more"}])

    for one in (whole, {"plan_id": plan_id}):
        last = await agent("memory_steps", "ready", **one, limit=1)
        seen = 1
        while cursor := last.get("next_cursor"):
            last = await agent("memory_steps", "ready", **one, limit=200, cursor=cursor)
            seen += len(last["steps"])
            assert last["total"] == "1000+"
        assert (seen, last["steps"][-1]["task"]) == (1001, "One more")


async def test_ready_of_a_plan_goes_on_behind_its_cursor(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": "a"}, {"task": "b", "depends_on": [0]}, {"task": "c"}, {"task": "d"}]
    plan_id = await plan_of(agent, workspace_id, {"name": "A", "steps": steps})

    first = await agent("memory_steps", "ready", plan_id=plan_id, limit=2)
    second = await agent("memory_steps", "ready", plan_id=plan_id, limit=2, cursor=first["next_cursor"])

    assert [step["task"] for step in first["steps"] + second["steps"]] == ["a", "c", "d"]
    assert (first["total"], second["total"], second.get("next_cursor")) == (3, 3, None)


async def test_ready_orders_by_priority_then_age_then_position(agent: Agent, workspace_id: str) -> None:
    old = await plan_of(agent, workspace_id, phase("P", "old 1", "old 2"), priority="low")
    await plan_of(agent, workspace_id, phase("P", "new low"), priority="low")
    await plan_of(agent, workspace_id, phase("P", "urgent"), priority="critical")
    found = await agent("memory_steps", "ready", workspace_id=workspace_id)
    assert [step["task"] for step in found["steps"]] == ["urgent", "old 1", "old 2", "new low"]
    assert found["steps"][1]["plan_id"] == old
    page = await agent("memory_steps", "ready", workspace_id=workspace_id, limit=2)
    rest = await agent("memory_steps", "ready", workspace_id=workspace_id, limit=2, cursor=page["next_cursor"])
    assert [step["task"] for step in page["steps"] + rest["steps"]] == ["urgent", "old 1", "old 2", "new low"]
    assert page["total"] == rest["total"] == 4


async def test_claims_survive_reordering(agent: Agent, plan_id: str) -> None:
    step = (await take(agent, plan_id, "ada"))["next"]
    await agent("memory_steps", "set_order", plan_id=plan_id, new_order=[2, 1, 0])
    again = (await take(agent, plan_id, "ada"))["next"]
    assert (again["step_id"], again["index"], again["claim_token"]) == (step["step_id"], 2, 1)


async def test_a_completed_session_cannot_claim(agent: Agent, workspace_id: str, plan_id: str) -> None:
    session = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
    step = await agent("memory_steps", "next", plan_id=plan_id, session_id=session["session_id"])
    assert step["next"]["claimed_by"] == session["session_id"]
    await agent("memory_agent", "complete", session_id=session["session_id"], summary="enough")
    error = await agent.fails("memory_steps", "next", plan_id=plan_id, session_id=session["session_id"])
    assert error["code"] == "conflict"
    assert (await take(agent, plan_id, "bob"))["next"]["step_id"] == step["next"]["step_id"]


async def test_a_plan_whose_worker_is_gone_counts_as_one_in_which_nothing_can_begin(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan_id = await plan_of(agent, workspace_id, {"name": "All", "steps": [{"task": "a"}]})
    step = await take(agent, plan_id, "ada")
    await agent("memory_ledger", "set_budget", plan_id=plan_id, max=1, hard=True)
    await agent("memory_ledger", "spend", plan_id=plan_id, amount=2)
    assert "waiting" not in await agent("memory_steps", "ready", workspace_id=workspace_id, waiting=True)

    await run_out(db, step["next"]["step_id"])
    asked = await agent("memory_steps", "ready", workspace_id=workspace_id, waiting=True)
    assert [(one["plan_id"], one["counts"]) for one in asked["waiting"]] == [(plan_id, {"budget": 1})]


async def test_a_workspace_tells_of_plans_in_which_nothing_can_begin(agent: Agent, workspace_id: str) -> None:
    async def plan(title: str, **more: Any) -> str:
        made = {"workspace_id": workspace_id, "title": title, "category": "quick_task", **more}
        return (await agent("memory_plan", "create", **made))["plan_id"]

    free = await plan("Free", steps=[{"task": "a"}])
    held = await plan("Held", steps=[{"task": "a"}])
    await agent("memory_steps", "next", plan_id=held, agent="ada")
    later = await plan("Later", steps=[{"task": "a"}, {"task": "b"}], depends_on_plans=[free])
    asks = await plan("Asks", steps=[{"task": "a", "type": "critical"}], priority="high")
    stuck = await plan("Stuck", steps=[{"task": "a", "status": "blocked"}])
    done = await plan("Over", steps=[{"task": "a", "status": "done"}])

    plain = await agent("memory_steps", "ready", workspace_id=workspace_id)
    asked = await agent("memory_steps", "ready", workspace_id=workspace_id, waiting=True)
    of_plan = await agent("memory_steps", "ready", plan_id=free, waiting=True)
    first = {one["plan_id"]: one["first"][0]["reason"] for one in asked["waiting"]}

    assert [step["plan_id"] for step in asked["steps"]] == [step["plan_id"] for step in plain["steps"]] == [free]
    assert "waiting" not in plain
    assert [one["title"] for one in asked["waiting"]] == ["Asks", "Later", "Stuck"]
    assert asked["waiting"][1]["counts"] == {"plan_dependency": 2}
    assert first[later] == f"its plan waits for plan 'Free' ({free})"
    assert done not in first
    assert first[asks].startswith("needs confirmation")
    assert first[stuck].startswith("is blocked")
    assert "waiting" not in of_plan
