"""Backups while servers write without a pause, and the way back to one of them."""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.e2e.processes import PLAIN, ServerProcess
from tests.e2e.terminals import Terminal, confirmed, piped

SERVERS, BACKUPS = 4, 3


async def run(root: Path, *words: str) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "server", "--data-root", str(root), *words]
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def facts(path: Path) -> set[str]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in db.execute("SELECT key FROM memory_entries")}


async def test_backups_are_taken_while_four_servers_write_and_one_is_restored(tmp_path: Path) -> None:
    root, project = tmp_path / "data", tmp_path / "project"
    project.mkdir()
    servers = [await ServerProcess.start(root, command=PLAIN) for _ in range(SERVERS)]
    known = {"workspace_path": str(project)}
    await servers[0]("memory_workspace", "register", **known)
    answered: list[str] = []
    is_over = False

    async def write(number: int, server: ServerProcess) -> None:
        count = 0
        while not is_over:
            count += 1
            key = f"fact-{number}-{count}"
            await server("memory_context", "remember", key=key, value="x" * 500, agent=f"a{number}", **known)
            answered.append(key)

    writers = [asyncio.create_task(write(number, server)) for number, server in enumerate(servers)]
    taken: list[tuple[dict[str, Any], int, int]] = []
    for number in range(BACKUPS):
        before = len(answered)
        code, out, err = await run(root, "backup", str(tmp_path / "backups"), "--json")
        assert (code, err) == (0, "")
        taken.append((json.loads(out), before, number))
    is_over = True
    await asyncio.gather(*writers)

    assert len(answered) > SERVERS * BACKUPS
    for made, before, _ in taken:
        held = facts(Path(made["path"]))
        assert set(answered[:before]) <= held <= set(answered)
        assert len(held) == made["rows"]["memory_entries"]

    made = taken[1][0]
    refused = piped(root, "restore", made["path"])
    assert refused.returncode == 1
    assert "Only a person may restore" in refused.stderr
    terminal = Terminal(root, "restore", made["path"])
    assert terminal.end() == 75
    assert all(f"process {server.process.pid}" in terminal.shown for server in servers)
    assert [await server.close() for server in servers] == [0] * SERVERS
    shown = confirmed(root, "restore", made["path"])

    assert "events would be lost" in shown
    assert facts(root / "project-memory.db") == facts(Path(made["path"]))
    [saved] = (root / "backups").glob("*-before-restore.db")
    assert facts(saved) == set(answered)
    server = await ServerProcess.start(root)
    kept = min(facts(Path(made["path"])))
    assert (await server("memory_context", "recall", key=kept, **known))["value"] == "x" * 500
    await server.close()
