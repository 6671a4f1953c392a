"""A lost answer costs nothing: every write can be sent twice, by its nature or with a `request_id`."""

import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from server.registry import Action
from server.tools import TOOLS
from tests.populated_store import VERSION, PopulatedStore, answer, connected

WRITES = [action for tool in TOOLS.values() for action in tool.actions.values() if not action.read_only]
MARKED = [action for action in WRITES if "request_id" in action.params]
UNMARKED = [action for action in WRITES if "request_id" not in action.params]
LOGS = ("event_log", "update_log", "file_changes", "server_runs")
# What tells when, or how often, something was said: not what it says.
OF_TIME = (
    *("created_at", "updated_at", "last_seen_at", "lease_expires_at", "completed_at", "archived_at", "expires_at"),
    "last_activity_at",
    *("version", "claim_token", "dependency_id"),
)
# Arguments by which a call does something in the world of these tests; its example would not. None leaves one out.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "memory_plan.archive": {"force": True},
    "memory_plan.confirm": {"confirm_phase": "Two", "step_id": None},
    "memory_plan.delete": {"force": True},
    "memory_plan.delete_phase": {"phase": "Two", "move_steps_to": None},
    "memory_plan.export_plan": {"force": True},
    "memory_context.generate_instructions": {"force": True},
    "memory_context.write_prompt": {"force": True},
    "memory_context.dump_context": {"force": True},
    "memory_plan.import": {"plan_file_path": None, "content": "# A\n- [ ] b"},
    "memory_plan.run_build_script": {"execute": True, "script_name": "version"},
    "memory_plan.reorder_phases": {"phase_order": ["Two", "One"]},
    "memory_plan.update_phase": {"phase": "Two", "name": None},
    "memory_steps.claim": {"session_id": None},
    "memory_workspace.export_pending": {"force": True},
    "memory_steps.delete": {"step_id": None, "step_index": 2},
    "memory_steps.move": {"step_id": None, "from_index": 2, "to_index": 0},
    "memory_steps.next": {"session_id": None},
    "memory_steps.reorder": {"step_id": None, "step_index": 2},
    "memory_steps.set_dependencies": {"step_id": None, "step_index": 2, "depends_on": [1]},
    "memory_steps.sort": {"phase_order": ["Two", "One"]},
    "memory_filesystem.move": {"source": "docs/a.md", "destination": "docs/b.md", "overwrite": True},
    "memory_filesystem.copy": {"source": "docs/a.md", "destination": "docs/b.md", "overwrite": True},
    "memory_terminal.run": {"command": VERSION[0], "args": list(VERSION[1:])},
    "memory_terminal.update_allowlist": {"operation": "remove"},
    "memory_context.delete": {"type": None, "plan_id": None},
    "memory_context.forget": {"key": "key 0"},
    "memory_context.knowledge_delete": {"slug": "slug-0"},
    "memory_library.delete": {"name": "way-0"},
    "memory_library.deploy": {"dry_run": False},
    "memory_library.import": {"path": None},
    "memory_ledger.spend": {"unit": "USD"},
}
# Where the workspace is another than that of all the rest.
ELSEWHERE = {
    "memory_program.link_workspace": "strange_workspace_id",
    "memory_program.unlink_workspace": "child_workspace_id",
}
# Other calls of the same actions that have to leave the same behind.
MORE: dict[str, list[dict[str, Any]]] = {
    "memory_steps.next": [
        {"session_id": None, "step_index": 0},
        {"session_id": None, "step_index": 0, "status": "failed", "notes": "the disk is full"},
        {"session_id": None, "step_index": 0, "status": "pending", "notes": "not now", "step_id": None},
    ],
    "memory_steps.claim": [{"force": True}],
    "memory_workspace.merge": [{"dry_run": False}],
    "memory_steps.release": [
        {"status": "failed", "reason": "no"},
        {"status": "blocked", "reason": "no", "force": True},
    ],
    "memory_agent.complete": [{"force": True}],
    "memory_plan.update": [{"status": "archived", "force": True}, {"status": "completed", "force": True}],
    "memory_plan.delete_phase": [{"phase": "Two", "move_steps_to": "One"}],
    "memory_plan.update_phase": [{"phase": "Two", "name": "Second"}],
    "memory_context.knowledge_store": [{"slug": "newer", "supersedes": "slug-0"}],
    "memory_context.remember": [{"ttl_seconds": 60}],
    "memory_program.add_plan": [{"force": True}],
    "memory_program.set_dependency": [{"dependency_type": "informs"}],
    "memory_program.update_risk": [{"status": "resolved"}],
    "memory_session.reserve_files": [{"exclusive": False, "partial": True}],
}
# What is told again of an answer that goes on after its transaction: how it stands now, with another server.
OF_A_RUN = ("workspace_id", "run_id", "command", "cwd", "running", "exit_code")
TOLD_AGAIN = {"memory_terminal.run": OF_A_RUN, "memory_plan.run_build_script": OF_A_RUN}
# What has to be done before there is something to do.
BEFORE: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    **{
        f"memory_filesystem.{action}": [("memory_filesystem", "write", {"path": path, "content": "x"})]
        for action, path in {
            "append": "docs/notes.md",
            "delete": "docs/old.md",
            "move": "docs/a.md",
            "copy": "docs/a.md",
        }.items()
    },
    "memory_plan.resume_plan": [("memory_plan", "pause_plan", {"pause_reason": "deferred"})],
    "memory_library.reset": [("memory_library", "update", {})],
    "memory_plan.unarchive": [("memory_plan", "archive", {"force": True})],
    "memory_program.unarchive": [("memory_program", "archive", {})],
}


