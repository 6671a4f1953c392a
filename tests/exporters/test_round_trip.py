"""Documents of a database, imported into an empty one, give an equal database."""

import json
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.interchange import exports
from server.db.interchange.scratch import LOGS
from server.db.plans import plan_archive, plans
from server.db.storage.connection import Database
from server.db.storage.table_shapes import columns_of_tables
from server.exporters import documents, folder, legacy
from server.exporters.legacy import unplaced
from server.importers.report import ImportReport
from server.importers.run import Options, import_path
from server.models.documents import digest, text_of
from server.settings import Settings
from server.store import open_store
from tests import legacy_store
from tests.db.plans.test_plan_archive import Store, store
from tests.exporters.test_documents import SHIPPED, fill_the_rest
from tests.importers.conftest import everything
from tests.legacy_shapes import SHAPES

__all__ = ["store"]

# The numbers of log entries are places in one database's log.
NUMBERS = ("event_id", "log_id")
Tables = dict[str, list[dict[str, Any]]]


@pytest_asyncio.fixture
async def other(tmp_path: Path) -> AsyncGenerator[Database]:
    """An empty database."""
    database = await open_store(Settings(data_root=tmp_path / "other", synchronous="off"))
    yield database
    await database.close()


async def tables(db: Database) -> Tables:
    """Every row of every table that is not derived, but for what comes with the server."""
    found: Tables = {}
    for table in await columns_of_tables(db):
        if table in exports.DERIVED or table.startswith(exports.DERIVED_PREFIX):
            continue
        where = "WHERE origin = 'user'" if table in SHIPPED else ""
        rows = [dict(row) for row in await db.all(f"SELECT * FROM {table} {where}")]
        found[table] = [{name: value for name, value in row.items() if name not in NUMBERS} for row in rows]
    return found


async def without_this_import(db: Database) -> Tables:
    """The tables without what the import of the documents says of itself."""
    found = await tables(db)
    runs = {row["run_id"] for row in found["import_runs"] if row["layout"] == "documents"}
    found["import_runs"] = [row for row in found["import_runs"] if row["run_id"] not in runs]
    found["import_files"] = [row for row in found["import_files"] if row["run_id"] not in runs]
    found["event_log"] = [row for row in found["event_log"] if not runs & set(str(row["data"]).split('"'))]
    found["update_log"] = [row for row in found["update_log"] if "Imported" not in row["summary"]]
    return found


def by_content(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, default=bytes.hex) for row in rows)


async def assert_equal(db: Database, other: Database) -> None:
    expected, found = await tables(db), await without_this_import(other)
    expected["update_log"] = [row for row in expected["update_log"] if "Imported" not in row["summary"]]
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        if table == "import_rows":  # rows that were never imported now were, from a document
            assert set(by_content(rows)) <= set(by_content(found[table]))
        else:
            assert (table, by_content(found[table])) == (table, by_content(rows))


