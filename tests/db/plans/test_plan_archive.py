"""A plan and all that belongs to it, archived, brought back and deleted."""

from collections.abc import Iterable
from typing import Any

import pytest

from server.db.audit import restore
from server.db.dependencies import dependencies
from server.db.plans import plan_archive, plans
from server.db.plans.plan_archive import ARCHIVE, FAMILY
from server.db.steps import claims, steps
from server.db.storage.connection import Database, Reader, Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict
from server.models.base import encode
from server.models.steps import NewStep

LOGS = ("event_log", "update_log", "trash")
NOW = "2030-01-02T03:04:05.678Z"
TIMES = {"created_at": NOW, "updated_at": NOW}
STARTED = {"started_at": NOW, "last_seen_at": NOW}
Snapshot = dict[str, list[dict[str, Any]]]


async def snapshot(db: Reader) -> Snapshot:
    """Every row of every table but the logs and the trash, in a stable order."""
    tables = await db.all(
        """
        SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'search_%' ORDER BY name
        """
    )
    found: Snapshot = {}
    for (table,) in tables:
        rows = [dict(row) for row in await db.all(f"SELECT * FROM {table}")]
        if table not in LOGS:
            found[table] = sorted(rows, key=lambda row: [str(value) for value in row.values()])
    return found


async def insert(tx: Transaction, table: str, **row: Any) -> None:
    await tx.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})", row)


async def make_plan(tx: Transaction, workspace_id: str, title: str) -> tuple[str, list[str]]:
    """A plan with two phases of two steps, of which each waits for the one before."""
    plan_id = (await plans.insert(tx, workspace_id=workspace_id, title=title)).plan_id
    made = await steps.insert_many(
        tx,
        plan_id,
        [
            NewStep(task=f"{title} {i}", phase="Build" if i < 2 else "Ship", depends_on=[i - 1] if i else [])
            for i in range(4)
        ],
    )
    return plan_id, [step.step_id for step in made]


class Store:
    """One workspace with a plan that uses every table of the family, and others around it."""

    workspace_id: str
    plan_id: str
    steps: list[str]
    before_id: str  # the full plan waits for it
    after_id: str  # it waits for the full plan
    after_steps: list[str]


@pytest.fixture
async def store(db: Database) -> Store:
    made = Store()
    async with db.transaction() as tx:
        made.workspace_id = (await workspaces.insert(tx, path="/srv/project", name="project")).workspace_id
        made.before_id, before_steps = await make_plan(tx, made.workspace_id, "Before")
        made.plan_id, made.steps = await make_plan(tx, made.workspace_id, "Full")
        made.after_id, made.after_steps = await make_plan(tx, made.workspace_id, "After")
        phase_id = (await steps.require(tx, made.steps[0])).phase_id
        await dependencies.add(
            tx,
            [
                (("step", made.steps[3]), ("step", before_steps[3])),
                (("phase", phase_id), ("plan", made.before_id)),
                (("plan", made.after_id), ("plan", made.plan_id)),
                (("step", made.after_steps[0]), ("step", made.steps[1])),
                (("step", made.after_steps[1]), ("phase", phase_id)),
            ],
        )
        await fill(tx, made, phase_id)
    return made


