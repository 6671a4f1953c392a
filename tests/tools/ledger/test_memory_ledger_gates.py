"""memory_ledger: gates that a phase or step requires hold it back until the last entry of each has passed."""

from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

TOOL = "memory_ledger"
PHASES = [
    {"name": "Build", "steps": [{"task": "write"}, {"task": "prove", "required_gates": ["tests"]}]},
    {"name": "Ship", "required_gates": ["review"], "steps": [{"task": "publish"}]},
]


async def made(agent: Agent, workspace_id: str) -> tuple[str, list[str]]:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Release", phases=PHASES)
    return plan["plan_id"], plan["step_ids"]


async def reasons(agent: Agent, plan_id: str) -> dict[str, int]:
    told = await agent("memory_steps", "next", plan_id=plan_id, agent="ada", types=["test"])
    return told["waiting"]["counts"]


async def test_a_step_is_passed_by_until_its_gate_has_passed(agent: Agent, workspace_id: str) -> None:
    plan_id, (first, second, third) = await made(agent, workspace_id)
    assert (await agent("memory_steps", "next", plan_id=plan_id, agent="ada"))["next"]["step_id"] == first
    told = await agent("memory_steps", "next", plan_id=plan_id, agent="ada", step_id=first)
    assert "next" not in told
    assert told["waiting"]["counts"] == {"gates": 1, "phase_gates": 1}
    by_step = {item["step_id"]: item["reason"] for item in told["waiting"]["first"]}
    assert "tests" in by_step[second]
    assert "review" in by_step[third]

    await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="tests", status="failed", agent="ci")
    assert "next" not in await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    passed = await agent(TOOL, "record_gate", step_id=second, gate_name="tests", status="pass", agent="ci")
    assert "held" not in passed
    assert (await agent("memory_steps", "next", plan_id=plan_id, agent="ada"))["next"]["step_id"] == second
    assert "next" not in await agent("memory_steps", "next", plan_id=plan_id, agent="bob")
    await agent(TOOL, "record_gate", plan_id=plan_id, phase="ship", gate_name="review", status="passed", agent="ci")
    assert (await agent("memory_steps", "next", plan_id=plan_id, agent="bob"))["next"]["step_id"] == third


async def test_the_last_entry_counts_and_one_of_another_step_says_nothing(agent: Agent, workspace_id: str) -> None:
    plan_id, (first, second, _) = await made(agent, workspace_id)
    await agent(TOOL, "record_gate", step_id=first, gate_name="tests", status="passed", agent="ci")
    error = await agent.fails("memory_steps", "claim", step_id=second, agent="ada")
    assert (error["code"], error["reason"]) == ("conflict", "gates")
    for status, is_free in (("passed", True), ("failed", False), ("passed", True), ("skipped", False)):
        await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="tests", status=status, agent="ci")
        ready = await agent("memory_steps", "ready", plan_id=plan_id)
        assert (second in [step["step_id"] for step in ready["steps"]]) == is_free
        everywhere = await agent("memory_steps", "ready", workspace_id=workspace_id)
        assert (second in [step["step_id"] for step in everywhere["steps"]]) == is_free


@pytest.mark.parametrize("way", ["update", "batch_update", "next"])
async def test_a_step_is_not_done_before_its_gates_have_passed(agent: Agent, workspace_id: str, way: str) -> None:
    plan_id, (_, second, third) = await made(agent, workspace_id)
    sent = {
        "update": {"step_id": second, "status": "done"},
        "batch_update": {"plan_id": plan_id, "updates": [{"step_id": second, "status": "done"}]},
        "next": {"plan_id": plan_id, "step_id": second},
    }[way]
    error = await agent.fails("memory_steps", way, agent="ada", **sent)
    assert error["code"] == "conflict"
    assert "tests" in error["message"]
    assert "record_gate" in error["message"]
    assert (await agent("memory_steps", "get", step_id=second))["status"] == "pending"
    assert "review" in (await agent.fails("memory_steps", "update", step_id=third, status="done", agent="a"))["message"]

    await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="tests", status="passed", agent="ci")
    await agent("memory_steps", way, agent="ada", **sent)
    assert (await agent("memory_steps", "get", step_id=second))["status"] == "done"


