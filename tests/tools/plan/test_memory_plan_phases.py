"""memory_plan: phases, and a human's word on phases and steps."""

from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, full, make

PHASES = [
    {"name": "Build", "steps": [{"task": "b1"}, {"task": "b2", "depends_on": [0]}]},
    {"name": "Test", "steps": [{"task": "t1", "depends_on": [1]}]},
    {"name": "Ship", "steps": [{"task": "s1"}]},
]


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    """A plan of three phases; its last step, b3, belongs to the first of them."""
    steps = [{"task": "b3", "phase": "Build"}]
    made = await make(agent, workspace_id, "Phases", category="quick_task", phases=PHASES, steps=steps)
    return made["plan_id"]


async def phases(agent: Agent, plan_id: str) -> list[str]:
    got = await full(agent, plan_id)
    assert [phase["index"] for phase in got["phases"]] == list(range(len(got["phases"])))
    return [phase["name"] for phase in got["phases"]]


async def tasks(agent: Agent, plan_id: str) -> list[str]:
    steps = (await full(agent, plan_id))["steps"]
    assert [step["index"] for step in steps] == list(range(len(steps)))
    return [step["task"] for step in steps]


async def confirm_phase(agent: Agent, plan_id: str, phase: str, **more: Any) -> dict[str, Any]:
    return await agent(
        "memory_plan", "confirm", plan_id=plan_id, confirmation_scope="phase", confirm_phase=phase, **more
    )


async def test_a_phase_is_added_last_or_at_a_place(agent: Agent, workspace_id: str, plan_id: str) -> None:
    last = await agent("memory_plan", "add_phase", plan_id=plan_id, name="Celebrate", description="Cake")
    assert (last["index"], last["workspace_id"]) == (3, workspace_id)
    await agent(
        "memory_plan", "add_phase", plan_id=plan_id, name="Design", at_index=0, approval_required=True,
        success_criteria=["c"], required_agents=["architect"],
    )  # fmt: skip
    assert await phases(agent, plan_id) == ["Design", "Build", "Test", "Ship", "Celebrate"]
    first, *_, final = (await full(agent, plan_id))["phases"]
    assert (first["approval_required"], first["success_criteria"]) == (True, ["c"])
    assert (first["required_agents"], final["description"]) == (["architect"], "Cake")
    assert await tasks(agent, plan_id) == ["b1", "b2", "t1", "s1", "b3"]


async def test_a_phase_that_cannot_be_added_changes_nothing(agent: Agent, plan_id: str, db: Database) -> None:
    before = await counts(db)
    error = await agent.fails("memory_plan", "add_phase", plan_id=plan_id, name="Ship")
    assert (error["code"], error["phase_id"].startswith("phase_")) == ("conflict", True)
    error = await agent.fails("memory_plan", "add_phase", plan_id=plan_id, name="New", at_index=9)
    assert "0 to 3" in error["message"]
    error = await agent.fails("memory_plan", "add_phase", plan_id=plan_id, name="New", expected_version=9)
    assert error["code"] == "conflict"
    assert await counts(db) == before


async def test_a_phase_is_renamed_and_keeps_its_steps(agent: Agent, plan_id: str) -> None:
    told = await agent(
        "memory_plan",
        "update_phase",
        plan_id=plan_id,
        phase="Build",
        name="Make",
        description="d",
        approval_required=True,
    )
    assert sorted(told["changed"]) == ["approval_required", "description", "name"]
    by_id = await agent("memory_plan", "update_phase", plan_id=plan_id, phase=told["phase_id"], description="")
    assert by_id["version"] == 3
    got = await full(agent, plan_id)
    assert [s["phase"] for s in got["steps"]] == ["Make", "Make", "Test", "Ship", "Make"]
    assert "description" not in got["phases"][0]


async def test_a_phase_that_cannot_be_changed_says_why(agent: Agent, plan_id: str) -> None:
    async def refused(phase: str, **arguments: Any) -> dict[str, Any]:
        return await agent.fails("memory_plan", "update_phase", plan_id=plan_id, phase=phase, **arguments)

    assert (await refused("Build", name="Ship"))["code"] == "conflict"
    stale = await refused("Build", name="B", expected_version=7)
    assert (stale["code"], stale["version"]) == ("conflict", 1)
    assert [near["name"] for near in (await refused("Nope", name="N"))["near"]] == ["Build", "Test", "Ship"]
    assert (await refused("Build"))["code"] == "invalid_arguments"


