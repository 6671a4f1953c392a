"""How long an import of an older store takes, how much memory, and how long others wait for it; part of `bench.py`.

The stores are those that the tests generate; the larger one has ten times as much of everything.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_figures import Figure

ROOT = Path(__file__).resolve().parent.parent
TIMES = (1, 10)
PLANS, LOG_ENTRIES, EVENTS = 150, 10_000, 1_000
STEPS = 34  # at most; half as many on average, as in real stores
MADE = """
import sys
from pathlib import Path
from tests import legacy_store
legacy_store.write(Path(sys.argv[1]), plans={plans}, log_entries={log_entries}, events={events}, steps={steps})
"""

SECONDS_BAR = 5.0
MEMORY_BARS_MB = {1: 150, 10: 250}
LOCK_BAR = 0.25
GROWTH_BAR = 1.2  # of what a plan costs, when there are ten times as many


@dataclass(frozen=True)
class Run:
    """One run of a command: the seconds until it ended, its peak memory in MB, and what it reported."""

    seconds: float
    peak: float
    report: dict[str, Any]


def figures(root: Path) -> Iterator[Figure]:
    """Import a store, at its size and at ten times that, and import it again."""
    first: Run | None = None
    for times in TIMES:
        store, data = root / f"store-{times}", root / f"data-{times}"
        make(store, times)
        run = import_(store, data)
        first = first or run
        yield from _of(run, first, times)
        again = import_(store, data)
        yield Figure(f"import of {times}x, again unchanged", "s", again.seconds)


def _of(run: Run, first: Run, times: int) -> Iterator[Figure]:
    name, judged = f"import of {times}x", times == TIMES[0]
    lines = [f"{count} rows of {table}" for table, count in counts(run.report).items()]
    yield Figure(name, "s", run.seconds, judged=run.seconds, bar=SECONDS_BAR if judged else None, details=lines)
    yield Figure(f"{name}: peak memory", "MB", run.peak, judged=run.peak, bar=MEMORY_BARS_MB[times])
    lock = run.report["longest_lock_seconds"]  # at any size
    yield Figure(f"{name}: longest lock", "s", lock, judged=lock, bar=LOCK_BAR)
    if not judged:
        growth = run.seconds / first.seconds / times
        yield Figure(f"{name}: growth of a plan's cost", "x", growth, judged=growth, bar=GROWTH_BAR)


def counts(report: dict[str, Any]) -> dict[str, int]:
    return {table: sum(by_action.values()) for table, by_action in report["rows"].items()}


def make(store: Path, times: int) -> None:
    """Write a synthetic store; it has 150 plans, 10,000 log entries and 1,000 events, so many times over."""
    code = MADE.format(plans=PLANS * times, log_entries=LOG_ENTRIES * times, events=EVENTS * times, steps=STEPS)
    subprocess.run([sys.executable, "-c", code, str(store)], cwd=ROOT, env=_environment(), check=True)


def import_(store: Path, data_root: Path) -> Run:
    report = data_root.with_suffix(".report.json")
    command = [sys.executable, "-m", "server", "import", str(store), "--report", str(report)]
    begun = time.perf_counter()
    with subprocess.Popen(
        [*command, "--data-root", str(data_root)], cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL
    ) as process:
        if sys.platform == "win32":
            code, peak = process.wait(), 0.0
        else:
            _, status, used = os.wait4(process.pid, 0)
            code = process.returncode = os.waitstatus_to_exitcode(status)
            peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1_000_000
    seconds = time.perf_counter() - begun
    if code not in (0, 3):
        raise SystemExit(f"the import of {store} ended with code {code}")
    return Run(seconds, peak, json.loads(report.read_text(encoding="utf-8")))


def _environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PM_")}
    return {**ours, "PYTHONPATH": str(ROOT)}
