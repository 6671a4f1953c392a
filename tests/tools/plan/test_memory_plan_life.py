"""memory_plan: the status of a plan, its pauses, its copies, the archive and the trash."""

from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, full, make

pytestmark = pytest.mark.any_transport

PHASES = [
    {"name": "One", "steps": [{"task": "a", "notes": "about a"}, {"task": "b", "depends_on": [0]}]},
    {"name": "Two", "approval_required": True, "steps": [{"task": "c", "depends_on": [1]}]},
]


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    """A plan of three steps, each waiting for the one before it."""
    return (await make(agent, workspace_id, "Life", category="quick_task", goals=["g"], phases=PHASES))["plan_id"]


async def set_status(agent: Agent, plan_id: str, status: str, **more: Any) -> dict[str, Any]:
    return await agent("memory_plan", "update", plan_id=plan_id, status=status, **more)


async def finish(agent: Agent, plan_id: str, *indices: int) -> None:
    updates = [{"step_index": index, "status": "done"} for index in indices]
    await agent("memory_steps", "batch_update", plan_id=plan_id, updates=updates)


async def test_a_plan_with_open_steps_is_completed_by_force_alone(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_plan", "update", plan_id=plan_id, status="completed")
    assert (error["code"], error["open_steps"]) == ("conflict", 3)
    told = await set_status(agent, plan_id, "completed", force=True)
    assert told["status"] == "completed"
    assert (await full(agent, plan_id))["completed_at"] == told["completed_at"]


async def test_completing_frees_what_waits_and_re_opening_holds_it_again(
    agent: Agent, workspace_id: str, plan_id: str
) -> None:
    waiter = await make(agent, workspace_id, "Waiter", steps=[{"task": "w"}], depends_on_plans=[plan_id])
    await finish(agent, plan_id, 0, 1, 2)
    told = await set_status(agent, plan_id, "completed")
    assert told["unblocked"] == [{"plan_id": waiter["plan_id"]}]
    ready = await agent("memory_steps", "ready", plan_id=waiter["plan_id"])
    assert ready["total"] == 1

    again = await set_status(agent, plan_id, "active")
    assert "unblocked" not in again
    assert "completed_at" not in await full(agent, plan_id)
    assert (await agent("memory_steps", "ready", plan_id=waiter["plan_id"]))["total"] == 0
    waits = await agent("memory_plan", "get_plan_dependencies", plan_id=waiter["plan_id"])
    assert waits["waiting_for"] == [plan_id]


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (["blocked", "paused", "active"], None),
        (["failed", "active", "completed", "active"], None),
        (["completed", "paused"], "paused"),
        (["failed", "completed"], "completed"),
        (["paused", "completed"], "completed"),
    ],
)
async def test_a_status_follows_the_rules(agent: Agent, plan_id: str, path: list[str], refused: str | None) -> None:
    for status in path[:-1] if refused else path:
        await set_status(agent, plan_id, status, force=True)
    if refused:
        error = await agent.fails("memory_plan", "update", plan_id=plan_id, status=refused, force=True)
        assert (error["code"], error["status"]) == ("conflict", path[-2])
        assert "active" in error["message"]
    assert (await full(agent, plan_id))["status"] == (path[-2] if refused else path[-1])


