"""memory_workspace events: waiting for what other processes write."""

import json
from typing import Any

import anyio
import pytest

from server.db.storage.connection import Database
from server.models.events import ENTITIES, TYPES, Event
from server.tools.render import MAX_BYTES
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport


async def latest_id(agent: Agent, workspace_id: str) -> int:
    return (await agent("memory_workspace", "events", workspace_id=workspace_id, limit=1))["latest_id"]


async def test_a_waiting_caller_hears_of_another_process_at_once(agent: Agent, workspace_id: str, db: Database) -> None:
    since_id = await latest_id(agent, workspace_id)
    heard: list[dict[str, object]] = []

    async def wait() -> None:
        answer = await agent(
            "memory_workspace",
            "events",
            workspace_id=workspace_id,
            since_id=since_id,
            types=["message_sent"],
            wait_seconds=25,
        )
        heard.extend(answer["events"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for kind in ("note_added", "message_sent"):
                async with db.transaction() as tx:
                    await tx.run(
                        """
                        INSERT INTO event_log (timestamp, workspace_id, type, entity_type, entity_id)
                        VALUES (:now, :workspace_id, :kind, 'test', 'x')
                        """,
                        {"now": tx.now(), "workspace_id": workspace_id, "kind": kind},
                    )
    assert [event["type"] for event in heard] == ["message_sent"]


async def test_waiting_ends_with_nothing_when_nothing_happens(agent: Agent, workspace_id: str) -> None:
    since_id = await latest_id(agent, workspace_id)
    with anyio.fail_after(20):
        answer = await agent(
            "memory_workspace", "events", workspace_id=workspace_id, since_id=since_id, wait_seconds=0.3
        )
    assert answer["events"] == []


async def test_what_is_there_already_is_not_waited_for(agent: Agent, workspace_id: str) -> None:
    with anyio.fail_after(20):
        answer = await agent("memory_workspace", "events", workspace_id=workspace_id, since_id=0, wait_seconds=25)
    assert answer["events"]


async def test_more_than_25_seconds_are_refused(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails("memory_workspace", "events", workspace_id=workspace_id, wait_seconds=26)
    assert error["code"] == "invalid_arguments"


async def test_help_lists_every_type_with_its_meaning(agent: Agent) -> None:
    told = await agent("memory_workspace", "help", topic="events")
    assert {row["type"]: row["means"] for row in told["event_types"]} == {t: means for t, (_, means) in TYPES.items()}
    assert "truncated" not in told
    assert len(json.dumps(told)) < MAX_BYTES


def test_an_event_of_no_declared_type_cannot_be_recorded() -> None:
    with pytest.raises(ValueError, match="TYPES declares no event 'step_danced'"):
        Event("step_danced", "step", "step_1")
    with pytest.raises(ValueError, match="about a 'plan'"):
        Event("step_claimed", "plan", "plan_1")


def test_no_entity_is_called_like_a_type() -> None:
    assert not ENTITIES & TYPES.keys()


async def test_an_unknown_type_is_refused_with_the_nearest(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(
        "memory_workspace", "events", workspace_id=workspace_id, types=["step_updatd", "steps"], wait_seconds=25
    )
    assert error["code"] == "invalid_arguments"
    assert "'step_updatd' (did you mean 'step_updated'?)" in error["message"]
    assert "'steps' (did you mean 'step'?)" in error["message"]
    assert "help" in error["message"]


async def test_a_type_that_only_the_log_knows_can_be_asked_for(agent: Agent, workspace_id: str, db: Database) -> None:
    async with db.transaction() as tx:
        await tx.run(
            """
            INSERT INTO event_log (timestamp, workspace_id, type, entity_type, entity_id)
            VALUES (:now, :workspace_id, 'prompt_analyzed', 'prompt', 'x')
            """,
            {"now": tx.now(), "workspace_id": workspace_id},
        )
    found = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["prompt_analyzed"])
    assert [event["type"] for event in found["events"]] == ["prompt_analyzed"]


Call = tuple[str, dict[str, Any]]
STEP_WRITES: dict[str, Call] = {
    "notes": ("update", {"step_index": 0, "append_notes": "seen"}),
    "assignee": ("update", {"step_index": 0, "assignee": "Executor"}),
    "text": ("update", {"step_index": 0, "task": "another"}),
    "type": ("update", {"step_index": 0, "type": "test"}),
    "phase": ("update", {"step_index": 0, "phase": "Other"}),
    "status": ("update", {"step_index": 0, "status": "blocked"}),
    "several": ("batch_update", {"updates": [{"step_index": 0, "notes": "n"}]}),
    "claim": ("claim", {"step_index": 0}),
    "next": ("next", {}),
    "dependencies": ("set_dependencies", {"step_index": 1, "depends_on": ["0"]}),
    "add": ("add", {"steps": [{"task": "c"}]}),
    "insert": ("insert", {"at_index": 0, "step": {"task": "c"}}),
    "replace": ("replace", {"replacement_steps": [{"task": "a"}, {"task": "b"}, {"task": "c"}]}),
    "delete": ("delete", {"step_index": 0, "confirm": True}),
    "move": ("move", {"from_index": 0, "to_index": 1}),
    "edit of a file": ("record_edit", {"step_index": 0, "file_path": "a.py", "change_type": "edit"}),
}


@pytest.mark.parametrize("write", STEP_WRITES)
async def test_every_write_to_a_step_is_an_event_about_steps(agent: Agent, workspace_id: str, write: str) -> None:
    plan = await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="P", steps=[{"task": "a"}, {"task": "b"}]
    )
    since_id = await latest_id(agent, workspace_id)
    action, arguments = STEP_WRITES[write]
    await agent("memory_steps", action, plan_id=plan["plan_id"], agent="Executor", **arguments)
    found = await agent("memory_workspace", "events", workspace_id=workspace_id, since_id=since_id, types=["step"])
    assert found["events"]


async def test_an_edit_of_a_step_says_what_changed(agent: Agent, workspace_id: str) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P", steps=[{"task": "a"}])
    edit = {"assignee": "Executor", "notes": "n", "task": "a"}
    await agent("memory_steps", "update", plan_id=plan["plan_id"], step_index=0, **edit)
    await agent("memory_steps", "update", plan_id=plan["plan_id"], step_index=0, status="done", notes="m")
    found = await agent("memory_workspace", "events", plan_id=plan["plan_id"], types=["step_updated"])
    assert [event["data"]["changed"] for event in found["events"]] == [["assignee", "notes"], ["notes", "status"]]


async def test_who_looks_back_begins_with_the_newest_and_goes_on_page_by_page(agent: Agent, workspace_id: str) -> None:
    for n in range(5):
        await agent("memory_plan", "create", workspace_id=workspace_id, title=f"Plan {n}", steps=[{"task": "a"}])
    oldest = await agent("memory_workspace", "events", workspace_id=workspace_id, limit=100)
    wanted = [event["event_id"] for event in oldest["events"]]
    asked: dict[str, Any] = {"workspace_id": workspace_id, "newest": True, "limit": 2}
    found: list[int] = []
    page = await agent("memory_workspace", "events", **asked)
    cursor = page["next_cursor"]
    while True:
        found += [event["event_id"] for event in page["events"]]
        if "next_cursor" not in page:
            break
        page = await agent("memory_workspace", "events", **asked, cursor=page["next_cursor"])
    some = await agent("memory_workspace", "events", **{**asked, "limit": 100}, since_id=wanted[2])
    refused = await agent.fails("memory_workspace", "events", workspace_id=workspace_id, cursor=cursor)

    assert len(wanted) >= 6
    assert found == wanted[::-1]
    assert page["total"] == len(wanted)
    assert [event["event_id"] for event in some["events"]] == wanted[:2:-1]
    assert refused["code"] == "invalid_arguments"


async def test_an_empty_log_has_no_newest_event(agent: Agent, workspace_id: str) -> None:
    latest = await latest_id(agent, workspace_id)

    found = await agent("memory_workspace", "events", workspace_id=workspace_id, newest=True, since_id=latest)

    assert (found["events"], found["latest_id"]) == ([], latest)
