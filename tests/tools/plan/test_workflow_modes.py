"""memory_plan: the mode in which a plan is worked on."""

from typing import get_args

import pytest

from server.models.plans import WorkflowMode
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import full, make

PLAN = "memory_plan"


async def test_a_plan_is_in_the_standard_mode_until_it_is_told_otherwise(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id))["plan_id"]

    assert (await full(agent, plan_id))["workflow_mode"] == "standard"


@pytest.mark.parametrize("mode", get_args(WorkflowMode))
async def test_a_mode_stays_with_its_plan_in_the_archive_and_through_the_trash(
    agent: Agent, workspace_id: str, mode: str
) -> None:
    plan_id = (await make(agent, workspace_id))["plan_id"]
    await agent(PLAN, "set_workflow_mode", plan_id=plan_id, workflow_mode=mode)
    await agent(PLAN, "archive", plan_id=plan_id)
    assert (await full(agent, plan_id))["workflow_mode"] == mode

    gone = await agent(PLAN, "delete", plan_id=plan_id, confirm=True)
    assert (await agent.fails(PLAN, "get", plan_id=plan_id))["code"] == "not_found"
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    await agent(PLAN, "unarchive", plan_id=plan_id)
    assert (await full(agent, plan_id))["workflow_mode"] == mode


async def test_a_mode_that_does_not_exist_is_refused_with_those_that_do(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id))["plan_id"]
    error = await agent.fails(PLAN, "update", plan_id=plan_id, workflow_mode="waterfall")

    assert error["code"] == "invalid_arguments"
    assert all(mode in error["message"] for mode in get_args(WorkflowMode))
    assert (await full(agent, plan_id))["workflow_mode"] == "standard"
