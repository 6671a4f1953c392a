"""What becomes of the tables of ConPort."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from server import importers
from tests.importers.conftest import Taker
from tests.importers.conport.generator import AT, fill, link, make

DATABASE = "context_portal/context.db"


async def test_an_entry_is_a_step_below_its_parent_with_its_own_time(take: Taker, tmp_path: Path) -> None:
    make(tmp_path / DATABASE)
    rows = [(7, AT.format(1), "DONE", "Above", None), (3, AT.format(2), "IN_PROGRESS", "Below", 7)]
    fill(tmp_path / DATABASE, "progress_entries", rows)
    report = await take(tmp_path)
    assert report.exit_code == 0
    found = await take.db.all(
        "SELECT s.external_id, s.status, s.completed_at, p.external_id AS above FROM steps s "
        "LEFT JOIN steps p ON p.step_id = s.parent_step_id ORDER BY s.order_index"
    )
    assert [tuple(row) for row in found] == [
        ("3", "active", None, "7"),
        ("7", "done", "2025-06-01T10:00:00.123Z", None),
    ]


async def test_a_decision_is_in_the_ledger_and_found(take: Taker, tmp_path: Path) -> None:
    make(tmp_path / DATABASE)
    fill(tmp_path / DATABASE, "decisions", [(4, AT.format(1), "Use SQLite", "It is there", "One file", '["db"]')])
    await take(tmp_path / DATABASE)
    row = await take.db.one("SELECT * FROM decisions")
    assert row
    assert (row["decision"], row["rationale"], row["external_id"]) == ("Use SQLite", "It is there", "4")
    assert json.loads(row["context"]) == {"implementation_details": "One file", "tags": ["db"]}
    where = {"workspace_path": str(tmp_path)}
    found = await take.ask("memory_context", {"action": "search", "query": "SQLite", **where})
    assert "Use SQLite" in json.dumps(found)


async def test_links_of_waiting_lead_the_way_they_say(take: Taker, tmp_path: Path) -> None:
    make(tmp_path / DATABASE)
    fill(tmp_path / DATABASE, "progress_entries", [(n, AT.format(1), "TODO", f"Entry {n}", None) for n in (1, 2, 3)])
    links = [
        link(1, ("progress_entry", "1"), ("progress_entry", "2"), "blocks"),
        link(2, ("progress_entry", "1"), ("progress_entry", "3"), "depends_on"),
    ]
    fill(tmp_path / DATABASE, "context_links", links)
    await take(tmp_path)
    waits = await take.db.all("SELECT external_id, waits_for FROM steps ORDER BY order_index")
    assert [tuple(row) for row in waits] == [("1", 1), ("2", 1), ("3", 0)]


async def test_what_is_only_in_the_log_comes_in_and_the_database_stays(take: Taker, tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    make(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("INSERT INTO custom_data VALUES (1, NULL, 'a', 'b', '[1]')")
        db.commit()
        before = sorted(one.name for one in path.parent.iterdir())
        await take(tmp_path)
        assert sorted(one.name for one in path.parent.iterdir()) == before
        assert await take.db.value("SELECT value FROM memory_entries") == "[1]"
        db.execute("INSERT INTO custom_data VALUES (2, NULL, 'a', 'c', '2')")
        db.commit()
        await take(tmp_path)
        assert await take.db.value("SELECT count(*) FROM memory_entries") == 2


async def test_a_file_that_is_no_database_is_told(take: Taker, tmp_path: Path) -> None:
    (tmp_path / "context_portal").mkdir()
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    report = await take(tmp_path)
    assert report.files == {"failed": 1}
    assert report.exit_code != 0
    assert importers.layout_of("conport").recognise(tmp_path / "context_portal") is not None
