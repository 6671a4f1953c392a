"""The server as an editor starts it: a process that speaks JSON-RPC on its pipes and nothing else."""

import asyncio
import json
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import TextContent

from server.tools import TOOLS
from tests.e2e.conftest import PATIENCE, Connect, RawServer, Start, environment

SIGNALS = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGINT, signal.SIGTERM]


async def registered(server: RawServer, project: Path) -> str:
    return (await server.call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]


def text_of(result: Any) -> dict[str, Any]:
    [block] = result.content
    assert isinstance(block, TextContent)
    return json.loads(block.text)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_both_eras_list_and_call_over_real_pipes(connect: Connect, project: Path, mode: str) -> None:
    client: Client = await connect(mode)
    listed = await client.list_tools()
    answer = await client.call_tool("memory_workspace", {"action": "register", "workspace_path": str(project)})
    found = await client.call_tool("memory_workspace", {"action": "list"})

    assert [tool.name for tool in listed.tools] == sorted(TOOLS)
    assert text_of(found)["workspaces"][0]["workspace_id"] == text_of(answer)["workspace_id"]


async def test_two_processes_share_one_store(connect: Connect, project: Path) -> None:
    one, other = await connect("auto"), await connect("legacy")
    await one.call_tool("memory_workspace", {"action": "register", "workspace_path": str(project)})

    assert text_of(await other.call_tool("memory_workspace", {"action": "list"}))["total"] == 1


async def test_the_handshake_tells_who_answers_and_the_listing_what_it_can(start: Start) -> None:
    server = await start(greet=False)
    hello = await server.initialize()
    tools = (await server.request("tools/list"))["result"]["tools"]

    assert hello["protocolVersion"] == "2025-11-25"
    assert hello["serverInfo"]["name"] == "project-memory"
    assert hello["capabilities"]["tools"] == {"listChanged": False}
    assert [tool["name"] for tool in tools] == sorted(TOOLS)
    assert await server.end() == (0, [])


@pytest.mark.parametrize("version", ["2025-06-18", "2025-03-26", "2024-11-05"])
async def test_an_older_client_is_answered_in_its_version(start: Start, version: str) -> None:
    server = await start(greet=False)
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}

    assert (await server.request("initialize", hello))["result"]["protocolVersion"] == version
    assert await server.is_alive()


async def test_nothing_but_protocol_is_on_stdout_even_when_everything_is_logged(start: Start, project: Path) -> None:
    server = await start("--log-level", "debug")
    await registered(server, project)
    await server.call("memory_plan", "get", plan_id="plan_unknown")
    code, rest = await server.end()

    assert (code, rest) == (0, [])
    assert "DEBUG" in server.logged


async def test_the_log_holds_no_data_of_users(start: Start, project: Path) -> None:
    server = await start("--log-level", "debug")
    workspace_id = await registered(server, project)
    await server.call("memory_plan", "create", workspace_id=workspace_id, title="words that nobody else may read")
    await server.end()

    assert "words that nobody" not in server.logged


async def test_the_end_of_input_ends_the_server_and_leaves_no_write_ahead_log(
    start: Start, project: Path, data_root: Path
) -> None:
    server = await start()
    await registered(server, project)

    assert await server.end() == (0, [])
    assert {path.name for path in data_root.iterdir()} == {"project-memory.db", "project-memory.lock", "processes"}
    assert list((data_root / "processes").iterdir()) == []
    assert server.logged == ""


async def test_an_input_that_ends_at_once_ends_the_server(start: Start) -> None:
    server = await start(greet=False)

    assert await server.end() == (0, [])


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_the_server_at_once(start: Start, project: Path, number: signal.Signals) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    server.process.send_signal(number)
    with anyio.fail_after(PATIENCE):
        code = await server.process.wait()
    again = await start()

    assert code != 0
    assert (await again.call("memory_workspace", "list"))["workspaces"][0]["workspace_id"] == workspace_id