async def written(db: Database, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    async with exports.snapshot(db) as reader:
        await folder.write(target, documents.store(reader), format="json")
    return target


async def copied(db: Database, other: Database, target: Path) -> ImportReport:
    return await import_path(other, await written(db, target), Options())


@pytest.mark.parametrize("archived", [False, True])
async def test_a_database_with_a_row_in_every_table_comes_back_equal(
    db: Database, other: Database, store: Store, tmp_path: Path, archived: bool
) -> None:
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
        if archived:
            await plan_archive.archive(tx, store.plan_id)

    report = await copied(db, other, tmp_path / "out")

    assert [finding for finding in report.findings if finding.severity != "info"] == []
    await assert_equal(db, other)
    assert await db.all("PRAGMA foreign_key_check") == []


async def test_an_imported_store_comes_back_equal_and_gives_its_files_back(
    db: Database, other: Database, tmp_path: Path
) -> None:
    names = ("programs_of_version_1", "programs_of_version_2", "other_folders", "archived_by_place_alone", "open_runs")
    files = legacy_store.store(5, plans=5, shapes=[SHAPES[name] for name in names])
    await import_path(db, legacy_store.put(tmp_path / "source", files), Options())

    await copied(db, other, tmp_path / "out")

    await assert_equal(db, other)
    async with exports.snapshot(other) as reader:
        await folder.write(tmp_path / "files", legacy.store(reader), format="legacy")
    assert legacy_store.read(tmp_path / "files") == files


async def test_a_second_import_of_the_same_documents_changes_nothing(
    db: Database, other: Database, store: Store, tmp_path: Path
) -> None:
    await copied(db, other, tmp_path / "out")
    before = await tables(other)
    report = await import_path(other, tmp_path / "out", Options())

    assert {status for part in report.parts for status in part.files} == {"unchanged"}
    assert await tables(other) == before


async def test_a_changed_plan_changes_its_rows(db: Database, other: Database, store: Store, tmp_path: Path) -> None:
    await copied(db, other, tmp_path / "out")
    async with db.transaction() as tx:
        await tx.run("UPDATE steps SET task = 'Another', version = 2 WHERE step_id = :id", {"id": store.steps[0]})
    await copied(db, other, tmp_path / "out")

    row = await other.one("SELECT task FROM steps WHERE step_id = :id", {"id": store.steps[0]})
    assert row is not None
    assert row["task"] == "Another"


async def test_steps_that_were_closed_elsewhere_are_counted_where_they_are_imported(
    db: Database, other: Database, store: Store, tmp_path: Path
) -> None:
    await copied(db, other, tmp_path / "out")
    async with db.transaction() as tx:
        await tx.run("UPDATE plans SET title = 'Another', version = version + 1")
        await tx.run("UPDATE steps SET status = 'done', version = version + 1")
    await copied(db, other, tmp_path / "out")

    assert await other.value("SELECT count(*) FROM steps WHERE status <> 'done'") == 0
    assert await plans.miscounted(other) == []


@pytest.mark.parametrize("archived", [False, True])
async def test_an_export_imported_into_its_own_database_changes_nothing(
    db: Database, store: Store, tmp_path: Path, archived: bool
) -> None:
    await import_path(db, legacy_store.put(tmp_path / "source", legacy_store.store(5, plans=3)), Options())
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
        await tx.run("UPDATE steps SET task = task || ' (edited)', version = version + 1")
        if archived:
            await plan_archive.archive(tx, store.plan_id)
    before = everything(db.path)

    report = await copied(db, db, tmp_path / "out")

    assert (report.exit_code, report.findings, report.differences) == (0, [], [])
    assert set(report.files) == {"unchanged"}
    assert everything(db.path) == before


async def test_an_older_export_of_the_same_database_costs_a_line_for_each_row_that_differs(
    db: Database, store: Store, tmp_path: Path
) -> None:
    target = await written(db, tmp_path / "out")
    async with db.transaction() as tx:
        await tx.run("UPDATE steps SET task = 'Another', version = 2 WHERE step_id = :id", {"id": store.steps[0]})
    before = everything(db.path)["steps"]

    report = await import_path(db, target, Options())

    [line] = [finding for finding in report.findings if finding.severity == "error"]
    assert line.value == store.steps[0]
    assert "task" in line.what
    assert everything(db.path)["steps"] == before


LISTED = {*unplaced.PLACED, *unplaced.REMEMBERED, *unplaced.WORDS}


def live(tables: Tables) -> dict[str, int]:
    """Count the rows of each table with those of its archive."""
    counts = Counter[str]()
    for table, rows in tables.items():
        counts[table.removesuffix("_archive")] += len(rows)
    return counts


async def test_every_table_has_a_place_in_old_files_or_is_told_of(db: Database) -> None:
    kept = {table.removesuffix("_archive") for table in exports.tables()}

    assert kept == LISTED


@pytest.mark.parametrize("archived", [False, True])
async def test_what_an_export_of_old_files_leaves_out_is_what_it_says(
    db: Database, other: Database, store: Store, tmp_path: Path, archived: bool
) -> None:
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
        await tx.run("DELETE FROM import_files")  # it has no bytes that could be given back
        if archived:
            await plan_archive.archive(tx, store.plan_id)
    async with exports.snapshot(db) as reader:
        await folder.write(tmp_path / "out", legacy.store(reader), format="legacy")
        told = await legacy.left_out(reader, None, None)
    await import_path(other, tmp_path / "out", Options())

    before, after = live(await tables(db)), live(await tables(other))
    after = Counter({**after, **dict.fromkeys(LOGS, 0)})  # the import logs itself
    after["context_items"] += 1  # that of the workspace has a file, which an import keeps as a file
    lost = {table: before[table] - after[table] for table in LISTED - unplaced.REMEMBERED}
    assert {unplaced.WORDS.get(table, table): number for table, number in lost.items() if number > 0} == told


async def test_what_is_left_out_of_one_plan_is_told_by_plan(db: Database, store: Store) -> None:
    async with exports.snapshot(db) as reader:
        everywhere = await legacy.left_out(reader, None, None)
        one = await legacy.left_out(reader, store.workspace_id, store.plan_id)
        none = await legacy.left_out(reader, store.workspace_id, store.before_id)

    assert one
    assert all(number <= everywhere[what] for what, number in one.items())
    assert none == {}


def edited(path: Path, change: Callable[[dict[str, Any]], None], *, seal: bool = False) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    if seal:
        document["sha256"] = digest(document)
    path.write_text(text_of(document), encoding="utf-8")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (lambda path: edited(path, lambda found: found.update(title="x")), "does not match its hash"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-40]), "no JSON"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "newer": (
        lambda path: edited(path, lambda found: found.update(format_version=99), seal=True),
        "format version is 99",
    ),
    "newer schema": (
        lambda path: edited(path, lambda found: found.update(schema_version=999), seal=True),
        "schema version is 999",
    ),
    "of another kind": (lambda path: edited(path, lambda found: found.update(kind="x"), seal=True), "unknown kind"),
    "foreign": (lambda path: path.write_text('{"a": 1}', encoding="utf-8"), "no document of ours"),
    "no rows": (
        lambda path: edited(path, lambda found: found["tables"].update(steps=["x"]), seal=True),
        "no list of rows",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_a_damaged_document_costs_one_line_and_itself(
    db: Database, other: Database, store: Store, tmp_path: Path, name: str
) -> None:
    damage, said = DAMAGE[name]
    target = await written(db, tmp_path / "out")
    damage(target / documents.file_name(store.workspace_id) / "plans" / f"{store.plan_id}.json")
    report = await import_path(other, target, Options())

    [line] = [finding for finding in report.findings if finding.severity == "error"]
    assert line.path == f"plans/{store.plan_id}.json"
    assert said in line.what
    plans = [row["plan_id"] for row in await other.all("SELECT plan_id FROM plans ORDER BY plan_id")]
    assert plans == sorted([store.before_id, store.after_id])


async def test_one_plan_can_be_taken_out_and_put_into_another_database(
    db: Database, other: Database, store: Store, tmp_path: Path
) -> None:
    async with exports.snapshot(db) as reader:
        await folder.write(tmp_path / "one", documents.one_plan(reader, store.before_id), format="json")
    report = await import_path(other, tmp_path / "one", Options())

    assert [finding for finding in report.findings if finding.severity == "error"] == []
    async with exports.snapshot(db) as reader, exports.snapshot(other) as copy:
        assert await exports.plan(copy, store.before_id) == await exports.plan(reader, store.before_id)


async def test_a_workspace_that_is_registered_under_another_id_takes_the_documents_in(
    db: Database, other: Database, store: Store, tmp_path: Path
) -> None:
    async with other.transaction() as tx:
        row = {"id": "ws_other", "now": tx.now()}
        await tx.run(
            "INSERT INTO workspaces (workspace_id, path, name, created_at, updated_at) "
            "VALUES (:id, '/srv/project', 'here', :now, :now)",
            row,
        )
    await copied(db, other, tmp_path / "out")

    assert await exports.workspaces(other) == ["ws_other"]
    assert sorted(await exports.plans(other, "ws_other")) == sorted([store.before_id, store.plan_id, store.after_id])
