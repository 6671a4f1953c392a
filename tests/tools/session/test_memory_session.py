"""memory_session: the spans of work of agents."""

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

TOOL = "memory_session"


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    plan = await agent(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="Search",
        category="quick_task",
        phases=[{"name": "Build", "steps": [{"task": "index"}, {"task": "query"}]}],
    )
    return plan["plan_id"]


async def be_silent(db: Database, session_id: str) -> None:
    async with db.transaction() as tx:
        await tx.run(
            "UPDATE sessions SET last_seen_at = '2020-01-01T00:00:00.000Z' WHERE session_id = :id", {"id": session_id}
        )


async def test_a_session_that_was_started_can_be_read(agent: Agent, plan_id: str, workspace_id: str) -> None:
    started = await agent(TOOL, "session_start", plan_id=plan_id, agent="Executor")
    got = await agent(TOOL, "get_session", session_id=started["session_id"])
    assert got == started
    assert (got["agent"], got["plan_id"], got["workspace_id"], got["status"]) == (
        "Executor",
        plan_id,
        workspace_id,
        "active",
    )


async def test_a_child_takes_the_agent_and_workspace_of_its_parent(agent: Agent, workspace_id: str) -> None:
    parent = await agent(TOOL, "session_start", workspace_id=workspace_id, agent="Executor")
    child = await agent(TOOL, "session_start", parent_session_id=parent["session_id"])
    other = await agent(TOOL, "session_start", session_id=parent["session_id"], agent="Helper")
    for session, name in ((child, "Executor"), (other, "Helper")):
        assert session["parent_session_id"] == parent["session_id"]
        assert (session["workspace_id"], session["agent"]) == (workspace_id, name)


async def test_what_a_session_names_has_to_exist(agent: Agent, workspace_id: str) -> None:
    for more in ({"plan_id": "plan_000000000000"}, {"parent_session_id": "sess_000000000000"}):
        error = await agent.fails(TOOL, "session_start", workspace_id=workspace_id, **more)
        assert error["code"] == "not_found"
    known = await agent(TOOL, "session_start", workspace_id=workspace_id, agent="Executor")
    error = await agent.fails(TOOL, "get_session", session_id=known["session_id"][:-1])
    assert (error["code"], error["near"][0]["session_id"]) == ("not_found", known["session_id"])
    assert (await agent.fails(TOOL, "session_start", agent="Executor"))["code"] == "ambiguous"
    assert (await agent.fails(TOOL, "list_sessions", plan_id="plan_000000000000"))["code"] == "not_found"
    assert (await agent(TOOL, "list_sessions", workspace_id=workspace_id))["total"] == 1


async def test_sessions_are_listed_newest_first_in_steady_pages(agent: Agent, workspace_id: str) -> None:
    started = [
        (await agent(TOOL, "session_start", workspace_id=workspace_id, agent=f"a{number}"))["session_id"]
        for number in range(7)
    ]
    page = await agent(TOOL, "list_sessions", workspace_id=workspace_id, limit=3)
    seen = [row["session_id"] for row in page["sessions"]]
    await agent(TOOL, "session_start", workspace_id=workspace_id, agent="late")
    while cursor := page.get("next_cursor"):
        page = await agent(TOOL, "list_sessions", workspace_id=workspace_id, limit=3, cursor=cursor)
        seen += [row["session_id"] for row in page["sessions"]]
    assert seen == started[::-1]
    assert page["total"] == 8


async def test_sessions_are_filtered_by_plan_agent_and_status(
    agent: Agent, plan_id: str, workspace_id: str, db: Database
) -> None:
    on_plan = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Executor"))["session_id"]
    done = (await agent(TOOL, "session_start", workspace_id=workspace_id, agent="Executor"))["session_id"]
    dead = (await agent(TOOL, "session_start", workspace_id=workspace_id, agent="Tester"))["session_id"]
    await agent("memory_agent", "complete", session_id=done, summary="done")
    await be_silent(db, dead)

    async def ids(**filters: Any) -> set[str]:
        listed = await agent(TOOL, "list_sessions", workspace_id=workspace_id, **filters)
        assert listed["total"] == len(listed["sessions"])
        return {row["session_id"] for row in listed["sessions"]}

    assert await ids() == await ids(status_filter="all") == {on_plan, done, dead}
    assert await ids(plan_id=plan_id) == {on_plan}
    assert await ids(agent="executor") == {on_plan, done}
    assert await ids(status_filter="active") == {on_plan}
    assert await ids(status_filter="completed") == {done}
    assert await ids(status_filter="orphaned") == {dead}
    assert (await agent(TOOL, "get_session", session_id=dead))["status"] == "orphaned"
    error = await agent.fails(TOOL, "list_sessions", workspace_id=workspace_id, status_filter="stopping")
    assert error["code"] == "invalid_arguments"


