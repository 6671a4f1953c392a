"""memory_steps: what writes answer, all problems at once, and writes that change nothing."""

import json
from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import Agent


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    """A plan of two phases: Design (a, b), Build (c, d, e); c waits for a."""
    phases = [
        {"name": "Design", "steps": [{"task": "a"}, {"task": "b"}]},
        {"name": "Build", "steps": [{"task": "c", "depends_on": [0]}, {"task": "d"}, {"task": "e"}]},
    ]
    return (await agent("memory_plan", "create", workspace_id=workspace_id, title="Two", phases=phases))["plan_id"]


async def world(agent: Agent, plan_id: str) -> tuple[Any, ...]:
    """What a write that changes nothing must leave as it is."""
    steps = (await agent("memory_steps", "list", plan_id=plan_id, detail="full", limit=200))["steps"]
    plan = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    latest = (await agent("memory_workspace", "events", workspace_id=plan["workspace_id"], limit=1))["latest_id"]
    return steps, plan["version"], plan["updated_at"], plan["phases"], latest


Call = tuple[str, str, dict[str, Any]]
NOTHING: dict[str, Call] = {
    "update": (
        "memory_steps",
        "update",
        {"step_index": 0, "task": "a", "phase": "design", "assignee": "", "notes": ""},
    ),
    "status": ("memory_steps", "update", {"step_index": 0, "status": "pending"}),
    "append nothing": ("memory_steps", "update", {"step_index": 0, "append_notes": ""}),
    "batch_update": ("memory_steps", "batch_update", {"updates": [{"step_index": 0, "type": "standard"}]}),
    "dependencies": ("memory_steps", "set_dependencies", {"step_index": 2, "depends_on": ["0"]}),
    "move": ("memory_steps", "move", {"from_index": 1, "to_index": 1}),
    "sort": ("memory_steps", "sort", {}),
    "set_order": ("memory_steps", "set_order", {"new_order": [0, 1, 2, 3, 4]}),
    "reorder_phases": ("memory_plan", "reorder_phases", {"phase_order": ["Design", "Build"]}),
    "update_phase": ("memory_plan", "update_phase", {"phase": "Design", "name": "Design", "description": ""}),
}


@pytest.mark.parametrize("write", NOTHING)
async def test_a_write_that_changes_nothing_succeeds_and_leaves_no_trace(
    agent: Agent, plan_id: str, write: str
) -> None:
    before = await world(agent, plan_id)
    tool, action, arguments = NOTHING[write]
    await agent(tool, action, plan_id=plan_id, agent="somebody", **arguments)
    assert await world(agent, plan_id) == before


async def test_a_step_named_twice_by_id_and_index_is_one_dependency(agent: Agent, plan_id: str) -> None:
    first = (await agent("memory_steps", "get", plan_id=plan_id, step_index=0))["step_id"]
    answer = await agent("memory_steps", "set_dependencies", plan_id=plan_id, step_index=1, depends_on=[first, "0", 0])
    assert answer["depends_on"] == [first]


async def test_batch_update_tells_every_problem_of_every_item_with_its_place(agent: Agent, plan_id: str) -> None:
    first = (await agent("memory_steps", "get", plan_id=plan_id, step_index=0))["step_id"]
    updates = [
        {"step_index": 0, "notes": "n"},
        {"step_id": first, "notes": "m"},
        {},
        {"step_index": 77, "notes": "n"},
        {"step_id": "step_none", "notes": "n"},
    ]
    error = await agent.fails("memory_steps", "batch_update", plan_id=plan_id, updates=updates)
    assert [problem["update"] for problem in error["problems"]] == [f"updates[{place}]" for place in (1, 2, 3, 4)]
    for said in ("updates[1]: names the step that updates[0] names", "updates[2]: names no step", "changes nothing"):
        assert said in error["message"]
    assert "step_none" in error["message"]
    assert "notes" not in await agent("memory_steps", "get", plan_id=plan_id, step_index=0)


ORDERS: dict[str, dict[str, Any]] = {
    "move": {"from_index": 149, "to_index": 0},
    "reorder": {"step_index": 80, "direction": "up"},
    "set_order": {"new_order": list(reversed(range(150)))},
    "sort": {"phase_order": ["B", "A"]},
    "delete": {"step_index": 0, "confirm": True},
    "insert": {"at_index": 0, "step": {"task": "new"}},
}


@pytest.mark.parametrize("action", ORDERS)
async def test_a_change_of_order_answers_in_a_few_words(agent: Agent, workspace_id: str, action: str) -> None:
    steps = [{"task": f"step {place}", "phase": "AB"[place % 2]} for place in range(150)]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Long", steps=steps)
    answer = await agent("memory_steps", action, plan_id=plan["plan_id"], **ORDERS[action])
    assert len(json.dumps(answer)) < 2_500
    if action == "move":
        assert answer["steps_moved"] == 150
        assert [(row["index"], row["was"]) for row in answer["moved"]] == [(0, 149)]


async def test_a_step_that_is_done_out_of_order_says_which_were_left_behind(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": str(number)} for number in range(10)]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Order", steps=steps)
    at = {"plan_id": plan["plan_id"]}
    await agent("memory_steps", "update", **at, step_index=0, status="done")
    await agent("memory_steps", "update", **at, step_index=1, status="blocked", notes="no key")
    await agent("memory_steps", "claim", **at, step_index=2, agent="bob")
    await agent("memory_steps", "update", **at, step_index=3, status="cancelled")

    done = await agent("memory_steps", "update", **at, step_index=5, status="done")
    last = await agent("memory_steps", "update", **at, step_index=9, status="done")
    notes = await agent("memory_steps", "update", **at, step_index=9, notes="all of it")

    assert done["warnings"] == ["done out of order: open before it are steps 1, 4"]
    assert last["warnings"] == ["done out of order: open before it are steps 1, 4, 6, 7, 8"]
    assert "warnings" not in notes
    for index in (4, 6, 7, 8):
        await agent("memory_steps", "update", **at, step_index=index, status="done")
    in_order = await agent("memory_steps", "update", **at, step_index=1, status="done")
    assert "warnings" not in in_order


async def test_more_than_a_few_that_were_left_behind_are_told_in_short(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": str(number)} for number in range(10)]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Order", steps=steps)
    done = await agent("memory_steps", "update", plan_id=plan["plan_id"], step_index=8, status="done")

    assert done["warnings"] == ["done out of order: open before it are steps 0, 1, 2, 3, 4, ..."]
