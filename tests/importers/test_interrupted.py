"""An import that dies at any commit: what it left is not seen, and the next one completes it."""

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from server.db.interchange import exports, import_notices, import_runs
from server.db.storage.connection import Database
from server.exporters import documents, legacy
from server.exporters.mirror import Folder
from server.jobs import mirroring
from server.settings import Settings
from server.store import open_store
from tests import legacy_store
from tests.importers.conftest import Taker, change

DYING = Path(__file__).with_name("dying_import.py")
REPOSITORY = Path(__file__).resolve().parents[2]
WORKSPACE = legacy_store.WORKSPACE
# What tells one run, or one moment, from another.
OF_A_RUN = {"event_id", "log_id", "run_id", "updated_at", "created_at", "satisfied_at"}
Whole = dict[str, list[str]]


async def die(settings: Settings, root: Path, commit: int, when: str = "after") -> None:
    words = [str(DYING), str(settings.data_root), str(root), str(commit), when]
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *words],
        timeout=60,
        check=False,
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    assert killed.returncode == -signal.SIGKILL


async def all_rows(db: Database) -> Whole:
    """Every row that an import may write, without what differs from run to run."""
    found: Whole = {}
    for table in exports.tables():
        rows = [dict(row) for row in await db.all(f"SELECT * FROM {table}")]
        kept = [row for row in rows if row.get("type") != "imported" and "Imported " not in str(row.get("summary"))]
        clean = [{k: v for k, v in row.items() if k not in OF_A_RUN} for row in kept if table != "import_runs"]
        found[table] = sorted(json.dumps(row, default=bytes.hex) for row in clean)
    found["search"] = sorted(
        f"{row['kind']} {row['entity_id']}" for row in await db.all("SELECT kind, entity_id FROM search_documents")
    )
    return found


async def imported(settings: Settings, root: Path) -> Whole:
    """What one import makes of a store, in a database of its own."""
    db = await open_store(settings)
    taker = Taker(settings, db)
    try:
        report = await taker(root)
        assert (report.exit_code, report.differences) == (0, [])
        assert await db.value("SELECT count(*) FROM import_runs WHERE status <> 'completed'") == 0
        assert await db.value("SELECT count(*) FROM workspaces WHERE importing IS NOT NULL") == 0
        assert await db.value("PRAGMA integrity_check") == "ok"
        return await all_rows(db)
    finally:
        await taker.store.close()
        await db.close()


@pytest.fixture
async def whole(tmp_path: Path, root: Path, settings: Settings) -> Whole:
    other = replace(settings, data_root=tmp_path / "whole")
    other.data_root.mkdir(mode=0o700)
    return await imported(other, root)


@pytest.mark.parametrize(("commit", "when"), [(1, "before"), (1, "after"), (4, "after"), (9, "before"), (16, "after")])
async def test_an_import_after_one_that_was_killed_is_as_one_import(
    settings: Settings, root: Path, whole: Whole, commit: int, when: str
) -> None:
    await die(settings, root, commit, when)

    assert await imported(settings, root) == whole


async def test_an_import_that_is_killed_again_and_again_gets_there(
    settings: Settings, root: Path, whole: Whole
) -> None:
    for commit in (3, 5, 2):
        await die(settings, root, commit)

    assert await imported(settings, root) == whole


async def test_one_that_is_killed_when_all_files_are_accounted_for_is_still_completed(
    settings: Settings, root: Path, whole: Whole
) -> None:
    commit = 0
    listed = 0
    while listed < sum("path" in row for row in whole["import_files"]):
        commit += 4
        await die(settings, root, commit)
        db = await open_store(settings)
        listed = await db.value("SELECT count(*) FROM import_files WHERE workspace_id IS NOT NULL")
        listed += len([row for row in whole["import_files"] if json.loads(row)["workspace_id"] is None])
        hidden = await db.value("SELECT count(*) FROM workspaces WHERE importing IS NOT NULL")
        await db.close()
        if not hidden:
            break

    assert await imported(settings, root) == whole


