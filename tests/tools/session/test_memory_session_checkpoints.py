"""memory_session: checkpoints."""

from pathlib import Path
from typing import Any

import pytest_asyncio
from mcp import Client

from server.protocol.app import build
from server.settings import Settings
from tests.conftest import Agent

TOOL = "memory_session"
DATA = {"tried": ["a", None, {"b": ""}], "note": "Größe\n大", "empty": {}, "n": 1.5}


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


async def names(server: Agent, /, **arguments: Any) -> list[str]:
    page = await server(TOOL, "list_checkpoints", **arguments)
    assert page["total"] == len(page["checkpoints"])
    return [row["name"] for row in page["checkpoints"]]


async def test_a_checkpoint_keeps_the_data_and_where_the_work_stands(agent: Agent, plan_id: str) -> None:
    session = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Ada"))["session_id"]
    first = (await agent("memory_steps", "next", plan_id=plan_id, session_id=session))["next"]
    step = (await agent("memory_steps", "next", plan_id=plan_id, session_id=session, step_id=first["step_id"]))["next"]
    kept = await agent(TOOL, "checkpoint", name="before", data=DATA, session_id=session)
    assert (kept["name"], kept["plan_id"], kept["agent"], kept["session_id"]) == ("before", plan_id, "Ada", session)

    [row] = (await agent(TOOL, "list_checkpoints", plan_id=plan_id, detail="full"))["checkpoints"]
    assert row["data"] == DATA
    assert row["standing"] == kept["standing"]
    [held] = row["standing"]["held"]
    shared = ("step_id", "index", "task", "claim_token", "lease_expires_at")
    assert {name: held[name] for name in shared} == {name: step[name] for name in shared}
    plan = row["standing"]["plan"]
    assert (plan["plan_id"], plan["steps_done"], plan["steps_total"], plan["current_phase"]) == (plan_id, 1, 2, "Build")
    assert await agent(TOOL, "list_checkpoints", checkpoint_id=kept["checkpoint_id"]) == row

    [brief] = (await agent(TOOL, "list_checkpoints", plan_id=plan_id))["checkpoints"]
    assert "data" not in brief
    assert "standing" not in brief


async def test_a_checkpoint_needs_nothing_but_a_name(agent: Agent, workspace_id: str) -> None:
    kept = await agent(TOOL, "checkpoint", workspace_id=workspace_id, name="bare")
    assert kept == {
        "checkpoint_id": kept["checkpoint_id"],
        "workspace_id": workspace_id,
        "name": "bare",
        "created_at": kept["created_at"],
    }
    for more in ({"name": ""}, {"name": "x" * 65}, {"name": "a", "data": [1]}):
        error = await agent.fails(TOOL, "checkpoint", workspace_id=workspace_id, **more)
        assert error["code"] == "invalid_arguments"
    error = await agent.fails(TOOL, "checkpoint", workspace_id=workspace_id, name="a", data={"a": "x" * 1_100_000})
    assert error["code"] == "too_large"
    assert await names(agent, workspace_id=workspace_id) == ["bare"]


async def test_checkpoints_are_listed_newest_first_by_plan_and_name(
    agent: Agent, workspace_id: str, plan_id: str
) -> None:
    for number, name in enumerate(["a", "b", "a"]):
        await agent(TOOL, "checkpoint", workspace_id=workspace_id, name=name, data={"n": number})
    await agent(TOOL, "checkpoint", name="a", plan_id=plan_id)
    assert await names(agent, workspace_id=workspace_id) == ["a", "a", "b", "a"]
    assert await names(agent, workspace_id=workspace_id, name="b") == ["b"]
    assert await names(agent, plan_id=plan_id) == ["a"]

    page = await agent(TOOL, "list_checkpoints", workspace_id=workspace_id, name="a", limit=1, detail="full")
    seen = [page["checkpoints"][0].get("plan_id")]
    while cursor := page.get("next_cursor"):
        await agent(TOOL, "checkpoint", workspace_id=workspace_id, name="a")
        page = await agent(
            TOOL, "list_checkpoints", workspace_id=workspace_id, name="a", limit=1, detail="full", cursor=cursor
        )
        seen.append(page["checkpoints"][0]["data"])
    assert seen == [plan_id, {"n": 2}, {"n": 0}]


