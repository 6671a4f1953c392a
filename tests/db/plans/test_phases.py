"""Table `phases`, the order of steps below it, and confirmations."""

import pytest
import pytest_asyncio

from server.db.gates import confirmations
from server.db.plans import phases, plans
from server.db.steps import steps
from server.db.storage.connection import Database
from server.db.workspaces import workspaces
from server.errors import NotFound
from server.models.approvals import Word
from server.models.plans import NewPhase
from server.models.steps import NewStep

NEW = [NewPhase(name="A", approval_required=True, success_criteria=["c"]), NewPhase(name="B"), NewPhase(name="C")]


@pytest_asyncio.fixture
async def plan_id(db: Database) -> str:
    """A plan of the phases A, B and C with the steps a1, b1, a2, c1, b2, whose phases interleave."""
    async with db.transaction() as tx:
        await workspaces.insert(tx, path="/project", name="project", workspace_id="ws_1")
        plan = await plans.insert(tx, workspace_id="ws_1", title="P")
        await phases.insert_many(tx, plan.plan_id, NEW)
        new = [NewStep(task=task, phase=task[0].upper()) for task in ("a1", "b1", "a2", "c1", "b2")]
        await steps.insert_many(tx, plan.plan_id, new)
    return plan.plan_id


async def names(db: Database, plan_id: str) -> list[str]:
    return [phase.name for phase in await phases.of_plan(db, plan_id)]


async def tasks(db: Database, plan_id: str) -> list[str]:
    found = await steps.of_plan(db, plan_id)
    assert [step.order_index for step in found] == list(range(len(found)))
    return [step.task for step in found]


async def test_phases_come_back_in_order_with_what_they_say(db: Database, plan_id: str) -> None:
    first, *_ = found = await phases.of_plan(db, plan_id)
    assert [(phase.name, phase.order_index) for phase in found] == [("A", 0), ("B", 1), ("C", 2)]
    assert (first.approval_required, first.success_criteria, first.required_agents) == (True, ["c"], [])


async def test_a_phase_is_required_by_name_or_id(db: Database, plan_id: str) -> None:
    b = await phases.require(db, plan_id, "B")
    assert await phases.require(db, plan_id, b.phase_id) == b
    with pytest.raises(NotFound) as caught:
        await phases.require(db, plan_id, "Z")
    assert "A" in str(caught.value.details["near"])


async def test_progress_counts_closed_steps_and_tells_the_state(db: Database, plan_id: str) -> None:
    a1, b1, a2, c1, _ = await steps.of_plan(db, plan_id)
    async with db.transaction() as tx:
        for step, status in ((a1, "done"), (a2, "cancelled"), (b1, "active"), (c1, "failed")):
            await steps.update(tx, step.step_id, {"status": status})
    told = [(p.name, p.status, p.steps_done, p.steps_total) for p in await phases.progress(db, plan_id)]
    assert told == [("A", "done", 2, 2), ("B", "active", 0, 2), ("C", "active", 0, 1)]


async def test_steps_are_grouped_by_the_order_of_their_phases(db: Database, plan_id: str) -> None:
    by_name = {phase.name: phase.phase_id for phase in await phases.of_plan(db, plan_id)}
    async with db.transaction() as tx:
        await phases.set_order(tx, [by_name[name] for name in "CAB"])
        await phases.group_steps(tx, plan_id)
    assert await names(db, plan_id) == ["C", "A", "B"]
    assert await tasks(db, plan_id) == ["c1", "a1", "a2", "b1", "b2"]


async def test_a_deleted_phase_leaves_no_gap(db: Database, plan_id: str) -> None:
    a = await phases.require(db, plan_id, "A")
    b = await phases.require(db, plan_id, "B")
    async with db.transaction() as tx:
        rows = await phases.collect(tx, a.phase_id)
        await phases.move_steps(tx, a.phase_id, b.phase_id)
        await phases.delete(tx, a)
    assert [row["name"] for row in rows["phases"]] == ["A"]
    assert [(p.name, p.order_index) for p in await phases.of_plan(db, plan_id)] == [("B", 0), ("C", 1)]
    assert [step.phase for step in await steps.of_plan(db, plan_id)] == ["B", "B", "B", "C", "B"]


async def test_a_changed_phase_has_another_version(db: Database, plan_id: str) -> None:
    b = await phases.require(db, plan_id, "B")
    async with db.transaction() as tx:
        after = await phases.update(tx, b.phase_id, {"name": "Bee", "required_agents": ["ada"]})
    assert await phases.require(db, plan_id, "Bee") == after
    assert (after.version, after.required_agents) == (b.version + 1, ["ada"])


async def test_confirmations_are_one_a_thing_and_go_with_a_re_opened_step(db: Database, plan_id: str) -> None:
    first, second, *_ = await steps.of_plan(db, plan_id)
    async with db.transaction() as tx:
        await confirmations.confirm(tx, "step", first.step_id, plan_id, Word("terminal", "ada"))
        await confirmations.confirm(tx, "step", first.step_id, plan_id, Word("terminal", "bob"))
        await confirmations.confirm(tx, "step", second.step_id, plan_id, Word("terminal", "ada"))
        await confirmations.confirm(tx, "phase", first.phase_id, plan_id, Word("terminal", "ada"))
    found = await confirmations.of_step(db, first.step_id)
    assert found
    assert found.confirmed_by == "bob"
    assert len(await confirmations.of_plan(db, plan_id)) == 3
    assert (await phases.progress(db, plan_id))[0].confirmed_by == "ada"

    async with db.transaction() as tx:
        await confirmations.drop_for_step(tx, first)
    assert await confirmations.of_phase(db, first.phase_id) is None
    assert [c.step_id for c in await confirmations.of_plan(db, plan_id)] == [second.step_id]
