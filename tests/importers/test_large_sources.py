"""What an import keeps in memory of a large source: a part of a file at a time, and the lines of its report packed."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.db.interchange.imports import COME_BACK, KnownFile
from server.db.interchange.scratch import PAGE, Stage
from server.importers.legacy import NAME, folders, read, recognise
from server.importers.listing import FileListing
from server.importers.report import ImportReport, line, written
from server.importers.run import Options, known_to
from server.models.imports import PACKED, Finding, Findings
from tests import legacy_store
from tests.importers.conftest import Taker

ENTRIES = 3 * folders.BATCH


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """A store whose log has many entries, each of which gets a line in the report."""
    found = legacy_store.store(1)
    path = f"{legacy_store.WORKSPACE}/workspace.context.json"
    entries = [{"timestamp": "2199-01-01T00:00:00.000Z", "summary": f"entry {n}"} for n in range(ENTRIES)]
    return legacy_store.put(tmp_path / "old", found | {path: json.dumps({"update_log": {"entries": entries}}).encode()})


def _many(count: int) -> list[Finding]:
    severities = ("info", "warning", "error")
    return [
        Finding(severities[n % 3], f"file{n}", "$", "is odd", {"n": [n, "\U0001f600 \udfff"]}, None, "ws")
        for n in range(count)
    ]


async def test_a_long_log_is_staged_part_by_part(take: Taker, logged: Path) -> None:
    source = recognise(logged)
    assert source
    rows = told = 0
    for batch in read(source, await known_to(take.db, source, Options())):
        assert len(batch.rows) <= folders.BATCH
        assert len(batch.findings) <= 2 * folders.BATCH
        rows += sum(row.table == "update_log" for row in batch.rows)
        told += sum("in the future" in finding.what for finding in batch.findings)
    assert (source.layout, rows, told) == (NAME, ENTRIES, ENTRIES)


async def test_every_line_about_a_long_log_is_in_the_report(take: Taker, logged: Path) -> None:
    report = await take(logged)
    assert report.rows["update_log"] == {"new": ENTRIES}
    places = [one.json_path for one in report.findings if "in the future" in one.what]
    assert places == [f"$.update_log.entries[{n}].timestamp" for n in range(ENTRIES)]
    assert (await take(logged)).files.keys() == {"unchanged"}


@pytest.mark.parametrize("count", [0, 1, PACKED - 1, PACKED, 3 * PACKED + 1])
def test_packed_lines_are_those_that_came(count: int) -> None:
    lines = _many(count)
    found = Findings(lines[: count // 2])
    found += lines[count // 2 :]
    assert (found == lines, len(found), bool(found)) == (True, count, count > 0)
    assert found != [*lines, *_many(1)]
    assert found.counts["error"] == sum(one.severity == "error" for one in lines)


@pytest.mark.parametrize("count", [0, 2 * PACKED + 1])
def test_a_report_is_written_in_parts_as_it_would_be_as_a_whole(count: int) -> None:
    lines = Findings(_many(count))
    one = ImportReport("here", "legacy", findings=lines, differences=Findings(_many(3)), verified=2)
    report = ImportReport("here", "legacy, beads", findings=lines, each=[one, ImportReport("here", "beads")])
    told = json.loads("".join(written(report)))
    assert told["lines"] == told["layouts"][0]["lines"] == [line(each) for each in lines]
    assert told["layouts"][0]["differences"] == [line(each) for each in _many(3)]
    assert (told["differences"], told["layouts"][1]["lines"]) == ([], [])
    plain = {name: value for name, value in report.payload().items() if isinstance(value, str | int | float | bool)}
    assert told | plain == told
    assert told.keys() == report.payload().keys()


def _way(tmp_path: Path, sql: str, **values: Any) -> list[str]:
    """Return how a statement finds what it wants on a stage."""
    stage = Stage(tmp_path / "stage.db", Findings())
    try:
        return [row["detail"] for row in stage.query(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        stage.close()


def test_the_index_leads_to_each_page_of_staged_rows(tmp_path: Path) -> None:
    way = _way(tmp_path, PAGE, unit="ws", table="update_log", size=9, action=None, moment="", seq=0)
    assert "(moment,seq)>(?,?)" in way[0]
    assert not any("TEMP B-TREE" in step for step in way)


def test_the_index_leads_from_a_file_to_what_became_of_it(tmp_path: Path) -> None:
    way = _way(tmp_path, COME_BACK, unit="ws", store="")
    assert "SEARCH r USING INDEX rows_path (path=?)" in way


def test_a_listing_counts_files_and_keeps_the_lines_about_others() -> None:
    known = {
        ("ws", "kept"): KnownFile("a", "imported", None, None, "beads", "/a"),
        ("ws", "bad"): KnownFile("b", "failed", "odd", None, "beads", "/a"),
    }
    listing = FileListing()
    for path, sha256 in (("kept", "a"), ("bad", "b"), ("new", "c")):
        listing.add(("ws", path), sha256, known.get(("ws", path)))
    listing.add((None, "kept"), "a", None)
    listing.add(("ws", "kept"), "other", known["ws", "kept"])
    assert listing.counts == {"ws": {"unchanged": 2, "changed": 2}, None: {"unchanged": 0, "changed": 1}}
    assert listing.total == 5
    assert [(one.path, one.what) for one in listing.failed] == [("bad", "not imported: odd")]
    assert [(one.workspace_id, one.path, one.what) for one in listing.changed] == [
        ("ws", "new", "not imported"),
        (None, "kept", "not imported"),
        ("ws", "kept", "changed since it was imported"),
    ]
