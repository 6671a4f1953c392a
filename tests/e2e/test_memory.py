"""A server that runs for days keeps nothing of what it has answered."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import HELLO, PATIENCE, environment

TELLING = """
import atexit, resource, sys
from server.__main__ import main
atexit.register(lambda: print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr))
main()
"""
KILOBYTES = 1024 if sys.platform == "darwin" else 1
ID_BYTES, COUNT = 200_000, 300


def peak(data_root: Path, line: bytes, count: int) -> int:
    """Return the kilobytes that a server has needed to answer `count` lines, each with an id of its own."""
    command = [sys.executable, "-c", TELLING, "--data-root", str(data_root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}).encode())
        process.stdin.write(b'\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        for number in range(count):
            process.stdin.write(line.replace(b"ID", f"{number:0{ID_BYTES}}".encode()) + b"\n")
            process.stdin.flush()
            assert process.stdout.readline()
        _, told = process.communicate(timeout=PATIENCE)
    return int(told.decode().rpartition("peak ")[2]) // KILOBYTES


@pytest.mark.parametrize(
    "line", [b'{"jsonrpc":"2.0","id":"ID","method":"ping"}', b'{"jsonrpc":"2.0","id":"ID","method":"nothing/such"}']
)
def test_a_request_that_was_answered_is_forgotten(tmp_path: Path, line: bytes) -> None:
    few, many = (peak(tmp_path, line, count) for count in (COUNT // 10, COUNT))
    assert many - few < COUNT * ID_BYTES // 1024 // 3
