"""Both protocol eras are served alike: 2026-07-28 without a handshake, 2025-11-25 with one."""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, TextContent

from server import __version__
from server.protocol.app import INSTRUCTIONS, build
from server.settings import Settings
from server.tools import TOOLS

MODES = ("auto", "legacy")
SECRET = "a secret of the implementation"
every_era = pytest.mark.parametrize("mode", MODES)


@asynccontextmanager
async def connected(settings: Settings, mode: str) -> AsyncGenerator[Client]:
    async with Client(build(settings), mode=mode) as client:
        yield client


async def call(client: Client, tool: str, action: str, /, **arguments: Any) -> tuple[bool, dict[str, Any]]:
    result = await client.call_tool(tool, {"action": action, **arguments})
    [block] = result.content
    assert isinstance(block, TextContent)
    return bool(result.is_error), json.loads(block.text)


async def ok(client: Client, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
    failed, answer = await call(client, tool, action, **arguments)
    assert not failed, answer
    return answer


def break_the_table(settings: Settings) -> None:
    """Make every read of workspaces fail in a way that no code foresees."""
    with closing(sqlite3.connect(settings.database)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(f'ALTER TABLE workspaces RENAME TO "{SECRET}"')
        db.commit()


@every_era
async def test_the_era_is_negotiated_and_the_server_names_itself(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as client:
        assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]
        assert client.server_info
        assert (client.server_info.name, client.server_info.title) == ("project-memory", "Project Memory")
        assert client.server_info.version == __version__
        assert client.instructions == INSTRUCTIONS


@every_era
async def test_capabilities_are_what_is_really_there(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as client:
        told = client.server_capabilities.model_dump(exclude_none=True)
        assert told.keys() == {"tools", "resources", "prompts", "completions"}
        assert told["prompts"] == {"list_changed": False}
        assert told["resources"] == {"subscribe": True, "list_changed": False}
        assert told["tools"] == {"list_changed": False}
        assert (await client.list_tools()).tools
        await client.list_resources()
        await client.list_resource_templates()
        assert (await client.list_prompts()).prompts


async def test_both_eras_list_the_same_tools(settings: Settings) -> None:
    listings: list[Any] = []
    for mode in MODES:
        async with connected(settings, mode) as client:
            listings.append([tool.model_dump(by_alias=True) for tool in (await client.list_tools()).tools])

    assert listings[0] == listings[1]
    assert [tool["name"] for tool in listings[0]] == sorted(TOOLS)


@every_era
async def test_only_the_tools_that_are_wanted_are_offered(settings: Settings, mode: str) -> None:
    chosen = Settings(data_root=settings.data_root, tools=("memory_steps",), synchronous="off")
    async with connected(chosen, mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["memory_steps"]
        failed, answer = await call(client, "memory_plan", "list")

    assert (failed, answer["error"]["code"]) == (True, "unknown_action")


@every_era
async def test_a_plan_is_made_worked_on_and_found_again_after_a_restart(
    settings: Settings, project: Path, mode: str
) -> None:
    async with connected(settings, mode) as client:
        workspace = await ok(client, "memory_workspace", "register", workspace_path=str(project))
        plan = await ok(
            client,
            "memory_plan",
            "create",
            workspace_id=workspace["workspace_id"],
            title="Größe 日本 💥",
            steps='[{"task":"one","phase":"A"},{"task":"two"}]',
        )
        first = await ok(client, "memory_steps", "next", plan_id=plan["plan_id"], agent="a")
    async with connected(settings, mode) as client:
        again = await ok(
            client, "memory_steps", "next", plan_id=plan["plan_id"], step_id=first["next"]["step_id"], agent="a"
        )
        found = await ok(client, "memory_plan", "get", plan_id=plan["plan_id"])

    assert (first["next"]["task"], again["next"]["task"]) == ("one", "two")
    assert (found["title"], found["steps_done"], found["steps_total"]) == ("Größe 日本 💥", 1, 2)


@every_era
async def test_an_error_of_a_tool_is_an_answer_for_the_model(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as client:
        failed, answer = await call(client, "memory_plan", "get", plan_id="plan_unknown")
        assert (failed, answer["error"]["code"]) == (True, "not_found")
        failed, answer = await call(client, "memory_plan", "creat", title="A")
        assert (failed, answer["error"]["code"]) == (True, "unknown_action")
        failed, answer = await call(client, "memory_plan", "create", titel="A")
        assert (failed, answer["error"]["code"]) == (True, "invalid_arguments")


@every_era
async def test_a_tool_without_arguments_is_answered(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as client:
        result = await client.call_tool("memory_plan")
        assert result.is_error


@every_era
async def test_a_defect_is_logged_under_a_reference_and_told_to_nobody(
    settings: Settings, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(settings, mode) as client:
        await ok(client, "memory_workspace", "list")
        break_the_table(settings)
        failed, answer = await call(client, "memory_workspace", "list")
        with pytest.raises(MCPError) as listing:
            await client.list_resources()
        with pytest.raises(MCPError) as reading:
            await client.read_resource("memory://workspaces/ws_1")
        assert (await client.list_tools()).tools

    assert (failed, answer["error"]["code"]) == (True, "internal")
    assert listing.value.error.code == reading.value.error.code == INTERNAL_ERROR
    for told in (answer["error"]["message"], listing.value.error.message, reading.value.error.message):
        assert told.rpartition(" ")[2].rstrip(".") in caplog.text
        assert "workspaces" not in told.replace("memory_workspace", "")
        assert "Error" not in told
        assert SECRET not in told


@every_era
async def test_a_store_that_cannot_be_opened_is_told_by_every_kind_of_request(unused: Settings, mode: str) -> None:
    unused.database.mkdir(parents=True)
    async with connected(unused, mode) as client:
        failed, answer = await call(client, "memory_workspace", "list")
        with pytest.raises(MCPError) as listing:
            await client.list_resources()
        with pytest.raises(MCPError) as reading:
            await client.read_resource("memory://plans/plan_1")
        unused.database.rmdir()
        assert await ok(client, "memory_workspace", "list") == {"workspaces": [], "total": 0}
        assert [one.uri for one in (await client.list_resources()).resources] == ["memory://workspaces"]

    assert (failed, answer["error"]["code"]) == (True, "storage")
    assert listing.value.error.code == reading.value.error.code == INTERNAL_ERROR
    assert "--data-root" in answer["error"]["message"]
    assert listing.value.error.message == reading.value.error.message == answer["error"]["message"]


@every_era
async def test_a_resource_that_is_not_there_is_the_callers_mistake(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as client:
        for uri in ("memory://plans/plan_1", "memory://nothing", "file:///etc/passwd", "memory://plans/"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.code == INVALID_PARAMS, uri
