"""Importing a store a second time: nothing is written twice, what changed on either side is brought together."""

import json
import os
from pathlib import Path

from server.db.storage.connection import Database
from server.importers.report import ImportReport
from tests import legacy_store
from tests.importers.conftest import Taker, change, everything, states


def plan_of(root: Path, steps: int = 2) -> tuple[Path, str]:
    path = next(p for p in states(root) if len(json.loads(p.read_bytes())["steps"]) >= steps)
    return path, json.loads(path.read_bytes())["id"]


def warnings(report: ImportReport) -> set[tuple[str, str]]:
    return {(finding.path, finding.what) for finding in report.findings if finding.severity != "info"}


async def test_a_second_run_reports_all_unchanged_and_writes_nothing(take: Taker, root: Path) -> None:
    first = await take(root)
    before = everything(take.db.path)
    second = await take(root)

    assert first.exit_code == second.exit_code == 0
    assert second.files == {"unchanged": sum(first.files.values())}
    assert everything(take.db.path) == before


async def test_a_part_of_what_was_imported_whole_is_unchanged(take: Taker, root: Path) -> None:
    await take(root)
    before = everything(take.db.path)
    workspace = root / legacy_store.WORKSPACE

    for part in (workspace, next((workspace / "plans").glob("plan_*"))):
        assert set((await take(part)).files) == {"unchanged"}
    assert everything(take.db.path) == before


async def test_a_copy_elsewhere_with_other_times_is_unchanged(take: Taker, root: Path, tmp_path: Path) -> None:
    await take(root)
    copy = legacy_store.put(tmp_path / "copy", legacy_store.read(root))

    assert set((await take(copy)).files) == {"unchanged"}


async def test_a_file_that_came_back_changes_no_other_row(take: Taker, root: Path) -> None:
    await take(root)
    before = everything(take.db.path)
    path, _ = plan_of(root)
    kept = path.read_bytes()
    change(path, title="Another title")
    await take(root)
    path.write_bytes(kept)
    await take(root)
    after = everything(take.db.path)

    changed = {table for table in before if before[table] != after[table]}
    assert {"steps", "sessions", "lineage", "context_items", "research_documents", "phases"}.isdisjoint(changed)


async def test_a_changed_file_updates_the_same_rows(take: Taker, root: Path, db: Database) -> None:
    await take(root)
    path, plan_id = plan_of(root)
    state = json.loads(path.read_bytes())
    steps = [{**step, "task": f"{step['task']}!"} for step in state["steps"]]
    before = await take.ask("memory_steps", {"action": "list", "plan_id": plan_id, "limit": 200})
    change(path, title="Another title", steps=steps)

    report = await take(root)
    after = await take.ask("memory_steps", {"action": "list", "plan_id": plan_id, "limit": 200})
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": plan_id})
    assert report.files == {"imported": 1, "unchanged": sum(report.files.values()) - 1}
    assert report.rows["steps"]["updated"] == len(steps)
    assert plan["title"] == "Another title"
    assert [s["step_id"] for s in after["steps"]] == [s["step_id"] for s in before["steps"]]
    assert all(step["task"].endswith("!") for step in after["steps"])
    assert (await take.verify(root)).differences == []


async def test_an_edit_in_the_database_is_kept_and_a_clash_reported(take: Taker, root: Path) -> None:
    await take(root)
    path, plan_id = plan_of(root)
    await take.ask(
        "memory_plan", {"action": "update", "plan_id": plan_id, "title": "Ours", "priority": "low", "agent": "me"}
    )
    change(path, title="Theirs", description="Theirs too")

    report = await take(root)
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": plan_id, "detail": "full"})
    assert (plan["title"], plan["priority"], plan["description"]) == ("Ours", "low", "Theirs too")
    [clash] = [finding for finding in report.findings if finding.severity == "error"]
    assert (clash.value, clash.used) == ("Theirs", "Ours")
    assert clash.what.startswith("title changed")
    assert report.exit_code == 3
    assert set((await take(root)).files) == {"unchanged"}


