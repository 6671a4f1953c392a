"""memory_steps: ways around gates, limits and versions that are closed."""

from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import Agent

PARTS = [
    {"name": "First", "approval_required": True, "steps": [{"task": "a"}, {"task": "look", "type": "confirmation"}]},
    {"name": "Second", "steps": [{"task": "b"}, {"task": "drop", "type": "critical"}]},
]


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    plan = await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="Gates", category="quick_task", phases=PARTS
    )
    return plan["plan_id"]


async def at(agent: Agent, plan_id: str, index: int) -> dict[str, Any]:
    return await agent("memory_steps", "get", plan_id=plan_id, step_index=index)


@pytest.mark.parametrize(("index", "status"), [(1, None), (1, "done"), (3, None), (3, "done")])
async def test_another_type_does_not_lead_around_a_gate(
    agent: Agent, plan_id: str, index: int, status: str | None
) -> None:
    error = await agent.fails(
        "memory_steps", "update", plan_id=plan_id, step_index=index, type="code", status=status, agent="ada"
    )
    assert error["code"] == "gated"
    assert (await at(agent, plan_id, index))["type"] != "code"


async def test_replace_does_not_lead_around_a_gate_either(agent: Agent, plan_id: str) -> None:
    kept = [{"task": "a"}, {"task": "look", "type": "code"}, {"task": "b"}, {"task": "drop"}]
    error = await agent.fails("memory_steps", "replace", plan_id=plan_id, replacement_steps=kept, confirm=True)
    assert error["code"] == "gated"


async def test_behind_an_unconfirmed_phase_nothing_is_begun_or_finished(agent: Agent, plan_id: str) -> None:
    for status in ("active", "done"):
        error = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=2, status=status, agent="ada")
        assert error["code"] == "gated", status
        assert error["confirm"] == {"confirmation_scope": "phase", "plan_id": plan_id, "confirm_phase": "First"}
    error = await agent.fails("memory_steps", "next", plan_id=plan_id, step_index=2, agent="ada")
    assert error["code"] == "gated"
    await agent.person_confirms_phase(plan_id, "First")
    done = await agent("memory_steps", "update", plan_id=plan_id, step_index=2, status="done", agent="ada")
    assert done["status"] == "done"


async def test_setting_a_step_active_follows_the_rules_of_a_claim(
    agent: Agent, workspace_id: str, plan_id: str
) -> None:
    made = {"workspace_id": workspace_id, "category": "quick_task", "steps": [{"task": "a"}]}
    other = await agent("memory_plan", "create", title="Other", **made)
    await agent("memory_steps", "set_dependencies", plan_id=plan_id, step_index=0, depends_on=other["step_ids"])
    error = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=0, status="active", agent="ada")
    assert (error["code"], error["reason"]) == ("conflict", "dependency")
    assert (await at(agent, plan_id, 0))["status"] == "pending"
    await agent("memory_steps", "set_dependencies", plan_id=plan_id, step_index=0, depends_on=[])
    await agent("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="deferred")
    error = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=0, status="active", agent="ada")
    assert error["reason"] == "plan_paused"


async def test_a_step_that_becomes_active_again_is_no_longer_completed(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="ada")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="active", agent="ada")
    step = await at(agent, plan_id, 0)
    assert (step["status"], step["claimed_by"]) == ("active", "ada")
    assert not {"completed_at", "completed_by"} & step.keys()


async def test_appended_notes_stay_within_the_limit_of_a_value(agent: Agent, plan_id: str) -> None:
    text = "x" * 600_000
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, append_notes=text)
    error = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=0, append_notes=text)
    assert error["code"] == "too_large"
    error = await agent.fails("memory_steps", "next", plan_id=plan_id, step_index=0, notes="y" * 600_000, agent="ada")
    assert error["code"] == "too_large"
    assert (await at(agent, plan_id, 0))["status"] == "pending"


@pytest.mark.parametrize("action", ["next", "claim"])
async def test_long_notes_do_not_cost_the_token(agent: Agent, plan_id: str, action: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, notes="x" * 900_000)
    where = {} if action == "next" else {"step_index": 0}
    given = await agent("memory_steps", action, plan_id=plan_id, agent="ada", **where)
    step = given.get("next", given)
    assert step["claim_token"] == 1
    assert "900000 characters" in step["notes"]
    assert "next_offset" not in given


