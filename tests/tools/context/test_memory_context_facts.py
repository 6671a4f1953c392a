"""memory_context: small facts are remembered, recalled and forgotten."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent

TOOL = "memory_context"


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Search", category="quick_task")
    return plan["plan_id"]


@pytest_asyncio.fixture
async def other_workspace(agent: Agent, tmp_path: Path) -> str:
    folder = tmp_path / "other"
    folder.mkdir()
    return (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]


@pytest.mark.parametrize("value", ["make test", "null", "12", '{"a": 1}', "  spaces \n", "tab\t\u2028 \U0001f600"])
async def test_a_fact_comes_back_as_the_text_it_was(agent: Agent, workspace_id: str, value: str) -> None:
    done = await agent(TOOL, "remember", workspace_id=workspace_id, key="test command", value=value, agent="coder")
    assert done == {
        "key": "test command",
        "workspace_id": workspace_id,
        "scope": "workspace",
        "namespace": "default",
        "version": 1,
    }
    told = await agent(TOOL, "recall", workspace_id=workspace_id, key="test command")
    assert (told["value"], told["created_by"]) == (value, "coder")


async def test_remembering_again_replaces_the_fact(agent: Agent, workspace_id: str) -> None:
    named: dict[str, Any] = {"workspace_id": workspace_id, "key": "k"}
    await agent(TOOL, "remember", **named, value="one", ttl_seconds=60)
    done = await agent(TOOL, "remember", **named, value="two")
    assert done["version"] == 2
    told = await agent(TOOL, "recall", **named)
    assert (told["value"], "expires_at" in told) == ("two", False)


async def test_namespaces_and_scopes_keep_equal_keys_apart(
    agent: Agent, workspace_id: str, other_workspace: str, plan_id: str
) -> None:
    places: list[dict[str, Any]] = [
        {"workspace_id": workspace_id},
        {"workspace_id": workspace_id, "namespace": "build"},
        {"workspace_id": other_workspace},
        {"scope": "plan", "plan_id": plan_id},
        {"workspace_id": workspace_id, "scope": "agent", "agent": "one"},
        {"workspace_id": workspace_id, "scope": "agent", "agent": "two"},
        {"workspace_id": workspace_id, "scope": "global"},
    ]
    for number, place in enumerate(places):
        assert (await agent(TOOL, "remember", **place, key="k", value=str(number)))["version"] == 1
    for number, place in enumerate(places):
        assert (await agent(TOOL, "recall", **place, key="k"))["value"] == str(number)


async def test_a_global_fact_is_known_in_every_workspace(agent: Agent, workspace_id: str, other_workspace: str) -> None:
    await agent(TOOL, "remember", workspace_id=workspace_id, scope="global", key="k", value="v")
    assert (await agent(TOOL, "recall", workspace_id=other_workspace, scope="global", key="k"))["value"] == "v"
    done = await agent(TOOL, "remember", workspace_id=other_workspace, scope="global", key="k", value="w")
    assert done["version"] == 2


async def test_a_global_fact_needs_no_workspace(agent: Agent, other_workspace: str) -> None:
    await agent(TOOL, "remember", scope="global", key="k", value="v")
    assert (await agent(TOOL, "recall", scope="global", key="k"))["value"] == "v"
    assert (await agent(TOOL, "forget", scope="global", key="k"))["preview"]["would_delete"]["key"] == "k"
    gone = await agent(TOOL, "forget", scope="global", key="k", confirm=True)
    assert "workspace_id" not in gone
    assert [
        row["trash_id"] for row in (await agent("memory_workspace", "trash", workspace_id=other_workspace))["trash"]
    ]

    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])

    assert (await agent(TOOL, "recall", workspace_id=other_workspace, scope="global", key="k"))["value"] == "v"


async def test_a_session_says_which_plan_and_agent_is_meant(agent: Agent, plan_id: str) -> None:
    session = await agent("memory_session", "session_start", plan_id=plan_id, agent="coder")
    for scope in ("plan", "agent"):
        await agent(TOOL, "remember", session_id=session["session_id"], scope=scope, key="k", value=scope)
    assert (await agent(TOOL, "recall", scope="plan", plan_id=plan_id, key="k"))["value"] == "plan"
    told = await agent(TOOL, "recall", workspace_id=session["workspace_id"], scope="agent", agent="coder", key="k")
    assert told["value"] == "agent"


async def test_a_scope_without_its_owner_is_refused(agent: Agent, workspace_id: str, plan_id: str) -> None:
    for more in ({"scope": "plan"}, {"scope": "agent"}, {"scope": "workspace", "plan_id": plan_id}):
        for action, rest in (("remember", {"value": "v"}), ("recall", {}), ("forget", {"confirm": True})):
            error = await agent.fails(TOOL, action, workspace_id=workspace_id, key="k", **rest, **more)
            assert error["code"] == "invalid_arguments"
    error = await agent.fails(TOOL, "remember", scope="plan", plan_id="plan_000000000000", key="k", value="v")
    assert error["code"] == "not_found"


async def test_an_expired_fact_does_not_exist(agent: Agent, workspace_id: str, db: Database) -> None:
    named: dict[str, Any] = {"workspace_id": workspace_id, "key": "k"}
    await agent(TOOL, "remember", **named, value="old", ttl_seconds=60)
    assert (await agent(TOOL, "recall", **named))["expires_at"]
    async with db.transaction() as tx:
        await tx.run("UPDATE memory_entries SET expires_at = '2020-01-01T00:00:00.000Z'")

    assert (await agent.fails(TOOL, "recall", **named))["code"] == "not_found"
    assert (await agent.fails(TOOL, "forget", **named, confirm=True))["code"] == "not_found"
    assert await agent(TOOL, "recall", workspace_id=workspace_id) == {"memories": [], "total": 0}
    assert (await agent(TOOL, "remember", **named, value="new"))["version"] == 1
    assert (await agent(TOOL, "recall", **named))["value"] == "new"


async def test_an_unknown_key_names_near_ones(agent: Agent, workspace_id: str) -> None:
    await agent(TOOL, "remember", workspace_id=workspace_id, key="test command", value="v", namespace="build")
    error = await agent.fails(TOOL, "recall", workspace_id=workspace_id, key="test comand")
    assert error["code"] == "not_found"
    assert error["near"] == [{"namespace": "build", "key": "test command"}]


@pytest.mark.parametrize(("scope", "wanted"), [("plan", "plan_id"), ("agent", "session_id or agent")])
@pytest.mark.parametrize("action", [{"action": "remember", "value": "v"}, {"action": "recall"}, {"action": "forget"}])
async def test_a_fact_of_nobody_is_refused_in_words_of_the_action(
    agent: Agent, workspace_id: str, scope: str, wanted: str, action: dict[str, str]
) -> None:
    name = action["action"]
    given = {"value": action["value"]} if "value" in action else {}
    error = await agent.fails(TOOL, name, **given, key="k", scope=scope, workspace_id=workspace_id)
    assert (error["code"], error["missing"]) == ("invalid_arguments", [wanted])
    assert f"Send {wanted}, or another scope" in error["message"]


async def test_a_list_pages_through_all_namespaces_and_cuts_long_values(agent: Agent, workspace_id: str) -> None:
    for number in range(12):
        place = {"workspace_id": workspace_id, "namespace": f"n{number % 2}"}
        await agent(TOOL, "remember", **place, key=f"key {number:02}", value="x" * (number * 100)) if number else None
    page = await agent(TOOL, "recall", workspace_id=workspace_id, limit=5)
    rows = page["memories"]
    while cursor := page.get("next_cursor"):
        page = await agent(TOOL, "recall", workspace_id=workspace_id, limit=5, cursor=cursor)
        rows += page["memories"]
    assert [(row["namespace"], row["key"]) for row in rows] == sorted(
        (f"n{number % 2}", f"key {number:02}") for number in range(1, 12)
    )
    assert page["total"] == 11
    assert all(len(row["value"]) == (300 if row.get("cut") else int(row["key"][4:]) * 100) for row in rows)
    assert len([row for row in rows if row.get("cut")]) == 8
    only = await agent(TOOL, "recall", workspace_id=workspace_id, namespace="n1", prefix="key 0")
    assert [row["key"] for row in only["memories"]] == ["key 01", "key 03", "key 05", "key 07", "key 09"]
    error = await agent.fails(TOOL, "recall", workspace_id=workspace_id, key="k", prefix="k")
    assert error["code"] == "invalid_arguments"


async def test_a_long_fact_can_be_read_whole_in_pieces(agent: Agent, workspace_id: str) -> None:
    value = 'line é "quoted"\n' * 10_000
    await agent(TOOL, "remember", workspace_id=workspace_id, key="k", value=value)
    text, offset = "", 0
    while offset is not None:
        part = await agent(TOOL, "recall", workspace_id=workspace_id, key="k", offset=offset, max_bytes=45_000)
        text, offset = text + part["text"], part.get("next_offset")
    assert text == value


async def test_a_fact_is_forgotten_only_with_confirm(agent: Agent, workspace_id: str, db: Database) -> None:
    named: dict[str, Any] = {"workspace_id": workspace_id, "key": "k"}
    await agent(TOOL, "remember", **named, value="v")
    told = await agent(TOOL, "forget", **named)
    assert told["preview"]["would_delete"]["key"] == "k"
    assert (await agent(TOOL, "recall", **named))["value"] == "v"

    done = await agent(TOOL, "forget", **named, confirm=True)
    assert (await agent.fails(TOOL, "recall", **named))["code"] == "not_found"
    rows = json.loads(await db.value("SELECT data FROM trash WHERE trash_id = :id", {"id": done["trash_id"]}))
    assert json.loads(rows["memory_entries"][0]["value"]) == "v"
    await agent("memory_workspace", "restore", trash_id=done["trash_id"])
    assert (await agent(TOOL, "recall", **named))["value"] == "v"


@pytest.mark.parametrize(
    ("field", "value"), [("key", ""), ("key", "a\nb"), ("value", " "), ("value", "a\0"), ("ttl_seconds", 0)]
)
async def test_a_fact_that_is_not_well_formed_is_refused(
    agent: Agent, workspace_id: str, field: str, value: Any
) -> None:
    arguments = {"key": "k", "value": "v", field: value}
    error = await agent.fails(TOOL, "remember", workspace_id=workspace_id, **arguments)
    assert (error["code"], error["invalid"][0]["param"]) == ("invalid_arguments", field)
    assert (await agent(TOOL, "recall", workspace_id=workspace_id))["total"] == 0