async def test_what_was_deleted_in_the_database_stays_deleted(take: Taker, root: Path) -> None:
    await take(root)
    path, plan_id = plan_of(root)
    await take.ask("memory_steps", {"action": "delete", "plan_id": plan_id, "step_index": 0, "confirm": True})
    state = json.loads(path.read_bytes())
    change(path, steps=[{**step, "notes": "new"} for step in state["steps"]])

    report = await take(root)
    left = await take.ask("memory_steps", {"action": "list", "plan_id": plan_id, "limit": 200})
    assert left["total"] == len(state["steps"]) - 1
    assert any("stays deleted" in finding.what for finding in report.findings)


async def test_a_step_that_left_the_file_goes_unless_it_was_edited(take: Taker, root: Path) -> None:
    await take(root)
    path, plan_id = plan_of(root)
    steps = json.loads(path.read_bytes())["steps"]
    change(path, steps=steps[:-1])
    await take(root)
    left = await take.ask("memory_steps", {"action": "list", "plan_id": plan_id, "limit": 200})
    assert left["total"] == len(steps) - 1

    await take.ask(
        "memory_steps",
        {"action": "update", "plan_id": plan_id, "step_index": len(steps) - 2, "notes": "mine", "agent": "me"},
    )
    change(path, steps=steps[:-2])
    report = await take(root)
    left = await take.ask("memory_steps", {"action": "list", "plan_id": plan_id, "limit": 200})
    assert left["total"] == len(steps) - 1
    assert any("edited since; it stays" in finding.what for finding in report.findings)


async def test_a_plan_that_the_source_archived_since_is_archived(take: Taker, root: Path) -> None:
    await take(root)
    path, plan_id = plan_of(root)
    change(path, status="archived", updated_at="2026-12-01T00:00:00.000Z")

    report = await take(root)
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": plan_id})
    assert report.exit_code == 0
    assert plan["status"] == "archived"
    assert (await take.verify(root)).differences == []


async def test_a_plan_that_was_archived_here_takes_changes_in_the_archive(take: Taker, root: Path) -> None:
    await take(root)
    path, plan_id = plan_of(root)
    await take.ask("memory_plan", {"action": "archive", "plan_id": plan_id, "agent": "me"})
    change(path, description="Changed over there")

    await take(root)
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": plan_id, "detail": "full"})
    assert (plan["status"], plan["description"]) == ("archived", "Changed over there")


async def test_new_log_entries_are_added_and_old_ones_not_doubled(take: Taker, root: Path, db: Database) -> None:
    await take(root)
    path = root / legacy_store.WORKSPACE / "workspace.context.json"
    context = json.loads(path.read_bytes())
    entry = {"timestamp": "2026-02-02T02:02:02.000Z", "tool": "t", "file_path": "/x", "summary": "one more"}
    count = "SELECT count(*) FROM update_log WHERE workspace_id = 'sample_app-0a1b2c3d4e5f'"
    before = await db.value(count)
    entries = [*context["update_log"]["entries"][1:], entry]
    change(path, update_log={**context["update_log"], "entries": entries})

    await take(root)
    assert await db.value(count) == before + 2  # the entry, and what the import tells of itself


async def test_verify_tells_what_was_changed_on_purpose(take: Taker, root: Path) -> None:
    await take(root)
    _, plan_id = plan_of(root)
    await take.ask("memory_plan", {"action": "update", "plan_id": plan_id, "title": "Ours", "agent": "me"})

    report = await take.verify(root)
    assert {finding.json_path for finding in report.differences} == {"$ title"}
    assert (report.standing, report.exit_code) == ("YELLOW", 1)


