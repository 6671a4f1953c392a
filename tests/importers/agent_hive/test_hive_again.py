"""A hive that went on after its import: what is new comes in, what people changed stays, what was said once is kept."""

import json
from pathlib import Path

import pytest

from server.db.storage.connection import Database
from tests.importers.agent_hive import hive_store
from tests.importers.conftest import Taker

SNAPSHOT = ".claude/memory/LATEST_MEMORY_SNAPSHOT.json"
RECORDS = ("checkpoints", "messages", "lineage", "quality_gates", "sessions", "metric_points")


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    return hive_store.whole().write(tmp_path / "hive")


async def counts(db: Database) -> dict[str, int]:
    return {table: await db.value(f"SELECT count(*) FROM {table}") for table in RECORDS}


async def steps(db: Database) -> dict[str, tuple[str, str | None]]:
    rows = await db.all(
        "SELECT s.task, s.status, s.priority FROM steps s JOIN plans p USING (plan_id) "
        "WHERE p.external_id = 'BACKLOG.md'"
    )
    return {row["task"]: (row["status"], row["priority"]) for row in rows}


async def test_each_task_has_the_priority_of_its_section_and_a_step_shows_it(
    take: Taker, db: Database, hive: Path
) -> None:
    await take(hive)
    assert {task: priority for task, (_, priority) in (await steps(db)).items()} == hive_store.PRIORITIES
    step_id = await db.value("SELECT step_id FROM steps WHERE task = 'Backlog Recovery'")
    shown = await take.ask("memory_steps", {"action": "get", "step_id": step_id})
    assert shown["priority"] == "critical"


async def test_what_was_said_once_stays_when_its_file_is_written_over(take: Taker, db: Database, hive: Path) -> None:
    await take(hive)
    before = await counts(db)
    (hive / SNAPSHOT).write_bytes(hive_store.dump(hive_store.snapshot("critical")))
    (hive / "message_bus/inboxes/frontend-1.json").write_bytes(b"[]")
    (hive / ".claude/agent_completions.jsonl").write_bytes(hive_store.lines(hive_store.completion(8)))
    report = await take(hive)

    assert report.differences == []
    more = {"checkpoints": 1, "lineage": 1, "quality_gates": 3}
    assert await counts(db) == {table: number + more.get(table, 0) for table, number in before.items()}
    assert set((await take(hive)).files) == {"unchanged"}


async def test_a_log_that_grew_adds_its_new_lines_alone(take: Taker, db: Database, hive: Path) -> None:
    await take(hive)
    log = hive / ".claude/logs/leanvibe.log"
    log.write_bytes(log.read_bytes() + b"2025-07-20 10:00:00 [ERROR] a: new\n")
    await take(hive)
    assert await db.value("SELECT count(*) FROM event_log WHERE type = 'log'") == hive_store.LOG_ENTRIES + 1


async def test_a_backlog_that_changed_changes_what_nobody_changed_here(take: Taker, db: Database, hive: Path) -> None:
    await take(hive)
    mine = await db.value("SELECT step_id FROM steps WHERE task = 'Security Framework'")
    await take.ask("memory_steps", {"action": "update", "step_id": mine, "status": "blocked", "agent": "me"})
    before = await db.value("SELECT step_id FROM steps WHERE task = 'Mobile Dashboard'")
    text = (hive / "BACKLOG.md").read_text(encoding="utf-8")
    phone = "- [ ] **Mobile Dashboard** - responsive UI (Est: 8hr)\n"
    text = text.replace(phone, "").replace("### System Recovery\n", f"### System Recovery\n{phone}")
    text = text.replace("- [ ] **Webhook", "- [x] **Webhook").replace("  - [ ] **Token Rotation** - a part of it\n", "")
    text = text.replace("- [ ] **Security Framework**", "- [x] **Security Framework**")
    (hive / "BACKLOG.md").write_text(text, encoding="utf-8")
    report = await take(hive)

    found = await steps(db)
    assert found["Mobile Dashboard"] == ("pending", "critical")
    assert await db.value("SELECT step_id FROM steps WHERE task = 'Mobile Dashboard'") == before
    assert found["Webhook System"][0] == "done"
    assert found["Security Framework"][0] == "blocked"
    assert any("the database's stays" in finding.what for finding in report.findings)
    assert "Token Rotation" not in found


async def test_what_runs_there_arrives_with_nobody_at_it(take: Taker, db: Database, hive: Path) -> None:
    await take(hive)
    assert await db.value("SELECT count(*) FROM steps WHERE status = 'active'") > 0
    assert await db.value("SELECT count(*) FROM steps WHERE claimed_by IS NOT NULL") == 0
    assert await db.value("SELECT count(*) FROM sessions WHERE status = 'active'") == 0


async def test_a_foreign_id_finds_its_row(take: Taker, hive: Path) -> None:
    await take(hive)
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    found = await take.ask("memory_context", {"action": "search", "query": "dt-2", "workspace_id": workspace_id})
    assert any("Child" in json.dumps(hit) for hit in found["hits"])


async def test_what_its_tools_showed_shows_here(take: Taker, hive: Path) -> None:
    await take(hive)
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    messages = await take.db.all(
        "SELECT to_agent FROM messages WHERE workspace_id = :id AND acknowledged_at IS NULL", {"id": workspace_id}
    )
    assert sorted(row["to_agent"] for row in messages) == ["db-agent", "frontend-1", "frontend-1"]
    session = await take.db.one("SELECT * FROM sessions WHERE external_id = 'ctx_1'")
    assert session is not None
    assert (session["agent"], session["usage_percent"], session["token_count"], session["max_tokens"]) == (
        "db-agent", 85.5, 171000, 200000,
    )  # fmt: skip
    event = await take.db.one("SELECT * FROM event_log WHERE message = 'begun'")
    assert event is not None
    assert (event["severity"], event["correlation_id"], event["agent"]) == ("info", "corr-1", "db-agent")
    agent = await take.db.one("SELECT * FROM agents WHERE agent = 'db-agent'")
    assert agent is not None
    assert (agent["type"], agent["status"], agent["worktree"], agent["branch"], agent["last_activity_at"]) == (
        "pm", "active", "w/pm", "feature/pm", "2025-07-09T10:00:00.123Z",
    )  # fmt: skip