async def test_steps_follow_their_phases_and_keep_their_order_in_them(agent: Agent, plan_id: str) -> None:
    before = {s["task"]: s["step_id"] for s in (await full(agent, plan_id))["steps"]}
    ship = next(p["phase_id"] for p in (await full(agent, plan_id))["phases"] if p["name"] == "Ship")
    told = await agent("memory_plan", "reorder_phases", plan_id=plan_id, phase_order=[ship, "Build", "Test"])
    assert [p["name"] for p in told["phases"]] == ["Ship", "Build", "Test"]
    assert await phases(agent, plan_id) == ["Ship", "Build", "Test"]
    assert await tasks(agent, plan_id) == ["s1", "b1", "b2", "b3", "t1"]
    after = (await full(agent, plan_id))["steps"]
    assert {s["task"]: s["step_id"] for s in after} == before
    assert after[2]["depends_on"] == [before["b1"]]


async def test_an_order_has_to_name_every_phase_once(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_plan", "reorder_phases", plan_id=plan_id, phase_order=["Build", "Build", "Nope"])
    assert error["code"] == "invalid_arguments"
    for said in ("no phase 'Nope'", "'Test' is missing", "'Ship' is missing", "'Build' is named twice"):
        assert said in error["message"]
    assert await phases(agent, plan_id) == ["Build", "Test", "Ship"]


async def test_deleting_a_phase_is_shown_first_and_can_be_undone(agent: Agent, plan_id: str, db: Database) -> None:
    before, rows = await full(agent, plan_id), await counts(db)
    preview = (await agent("memory_plan", "delete_phase", plan_id=plan_id, phase="Build"))["preview"]
    assert (preview["would_delete"]["name"], preview["steps"]) == ("Build", 3)
    assert [s["task"] for s in preview["would_delete_steps"]] == ["b1", "b2", "b3"]
    assert preview["with_it"] == {"dependencies": 2}
    assert await counts(db) == rows

    told = await agent("memory_plan", "delete_phase", plan_id=plan_id, phase="Build", confirm=True)
    t1 = before["steps"][2]["step_id"]
    assert (told["steps_deleted"], [node["step_id"] for node in told["unblocked"]]) == (3, [t1])
    assert await phases(agent, plan_id) == ["Test", "Ship"]
    assert await tasks(agent, plan_id) == ["t1", "s1"]

    await agent("memory_workspace", "restore", trash_id=told["trash_id"])
    after = await full(agent, plan_id)
    assert after["phases"] == before["phases"]
    assert after["steps"] == before["steps"]


async def test_steps_can_move_to_another_phase_when_theirs_goes(agent: Agent, plan_id: str) -> None:
    held = (await agent("memory_steps", "next", plan_id=plan_id, agent="ada"))["next"]
    assert held["phase"] == "Build"
    arguments = {"plan_id": plan_id, "phase": "Build", "move_steps_to": "Ship"}
    preview = (await agent("memory_plan", "delete_phase", **arguments))["preview"]
    assert (preview["would_move_to"], preview["steps"]) == ("Ship", 3)
    told = await agent("memory_plan", "delete_phase", **arguments, confirm=True)
    assert told["steps_moved"] == 3
    steps = (await full(agent, plan_id))["steps"]
    assert [(s["task"], s["phase"]) for s in steps] == [
        ("b1", "Ship"),
        ("b2", "Ship"),
        ("t1", "Test"),
        ("s1", "Ship"),
        ("b3", "Ship"),
    ]
    assert steps[0]["claimed_by"] == "ada"


async def test_steps_at_work_keep_their_phase(agent: Agent, plan_id: str, db: Database) -> None:
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    before = await counts(db)
    error = await agent.fails("memory_plan", "delete_phase", plan_id=plan_id, phase="Build", confirm=True)
    assert (error["code"], error["claims"][0]["claimed_by"]) == ("conflict", "ada")
    error = await agent.fails("memory_plan", "delete_phase", plan_id=plan_id, phase="Build", move_steps_to="Build")
    assert error["code"] == "invalid_arguments"
    assert await counts(db) == before
    await agent("memory_plan", "delete_phase", plan_id=plan_id, phase="Build", confirm=True, force=True)
    assert await phases(agent, plan_id) == ["Test", "Ship"]


async def test_a_phase_that_needs_approval_holds_back_what_comes_after_it(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "update_phase", plan_id=plan_id, phase="Build", approval_required=True)
    ready = await agent("memory_steps", "ready", plan_id=plan_id)
    assert [s["task"] for s in ready["steps"]] == ["b1", "b3"]
    await agent.person_confirms_phase(plan_id, "Build")
    told = await confirm_phase(agent, plan_id, "Build")
    assert (told["confirmed"], told["confirmed_by"], told["confirmed_via"]) == (True, "human", "terminal")
    assert "3 of its 3 steps" in told["warnings"][0]
    ready = await agent("memory_steps", "ready", plan_id=plan_id)
    assert [s["task"] for s in ready["steps"]] == ["b1", "s1", "b3"]
    first = (await full(agent, plan_id))["phases"][0]
    assert (first["confirmed_by"], first["confirmed_via"]) == ("human", "terminal")

    back = await confirm_phase(agent, plan_id, "Build", revoke=True)
    assert back["confirmed"] is False
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 2
    error = await agent.fails(
        "memory_plan", "confirm", plan_id=plan_id, confirmation_scope="phase", confirm_phase="Build", revoke=True
    )
    assert error["code"] == "not_found"


async def test_phase_gates_make_every_phase_need_approval(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "update", plan_id=plan_id, phase_gates=True)
    assert {s["phase"] for s in (await agent("memory_steps", "ready", plan_id=plan_id))["steps"]} == {"Build"}


async def test_a_confirmation_belongs_to_the_phase_and_not_to_its_place(agent: Agent, plan_id: str) -> None:
    await agent.person_confirms_phase(plan_id, "Ship")
    await agent("memory_plan", "reorder_phases", plan_id=plan_id, phase_order=["Ship", "Test", "Build"])
    await agent("memory_plan", "update_phase", plan_id=plan_id, phase="Ship", name="Release")
    told = [(p["name"], p.get("confirmed_by")) for p in (await full(agent, plan_id))["phases"]]
    assert told == [("Release", "human"), ("Test", None), ("Build", None)]


@pytest.mark.parametrize(
    "kind", [{"type": "confirmation"}, {"type": "user_validation"}, {"requires_confirmation": True}]
)
async def test_a_step_that_needs_confirmation_is_done_only_after_it(
    agent: Agent, workspace_id: str, kind: dict[str, Any]
) -> None:
    made = await make(agent, workspace_id, steps=[{"task": "ask", **kind}])
    where = {"plan_id": made["plan_id"], "step_index": 0}
    error = await agent.fails("memory_steps", "update", **where, status="done")
    assert error["code"] == "gated"
    await agent.person_confirms(made["step_ids"][0])
    told = await agent("memory_plan", "confirm", **where, confirmation_scope="step")
    assert (told["step_id"], told["index"], told["confirmed"]) == (made["step_ids"][0], 0, True)
    await agent("memory_steps", "update", **where, status="done")

    await agent("memory_steps", "update", **where, status="pending")
    assert (await agent.fails("memory_steps", "update", **where, status="done"))["code"] == "gated"


async def test_re_opening_a_step_drops_the_word_on_its_phase(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done")
    await agent.person_confirms_phase(plan_id, "Build")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="pending")
    assert "confirmed_by" not in (await full(agent, plan_id))["phases"][0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"confirmation_scope": "phase"},
        {"confirmation_scope": "phase", "confirm_phase": "Build", "step_index": 0},
        {"confirmation_scope": "step"},
        {"confirmation_scope": "step", "step_index": 0, "confirm_phase": "Build"},
        {"confirmation_scope": "plan"},
    ],
)
async def test_a_confirmation_names_one_thing(agent: Agent, plan_id: str, arguments: dict[str, Any]) -> None:
    error = await agent.fails("memory_plan", "confirm", plan_id=plan_id, **arguments)
    assert error["code"] == "invalid_arguments"


async def test_what_cannot_be_confirmed_is_not_found(agent: Agent, plan_id: str) -> None:
    for arguments in (
        {"confirmation_scope": "phase", "confirm_phase": "Nope"},
        {"confirmation_scope": "step", "step_index": 9},
        {"confirmation_scope": "step", "step_index": 0, "revoke": True},
    ):
        error = await agent.fails("memory_plan", "confirm", plan_id=plan_id, **arguments)
        assert error["code"] == "not_found"
