"""A profile of burndown-chart, from its files to calls on it, as its own plan promised; part of `bench.py import`.

| promise | kept by |
|---|---|
| SC-001 1,000 issues are taken over in 5 s | `import of 1,000 issues` |
| SC-002 100 records are read in 50 ms | `read of 100 issues` |
| SC-003 a write takes 100 ms at most | `write to an issue` |
| SC-004 nothing is lost | `test_burndown_given_back.py`, `test_no_value_is_lost.py`, `verify` |
| SC-005 more than 1,000 issues make nothing slow | `read of 100 issues of 5,000`, next to one of 1,000 |
| SC-006 many at once end without a deadlock | `bench.py concurrency`, `test_many_agents.py`, `test_ledger_races.py` |
| SC-007 the file grows in proportion | `growth for each issue` and `each change`, and that both stay what they are |
| SC-008 a start takes less than 2 s | `start to the first call` |
| SC-009 every test passes | `./scripts/test` |
| SC-010 the schema can go on | `test_migrations.py`, and a database that lacks one in `test_check_of_real_trouble.py` |

They promised about 1 KB for an issue and 100 to 200 bytes for a change, in a database that held each as one value. Here
an issue is a step that search finds, with all that its file said of it, and a change is a row with indexes of its own.
Of what an issue without its changes takes, the half is what the import remembers of the row it wrote, by which the next
one tells what the source changed from what was changed here (`import_rows.base`); a quarter is the step, an eighth the
search.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import bench_import
from bench_figures import Figure, timed

ISSUES = (1_000, 5_000)
ROUNDS = 60
PAGE = 100
IMPORT_BAR, START_BAR = 5.0, 2.0  # seconds
READ_BAR, WRITE_BAR = 50.0, 100.0  # ms, of 99 in 100
BATCH_BAR, CALL_BAR = 1.0, 10.0  # seconds for 1,000 logged calls, ms for one
GROWTH_BAR = 1.2  # of what an issue costs, when there are five times as many
SLOWER_BAR = 1.5  # of the best read, when there are five times as many
ISSUE_BAR, CHANGE_BAR = 8_000, 2_500  # bytes
MADE = """
import sys
from pathlib import Path
from tests import burndown_stores
made = burndown_stores.store(1, profiles=1, issues={issues})
made.queries = made.queries[:1]
made.profiles[made.queries[0].profile]["queries"] = [made.queries[0].query]
{more}
burndown_stores.put(Path(sys.argv[1]), made)
"""


class Peer(Protocol):
    """A server that is called."""

    def call(self, name: str, arguments: dict[str, Any]) -> tuple[str, float]: ...


Serve = Callable[[str], AbstractContextManager[Peer]]


@dataclass(frozen=True)
class Taken:
    """A store that was taken over: seconds until it was, bytes of its database, and rows by table."""

    data: Path
    seconds: float
    bytes: int
    rows: dict[str, int]


def figures(root: Path, serve: Serve) -> Iterator[Figure]:
    """Take over 1,000 and 5,000 issues, and call a server on either."""
    small, large = (_taken(root, issues) for issues in ISSUES)
    yield _seconds(f"import of {ISSUES[0]:,} issues", small.seconds, IMPORT_BAR)
    yield _seconds(f"import of {ISSUES[1]:,} issues", large.seconds, IMPORT_BAR * ISSUES[1] / ISSUES[0])
    best: list[float] = []
    for issues, taken in zip(ISSUES, (small, large), strict=True):
        yield from _called(taken, issues, serve, best)
    slower = best[1] / best[0]
    yield Figure("best read of 5,000 next to 1,000", "x", slower, judged=slower, bar=SLOWER_BAR)
    yield from _growth(root, small, large)


def _growth(root: Path, small: Taken, large: Taken) -> Iterator[Figure]:
    """Yield what an issue and a change of one cost in the file, and whether that stays so."""
    empty, bare = _taken(root, 1), _taken(root, ISSUES[0], with_changes=False)
    few = (small.bytes - empty.bytes) / (ISSUES[0] - 1)
    many = (large.bytes - small.bytes) / (ISSUES[1] - ISSUES[0])
    yield Figure("growth for each issue", "bytes", many, judged=many, bar=ISSUE_BAR)
    yield Figure("growth for each issue, as they become more", "x", many / few, judged=many / few, bar=GROWTH_BAR)
    changes = small.rows["field_changes"] - bare.rows.get("field_changes", 0)
    each = (small.bytes - bare.bytes) / changes
    yield Figure("growth for each change", "bytes", each, judged=each, bar=CHANGE_BAR)


def _seconds(name: str, value: float, bar: float) -> Figure:
    return Figure(name, "s", value, judged=value, bar=bar)


def _taken(root: Path, issues: int, *, with_changes: bool = True) -> Taken:
    name = f"issues-{issues}{'' if with_changes else '-bare'}"
    store, data = root / name, root / f"{name}-data"
    code = MADE.format(issues=issues, more="" if with_changes else "made.queries[0].changes = {}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PM_")}
    environment["PYTHONPATH"] = str(bench_import.ROOT)
    subprocess.run([sys.executable, "-c", code, str(store)], cwd=bench_import.ROOT, env=environment, check=True)
    run = bench_import.import_(store, data)
    return Taken(data, run.seconds, (data / "project-memory.db").stat().st_size, bench_import.counts(run.report))


def _logged(peer: Peer, on: dict[str, str], issues: int) -> Iterator[Figure]:
    """Yield what it takes to log 1,000 calls of tools at once, and one."""
    one = {"tool": "pytest", "args": {"path": "tests"}, "duration_ms": 12}
    _, took = peer.call("memory_ledger", {"action": "log_calls", **on, "calls": [one] * 1_000})
    yield _seconds(f"1,000 logged calls, {issues:,} issues", took, BATCH_BAR)
    each = [peer.call("memory_ledger", {"action": "log_call", **on, **one})[1] for _ in range(ROUNDS)]
    figure = timed(f"one logged call, {issues:,} issues", each, 0.99)
    yield Figure(figure.name, figure.unit, figure.value, figure.high, judged=figure.value, bar=CALL_BAR)


def _called(taken: Taken, issues: int, serve: Serve, best: list[float]) -> Iterator[Figure]:
    """Yield a start, reads and writes; the best read is added to `best`."""
    begun = time.perf_counter()
    with serve(taken.data.name) as peer:
        text, _ = peer.call("memory_workspace", {"action": "list"})
        yield _seconds(f"start to the first call, {issues:,} issues", time.perf_counter() - begun, START_BAR)
        here = {"workspace_id": json.loads(text)["workspaces"][0]["workspace_id"]}
        text, _ = peer.call("memory_plan", {"action": "list", **here})
        on = {"plan_id": json.loads(text)["plans"][0]["plan_id"]}
        reads, writes = list[float](), list[float]()
        more: dict[str, Any] = {}
        for number in range(ROUNDS):
            listing = {"action": "list", **on, "limit": PAGE, "max_bytes": 45_000, **more}
            text, took = peer.call("memory_steps", listing)
            page = json.loads(text)
            more = {"cursor": page["next_cursor"]} if "next_cursor" in page else {}
            reads.append(took)
            change = {"action": "update", **on, "step_index": number, "notes": f"looked at {number}"}
            writes.append(peer.call("memory_steps", change)[1])
        yield from _logged(peer, on, issues)
    best.append(min(reads))
    for name, seconds, bar in (("read of 100 issues", reads, READ_BAR), ("write to an issue", writes, WRITE_BAR)):
        figure = timed(f"{name} of {issues:,}", seconds, 0.99)
        yield Figure(figure.name, figure.unit, figure.value, figure.high, judged=figure.high, bar=bar)
