"""The pipes of a real server: a client that does not read, lines without end, files in their place."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import HELLO, PATIENCE, Start, environment

MEBIBYTE = 1024 * 1024
FULL_SECONDS = 1  # without room for another byte
LISTS = [json.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/list"}).encode() + b"\n" for n in range(20_000)]
HANDSHAKE = b"".join(
    json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
    for message in (
        {"id": "hello", "method": "initialize", "params": HELLO},
        {"method": "notifications/initialized"},
    )
)


def write_until_full(handle: int, whole: bytes) -> int:
    """Write until nobody has read anything for a while, and return how many bytes went."""
    os.set_blocking(handle, False)
    sent = 0
    while sent < len(whole) and select.select([], [handle], [], FULL_SECONDS)[1]:
        sent += os.write(handle, whole[sent : sent + 4096])
    os.set_blocking(handle, True)
    return sent


@pytest.mark.parametrize("module", ["server", "tests.e2e.threaded_server"])
def test_a_client_that_reads_late_gets_everything_and_is_not_read_meanwhile(tmp_path: Path, module: str) -> None:
    whole = HANDSHAKE + b"".join(LISTS)
    command = [sys.executable, "-m", module, "--data-root", str(tmp_path / "data")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=tmp_path, env=environment()) as process:
        assert process.stdin
        assert process.stdout
        try:
            sent = write_until_full(process.stdin.fileno(), whole)
            process.stdin.close()
            answers = process.stdout.read()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    found = [json.loads(line) for line in answers.splitlines()]
    lines = whole[:sent].split(b"\n")

    assert sent < len(whole) // 2
    assert len(found) == len([line for line in lines if line]) - 1  # the handshake has a notification
    assert [answer["id"] for answer in found[1:-1]] == list(range(len(found) - 2))


async def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(start: Start) -> None:
    server = await start()
    await server.send(b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 70 * MEBIBYTE + b'"}')
    answer = await server.receive()

    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert "longer than" in answer["error"]["message"]
    assert await server.is_alive()


def test_input_and_output_may_be_files(tmp_path: Path) -> None:
    call = {"name": "memory_workspace", "arguments": {"action": "list"}}
    more = json.dumps({"jsonrpc": "2.0", "id": "call", "method": "tools/call", "params": call}).encode()
    (tmp_path / "in").write_bytes(HANDSHAKE + b"".join(LISTS[:50]) + more)
    command = [sys.executable, "-m", "server", "--data-root", str(tmp_path / "data")]
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        done = subprocess.run(
            command, stdin=source, stdout=target, cwd=tmp_path, env=environment(), timeout=PATIENCE, check=False
        )
    answers = [json.loads(line) for line in (tmp_path / "out").read_bytes().splitlines()]

    assert done.returncode == 0
    assert {answer["id"] for answer in answers} == {"hello", "call", *range(50)}
    assert all("result" in answer for answer in answers)


def test_a_pipe_that_others_share_stays_as_it_was(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "server", "--data-root", str(tmp_path / "data")]
    source, sink = os.pipe()
    with subprocess.Popen(command, stdin=source, stdout=writing, cwd=tmp_path, env=environment()) as process:
        os.write(sink, HANDSHAKE)
        answer = os.read(reading, MEBIBYTE)
        flags = [os.get_blocking(handle) for handle in (source, writing)]
        os.close(sink)
        assert process.wait(PATIENCE) == 0
    for handle in (reading, writing, source):
        os.close(handle)

    assert json.loads(answer)["id"] == "hello"
    assert flags == [True, True]