async def test_a_page_goes_on_behind_its_last_step_after_an_insert(agent: Agent, plan_id: str) -> None:
    first = await agent("memory_steps", "list", plan_id=plan_id, limit=2)
    await agent("memory_steps", "insert", plan_id=plan_id, at_index=0, step={"task": "new"})
    rest = await agent("memory_steps", "list", plan_id=plan_id, limit=10, cursor=first["next_cursor"])
    assert [step["task"] for step in first["steps"] + rest["steps"]] == ["a", "look", "b", "drop"]


async def test_names_that_lead_nowhere_are_told(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_steps", "list", plan_id=plan_id, phase="Frist")
    assert error["code"] == "not_found"
    assert error["near"][0]["name"] == "First"
    error = await agent.fails("memory_steps", "sort", plan_id=plan_id, phase_order=["second", "nope"])
    assert "nope" in error["message"]
    step_id = (await at(agent, plan_id, 0))["step_id"]
    error = await agent.fails("memory_steps", "get", step_id=step_id, step_index=3)
    assert error["code"] == "conflict"
    error = await agent.fails("memory_steps", "get", plan_id=plan_id, step_index=True)
    assert error["code"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("delete", {"step_index": 0, "confirm": True}),
        ("set_dependencies", {"step_index": 0, "depends_on": []}),
        ("reorder", {"step_index": 0, "direction": "down"}),
        ("move", {"from_index": 0, "to_index": 1}),
        ("sort", {}),
        ("set_order", {"new_order": [3, 2, 1, 0]}),
        ("replace", {"replacement_steps": [{"task": "a"}], "confirm": True}),
        ("add", {"steps": [{"task": "z"}]}),
        ("insert", {"at_index": 0, "step": {"task": "z"}}),
    ],
)
async def test_every_edit_can_be_made_conditional(
    agent: Agent, plan_id: str, action: str, arguments: dict[str, Any]
) -> None:
    error = await agent.fails("memory_steps", action, plan_id=plan_id, expected_version=99, **arguments)
    assert (error["code"], error["version"]) == ("conflict", 1)


async def test_a_held_step_is_moved_by_its_holder_only(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    error = await agent.fails("memory_steps", "move", plan_id=plan_id, from_index=0, to_index=1)
    assert (error["code"], error["held_by"]) == ("conflict", "ada")
    await agent("memory_steps", "move", plan_id=plan_id, from_index=0, to_index=1, agent="ada")


async def test_an_assignee_can_be_taken_away(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, assignee="Tester")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, assignee="")
    assert "assignee" not in await at(agent, plan_id, 0)


async def test_a_completed_plan_takes_no_open_steps(agent: Agent, workspace_id: str) -> None:
    made = {"workspace_id": workspace_id, "category": "quick_task", "steps": [{"task": "a"}]}
    plan = await agent("memory_plan", "create", title="P", **made)
    plan_id = plan["plan_id"]
    await agent("memory_plan", "update", plan_id=plan_id, status="completed", force=True)
    error = await agent.fails("memory_steps", "add", plan_id=plan_id, steps=[{"task": "late"}])
    assert error["code"] == "conflict"
    await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "was done", "status": "cancelled"}])


async def test_a_cycle_among_new_steps_is_told_by_their_indices(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="Round",
        category="quick_task",
        steps=[{"task": "x", "depends_on": [1]}, {"task": "y", "depends_on": [0]}],
    )
    assert "(index 0)" in error["message"]
    assert "(index 1)" in error["message"]


async def test_the_name_of_an_agent_beside_its_session_is_logged(agent: Agent, workspace_id: str, plan_id: str) -> None:
    session = await agent("memory_agent", "init", agent="Executor", plan_id=plan_id)
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, notes="n", agent="helper", **_of(session))
    logged = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["step_updated"])
    assert [(e["session_id"], e["agent"]) for e in logged["events"]] == [(session["session_id"], "helper")]


def _of(session: dict[str, Any]) -> dict[str, str]:
    return {"session_id": session["session_id"]}
