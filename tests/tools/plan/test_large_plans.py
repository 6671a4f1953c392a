"""A plan that grows large is told once that it could be a program."""

from typing import Any

import pytest

from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import make

PLAN, STEPS = "memory_plan", "memory_steps"


def steps(many: int) -> list[dict[str, Any]]:
    return [{"task": f"step {number}"} for number in range(many)]


async def notes(agent: Agent, plan_id: str) -> list[str]:
    listed = await agent(PLAN, "list_notes", plan_id=plan_id)
    return [note["note"] for note in listed["notes"] if "memory_program upgrade" in note["note"]]


async def test_the_hundredth_step_leaves_one_note_and_no_later_one_another(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, steps=steps(98)))["plan_id"]
    before = await agent(STEPS, "add", plan_id=plan_id, steps=steps(1))
    assert (before.get("warnings"), await notes(agent, plan_id)) == (None, [])

    told = await agent(STEPS, "insert", plan_id=plan_id, at_index=0, step={"task": "first"})
    [note] = await notes(agent, plan_id)
    assert told["warnings"] == [note]
    logged = await agent("memory_workspace", "events", plan_id=plan_id, types=["note_added"])
    assert [event["data"]["note_type"] for event in logged["events"]] == ["info"]

    for _ in range(2):
        await agent(STEPS, "delete", plan_id=plan_id, step_index=0, confirm=True)
    again = await agent(STEPS, "add", plan_id=plan_id, steps=steps(5))
    assert (again.get("warnings"), await notes(agent, plan_id)) == (None, [note])


@pytest.mark.parametrize("way", ["create", "replace", "merge_plans"])
async def test_it_does_not_matter_how_the_steps_came(agent: Agent, workspace_id: str, way: str) -> None:
    plan_id = (await make(agent, workspace_id, steps=steps(100 if way == "create" else 60)))["plan_id"]
    if way == "replace":
        await agent(STEPS, "replace", plan_id=plan_id, replacement_steps=steps(120))
    if way == "merge_plans":
        other = await make(agent, workspace_id, "Other", steps=steps(40))
        await agent(PLAN, "merge_plans", target_plan_id=plan_id, source_plan_ids=[other["plan_id"]])

    assert len(await notes(agent, plan_id)) == 1


async def test_a_plan_of_a_program_needs_no_such_note(agent: Agent, workspace_id: str) -> None:
    program = await agent("memory_program", "create", workspace_id=workspace_id, title="Release")
    made = await make(agent, workspace_id, program_id=program["program_id"], steps=steps(99))
    await agent(STEPS, "add", plan_id=made["plan_id"], steps=steps(5))
    copy = await agent(PLAN, "clone_plan", plan_id=made["plan_id"], link_to_same_program=True)

    for plan_id in (made["plan_id"], copy["plan_id"]):
        assert await notes(agent, plan_id) == []
