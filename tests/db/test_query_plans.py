"""No hot call goes through a whole table that grows with use: the calls that the bench measures, on a small store."""

import asyncio
import sqlite3
from random import Random

import bench_scale
import bench_store
import pytest
from bench_scale import Things, Timing

from server.db.gates import approvals
from server.db.plans import phases
from server.db.steps import claims
from server.db.storage.connection import Database
from server.db.storage.driver import Statement
from server.settings import DATABASE_NAME

SHAPE = bench_store.Shape(2, 5, crowd=15)
NOTHING = Things(Random(0), [], "a crowded one", [], [], [], [], [], [])
NAMES = [kind.name for kind in bench_scale.every(NOTHING)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[sqlite3.Connection, dict[str, Timing]]:
    """The store, and the statements of one call of every kind."""
    root = tmp_path_factory.mktemp("store")
    asyncio.run(bench_store.build(root, SHAPE))
    return bench_scale.explainer(root / DATABASE_NAME), asyncio.run(bench_scale.measure(root, rounds=0))


@pytest.mark.parametrize("name", NAMES)
def test_a_call_scans_no_table_that_grows(measured: tuple[sqlite3.Connection, dict[str, Timing]], name: str) -> None:
    db, timings = measured
    statements = timings[name].statements
    assert statements

    if name not in bench_scale.WALKS:
        assert [scan for statement in statements for scan in bench_scale.scans_of(db, statement)] == []


def test_a_walk_ends_where_its_limit_says(measured: tuple[sqlite3.Connection, dict[str, Timing]]) -> None:
    db, timings = measured
    for name in bench_scale.WALKS - {"workspace stats"}:  # which adds up the whole trash
        walks = [sql for sql, params in timings[name].statements if bench_scale.scans_of(db, (sql, params))]
        assert walks
        assert all("LIMIT" in sql for sql in walks)


def test_a_scan_is_seen(measured: tuple[sqlite3.Connection, dict[str, Timing]]) -> None:
    db, _ = measured
    slow: Statement = (
        "SELECT * FROM steps s JOIN plans AS p ON p.plan_id = s.plan_id WHERE s.task = :task",
        {"task": "x"},
    )

    assert bench_scale.scans_of(db, slow) == ["SCAN s"]


async def test_what_names_no_other_row_is_no_way_to_find_rows(db: Database) -> None:
    plan = await db.all("EXPLAIN QUERY PLAN SELECT * FROM knowledge WHERE knowledge_id = 'a' AND superseded_by IS NULL")
    among = await db.all(
        """
        EXPLAIN QUERY PLAN SELECT * FROM knowledge
        WHERE knowledge_id IN (SELECT value FROM json_each('[]')) AND superseded_by IS NULL
        """
    )

    assert [row["detail"] for row in (plan[0], among[0])] == [
        "SEARCH knowledge USING INDEX sqlite_autoindex_knowledge_1 (knowledge_id=?)"
    ] * 2


@pytest.mark.parametrize("query", [claims.ELIGIBLE_IN_PLAN, claims.COUNT_IN_PLAN, claims.WAITING_COUNTS])
async def test_steps_that_wait_are_not_looked_at(db: Database, query: str) -> None:
    params = {"plan_id": "", "now": "", "types": "[]", "names": "[]", "index": -1, "limit": 1}
    found = [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {query}", params)]

    assert any("(plan_id=? AND status=? AND waits_for=?" in line for line in found)


async def test_steps_that_are_assigned_to_others_are_not_looked_at(db: Database) -> None:
    params = {"plan_id": "", "now": "", "types": "[]", "names": '["ada"]', "index": -1, "limit": 1}
    found = [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {claims.ELIGIBLE_FOR}", params)]

    given = "INDEX steps_given (plan_id=? AND status=? AND waits_for=? AND <expr>=? AND order_index>?)"
    assert sum(given in line for line in found) == claims.NAMES + 1


async def test_the_progress_of_phases_is_counted_in_an_index(db: Database) -> None:
    found = await db.all(f"EXPLAIN QUERY PLAN {phases.PROGRESS.format(suffix='')}", {"plan_id": ""})
    of_steps = {row["detail"] for row in found if row["detail"].startswith("SEARCH s ")}

    assert of_steps == {
        "SEARCH s USING COVERING INDEX steps_phase (phase_id=?)",
        "SEARCH s USING COVERING INDEX steps_phase (phase_id=? AND status=?)",
    }


async def test_only_gates_are_looked_at_for_those_that_work_has_reached(db: Database) -> None:
    found = await db.all(f"EXPLAIN QUERY PLAN {approvals.REACHED_STEPS}", {"workspace_id": "", "plan_id": None})

    assert "SEARCH s USING INDEX steps_gates (plan_id=?)" in [row["detail"] for row in found]
