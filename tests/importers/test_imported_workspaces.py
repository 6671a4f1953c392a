"""Workspaces of a store that have an id, a path or an old id in common stay apart, and nothing of them is dropped."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from tests import legacy_store
from tests.importers.conftest import Taker, change, everything
from tests.legacy_store import Files, Maker

FIRST, SECOND = "first-111111111111", "second-222222222222"
CLASHING = [f"{FIRST}/{name}" for name in ("terminal-allowlist.json", "workspace.context.json")]


def workspace(workspace_id: str, seed: int, path: str, **meta: Any) -> Files:
    m = Maker(seed, workspace_id)
    legacy_store.add_plan(m, legacy_store.plan(m, status="active"))
    more: dict[str, Any] = {"workspace_path": path, "path": path, "name": workspace_id, "legacy_workspace_ids": []}
    legacy_store.add_workspace(m, **(more | meta))
    return m.files


def renamed(files: Mapping[str, bytes], folder: str) -> Files:
    return {f"{folder}/{path.partition('/')[2]}": content for path, content in files.items()}


def script(name: str) -> dict[str, Any]:
    return {"id": f"script_{name}", "name": name, "command": "make", "description": "", "directory": "."}


STORES = {
    "a folder and its copy": workspace(FIRST, 1, "/p") | renamed(workspace(FIRST, 1, "/p"), "copy"),
    "one id in two folders": workspace(FIRST, 1, "/p") | renamed(workspace(FIRST, 2, "/q"), "other"),
    "one path": workspace(FIRST, 1, "/p") | workspace(SECOND, 2, "/p"),
    "one path but for a slash": workspace(FIRST, 1, "/p/") | workspace(SECOND, 2, "/p"),
    "one path in two spellings": workspace(FIRST, 1, "C:\\Work\\App") | workspace(SECOND, 2, "c:/work/app"),
    "an old id that is a workspace": workspace(FIRST, 1, "/p", legacy_workspace_ids=[SECOND])
    | workspace(SECOND, 2, "/q"),
    "one old id": workspace(FIRST, 1, "/p", legacy_workspace_ids=["old"])
    | workspace(SECOND, 2, "/q", legacy_workspace_ids=["old"]),
    "each the other's folder": renamed(workspace(FIRST, 1, "/p"), SECOND) | renamed(workspace(SECOND, 2, "/q"), FIRST),
}


@pytest.mark.parametrize("name", STORES)
async def test_workspaces_with_something_in_common_stay_apart(
    take: Taker, db: Database, tmp_path: Path, name: str
) -> None:
    root = legacy_store.put(tmp_path / "old", STORES[name])

    dry = await take(root, dry_run=True)
    report = await take(root)
    before = everything(db.path)
    again = await take(root)
    assert (dry.files, dry.rows) == (report.files, report.rows)
    assert (report.exit_code, report.differences) == (0, [])
    assert sum(report.files.values()) == len(STORES[name])
    assert await db.value("SELECT count(*) FROM workspaces") == 2
    assert set(again.files) == {"unchanged"}
    assert everything(db.path) == before


async def test_a_path_stays_with_the_workspace_that_the_registry_names(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    root = legacy_store.put(tmp_path / "old", STORES["one path"])
    entries = {"/p": SECOND, "/gone": "gone-000000000000"}
    (root / "workspace-registry.json").write_text(json.dumps({"entries": entries, "x_more": 1}), encoding="utf-8")
    report = await take(root)

    assert await db.value("SELECT workspace_id FROM workspaces WHERE path = '/p'") == SECOND
    told = {(finding.json_path, finding.severity) for finding in report.findings if "registry" in finding.path}
    assert ("$.entries['/gone']", "warning") in told
    assert {"x_more": 1} in [finding.value for finding in report.findings]


async def test_a_path_that_is_registered_already_goes_to_one_workspace_only(
    take: Taker, db: Database, tmp_path: Path, project: Path
) -> None:
    mine = await take.ask("memory_workspace", {"action": "register", "workspace_path": str(project)})
    files = workspace(FIRST, 1, str(project)) | workspace(SECOND, 2, str(project))
    report = await take(legacy_store.put(tmp_path / "old", files))

    assert (report.exit_code, report.differences) == (0, [])
    plans = await db.all("SELECT workspace_id FROM plans")
    owners = {row["workspace_id"] for row in plans}
    assert len(owners) == 2
    assert mine["workspace_id"] in owners


async def test_an_old_id_means_the_workspace_that_has_it_now(take: Taker, tmp_path: Path) -> None:
    root = legacy_store.put(tmp_path / "old", STORES["an old id that is a workspace"])
    await take(root)

    found = await take.ask("memory_workspace", {"action": "info", "workspace_id": SECOND})
    assert found["path"] == "/q"


async def test_a_line_names_the_workspace_where_there_are_several(take: Taker, tmp_path: Path) -> None:
    report = await take(legacy_store.put(tmp_path / "old", STORES["one path"]))

    [line] = [finding for finding in report.findings if finding.severity == "warning"]
    assert (line.workspace_id, line.path, line.value) == (FIRST, "workspace.meta.json", "/p")


async def test_a_workspace_that_cannot_be_written_leaves_the_others_alone(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    files = workspace(FIRST, 1, "/p") | workspace(SECOND, 2, "/q")
    async with db.transaction() as tx:
        await tx.run(
            f"""
            CREATE TRIGGER refuse BEFORE INSERT ON workspaces WHEN new.workspace_id = '{FIRST}'
            BEGIN SELECT raise(ABORT, 'not this one'); END
            """
        )
    report = await take(legacy_store.put(tmp_path / "old", files))

    [line] = [finding for finding in report.findings if finding.severity == "error"]
    assert (report.exit_code, report.differences) == (3, [])
    assert (line.workspace_id, "refused what was prepared" in line.what) == (FIRST, True)
    assert report.files["failed"] == len([path for path in files if path.startswith(FIRST)])
    assert [row["workspace_id"] for row in await db.all("SELECT workspace_id FROM workspaces")] == [SECOND]


async def test_a_merged_workspace_and_the_one_that_has_it_now_are_imported_again_side_by_side(
    take: Taker, db: Database, tmp_path: Path, project: Path
) -> None:
    ws = "memory_workspace"
    registered = await take.ask(ws, {"action": "register", "workspace_path": str(project)})
    files = workspace(FIRST, 1, str(project), workspace_build_scripts=[script("a")])
    files = {path: content for path, content in files.items() if path not in CLASHING}
    first = legacy_store.put(tmp_path / "first", files)
    second = legacy_store.put(tmp_path / "second", workspace(SECOND, 2, "/q", workspace_build_scripts=[script("b")]))
    for root in (first, second):
        await take(root)
    pair = {"source_workspace_id": registered["workspace_id"], "target_workspace_id": SECOND}
    await take.ask(ws, {"action": "merge", **pair, "dry_run": False})
    before = everything(db.path)
    for root in (first, second, first):
        report = await take(root)
        assert (report.exit_code, set(report.files)) == (0, {"unchanged"})
    assert everything(db.path) == before
    for root, name in ((first, "a"), (second, "b")):
        [path] = root.glob("*/workspace.meta.json")
        change(path, workspace_build_scripts=[script(name) | {"description": "changed"}])
        report = await take(root)
        assert (report.exit_code, report.differences) == (0, [])
    rows = await db.all("SELECT name, description, workspace_id FROM build_scripts WHERE plan_id IS NULL ORDER BY name")
    assert [tuple(row) for row in rows] == [("a", "changed", SECOND), ("b", "changed", SECOND)]
    assert await db.value("SELECT name FROM workspaces") == SECOND


async def test_a_store_of_two_workspaces_is_imported_again_after_one_was_merged_into_the_other(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    files = workspace(FIRST, 1, "/p") | workspace(SECOND, 2, "/q")
    files = {path: content for path, content in files.items() if path not in CLASHING}
    root = legacy_store.put(tmp_path / "old", files)
    first = await take(root)
    pair = {"source_workspace_id": FIRST, "target_workspace_id": SECOND}
    await take.ask("memory_workspace", {"action": "merge", **pair, "dry_run": False})
    before = everything(db.path)

    again = await take(root)
    assert (again.exit_code, set(again.files)) == (0, {"unchanged"})
    assert everything(db.path) == before
    for name in (FIRST, SECOND):
        change(root / name / "workspace.meta.json", workspace_build_scripts=[script(name)])
    changed = await take(root)
    assert (changed.exit_code, changed.differences) == (0, [])
    assert sum(changed.files.values()) == sum(first.files.values())
    assert await db.value("SELECT group_concat(workspace_id) FROM workspaces") == SECOND
    rows = await db.all("SELECT name FROM build_scripts WHERE plan_id IS NULL ORDER BY name")
    assert [row["name"] for row in rows] == [FIRST, SECOND]
