"""A project of vibe-agency that was imported comes in again: what is new comes, what people changed stays."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import vibe_store
from tests.importers.conftest import Taker, change, everything
from tests.importers.vibe_agency.conftest import Brought
from tests.vibe_store import CLEANUP, MISSION, Store, dump

MANIFEST = "project_manifest.json"
MOVING = ("import_runs", "event_log", "sqlite_sequence", "server_runs", "step_counts")


def still(take: Taker) -> dict[str, list[str]]:
    """Return every row but those that tell of imports themselves."""
    return {table: rows for table, rows in everything(take.db.path).items() if table not in MOVING}


async def test_a_dry_run_has_the_very_counts_and_writes_nothing(
    take: Taker, with_databases: Path, found: Store
) -> None:
    one = Brought(take, with_databases, found)
    before = everything(take.db.path)

    told = await one.come(dry_run=True)
    assert everything(take.db.path) == before

    done = await one.come()
    assert (told.rows, told.files) == (done.rows, done.files)


async def test_a_second_import_changes_nothing(take: Taker, with_databases: Path, found: Store) -> None:
    one = Brought(take, with_databases, found)
    await one.come()
    before = still(take)

    report = await one.come()

    assert set(report.files) == {"unchanged"}
    assert still(take) == before


async def test_a_project_that_was_only_touched_changes_nothing(brought: Brought, take: Taker) -> None:
    before = still(take)
    path = brought.root / MANIFEST
    path.write_bytes(path.read_bytes() + b"\n")

    report = await brought.come()

    assert all(set(counts) <= {"unchanged"} for counts in report.rows.values())
    assert [row for row in still(take)["plans"] if row not in before["plans"]] == []


async def test_every_file_is_in_one_state(brought: Brought) -> None:
    states = brought.rows("SELECT path, count(*), min(status) FROM import_files GROUP BY path")

    assert {path for path, _, _ in states} == set(brought.found.files)
    assert all(row[1:] == (1, "imported") for row in states)


async def test_a_changed_source_changes_what_nobody_changed_here(brought: Brought) -> None:
    plan_id = brought.plan_of(CLEANUP)
    await brought.ask("memory_plan", "update", plan_id=plan_id, title="Ours")
    road = vibe_store.cleanup_roadmap()
    road["roadmap_name"] = "Theirs"
    road["progress_tracking"]["completed_tasks"].append("B001")
    road["phases"][1]["tasks"].append({"task_id": "B003", "name": "Come later", "dependencies": ["B002"]})
    (brought.root / CLEANUP).write_bytes(dump(road, newline=True))

    report = await brought.come()

    assert brought.rows("SELECT title FROM plans WHERE plan_id = ?", plan_id) == [("Ours",)]
    steps = dict(brought.rows("SELECT external_id, status FROM steps WHERE plan_id = ?", plan_id))
    assert steps == {"Q001": "done", "Q002": "done", "B001": "done", "B002": "pending", "B003": "pending"}
    assert [line.value for line in report.findings if line.severity == "error"] == ["Theirs"]


async def test_what_was_done_here_is_not_undone_by_a_file_of_old(brought: Brought) -> None:
    step = brought.step_of(CLEANUP, "B001")
    await brought.ask("memory_steps", "update", step_id=step, status="done")
    change(brought.root / CLEANUP, strategy="another")

    await brought.come()

    assert brought.rows("SELECT status FROM steps WHERE step_id = ?", step) == [("done",)]


async def test_what_was_given_back_comes_in_as_what_it_is(brought: Brought) -> None:
    """The way there and back: the first program goes on with the files, and nothing is told twice."""
    await brought.ask("memory_steps", "update", step_id=brought.step_of(CLEANUP, "B001"), status="done")
    added = [{"task": "Born here", "phase": "Triage"}]
    await brought.ask("memory_steps", "add", plan_id=brought.plan_of(CLEANUP), steps=added)
    for path, content in (await brought.given_back()).items():
        (brought.root / path).write_bytes(content)

    report = await brought.come()

    assert [line for line in report.findings if line.severity == "error"] == []
    tasks = brought.rows("SELECT task, count(*) FROM steps WHERE plan_id = ? GROUP BY 1", brought.plan_of(CLEANUP))
    assert dict(tasks)["Born here"] == 1
    assert brought.rows("SELECT status FROM steps WHERE external_id = 'B001'") == [("done",)]


async def test_a_description_that_was_changed_here_goes_there_and_comes_back(brought: Brought) -> None:
    plan_id = brought.plan_of(CLEANUP)
    await brought.ask("memory_plan", "update", plan_id=plan_id, description="Told anew")
    (brought.root / CLEANUP).write_bytes((await brought.given_back())[CLEANUP])

    report = await brought.come()

    assert [line for line in report.findings if line.severity == "error"] == []
    assert brought.rows("SELECT description FROM plans WHERE plan_id = ?", plan_id) == [("Told anew",)]


async def test_a_new_plan_that_was_given_back_is_no_second_plan(brought: Brought) -> None:
    [(workspace_id,)] = brought.rows("SELECT workspace_id FROM workspaces")
    steps = [{"task": "one"}, {"task": "two", "depends_on": [0]}]
    await brought.ask("memory_plan", "create", workspace_id=workspace_id, title="Born here", steps=steps)
    before = brought.rows("SELECT count(*) FROM plans")
    for path, content in (await brought.given_back()).items():
        (brought.root / path).write_bytes(content)

    report = await brought.come()

    assert (report.problems, report.files["skipped"]) == (0, 1)
    assert brought.rows("SELECT count(*) FROM plans") == before


async def test_a_concept_that_is_known_here_already_is_one(brought: Brought, take: Taker) -> None:
    plan_id = brought.plan_of(MANIFEST)
    with closing(sqlite3.connect(take.db.path)) as db, db:
        db.execute(
            "INSERT INTO plan_terms (term_id, workspace_id, plan_id, kind, term, created_at)"
            " SELECT 'term_000000000001', workspace_id, plan_id, 'concept', 'locks', created_at FROM plans"
            " WHERE plan_id = ?",
            (plan_id,),
        )
    value = vibe_store.memory()
    value["domain"]["concepts"].append("locks")
    (brought.root / vibe_store.MEMORY).write_bytes(dump(value))

    report = await brought.come()

    assert report.problems == 0
    assert brought.rows("SELECT count(*) FROM plan_terms WHERE term = 'locks'") == [(1,)]


@pytest.mark.parametrize("part", [".vibe", ".vibe/state"])
async def test_a_part_of_a_project_comes_in_as_the_same_plans(take: Taker, brought: Brought, part: str) -> None:
    before = still(take)["plans"]

    report = await brought.come(brought.root / part)

    assert report.problems == 0
    assert set(report.files) == {"unchanged"}
    assert still(take)["plans"] == before


async def test_two_projects_of_one_origin_are_two_workspaces(take: Taker, tmp_path: Path, found: Store) -> None:
    for name in ("first", "second"):
        report = await take(vibe_store.put(tmp_path / name, found))
        assert report.problems == 0, name

    with closing(sqlite3.connect(take.db.path)) as db:
        counts = db.execute("SELECT workspace_id, count(*) FROM plans GROUP BY 1").fetchall()
        external = db.execute("SELECT count(*) FROM plans WHERE external_id = ?", (vibe_store.ROOT_ID,)).fetchone()
    assert len(counts) == 2
    assert counts[0][1] == counts[1][1]
    assert external == (2,)


async def test_a_mission_is_found_by_its_own_id(brought: Brought) -> None:
    told = await brought.ask(
        "memory_context",
        "search",
        query=vibe_store.CLIENT_ID,
        workspace_id=brought.rows("SELECT workspace_id FROM workspaces")[0][0],
    )

    assert any(hit.get("plan_id") == brought.plan_of(vibe_store.CLIENT) for hit in told["hits"])


async def test_the_whole_project_is_verified(brought: Brought) -> None:
    report = await brought.take.verify(brought.root)
    assert report.differences == []

    (brought.root / MISSION).write_bytes(dump(vibe_store.genesis_mission() | {"mission_name": "Other"}))
    report = await brought.take.verify(brought.root)
    assert "Other" in [one.value for one in report.differences]