async def test_an_answered_write_survives_kill_9(start: Start, project: Path, data_root: Path) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    plan = await server.call("memory_plan", "create", workspace_id=workspace_id, title="A", steps=[{"task": "one"}])
    server.process.kill()
    await server.process.wait()
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    again = await start()
    found = await again.call("memory_plan", "get", plan_id=plan["plan_id"])

    assert (found["title"], found["steps_total"]) == ("A", 1)


async def test_calls_that_come_all_at_once_are_all_answered(start: Start, project: Path) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    for number in range(100):
        arguments = {"action": "create", "workspace_id": workspace_id, "title": f"Plan {number}"}
        params = {"name": "memory_plan", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": f"n{number}", "method": "tools/call", "params": params}
        await server.send(json.dumps(message).encode())
    answers = [await server.receive() for _ in range(100)]
    listed = await server.call("memory_plan", "list", workspace_id=workspace_id, limit=1)

    assert {answer["id"] for answer in answers} == {f"n{number}" for number in range(100)}
    assert not any(answer["result"].get("isError") for answer in answers)
    assert listed["total"] == 100


async def test_a_cancelled_call_is_forgotten_and_the_next_one_answered(start: Start, project: Path) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    latest = (await server.call("memory_workspace", "events", workspace_id=workspace_id))["latest_id"]
    arguments = {"action": "events", "workspace_id": workspace_id, "since_id": latest, "wait_seconds": 25}
    params = {"name": "memory_workspace", "arguments": arguments}
    await server.send(json.dumps({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": params}).encode())
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}}
    await server.send(json.dumps(cancel).encode())
    plan = await server.call("memory_plan", "create", workspace_id=workspace_id, title="A")

    assert plan["title"] == "A"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--log-level", "loud"], "--log-level (or PM_LOG_LEVEL) is 'loud'"),
        (["--tools", "memory_nothing"], "memory_nothing; there are: core, all, memory_"),
        (["--workspace"], "--help lists every setting"),
    ],
)
async def test_a_wrong_flag_is_told_in_a_line_and_ends_with_2(start: Start, flags: list[str], told: str) -> None:
    server = await start(*flags, greet=False)

    assert await server.wait() == (2, [])
    assert told in server.logged
    assert len(server.logged.splitlines()) == 1


async def test_settings_come_from_the_environment_too(start: Start, tmp_path: Path, project: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "server"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=tmp_path,
        env=environment(PM_DATA_ROOT=str(tmp_path / "elsewhere"), PM_TOOLS="memory_workspace", PM_READ_ONLY="1"),
    )
    made = await start(data_root=tmp_path / "elsewhere")  # a read-only server makes no database
    await registered(made, project)
    server = RawServer(process, tmp_path / "none.log")
    await server.initialize()
    tools = (await server.request("tools/list"))["result"]["tools"]
    refused = await server.call("memory_workspace", "register", workspace_path=str(project))
    listed = await server.call("memory_workspace", "list")

    assert [tool["name"] for tool in tools] == ["memory_workspace"]
    assert refused["error"]["code"] == "not_allowed"
    assert listed["total"] == 1
    assert await server.end() == (0, [])


async def test_the_folder_that_the_server_runs_in_tells_the_workspace(start: Start, project: Path) -> None:
    first = await start()
    workspace_id = await registered(first, project)
    (project / "src").mkdir()
    inside = await start(cwd=project / "src")
    plan = await inside.call("memory_plan", "create", title="A")

    assert plan["workspace_id"] == workspace_id


async def test_pm_workspace_comes_before_the_folder(start: Start, tmp_path: Path, project: Path) -> None:
    (tmp_path / "other").mkdir()
    first = await start()
    await registered(first, project)
    chosen = await registered(first, tmp_path / "other")
    server = await start("--workspace", chosen, cwd=project)

    assert (await server.call("memory_plan", "create", title="A"))["workspace_id"] == chosen
