"""Tables of plans: lists in every order, what they cost, and notes."""

import sqlite3
from typing import Any

import pytest
import pytest_asyncio

from server.db.plans import phases, plan_archive, plan_copies, plan_notes, plan_overview, plans
from server.db.plans.plans import Filter
from server.db.steps import steps
from server.db.storage.connection import Database
from server.db.workspaces import workspaces
from server.errors import Conflict, NotFound
from server.models.steps import NewStep

WORKSPACE = "ws_1"


@pytest_asyncio.fixture
async def store(db: Database) -> Database:
    """A store with one workspace."""
    async with db.transaction() as tx:
        await workspaces.insert(tx, path="/project", name="project", workspace_id=WORKSPACE)
    return db


async def add(db: Database, title: str, *tasks: str, **columns: Any) -> str:
    async with db.transaction() as tx:
        plan = await plans.insert(tx, workspace_id=WORKSPACE, title=title, **columns)
        if tasks:
            await steps.insert_many(tx, plan.plan_id, [NewStep(task=task) for task in tasks])
    return plan.plan_id


async def titles(db: Database, **arguments: Any) -> list[str]:
    found, total = await plans.page(db, Filter(WORKSPACE, **arguments), order="title", after=None, limit=50)
    assert total == len(found)
    return [brief.title for brief, _ in found]


async def test_a_plan_comes_back_as_it_was_stored(store: Database) -> None:
    plan_id = await add(store, "A", goals=["g", "ü"], phase_gates=True, extra={"old": [1]}, source="a.md")
    plan = await plans.require(store, plan_id)
    assert (plan.goals, plan.phase_gates, plan.extra, plan.source) == (["g", "ü"], True, {"old": [1]}, "a.md")
    assert (plan.status, plan.version) == ("active", 1)
    assert await plans.from_source(store, WORKSPACE, "a.md") == plan_id
    assert await plans.from_source(store, WORKSPACE, "b.md") is None


async def test_a_change_makes_another_version(store: Database) -> None:
    plan_id = await add(store, "A")
    async with store.transaction() as tx:
        changed = await plans.update(tx, plan_id, {"goals": ["g"], "owner": None})
    assert (changed.version, changed.goals) == (2, ["g"])
    assert await plans.require(store, plan_id) == changed
    with pytest.raises(Conflict):
        plans.check_version(changed.version, 1, "The plan")


async def test_lists_filter_live_and_archived_plans(store: Database) -> None:
    await add(store, "Live")
    done = await add(store, "Done", status="completed")
    gone = await add(store, "Gone", status="completed")
    async with store.transaction() as tx:
        await plan_archive.archive(tx, gone)
    assert await titles(store) == ["Done", "Live"]
    assert await titles(store, status="completed") == ["Done"]
    assert await titles(store, include_archived=True) == ["Done", "Gone", "Live"]
    assert await titles(store, include_archived=True, status="completed") == ["Done", "Gone"]
    assert await titles(store, status="archived") == ["Gone"]
    assert await titles(store, query="on", include_archived=True) == ["Done", "Gone"]
    assert {plan_id: row["status"] for plan_id, row in (await plans.statuses(store, [done, gone, "x"])).items()} == {
        done: "completed",
        gone: "archived",
    }


async def test_an_archived_plan_is_listed_with_its_progress(store: Database) -> None:
    plan_id = await add(store, "Gone", "a", "b")
    async with store.transaction() as tx:
        await plan_archive.archive(tx, plan_id)
    [(brief, _)], _ = await plans.page(
        store, Filter(WORKSPACE, status="archived"), order="updated", after=None, limit=5
    )
    assert (brief.status, brief.last_status, brief.steps_total, brief.current_phase) == (
        "archived",
        "active",
        2,
        "Steps",
    )
    [found] = await plans.starting_with(store, plan_id[:-1], limit=5)
    assert found == brief


@pytest.mark.parametrize("order", list(plans.ORDERS))
async def test_pages_join_without_gap_or_overlap(store: Database, order: str) -> None:
    for n in range(11):
        await add(store, f"plan {n % 4}", priority=("low", "high", "critical")[n % 3])
    whole, _ = await plans.page(store, Filter(WORKSPACE), order=order, after=None, limit=50)
    seen: list[str] = []
    after: list[str | int] | None = None
    while True:
        found, total = await plans.page(store, Filter(WORKSPACE), order=order, after=after, limit=3)
        if not found:
            break
        seen += [brief.plan_id for brief, _ in found]
        after = found[-1][1]
        assert total == 11
    assert seen == [brief.plan_id for brief, _ in whole]


