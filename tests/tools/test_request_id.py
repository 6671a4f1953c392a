"""request_id: who may hear an answer again, for how long, and when it is another call."""

import json
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.settings import Settings
from tests.conftest import Agent

ADA = {"agent": "ada"}


@pytest.fixture
def request_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    steps = [{"task": task} for task in "abc"]
    return (await agent("memory_plan", "create", title="First", workspace_id=workspace_id, steps=steps))["plan_id"]


@pytest.fixture
def sql(settings: Settings) -> Callable[..., list[tuple[Any, ...]]]:
    """Runs a statement on the database file and returns its rows."""

    def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with sqlite3.connect(settings.database) as db:
            found = db.execute(statement, values).fetchall()
        db.close()
        return found

    return run


async def titles(agent: Agent, workspace_id: str) -> list[str]:
    plans = (await agent("memory_plan", "list", workspace_id=workspace_id, order="title"))["plans"]
    return [plan["title"] for plan in plans]


async def test_a_new_session_of_the_same_agent_gets_the_first_answer(
    agent: Agent, plan_id: str, request_id: str
) -> None:
    old = (await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["session_id"]
    call = {"plan_id": plan_id, "note": "mind the gap", "request_id": request_id}
    first = await agent("memory_plan", "add_note", session_id=old, **call)
    new = (await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["session_id"]

    assert await agent("memory_plan", "add_note", session_id=new, **call) == first
    assert await agent("memory_plan", "add_note", **ADA, **call) == first
    assert (await agent("memory_plan", "list_notes", plan_id=plan_id))["total"] == 1


async def test_another_agent_has_request_ids_of_its_own(agent: Agent, plan_id: str, request_id: str) -> None:
    call = {"plan_id": plan_id, "note": "mind the gap", "request_id": request_id}
    first = await agent("memory_plan", "add_note", **ADA, **call)
    other = await agent("memory_plan", "add_note", agent="bob", **call)

    assert other["note_id"] != first["note_id"]


async def test_other_actions_have_request_ids_of_their_own(agent: Agent, plan_id: str, request_id: str) -> None:
    await agent("memory_plan", "add_note", plan_id=plan_id, note="a", request_id=request_id, **ADA)
    await agent("memory_plan", "add_phase", plan_id=plan_id, name="New", request_id=request_id, **ADA)

    plan = await agent("memory_plan", "get", plan_id=plan_id, include=["notes"])
    assert (len(plan["notes"]), plan["phases"][-1]["name"]) == (1, "New")


async def test_who_sends_a_request_id_has_to_say_who_it_is(agent: Agent, plan_id: str, request_id: str) -> None:
    error = await agent.fails("memory_plan", "add_note", plan_id=plan_id, note="a", request_id=request_id)

    assert error["code"] == "invalid_arguments"
    assert error["missing"] == ["session_id or agent"]
    assert "session_id" in error["message"]
    assert "agent=" in error["message"]


async def test_a_request_id_has_at_most_64_characters(agent: Agent, plan_id: str) -> None:
    call = {"plan_id": plan_id, "note": "a", **ADA}
    error = await agent.fails("memory_plan", "add_note", request_id="x" * 65, **call)

    assert error["code"] == "invalid_arguments"
    assert await agent("memory_plan", "add_note", request_id="x" * 64, **call)


async def test_the_same_request_id_with_other_arguments_is_a_conflict(
    agent: Agent, plan_id: str, request_id: str
) -> None:
    await agent("memory_plan", "add_note", plan_id=plan_id, note="a", request_id=request_id, **ADA)
    error = await agent.fails("memory_plan", "add_note", plan_id=plan_id, note="b", request_id=request_id, **ADA)

    assert error["code"] == "conflict"
    assert request_id in error["message"]
    assert (await agent("memory_plan", "list_notes", plan_id=plan_id))["total"] == 1


async def test_the_same_arguments_in_another_form_are_the_same(
    agent: Agent, workspace_id: str, project: Path, request_id: str
) -> None:
    call = {"title": "Once", "request_id": request_id, **ADA}
    first = await agent("memory_plan", "create", steps=[{"task": "a"}], workspace_id=workspace_id, **call)
    again = await agent(
        "memory_plan", "create", steps='[{"task":"a"}]', workspace_path=f"{project}/", goals=None, **call
    )

    assert again == first
    assert await titles(agent, workspace_id) == ["Once"]


async def test_a_failed_call_leaves_its_request_id_free(agent: Agent, plan_id: str, request_id: str) -> None:
    call = {"plan_id": plan_id, "request_id": request_id, **ADA}
    error = await agent.fails("memory_steps", "insert", at_index=99, step={"task": "late"}, **call)
    assert error["code"] == "invalid_arguments"
    first = await agent("memory_steps", "insert", at_index=0, step={"task": "early"}, **call)

    assert await agent("memory_steps", "insert", at_index=0, step={"task": "early"}, **call) == first
    listed = await agent("memory_steps", "list", plan_id=plan_id)
    assert [step["task"] for step in listed["steps"]] == ["early", "a", "b", "c"]


async def test_a_preview_is_no_answer_to_a_request(agent: Agent, plan_id: str, request_id: str) -> None:
    call = {"plan_id": plan_id, "step_index": 1, "request_id": request_id, **ADA}
    preview = await agent("memory_steps", "delete", **call)
    gone = await agent("memory_steps", "delete", confirm=True, **call)

    assert "preview" in preview
    assert await agent("memory_steps", "delete", confirm=True, **call) == gone
    listed = await agent("memory_steps", "list", plan_id=plan_id)
    assert [step["task"] for step in listed["steps"]] == ["a", "c"]


@pytest.fixture
async def elsewhere(agent: Agent, tmp_path: Path) -> str:
    """Another workspace."""
    (tmp_path / "elsewhere").mkdir()
    return (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "elsewhere")))["workspace_id"]


