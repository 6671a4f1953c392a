"""memory_plan: several steps made one, several plans made one."""

from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, full, make

STEPS = [
    {"task": "a", "phase": "One"},
    {"task": "b", "phase": "One", "notes": "of b", "depends_on": [0]},
    {"task": "c", "phase": "Two", "notes": "of c", "depends_on": [5], "requires_validation": True},
    {"task": "d", "phase": "Two", "depends_on": [1]},
    {"task": "e", "phase": "Two", "depends_on": [2]},
    {"task": "f", "phase": "Two"},
]


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    return (await make(agent, workspace_id, "Long", steps=STEPS))["plan_id"]


async def steps_of(agent: Agent, plan_id: str) -> list[dict[str, Any]]:
    return (await agent("memory_steps", "list", plan_id=plan_id, detail="full"))["steps"]


def joining(plan_id: str, *indices: int, **more: Any) -> dict[str, Any]:
    return {"plan_id": plan_id, "step_indices": list(indices), "consolidated_task": "b and c", **more}


async def test_one_step_stands_for_its_neighbours(agent: Agent, plan_id: str) -> None:
    before = await steps_of(agent, plan_id)
    told = await agent("memory_plan", "consolidate", **joining(plan_id, 2, 1, confirm=True))

    after = await steps_of(agent, plan_id)
    assert [step["task"] for step in after] == ["a", "b and c", "d", "e", "f"]
    kept, ids = after[1], {step["task"]: step["step_id"] for step in before}
    assert (kept["step_id"], kept["phase"], kept["status"]) == (told["step_id"], "One", "pending")
    assert told["step_id"] == ids["b"]
    assert kept["notes"] == "of b; of c"
    assert kept["requires_validation"] is True
    assert set(kept["depends_on"]) == {ids["a"], ids["f"]}
    assert [step["depends_on"] for step in after[2:4]] == [[ids["b"]], [ids["b"]]]


async def test_what_was_consolidated_away_comes_back_from_the_trash(agent: Agent, plan_id: str) -> None:
    told = await agent("memory_plan", "consolidate", **joining(plan_id, 1, 2, confirm=True))
    await agent("memory_workspace", "restore", trash_id=told["trash_id"])

    assert "c" in [step["task"] for step in await steps_of(agent, plan_id)]


async def test_a_preview_says_what_would_go_and_changes_nothing(agent: Agent, plan_id: str, db: Database) -> None:
    before = await counts(db), await full(agent, plan_id)
    told = await agent("memory_plan", "consolidate", **joining(plan_id, 1, 2))

    assert [step["task"] for step in told["preview"]["would_delete"]] == ["c"]
    assert (await counts(db), await full(agent, plan_id)) == before


@pytest.mark.parametrize(
    ("indices", "code"), [([1, 3], "invalid_arguments"), ([1, 1], "invalid_arguments"), ([5, 6], "not_found")]
)
async def test_steps_that_are_no_neighbours_stay_apart(
    agent: Agent, plan_id: str, db: Database, indices: list[int], code: str
) -> None:
    before = await counts(db)
    error = await agent.fails("memory_plan", "consolidate", **joining(plan_id, *indices, confirm=True))

    assert error["code"] == code
    assert await counts(db) == before


async def test_a_circle_that_joining_would_close_is_refused(agent: Agent, workspace_id: str) -> None:
    chain = [{"task": "x"}, {"task": "y"}, {"task": "z", "depends_on": [0]}]
    plan = await make(agent, workspace_id, "C", steps=chain)
    await agent("memory_steps", "set_dependencies", plan_id=plan["plan_id"], step_index=1, depends_on=[2])

    error = await agent.fails("memory_plan", "consolidate", **joining(plan["plan_id"], 0, 1, confirm=True))
    assert error["code"] == "conflict"
    assert len(await steps_of(agent, plan["plan_id"])) == 3


async def test_finished_steps_stay_finished_and_open_ones_make_the_whole_open(agent: Agent, plan_id: str) -> None:
    updates = [{"step_index": 0, "status": "done"}, {"step_index": 1, "status": "done"}]
    await agent("memory_steps", "batch_update", plan_id=plan_id, updates=updates)
    done = await agent("memory_plan", "consolidate", **joining(plan_id, 0, 1, confirm=True))
    assert done["status"] == "done"

    opened = await agent("memory_plan", "consolidate", **joining(plan_id, 0, 1, confirm=True))
    first = (await steps_of(agent, plan_id))[0]
    assert opened["status"] == first["status"] == "pending"
    assert not {"completed_at", "completed_by", "claimed_by"} & first.keys()


async def test_a_step_that_someone_holds_is_joined_by_force_alone(agent: Agent, plan_id: str) -> None:
    held = await agent("memory_steps", "claim", plan_id=plan_id, step_index=0, agent="ada")
    error = await agent.fails("memory_plan", "consolidate", **joining(plan_id, 0, 1, confirm=True, agent="bob"))
    assert (error["code"], error["held_by"]) == ("conflict", "ada")

    await agent("memory_plan", "consolidate", **joining(plan_id, 0, 1, confirm=True, agent="bob", force=True))
    late = {"step_id": held["step_id"], "claim_token": held["claim_token"], "status": "done"}
    assert (await agent.fails("memory_steps", "update", **late))["code"] == "conflict"


