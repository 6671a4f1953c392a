"""How long a check of a large store takes, and how long writers wait while much is trimmed; part of `bench.py`."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import bench_store
from bench_figures import Figure

from server.settings import DATABASE_NAME, Settings
from server.store import open_store
from server.upkeep import checking, trimming
from server.upkeep.trimming import TrimOutcome

CHECK_BAR = 3.0
CHECKED_BYTES = 100_000_000
LOG_ROWS = 1_000_000
ROUNDS = 3
PADDING = """
    INSERT INTO update_log (timestamp, workspace_id, summary, extra)
    SELECT timestamp, workspace_id, hex(randomblob(200)), '{}' FROM event_log, json_each('[1,2,3,4]') LIMIT 20000
"""


def figures(root: Path) -> Iterator[Figure]:
    yield from _checks(root / "checked")
    yield from _trim(root / "trimmed")


def _checks(root: Path) -> Iterator[Figure]:
    """Compare a check of a store of some 100 MB with SQLite's own look at the same file."""
    anyio.run(bench_store.build, root, bench_store.SMALL)
    path = root / DATABASE_NAME
    db = sqlite3.connect(path)
    while path.stat().st_size < CHECKED_BYTES:
        with db:
            db.execute(PADDING)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    floors: list[float] = []
    looks: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        db.execute("PRAGMA integrity_check").fetchall()
        floors.append(time.perf_counter() - begun)
        looks.append(_checked(root, deep=False))
    db.close()
    deep = _checked(root, deep=True)
    floor, value = min(floors), min(looks)
    size = f"{path.stat().st_size / 1_000_000:.0f} MB"
    yield Figure(f"check of {size}", "s", value, floor=floor, judged=value / floor, bar=CHECK_BAR)
    yield Figure(f"check --deep of {size}", "s", deep, floor=floor, judged=deep / floor)


def _checked(root: Path, *, deep: bool) -> float:
    async def look() -> None:
        found = await checking.check(Settings(data_root=root), deep=deep)
        assert not [one for one in found if one.severity == "error"], found

    begun = time.perf_counter()
    anyio.run(look)
    return time.perf_counter() - begun


def _trim(root: Path) -> Iterator[Figure]:
    """Trim a million entries of the log, at most 1,000 in a transaction."""
    settings = Settings(data_root=root)

    async def work() -> tuple[TrimOutcome, float]:
        db = await open_store(settings)
        await _fill(root)
        begun = time.perf_counter()
        done = await trimming.trim(db, settings)
        await db.close()
        return done, time.perf_counter() - begun

    done, seconds = anyio.run(work)
    rows = done.rows["event_log"]
    yield Figure(f"trim of {rows:,} entries of the log", "s", seconds, details=[f"{done.transactions} transactions"])
    yield Figure("the longest transaction of it", "ms", done.longest_seconds * 1000)


async def _fill(root: Path) -> None:
    db = sqlite3.connect(root / DATABASE_NAME)
    with db:
        db.executemany(
            """INSERT INTO event_log (timestamp, workspace_id, plan_id, type, entity_type, entity_id, data)
            VALUES (?, ?, ?, 'step_updated', 'step', ?, '{"from":"active","to":"done","index":1,"changed":[]}')""",
            (
                (f"2020-01-{1 + n % 28:02}T00:00:00.000Z", f"ws_{n % 50}", f"plan_{n % 5000}", f"step_{n}")
                for n in range(LOG_ROWS)
            ),
        )
    db.close()