async def test_one_request_id_in_two_workspaces_is_two_requests(
    agent: Agent, workspace_id: str, elsewhere: str, request_id: str
) -> None:
    call = {"title": "Once", "request_id": request_id, **ADA}
    here = await agent("memory_plan", "create", workspace_id=workspace_id, **call)
    there = await agent("memory_plan", "create", workspace_id=elsewhere, **call)

    assert there["workspace_id"] == elsewhere
    assert await agent("memory_plan", "create", workspace_id=workspace_id, **call) == here
    assert await agent("memory_plan", "create", workspace_id=elsewhere, **call) == there
    assert await titles(agent, workspace_id) == await titles(agent, elsewhere) == ["Once"]


async def test_the_workspace_of_a_request_is_that_of_the_session_or_of_the_folder_too(
    agent: Agent, workspace_id: str, elsewhere: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = {
        home: (await agent("memory_agent", "init", agent="ada", workspace_id=home))["session_id"]
        for home in (workspace_id, elsewhere)
    }
    call = {"title": "Once", "request_id": "1"}
    here = await agent("memory_plan", "create", session_id=sessions[workspace_id], **call)
    there = await agent("memory_plan", "create", session_id=sessions[elsewhere], **call)
    monkeypatch.chdir(project)

    assert [here["workspace_id"], there["workspace_id"]] == [workspace_id, elsewhere]
    assert await agent("memory_plan", "create", **ADA, **call) == here
    assert await agent("memory_plan", "create", session_id=sessions[elsewhere], **call) == there


async def test_a_call_that_cannot_tell_its_workspace_gets_no_answer_of_another_one(
    agent: Agent, workspace_id: str, elsewhere: str, request_id: str
) -> None:
    call = {"title": "Once", "request_id": request_id, **ADA}
    await agent("memory_plan", "create", workspace_id=workspace_id, **call)
    error = await agent.fails("memory_plan", "create", **call)

    assert error["code"] == "ambiguous"


async def test_an_answer_is_given_though_what_it_tells_of_is_gone(agent: Agent, plan_id: str, request_id: str) -> None:
    call = {"plan_id": plan_id, "request_id": request_id, **ADA}
    first = await agent("memory_plan", "add_note", note="a", **call)
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert await agent("memory_plan", "add_note", note="a", **call) == first
    await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)

    assert await agent("memory_plan", "add_note", note="a", **call) == first


async def test_a_file_that_was_imported_may_be_gone_when_the_call_is_sent_again(
    agent: Agent, workspace_id: str, project: Path, request_id: str
) -> None:
    file = project / "plan.md"
    file.write_text("# Plan\n- [ ] a\n", encoding="utf-8")
    call = {"plan_file_path": str(file), "workspace_id": workspace_id, "request_id": request_id, **ADA}
    first = await agent("memory_plan", "import", **call)
    file.unlink()

    assert await agent("memory_plan", "import", **call) == first
    assert await titles(agent, workspace_id) == ["Plan"]


