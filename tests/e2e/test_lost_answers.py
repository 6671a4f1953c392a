"""Answers that never arrive: kill -9 between COMMIT and the answer; one request that several servers get at once."""

import asyncio
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from server.settings import DATABASE_NAME
from tests.e2e.commands import script
from tests.e2e.processes import Died, ServerProcess
from tests.populated_store import PopulatedStore

WORKER = str(Path(__file__).with_name("dying_server.py"))
SERVERS = 4
# What is called, and the table in which it leaves a row.
CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("plans", "memory_plan", "create", {"title": "Once", "plan_id": None}),
    ("plan_notes", "memory_plan", "add_note", {"note": "once"}),
    ("steps", "memory_steps", "add", {"steps": [{"task": "once"}]}),
    ("step_file_edits", "memory_steps", "record_edit", {"file_path": "a.py", "change_type": "edit"}),
    ("research_documents", "memory_context", "append_research", {"filename": "once.md", "content": "## Once"}),
    ("context_items", "memory_context", "store", {"type": "once", "data": {"a": ["b"]}, "mode": "append"}),
    ("checkpoints", "memory_session", "checkpoint", {"name": "once", "data": {"a": 1}}),
    ("sessions", "memory_agent", "init", {}),
]
names = pytest.mark.parametrize(("table", "tool", "action", "given"), CALLS, ids=[call[2] for call in CALLS])


def calling(world: PopulatedStore, given: dict[str, Any]) -> dict[str, Any]:
    known = {name: world.arguments[name] for name in ("workspace_id", "plan_id", "agent")}
    return {**known, "request_id": "0b7e9c1e-6f5f-4b4e-9d0c-1f6a6f0f9f11", **given}


def count(data_root: Path, table: str) -> int:
    with sqlite3.connect(data_root / DATABASE_NAME) as db:
        [(found,)] = db.execute(f"SELECT count(*) FROM {table}")
    db.close()
    return found


def stored_answer(data_root: Path) -> dict[str, Any]:
    with sqlite3.connect(data_root / DATABASE_NAME) as db:
        [(text,)] = db.execute("SELECT answer FROM requests")
    db.close()
    return json.loads(text)


async def killed(data_root: Path, moment: str, tool: str, action: str, arguments: dict[str, Any]) -> None:
    """Send a call to a server that dies just before or just after the COMMIT of it."""
    server = await ServerProcess.start(data_root, command=(*script(WORKER), "1", moment))
    with pytest.raises(Died):
        await server(tool, action, **arguments)
    assert await server.process.wait() == -signal.SIGKILL


@names
async def test_a_server_that_dies_before_it_answers_has_done_it_once(
    table: str, tool: str, action: str, given: dict[str, Any], copy: PopulatedStore
) -> None:
    call, before = calling(copy, given), count(copy.data_root, table)
    await killed(copy.data_root, "after", tool, action, call)
    assert count(copy.data_root, table) == before + 1
    first = stored_answer(copy.data_root)
    server = await ServerProcess.start(copy.data_root)
    answer = await server(tool, action, **call)
    assert await server.close() == 0

    assert count(copy.data_root, table) == before + 1
    told = first.keys() & answer.keys()  # init keeps only what its briefing is made of
    assert len(told) > 1
    assert {name: answer[name] for name in told} == {name: first[name] for name in told}


async def test_a_server_that_dies_before_it_commits_has_done_nothing(copy: PopulatedStore) -> None:
    call, before = calling(copy, {"note": "once"}), count(copy.data_root, "plan_notes")
    await killed(copy.data_root, "before", "memory_plan", "add_note", call)
    assert (count(copy.data_root, "plan_notes"), count(copy.data_root, "requests")) == (before, 0)
    server = await ServerProcess.start(copy.data_root)
    await server("memory_plan", "add_note", **call)
    assert await server.close() == 0

    assert (count(copy.data_root, "plan_notes"), count(copy.data_root, "requests")) == (before + 1, 1)


async def test_several_servers_that_get_one_request_at_once_do_it_once(copy: PopulatedStore) -> None:
    before = count(copy.data_root, "plan_notes")
    servers = await asyncio.gather(*(ServerProcess.start(copy.data_root) for _ in range(SERVERS)))
    for number in range(5):
        call = {**calling(copy, {"note": f"note {number}"}), "request_id": f"request {number}"}
        answers = await asyncio.gather(*(server("memory_plan", "add_note", **call) for server in servers))
        assert all(answer == answers[0] for answer in answers)
    await asyncio.gather(*(server.close() for server in servers))

    assert count(copy.data_root, "plan_notes") == before + 5
