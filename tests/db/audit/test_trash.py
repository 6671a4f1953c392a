"""What is deleted can come back, or the error says what stands in the way."""

import json
from typing import Any

import pytest

from server.db.audit import restore, trash
from server.db.audit.trash import Rows
from server.db.dependencies import dependencies
from server.db.plans import phases, plan_archive, plans
from server.db.steps import step_attachments, steps
from server.db.storage.connection import Database, Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict, NotFound
from server.models.base import later
from server.models.events import Origin
from server.models.steps import NewStep
from tests.db.plans.test_plan_archive import insert, make_plan, snapshot

NOW = "2030-01-02T03:04:05.678Z"
PAST = "2020-01-02T03:04:05.678Z"
TIMES = {"created_at": NOW, "updated_at": NOW}


@pytest.fixture
async def workspace_id(db: Database) -> str:
    async with db.transaction() as tx:
        return (await workspaces.insert(tx, path="/srv/project", name="project")).workspace_id


@pytest.fixture
async def plan(db: Database, workspace_id: str) -> tuple[str, list[str]]:
    """A plan of four steps in two phases, each waiting for the one before."""
    async with db.transaction() as tx:
        return await make_plan(tx, workspace_id, "Plan")


async def put(tx: Transaction, rows: Rows, **more: Any) -> str:
    entry: dict[str, Any] = {
        "entity_type": "step",
        "entity_id": "x",
        "title": "t",
        "workspace_id": None,
        "plan_id": None,
    }
    return await trash.put(tx, rows=rows, **{**entry, **more})


async def delete_steps(db: Database, plan_id: str, step_ids: list[str]) -> Rows:
    async with db.transaction() as tx:
        rows = await step_attachments.collect(tx, step_ids)
        await steps.delete(tx, step_ids, plan_id)
    return rows


async def put_back(db: Database, rows: Rows) -> list[str]:
    async with db.transaction() as tx:
        return await restore.put_back(tx, rows)


async def refused(db: Database, rows: Rows, match: str) -> Conflict:
    """Restore what cannot come back: nothing changes, and the error says why."""
    before = await snapshot(db)
    with pytest.raises(Conflict, match=match) as caught:
        await put_back(db, rows)
    assert await snapshot(db) == before
    return caught.value


async def ids_in_order(db: Database, plan_id: str) -> list[str]:
    found = await steps.of_plan(db, plan_id)
    assert [step.order_index for step in found] == list(range(len(found)))
    return [step.step_id for step in found]


async def test_an_entry_keeps_its_rows_for_thirty_days_and_who_deleted_them(db: Database, workspace_id: str) -> None:
    rows = {"programs": [{"program_id": "prog_1", "title": 'odd "text"\n'}], "plans": []}
    async with db.transaction() as tx:
        tx.origin = Origin("memory_plan", "delete", None, "me")
        trash_id = await put(tx, rows, title="Program", workspace_id=workspace_id)
    [entry], total = await trash.list_(db, workspace_id, after=None, limit=10)
    assert total == 1
    assert (entry.trash_id, entry.title, entry.deleted_by) == (trash_id, "Program", "me")
    assert entry.expires_at == later(entry.created_at, 30 * 86_400)
    async with db.transaction() as tx:
        taken = await trash.take(tx, trash_id)
        assert taken.data == {"programs": rows["programs"]}
        with pytest.raises(NotFound):
            await trash.take(tx, trash_id)
    assert await trash.list_(db, workspace_id, after=None, limit=10) == ([], 0)