async def test_a_silent_session_with_a_live_claim_is_no_orphan(agent: Agent, plan_id: str, db: Database) -> None:
    session_id = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Executor"))["session_id"]
    await agent("memory_steps", "next", plan_id=plan_id, session_id=session_id)
    await be_silent(db, session_id)
    assert (await agent(TOOL, "get_session", session_id=session_id))["status"] == "active"


async def test_an_orphan_that_writes_is_active_again(agent: Agent, plan_id: str, db: Database) -> None:
    session_id = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Executor"))["session_id"]
    await be_silent(db, session_id)
    assert (await agent(TOOL, "get_session", session_id=session_id))["status"] == "orphaned"
    await agent("memory_context", "store", session_id=session_id, type="notes", data={})
    assert (await agent(TOOL, "get_session", session_id=session_id))["status"] == "active"


async def test_sessions_of_an_archived_plan_can_be_read(agent: Agent, plan_id: str, workspace_id: str) -> None:
    session_id = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Executor"))["session_id"]
    await agent("memory_agent", "complete", session_id=session_id, summary="done")
    await agent("memory_plan", "archive", plan_id=plan_id)

    got = await agent(TOOL, "get_session", session_id=session_id)
    assert (got["summary"], got["archived"]) == ("done", True)
    listed = await agent(TOOL, "list_sessions", plan_id=plan_id)
    assert [row["session_id"] for row in listed["sessions"]] == [session_id]
    assert (await agent(TOOL, "list_sessions", workspace_id=workspace_id))["total"] == 0
    error = await agent.fails("memory_agent", "complete", session_id=session_id, summary="again")
    assert (error["code"], "archived" in error["message"]) == ("conflict", True)


async def test_a_long_session_can_be_read_whole_in_pieces(agent: Agent, plan_id: str) -> None:
    opened = await agent("memory_agent", "init", plan_id=plan_id, agent="Executor", context={"log": ["x" * 99] * 900})
    summary = "line é\n" * 20_000
    await agent("memory_agent", "complete", session_id=opened["session_id"], summary=summary, artifacts=["a\nb", "c"])

    [row] = (await agent(TOOL, "list_sessions", plan_id=plan_id))["sessions"]
    assert (row["summary"], row["cut"]) == (summary[:200], True)
    text, offset = "", 0
    while offset is not None:
        part = await agent(TOOL, "get_session", session_id=opened["session_id"], offset=offset, max_bytes=45_000)
        text, offset = text + part["text"], part.get("next_offset")
    assert summary[:50].replace("\n", "\\n") in text
    assert text.count("x") >= 900 * 99


async def test_two_workspaces_that_disagree_are_a_conflict(agent: Agent, plan_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
    session_id = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Executor"))["session_id"]
    for action, named in (
        ("session_start", {"plan_id": plan_id}),
        ("list_sessions", {"plan_id": plan_id}),
        ("get_session", {"session_id": session_id}),
    ):
        assert (await agent.fails(TOOL, action, workspace_id=other, **named))["code"] == "conflict"
    assert (await agent(TOOL, "list_sessions", workspace_id=other))["total"] == 0


async def test_init_closes_orphans_with_a_note_and_leaves_the_living_alone(
    agent: Agent, plan_id: str, workspace_id: str, db: Database
) -> None:
    dead, working, quiet = [
        (await agent(TOOL, "session_start", plan_id=plan_id, agent=name))["session_id"] for name in ("A", "B", "C")
    ]
    await agent("memory_steps", "next", plan_id=plan_id, session_id=working)
    await be_silent(db, dead)
    await be_silent(db, working)
    await agent("memory_agent", "init", agent="D", plan_id=plan_id)
    closed = await agent(TOOL, "get_session", session_id=dead)
    assert closed["status"] == "orphaned"
    assert "nothing was heard of it" in closed["summary"]
    assert closed["completed_at"]
    for session_id in (working, quiet):
        assert (await agent(TOOL, "get_session", session_id=session_id))["status"] == "active"
    logged = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["session_orphaned"])
    assert [event["entity_id"] for event in logged["events"]] == [dead]
    await agent("memory_context", "store", session_id=dead, type="notes", data={})
    back = await agent(TOOL, "get_session", session_id=dead)
    assert back["status"] == "active"
    assert "completed_at" not in back
