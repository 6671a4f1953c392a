"""The first words of five real clients, as they were recorded: none of them waits for the SDK."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Start

SESSIONS = sorted((Path(__file__).resolve().parent.parent / "data" / "sessions").glob("*.jsonl"))
SDK = re.compile(r"\| +mcp(\.\w+)*$", re.MULTILINE)


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
async def test_no_client_needs_the_sdk_before_its_first_call_is_answered(
    start: Start, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    server = await start(greet=False)
    for line in path.read_bytes().splitlines():
        await server.send(line)
        if "id" in (message := json.loads(line)):
            answer = await server.receive()
            assert (answer["id"], "result" in answer) == (message["id"], True), answer
    without = server.logged
    await server.request("resources/read", {"uri": "memory://nothing"})

    assert not SDK.search(without)
    assert SDK.search(server.logged)
    assert (await server.end())[0] == 0


async def test_what_answers_first_is_the_standard_library(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    server = await start(greet=False)
    await server.initialize()
    await server.request("tools/list")
    before = server.logged.partition("server.calls")[0]

    assert "server.protocol.front" in before
    assert not re.search(r"\| +(pydantic|anyio|aiosqlite|mcp)$", before, re.MULTILINE)
