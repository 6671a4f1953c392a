"""What `verify` sees: every value that an import brought, and which side of it was changed."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import legacy_store
from tests.importers import layouts
from tests.importers.conftest import Taker, change, states

# What follows every edit, what a tie of its own says, and what the database works out.
NOT_COMPARED = ("version", "updated_at", "last_seen_at", "workspace_id", "dep_status", "satisfied_at")
TIES = ("plan_id", "phase_id", "program_id", "session_id", "slug")  # by which the tools find the rest


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    return legacy_store.put(tmp_path / "old", legacy_store.store(1))


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if not isinstance(value, str):
        return value + 1
    try:
        found = json.loads(value)
    except ValueError:
        return f"{value}x"
    if isinstance(found, dict):
        return json.dumps({**found, "more": 1})
    return json.dumps([*found, "more"]) if isinstance(found, list) else json.dumps("other")


def changed_values(path: Path) -> set[tuple[str, str]]:
    """Change a value of each column that an import wrote, and return where they stand in the source."""
    found: set[tuple[str, str]] = set()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        written: dict[str, list[tuple[str, str, str, dict[str, Any]]]] = {}
        for table, *row, base in db.execute(
            "SELECT table_name, row_key, path, json_path, base FROM import_rows WHERE path <> ''"
        ):
            written.setdefault(table, []).append((*row, json.loads(base)))
        written.pop("workspaces", None)  # of most stores it says what folder it is, and no more
        for table, rows in written.items():
            shape = [(row[1], row[5]) for row in db.execute(f"PRAGMA table_info({table})")]
            key = " || ' ' || ".join(name for name, is_key in shape if is_key)
            for name in [name for name, is_key in shape if not is_key and name not in (*NOT_COMPARED, *TIES)]:
                found |= {(file, f"{place} {name}") for file, place in _changed(db, table, name, key, rows)}
    return found


def _changed(
    db: sqlite3.Connection, table: str, name: str, key: str, rows: list[tuple[str, str, str, dict[str, Any]]]
) -> Iterator[tuple[str, str]]:
    """Change a column of the first row that can be changed, and yield its place."""
    for row_key, file, place, base in rows:
        there = db.execute(f"SELECT rowid, {name} FROM {table} WHERE {key} = ?", (row_key,)).fetchone()
        if base.get(name) is None or there is None:
            continue
        with suppress(sqlite3.IntegrityError):  # a word of a few, or a number within bounds
            db.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (other(there[1]), there[0]))
            yield file, place
        return


@pytest.mark.parametrize("name", ["legacy", *sorted(layouts.generators())])
async def test_each_value_that_was_changed_here_is_seen(take: Taker, legacy: Path, project: Path, name: str) -> None:
    source = legacy if name == "legacy" else layouts.generators()[name](project, 1).source
    await take(source)
    expected = changed_values(take.db.path)
    report = await take.verify(source)

    told = {(one.path, one.json_path) for one in report.differences}
    assert sorted(expected - told) == []
    assert len(expected) > 5
    assert report.standing != "GREEN"


async def test_a_source_that_gained_something_is_no_fault_of_what_is_here(
    take: Taker, root: Path, project: Path
) -> None:
    issues = project / ".beads" / "issues.jsonl"
    issues.parent.mkdir()
    issues.write_text('{"id": "bd-1", "title": "One", "status": "open", "priority": 1}\n')
    await take(project)
    issues.write_text(issues.read_text() + '{"id": "bd-2", "title": "Two", "status": "open", "priority": 1}\n')
    report = await take.verify(project)
    assert (report.standing, report.exit_code) == ("YELLOW", 1)
    assert any("not in steps" in one.what for one in report.differences)

    await take(root)
    state = json.loads(states(root)[0].read_bytes())
    change(states(root)[0], steps=[*state["steps"], {**state["steps"][0], "index": 99, "task": "New"}], title="Theirs")
    report = await take.verify(root)
    assert (report.standing, report.exit_code) == ("YELLOW", 1)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM steps WHERE external_id = 'bd-1'; DELETE FROM import_rows WHERE table_name = 'steps'",
        "DELETE FROM plans; DELETE FROM import_rows",
    ],
)
async def test_what_is_not_here_though_its_file_was_imported_is_red(take: Taker, project: Path, sql: str) -> None:
    (project / ".beads").mkdir()
    (project / ".beads" / "issues.jsonl").write_text(
        '{"id": "bd-1", "title": "One", "status": "open", "priority": 1}\n'
    )
    await take(project)
    with closing(sqlite3.connect(take.db.path)) as db:
        db.executescript(sql)
    report = await take.verify(project)
    assert (report.standing, report.exit_code) == ("RED", 2)


@pytest.mark.parametrize("name", ["legacy", *sorted(layouts.generators())])
async def test_a_store_that_was_never_imported_is_red(take: Taker, legacy: Path, project: Path, name: str) -> None:
    source = legacy if name == "legacy" else layouts.generators()[name](project, 1).source
    assert (await take.verify(source)).standing == "RED"


@pytest.mark.parametrize("sql", ["DELETE FROM event_log WHERE event_id = 2", "UPDATE event_log SET data = '{}'"])
async def test_entries_of_a_log_that_are_not_here_as_they_were_are_counted(take: Taker, root: Path, sql: str) -> None:
    await take(root)
    with closing(sqlite3.connect(take.db.path)) as db:
        db.executescript(sql)
    report = await take.verify(root)
    assert report.standing == "YELLOW"
    assert {one.what for one in report.differences} == {"entries of event_log are not here as they are in the file"}
    assert sum(int(str(one.value)) for one in report.differences) == (1 if "DELETE" in sql else 4)
