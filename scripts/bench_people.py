"""What a person waits for: `status` on 50,000 steps next to the import of what it needs; part of `bench.py`.

The floor is a process that imports what `status` imports, and ends. Both are whole processes, started by turns.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import bench_store
from bench_figures import Figure, sized, timed

ROOT = Path(__file__).resolve().parent.parent
RUNS = 15
STATUS_BAR = 2.0
IMPORTS = "import server.cli, server.cli.views.status"
LISTED = f"{IMPORTS}, sys; print(sum(name.partition('.')[0] == 'mcp' for name in sys.modules))"


def figures(root: Path) -> Iterator[Figure]:
    """Build the store, and yield how long `status` takes, of one workspace, of one plan, and of all workspaces."""
    data = root / "people"
    asyncio.run(bench_store.build(data, bench_store.SMALL))
    commands = {
        "of a workspace": ["--workspace", _last(data, "workspace_registered")],
        "of a plan": [_last(data, "plan_created")],
        "--all": ["--all"],
    }
    for name, words in commands.items():
        ours, floor = _by_turns(data, words)
        middle = statistics.median(floor)
        judged = statistics.median(ours) / middle
        yield timed(f"status {name}, 50,000 steps", ours, 0.9, floor=middle, judged=judged, bar=STATUS_BAR)
    yield sized("modules of the SDK that status imports", "modules", int(_output(["-c", LISTED])), 0)


def _by_turns(data: Path, words: Sequence[str]) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(RUNS):
        ours.append(_seconds(["-m", "server", "status", *words, "--data-root", str(data)]))
        floor.append(_seconds(["-c", IMPORTS]))
    return ours, floor


def _seconds(arguments: Sequence[str]) -> float:
    begun = time.perf_counter()
    _output(arguments)
    return time.perf_counter() - begun


def _output(arguments: Sequence[str]) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", *arguments], check=True, capture_output=True, text=True, encoding="utf-8", env=env
    ).stdout


def _last(data: Path, kind: str) -> str:
    """Return the id that the last event of a type is about."""
    words = ["log", "-n", "1", "--all", "-t", kind, "--data-root", str(data)]
    return _output(["-m", "server", *words]).split("\t")[4]
