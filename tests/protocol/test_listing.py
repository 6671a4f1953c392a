"""What `tools/list` shows: the tools that are wanted, and only what reads where every write is refused."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client
from mcp.types import TextContent, Tool

from server.calls import offered
from server.errors import InvalidArguments
from server.protocol.app import build
from server.settings import Settings
from server.tools import TOOLS

CORE = ["agent", "context", "plan", "session", "steps", "workspace"]
ALL = [name.removeprefix("memory_") for name in sorted(TOOLS)]
every_era = pytest.mark.parametrize("mode", ["auto", "legacy"])


@asynccontextmanager
async def listing(settings: Settings, mode: str = "auto", **chosen: Any) -> AsyncGenerator[tuple[Client, list[Tool]]]:
    async with Client(build(replace(settings, **chosen)), mode=mode) as client:
        yield client, (await client.list_tools()).tools


def names(tools: list[Tool]) -> list[str]:
    return [tool.name.removeprefix("memory_") for tool in tools]


def reads(tool: str, action: str) -> bool:
    return not TOOLS[tool].actions[action].writes({})


@every_era
async def test_groups_and_names_say_which_tools_are_listed(settings: Settings, mode: str) -> None:
    for chosen, wanted in {
        (): ALL,
        ("all",): ALL,
        ("core",): CORE,
        ("core", "memory_library"): sorted([*CORE, "library"]),
        ("memory_steps", "core"): CORE,
        ("memory_program", "memory_steps"): ["program", "steps"],
    }.items():
        async with listing(settings, mode, tools=chosen) as (_, tools):
            assert names(tools) == wanted, chosen


@pytest.mark.parametrize(("chosen", "near"), [("cor", ""), ("steps", "memory_steps"), ("memory_plans", "memory_plan")])
def test_a_tool_or_group_that_is_none_is_refused_with_those_there_are(
    settings: Settings, chosen: str, near: str
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        offered(replace(settings, tools=("core", chosen)))

    assert all(name in str(caught.value) for name in ("PM_TOOLS", "core", "all", *TOOLS, near))


@every_era
async def test_a_read_only_server_lists_no_action_that_writes(settings: Settings, mode: str) -> None:
    async with listing(settings, mode, read_only=True) as (_, tools):
        for tool in tools:
            listed = tool.input_schema["properties"]["action"]["enum"]
            assert listed == sorted(name for name in TOOLS[tool.name].actions if reads(tool.name, name))
            for name in TOOLS[tool.name].actions.keys() - set(listed):
                assert f"\n{name}(" not in (tool.description or "")
    assert names(tools) == ALL


@every_era
async def test_a_read_only_server_lists_no_parameter_that_only_a_writing_action_takes(
    settings: Settings, mode: str
) -> None:
    async with listing(settings, mode, read_only=True) as (_, tools), listing(settings, mode) as (_, whole):
        for tool, with_writes in zip(tools, whole, strict=True):
            actions = TOOLS[tool.name].actions.values()
            taken = {name for action in actions if reads(tool.name, action.name) for name in action.params}
            taken -= {str(action.writes_with) for action in actions}
            shown = tool.input_schema["properties"].keys() - {"action"}
            assert shown <= taken
            assert {name for action in actions if action.read_only for name in action.params} <= shown
            for param in shown:
                assert tool.input_schema["properties"][param] == with_writes.input_schema["properties"][param]
            assert not shown & {"confirm", "force", "request_id", "expected_version", "claim_token", "output_path"}


@every_era
@pytest.mark.parametrize("read_only", [False, True])
async def test_a_tool_is_called_read_only_if_every_action_in_the_listing_reads(
    settings: Settings, mode: str, read_only: bool
) -> None:
    async with listing(settings, mode, read_only=read_only) as (_, tools):
        for tool in tools:
            actions = [TOOLS[tool.name].actions[name] for name in tool.input_schema["properties"]["action"]["enum"]]
            assert tool.annotations
            assert tool.annotations.read_only_hint is (read_only or all(action.read_only for action in actions))
            assert tool.annotations.destructive_hint is any(a.destructive for a in actions)
            assert not (tool.annotations.read_only_hint and tool.annotations.destructive_hint)


async def test_a_call_that_is_not_listed_is_refused_in_words(settings: Settings) -> None:
    async with listing(settings, read_only=True) as (client, _):
        result = await client.call_tool("memory_plan", {"action": "create", "title": "A"})
        [block] = result.content

    assert result.is_error
    assert isinstance(block, TextContent)
    assert "--read-only" in block.text
