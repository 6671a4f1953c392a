"""An edit that changes nothing succeeds, keeps the version and the time, and is no event."""

from collections.abc import Callable
from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import make

Calls = Callable[[str, str], list[tuple[str, str, dict[str, Any]]]]
PLAN = "memory_plan"
FACTS: dict[str, Any] = {
    "title": "Life",
    "description": "what it is",
    "category": "quick_task",
    "priority": "high",
    "goals": ["g"],
    "success_criteria": ["s"],
    "workflow_mode": "tdd",
    "owner": "ada",
    "recommended_next_agent": "Coder",
    "phase_gates": True,
}

# What brings a plan (or its workspace) to a state, of which the last call is sent again.
EDITS: dict[str, Calls] = {
    "every fact": lambda plan_id, _: [(PLAN, "update", {"plan_id": plan_id, **FACTS})],
    **{
        name: lambda plan_id, _, name=name, value=value: [(PLAN, "update", {"plan_id": plan_id, name: value})]
        for name, value in [*FACTS.items(), ("owner", ""), ("goals", [])]
    },
    "status": lambda plan_id, _: [(PLAN, "update", {"plan_id": plan_id, "status": "blocked"})],
    "pause": lambda plan_id, _: [
        (PLAN, "pause_plan", {"plan_id": plan_id, "pause_reason": "deferred", "pause_user_notes": "later"})
    ],
    "resume": lambda plan_id, _: [
        (PLAN, "pause_plan", {"plan_id": plan_id, "pause_reason": "deferred"}),
        (PLAN, "resume_plan", {"plan_id": plan_id}),
    ],
    "archive": lambda plan_id, _: [(PLAN, "archive", {"plan_id": plan_id})],
    "unarchive": lambda plan_id, _: [
        (PLAN, "archive", {"plan_id": plan_id}),
        (PLAN, "unarchive", {"plan_id": plan_id}),
    ],
    "no plans to wait for": lambda plan_id, _: [
        (PLAN, "set_plan_dependencies", {"plan_id": plan_id, "depends_on_plans": []})
    ],
    **{
        f"context item, {mode}": lambda plan_id, _, mode=mode, data=data: [
            (
                "memory_context",
                "store",
                {"plan_id": plan_id, "type": "notes", "data": {"b": [1], "a": 1.0}, "tags": ["t"]},
            ),
            ("memory_context", "store", {"plan_id": plan_id, "type": "notes", "data": data, "mode": mode}),
        ]
        for mode, data in (("replace", {"b": [1], "a": 1.0}), ("merge", {"a": 1.0}), ("append", {}))
    },
    "display name": lambda _, workspace_id: [
        ("memory_workspace", "set_display_name", {"workspace_id": workspace_id, "display_name": "Shop"})
    ],
}


async def everything(db: Database) -> list[list[tuple[Any, ...]]]:
    tables = ("context_items", "workspaces", "plans", "plans_archive", "dependencies", "event_log", "update_log")
    return [[tuple(row) for row in await db.all(f"SELECT * FROM {table}")] for table in tables]


@pytest.mark.parametrize("name", EDITS)
async def test_an_edit_that_is_sent_again_changes_nothing(
    agent: Agent, workspace_id: str, db: Database, name: str
) -> None:
    plan_id = (await make(agent, workspace_id, "Before", steps=[{"task": "a"}]))["plan_id"]
    calls = EDITS[name](plan_id, workspace_id)
    for tool, action, arguments in calls:
        await agent(tool, action, **arguments)
    before = await everything(db)

    tool, action, arguments = calls[-1]
    again = await agent(tool, action, **arguments)

    assert await everything(db) == before
    assert not again.get("changed")


async def test_the_same_plans_to_wait_for_are_no_change(agent: Agent, workspace_id: str, db: Database) -> None:
    others = [(await make(agent, workspace_id, title))["plan_id"] for title in "ab"]
    plan_id = (await make(agent, workspace_id, "Waiter", depends_on_plans=others))["plan_id"]
    before = await everything(db)
    named = {"plan_id": plan_id, "depends_on_plans": others[::-1]}
    answer = await agent(PLAN, "set_plan_dependencies", expected_version=1, **named)
    assert (answer["version"], answer["waiting_for"]) == (1, others)
    assert await everything(db) == before


async def test_an_item_that_is_written_otherwise_is_another_version(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id, "parent_type": "workspace", "type": "notes"}
    for version, data in enumerate(({"a": 1}, {"a": 1.0}, {"a": True}), start=1):
        for _ in range(2):
            assert (await agent("memory_context", "store", data=data, **here))["version"] == version
    stored = await agent("memory_context", "store", data={"a": True}, expires_in=60, **here)
    assert stored["version"] == 4


async def test_a_pause_for_another_reason_is_a_conflict(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, "Before", steps=[{"task": "a"}]))["plan_id"]
    await agent(PLAN, "pause_plan", plan_id=plan_id, pause_reason="deferred")
    for arguments in ({"pause_reason": "rejected"}, {"pause_reason": "deferred", "pause_user_notes": "else"}):
        error = await agent.fails(PLAN, "pause_plan", plan_id=plan_id, **arguments)
        assert (error["code"], error["paused_at_snapshot"]["reason"]) == ("conflict", "deferred")
