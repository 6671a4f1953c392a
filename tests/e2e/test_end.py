"""What was read is answered before the server ends, however it is told to."""

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.settings import DATABASE_NAME
from tests.e2e.conftest import ENVELOPE, HELLO, PATIENCE, Message, RawServer, Start, environment

SIGNALS = [] if sys.platform == "win32" else [signal.SIGINT, signal.SIGTERM]
WAIT = {"action": "events", "since_id": 1_000_000, "wait_seconds": 25}


def request(request_id: int | str, method: str, params: dict[str, Any] | None = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
    return json.dumps(message).encode()


def call(request_id: int | str, tool: str, arguments: dict[str, Any]) -> bytes:
    return request(request_id, "tools/call", {"name": tool, "arguments": arguments})


def creates(workspace_id: str, count: int) -> bytes:
    plans = [{"action": "create", "workspace_id": workspace_id, "title": f"Plan {n}"} for n in range(count)]
    return b"\n".join(call(f"n{n}", "memory_plan", plan) for n, plan in enumerate(plans))


async def registered(server: RawServer, project: Path) -> str:
    return (await server.call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]


def told(answer: Message) -> dict[str, Any]:
    return json.loads(answer["result"]["content"][0]["text"])


def stored(data_root: Path) -> int:
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        return db.execute("SELECT count(*) FROM plans").fetchone()[0]


def launched(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A server that nobody reads unless the test does."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "server", "--data-root", str(tmp_path / "data")]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=tmp_path, env=environment())


async def test_calls_that_came_before_the_end_of_input_are_all_answered(
    start: Start, project: Path, data_root: Path
) -> None:
    server = await start()
    await server.send(creates(await registered(server, project), 30))
    code, answers = await server.end()

    assert code == 0
    assert {answer["id"] for answer in answers} == {f"n{n}" for n in range(30)}
    assert {told(answer)["title"] for answer in answers} == {f"Plan {n}" for n in range(30)}
    assert stored(data_root) == 30


async def test_a_whole_conversation_may_be_piped_in(start: Start, project: Path, data_root: Path, seeded: Path) -> None:
    data_root.mkdir(mode=0o700)
    shutil.copy(seeded, data_root / DATABASE_NAME)  # on a busy disk it takes longer to make one than an end may last
    server = await start(greet=False)
    await server.send(request(1, "initialize", HELLO))
    await server.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    await server.send(call(2, "memory_workspace", {"action": "register", "workspace_path": str(project)}))
    assert server.process.stdin
    server.process.stdin.write(call(3, "memory_workspace", {"action": "list"}))  # no end of the line
    code, answers = await server.end()

    assert code == 0
    assert sorted(answer["id"] for answer in answers) == [1, 2, 3]
    assert not any("error" in answer or answer["result"].get("isError") for answer in answers)


async def test_who_waits_for_events_is_answered_when_the_input_ends(start: Start, project: Path) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    await server.send(call("wait", "memory_workspace", {**WAIT, "workspace_id": workspace_id}))
    code, [answer] = await server.end()

    assert (code, answer["id"], told(answer)["events"]) == (0, "wait", [])


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_leaves_nothing_unanswered(
    start: Start, project: Path, data_root: Path, number: signal.Signals
) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    await server.send(call("wait", "memory_workspace", {**WAIT, "workspace_id": workspace_id}))
    await server.send(creates(workspace_id, 10))
    server.process.send_signal(number)
    code, answers = await server.wait()

    assert code == 128 + number
    assert {answer["id"] for answer in answers} == {"wait", *(f"n{n}" for n in range(10))}
    assert not any(answer["result"].get("isError") for answer in answers)
    assert stored(data_root) == 10


async def test_a_write_that_waits_for_a_lock_is_answered_busy_and_stores_nothing(
    start: Start, project: Path, data_root: Path
) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    with closing(sqlite3.connect(data_root / "project-memory.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await server.send(creates(workspace_id, 2))
        await server.send(request("read", "resources/read", {"uri": f"memory://workspaces/{workspace_id}"}))
        code, answers = await server.end()
        other.execute("ROLLBACK")
    answer = {answer["id"]: answer for answer in answers}

    assert (code, answer.keys()) == (0, {"n0", "n1", "read"})
    assert answer["read"]["result"]["contents"]
    assert answer["n0"]["result"].keys() == {"content", "isError"}
    for refused in (told(answer["n0"])["error"], told(answer["n1"])["error"]):
        assert (refused["code"], "The server ends" in refused["message"]) == ("busy", True)
    assert stored(data_root) == 0


async def test_nobody_is_told_that_nothing_was_written_while_it_is_committed(
    start: Start, project: Path, data_root: Path
) -> None:
    server = await start(module="tests.e2e.late_server")
    await server.send(creates(await registered(server, project), 1))
    code, answers = await server.end()

    assert (code, answers) == (0, [])
    assert stored(data_root) == 1


async def test_a_client_that_reads_nothing_does_not_keep_the_server(tmp_path: Path) -> None:
    lines = [request(n, "tools/list", {"_meta": ENVELOPE}) for n in range(20)]
    with launched(tmp_path) as process:
        try:
            assert process.stdin
            process.stdin.write(b"\n".join(lines) + b"\n")
            process.stdin.close()

            assert await asyncio.to_thread(process.wait, PATIENCE) == 0
        finally:
            process.kill()


async def test_a_client_that_is_gone_ends_the_server(tmp_path: Path) -> None:
    with launched(tmp_path) as process:
        try:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            process.stdin.write(request(1, "initialize", HELLO) + b"\n")
            process.stdin.flush()

            assert await asyncio.to_thread(process.wait, PATIENCE) == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()


async def test_a_stream_of_changes_ends_with_its_result(start: Start) -> None:
    server = await start(greet=False)
    await server.send(request("s", "subscriptions/listen", {"notifications": {}, "_meta": ENVELOPE}))
    heard = await server.receive()
    code, [answer] = await server.end()

    assert heard["method"] == "notifications/subscriptions/acknowledged"
    assert (code, answer["id"], "result" in answer) == (0, "s", True)


async def test_a_cancelled_call_does_not_hold_up_the_end(start: Start, project: Path) -> None:
    server = await start()
    workspace_id = await registered(server, project)
    await server.send(call("slow", "memory_workspace", {**WAIT, "workspace_id": workspace_id}))
    await server.send(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}')

    assert await server.is_alive()
    assert await server.end() == (0, [])


async def test_a_server_without_a_standard_input_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server", "--data-root", str(tmp_path / "data")]
    shell = " ".join(["exec", *map(json.dumps, command), "<&-"])
    ended = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", shell],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "stdin or stdout is closed" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