async def test_a_pause_keeps_where_the_plan_stood(agent: Agent, plan_id: str) -> None:
    await finish(agent, plan_id, 0)
    why = {"pause_reason": "rejected", "pause_user_notes": "not like this", "agent": "ada"}
    paused = await agent("memory_plan", "pause_plan", plan_id=plan_id, **why)
    snapshot = paused["paused_at_snapshot"]
    assert {key: value for key, value in snapshot.items() if key not in ("paused_at", "step_id")} == {
        "step_index": 1,
        "phase": "One",
        "step_task": "b",
        "reason": "rejected",
        "user_notes": "not like this",
        "paused_by": "ada",
    }
    got = await agent("memory_plan", "get", plan_id=plan_id)
    assert (got["status"], got["paused_at_snapshot"]) == ("paused", snapshot)
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 0
    error = await agent.fails("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="timeout")
    assert (error["code"], error["paused_at_snapshot"]) == ("conflict", snapshot)

    resumed = await agent("memory_plan", "resume_plan", plan_id=plan_id)
    assert (resumed["status"], resumed["resumed_from"]) == ("active", snapshot)
    assert "paused_at_snapshot" not in await full(agent, plan_id)
    await agent("memory_plan", "update", plan_id=plan_id, status="blocked")
    error = await agent.fails("memory_plan", "resume_plan", plan_id=plan_id)
    assert (error["code"], error["status"]) == ("conflict", "blocked")


async def test_a_pause_may_name_its_step(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="deferred", pause_step_index=9)
    assert error["code"] == "not_found"
    paused = await agent("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="deferred", pause_step_index=2)
    assert paused["paused_at_snapshot"]["step_task"] == "c"
    error = await agent.fails("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="because")
    assert "deferred" in error["message"]


async def test_an_archived_plan_can_be_read_but_not_changed(agent: Agent, workspace_id: str, plan_id: str) -> None:
    await agent("memory_plan", "add_note", plan_id=plan_id, note="remember")
    before = await full(agent, plan_id)
    told = await agent("memory_plan", "archive", plan_id=plan_id)
    assert (told["status"], told["last_status"]) == ("archived", "active")

    after = await full(agent, plan_id)
    assert (after["status"], after["last_status"]) == ("archived", "active")
    gone = {"status", "last_status", "archived_at"}
    assert {k: v for k, v in after.items() if k not in gone} == {k: v for k, v in before.items() if k not in gone}
    assert (await agent("memory_plan", "find", plan_id=plan_id))["status"] == "archived"
    assert (await agent("memory_plan", "list_notes", plan_id=plan_id))["total"] == 1
    brief = await agent("memory_plan", "get", plan_id=plan_id)
    assert [s["task"] for s in brief["current_steps"]] == ["a", "b", "c"]

    assert (await agent("memory_plan", "list", workspace_id=workspace_id))["total"] == 0
    listed = await agent("memory_plan", "list", workspace_id=workspace_id, include_archived=True)
    [row] = listed["plans"]
    assert (row["status"], row["last_status"], row["steps_total"], row["current_phase"]) == (
        "archived",
        "active",
        3,
        "One",
    )
    assert (await agent("memory_plan", "list", workspace_id=workspace_id, status="archived"))["plans"] == [row]

    for action, arguments in (
        ("update", {"title": "x"}),
        ("pause_plan", {"pause_reason": "deferred"}),
        ("add_note", {"note": "x"}),
        ("add_phase", {"name": "x"}),
        ("set_plan_dependencies", {"depends_on_plans": []}),
        ("confirm", {"confirmation_scope": "phase", "confirm_phase": "One"}),
    ):
        error = await agent.fails("memory_plan", action, plan_id=plan_id, **arguments)
        assert (action, error["code"]) == (action, "conflict")
        assert "unarchive" in error["message"]

    back = await agent("memory_plan", "unarchive", plan_id=plan_id)
    assert back["status"] == "active"
    assert await full(agent, plan_id) == before


async def test_the_status_archived_archives(agent: Agent, plan_id: str) -> None:
    told = await set_status(agent, plan_id, "archived", title="Last words")
    assert (told["status"], told["last_status"], told["title"]) == ("archived", "active", "Last words")
    assert (await full(agent, plan_id))["status"] == "archived"


async def test_steps_at_work_keep_a_plan_from_the_archive(agent: Agent, plan_id: str, db: Database) -> None:
    held = (await agent("memory_steps", "next", plan_id=plan_id, agent="ada"))["next"]
    before = await counts(db)
    for action, arguments in (("archive", {}), ("update", {"status": "archived"}), ("delete", {"confirm": True})):
        error = await agent.fails("memory_plan", action, plan_id=plan_id, **arguments)
        assert error["code"] == "conflict"
        assert "ada" in error["message"]
        assert error["claims"][0]["step_id"] == held["step_id"]
    assert await counts(db) == before
    told = await agent("memory_plan", "archive", plan_id=plan_id, force=True)
    assert told["released"] == [held["step_id"]]


async def test_delete_shows_what_would_go_and_changes_nothing(agent: Agent, plan_id: str, db: Database) -> None:
    await agent("memory_plan", "add_note", plan_id=plan_id, note="remember")
    before = await counts(db)
    preview = (await agent("memory_plan", "delete", plan_id=plan_id))["preview"]
    assert preview["would_delete"] == {"plan_id": plan_id, "title": "Life", "status": "active"}
    assert {key: preview["with_it"][key] for key in ("phases", "steps", "plan_notes", "dependencies")} == {
        "phases": 2,
        "steps": 3,
        "plan_notes": 1,
        "dependencies": 2,
    }
    assert await counts(db) == before
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert (await agent("memory_plan", "delete", plan_id=plan_id))["preview"]["would_delete"]["status"] == "archived"


@pytest.mark.parametrize("archived", [False, True])
async def test_a_deleted_plan_comes_back_whole(
    agent: Agent, workspace_id: str, plan_id: str, *, archived: bool
) -> None:
    waiter = await make(agent, workspace_id, "Waiter", steps=[{"task": "w"}], depends_on_plans=[plan_id])
    if archived:
        await agent("memory_plan", "archive", plan_id=plan_id)
    before = await full(agent, plan_id)
    told = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    assert told["deleted"] is True
    assert told["unblocked"] == [{"plan_id": waiter["plan_id"]}]
    assert (await agent.fails("memory_plan", "get", plan_id=plan_id))["code"] == "not_found"
    await agent("memory_workspace", "restore", trash_id=told["trash_id"])
    assert await full(agent, plan_id) == before


async def test_delete_of_a_stale_version_is_a_conflict(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_plan", "delete", plan_id=plan_id, confirm=True, expected_version=7)
    assert error["code"] == "conflict"
    assert (await full(agent, plan_id))["title"] == "Life"


async def test_a_clone_starts_anew_with_its_own_dependencies(agent: Agent, workspace_id: str, plan_id: str) -> None:
    await finish(agent, plan_id, 0)
    made = await agent("memory_plan", "clone_plan", plan_id=plan_id)
    assert (made["title"], made["source_plan_id"], made["workspace_id"]) == ("Life (Clone)", plan_id, workspace_id)
    copy, original = await full(agent, made["plan_id"]), await full(agent, plan_id)
    assert (copy["goals"], copy["category"], copy["status"]) == (["g"], "quick_task", "active")
    assert [(s["task"], s["phase"], s["status"], s.get("notes")) for s in copy["steps"]] == [
        ("a", "One", "pending", None),
        ("b", "One", "pending", None),
        ("c", "Two", "pending", None),
    ]
    ids = made["step_ids"]
    assert [s.get("depends_on") for s in copy["steps"]] == [None, [ids[0]], [ids[1]]]
    assert copy["phases"][1]["approval_required"] is True
    assert not set(ids) & {s["step_id"] for s in original["steps"]}
    assert (await agent("memory_steps", "ready", plan_id=made["plan_id"]))["total"] == 1
    assert original["steps"][0]["status"] == "done"


async def test_a_clone_may_keep_status_and_notes_but_no_claims(agent: Agent, plan_id: str) -> None:
    await finish(agent, plan_id, 0)
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    made = await agent("memory_plan", "clone_plan", plan_id=plan_id, new_title="Second", reset_steps=False)
    copy = await full(agent, made["plan_id"])
    assert copy["title"] == "Second"
    assert [(s["status"], s.get("notes"), s.get("claimed_by")) for s in copy["steps"]] == [
        ("done", "about a", None),
        ("pending", None, None),
        ("pending", None, None),
    ]
    assert "completed_at" in copy["steps"][0]
    assert (await agent("memory_steps", "next", plan_id=made["plan_id"], agent="bob"))["next"]["task"] == "b"


async def test_a_clone_waits_for_what_is_outside_of_the_original_too(
    agent: Agent, workspace_id: str, plan_id: str
) -> None:
    outside = (await full(agent, plan_id))["steps"][2]["step_id"]
    other = await make(agent, workspace_id, "Other", steps=[{"task": "x", "depends_on": [outside]}])
    made = await agent("memory_plan", "clone_plan", plan_id=other["plan_id"])
    assert (await full(agent, made["plan_id"]))["steps"][0]["depends_on"] == [outside]


async def test_an_archived_plan_can_be_cloned(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "archive", plan_id=plan_id)
    made = await agent("memory_plan", "clone_plan", plan_id=plan_id)
    copy = await full(agent, made["plan_id"])
    assert [s.get("depends_on") for s in copy["steps"]] == [None, made["step_ids"][:1], made["step_ids"][1:2]]
    assert (await full(agent, plan_id))["status"] == "archived"


async def test_actions_on_an_unknown_plan_name_near_ones(agent: Agent, plan_id: str, db: Database) -> None:
    before = await counts(db)
    unknown = plan_id[:-1] + ("y" if plan_id.endswith("z") else "z")
    for action, arguments in (
        ("update", {"title": "x"}),
        ("archive", {}),
        ("unarchive", {}),
        ("delete", {"confirm": True}),
        ("clone_plan", {}),
        ("pause_plan", {"pause_reason": "deferred"}),
        ("resume_plan", {}),
    ):
        error = await agent.fails("memory_plan", action, plan_id=unknown, **arguments)
        assert (action, error["code"]) == (action, "not_found")
        assert plan_id in [near["plan_id"] for near in error["near"]]
    assert await counts(db) == before
