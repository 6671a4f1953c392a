"""A project whose issues are in the SQLite database of an older beads alone."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.importers import recognise
from server.settings import Settings
from server.store import open_store
from server.tools import older_stores
from tests.importers.beads import generator
from tests.importers.conftest import Taker

LISTS = ("labels", "dependencies", "comments")
COMPARED = {
    "plans": "plan_id, title, description, status, priority, owner, created_at, completed_at",
    "phases": "phase_id, plan_id, name, description, order_index",
    "steps": "step_id, plan_id, phase_id, order_index, task, notes, status, type, priority, assignee, tags",
    "plan_notes": "note_id, plan_id, note, added_by, created_at",
    "dependencies": "source_type, source_id, target_type, target_id, dep_type",
    "knowledge": "knowledge_id, slug, title, content",
}


def issues() -> list[dict[str, Any]]:
    """Return issues with all that a database of beads has a place for."""
    found = [one for one in generator.lines(1) if one.get("_type") != "memory"]
    return [{k: v for k, v in one.items() if k in LISTS or not isinstance(v, dict | list)} for one in found]


def write(path: Path, found: list[dict[str, Any]]) -> None:
    """Write issues as beads did before 0.50."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for one in found for name in one if name not in LISTS))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"CREATE TABLE issues ({', '.join(names)}, content_hash DEFAULT 'a1', design TEXT DEFAULT '')")
        db.execute("CREATE TABLE labels (issue_id, label)")
        db.execute("CREATE TABLE dependencies (issue_id, depends_on_id, type, created_at, created_by)")
        db.execute("CREATE TABLE comments (id, issue_id, author, text, created_at)")
        db.execute("CREATE TABLE config (key, value)")
        for one in found:
            db.execute(
                f"INSERT INTO issues ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                [one.get(name) for name in names],
            )
            db.executemany("INSERT INTO labels VALUES (?, ?)", [(one["id"], label) for label in one.get("labels", ())])
            for table in ("dependencies", "comments"):
                for row in one.get(table, ()):
                    marks = ", ".join(f":{name}" for name in row)
                    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


async def rows(take: Taker) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: sorted(tuple(row) for row in await take.db.all(f"SELECT {names} FROM {table}"))
        for table, names in COMPARED.items()
    }


async def test_a_database_alone_comes_to_what_its_export_would(take: Taker, project: Path, tmp_path: Path) -> None:
    write(project / ".beads" / "beads.db", issues())
    before = {path.name: path.read_bytes() for path in (project / ".beads").iterdir()}
    report = await take(project)

    assert (report.layout, report.exit_code, report.differences) == ("beads", 0, [])
    assert {path.name: path.read_bytes() for path in (project / ".beads").iterdir()} == before
    told = [one.value for one in report.findings if "are not imported" in one.what]
    assert told == [["config"]]
    assert set((await take(project)).files) == {"unchanged"}
    assert (await take.verify(project)).standing == "GREEN"

    found = await rows(take)
    generator.write(project / ".beads" / "issues.jsonl", issues())
    settings = Settings(data_root=tmp_path / "other", synchronous="off")
    db = await open_store(settings)
    other = Taker(settings, db)
    try:
        await other(project)
        assert await rows(other) == found
        assert all(found.values())
    finally:
        await other.store.close()
        await db.close()


async def test_a_file_of_issues_that_comes_later_counts_and_doubles_nothing(take: Taker, project: Path) -> None:
    write(project / ".beads" / "old-name.db", issues())
    await take(project)
    found = await rows(take)
    later = [one | {"title": "Another"} if one["id"] == "bd-20" else one for one in issues()]
    generator.write(project / ".beads" / "issues.jsonl", later)
    report = await take(project)

    assert report.exit_code == 0
    assert any("may be older" in one.what for one in report.findings)
    after = await rows(take)
    assert {table: len(one) for table, one in after.items()} == {table: len(one) for table, one in found.items()}
    assert "Another" in {row[4] for row in after["steps"]}


@pytest.mark.parametrize("home", ["dolt", "embeddeddolt"])
async def test_a_database_that_only_beads_can_read_is_noticed_and_told_of(
    take: Taker, project: Path, home: str
) -> None:
    (project / ".beads" / home).mkdir(parents=True)
    seen = older_stores.find(str(project))
    assert seen
    assert dict(seen.programs) == {"beads": f".beads/{home}/"}
    report = await take(project)
    assert "bd export" in next(one.what for one in report.findings if one.severity == "error")


async def test_a_database_is_noticed_and_one_without_issues_fails_with_what_to_do(take: Taker, project: Path) -> None:
    (project / ".beads").mkdir()
    with closing(sqlite3.connect(project / ".beads" / "beads.db")) as db:
        db.execute("CREATE TABLE other (id)")
    seen = older_stores.find(str(project))
    assert seen
    assert dict(seen.programs) == {"beads": ".beads/beads.db"}
    assert recognise(project)
    report = await take(project)
    assert report.files == {"failed": 1}
    assert [("bd export" in one.what) for one in report.findings if one.severity == "error"] == [True]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
