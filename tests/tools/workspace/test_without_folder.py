"""Workspaces without a folder: what other programs kept for no project. Their texts are like any other's."""

from pathlib import Path

import pytest

from server.db.storage.connection import Database
from server.settings import Settings
from server.store import open_store
from tests.conftest import Agent

HOME = "ws_0000000000aa"
FILES = [
    ("memory_filesystem", "read", {"path": "a.txt"}),
    ("memory_filesystem", "write", {"path": "a.txt", "content": "x"}),
    ("memory_filesystem", "tree", {}),
    ("memory_terminal", "run", {"command": "ls"}),
    ("memory_workspace", "reindex", {}),
    ("memory_plan", "import", {"plan_file_path": "docs/plan.md"}),
]


@pytest.fixture
async def agent(agent: Agent, settings: Settings) -> Agent:
    db: Database = await open_store(settings)
    async with db.transaction() as tx:
        await tx.run(
            """
            INSERT INTO workspaces (workspace_id, path, name, source_system, created_at, updated_at)
            VALUES (:home, NULL, 'Memories', 'elsewhere', :now, :now)
            """,
            {"home": HOME, "now": tx.now()},
        )
    await db.close()
    return agent


async def test_an_error_names_it_by_what_it_is_called(agent: Agent) -> None:
    error = await agent.fails("memory_ledger", "list_metrics")
    assert error["workspaces"] == [{"workspace_id": HOME, "name": "Memories"}]


async def test_plans_live_in_it_as_in_any_other(agent: Agent) -> None:
    made = await agent("memory_plan", "create", workspace_id=HOME, title="A plan", category="quick_task")
    await agent("memory_steps", "add", plan_id=made["plan_id"], steps=[{"task": "Do it"}])
    told = await agent("memory_workspace", "info", workspace_id=HOME)
    listed = await agent("memory_workspace", "list")
    found = await agent("memory_plan", "get", plan_id=made["plan_id"])
    held = await agent("memory_steps", "next", plan_id=made["plan_id"], agent="Executor")

    assert "path" not in told
    assert told["name"] == "Memories"
    assert HOME in [one["workspace_id"] for one in listed["workspaces"]]
    assert found["title"] == "A plan"
    assert held["next"]["task"] == "Do it"


@pytest.mark.parametrize(("tool", "action", "given"), FILES, ids=[f"{tool} {action}" for tool, action, _ in FILES])
async def test_nothing_reads_or_writes_files_for_it(
    agent: Agent, tool: str, action: str, given: dict[str, str]
) -> None:
    error = await agent.fails(tool, action, workspace_id=HOME, **given)

    assert error["code"] == "not_allowed"
    assert "no folder" in error["message"]


async def test_the_scan_for_ghosts_passes_it_by(agent: Agent) -> None:
    assert (await agent("memory_workspace", "scan_ghosts"))["ghosts"] == []


async def test_what_it_holds_can_go_to_a_workspace_that_has_a_folder(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    home = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "project")))["workspace_id"]
    made = await agent("memory_plan", "create", workspace_id=HOME, title="A plan", category="quick_task")
    ends = {"source_workspace_id": HOME, "target_workspace_id": home}
    await agent("memory_workspace", "merge", **ends, dry_run=False)
    listed = await agent("memory_plan", "list", workspace_id=home)

    assert [plan["plan_id"] for plan in listed["plans"]] == [made["plan_id"]]
    assert (await agent("memory_workspace", "info", workspace_id=HOME))["workspace_id"] == home
