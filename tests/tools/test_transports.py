"""Every action answers over HTTP as it does in memory, in both eras of the protocol, but for what a server forbids."""

import re
import shutil
from pathlib import Path
from typing import Any

from server.registry import HELP, Action
from server.settings import Settings
from server.tools import TOOLS
from server.tools.approvals.callers import HOST_ACTIONS, HOST_PARAMS, HOST_TOOLS
from server.web.places.addresses import ServeOptions
from tests.conftest import HTTP, OLDER_HTTP, client_of
from tests.populated_store import PopulatedStore, answer
from tests.served import held, mcp_client, serve

TRANSPORTS = ("memory", HTTP, OLDER_HTTP)
ACTIONS = [action for tool in TOOLS.values() for action in tool.actions.values()]
MADE_NEW = re.compile(r"\b[a-z]{2,}_[0-9a-z]{12}\b|\d{4}-\d\d-\d\dT[\d:.]+Z|\b[0-9a-f]{16,}\b")
MEASURED = re.compile(r'("(?:\w+_)?(?:bytes|seconds|ms|pid)"):[\d.]+')  # what no two runs share

SINCE = {"memory_session timeline": {"since": "2020-01-01T00:00:00Z"}}  # else it begins at a moment before now

Answer = tuple[str, str, str]


def name_of(action: Action) -> str:
    return f"{action.tool} {action.name}"


async def answers(data_root: Path, transport: str, store: PopulatedStore, *, writing: bool) -> list[Answer]:
    """Return what all actions that read, or that write, answer one behind the other."""
    found: list[Answer] = []
    async with client_of(Settings(data_root=data_root, synchronous="off"), transport) as client:
        for action in ACTIONS:
            sent = store.plausible(action) | SINCE.get(name_of(action), {})
            if action.writes(sent) == writing:
                failed, _, text = await answer(client, action.tool, {"action": action.name, **sent})
                found.append((name_of(action), "failed" if failed else "done", MEASURED.sub(r"\1:?", text)))
    return found


def differences(one: list[Answer], other: list[Answer]) -> list[tuple[Answer, Answer]]:
    return [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]


async def test_every_action_that_reads_answers_the_same(copy: PopulatedStore) -> None:
    told = [await answers(copy.data_root, transport, copy, writing=False) for transport in TRANSPORTS]

    assert differences(told[0], told[1]) == []
    assert differences(told[0], told[2]) == []


async def test_every_action_that_writes_does_the_same(world: PopulatedStore, tmp_path: Path) -> None:
    project = Path(world.arguments["workspace_path"])
    shutil.copytree(project, tmp_path / "before")
    told: list[list[Answer]] = []
    for transport in TRANSPORTS:
        shutil.copytree(world.data_root, tmp_path / transport)
        told.append(
            [
                (name, how, MADE_NEW.sub("?", text.replace(str(tmp_path / transport), "DATA")))
                for name, how, text in await answers(tmp_path / transport, transport, world, writing=True)
            ]
        )
        shutil.rmtree(project)
        shutil.copytree(tmp_path / "before", project)

    assert differences(told[0], told[1]) == []
    assert differences(told[0], told[2]) == []


def reaches_the_host(action: Action, sent: dict[str, Any]) -> bool:
    if action.name == HELP:
        return False
    named = action.tool in HOST_TOOLS or action.name in HOST_ACTIONS.get(action.tool, ())
    return named or any(sent.get(name) is not None for name in HOST_PARAMS)


def touched(folder: Path) -> dict[str, int]:
    """Return when each file and folder below one was changed last."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


async def test_what_reaches_files_and_programs_is_off_on_a_public_server_and_nothing_else(copy: PopulatedStore) -> None:
    public = ServeOptions(port=0, behind_proxy=True, public_url="https://memory.example.com")
    refused: list[str] = []
    projects = Path(copy.arguments["workspace_path"]).parent
    before = touched(projects)
    async with (
        serve(Settings(data_root=copy.data_root, synchronous="off"), public) as served,
        held(mcp_client(served.url, await served.token())) as client,
    ):
        for action in ACTIONS:
            told = await answer(client, action.tool, {"action": action.name, **copy.plausible(action)})
            if "--allow-host-tools" in told[2]:
                refused.append(name_of(action))

    assert refused == [name_of(action) for action in ACTIONS if reaches_the_host(action, copy.plausible(action))]
    assert "memory_filesystem read" in refused
    assert "memory_plan get" not in refused
    assert touched(projects) == before
