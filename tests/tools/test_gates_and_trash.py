"""What was behind a gate is behind it when it comes back from the trash, the archive or its cancellation."""

from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.workspace.test_memory_workspace_approvals import answer, phase, plan_of, waiting

WS, PLAN, STEPS = "memory_workspace", "memory_plan", "memory_steps"


async def drop(agent: Agent, tool: str, action: str, /, **arguments: Any) -> str:
    """Delete something and return what brings it back."""
    return (await agent(tool, action, confirm=True, **arguments))["trash_id"]


async def step_ids(agent: Agent, plan_id: str) -> list[str]:
    return [step["step_id"] for step in (await agent(STEPS, "list", plan_id=plan_id))["steps"]]


async def is_held(agent: Agent, step_id: str) -> bool:
    """Whether a step can neither be begun nor be done for want of a human."""
    errors = [
        await agent.fails(STEPS, "update", step_id=step_id, status="done", agent="ada"),
        await agent.fails(STEPS, "claim", step_id=step_id, agent="ada"),
    ]
    return errors[0]["code"] == "gated"


async def gated_restore(agent: Agent, trash_id: str) -> dict[str, Any]:
    refused = await agent.fails(WS, "restore", trash_id=trash_id, agent="ada")
    assert refused["code"] == "gated", refused
    return refused


async def behind_a_phase(agent: Agent, workspace_id: str) -> tuple[str, list[str]]:
    """A plan of three phases, of which the middle one is a gate."""
    plan_id = await plan_of(agent, workspace_id, phase("a"), phase("g", approval_required=True), phase("b"))
    return plan_id, await step_ids(agent, plan_id)


async def test_a_phase_does_not_come_back_in_front_of_its_gate(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id, ids = await behind_a_phase(agent, workspace_id)
    gone = await drop(agent, PLAN, "delete_phase", plan_id=plan_id, phase="P2")
    for name in ("X", "Y", "Z"):
        await agent(PLAN, "add_phase", plan_id=plan_id, name=name, at_index=0)
    refused = await gated_restore(agent, gone)

    assert "'P1'" in refused["message"]
    [row] = [row for row in await waiting(agent, plan_id) if "approval_id" in row]
    await answer(db, row["approval_id"], yes=True)
    await agent(WS, "restore", trash_id=gone, agent="ada")
    await agent(STEPS, "update", step_id=ids[2], status="done")


async def test_a_phase_that_comes_back_behind_its_gate_needs_nobody(agent: Agent, workspace_id: str) -> None:
    plan_id, ids = await behind_a_phase(agent, workspace_id)
    gone = await drop(agent, PLAN, "delete_phase", plan_id=plan_id, phase="P2")
    await agent(WS, "restore", trash_id=gone)
    assert await is_held(agent, ids[2])


async def test_a_step_does_not_come_back_to_a_phase_that_went_past_the_gate(agent: Agent, workspace_id: str) -> None:
    plan_id, ids = await behind_a_phase(agent, workspace_id)
    gone = await drop(agent, STEPS, "delete", step_id=ids[2])
    await agent(PLAN, "reorder_phases", plan_id=plan_id, phase_order=["P2", "P0", "P1"])
    await gated_restore(agent, gone)


@pytest.mark.parametrize("how", ["delete", "cancel"])
async def test_a_step_does_not_come_back_without_what_led_to_its_gate(
    agent: Agent, workspace_id: str, how: str
) -> None:
    gate = {"task": "g", "type": "confirmation"}
    steps = phase(gate, {"task": "m", "depends_on": [0]}, {"task": "s", "depends_on": [1]})
    plan_id = await plan_of(agent, workspace_id, steps)
    ids = await step_ids(agent, plan_id)
    gone = await drop(agent, STEPS, "delete", step_id=ids[2])
    if how == "delete":
        middle = await drop(agent, STEPS, "delete", step_id=ids[1])
        await gated_restore(agent, gone)
        await agent(WS, "restore", trash_id=middle)
        await agent(WS, "restore", trash_id=gone)
        assert await is_held(agent, ids[2])
    else:
        await agent(STEPS, "update", step_id=ids[1], status="cancelled")
        await gated_restore(agent, gone)


@pytest.mark.parametrize("how", ["delete", "weaken"])
async def test_a_gate_that_holds_something_in_the_trash_does_not_go(
    agent: Agent, workspace_id: str, how: str, db: Database
) -> None:
    plan_id, ids = await behind_a_phase(agent, workspace_id)
    gone = await drop(agent, PLAN, "delete_phase", plan_id=plan_id, phase="P2")
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "delete": ("delete_phase", {"confirm": True}),
        "weaken": ("update_phase", {"approval_required": False}),
    }
    action, arguments = calls[how]
    refused = await agent.fails(PLAN, action, plan_id=plan_id, phase="P1", **arguments)
    assert refused["code"] == "gated"
    await answer(db, refused["approval_id"], yes=True)
    await agent(PLAN, action, plan_id=plan_id, phase="P1", **arguments)
    await agent(WS, "restore", trash_id=gone)
    await agent(STEPS, "update", step_id=ids[2], status="done")