async def fill(tx: Transaction, made: Store, phase_id: str) -> None:
    """Put a row into every other table of the family, and into those that go with a deleted plan."""
    plan = {"plan_id": made.plan_id}
    place = {"workspace_id": made.workspace_id, **plan}
    step_id = made.steps[0]
    await insert(tx, "programs", program_id="prog_1", workspace_id=made.workspace_id, title="Program", **TIMES)
    await insert(tx, "program_plans", program_id="prog_1", order_index=0, created_at=NOW, **plan)
    await plans.update(tx, made.plan_id, {"program_id": "prog_1", "goals": ["fast", "small"], "extra": {"old": "id"}})
    await insert(tx, "plan_notes", note_id="note_1", note="mind the gap", **plan, **TIMES)
    await insert(tx, "confirmations", confirmation_id="conf_1", phase_id=phase_id, created_at=NOW, **plan)
    given = {"via": "relayed", "relayed_by": "ada", "confirmed_by": "relayed by ada", "note": "yes", "client": "c 1"}
    await insert(tx, "confirmations", confirmation_id="conf_2", step_id=step_id, created_at=NOW, **given, **plan)
    await insert(tx, "step_workers", worker_id="worker_1", step_id=step_id, agent="ada", since=NOW, **plan)
    asked = {"kind": "step", "entity_id": step_id, "what": "a step", "why": "because"}
    await insert(tx, "approvals", approval_id="appr_1", **asked, **place, **TIMES)
    for session_id, status in (("sess_done", "completed"), ("sess_lost", "orphaned"), ("sess_now", "active")):
        await insert(
            tx, "sessions", session_id=session_id, agent="Executor", status=status, **place, **STARTED, **TIMES
        )
    reason = {"from_agent": "A", "to_agent": "B", "reason": "done"}
    await insert(tx, "lineage", lineage_id="line_1", created_at=NOW, **place, **reason)
    parents = [("plan", made.plan_id), ("phase", phase_id), ("step", step_id), ("session", "sess_done")]
    for i, (kind, parent_id) in enumerate(parents):
        parent = {"workspace_id": made.workspace_id, "parent_type": kind, "parent_id": parent_id, **TIMES}
        await insert(tx, "context_items", item_id=f"item_{i}", type="finding", data=encode({"n": i}), **parent)
        await insert(tx, "research_documents", document_id=f"doc_{i}", filename="a.md", content="text", **parent)
    edit = {"step_id": step_id, "file_path": "a.py", "change_type": "edit"}
    await insert(tx, "step_file_edits", edit_id="edit_1", created_at=NOW, **place, **edit)
    await insert(tx, "checkpoints", checkpoint_id="check_1", name="before", created_at=NOW, **place)
    await insert(tx, "build_scripts", script_id="script_1", name="build", command="make", **place, **TIMES)
    await fill_ledger(tx, place, step_id, phase_id, parents[:3])
    scope = {"scope": "plan", "scope_id": made.plan_id, "namespace": "default", "key": "k", "value": "1"}
    await insert(tx, "memory_entries", entry_id="mem_1", workspace_id=made.workspace_id, **scope, **TIMES)


async def fill_ledger(
    tx: Transaction, place: dict[str, Any], step_id: str | None, phase_id: str | None, parents: list[tuple[str, str]]
) -> None:
    """Put a row into every table of the ledger; those that hang on a parent have one for each kind of it."""
    mark = f"{place.get('plan_id') or 'free'}_{parents[0][0]}"
    on_step = {**place, **({"step_id": step_id} if step_id else {})}
    await insert(
        tx, "decisions", decision_id=f"dec_{mark}", decision="d", rationale="r", made_at=NOW, created_at=NOW, **on_step
    )
    called = {"tool": "t", "args": '{"b":[1.0,1]}', "started_at": NOW, "created_at": NOW}
    await insert(tx, "tool_calls", call_id=f"call_{mark}", **called, **on_step)
    ran = {"kind": "workflow", "name": "make", "started_at": NOW, "arguments": '{"b":[1.0,1]}'}
    await insert(tx, "runs", run_id=f"run_{mark}", **ran, **on_step, **TIMES)
    told = {"gate_name": "g", "status": "passed", "recorded_at": NOW, "created_at": NOW}
    await insert(tx, "quality_gates", gate_id=f"gate_{mark}", **told, **on_step, phase_id=phase_id)
    for kind, parent_id in parents:
        on = {"parent_type": kind, "parent_id": parent_id, **place}
        key = f"{mark}_{kind}"
        await insert(tx, "artifacts", artifact_id=f"art_{key}", artifact_type="code", name="n", **on, **TIMES)
        point = {"name": "n", "bucket": "2030-W01", "value": 0.5, "recorded_at": NOW, "created_at": NOW}
        await insert(tx, "metric_points", point_id=f"point_{key}", **point, **on)
        await insert(
            tx, "task_progress", progress_id=f"prog_{key}", task_name="t", percent=5.0, started_at=NOW, **on, **TIMES
        )
        await insert(tx, "cache_entries", entry_id=f"cache_{key}", key="k", payload="1", **on, **TIMES)
        for entity, entity_id in ((kind, parent_id), ("artifact", f"art_{key}")):
            change = {"entity_type": entity, "entity_id": entity_id, "field": "f", "changed_at": NOW, "created_at": NOW}
            await insert(tx, "field_changes", change_id=f"chg_{entity}_{key}", **change, **place)
    if place.get("plan_id"):
        await insert(tx, "plan_terms", term_id=f"term_{mark}", kind="concept", term="c", created_at=NOW, **place)
        await insert(tx, "budgets", budget_id=f"bud_{mark}", unit="USD", max=1.0, **place, **TIMES)