@dataclass
class Left:
    """What an import that was killed left, and the tools to look for it."""

    taker: Taker
    root: Path
    plan_ids: list[str]

    async def ask(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        return await self.taker.ask(tool, {"action": action, **arguments})

    async def refused(self, tool: str, action: str, /, **arguments: Any) -> str:
        from server.errors import ProjectMemoryError

        with pytest.raises(ProjectMemoryError) as caught:
            await self.ask(tool, action, **arguments)
        return json.dumps(caught.value.payload())


@pytest.fixture
async def left(settings: Settings, root: Path, take: Taker, tmp_path: Path) -> Left:
    (tmp_path / "theirs").mkdir()
    theirs = str(tmp_path / "theirs")
    change(root / WORKSPACE / "workspace.meta.json", path=theirs, workspace_path=theirs)
    await die(settings, root, 12)
    plans = [
        row["plan_id"] for row in await take.db.all("SELECT plan_id FROM plans UNION SELECT plan_id FROM plans_archive")
    ]
    assert plans
    return Left(take, root, plans)


async def test_what_is_not_whole_is_not_seen(left: Left, project: Path, tmp_path: Path) -> None:
    theirs = str(tmp_path / "theirs")
    mine = await left.ask("memory_workspace", "register", workspace_path=str(project))
    home = {"workspace_id": mine["workspace_id"]}

    listed = await left.ask("memory_workspace", "list")
    assert [one["path"] for one in listed["workspaces"]] == [str(project)]
    assert "There is no workspace" in await left.refused("memory_workspace", "info", workspace_id=WORKSPACE)
    assert "There is no plan" in await left.refused("memory_plan", "get", plan_id=left.plan_ids[0])
    assert "There is no plan" in await left.refused("memory_plan", "update", plan_id=left.plan_ids[0], title="x")
    told = await left.refused("memory_plan", "find", plan_id="plan_m")
    assert [plan_id for plan_id in left.plan_ids if plan_id in told] == []
    title = await left.taker.db.value("SELECT title FROM plans UNION SELECT title FROM plans_archive LIMIT 1")
    hits = await left.ask("memory_context", "search", query=title, **home)
    assert [hit for hit in hits["hits"] if hit.get("plan_id") in left.plan_ids] == []
    assert (await left.ask("memory_steps", "ready", **home))["steps"] == []
    assert "being imported" in await left.refused("memory_workspace", "register", workspace_path=theirs)
    async with exports.snapshot(left.taker.db) as reader:
        for layout in (documents, legacy):
            files = [file async for file in layout.store(reader)]
            assert [file.path for file in files if b"plan_" in file.content and WORKSPACE in file.path] == []
    done = await mirroring.write(left.taker.db, Folder(tmp_path / "mirror"))
    assert [name for name in done.written if WORKSPACE in name] == []


async def test_a_store_that_was_imported_in_part_is_still_told_of(left: Left) -> None:
    assert not await import_notices.is_imported(left.taker.db, [WORKSPACE])
    assert await import_runs.is_open(left.taker.db, [WORKSPACE])

    await left.taker(left.root)
    assert await import_notices.is_imported(left.taker.db, [WORKSPACE])


async def test_a_plan_comes_whole_into_a_workspace_that_is_there(
    settings: Settings, root: Path, whole: Whole, take: Taker
) -> None:
    """It is registered at the path that the store has, so it is not hidden."""
    meta = json.loads((root / WORKSPACE / "workspace.meta.json").read_bytes())
    async with take.db.transaction() as tx:
        await tx.run(
            "INSERT INTO workspaces (workspace_id, path, name, created_at, updated_at) "
            "VALUES ('ws_here', :path, 'here', :now, :now)",
            {"path": meta["path"], "now": tx.now()},
        )
    steps = [json.loads(row)["plan_id"] for table in ("steps", "steps_archive") for row in whole[table]]
    seen = set[int]()
    for commit in (2, 3, 3):
        await die(settings, root, commit)
        rows = await take.db.all("SELECT plan_id FROM plans UNION SELECT plan_id FROM plans_archive ORDER BY plan_id")
        there = await take.db.all("SELECT plan_id FROM steps UNION ALL SELECT plan_id FROM steps_archive")
        for (plan_id,) in rows:
            assert sum(row["plan_id"] == plan_id for row in there) == steps.count(plan_id)
        seen.add(len(rows))

    assert len(seen) > 1
    report = await take(root)
    assert (report.exit_code, report.differences) == (0, [])
    listed = await take.ask("memory_plan", {"action": "list", "workspace_id": "ws_here", "include_archived": True})
    assert listed["total"] == 4