async def test_an_id_that_no_plan_has_is_not_found_with_near_ones(store: Database) -> None:
    plan_id = await add(store, "A")
    with pytest.raises(NotFound) as caught:
        await plans.require(store, plan_id[:-1])
    assert caught.value.details["near"] == [{"plan_id": plan_id, "title": "A"}]
    assert await plan_overview.read(store, "plan_none") is None


async def test_a_plan_is_read_in_one_hop(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_id = await add(store, "A", *map(str, range(20)))
    hops: list[int] = []
    batch = store.batch

    async def counted(*statements: Any) -> list[list[sqlite3.Row]]:
        hops.append(len(statements))
        return await batch(*statements)

    monkeypatch.setattr(store, "batch", counted)
    found = await plan_overview.read(store, plan_id)
    assert len(hops) == 1
    assert found
    assert [step.index for step in found.steps] == list(range(8 + 2))
    assert found.current_phase == "Steps"


def whole_tables(steps_of_plan: list[str]) -> list[str]:
    """The lines of a query plan that read a stored table, or an index made for the moment, from end to end."""
    made = {"CONSTANT", "place", "near", "held", "page", "counted", "n", "json_each", "subquery-2)"}  # no stored table
    scans = [line for line in steps_of_plan if line.startswith("SCAN ") and line.split()[1].strip("(") not in made]
    automatic = [line for line in steps_of_plan if "AUTOMATIC" in line and line.split()[1] not in made]
    return scans + automatic


async def explain(db: Database, sql: str, params: Any) -> list[str]:
    return [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {sql}", params)]


@pytest.mark.parametrize("suffix", ["", "_archive"])
@pytest.mark.parametrize(
    "query", [phases.PROGRESS, plan_overview.STANDING, plan_overview.ALL_STEPS, *plan_overview.PARTS.values()]
)
async def test_reading_a_plan_scans_no_table(store: Database, query: str, suffix: str) -> None:
    plan = await explain(store, query.format(suffix=suffix), {"plan_id": "p", "now": "n"})
    assert whole_tables(plan) == []


@pytest.mark.parametrize("order", list(plans.ORDERS))
@pytest.mark.parametrize("status", [None, "archived", "completed"])
async def test_a_page_of_a_list_scans_no_table(
    store: Database, monkeypatch: pytest.MonkeyPatch, order: str, status: str | None
) -> None:
    asked: list[Any] = []
    batch = store.batch

    async def noted(*statements: Any) -> list[list[sqlite3.Row]]:
        asked.extend(statements)
        return await batch(*statements)

    monkeypatch.setattr(store, "batch", noted)
    for after in (None, ["x", "y", "z"][: len(plans.ORDERS[order][1])]):
        wanted = Filter(WORKSPACE, status, include_archived=status is None)
        await plans.page(store, wanted, order=order, after=after, limit=20)
    monkeypatch.undo()
    for sql, params in asked:
        assert whole_tables(await explain(store, sql, params)) == []


async def test_a_copy_has_new_ids_and_the_same_order(store: Database) -> None:
    source = await add(store, "A", "a", "b", "c")
    target = await add(store, "B")
    async with store.transaction() as tx:
        await plan_copies.copy(tx, source, target, suffix="", reset=True)
    original, copied = await steps.of_plan(store, source), await steps.of_plan(store, target)
    assert [(s.task, s.order_index, s.phase) for s in copied] == [(s.task, s.order_index, s.phase) for s in original]
    assert not {s.step_id for s in copied} & {s.step_id for s in original}


async def test_notes_wait_until_somebody_acknowledges_them(store: Database) -> None:
    plan_id = await add(store, "A")
    async with store.transaction() as tx:
        note = await plan_notes.insert(tx, plan_id, "read me", "instruction", None)
    assert await plan_notes.waiting(store, plan_id, "anybody") == [note]
    async with store.transaction() as tx:
        await tx.run(
            "UPDATE plan_notes SET acknowledged_at = :now WHERE note_id = :id", {"now": tx.now(), "id": note.note_id}
        )
    assert await plan_notes.waiting(store, plan_id, "anybody") == []
