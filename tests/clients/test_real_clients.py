"""Clients that others wrote, started as an editor starts them: what they make of the listing, of answers, of errors.

Each folder here is one: a program that connects, lists the tools as its framework gives them to a model, makes the
calls it is told to, and prints both. `scripts/equip.py` installs what it needs; none needs a network, or a model.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equip
import pytest

from server.cli.setup.launching import launch
from tests.e2e.processes import ServerProcess

MODES = {"all": (), "core": ("--tools", "core"), "read-only": ("--read-only",)}
SECONDS = 300  # until a client that says nothing has failed
NOWHERE = "http://127.0.0.1:9"  # a proxy that is not there: no client reaches a network
IN_CI = os.environ.get("CI", "") not in ("", "0", "false")
# In CI `scripts/test` names what could not be installed; elsewhere it is an error.
CLIENTS = [name for name in equip.clients() if equip.is_ready(name) or not IN_CI]
PHASES = [{"name": "Größe 📏", "steps": [{"task": "measure", "notes": None}, {"task": "cut", "depends_on": [0]}]}]

Found = dict[str, Any]
Calls = Sequence[tuple[str, Found]]


def wish(folder: Path, mode: str, calls: Calls = ()) -> Found:
    """A start of the server in a folder, and the calls to make."""
    server = launch()
    return {
        "command": server.command,
        "args": [*server.args, "--data-root", str(folder / "data"), *MODES[mode]],
        "env": server.env,
        "cwd": str(folder),
        "calls": [{"tool": tool, "arguments": arguments} for tool, arguments in calls],
    }


async def spoken(client: str, folder: Path, wishes: list[Found]) -> list[Found]:
    """Let a client fulfil wishes, one after the other; return the tools it found and what its calls came to."""
    assert equip.is_ready(client), f"{client} is not installed: ./scripts/test --browser does it"
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *equip.command(client),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**kept, "HOME": str(folder), "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE},
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(json.dumps(wishes).encode()), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, errors.decode(errors="replace")[-4000:]
    return json.loads(out.splitlines()[-1])


async def listed(folder: Path, mode: str) -> dict[str, Found]:
    """Return the tools as the server lists them, to the letter."""
    server = await ServerProcess.start(folder / "data", *MODES[mode])
    tools = (await server.request("tools/list", {}))["tools"]
    assert await server.close() == 0
    return {tool["name"]: tool for tool in tools}


def meaning(schema: Found) -> Found:
    """What a schema says, however a client writes it down for its model: in capitals, with null beside it."""
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        [only] = choices
        return meaning({**only, "description": schema.get("description", only.get("description"))})
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    [kind] = [name.lower() for name in types if name.lower() != "null"]
    said = {"type": kind, "enum": schema.get("enum"), "description": schema.get("description")}
    return {**said, "items": meaning(schema["items"])} if kind == "array" else said


def compare(found: Found, wanted: Found) -> None:
    """See that a tool came through with its description, all its parameters, and what it requires."""
    properties = {name: meaning(schema) for name, schema in wanted["inputSchema"]["properties"].items()}
    assert found["description"] == wanted["description"]
    assert found["parameters"]["required"] == wanted["inputSchema"]["required"] == ["action"]
    for schema in (found["parameters"], *found.get("converted", ())):
        assert schema["type"].lower() == "object"
        assert {name: meaning(one) for name, one in schema["properties"].items()} == properties
        assert "action" in schema["required"]


@pytest.mark.browser
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_gets_every_tool_whole_and_its_calls_and_errors_come_through(
    client: str, tmp_path: Path
) -> None:
    project = tmp_path / "a project"
    project.mkdir()
    here = {"workspace_path": str(project)}
    calls: Calls = [
        ("memory_workspace", {"action": "register", **here}),
        ("memory_plan", {"action": "create", **here, "title": "Shelf", "category": "quick_task", "phases": PHASES}),
        ("memory_plan", {"action": "get", "plan_id": "plan_nothing"}),
    ]
    wishes = [wish(tmp_path, mode, calls if mode == "all" else ()) for mode in MODES]
    told = dict(zip(MODES, await spoken(client, tmp_path, wishes), strict=True))

    for mode, answer in told.items():
        wanted = await listed(tmp_path, mode)
        found = {tool["name"]: tool for tool in answer["tools"]}
        assert found.keys() == wanted.keys() != set()
        for name in wanted:
            compare(found[name], wanted[name])
    registered, made, refused = told["all"]["answers"]
    assert [answer["failed"] for answer in (registered, made, refused)] == [False, False, True]
    assert json.loads(registered["text"])["path"] == str(project)
    assert json.loads(made["text"])["current_phase"] == "Größe 📏"
    assert json.loads(refused["text"])["error"]["code"] == "not_found"
    await stored(tmp_path, json.loads(made["text"])["plan_id"])


async def stored(folder: Path, plan_id: str) -> None:
    """See that a plan which a client made is there, with its steps."""
    server = await ServerProcess.start(folder / "data")
    steps = (await server("memory_steps", "list", plan_id=plan_id))["steps"]
    assert [step["task"] for step in steps] == ["measure", "cut"]
    assert await server.close() == 0