async def test_what_belongs_to_no_workspace_is_listed_in_every_one(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        shared = await put(tx, {})
        own = await put(tx, {}, workspace_id=workspace_id)
        await put(tx, {}, workspace_id="ws_other")
    rows, total = await trash.list_(db, workspace_id, after=None, limit=10)
    assert ([row.trash_id for row in rows], total) == ([own, shared], 2)


async def test_pages_of_the_trash_neither_repeat_nor_miss_an_entry(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        ids = [await put(tx, {}, workspace_id=workspace_id) for _ in range(7)]
    found: list[str] = []
    after: list[str | int] | None = None
    while True:
        rows, total = await trash.list_(db, workspace_id, after=after, limit=3)
        assert total == 7 or not rows
        found += [row.trash_id for row in rows]
        if not rows:
            break
        after = [rows[-1].created_at, rows[-1].trash_id]
    assert found == sorted(ids, reverse=True)


async def test_deleted_steps_come_back_as_they_were(db: Database, plan: tuple[str, list[str]]) -> None:
    plan_id, ids = plan
    before = await snapshot(db)
    rows = await delete_steps(db, plan_id, [ids[1], ids[2]])
    assert await put_back(db, rows) == []
    after = await snapshot(db)
    assert after == before


async def test_steps_return_to_their_index_among_others_that_came_meanwhile(
    db: Database, plan: tuple[str, list[str]]
) -> None:
    plan_id, (a, b, c, d) = plan
    rows = await delete_steps(db, plan_id, [b, d])
    async with db.transaction() as tx:
        [new] = await steps.insert_many(tx, plan_id, [NewStep(task="new")], at=0)
    await put_back(db, rows)
    assert await ids_in_order(db, plan_id) == [new.step_id, b, a, d, c]


async def test_a_deleted_phase_comes_back_at_its_place_with_its_steps(
    db: Database, plan: tuple[str, list[str]]
) -> None:
    plan_id, ids = plan
    before = await snapshot(db)
    async with db.transaction() as tx:
        build = await phases.require(tx, plan_id, "Build")
        own = [dict(row) for row in await tx.all("SELECT * FROM phases WHERE phase_id = :id", {"id": build.phase_id})]
        rows = {"phases": own, **await step_attachments.collect(tx, ids[:2])}
        await steps.delete(tx, ids[:2], plan_id)
        await tx.run("DELETE FROM phases WHERE phase_id = :id", {"id": build.phase_id})
        await phases.set_order(tx, [(await phases.require(tx, plan_id, "Ship")).phase_id])
    assert [phase.name for phase in await phases.of_plan(db, plan_id)] == ["Ship"]
    await put_back(db, rows)
    after = await snapshot(db)
    assert await ids_in_order(db, plan_id) == ids
    assert [(p.name, p.order_index) for p in await phases.of_plan(db, plan_id)] == [("Build", 0), ("Ship", 1)]
    assert after["dependencies"] == before["dependencies"]


async def test_a_phase_whose_name_was_given_again_is_a_conflict_that_says_so(
    db: Database, plan: tuple[str, list[str]]
) -> None:
    plan_id, _ = plan
    row = dict(await db.one("SELECT * FROM phases WHERE name = 'Build'") or {})
    async with db.transaction() as tx:
        await tx.run("DELETE FROM phases WHERE phase_id = :phase_id", row)
        await phases.ensure(tx, plan_id, ["Build"])
    error = await refused(db, {"phases": [row]}, "phases has plan_id .*, name 'Build' again")
    assert error.details["taken"] == {"plan_id": plan_id, "name": "Build"}


async def test_a_plan_that_is_there_again_is_a_conflict(db: Database, plan: tuple[str, list[str]]) -> None:
    rows = await plan_archive.collect(db, plan[0])
    await refused(db, rows, f"plans has plan_id '{plan[0]}' again")


async def test_a_parent_that_is_gone_for_good_is_a_conflict(db: Database, plan: tuple[str, list[str]]) -> None:
    plan_id, ids = plan
    rows = await delete_steps(db, plan_id, ids[:1])
    async with db.transaction() as tx:
        await plan_archive.remove(tx, plan_id)
    await refused(db, rows, f"belongs to the plan {plan_id}, which does not exist any more")


@pytest.mark.parametrize("archived", [False, True])
async def test_a_parent_that_is_in_the_trash_is_named_with_its_entry(
    db: Database, plan: tuple[str, list[str]], workspace_id: str, archived: bool
) -> None:
    plan_id, ids = plan
    parent = {"workspace_id": workspace_id, "parent_type": "step", "parent_id": ids[0]}
    item = {"item_id": "item_1", "type": "finding", "data": "{}", **parent, **TIMES}
    async with db.transaction() as tx:
        if archived:
            await plan_archive.archive(tx, plan_id)
        trash_id = await put(tx, await plan_archive.collect(tx, plan_id), entity_type="plan", entity_id=plan_id)
        await plan_archive.remove(tx, plan_id)
    error = await refused(db, {"context_items": [item]}, f"the step {ids[0]}, which is in the trash too")
    assert error.details == {"trash_id": trash_id}


async def test_context_of_an_archived_plan_says_that_it_is_archived(
    db: Database, plan: tuple[str, list[str]], workspace_id: str
) -> None:
    plan_id, _ = plan
    parent = {"workspace_id": workspace_id, "parent_type": "plan", "parent_id": plan_id}
    item = {"item_id": "item_1", "type": "finding", "data": "{}", **parent, **TIMES}
    async with db.transaction() as tx:
        await plan_archive.archive(tx, plan_id)
    await refused(db, {"context_items": [item]}, "is archived")
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, plan_id)
    await put_back(db, {"context_items": [item]})


async def test_memories_of_an_archived_plan_and_context_of_its_sessions_come_back(
    db: Database, plan: tuple[str, list[str]], workspace_id: str
) -> None:
    plan_id, _ = plan
    started = {"started_at": NOW, "last_seen_at": NOW}
    parent = {"workspace_id": workspace_id, "parent_type": "session", "parent_id": "sess_1"}
    item = {"item_id": "item_1", "type": "finding", "data": "{}", **parent, **TIMES}
    scope = {"workspace_id": workspace_id, "scope": "plan", "scope_id": plan_id, "namespace": "n", "key": "k"}
    fact = {"entry_id": "mem_1", "value": "1", **scope, **TIMES}
    async with db.transaction() as tx:
        session = {"session_id": "sess_1", "workspace_id": workspace_id, "plan_id": plan_id, "agent": "A"}
        await insert(tx, "sessions", status="completed", **session, **started, **TIMES)
        await plan_archive.archive(tx, plan_id)
    await put_back(db, {"context_items": [item], "memory_entries": [fact]})
    assert await db.value("SELECT count(*) FROM context_items") == 1
    assert await db.value("SELECT count(*) FROM memory_entries") == 1


@pytest.mark.parametrize(("expires_at", "replaced"), [(PAST, True), (None, False), (NOW, False)])
async def test_only_what_expired_makes_room(
    db: Database, workspace_id: str, expires_at: str | None, replaced: bool
) -> None:
    place = {"workspace_id": workspace_id, "parent_type": "workspace", "parent_id": workspace_id, "type": "finding"}
    scope = {"workspace_id": workspace_id, "scope": "workspace", "scope_id": workspace_id, "namespace": "n", "key": "k"}
    old = {
        "context_items": [{"item_id": "item_1", "data": '{"old":1}', **place, **TIMES}],
        "memory_entries": [{"entry_id": "mem_1", "value": "1", **scope, **TIMES}],
    }
    async with db.transaction() as tx:
        await insert(tx, "context_items", item_id="item_2", data="{}", expires_at=expires_at, **place, **TIMES)
        await insert(tx, "memory_entries", entry_id="mem_2", value="2", expires_at=expires_at, **scope, **TIMES)
    for table, rows in old.items():
        if replaced:
            await put_back(db, {table: rows})
        else:
            await refused(db, {table: rows}, f"cannot come back: {table} has")
    assert await db.value("SELECT count(*) FROM context_items WHERE item_id = 'item_1'") == int(replaced)
    assert await db.value("SELECT count(*) FROM memory_entries WHERE entry_id = 'mem_1'") == int(replaced)


async def test_a_plan_comes_back_without_a_program_that_is_gone(
    db: Database, plan: tuple[str, list[str]], workspace_id: str
) -> None:
    plan_id, _ = plan
    async with db.transaction() as tx:
        for name in ("prog_1", "prog_2"):
            await insert(tx, "programs", program_id=name, workspace_id=workspace_id, title=name, **TIMES)
            await insert(tx, "program_plans", program_id=name, plan_id=plan_id, order_index=0, created_at=NOW)
        await plans.update(tx, plan_id, {"program_id": "prog_1"})
        rows = await plan_archive.collect(tx, plan_id)
        await plan_archive.remove(tx, plan_id)
        await tx.run("DELETE FROM programs WHERE program_id = 'prog_1'")
    await put_back(db, rows)
    assert (await plans.require(db, plan_id)).program_id is None
    assert [row["program_id"] for row in await db.all("SELECT program_id FROM program_plans")] == ["prog_2"]


async def test_a_program_is_unfinished_again_when_its_plan_comes_back(
    db: Database, plan: tuple[str, list[str]], workspace_id: str
) -> None:
    plan_id, _ = plan
    async with db.transaction() as tx:
        waiting, _ = await make_plan(tx, workspace_id, "Waiting")
        done, _ = await make_plan(tx, workspace_id, "Done")
        await plans.update(tx, done, {"status": "completed"})
        await insert(tx, "programs", program_id="prog_1", workspace_id=workspace_id, title="P", **TIMES)
        for index, member in enumerate((plan_id, done)):
            await insert(tx, "program_plans", program_id="prog_1", plan_id=member, order_index=index, created_at=NOW)
        await dependencies.add(tx, [(("plan", waiting), ("program", "prog_1"))])
        rows = await plan_archive.collect(tx, plan_id)
    assert await dependencies.pending_of(db, ("plan", waiting)) != []
    async with db.transaction() as tx:
        await plan_archive.remove(tx, plan_id)
    assert await dependencies.pending_of(db, ("plan", waiting)) == []
    await put_back(db, rows)
    assert await dependencies.pending_of(db, ("plan", waiting)) != []


async def test_a_dependency_that_exists_again_stays_as_it_is(db: Database, plan: tuple[str, list[str]]) -> None:
    plan_id, ids = plan
    rows = await delete_steps(db, plan_id, [ids[1]])
    await put_back(db, rows)
    before = await snapshot(db)
    assert await put_back(db, {"dependencies": rows["dependencies"]}) == []
    assert await snapshot(db) == before


async def test_coming_back_into_a_cycle_is_refused(db: Database, plan: tuple[str, list[str]]) -> None:
    plan_id, (a, b, c, _) = plan
    rows = await delete_steps(db, plan_id, [b])
    async with db.transaction() as tx:
        await dependencies.add(tx, [(("step", a), ("step", c))])
    await refused(db, rows, "cycle")


async def test_a_restored_step_waits_only_for_what_is_still_open(db: Database, plan: tuple[str, list[str]]) -> None:
    plan_id, (a, b, c, _) = plan
    rows = await delete_steps(db, plan_id, [b])
    async with db.transaction() as tx:
        await steps.update(tx, a, {"status": "done"})
        await dependencies.refresh(tx, [("step", a)])
    await put_back(db, rows)
    found = await steps.by_ids(db, [b, c])
    assert (found[b].waits_for, found[c].waits_for) == (0, 1)


async def test_a_dependency_of_a_plan_that_was_archived_meanwhile_waits_in_the_archive(
    db: Database, plan: tuple[str, list[str]], workspace_id: str
) -> None:
    plan_id, _ = plan
    async with db.transaction() as tx:
        waiting, _ = await make_plan(tx, workspace_id, "Waiting")
        await dependencies.add(tx, [(("plan", waiting), ("plan", plan_id))])
        rows = await plan_archive.collect(tx, plan_id)
        await plan_archive.remove(tx, plan_id)
        await plan_archive.archive(tx, waiting)
    await put_back(db, rows)
    assert await dependencies.pending_of(db, ("plan", waiting)) == []
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, waiting)
    assert await dependencies.pending_of(db, ("plan", waiting)) != []


async def test_a_plan_survives_the_trash_as_json(db: Database, plan: tuple[str, list[str]], workspace_id: str) -> None:
    plan_id, _ = plan
    async with db.transaction() as tx:
        await plans.update(
            tx, plan_id, {"description": 'Ünïcode \U0001f600 "quotes" \\ \u2028', "extra": {"a": [1, None]}}
        )
    before = await snapshot(db)
    async with db.transaction() as tx:
        trash_id = await put(tx, await plan_archive.collect(tx, plan_id), workspace_id=workspace_id, plan_id=plan_id)
        await plan_archive.remove(tx, plan_id)
    assert json.loads(await db.value("SELECT data FROM trash"))["plans"][0]["plan_id"] == plan_id
    async with db.transaction() as tx:
        assert await restore.put_back(tx, (await trash.take(tx, trash_id)).data) == []
    assert await snapshot(db) == before