async def counts(db: Reader, tables: Iterable[str], plan_id: str) -> dict[str, int]:
    return {
        table: await db.value(f"SELECT count(*) FROM {table} WHERE {plan_archive.LIVE[table]}", {"plan_id": plan_id})
        for table in tables
    }


async def test_every_archive_table_has_the_columns_of_its_live_table_in_their_order(db: Database) -> None:
    archives = await db.all(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%_archive' ORDER BY name"
    )
    assert {row["name"] for row in archives} == {table + ARCHIVE for table in FAMILY}
    for table in FAMILY:
        live, archived = [
            [(c["name"], c["type"]) for c in await db.all(f"PRAGMA table_info({table}{suffix})")]
            for suffix in ("", ARCHIVE)
        ]
        assert archived == live


async def test_the_plan_of_these_tests_uses_every_table_of_the_family(db: Database, store: Store) -> None:
    assert min((await counts(db, FAMILY, store.plan_id)).values()) > 0


async def test_a_plan_that_was_archived_and_brought_back_is_the_same_in_every_row(db: Database, store: Store) -> None:
    before = await snapshot(db)
    async with db.transaction() as tx:
        await plan_archive.archive(tx, store.plan_id)
    archived = await snapshot(db)
    assert archived != before
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, store.plan_id)
    assert await snapshot(db) == before


async def test_archiving_moves_the_whole_family_and_nothing_else(db: Database, store: Store) -> None:
    before = await snapshot(db)
    expected = await counts(db, FAMILY, store.plan_id)
    async with db.transaction() as tx:
        await plan_archive.archive(tx, store.plan_id)
    after = await snapshot(db)
    assert {table: len(after[table + ARCHIVE]) for table in FAMILY} == expected
    assert {table: len(before[table]) - len(after[table]) for table in FAMILY} == expected
    untouched = before.keys() - FAMILY.keys() - {table + ARCHIVE for table in FAMILY}
    assert {table: after[table] for table in untouched} == {table: before[table] for table in untouched}
    [session] = after["sessions"]
    assert session["session_id"] == "sess_now"


async def test_archiving_releases_claims_and_file_reservations(db: Database, store: Store) -> None:
    reservation = {"reservation_id": "res_1", "workspace_id": store.workspace_id, "plan_id": store.plan_id}
    async with db.transaction() as tx:
        await claims.take(tx, await steps.require(tx, store.steps[0]), "worker", 900)
        await insert(
            tx, "file_reservations", holder="worker", path="a.py", lease_expires_at=NOW, **reservation, **TIMES
        )
    async with db.transaction() as tx:
        [released] = await plan_archive.archive(tx, store.plan_id)
    assert released.step_id == store.steps[0]
    assert await db.value("SELECT count(*) FROM file_reservations") == 0
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, store.plan_id)
    step = await steps.require(db, store.steps[0])
    assert (step.status, step.claimed_by, step.lease_expires_at, step.claim_token) == ("pending", None, None, 1)


async def test_what_waits_for_a_plan_goes_on_counting_while_the_plan_is_archived(db: Database, store: Store) -> None:
    async with db.transaction() as tx:
        await plans.update(tx, store.plan_id, {"status": "completed"})
        await plan_archive.archive(tx, store.plan_id)
    rows = await db.all("SELECT source_id, target_type, dep_status FROM dependencies WHERE source_type <> 'phase'")
    on_archived = {
        (r["source_id"], r["target_type"]): r["dep_status"] for r in rows if r["source_id"] in sources(store)
    }
    assert on_archived[store.after_id, "plan"] == "satisfied"
    assert on_archived[store.after_steps[0], "step"] == "pending"
    assert on_archived[store.after_steps[1], "phase"] == "pending"


