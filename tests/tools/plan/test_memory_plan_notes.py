"""memory_plan: notes on a plan, and plans that wait for plans."""

import pytest
import pytest_asyncio

from server.db.plans import plan_notes
from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, make


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    return (await make(agent, workspace_id, "Notes", category="quick_task"))["plan_id"]


async def wait(agent: Agent, plan_id: str, *others: str) -> dict[str, object]:
    return await agent("memory_plan", "set_plan_dependencies", plan_id=plan_id, depends_on_plans=list(others))


async def test_notes_are_listed_newest_first_and_by_kind(agent: Agent, workspace_id: str, plan_id: str) -> None:
    added = await agent("memory_plan", "add_note", plan_id=plan_id, note="one\nof two lines", agent="ada")
    assert (added["workspace_id"], added["note_type"]) == (workspace_id, "info")
    await agent("memory_plan", "add_note", plan_id=plan_id, note="two", note_type="warning")
    await agent("memory_plan", "add_note", plan_id=plan_id, note="three", note_type="instruction", deliver_to="Bob")

    listed = await agent("memory_plan", "list_notes", plan_id=plan_id)
    assert [n["note"] for n in listed["notes"]] == ["three", "two", "one\nof two lines"]
    assert listed["notes"][2]["added_by"] == "ada"
    page = await agent("memory_plan", "list_notes", plan_id=plan_id, limit=2)
    rest = await agent("memory_plan", "list_notes", plan_id=plan_id, limit=2, cursor=page["next_cursor"])
    assert (page["total"], page["notes"] + rest["notes"]) == (3, listed["notes"])
    warnings = await agent("memory_plan", "list_notes", plan_id=plan_id, note_type="warning")
    assert [n["note"] for n in warnings["notes"]] == ["two"]
    for_bob = await agent("memory_plan", "list_notes", plan_id=plan_id, deliver_to="bob")
    assert [n["note"] for n in for_bob["notes"]] == ["three"]


async def test_instructions_wait_for_those_they_are_for(agent: Agent, plan_id: str, db: Database) -> None:
    for note, kind, to in (("all", "instruction", None), ("bob", "instruction", "Bob"), ("info", "info", "bob")):
        await agent("memory_plan", "add_note", plan_id=plan_id, note=note, note_type=kind, deliver_to=to)
    assert [n.note for n in await plan_notes.waiting(db, plan_id, "bob")] == ["all", "bob"]
    assert [n.note for n in await plan_notes.waiting(db, plan_id, "ada")] == ["all"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"note": "  "}, "invalid_arguments"),
        ({}, "invalid_arguments"),
        ({"note": "n", "note_type": "order"}, "invalid_arguments"),
        ({"note": "a\0b"}, "invalid_arguments"),
        ({"note": "n", "deliver_to": "x" * 65}, "invalid_arguments"),
        ({"note": "x" * (1024 * 1024 + 1)}, "too_large"),
        ({"note": "n", "plan_id": "plan_none"}, "not_found"),
    ],
)
async def test_a_note_that_cannot_be_taken_is_not_written(
    agent: Agent, plan_id: str, db: Database, arguments: dict[str, str], code: str
) -> None:
    before = await counts(db)
    error = await agent.fails("memory_plan", "add_note", **{"plan_id": plan_id, **arguments})
    assert error["code"] == code
    assert await counts(db) == before


async def test_a_plan_waits_until_others_are_completed(agent: Agent, workspace_id: str, plan_id: str) -> None:
    a = (await make(agent, workspace_id, "A"))["plan_id"]
    b = (await make(agent, workspace_id, "B", steps=[{"task": "s"}]))["plan_id"]
    told = await wait(agent, b, a, plan_id, a)
    assert (told["depends_on_plans"], told["waiting_for"]) == ([a, plan_id], [a, plan_id])
    assert (await agent("memory_steps", "ready", plan_id=b))["total"] == 0

    await agent("memory_plan", "update", plan_id=a, status="completed")
    told = await agent("memory_plan", "get_plan_dependencies", plan_id=b)
    assert (told["depends_on_plans"], told["waiting_for"]) == ([a, plan_id], [plan_id])
    assert {p["plan_id"]: (p["title"], p["status"]) for p in told["plans"]} == {
        a: ("A", "completed"),
        plan_id: ("Notes", "active"),
    }
    assert (await agent("memory_plan", "get_plan_dependencies", plan_id=a))["dependents"] == [b]

    told = await wait(agent, b)
    assert "depends_on_plans" not in told
    assert (await agent("memory_steps", "ready", plan_id=b))["total"] == 1


async def test_an_archived_plan_counts_by_the_status_it_had(agent: Agent, workspace_id: str, plan_id: str) -> None:
    done = (await make(agent, workspace_id, "Done"))["plan_id"]
    await agent("memory_plan", "update", plan_id=done, status="completed")
    await agent("memory_plan", "archive", plan_id=done)
    assert "waiting_for" not in await wait(agent, plan_id, done)
    told = await agent("memory_plan", "get_plan_dependencies", plan_id=plan_id)
    assert told["plans"] == [{"plan_id": done, "title": "Done", "status": "archived"}]
    assert (await agent("memory_plan", "get_plan_dependencies", plan_id=done))["dependents"] == [plan_id]


async def test_everything_against_a_dependency_is_named_at_once(
    agent: Agent, workspace_id: str, plan_id: str, db: Database
) -> None:
    a = (await make(agent, workspace_id, "A", depends_on_plans=[plan_id]))["plan_id"]
    b = (await make(agent, workspace_id, "B", depends_on_plans=[a]))["plan_id"]
    before = await counts(db)
    error = await agent.fails(
        "memory_plan",
        "set_plan_dependencies",
        plan_id=plan_id,
        depends_on_plans=[b, plan_id, "plan_none", "plan_nothing"],
    )
    assert (error["code"], error["missing"]) == ("conflict", ["plan_none", "plan_nothing"])
    assert error["cycle"] == [plan_id, b, a, plan_id]
    assert "cannot wait for itself" in error["message"]
    assert await counts(db) == before
    error = await agent.fails("memory_plan", "set_plan_dependencies", plan_id=plan_id, depends_on_plans=["plan_none"])
    assert error["code"] == "not_found"
    error = await agent.fails("memory_plan", "set_plan_dependencies", plan_id=plan_id, depends_on_plans="plan_none")
    assert error["code"] == "invalid_arguments"
    error = await agent.fails("memory_plan", "get_plan_dependencies", plan_id="plan_none")
    assert error["code"] == "not_found"


async def test_a_step_may_not_make_plans_wait_in_a_circle(agent: Agent, workspace_id: str, plan_id: str) -> None:
    step = (await make(agent, workspace_id, "A", steps=[{"task": "s"}]))["step_ids"][0]
    b = (await make(agent, workspace_id, "B", steps=[{"task": "t", "depends_on": [step]}]))["plan_id"]
    a = (await agent("memory_steps", "get", step_id=step))["plan_id"]
    error = await agent.fails("memory_plan", "set_plan_dependencies", plan_id=a, depends_on_plans=[b])
    assert error["code"] == "conflict"
