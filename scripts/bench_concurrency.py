"""Processes that write without pause, against the same statements in bare `sqlite3` loops; part of `bench.py`.

Ours run `memory_context store` through the data-access layer, one store a process. The floor replays the very
statements of such a call, recorded in the same run, under the same settings and as many processes.
"""

import asyncio
import json
import secrets
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from server.calls import offered, run
from server.db.storage.driver_errors import BUSY_TIMEOUT_MS
from server.errors import ProjectMemoryError
from server.settings import DATABASE_NAME, Settings
from server.store import Store

PROCESSES = (1, 4, 8, 16)
WRITES = 200
TYPE = "bench-type"
MANY = "many"  # marks the rows of one statement
Json = dict[str, Any]


async def prepare(root: Path) -> tuple[str, list[tuple[str, Any]]]:
    """Make a plan, and return its id and the statements: those that equip a connection, and those of one store call."""
    (root / "project").mkdir()
    store = Store(Settings(data_root=root))
    tools = offered(store.settings)
    with patch("sqlite3.connect", partial(sqlite3.connect, factory=Recorder)):
        await store.open()
    equipment = [(sql, params) for sql, params in Recorder.statements if is_equipment(sql)]
    place = {"action": "register", "workspace_path": str(root / "project")}
    workspace = json.loads(await run(store, tools, "memory_workspace", place))
    plan = {"action": "create", "title": "Bench", "workspace_id": workspace["workspace_id"], "category": "quick_task"}
    plan_id = json.loads(await run(store, tools, "memory_plan", plan))["plan_id"]
    Recorder.statements.clear()
    await run(store, tools, "memory_context", call(plan_id, TYPE))
    statements = [(sql, params) for sql, params in Recorder.statements if "busy_timeout" not in sql]
    await store.close()
    return plan_id, [*equipment, *statements]


def is_equipment(sql: str) -> bool:
    """Return whether a statement makes something that its connection alone has."""
    return "CREATE TEMP" in sql


class Recorder(sqlite3.Connection):
    """A connection that notes what it runs."""

    statements: ClassVar[list[tuple[str, Any]]] = []

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self.statements.append((sql, parameters))
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        rows = list(parameters)
        self.statements.append((sql, [MANY, *rows]))
        return super().executemany(sql, rows)


def call(plan_id: str, kind: str) -> Json:
    return {"action": "store", "plan_id": plan_id, "type": kind, "data": {"result": "green"}, "agent": "bench"}


def kinds(number: int) -> list[str]:
    """Return a fresh context type for each write."""
    return [f"{TYPE}-{secrets.token_hex(6)}" for _ in range(number)]


async def write_ours(root: Path, plan_id: str) -> tuple[list[tuple[float, float]], int]:
    store = Store(Settings(data_root=root))
    tools = offered(store.settings)
    await store.open()
    await run(store, tools, "memory_context", {"action": "list", "plan_id": plan_id})
    wait_for_start()
    times, errors = list[tuple[float, float]](), 0
    for kind in kinds(WRITES):
        started = time.monotonic()
        try:
            await run(store, tools, "memory_context", call(plan_id, kind))
        except ProjectMemoryError:
            errors += 1
        times.append((started, time.monotonic()))
    await store.close()
    return times, errors


def write_bare(root: Path, statements: Sequence[tuple[str, Any]]) -> tuple[list[tuple[float, float]], int]:
    """Replay the recorded statements, each time with an id and a type of its own."""
    db = sqlite3.connect(root / DATABASE_NAME, isolation_level=None, cached_statements=512)
    for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON", "synchronous = FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    for sql, params in statements:
        if is_equipment(sql):
            db.execute(sql, params)
    whole = json.dumps([(sql, params) for sql, params in statements if not is_equipment(sql)])
    item_id = whole.partition('"item_id": "')[2].partition('"')[0]
    rounds: list[list[tuple[str, Any]]] = [
        json.loads(whole.replace(item_id, f"item_{secrets.token_hex(6)}").replace(TYPE, kind)) for kind in kinds(WRITES)
    ]
    wait_for_start()
    times, errors = list[tuple[float, float]](), 0
    for statements_of_one in rounds:
        started = time.monotonic()
        try:
            for sql, params in statements_of_one:
                if MANY in params:
                    db.executemany(sql, params[1:])
                else:
                    db.execute(sql, params).fetchall()
        except sqlite3.Error:
            errors += 1
            db.rollback()
        times.append((started, time.monotonic()))
    db.close()
    return times, errors


def wait_for_start() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def worker(mode: str, root: Path, given: str) -> None:
    """Write in this process and print the times; the parent says when to start."""
    times, errors = asyncio.run(write_ours(root, given)) if mode == "ours" else write_bare(root, json.loads(given))
    print(
        json.dumps(
            {
                "times": [ended - started for started, ended in times],
                "errors": errors,
                "began": times[0][0],
                "ended": times[-1][1],
            }
        )
    )


def measure(root: Path, processes: int, mode: str) -> Json:
    """Run so many writers on a fresh database and return their times in seconds, calls a second, and errors."""
    root.mkdir()
    plan_id, statements = asyncio.run(prepare(root))
    given = plan_id if mode == "ours" else json.dumps(statements)
    command = [sys.executable, str(Path(__file__)), mode, str(root), given]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for each in workers:
        assert each.stdout is not None
        each.stdout.readline()
    for each in workers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    answers = [json.loads(each.communicate()[0]) for each in workers]
    elapsed = max(a["ended"] for a in answers) - min(a["began"] for a in answers)
    times = sorted(t for answer in answers for t in answer["times"])
    paces = [len(answer["times"]) / (answer["ended"] - answer["began"]) for answer in answers]
    return {
        "times": times,
        "calls_per_second": len(times) / elapsed,
        "slowest": min(paces) / statistics.mean(paces),
        "errors": sum(a["errors"] for a in answers),
    }


if __name__ == "__main__":
    worker(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