def sources(store: Store) -> set[str]:
    return {store.after_id, store.after_steps[0], store.after_steps[1]}


async def test_a_step_that_comes_back_knows_what_was_finished_meanwhile(db: Database, store: Store) -> None:
    async with db.transaction() as tx:
        await plan_archive.archive(tx, store.plan_id)
        await tx.run("UPDATE steps SET status = 'done' WHERE plan_id = :plan_id", {"plan_id": store.before_id})
        await dependencies.refresh(tx, await plan_archive.nodes(tx, store.before_id))
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, store.plan_id)
    assert (await steps.require(db, store.steps[3])).waits_for == 1


async def test_a_step_that_comes_back_does_not_wait_for_what_was_deleted_meanwhile(db: Database, store: Store) -> None:
    async with db.transaction() as tx:
        await plan_archive.archive(tx, store.plan_id)
        await plan_archive.remove(tx, store.before_id)
        await tx.run("DELETE FROM programs")
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, store.plan_id)
    assert [(await steps.require(db, step_id)).waits_for for step_id in store.steps] == [0, 1, 1, 1]
    assert (await plans.require(db, store.plan_id)).program_id is None
    assert await dependencies.pending_of(db, ("phase", (await steps.require(db, store.steps[0])).phase_id)) == []


async def test_unarchiving_into_a_cycle_is_refused_and_changes_nothing(db: Database, store: Store) -> None:
    async with db.transaction() as tx:
        await dependencies.add(tx, [(("plan", store.plan_id), ("plan", store.before_id))])
        await plan_archive.archive(tx, store.plan_id)
        await dependencies.add(tx, [(("plan", store.before_id), ("plan", store.after_id))])
    before = await snapshot(db)
    with pytest.raises(Conflict, match="cycle"):
        async with db.transaction() as tx:
            await plan_archive.unarchive(tx, store.plan_id)
    assert await snapshot(db) == before


@pytest.mark.parametrize("archived", [False, True])
async def test_a_plan_that_was_deleted_and_restored_is_the_same_in_every_row(
    db: Database, store: Store, archived: bool
) -> None:
    if archived:
        async with db.transaction() as tx:
            await plan_archive.archive(tx, store.plan_id)
    before = await snapshot(db)
    async with db.transaction() as tx:
        rows = await plan_archive.collect(tx, store.plan_id)
        await plan_archive.remove(tx, store.plan_id)
    assert await plan_archive.collect(db, store.plan_id) == {}
    async with db.transaction() as tx:
        assert await restore.put_back(tx, rows) == []
    assert await snapshot(db) == before


async def test_deleting_a_plan_leaves_nothing_of_it_but_the_session_at_work(db: Database, store: Store) -> None:
    untouched = await plan_rows(db, store.before_id)
    async with db.transaction() as tx:
        await plan_archive.remove(tx, store.plan_id)
    left = [
        (table, row)
        for table, rows in (await snapshot(db)).items()
        for row in rows
        if {store.plan_id, *store.steps} & set(map(str, row.values()))
    ]
    assert [(table, row["session_id"]) for table, row in left] == [("sessions", "sess_now")]
    assert (await steps.require(db, store.after_steps[0])).waits_for == 0
    assert await plan_rows(db, store.before_id) == untouched


async def plan_rows(db: Reader, plan_id: str) -> dict[str, list[dict[str, Any]]]:
    found = await plan_archive.collect(db, plan_id)
    return {table: rows for table, rows in found.items() if table != "dependencies"}


async def test_the_conditions_of_the_family_use_indexes(db: Database) -> None:
    for table, where in [*plan_archive.LIVE.items(), *plan_archive.COMPANIONS.items()]:
        for suffix in ("", ARCHIVE) if table in FAMILY else ("",):
            for verb in ("SELECT * FROM", "DELETE FROM"):
                statement = f"EXPLAIN QUERY PLAN {verb} {table}{suffix} WHERE {where}"
                steps_ = [row["detail"] for row in await db.all(statement, {"plan_id": "p"})]
                assert not [step for step in steps_ if step.startswith(f"SCAN {table}{suffix}")], statement