async def test_a_plan_whose_gate_holds_another_in_the_trash_does_not_go(agent: Agent, workspace_id: str) -> None:
    first = await plan_of(agent, workspace_id, phase({"task": "g", "type": "confirmation"}))
    second = await plan_of(agent, workspace_id, phase("q"), depends_on_plans=[first])
    gone = await drop(agent, PLAN, "delete", plan_id=second)
    refused = await agent.fails(PLAN, "delete", plan_id=first, confirm=True)
    assert refused["code"] == "gated"
    await agent(WS, "restore", trash_id=gone)
    assert await is_held(agent, (await step_ids(agent, second))[0])


async def test_parts_that_were_deleted_before_their_plan_need_nobody_to_go_with_it(
    agent: Agent, workspace_id: str
) -> None:
    plan_id, ids = await behind_a_phase(agent, workspace_id)
    part = await drop(agent, PLAN, "delete_phase", plan_id=plan_id, phase="P2")
    whole = await drop(agent, PLAN, "delete", plan_id=plan_id)
    await agent(WS, "restore", trash_id=whole)
    await agent(WS, "restore", trash_id=part)
    assert await is_held(agent, ids[2])


@pytest.mark.parametrize("first_archived", [False, True])
async def test_a_plan_in_the_archive_waits_for_its_gate_all_the_same(
    agent: Agent, workspace_id: str, first_archived: bool
) -> None:
    first = await plan_of(agent, workspace_id, phase({"task": "g", "type": "confirmation"}))
    second = await plan_of(agent, workspace_id, phase("q"), depends_on_plans=[first])
    await agent(PLAN, "archive", plan_id=second)
    if first_archived:
        await agent(PLAN, "archive", plan_id=first)
    refused = await agent.fails(PLAN, "delete", plan_id=first, confirm=True)
    assert refused["code"] == "gated"
    await agent(PLAN, "unarchive", plan_id=second)
    assert (await agent.fails(PLAN, "delete", plan_id=first, confirm=True))["code"] == "gated"


async def test_a_cancelled_step_is_held_where_it_was(agent: Agent, workspace_id: str) -> None:
    plan_id, ids = await behind_a_phase(agent, workspace_id)
    await agent(STEPS, "update", step_id=ids[2], status="cancelled")
    order = {"plan_id": plan_id, "phase_order": ["P2", "P0", "P1"]}
    assert (await agent.fails(PLAN, "reorder_phases", **order))["code"] == "gated"
    gone = await drop(agent, STEPS, "delete", step_id=ids[2])
    await agent(PLAN, "reorder_phases", **order)
    await gated_restore(agent, gone)


async def test_a_copy_of_a_plan_has_gates_that_nobody_confirmed(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(
        agent, workspace_id, phase("g", approval_required=True), phase({"task": "b", "type": "critical"})
    )
    ids = await step_ids(agent, plan_id)
    await agent(STEPS, "update", step_id=ids[0], status="done")
    await agent.person_confirms_phase(plan_id, "P0")
    await agent.person_confirms(ids[1])
    for reset in (True, False):
        copy = await agent(PLAN, "clone_plan", plan_id=plan_id, reset_steps=reset)
        assert await is_held(agent, (await step_ids(agent, copy["plan_id"]))[1])


async def test_a_question_about_an_archived_plan_is_listed_told_and_answered(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    first = await plan_of(agent, workspace_id, phase({"task": "g", "type": "confirmation"}))
    await plan_of(agent, workspace_id, phase("q"), depends_on_plans=[first])
    await agent(PLAN, "archive", plan_id=first)
    delete = {"plan_id": first, "confirm": True, "agent": "ada"}
    refused = await agent.fails(PLAN, "delete", **delete)

    for told in ({"workspace_id": workspace_id}, {"plan_id": first}):
        [row] = (await agent(WS, "approvals", **told))["approvals"]
        assert (row["approval_id"], row["plan_id"]) == (refused["approval_id"], first)
    await answer(db, refused["approval_id"], yes=True)
    types = [event["type"] for event in (await agent(WS, "events", plan_id=first, types=["approval"]))["events"]]
    assert types == ["approval_asked", "approval_approved"]
    [line] = (await agent("memory_agent", "init", agent="ada", workspace_id=workspace_id))["answers"]
    assert (line["status"], line["plan_id"]) == ("approved", first)
    await agent(PLAN, "delete", **delete)