async def test_a_message_that_was_read_meanwhile_is_not_sent_again(
    agent: Agent, workspace_id: str, request_id: str
) -> None:
    call = {"to_agent": "bob", "content": "ready?", "workspace_id": workspace_id, "request_id": request_id, **ADA}
    sent = await agent("memory_session", "send_message", **call)
    await agent("memory_session", "acknowledge", message_ids=[sent["message_id"]], agent="bob")

    assert await agent("memory_session", "send_message", **call) == sent
    assert (await agent("memory_session", "inbox", agent="bob", workspace_id=workspace_id))["total"] == 0


async def test_a_session_is_opened_once_and_its_briefing_is_as_long_as_the_last_call_wants(
    agent: Agent, plan_id: str, request_id: str
) -> None:
    call = {"plan_id": plan_id, "request_id": request_id, "context": {"why": "x"}, **ADA}
    first = await agent("memory_agent", "init", **call)
    short = await agent("memory_agent", "init", max_bytes=500, **call)

    assert short["session_id"] == first["session_id"]
    assert await agent("memory_agent", "init", **call) == first
    assert len(json.dumps(short)) < 500 < len(json.dumps(first))
    assert (await agent("memory_session", "list_sessions", plan_id=plan_id))["total"] == 1


async def test_files_that_were_not_written_any_more_are_written_when_the_call_is_sent_again(
    agent: Agent, workspace_id: str, project: Path, request_id: str
) -> None:
    call = {"agent_name": "Executor", "prompt": "Do it", "workspace_id": workspace_id, "request_id": request_id, **ADA}
    first = await agent("memory_session", "deploy_and_prep", **call)
    written = {name: (project / name).read_text(encoding="utf-8") for name in first["written"]}
    for name in written:
        (project / name).unlink()

    assert await agent("memory_session", "deploy_and_prep", **call) == first
    assert {name: (project / name).read_text(encoding="utf-8") for name in first["written"]} == written
    assert (await agent("memory_session", "list_sessions", workspace_id=workspace_id))["total"] == 1


async def test_what_is_appended_is_appended_once(agent: Agent, plan_id: str, request_id: str) -> None:
    call = {"plan_id": plan_id, "request_id": request_id, **ADA}
    for _ in range(2):
        await agent("memory_context", "store", type="log", data={"lines": ["a"]}, mode="append", **call)
        await agent("memory_context", "append_research", filename="a.md", content="## A", **call)
        await agent("memory_steps", "update", step_index=0, append_notes="begun", **call)

    assert (await agent("memory_context", "get", plan_id=plan_id, type="log"))["data"] == {"lines": ["a"]}
    assert (await agent("memory_context", "get_research", plan_id=plan_id, filename="a.md"))["content"] == "## A"
    assert (await agent("memory_steps", "get", plan_id=plan_id, step_index=0))["notes"] == "begun"


async def test_after_a_day_a_request_id_is_a_new_one(
    agent: Agent, plan_id: str, request_id: str, sql: Callable[..., list[tuple[Any, ...]]]
) -> None:
    call = {"plan_id": plan_id, "note": "a", "request_id": request_id, **ADA}
    first = await agent("memory_plan", "add_note", **call)
    sql("UPDATE requests SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '-23 hours', '-59 minutes')")
    assert await agent("memory_plan", "add_note", **call) == first
    sql("UPDATE requests SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, '-1 minutes')")

    second = await agent("memory_plan", "add_note", **call)
    assert second["note_id"] != first["note_id"]
    assert await agent("memory_plan", "add_note", **call) == second


async def test_expired_answers_go_a_few_at_a_time(
    agent: Agent, plan_id: str, sql: Callable[..., list[tuple[Any, ...]]]
) -> None:
    rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
    old = "'2020-01-01T00:00:' || printf('%02d', i) || '.000Z'"
    sql(f"INSERT INTO requests {rows} SELECT 'r' || i, 'ada', 'a', 'b', '', '', '', {old} FROM n")
    left: list[int] = []
    for number in range(4):
        await agent("memory_plan", "add_note", plan_id=plan_id, note="a", request_id=f"new {number}", **ADA)
        left.append(sql("SELECT count(*) FROM requests WHERE agent = 'ada' AND tool = 'a'")[0][0])

    assert left == [30, 10, 0, 0]
    assert sql("SELECT count(*) FROM requests") == [(4,)]