def label(action: Action) -> str:
    return f"{action.tool}.{action.name}"


def arguments(world: PopulatedStore, action: Action, more: dict[str, Any]) -> dict[str, Any]:
    """A call that does something in this world."""
    sure = {"confirm": True} if "confirm" in action.params else {}
    known = {name: world.arguments[name] for group in action.one_of for name in group if name in world.arguments}
    other = {"workspace_id": world.arguments[ELSEWHERE[label(action)]]} if label(action) in ELSEWHERE else {}
    return {**known, **world.plausible(action), **sure, **other, **ARGUMENTS.get(label(action), {}), **more}


def content(data_root: Path, *, but: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table but the logs and what is derived from the others, without the columns of `but`."""
    with sqlite3.connect(data_root / "project-memory.db") as db:
        db.row_factory = sqlite3.Row
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        tables = [name for name in names if name not in LOGS and not name.startswith(("search_", "sqlite_"))]
        found = {table: [dict(row) for row in db.execute(f"SELECT * FROM {table}")] for table in tables}
    db.close()
    return {
        table: [{name: value for name, value in row.items() if name not in but} for row in rows]
        for table, rows in found.items()
    }


async def prepare(client: Client, world: PopulatedStore, action: Action) -> None:
    for tool, name, needed in BEFORE.get(label(action), []):
        failed, told, _ = await answer(client, tool, {**world.plausible(TOOLS[tool].actions[name]), **needed})
        assert not failed, told


@pytest.mark.parametrize("action", MARKED, ids=label)
async def test_a_write_sent_again_with_its_request_id_is_answered_and_not_repeated(
    action: Action, copy: PopulatedStore
) -> None:
    call = {**arguments(copy, action, {}), "request_id": str(uuid.uuid4())}
    async with connected(copy.data_root) as client:
        await prepare(client, copy, action)
        before = content(copy.data_root)
        failed, first, _ = await answer(client, action.tool, call)
    assert not failed, first
    after = content(copy.data_root)
    async with connected(copy.data_root) as client:
        _, again, _ = await answer(client, action.tool, call)

    told = TOLD_AGAIN.get(label(action), first)
    assert {name: again.get(name) for name in told} == {name: first[name] for name in told}
    assert content(copy.data_root) == after != before


CASES = [(action, more) for action in UNMARKED for more in [{}, *MORE.get(label(action), [])]]


@pytest.mark.parametrize(("action", "more"), CASES, ids=[f"{label(action)}-{more}" for action, more in CASES])
async def test_a_write_without_a_request_id_leaves_the_same_when_it_is_sent_twice(
    action: Action, more: dict[str, Any], copy: PopulatedStore
) -> None:
    call = arguments(copy, action, more)
    async with connected(copy.data_root) as client:
        await prepare(client, copy, action)
        failed, told, _ = await answer(client, action.tool, call)
        assert not failed, told
        after = content(copy.data_root, but=OF_TIME)
        await answer(client, action.tool, call)

    assert content(copy.data_root, but=OF_TIME) == after