async def test_a_store_is_imported_again_after_its_workspace_was_merged_into_another(
    take: Taker, root: Path, tmp_path: Path
) -> None:
    first = await take(root)
    [source] = [part.workspace_id for part in first.parts if part.workspace_id]
    (tmp_path / "new").mkdir()
    ws = "memory_workspace"
    target = (await take.ask(ws, {"action": "register", "workspace_path": str(tmp_path / "new")}))["workspace_id"]
    pair = {"source_workspace_id": source, "target_workspace_id": target}
    await take.ask(ws, {"action": "merge", **pair, "dry_run": False})
    before = everything(take.db.path)

    again = await take(root)

    assert (again.exit_code, set(again.files)) == (0, {"unchanged"})
    assert everything(take.db.path) == before
    path, plan_id = plan_of(root)
    change(path, title="Another title")
    changed = await take(root)
    assert (changed.files["imported"], changed.files.get("failed")) == (1, None)
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": plan_id})
    assert (plan["title"], plan["workspace_id"]) == ("Another title", target)
    assert (changed.exit_code, changed.differences) == (0, [])
    assert warnings(changed) <= warnings(first)
    assert (await take(root)).files == {"unchanged": sum(first.files.values())}


async def test_a_line_more_makes_nothing_else_anew(take: Taker, project: Path) -> None:
    issues = project / ".beads" / "issues.jsonl"
    issues.parent.mkdir()
    link = {"issue_id": "bd-2", "depends_on_id": "bd-1", "type": "blocks"}
    told = [{"id": "bd-1", "title": "One"}, {"id": "bd-2", "title": "Two", "dependencies": [link]}]
    issues.write_text("\n".join(map(json.dumps, told)))
    await take(project)
    before = await take.db.all("SELECT step_id, created_at FROM steps ORDER BY step_id")
    issues.write_text("\n".join(map(json.dumps, [*told, {"id": "bd-3", "title": "Three"}])))
    later = issues.stat().st_mtime + 1000
    os.utime(issues, (later, later))

    verified = await take.verify(project)
    assert [(one.path, one.what) for one in verified.differences] == [
        (".beads/issues.jsonl", "changed since it was imported"),
        (".beads/issues.jsonl", "not in steps"),
    ]
    report = await take(project)
    assert (report.rows["steps"], report.rows["dependencies"]) == ({"new": 1, "unchanged": 2}, {"unchanged": 1})
    after = await take.db.all("SELECT step_id, created_at FROM steps ORDER BY step_id")
    assert {tuple(row) for row in before} < {tuple(row) for row in after}
    assert (await take.verify(project)).standing == "GREEN"


async def test_a_plan_with_steps_that_are_open_here_alone_is_not_completed(take: Taker, project: Path) -> None:
    issues = project / ".beads" / "issues.jsonl"
    issues.parent.mkdir()
    told = [{"id": f"bd-{n}", "title": f"Issue {n}", "status": "open"} for n in range(3)]
    issues.write_text("\n".join(map(json.dumps, told)))
    await take(project)
    row = await take.db.one("SELECT plan_id FROM plans")
    assert row
    plan_id = row["plan_id"]
    added = await take.ask(
        "memory_steps", {"action": "add", "plan_id": plan_id, "steps": [{"task": "Mine"}], "agent": "me"}
    )
    issues.write_text("\n".join(json.dumps(one | {"status": "closed"}) for one in told[1:]))
    report = await take(project)
    assert any("steps are open here" in one.what for one in report.findings if one.severity == "error")
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": plan_id})
    given = await take.ask("memory_steps", {"action": "next", "plan_id": plan_id, "agent": "ada"})
    assert (plan["status"], given["next"]["task"]) == ("active", "Mine")
    assert await take.db.value("SELECT count(*) FROM steps") == 3  # what left the file is gone

    step_id = added["added"][0]["step_id"] if "added" in added else given["next"]["step_id"]
    await take.ask("memory_steps", {"action": "delete", "step_id": step_id, "confirm": True, "agent": "ada"})
    issues.write_text("\n".join(json.dumps(one | {"status": "open"}) for one in told[1:]))
    await take(project)
    issues.write_text("\n".join(json.dumps(one | {"status": "closed"}) for one in told[2:]))
    await take(project)
    assert (await take.ask("memory_plan", {"action": "get", "plan_id": plan_id}))["status"] == "completed"
