"""A whole store of any shape or defect goes in: counted, accounted for, verified, and left as it was."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from server.db.storage.connection import Database
from server.errors import InvalidArguments
from server.importers.reading import fingerprint
from tests import legacy_defects, legacy_shapes, legacy_store
from tests.importers.conftest import Taker, change, everything
from tests.legacy_store import Maker

WORKSPACE = legacy_store.WORKSPACE
ALL: dict[str, list[Callable[[Maker], object]]] = {
    "shapes": list(legacy_shapes.SHAPES.values()),
    "defects": [add for name, add in legacy_defects.DEFECTS.items() if name != "huge_file"],
}


@pytest.mark.parametrize("kind", ALL)
async def test_every_shape_and_every_defect_together(take: Taker, db: Database, tmp_path: Path, kind: str) -> None:
    root = legacy_store.put(tmp_path / "old", legacy_store.store(3, shapes=ALL[kind]))
    source = legacy_store.read(root)

    empty = everything(db.path)
    dry = await take(root, dry_run=True)
    assert everything(db.path) == empty
    report = await take(root)
    again = await take(root)

    assert (dry.files, dry.rows) == (report.files, report.rows)
    assert report.differences == []
    assert legacy_store.read(root) == source
    assert set(again.files) == {"unchanged"}
    assert sum(report.files.values()) == len(source)
    failed = await db.all("SELECT path, reason FROM import_files WHERE status = 'failed'")
    told = {finding.path for finding in report.findings if finding.severity == "error"}
    assert {row["path"] for row in failed} <= told
    assert all(row["reason"] for row in failed)


async def test_every_file_has_one_row_with_its_hash_and_its_bytes(take: Taker, db: Database, root: Path) -> None:
    await take(root)
    rows = await db.all("SELECT workspace_id, path, sha256, size, raw FROM import_files")

    found = {f"{row['workspace_id']}/{row['path']}" if row["workspace_id"] else row["path"]: row for row in rows}
    source = legacy_store.read(root)
    assert found.keys() == source.keys()
    for name, content in source.items():
        assert (found[name]["sha256"], found[name]["size"]) == fingerprint(root / name, name)
        assert found[name]["size"] == len(content)


async def test_no_field_of_a_plan_is_lost(take: Taker, db: Database, root: Path) -> None:
    path = next((root / WORKSPACE / "plans").glob("plan_*/state.json"))
    state = change(path, category="investigation", some_day={"x": [1]}, current_agent="Builder", status="complete")
    await take(root)

    row = await db.one("SELECT * FROM plans WHERE plan_id = :id", {"id": state["id"]})
    assert row is not None
    assert (row["category"], row["status"]) == ("advisory", "completed")
    kept = json.loads(row["extra"])["legacy"]
    assert (kept["category"], kept["status"]) == ("investigation", "complete")
    assert (kept["some_day"], kept["current_agent"]) == ({"x": [1]}, "Builder")


async def test_a_mapped_value_is_a_line_with_its_place(take: Taker, root: Path) -> None:
    path = next((root / WORKSPACE / "plans").glob("plan_*/state.json"))
    change(path, category="bug")
    report = await take(root)

    inner = path.relative_to(root / WORKSPACE).as_posix()
    assert ("bug", "bugfix") in {
        (f.value, f.used) for f in report.findings if f.path == inner and f.json_path == "$.category"
    }


async def test_a_link_out_of_the_store_is_not_followed(take: Taker, db: Database, root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"data": "not yours"}')
    folder = next((root / WORKSPACE / "plans").glob("plan_*"))
    (folder / "leak.json").symlink_to(secret)
    (folder / "research_notes").mkdir(exist_ok=True)
    (folder / "research_notes" / "out").symlink_to(tmp_path, target_is_directory=True)
    report = await take(root)

    rows = await db.all("SELECT path, reason, raw FROM import_files WHERE reason LIKE '%leads out%'")
    assert {Path(row["path"]).name for row in rows} == {"leak.json", "out"}
    assert all(row["raw"] is None for row in rows)
    assert report.files["skipped"] >= 2
    assert set((await take(root)).files) == {"unchanged"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
async def test_a_pipe_does_not_hang_the_import(take: Taker, root: Path) -> None:
    os.mkfifo(root / WORKSPACE / "plans" / "pipe")

    assert (await take(root)).exit_code == 0


async def test_a_path_without_a_store_imports_nothing(take: Taker, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("x")

    for path in (tmp_path, tmp_path / "some.txt", tmp_path / "nowhere"):
        assert (await take(path)).exit_code == 2


async def test_another_path_of_the_project_can_be_given(take: Taker, root: Path, project: Path) -> None:
    await take(root, workspace_path=str(project))

    found = await take.ask("memory_workspace", {"action": "info", "workspace_path": str(project)})
    assert found["workspace_id"] == WORKSPACE


async def test_another_path_of_a_workspace_that_is_there_is_refused(take: Taker, root: Path, project: Path) -> None:
    await take(root)
    with pytest.raises(InvalidArguments, match="move OLD NEW"):
        await take(root, workspace_path=str(project))
    path = await take.db.value("SELECT path FROM workspaces WHERE workspace_id = :id", {"id": WORKSPACE})
    assert set((await take(root, workspace_path=path)).files) == {"unchanged"}


async def test_one_path_does_not_fit_two_workspaces(take: Taker, root: Path, project: Path) -> None:
    other = Maker(5, "other-0123456789ab")
    legacy_store.add_plan(other, legacy_store.plan(other))
    legacy_store.add_workspace(other, workspace_path="/elsewhere", path="/elsewhere")
    legacy_store.put(root, other.files)

    with pytest.raises(InvalidArguments, match="one workspace"):
        await take(root, workspace_path=str(project))


async def test_a_workspace_that_is_registered_already_takes_the_plans_in(
    take: Taker, root: Path, project: Path
) -> None:
    mine = await take.ask("memory_workspace", {"action": "register", "workspace_path": str(project)})
    report = await take(root, workspace_path=str(project))

    plans = await take.ask("memory_plan", {"action": "list", "workspace_id": mine["workspace_id"]})
    by_old_id = await take.ask("memory_plan", {"action": "list", "workspace_id": WORKSPACE})
    assert report.exit_code == 0
    assert plans["total"] == by_old_id["total"] > 0


async def test_a_plan_of_another_workspace_is_not_overwritten(
    take: Taker, db: Database, root: Path, tmp_path: Path
) -> None:
    await take(root)
    before = everything(db.path)
    copy = {name.replace(WORKSPACE, "other-0123456789ab"): data for name, data in legacy_store.read(root).items()}
    copy = {name: data for name, data in copy.items() if "events" not in name and "logs" not in name}
    other = legacy_store.put(tmp_path / "copy", copy)
    meta = other / "other-0123456789ab" / "workspace.meta.json"
    change(meta, workspace_id="other-0123456789ab", workspace_path="/other", path="/other", legacy_workspace_ids=[])

    report = await take(other)
    after = everything(db.path)
    assert report.exit_code == 3
    assert after["plans"] == before["plans"]
    assert after["steps"] == before["steps"]
    assert after["plans_archive"] == before["plans_archive"]
    assert any("imported already" in finding.what for finding in report.findings)


async def test_the_future_in_a_log_does_not_move_the_clock(take: Taker, db: Database, root: Path) -> None:
    events = root / "events" / "events.log"
    line = {"id": "evt_future", "type": "x", "timestamp": "2199-01-01T00:00:00.000Z", "workspace_id": WORKSPACE}
    events.write_bytes(events.read_bytes() + json.dumps(line).encode() + b"\n")
    report = await take(root)
    async with db.transaction() as tx:
        now = tx.now()

    latest = await db.value("SELECT max(timestamp) FROM event_log")
    kept = await db.value("SELECT data FROM event_log WHERE data ->> 'legacy_id' = 'evt_future'")
    assert latest <= now
    assert json.loads(kept)["legacy"]["timestamp"] == "2199-01-01T00:00:00.000Z"
    assert any(f.value == "2199-01-01T00:00:00.000Z" for f in report.findings)


async def test_watchers_notice_an_import(take: Taker, root: Path) -> None:
    await take(root)

    found = await take.ask("memory_workspace", {"action": "events", "workspace_id": WORKSPACE, "types": ["imported"]})
    assert [event["entity_id"] for event in found["events"]] == [WORKSPACE]


async def test_an_open_session_is_no_active_one(take: Taker, root: Path) -> None:
    await take(root)

    active = await take.ask(
        "memory_session", {"action": "list_sessions", "workspace_id": WORKSPACE, "status_filter": "active"}
    )
    assert active["total"] == 0


async def test_a_parent_and_a_program_of_another_workspace_are_found_in_any_order(
    take: Taker, db: Database, tmp_path: Path
) -> None:
    first, second = Maker(1, "aaa-000000000001"), Maker(2, "zzz-000000000002")
    child = legacy_store.plan(first, program_id=None)
    legacy_store.add_plan(first, child)
    program = legacy_store.program_v1(second, [child])
    legacy_store.add_plan(first, child | {"program_id": program["id"]})
    legacy_store.add_workspace(first, workspace_path="/a", path="/a", parent_workspace_id="zzz-000000000002")
    legacy_store.add_workspace(second, workspace_path="/z", path="/z", child_workspace_ids=["aaa-000000000001"])
    root = legacy_store.put(tmp_path / "old", first.files | second.files)

    report = await take(root)
    parent = await db.value("SELECT parent_workspace_id FROM workspaces WHERE workspace_id = 'aaa-000000000001'")
    link = await db.one("SELECT program_id, workspace_id FROM program_workspace_links")
    assert report.differences == []
    assert parent == "zzz-000000000002"
    assert link is not None
    assert tuple(link) == (program["id"], "aaa-000000000001")
