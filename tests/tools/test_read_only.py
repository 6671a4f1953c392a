"""An action that counts as reading changes nothing: no row, no file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from server.db.storage.connection import Database
from server.protocol.app import build
from server.registry import Action
from server.settings import Settings
from server.tools import TOOLS
from tests.conftest import Agent, ToolError
from tests.db.plans.test_plan_archive import NOW, TIMES, Store, insert, store
from tests.exporters.test_documents import fill_the_rest
from tests.importers.conftest import everything

__all__ = ["store"]

READING = [a for tool in TOOLS.values() for a in tool.actions.values() if not a.writes({})]
WRITING = [a for tool in TOOLS.values() for a in tool.actions.values() if a.writes_with]
# What it needs with the values given.
MORE = {"memory_context get_research": ("plan_id",), "memory_filesystem search": ("query",)}


def name_of(action: Action) -> str:
    return f"{action.tool} {action.name}"


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[Agent]:
    async with Client(build(settings), raise_exceptions=True) as client:
        yield Agent(client)


def values(made: Store) -> dict[str, Any]:
    """A value for every parameter that a reading action may need."""
    return {
        "plan_id": made.plan_id,
        "step_id": made.steps[0],
        "session_id": "sess_done",
        "agent": "A",
        "agent_type": "A",
        "agent_name": "Executor",
        "document_id": "doc_0",
        "item_id": "item_0",
        "type": "finding",
        "parent_type": "plan",
        "parent_id": made.plan_id,
        "filename": "a.md",
        "slug": "s",
        "key": "k",
        "scope": "plan",
        "scope_id": made.plan_id,
        "query": "mind",
        "script_name": "script_1",
        "target_agent": "B",
        "mission": "Build it",
        "prompt_title": "A",
        "prompt_agent": "B",
        "prompt_description": "C",
        "prompt": "Build it",
        "to_agent": "B",
        "file_path": "a.py",
        "paths": ["a.py"],
        "plan_ids": [made.plan_id],
        "template": "feature",
        "program_id": "prog_1",
        "thread_id": "t",
        "name": "before",
        "kind": "skill",
        "checkpoint_id": "check_1",
        "workspace_path": "/srv/project",
        "prompt_text": "mind",
        "path": "README.md",
        "run_id": "run_t",
        "term": "storage",
    }


def arguments(action: Action, made: Store) -> dict[str, Any]:
    """The arguments of a call: what it requires, by name, and the first of its alternatives."""
    known = values(made)
    needed = [name for name, param in action.params.items() if param.required]
    needed += action.one_of[0] if action.one_of else []
    needed += MORE.get(name_of(action), ())
    home = {"workspace_id": made.workspace_id} if "workspace_id" in action.params else {}
    unknown = [name for name in needed if name not in known]
    assert unknown == [], f"{name_of(action)} needs a value for {unknown}"
    return home | {name: known[name] for name in needed if name not in home}


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and its time; what SQLite and locks move by being opened is left out."""
    found = (path for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm", ".db", "lock", ".line")))
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in found if path.is_file()}


@pytest.fixture
async def filled(db: Database, store: Store, project: Path) -> Store:
    """A database with a row in every table, whose workspace has a folder."""
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
        (project / "README.md").touch()
        await tx.run("UPDATE workspaces SET path = :path", {"path": str(project)})
        about = {"workspace_id": store.workspace_id, "parent_type": "workspace", "parent_id": store.workspace_id}
        ran = {"kind": "terminal", "name": "make", "started_at": NOW, "arguments": '{"b":[1.0,1]}'}
        await insert(tx, "runs", run_id="run_t", workspace_id=store.workspace_id, **ran, **TIMES)
        data = {"type": "workspace_context", "data": '{"sections":{}}'}
        await insert(tx, "context_items", item_id="item_sections", **about, **data, **TIMES)
    return store


@pytest.mark.parametrize("read_only", [False, True])
async def test_what_counts_as_reading_changes_nothing(
    settings: Settings, db: Database, filled: Store, tmp_path: Path, read_only: bool
) -> None:
    refused: dict[str, str] = {}
    async with connected(replace(settings, read_only=read_only)) as agent:
        await agent("memory_workspace", "list")
        before, files = everything(db.path), tree(tmp_path)
        for action in READING:
            try:
                await agent(action.tool, action.name, **arguments(action, filled))
            except ToolError as error:
                refused[name_of(action)] = str(error)
            assert (name_of(action), everything(db.path)) == (name_of(action), before)
            assert (name_of(action), tree(tmp_path)) == (name_of(action), files)

    assert refused == {}


@pytest.mark.parametrize("action", WRITING, ids=name_of)
async def test_what_writes_with_one_argument_is_refused_only_with_it(
    settings: Settings, db: Database, filled: Store, project: Path, action: Action
) -> None:
    known = arguments(action, filled)
    async with connected(replace(settings, read_only=True)) as agent:
        await agent(action.tool, action.name, **known)
        before = everything(db.path)
        param = action.params[str(action.writes_with)]
        value = True if param.schema["type"] == "boolean" else "out.json"
        refused = await agent.fails(action.tool, action.name, **known, **{param.name: value})

    assert refused["code"] == "not_allowed"
    assert str(action.writes_with) in refused["message"]
    assert everything(db.path) == before
    assert [path.name for path in project.iterdir()] == ["README.md"]


@pytest.mark.parametrize("action", [a for a in READING if not a.read_only], ids=name_of)
def test_what_writes_with_an_argument_does_not_count_as_reading(action: Action) -> None:
    assert action.writes({str(action.writes_with): "x"})
    assert "agent" in action.params  # it says who wrote
