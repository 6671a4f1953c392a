"""Everything of one workspace in another, by the schema: no table is forgotten, and nothing is lost."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from server.db.plans import plan_archive
from server.db.search import indexing
from server.db.storage.connection import Database
from server.db.storage.table_shapes import columns_of_tables
from server.db.workspaces import merging, workspaces
from tests.db.plans.test_plan_archive import Store, fill_ledger, insert, store
from tests.exporters.test_documents import fill_the_rest

__all__ = ["store"]

# Rows that go with the folder of the source, those that say what a workspace is, and links of programs: one to the
# workspace that becomes the program's own goes.
OTHERS = {"workspaces", "workspace_aliases", *merging.OF_FOLDER, "file_changes", "program_workspace_links"}
NOW = "2030-01-02T03:04:05.678Z"


async def filled(db: Database, store: Store, at: str) -> str:
    """Put a row of the first workspace into every table, and make another one; return the id of that."""
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
        await plan_archive.archive(tx, store.plan_id)
        place = {"workspace_id": store.workspace_id}
        edit = {
            "plan_id": store.after_id,
            "step_id": store.after_steps[0],
            "file_path": "a.py",
            "change_type": "edit",
            "created_at": NOW,
        }
        await insert(tx, "step_file_edits", edit_id="edit_new", **edit, **place)
        await fill_ledger(tx, {**place, "plan_id": store.after_id}, None, None, [("plan", store.after_id)])
        run = {"layout": "l", "source_path": "s", "status": "done", "started_at": NOW}
        await insert(tx, "import_runs", run_id="run_new", **run, **place)
        sent = {"request_id": "r", "agent": "a", "tool": "t", "action": "x", "arguments_hash": "h", "answer": "{}"}
        await insert(tx, "requests", created_at=NOW, **sent, **place)
        return (await workspaces.insert(tx, path=at, name="target")).workspace_id


async def moved(db: Database, source: str, target: str) -> None:
    async with db.transaction() as tx:
        await merging.move(tx, await workspaces.require(tx, source), await workspaces.require(tx, target))


def rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    with sqlite3.connect(path) as db:
        db.row_factory = sqlite3.Row
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in names if not name.startswith(("search_", "sqlite_"))]
        found = {table: [dict(row) for row in db.execute(f"SELECT * FROM {table}")] for table in tables}
    db.close()
    return found


def renamed(row: dict[str, Any], source: str, target: str) -> dict[str, Any]:
    """A row as it has to be afterwards."""
    named = {column for says, column in merging.NAMING if row.get(says) == "workspace"} | {"workspace_id"}
    return {name: target if name in named and value == source else value for name, value in row.items()}


async def test_every_table_with_a_workspace_changes_hands_and_no_row_is_lost(
    db: Database, store: Store, tmp_path: Path
) -> None:
    source, target = store.workspace_id, await filled(db, store, str(tmp_path))
    before = rows(db.path)
    with_workspace = {name for name, columns in (await columns_of_tables(db)).items() if "workspace_id" in columns}
    empty = {name for name in with_workspace - OTHERS if not any(r["workspace_id"] == source for r in before[name])}

    await moved(db, source, target)
    after = rows(db.path)

    assert empty == set()  # a table that is empty before would not be tested
    for name in with_workspace - OTHERS:
        expected = [renamed(row, source, target) for row in before[name]]
        assert (name, sorted(map(str, after[name]))) == (name, sorted(map(str, expected)))
    assert not any(row["workspace_id"] == source for name in with_workspace for row in after[name])
    same = before.keys() - with_workspace
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


async def test_the_old_id_the_old_folder_and_older_names_mean_the_target(
    db: Database, store: Store, tmp_path: Path
) -> None:
    source, target = store.workspace_id, await filled(db, store, str(tmp_path))

    await moved(db, source, target)

    for name in (source, "old-id", target):
        assert (await workspaces.require(db, name)).workspace_id == target
    assert await workspaces.former_paths(db, target) == ["/srv/project"]


async def test_what_is_searched_is_found_in_the_target(db: Database, store: Store, tmp_path: Path) -> None:
    source, target = store.workspace_id, await filled(db, store, str(tmp_path))
    await indexing.work_off(db)
    count = "SELECT count(*) FROM search_documents WHERE workspace_id = :id"
    documents = await db.value(count, {"id": source})

    await moved(db, source, target)
    await indexing.work_off(db)

    assert documents > 0
    assert await db.value(count, {"id": target}) == documents
    assert await db.value(count, {"id": source}) == 0


async def test_families_are_joined_without_a_circle(db: Database) -> None:
    async with db.transaction() as tx:
        made = [await workspaces.insert(tx, path=f"/srv/{name}", name=name) for name in ("top", "a", "b", "c")]
        top, a, b, c = (workspace.workspace_id for workspace in made)
        for child, parent in ((a, top), (b, a), (c, b)):
            await workspaces.update(tx, child, {"parent_workspace_id": parent})

    await moved(db, a, c)

    found = {w.name: w.parent_workspace_id for w in await workspaces.all_(db)}
    assert found == {"top": None, "b": c, "c": top}


async def test_links_and_files_that_both_have_stand_once_and_none_is_lost(db: Database) -> None:
    async with db.transaction() as tx:
        source, target, third = [(await workspaces.insert(tx, path=f"/srv/{n}", name=n)).workspace_id for n in "abc"]
        await tx.run(
            """
            INSERT INTO programs (program_id, workspace_id, title, created_at, updated_at)
            VALUES ('p', :w, 't', :n, :n)
            """,
            {"w": third, "n": NOW},
        )
        await tx.run(
            """
            INSERT INTO import_runs (run_id, layout, source_path, status, started_at)
            VALUES ('r', 'l', 's', 'done', :n)
            """,
            {"n": NOW},
        )
        for number, workspace_id in enumerate((source, target)):
            ids = {"w": workspace_id, "n": NOW, "f": f"file_{number}"}
            await tx.run("INSERT INTO program_workspace_links VALUES ('p', :w, :n)", {"w": workspace_id, "n": NOW})
            await tx.run(
                """
                INSERT INTO import_files (file_id, run_id, workspace_id, path, sha256, size, status, created_at)
                VALUES (:f, 'r', :w, 'state.json', 'x', 1, 'imported', :n)
                """,
                ids,
            )
            await tx.run(
                """
                INSERT INTO import_rows (table_name, row_key, workspace_id, path, base, updated_at)
                VALUES ('plans', :f, :w, 'state.json', '{}', :n)
                """,
                ids,
            )

    await moved(db, source, target)

    assert await db.value("SELECT count(*) FROM program_workspace_links") == 1
    for table, key in (("import_files", "file_id"), ("import_rows", "row_key")):
        found = await db.all(f"SELECT {key} AS id, workspace_id, path FROM {table} ORDER BY 1")
        assert [(row["id"], row["workspace_id"], row["path"]) for row in found] == [
            ("file_0", target, f"{source}/state.json"),
            ("file_1", target, "state.json"),
        ]


async def test_what_is_in_the_trash_names_the_target(db: Database) -> None:
    async with db.transaction() as tx:
        source, target = [(await workspaces.insert(tx, path=f"/srv/{n}", name=n)).workspace_id for n in "ab"]
        data = {"context_items": [{"workspace_id": source, "parent_id": source, "data": f"{source} is told"}]}
        await tx.run(
            """
            INSERT INTO trash (trash_id, workspace_id, entity_type, entity_id, title, data, created_at, expires_at)
            VALUES ('t', :w, 'context', 'e', 't', :data, :n, :n)
            """,
            {"w": source, "n": NOW, "data": json.dumps(data, separators=(",", ":"))},
        )

    await moved(db, source, target)

    [row] = json.loads(await db.value("SELECT data FROM trash"))["context_items"]
    assert row == {"workspace_id": target, "parent_id": target, "data": f"{source} is told"}


async def test_what_a_person_allowed_in_one_folder_is_not_allowed_in_another(db: Database) -> None:
    async with db.transaction() as tx:
        source, target = [(await workspaces.insert(tx, path=f"/srv/{n}", name=n)).workspace_id for n in "ab"]
        rule = {"rule_id": "rule", "program": "make", "allowed_by": "Eve", "via": "terminal", "created_at": NOW}
        await insert(tx, "terminal_allowlist", workspace_id=source, **rule)

    await moved(db, source, target)

    assert await db.value("SELECT count(*) FROM terminal_allowlist") == 0