async def test_a_gate_is_not_joined_away_without_a_human(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": "work"}, {"task": "look", "type": "confirmation"}, {"task": "after", "depends_on": [1]}]
    plan = await make(agent, workspace_id, "Gated", steps=steps)
    error = await agent.fails("memory_plan", "consolidate", **joining(plan["plan_id"], 0, 1, confirm=True))

    assert error["code"] == "gated"
    assert len(await steps_of(agent, plan["plan_id"])) == 3


async def test_who_worked_on_a_step_that_goes_worked_on_the_one_that_stays(
    agent: Agent, plan_id: str, db: Database
) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="bob")
    await agent("memory_steps", "claim", plan_id=plan_id, step_index=1, agent="ada")
    await agent("memory_steps", "release", plan_id=plan_id, step_index=1, agent="ada")
    told = await agent("memory_plan", "consolidate", **joining(plan_id, 0, 1, confirm=True))

    rows = await db.all("SELECT agent FROM step_workers WHERE step_id = :id ORDER BY agent", {"id": told["step_id"]})
    assert [row["agent"] for row in rows] == ["ada", "bob"]


@pytest_asyncio.fixture
async def other_id(agent: Agent, workspace_id: str) -> str:
    phases = [
        {"name": "two", "approval_required": True, "steps": [{"task": "g", "notes": "why"}]},
        {"name": "Three", "steps": [{"task": "h", "depends_on": [0]}]},
    ]
    return (await make(agent, workspace_id, "Other", phases=phases))["plan_id"]


async def test_plans_become_one(agent: Agent, plan_id: str, other_id: str) -> None:
    await agent("memory_steps", "update", plan_id=other_id, step_index=0, status="done")
    before = await full(agent, other_id)
    told = await agent("memory_plan", "merge_plans", target_plan_id=plan_id, source_plan_ids=[other_id])

    after = await full(agent, plan_id)
    assert [phase["name"] for phase in after["phases"]] == ["One", "Two", "Three"]
    assert after["phases"][1]["approval_required"] is True
    new = (await steps_of(agent, plan_id))[6:]
    assert [(s["index"], s["phase"], s["task"], s["status"]) for s in new] == [
        (6, "Two", "g", "done"),
        (7, "Three", "h", "pending"),
    ]
    assert [s["step_id"] for s in new] == told["step_ids"]
    assert [s["notes"] for s in new] == ["[Merged from Other] why", "[Merged from Other]"]
    assert new[1]["depends_on"] == [new[0]["step_id"]]
    assert (told["steps_merged"], told.get("archived_sources")) == (2, None)
    assert await full(agent, other_id) == before


async def test_sources_go_to_the_archive_when_asked(agent: Agent, plan_id: str, other_id: str) -> None:
    merge = {"target_plan_id": plan_id, "source_plan_ids": [other_id], "archive_sources": True}
    await agent("memory_steps", "claim", plan_id=other_id, step_index=0, agent="ada")
    assert (await agent.fails("memory_plan", "merge_plans", **merge))["code"] == "conflict"
    assert len(await steps_of(agent, plan_id)) == 6

    told = await agent("memory_plan", "merge_plans", force=True, **merge)
    assert told["archived_sources"] == [other_id]
    assert (await agent("memory_plan", "get", plan_id=other_id))["status"] == "archived"
    again = await agent("memory_plan", "merge_plans", **merge)
    assert (again["steps_merged"], again.get("archived_sources")) == (2, None)


async def test_all_that_stands_against_a_merge_is_told_at_once(agent: Agent, plan_id: str, db: Database) -> None:
    before = await counts(db)
    wanted = {"target_plan_id": plan_id, "source_plan_ids": [plan_id, "plan_nowhere"]}
    error = await agent.fails("memory_plan", "merge_plans", **wanted)

    assert error["code"] == "conflict"
    assert "plan_nowhere" in error["message"]
    assert "itself" in error["message"]
    assert await counts(db) == before


async def test_a_completed_plan_takes_no_open_steps_of_another(agent: Agent, plan_id: str, other_id: str) -> None:
    await agent("memory_plan", "update", plan_id=plan_id, status="completed", force=True)
    error = await agent.fails("memory_plan", "merge_plans", target_plan_id=plan_id, source_plan_ids=[other_id])

    assert error["code"] == "conflict"
    assert "completed" in error["message"]


async def test_notes_that_are_too_long_together_are_refused_and_stay(agent: Agent, workspace_id: str) -> None:
    plan = await make(agent, workspace_id, "Long", steps=[{"task": "a"}, {"task": "b"}])
    plan_id = plan["plan_id"]
    for index in (0, 1):
        await agent("memory_steps", "update", plan_id=plan_id, step_index=index, notes="n" * 700_000)
    wanted = {"plan_id": plan_id, "step_indices": [0, 1], "consolidated_task": "c"}
    refused = await agent.fails("memory_plan", "consolidate", **wanted, confirm=True)

    assert refused["code"] == "too_large"
    assert (await agent("memory_steps", "list", plan_id=plan_id, max_bytes=2000))["total"] == 2
