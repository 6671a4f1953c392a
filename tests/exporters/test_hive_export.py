"""A hive goes back as it came: byte for byte where nothing changed, and elsewhere with the changes alone."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from server.exporters import agent_hive
from server.settings import Settings
from tests.importers.agent_hive import hive_store
from tests.importers.conftest import Taker

AGENT = ".claude/agents/backend-1.json"


@pytest_asyncio.fixture
async def take(settings: Settings, db: Database) -> AsyncGenerator[Taker]:
    taker = Taker(settings, db)
    yield taker
    await taker.store.close()


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    return hive_store.whole().write(tmp_path / "hive")


async def written(take: Taker) -> dict[str, bytes]:
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    return {file.path: file.content async for file in agent_hive.workspace(take.db, workspace_id)}


async def step(take: Taker, task: str) -> str:
    return await take.db.value("SELECT step_id FROM steps WHERE task = :task", {"task": task})


async def update(take: Taker, task: str, /, **changes: Any) -> None:
    await take.ask("memory_steps", {"action": "update", "step_id": await step(take, task), "agent": "me", **changes})


def changed_lines(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    old, new = before.decode().split("\n"), after.decode().split("\n")
    return [line for line in old if line not in new], [line for line in new if line not in old]


async def test_every_file_is_given_back_byte_for_byte(take: Taker, hive: Path) -> None:
    await take(hive)
    source = {str(path.relative_to(hive)): path.read_bytes() for path in hive.rglob("*") if path.is_file()}
    assert await written(take) == source


async def test_a_fact_of_any_name_is_changed_in_its_file(take: Taker, tmp_path: Path) -> None:
    made = hive_store.whole()
    path = ".claude/config/limits.json"
    made.put(path, b'{\n  "v1.2": 1,\n  "it\'s [0]": 2,\n  "plain": 3\n}\n')
    await take(made.write(tmp_path / "hive"))
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    for key in ("v1.2", "it's [0]"):
        told = {"workspace_id": workspace_id, "namespace": path, "key": key, "value": "nine"}
        await take.ask("memory_context", {"action": "remember", **told})

    assert (await written(take))[path] == b'{\n  "v1.2": "nine",\n  "it\'s [0]": "nine",\n  "plain": 3\n}\n'


async def test_files_with_faults_are_given_back_as_they_are(take: Taker, tmp_path: Path) -> None:
    made = hive_store.whole()
    made.put(".claude/checkpoints/checkpoint_cut.json", b'{"checkpoint_id": "cut')
    made.put("coordination_protocols/bad_alerts.json", b'{"event_id": "1"}\nno json\n{"event_id": "2"}')
    await take(made.write(tmp_path / "hive"))
    found = await written(take)
    assert {path: found[path] for path in made.files} == made.files


async def test_a_task_of_the_backlog_changes_its_own_line(take: Taker, hive: Path) -> None:
    await take(hive)
    before = (hive / "BACKLOG.md").read_bytes()
    await update(take, "Webhook System", status="done")
    await update(take, "Mobile Dashboard", task="Dashboard on a phone")
    after = (await written(take))["BACKLOG.md"]

    assert changed_lines(before, after) == (
        [
            "- [ ] **Webhook System** - reliable events (Est: 3hr)",
            "- [ ] **Mobile Dashboard** - responsive UI (Est: 8hr)",
        ],
        [
            "- [x] **Webhook System** - reliable events (Est: 3hr)",
            "- [ ] **Dashboard on a phone** - responsive UI (Est: 8hr)",
        ],
    )


async def test_a_task_that_was_added_is_in_its_section_and_one_that_was_deleted_is_gone(
    take: Taker, hive: Path
) -> None:
    await take(hive)
    before = (hive / "BACKLOG.md").read_bytes()
    plan_id = await take.db.value("SELECT plan_id FROM plans WHERE external_id = 'BACKLOG.md'")
    phase = await take.db.value("SELECT name FROM phases WHERE name LIKE '%P2%'")
    added = {"task": "Brand new", "notes": "with a reason", "phase": phase}
    await take.ask("memory_steps", {"action": "add", "plan_id": plan_id, "steps": [added], "agent": "me"})
    gone = {"step_id": await step(take, "Token Rotation"), "confirm": True, "agent": "me"}
    await take.ask("memory_steps", {"action": "delete", **gone})
    after = (await written(take))["BACKLOG.md"]

    assert changed_lines(before, after) == (
        ["  - [ ] **Token Rotation** - a part of it"],
        ["- [ ] **Brand new** - with a reason"],
    )
    lines = after.decode().split("\n")
    assert lines.index("- [ ] **Brand new** - with a reason") == 1 + lines.index(
        "- [ ] **Webhook System** - reliable events (Est: 3hr)"
    )


async def test_what_a_task_says_is_written_anew(take: Taker, hive: Path) -> None:
    await take(hive)
    await update(take, "Webhook System", notes="first line\nsecond line")
    after = (await written(take))["BACKLOG.md"].decode()
    assert "- [ ] **Webhook System** - first line\n  second line\n" in after


async def test_an_agents_file_changes_its_fields_alone(take: Taker, hive: Path) -> None:
    await take(hive)
    await update(take, "What backend-1 does", status="done")
    after = json.loads((await written(take))[AGENT])
    assert after == json.loads((hive / AGENT).read_bytes()) | {"status": "completed"}


async def test_a_fact_that_changed_is_in_its_file_with_its_comments(take: Taker, hive: Path) -> None:
    await take(hive)
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    named = {"namespace": ".claude/config/config.yaml", "key": "system", "workspace_id": workspace_id}
    await take.ask("memory_context", {"action": "remember", **named, "value": "quiet", "agent": "me"})
    after = (await written(take))[".claude/config/config.yaml"].decode()

    assert "system: quiet\n" in after
    assert after.startswith("# Hive\n")
    assert "claude: {cli_path: claude-code}" in after


async def test_knowledge_that_changed_is_the_text_of_its_file(take: Taker, hive: Path) -> None:
    await take(hive)
    workspace_id = await take.db.value("SELECT workspace_id FROM workspaces")
    slug = "essential-workflow-knowledge"
    told = {"slug": slug, "content": "# New", "workspace_id": workspace_id, "agent": "me"}
    await take.ask("memory_context", {"action": "knowledge_store", **told, "title": "What everybody knows"})
    assert (await written(take))[".claude/memory/ESSENTIAL_WORKFLOW_KNOWLEDGE.md"] == b"# New"


async def test_what_is_given_back_comes_in_again_the_same(take: Taker, hive: Path, tmp_path: Path) -> None:
    await take(hive)
    await update(take, "Webhook System", status="done")
    for path, content in (await written(take)).items():
        (tmp_path / "back" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "back" / path).write_bytes(content)
    report = await take(tmp_path / "back")

    assert report.differences == []
    rows = await take.db.all("SELECT task, status, priority FROM steps ORDER BY task, status")
    assert [tuple(row) for row in rows[::2]] == [tuple(row) for row in rows[1::2]]


async def test_the_files_of_one_plan_are_those_that_it_came_from(take: Taker, hive: Path) -> None:
    await take(hive)
    plan_id = await take.db.value("SELECT plan_id FROM plans WHERE external_id = 'BACKLOG.md'")
    assert [file.path async for file in agent_hive.one_plan(take.db, plan_id)] == ["BACKLOG.md"]
