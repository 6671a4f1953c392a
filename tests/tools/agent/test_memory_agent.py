"""memory_agent: sessions that begin with a briefing, change hands, end, and come back."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.types import TextContent

from server.db.storage.connection import Database
from tests.conftest import Agent

TOOL = "memory_agent"


async def make_plan(agent: Agent, workspace_id: str, **more: Any) -> str:
    phases = [
        {"name": "Design", "steps": [{"task": "a"}, {"task": "b"}]},
        {"name": "Build", "steps": [{"task": "c"}, {"task": "d"}]},
    ]
    fields = {"title": "Search", "category": "quick_task", "phases": phases, **more}
    return (await agent("memory_plan", "create", workspace_id=workspace_id, **fields))["plan_id"]


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    return await make_plan(agent, workspace_id)


async def init(agent: Agent, name: str = "Executor", **more: Any) -> str:
    return (await agent(TOOL, "init", agent=name, **more))["session_id"]


async def claim(agent: Agent, plan_id: str, session_id: str) -> str:
    got = await agent("memory_steps", "next", plan_id=plan_id, session_id=session_id)
    return got["next"]["step_id"]


async def step_of(agent: Agent, step_id: str) -> dict[str, Any]:
    return await agent("memory_steps", "get", step_id=step_id)


async def end_leases(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.run("UPDATE steps SET lease_expires_at = '2020-01-01T00:00:00.000Z' WHERE claimed_by IS NOT NULL")


def size(answer: dict[str, Any]) -> int:
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())


async def test_a_briefing_tells_where_the_work_stands(agent: Agent, workspace_id: str) -> None:
    plan_id = await make_plan(agent, workspace_id, goals=["find things"], priority="high")
    first = await agent("memory_steps", "get", plan_id=plan_id, step_index=0)
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done")
    await agent("memory_plan", "add_note", plan_id=plan_id, note="Use FTS5", note_type="instruction")
    await agent(
        "memory_plan", "add_note", plan_id=plan_id, note="For you", note_type="instruction", deliver_to="Tester"
    )
    await agent("memory_plan", "add_note", plan_id=plan_id, note="Just so", note_type="info")
    await agent("memory_context", "store", plan_id=plan_id, type="research", data={"a": 1})
    told = await agent(TOOL, "init", agent="Executor", plan_id=plan_id, context={"run": None})

    assert told["workspace_id"] == workspace_id
    assert told["plan"]["plan_id"] == plan_id
    assert {key: told["plan"][key] for key in ("title", "status", "priority", "goals", "current_phase")} == {
        "title": "Search",
        "status": "active",
        "priority": "high",
        "goals": ["find things"],
        "current_phase": "Design",
    }
    assert (told["plan"]["steps_done"], told["plan"]["steps_total"]) == (1, 4)
    assert [(phase["name"], phase["steps_done"], phase["steps_total"]) for phase in told["phases"]] == [
        ("Design", 1, 2),
        ("Build", 0, 2),
    ]
    assert [(step["index"], step["task"]) for step in told["next"]] == [(1, "b"), (2, "c"), (3, "d")]
    assert [note["note"] for note in told["instructions"]] == ["Use FTS5"]
    assert told["context"][0]["type"] == "research"
    assert "data" not in told["context"][0]
    assert "held" not in told
    assert first["step_id"] not in json.dumps(told)
    session = await agent("memory_session", "get_session", session_id=told["session_id"])
    assert (session["agent"], session["plan_id"], session["context"]) == ("Executor", plan_id, {"run": None})


async def test_without_a_plan_the_active_plans_are_told(agent: Agent, workspace_id: str) -> None:
    low = await make_plan(agent, workspace_id, title="Low", priority="low")
    high = await make_plan(agent, workspace_id, title="High", priority="critical")
    paused = await make_plan(agent, workspace_id, title="Paused")
    await agent("memory_plan", "update", plan_id=paused, status="blocked")
    mine = await make_plan(agent, workspace_id, title="Mine", priority="low")
    await agent(TOOL, "handoff", from_agent="Planner", to_agent="Executor", reason="go", plan_id=mine)

    told = await agent(TOOL, "init", agent="Executor", workspace_id=workspace_id)
    assert [plan["plan_id"] for plan in told["plans"]] == [mine, high, low]
    assert told["plans"][1]["steps_total"] == 4
    assert [step["plan_id"] for step in told["next"]][:4] == [high] * 4
    assert told["handoff"]["reason"] == "go"
    assert "plan" not in told


async def test_what_changed_within_one_millisecond_is_told_newest_first(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    here = {"workspace_id": workspace_id}
    made = ("middle", "last", "first")
    plans = [await make_plan(agent, workspace_id, title=name) for name in made]
    for name in made:
        entry = {"title": name, "content": "c", **here}
        await agent("memory_context", "knowledge_store", slug=name, **entry)
        at = {"parent_type": "workspace", **here}
        await agent("memory_context", "append_research", filename=f"{name}.md", content="x", **at)
        await agent("memory_context", "store", type=name, data={}, **at)
    async with db.transaction() as tx:
        for table in ("plans", "knowledge", "research_documents", "context_items"):
            await tx.run(f"UPDATE {table} SET updated_at = :now", {"now": tx.now()})
    told = await agent(TOOL, "init", agent="coder", **here)

    newest = list(reversed(made))
    assert [row["plan_id"] for row in told["plans"]] == list(reversed(plans))
    assert [row["slug"] for row in told["knowledge"]] == newest
    assert [row["filename"] for row in told["research"]] == [f"{name}.md" for name in newest]
    assert [row["type"] for row in told["context"]] == newest


async def test_agent_type_is_another_word_for_agent(agent: Agent, workspace_id: str) -> None:
    told = await agent(TOOL, "init", agent_type="Executor", workspace_id=workspace_id)
    assert told["agent"] == "Executor"
    await agent(TOOL, "init", agent="Executor", agent_type="Executor", workspace_id=workspace_id)
    error = await agent.fails(TOOL, "init", agent="Executor", agent_type="Tester", workspace_id=workspace_id)
    assert error["code"] == "invalid_arguments"
    error = await agent.fails(TOOL, "init", workspace_id=workspace_id)
    assert error["missing"] == ["agent or agent_type"]


async def test_init_needs_a_known_workspace_and_plan(agent: Agent, plan_id: str, tmp_path: Path) -> None:
    error = await agent.fails(TOOL, "init", agent="Executor", workspace_path=str(tmp_path / "nowhere"))
    assert error["code"] == "ambiguous"
    error = await agent.fails(TOOL, "init", agent="Executor", plan_id=plan_id[:-1])
    assert (error["code"], error["near"][0]["plan_id"]) == ("not_found", plan_id)
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert (await agent.fails(TOOL, "init", agent="Executor", plan_id=plan_id))["code"] == "conflict"
    listed = await agent("memory_session", "list_sessions", plan_id=plan_id)
    assert listed["total"] == 0


@pytest.mark.parametrize("most", [500, 700, 1500, 4000, 8000, 20_000, 45_000])
async def test_a_briefing_of_a_huge_plan_fits_and_names_what_it_leaves_out(
    agent: Agent, workspace_id: str, most: int
) -> None:
    phases = [
        {"name": f"Phase {number} {'é' * 60}", "steps": [{"task": f"{number}.{n} {'x' * 2000}"} for n in range(3)]}
        for number in range(60)
    ]
    plan_id = await make_plan(agent, workspace_id, title="T" * 400, goals=["g" * 450] * 8, phases=phases)
    for number in range(12):
        note = f"{number} " + "n" * 4000
        await agent("memory_plan", "add_note", plan_id=plan_id, note=note, note_type="instruction")
    items = [{"type": f"type {number} {'t' * 100}", "data": {"n": "x" * 1000}} for number in range(60)]
    await agent("memory_context", "batch_store", plan_id=plan_id, items=items)
    data = {"findings": "d" * 30_000}
    await agent(TOOL, "handoff", plan_id=plan_id, from_agent="P", to_agent="E", reason="r" * 5000, data=data)
    for _ in range(6):
        await agent("memory_steps", "next", plan_id=plan_id, agent="E")
        await agent("memory_steps", "next", plan_id=plan_id, agent="other")

    result = await agent.client.call_tool(TOOL, {"action": "init", "agent": "E", "plan_id": plan_id, "max_bytes": most})
    [block] = result.content
    assert isinstance(block, TextContent)
    told = json.loads(text := block.text)
    assert len(text.encode()) <= most
    parts = ("plan", "instructions", "held", "handoff", "next", "phases", "context")
    assert all(part in told or part in told["omitted"] for part in parts)
    if most >= 4000:
        assert all(told.get(part) for part in parts)
        assert "get_lineage" in told["omitted"]["handoff"]
        assert told["handoff"]["clipped"] == ["reason", "data"]
    shown = len(told.get("phases", []))
    assert told["omitted"]["phases"] == f"{60 - shown} more: memory_plan get"


async def test_what_fits_is_not_said_to_be_omitted(agent: Agent, plan_id: str) -> None:
    told = await agent(TOOL, "init", agent="Executor", plan_id=plan_id)
    assert "omitted" not in told
    assert "clipped" not in json.dumps(told)
    assert size(told) < 2000


async def test_messages_that_wait_are_in_the_briefing(agent: Agent, workspace_id: str, db: Database) -> None:
    async with db.transaction() as tx:
        await tx.many(
            """
            INSERT INTO messages (message_id, workspace_id, from_agent, to_agent, content, acknowledged_at,
                created_at, updated_at)
            VALUES (:id, :workspace_id, 'Planner', :to, :content, :acknowledged, :id, :id)
            """,
            [
                {
                    "id": f"msg_{n}",
                    "workspace_id": workspace_id,
                    "to": to,
                    "content": f"text {n}" * 100,
                    "acknowledged": ack,
                }
                for n, (to, ack) in enumerate(
                    [("Executor", None), ("Tester", None), ("Executor", "x"), ("executor", None)]
                )
            ],
        )
    told = await agent(TOOL, "init", agent="Executor", workspace_id=workspace_id)
    assert [message["message_id"] for message in told["messages"]] == ["msg_0", "msg_3"]
    assert told["messages"][0]["content"] == ("text 0" * 100)[:200]


async def test_init_leaves_live_work_alone_and_frees_what_ran_out(agent: Agent, plan_id: str, db: Database) -> None:
    dead = await claim(agent, plan_id, await init(agent, plan_id=plan_id))
    await end_leases(db)
    live = (await agent("memory_steps", "claim", plan_id=plan_id, step_index=1, agent="Tester"))["step_id"]
    told = await agent(TOOL, "init", agent="Executor", plan_id=plan_id)

    assert told["reclaimed"] == [dead]
    assert told["next"][0]["step_id"] == dead
    assert (await step_of(agent, dead))["status"] == "pending"
    assert "the lease ran out" in (await step_of(agent, dead))["notes"]
    assert (await step_of(agent, live))["claimed_by"] == "Tester"


async def test_claims_under_the_name_of_an_agent_are_shown_and_stay_where_they_are(agent: Agent, plan_id: str) -> None:
    held = (await agent("memory_steps", "next", plan_id=plan_id, agent="Executor"))["next"]
    told = await agent(TOOL, "init", agent="Executor", plan_id=plan_id)
    [shown] = told["held"]
    assert (shown["step_id"], shown["claimed_by"]) == (held["step_id"], "Executor")
    assert (await step_of(agent, held["step_id"]))["claimed_by"] == "Executor"
    done = await agent(
        "memory_steps",
        "update",
        session_id=told["session_id"],
        step_id=held["step_id"],
        claim_token=shown["claim_token"],
        status="done",
    )
    assert done["status"] == "done"


async def test_a_hand_off_reaches_the_next_agent(agent: Agent, plan_id: str, workspace_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    step_id = await claim(agent, plan_id, session_id)
    data = {"files": ["a.py"], "empty": {}, "none": None}
    done = await agent(TOOL, "handoff", session_id=session_id, to_agent="Reviewer", reason="look\nhere", data=data)

    assert done["released"] == [step_id]
    assert (done["workspace_id"], done["plan_id"], done["from_agent"]) == (workspace_id, plan_id, "Executor")
    assert (await step_of(agent, step_id))["status"] == "pending"
    assert (await agent("memory_plan", "get", plan_id=plan_id, detail="full"))["recommended_next_agent"] == "Reviewer"
    told = await agent(TOOL, "init", agent="reviewer", plan_id=plan_id)
    assert told["handoff"]["lineage_id"] == done["lineage_id"]
    assert (told["handoff"]["reason"], told["handoff"]["data"]) == ("look\nhere", data)
    assert "recommended_next_agent" not in await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    assert "handoff" not in await agent(TOOL, "init", agent="Tester", plan_id=plan_id)


async def test_passed_claims_become_those_of_the_next_session(agent: Agent, plan_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    step_id = await claim(agent, plan_id, session_id)
    done = await agent(TOOL, "handoff", session_id=session_id, to_agent="Reviewer", reason="go on", pass_claims=True)
    assert done["passed"] == [step_id]
    assert "released" not in done
    assert (await step_of(agent, step_id))["claimed_by"] == "Reviewer"
    error = await agent.fails("memory_steps", "update", step_id=step_id, session_id=session_id, status="done")
    assert error["code"] == "conflict"

    told = await agent(TOOL, "init", agent="Reviewer", plan_id=plan_id)
    assert [step["step_id"] for step in told["held"]] == [step_id]
    assert (await step_of(agent, step_id))["claimed_by"] == told["session_id"]
    assert await claim(agent, plan_id, told["session_id"]) == step_id
    assert "lost" not in await agent(TOOL, "recover", session_id=session_id)


async def test_a_hand_off_without_a_session_moves_only_claims_of_its_workspace(
    agent: Agent, plan_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
    elsewhere = await make_plan(agent, other)
    here = (await agent("memory_steps", "next", plan_id=plan_id, agent="Executor"))["next"]["step_id"]
    there = (await agent("memory_steps", "next", plan_id=elsewhere, agent="Executor"))["next"]["step_id"]

    done = await agent(TOOL, "handoff", from_agent="Executor", to_agent="Tester", reason="go", plan_id=plan_id)
    assert done["released"] == [here]
    assert (await step_of(agent, there))["claimed_by"] == "Executor"


async def test_a_hand_off_says_who_and_what(agent: Agent, plan_id: str, workspace_id: str) -> None:
    named: dict[str, Any] = {"to_agent": "Tester", "reason": "go"}
    error = await agent.fails(TOOL, "handoff", plan_id=plan_id, **named)
    assert error["code"] == "invalid_arguments"
    error = await agent.fails(TOOL, "handoff", plan_id=plan_id, agent="One", from_agent="Two", **named)
    assert error["code"] == "invalid_arguments"
    assert "agent says 'One', from_agent says 'Two'" in error["message"]
    error = await agent.fails(TOOL, "handoff", plan_id="plan_000000000000", from_agent="One", **named)
    assert error["code"] == "not_found"
    error = await agent.fails(TOOL, "handoff", plan_id=plan_id, from_agent="One", to_agent="Tester", reason=" ")
    assert error["code"] == "invalid_arguments"
    done = await agent(TOOL, "handoff", workspace_id=workspace_id, from_agent="One", **named)
    assert "plan_id" not in done
    assert (await agent(TOOL, "get_lineage", plan_id=plan_id))["total"] == 0


async def test_complete_releases_claims_and_keeps_the_summary(agent: Agent, plan_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    step_id = await claim(agent, plan_id, session_id)
    done = await agent(TOOL, "complete", session_id=session_id, summary="half\nway", artifacts=["a.py", "b\nc"])

    assert (done["status"], done["released"], len(done["warnings"])) == ("completed", [step_id], 1)
    assert "claimed_by" not in await step_of(agent, step_id)
    session = await agent("memory_session", "get_session", session_id=session_id)
    assert (session["summary"], session["artifacts"]) == ("half\nway", ["a.py", "b\nc"])
    assert session["completed_at"] == done["completed_at"]


async def test_a_session_with_a_hand_off_completes_without_a_warning(agent: Agent, plan_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    await agent(TOOL, "handoff", session_id=session_id, to_agent="Tester", reason="go")
    assert "warnings" not in await agent(TOOL, "complete", session_id=session_id, summary="done")


async def test_a_session_completes_once_unless_forced(agent: Agent, plan_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    await agent(TOOL, "complete", session_id=session_id, summary="first")
    assert (await agent.fails(TOOL, "complete", session_id=session_id, summary="second"))["code"] == "conflict"
    assert (await agent("memory_session", "get_session", session_id=session_id))["summary"] == "first"
    await agent(TOOL, "complete", session_id=session_id, summary="third", force=True)
    assert (await agent("memory_session", "get_session", session_id=session_id))["summary"] == "third"
    error = await agent.fails(TOOL, "complete", session_id="sess_000000000000", summary="x")
    assert error["code"] == "not_found"


async def test_a_completed_session_may_still_write_but_not_claim(agent: Agent, plan_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    await agent(TOOL, "complete", session_id=session_id, summary="done")
    await agent("memory_context", "store", session_id=session_id, type="late", data={"n": 1})
    error = await agent.fails("memory_steps", "next", plan_id=plan_id, session_id=session_id)
    assert error["code"] == "conflict"


async def test_recover_renews_the_claims_that_live(agent: Agent, plan_id: str, db: Database) -> None:
    session_id = await init(agent, plan_id=plan_id)
    step_id = await claim(agent, plan_id, session_id)
    before = await step_of(agent, step_id)
    async with db.transaction() as tx:
        await tx.run("UPDATE steps SET lease_expires_at = '2999-01-01T00:00:00.000Z' WHERE claimed_by IS NOT NULL")
    told = await agent(TOOL, "recover", session_id=session_id)

    assert (told["session_id"], told["renewed"]) == (session_id, [step_id])
    assert told["plan"]["plan_id"] == plan_id
    assert [step["step_id"] for step in told["held"]] == [step_id]
    after = await step_of(agent, step_id)
    assert before["lease_expires_at"] <= after["lease_expires_at"] < "2999"
    assert "lost" not in told


async def test_recover_takes_again_what_is_free_and_names_what_is_not(agent: Agent, plan_id: str, db: Database) -> None:
    crashed = await init(agent, plan_id=plan_id)
    free, taken, finished, given_up = [
        (await agent("memory_steps", "claim", plan_id=plan_id, step_index=index, session_id=crashed))["step_id"]
        for index in range(4)
    ]
    await agent("memory_steps", "release", step_id=given_up, session_id=crashed)
    await end_leases(db)
    await agent("memory_steps", "claim", step_id=taken, agent="Tester")
    await agent("memory_steps", "claim", step_id=finished, agent="Tester")
    await agent("memory_steps", "update", step_id=finished, agent="Tester", status="done")
    assert await agent(TOOL, "init", agent="Other", plan_id=plan_id)  # frees the one that ran out
    assert (await step_of(agent, free))["status"] == "pending"

    told = await agent(TOOL, "recover", session_id=crashed)
    assert told["taken_again"] == [free]
    assert (await step_of(agent, free))["claimed_by"] == crashed
    assert [(step["step_id"], step["status"]) for step in told["lost"]] == [(taken, "active"), (finished, "done")]
    assert told["lost"][0]["claimed_by"] == "Tester"
    assert (await step_of(agent, taken))["claimed_by"] == "Tester"
    assert (await step_of(agent, given_up))["status"] == "pending"
    again = await agent(TOOL, "recover", session_id=crashed)
    assert again["renewed"] == [free]


async def test_recover_refuses_what_is_over_and_revives_orphans(agent: Agent, plan_id: str, db: Database) -> None:
    session_id = await init(agent, plan_id=plan_id)
    async with db.transaction() as tx:
        await tx.run("UPDATE sessions SET status = 'orphaned', last_seen_at = '2020-01-01T00:00:00.000Z'")
    await agent(TOOL, "recover", session_id=session_id)
    assert (await agent("memory_session", "get_session", session_id=session_id))["status"] == "active"
    assert await claim(agent, plan_id, session_id)

    await agent(TOOL, "complete", session_id=session_id, summary="done")
    error = await agent.fails(TOOL, "recover", session_id=session_id)
    assert error["code"] == "conflict"
    assert "init" in error["message"]
    assert (await agent.fails(TOOL, "recover", session_id="sess_000000000000"))["code"] == "not_found"


async def test_recover_works_when_the_plan_was_archived_meanwhile(agent: Agent, plan_id: str) -> None:
    session_id = await init(agent, plan_id=plan_id)
    step_id = await claim(agent, plan_id, session_id)
    await agent("memory_plan", "archive", plan_id=plan_id, force=True)
    told = await agent(TOOL, "recover", session_id=session_id)
    assert step_id not in json.dumps(told)
    assert "plan" not in told


async def test_lineage_is_listed_newest_first_and_read_whole(agent: Agent, plan_id: str) -> None:
    big = {"log": ["x" * 100] * 1000}
    ids: list[str] = []
    for number in range(5):
        more = {"data": big, "reason": "r" * 900} if number == 2 else {"data": {"n": number}, "reason": str(number)}
        done = await agent(TOOL, "handoff", plan_id=plan_id, from_agent="A", to_agent="B", **more)
        ids.append(done["lineage_id"])

    page = await agent(TOOL, "get_lineage", plan_id=plan_id, limit=2)
    rows = page["lineage"]
    while cursor := page.get("next_cursor"):
        page = await agent(TOOL, "get_lineage", plan_id=plan_id, limit=2, cursor=cursor)
        rows += page["lineage"]
    assert [row["lineage_id"] for row in rows] == ids[::-1]
    assert rows[0]["data"] == {"n": 4}
    assert (rows[2]["cut"], len(rows[2]["reason"])) == (["reason", "data"], 500)

    text, offset = "", 0
    while offset is not None:
        part = await agent(TOOL, "get_lineage", lineage_id=ids[2], offset=offset, max_bytes=45_000)
        assert part["reason"] == "r" * 900
        text, offset = text + part["text"], part.get("next_offset")
    assert json.loads(text) == big
    assert (await agent(TOOL, "get_lineage", lineage_id=ids[0]))["data"] == {"n": 0}


async def test_lineage_of_an_archived_plan_can_be_read(agent: Agent, plan_id: str) -> None:
    done = await agent(TOOL, "handoff", plan_id=plan_id, from_agent="A", to_agent="B", reason="go")
    await agent("memory_plan", "archive", plan_id=plan_id)
    listed = await agent(TOOL, "get_lineage", plan_id=plan_id)
    assert (listed["total"], listed["lineage"][0]["lineage_id"]) == (1, done["lineage_id"])
    assert (await agent(TOOL, "get_lineage", lineage_id=done["lineage_id"]))["reason"] == "go"
    assert (await agent.fails(TOOL, "get_lineage", plan_id="plan_000000000000"))["code"] == "not_found"
    assert (await agent.fails(TOOL, "get_lineage", lineage_id="lin_000000000000"))["code"] == "not_found"
    error = await agent.fails(TOOL, "handoff", plan_id=plan_id, from_agent="A", to_agent="B", reason="go")
    assert error["code"] == "conflict"


async def test_two_workspaces_that_disagree_are_a_conflict(agent: Agent, plan_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
    session_id = await init(agent, plan_id=plan_id)
    step_id = await claim(agent, plan_id, session_id)
    for action, named in (
        ("init", {"agent": "Executor", "plan_id": plan_id}),
        ("complete", {"session_id": session_id, "summary": "x"}),
        ("handoff", {"session_id": session_id, "to_agent": "B", "reason": "go"}),
        ("recover", {"session_id": session_id}),
        ("get_lineage", {"plan_id": plan_id}),
    ):
        assert (await agent.fails(TOOL, action, workspace_id=other, **named))["code"] == "conflict", action
    assert (await step_of(agent, step_id))["claimed_by"] == session_id
    assert (await agent("memory_session", "get_session", session_id=session_id))["status"] == "active"
    assert (await agent("memory_session", "list_sessions", workspace_id=other))["total"] == 0


async def test_what_happens_to_sessions_is_logged_under_their_name(agent: Agent, plan_id: str, db: Database) -> None:
    session_id = await init(agent, plan_id=plan_id)
    await agent(TOOL, "handoff", session_id=session_id, to_agent="B", reason="go")
    await agent(TOOL, "recover", session_id=session_id)
    await agent(TOOL, "complete", session_id=session_id, summary="x")
    rows = await db.all(
        "SELECT * FROM event_log WHERE tool = 'memory_agent' AND entity_type <> 'step' ORDER BY event_id"
    )
    assert [row["type"] for row in rows] == [
        "agent_session_started",
        "handoff",
        "agent_session_recovered",
        "agent_session_completed",
    ]
    assert {(row["session_id"], row["agent"], row["plan_id"]) for row in rows} == {(session_id, "Executor", plan_id)}
    told = [row["summary"] for row in await db.all("SELECT summary FROM update_log WHERE session_id IS NOT NULL")]
    assert "Executor handed off to B: go" in told