async def test_checkpoints_of_an_archived_plan_can_be_read(agent: Agent, workspace_id: str, plan_id: str) -> None:
    kept = await agent(TOOL, "checkpoint", name="before", data=DATA, plan_id=plan_id)
    session = (await agent(TOOL, "session_start", plan_id=plan_id, agent="Ada"))["session_id"]
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert await names(agent, workspace_id=workspace_id) == []
    assert await names(agent, plan_id=plan_id) == ["before"]
    assert (await agent(TOOL, "list_checkpoints", checkpoint_id=kept["checkpoint_id"]))["data"] == DATA
    assert (await agent.fails(TOOL, "checkpoint", name="x", plan_id=plan_id))["code"] == "conflict"
    after = await agent(TOOL, "checkpoint", name="after", session_id=session)
    assert "plan_id" not in after

    await agent("memory_plan", "unarchive", plan_id=plan_id)
    assert await names(agent, workspace_id=workspace_id) == ["after", "before"]


async def test_long_data_comes_whole_in_pieces(agent: Agent, workspace_id: str) -> None:
    data = {"log": "é\n" * 100_000}
    kept = await agent(TOOL, "checkpoint", workspace_id=workspace_id, name="long", data=data)
    [row] = (await agent(TOOL, "list_checkpoints", workspace_id=workspace_id, detail="full"))["checkpoints"]
    assert row["cut"]
    assert "data" not in row
    text, offset = "", 0
    while offset is not None:
        part = await agent(
            TOOL, "list_checkpoints", checkpoint_id=kept["checkpoint_id"], offset=offset, max_bytes=45_000
        )
        text, offset = text + part["text"], part.get("next_offset")
    assert text == '{"log":"' + "é\\n" * 100_000 + '"}'


async def test_what_does_not_exist_or_does_not_agree_is_refused(
    agent: Agent, workspace_id: str, plan_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
    kept = await agent(TOOL, "checkpoint", workspace_id=workspace_id, name="a")
    known = kept["checkpoint_id"]
    for action, named, code in (
        ("checkpoint", {"name": "a", "plan_id": "plan_000000000000"}, "not_found"),
        ("checkpoint", {"name": "a", "plan_id": plan_id, "workspace_id": other}, "conflict"),
        ("list_checkpoints", {"plan_id": "plan_000000000000"}, "not_found"),
        ("list_checkpoints", {"plan_id": plan_id, "workspace_id": other}, "conflict"),
        ("list_checkpoints", {"checkpoint_id": known, "workspace_id": other}, "conflict"),
        ("list_checkpoints", {"checkpoint_id": known, "plan_id": plan_id}, "conflict"),
        ("list_checkpoints", {"checkpoint_id": known, "name": "a"}, "invalid_arguments"),
        ("list_checkpoints", {"checkpoint_id": known[:-1]}, "not_found"),
    ):
        assert (await agent.fails(TOOL, action, **named))["code"] == code, named


async def test_a_checkpoint_outlives_the_server(agent: Agent, workspace_id: str, settings: Settings) -> None:
    await agent(TOOL, "checkpoint", workspace_id=workspace_id, name="kept", data=DATA)
    async with Client(build(Settings(data_root=settings.data_root, read_only=True)), raise_exceptions=True) as client:
        reader = Agent(client)
        page = await reader(TOOL, "list_checkpoints", workspace_id=workspace_id, detail="full")
        assert page["checkpoints"][0]["data"] == DATA
        error = await reader.fails(TOOL, "checkpoint", workspace_id=workspace_id, name="x")
        assert error["code"] == "not_allowed"
