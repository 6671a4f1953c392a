"""Programs in real servers: they end with them, cost no memory, and a person allows them at a terminal."""

import asyncio
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ToolError
from tests.e2e.processes import ServerProcess
from tests.e2e.terminals import COMMAND, Terminal, confirmed
from tests.tools.terminal.test_memory_terminal import DAEMON, STUBBORN, all_gone, all_there, needs_proc

TERMINAL = "memory_terminal"
PYTHON = sys.executable
GIGABYTE = "import os\nblock = b'y' * (1 << 20)\nfor _ in range(1024):\n    os.write(1, block)\n"
END_SECONDS = 15  # far more than the two that a server takes, on a machine under load


async def set_up(data_root: Path, project: Path) -> ServerProcess:
    project.mkdir()
    server = await ServerProcess.start(data_root, command=COMMAND)  # signals are for the server itself
    await server("memory_workspace", "register", workspace_path=str(project))
    asked = await gated(server, "update_allowlist", patterns=[f"{PYTHON} *"], workspace_path=str(project))
    await asyncio.to_thread(confirmed, data_root, "confirm", asked["approval_id"])
    return server


async def gated(server: ServerProcess, action: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ToolError) as caught:
        await server(TERMINAL, action, **arguments)
    assert caught.value.code == "gated"
    return caught.value.error


def statuses(data_root: Path) -> list[str]:
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        return [row[0] for row in db.execute("SELECT status FROM runs ORDER BY run_id")]


@pytest.mark.parametrize("how", ["stdin", "SIGTERM"])
async def test_programs_end_with_the_server(tmp_path: Path, how: str) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    server = await set_up(data_root, project)
    call = {"command": PYTHON, "args": ["-c", STUBBORN], "workspace_path": str(project), "timeout_seconds": 100}
    await server(TERMINAL, "run", background=True, **call)
    await all_there(project)

    began = time.monotonic()
    if how == "stdin":
        await server.close()
    else:
        server.process.send_signal(signal.SIGTERM)
        await server.process.wait()

    assert time.monotonic() - began < END_SECONDS
    assert await all_gone(project)
    assert statuses(data_root) == ["ended"]


async def test_a_run_of_a_server_that_was_killed_is_lost(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    server = await set_up(data_root, project)
    call = {"command": PYTHON, "args": ["-c", "import time; time.sleep(20)"], "workspace_path": str(project)}
    begun = await server(TERMINAL, "run", background=True, **call)
    await server.kill()
    assert statuses(data_root) == ["running"]

    other = await ServerProcess.start(data_root)
    told = await other(TERMINAL, "read_output", run_id=begun["run_id"])
    ended = await other(TERMINAL, "kill", run_id=begun["run_id"])
    await other.close()

    assert (told["running"], told["status"], ended["killed"]) == (False, "lost", False)
    assert statuses(data_root) == ["lost"]


@needs_proc
async def test_what_a_server_that_was_killed_left_running_ends_with_the_next_one(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    server = await set_up(data_root, project)
    call = {"command": PYTHON, "args": ["-c", DAEMON, "100"], "workspace_path": str(project), "timeout_seconds": 200}
    begun = await server(TERMINAL, "run", background=True, **call)
    await all_there(project, 1)
    await server.kill()

    other = await ServerProcess.start(data_root)
    await other(TERMINAL, "read_output", run_id=begun["run_id"])

    assert await all_gone(project)
    await other.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells the memory of a process")
async def test_a_gigabyte_of_output_costs_no_memory(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    server = await set_up(data_root, project)
    where = {"workspace_path": str(project)}
    await server(TERMINAL, "run", command=PYTHON, args=["-c", "print('warm')"], **where)
    before = peak(server.process.pid)

    told = await server(TERMINAL, "run", command=PYTHON, args=["-c", GIGABYTE], timeout_seconds=300, **where)
    while told["running"]:
        told = await server(TERMINAL, "read_output", run_id=told["run_id"], wait_seconds=25)

    assert (told["exit_code"], told["stdout_bytes"]) == (0, 1 << 30)
    assert peak(server.process.pid) - before < 16 * 1024  # KiB
    await server.close()


def peak(pid: int) -> int:
    """The most memory that a process ever had, in KiB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM:"))


async def test_a_person_at_a_terminal_allows_one_vector_and_no_program_can(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    project.mkdir()
    server = await ServerProcess.start(data_root)
    await server("memory_workspace", "register", workspace_path=str(project))
    call = {"command": f"{PYTHON} -c 'print(\"\x1b[2Jhello\")'", "workspace_path": str(project), "agent": "ada"}
    asked = await gated(server, "run", **call)

    shown = await asyncio.to_thread(confirmed, data_root, "confirm", asked["approval_id"])
    done = await server(TERMINAL, "run", **call)
    await gated(server, "run", **call)

    assert "\\x1b[2Jhello" in shown
    assert "\x1b[2J" not in shown
    assert f"it starts {PYTHON}" in shown
    assert "Asked by: ada" in shown
    assert done["stdout"] == "\x1b[2Jhello\n"

    other = await gated(server, "update_allowlist", patterns=["ls *"], workspace_path=str(project))
    await asyncio.to_thread(confirmed, data_root, "confirm", other["approval_id"])
    [rule] = (await server(TERMINAL, "get_allowlist", workspace_path=str(project)))["patterns"]
    assert (rule["pattern"], rule["via"]) == ("ls *", "terminal")
    again = await gated(server, "run", command="id", workspace_path=str(project))
    marked = Terminal(data_root, "confirm", again["approval_id"], env={"PROJECT_MEMORY_TERMINAL": "1"})
    assert marked.end() != 0
    assert "PROJECT_MEMORY_TERMINAL in the environment says that an agent runs this" in marked.shown
    await server.close()