async def test_gates_can_be_required_and_let_go_later(agent: Agent, workspace_id: str) -> None:
    plan_id, (first, second, third) = await made(agent, workspace_id)
    await agent("memory_steps", "update", step_id=first, required_gates=["lint"], agent="ada")
    assert (await agent("memory_steps", "get", step_id=first))["required_gates"] == ["lint"]
    await agent("memory_steps", "update", step_id=second, required_gates=[], agent="ada")
    await agent("memory_plan", "update_phase", plan_id=plan_id, phase="Ship", required_gates=[], agent="ada")
    ready = await agent("memory_steps", "ready", plan_id=plan_id)
    assert [step["step_id"] for step in ready["steps"]] == [second, third]
    held = (await agent(TOOL, "list_gates", plan_id=plan_id))["held"]
    assert held == [{"phase": "Build", "step_id": first, "index": 0, "gates": ["lint"]}]
    added = {"name": "Later", "required_gates": ["legal"]}
    await agent("memory_plan", "add_phase", plan_id=plan_id, agent="ada", **added)
    got = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    assert [phase.get("required_gates") for phase in got["phases"]] == [None, None, ["legal"]]


async def test_a_step_cannot_come_in_behind_its_gates(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await made(agent, workspace_id)
    step = {"task": "late", "status": "done", "required_gates": ["tests"]}
    error = await agent.fails("memory_steps", "add", plan_id=plan_id, steps=[step], agent="ada")
    assert error["code"] == "conflict"


@pytest.mark.parametrize("force", [False, True])
async def test_a_plan_is_not_completed_before_its_gates_have_passed(
    agent: Agent, workspace_id: str, force: bool
) -> None:
    plan_id, _ = await made(agent, workspace_id)
    sent = {"plan_id": plan_id, "status": "completed", "force": force, "agent": "ada"}
    error = await agent.fails("memory_plan", "update", **sent)
    assert error["code"] == "conflict"
    assert [one["gates"] for one in error["held"]] == [["tests"], ["review"]]
    await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="tests", status="passed", agent="ci")
    error = await agent.fails("memory_plan", "update", **sent)
    assert [one["gates"] for one in error["held"]] == [["review"]]
    assert (await agent("memory_plan", "get", plan_id=plan_id))["status"] == "active"
    await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="review", status="passed", agent="ci")
    if force:
        assert (await agent("memory_plan", "update", **sent))["status"] == "completed"


async def test_a_plan_is_not_completed_after_a_gate_failed_again(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await made(agent, workspace_id)
    for name in ("tests", "review"):
        await agent(TOOL, "record_gate", plan_id=plan_id, gate_name=name, status="passed", agent="ci")
    done = [{"step_id": step_id, "status": "done"} for step_id in steps]
    told = await agent("memory_steps", "batch_update", plan_id=plan_id, updates=done, agent="ada")
    await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="review", status="failed", agent="ci")
    completes = {"plan_id": plan_id, "status": told["completable"]["status"], "agent": "ada"}
    assert "review" in (await agent.fails("memory_plan", "update", **completes))["message"]
    told = await agent("memory_steps", "update", step_id=steps[0], status="cancelled", agent="ada")
    assert "completable" not in told
    assert told["held"] == [{"phase": "Ship", "gates": ["review"]}]


