"""memory_steps: the types and statuses that a step may have, and what is kept of one that is done."""

from typing import Any, get_args

import pytest
from mcp import Client

from server.models.steps import StepStatus, StepType
from server.protocol.app import build
from server.settings import Settings
from tests.conftest import Agent

STEPS = "memory_steps"
TYPES: tuple[str, ...] = get_args(StepType)


async def plan_with(agent: Agent, workspace_id: str, *steps: dict[str, Any]) -> str:
    made = await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="P", category="quick_task", steps=list(steps)
    )
    return made["plan_id"]


async def test_a_step_of_every_type_is_kept_as_it_was_added(agent: Agent, workspace_id: str) -> None:
    assert len(TYPES) == 15
    plan_id = await plan_with(agent, workspace_id, {"task": "plain"}, *({"task": name, "type": name} for name in TYPES))
    listed = (await agent(STEPS, "list", plan_id=plan_id, detail="full", limit=200))["steps"]

    assert [(step["task"], step.get("type", "standard")) for step in listed[1:]] == [(name, name) for name in TYPES]
    assert (listed[0].get("type", "standard"), {step["status"] for step in listed}) == ("standard", {"pending"})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("type", "Test"), ("type", "coding"), ("type", ""), ("status", "DONE"), ("status", "completed"), ("status", 1)],
)
async def test_a_value_that_does_not_exist_is_refused_with_those_that_do(
    agent: Agent, workspace_id: str, field: str, wrong: object
) -> None:
    plan_id = await plan_with(agent, workspace_id, {"task": "a"})
    known = TYPES if field == "type" else get_args(StepStatus)
    for action, arguments in (
        ("update", {"step_index": 0, field: wrong}),
        ("add", {"steps": [{"task": "b", field: wrong}]}),
        ("insert", {"at_index": 0, "step": {"task": "b", field: wrong}}),
        ("replace", {"replacement_steps": [{"task": "a", field: wrong}], "confirm": True}),
        ("batch_update", {"updates": [{"step_index": 0, field: wrong}]}),
    ):
        error = await agent.fails(STEPS, action, plan_id=plan_id, **arguments)
        [problem] = error["invalid"]
        assert (action, error["code"]) == (action, "invalid_arguments")
        assert problem["param"].rpartition(".")[2] == field
        assert all(name in problem["problem"] for name in known), problem
    [step] = (await agent(STEPS, "list", plan_id=plan_id))["steps"]
    assert (step["task"], step["status"]) == ("a", "pending")


async def test_null_stands_for_what_was_not_said(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_with(agent, workspace_id, {"task": "a", "type": None, "status": None, "notes": None})
    done = await agent(STEPS, "update", plan_id=plan_id, step_index=0, type=None, status=None, notes="n")

    assert done["status"] == "pending"


async def test_steps_come_in_order_and_their_ends_outlive_the_server(
    agent: Agent, workspace_id: str, settings: Settings
) -> None:
    plan_id = await plan_with(agent, workspace_id, *({"task": name} for name in "abc"))
    taken = [(await agent(STEPS, "next", plan_id=plan_id, agent="ada"))["next"]]
    while "next" in (told := await agent(STEPS, "next", plan_id=plan_id, agent="ada", step_id=taken[-1]["step_id"])):
        taken.append(told["next"])

    assert [step["task"] for step in taken] == ["a", "b", "c"]
    assert told["remaining"] == 0
    before = await agent(STEPS, "list", plan_id=plan_id, detail="full")
    async with Client(build(settings), raise_exceptions=True) as client:
        assert await Agent(client)(STEPS, "list", plan_id=plan_id, detail="full") == before
    ends = [step["completed_at"] for step in before["steps"]]
    assert ends == sorted(ends)
    assert {step["completed_by"] for step in before["steps"]} == {"ada"}