async def test_what_was_cancelled_holds_no_plan(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await made(agent, workspace_id)
    given_up = [{"step_id": step_id, "status": "cancelled"} for step_id in steps]
    told = await agent("memory_steps", "batch_update", plan_id=plan_id, updates=given_up, agent="ada")
    assert (await agent.suggested({**told["completable"], "agent": "ada"}))["status"] == "completed"


@pytest.mark.parametrize("way", ["add", "insert", "replace", "create"])
@pytest.mark.parametrize("status", ["active", "done"])
async def test_a_step_cannot_come_in_behind_the_gates_of_its_phase(
    agent: Agent, workspace_id: str, way: str, status: str
) -> None:
    plan_id, _ = await made(agent, workspace_id)
    step = {"task": "late", "status": status, "phase": "Ship"}
    ways: dict[str, dict[str, Any]] = {
        "add": {"plan_id": plan_id, "steps": [step]},
        "insert": {"plan_id": plan_id, "at_index": 0, "step": step},
        "replace": {"plan_id": plan_id, "replacement_steps": [step], "confirm": True},
        "create": {"workspace_id": workspace_id, "title": "Again", "phases": PHASES, "steps": [step]},
    }
    tool = "memory_plan" if way == "create" else "memory_steps"
    assert (await agent.fails(tool, way, agent="ada", **ways[way]))["code"] == "conflict"


async def test_one_step_of_several_requires_the_gates_of_all(agent: Agent, workspace_id: str) -> None:
    plan_id, (first, _, _) = await made(agent, workspace_id)
    joined = {"step_indices": [0, 1], "consolidated_task": "write and prove", "confirm": True}
    await agent("memory_plan", "consolidate", plan_id=plan_id, agent="ada", **joined)
    assert (await agent("memory_steps", "get", step_id=first))["required_gates"] == ["tests"]


async def test_a_phase_that_takes_another_one_in_requires_the_gates_of_both(agent: Agent, workspace_id: str) -> None:
    source, _ = await made(agent, workspace_id)
    phases = [{"name": "ship", "required_gates": ["legal"], "steps": [{"task": "announce"}]}]
    target = await agent("memory_plan", "create", workspace_id=workspace_id, title="Both", phases=phases)
    ids = {"target_plan_id": target["plan_id"], "source_plan_ids": [source]}
    await agent("memory_plan", "merge_plans", agent="ada", **ids)
    [phase] = [
        phase
        for phase in (await agent("memory_plan", "get", plan_id=target["plan_id"], include=["facts"]))["phases"]
        if phase["name"] == "ship"
    ]
    assert phase["required_gates"] == ["legal", "review"]


async def test_a_step_that_stays_takes_the_gates_it_is_replaced_with(agent: Agent, workspace_id: str) -> None:
    plan_id, (first, second, _) = await made(agent, workspace_id)
    wanted = [{"task": "write", "required_gates": ["lint"]}, {"task": "prove"}, {"task": "publish"}]
    await agent("memory_steps", "replace", plan_id=plan_id, replacement_steps=wanted, agent="ada")
    assert (await agent("memory_steps", "get", step_id=first))["required_gates"] == ["lint"]
    assert (await agent("memory_steps", "get", step_id=second))["required_gates"] == ["tests"]


async def test_a_copy_of_a_plan_requires_the_same_gates(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await made(agent, workspace_id)
    await agent(TOOL, "record_gate", plan_id=plan_id, gate_name="tests", status="passed", agent="ci")
    copy = await agent("memory_plan", "clone_plan", plan_id=plan_id, agent="ada")
    held = (await agent(TOOL, "list_gates", plan_id=copy["plan_id"]))["held"]
    assert [one["gates"] for one in held] == [["tests"], ["review"]]


async def test_entries_come_back_whole_and_filtered(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id, (first, _, _) = await made(agent, workspace_id)
    told = {
        "transition": "CODING -> TESTING",
        "severity": "high",
        "blocking": True,
        "findings": ["one", "two"],
        "message": "two of them",
        "remediation": "mend both",
        "duration_ms": 12.5,
        "data": {"b": [1, None]},
    }
    entry = await agent(TOOL, "record_gate", step_id=first, gate_name="lint", status="failed", agent="ci", **told)
    got = await agent(TOOL, "list_gates", gate_id=entry["gate_id"])
    assert {name: got[name] for name in told if name != "data"} == {k: v for k, v in told.items() if k != "data"}
    assert (got["details"], got["agent"], got["step_id"]) == ({"b": [1, None]}, "ci", first)
    await agent(TOOL, "record_gate", workspace_id=workspace_id, gate_name="lint", status="passed", agent="ci")
    for wanted, number in (
        ({"workspace_id": workspace_id}, 2),
        ({"plan_id": plan_id}, 1),
        ({"workspace_id": workspace_id, "status": "passed"}, 1),
        ({"plan_id": plan_id, "phase": "Ship"}, 0),
        ({"step_id": first, "gate_name": "lint"}, 1),
    ):
        assert (await agent(TOOL, "list_gates", **wanted))["total"] == number
    assert await db.value("SELECT count(*) FROM event_log WHERE type = 'gate_recorded'") == 2


async def test_a_strange_status_is_refused_with_what_there_is(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(TOOL, "record_gate", workspace_id=workspace_id, gate_name="g", status="maybe", agent="a")
    assert error["code"] == "invalid_arguments"
    assert "passed" in error["message"]
