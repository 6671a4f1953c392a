"""How long a backup takes, and how long a writer waits meanwhile; part of `bench.py`.

The floor of a backup is a plain copy of the same file that is brought to the disk; the floor of the longest wait of an
agent that writes without a pause is its longest wait, for as long, without a backup.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench_figures import Figure

from server.calls import offered, run
from server.db.backups import backup_files
from server.db.storage.connection import Database
from server.files import sync
from server.settings import Settings
from server.store import Store, open_store
from server.upkeep import backups

EVENTS, EVENT_BYTES = 25_000, 4_000
ROUNDS = 5
WRITING_SECONDS = 4.0
COPY_BAR = 2.0
WAIT_BAR = 3.0


def figures(root: Path) -> Iterator[Figure]:
    """Back a database of about 100 MB up, at rest and while another process writes."""
    settings = Settings(data_root=root / "data")
    asyncio.run(_fill(settings))
    yield from asyncio.run(_copies(settings, root))
    yield from asyncio.run(_waits(settings, root))


async def _fill(settings: Settings) -> None:
    store = Store(settings)
    project = settings.data_root.parent / "project"
    project.mkdir(exist_ok=True)
    db = await store.open()
    place = {"action": "register", "workspace_path": str(project)}
    await run(store, offered(settings), "memory_workspace", place)
    event = {"data": json.dumps({"text": "x" * EVENT_BYTES})}
    for _ in range(EVENTS // 1000):
        async with db.transaction() as tx:
            await tx.many(
                "INSERT INTO event_log (timestamp, type, entity_type, entity_id, data)"
                " VALUES ('2030-01-01T00:00:00.000Z', 'x', 'plan', 'p', :data)",
                [event] * 1000,
            )
    await store.close()


async def _copies(settings: Settings, root: Path) -> list[Figure]:
    """Copy by turns, so that both meet the same disk."""
    plain, ours, whole = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        target = root / "copy"
        begun = time.perf_counter()
        shutil.copyfile(settings.database, target)
        sync(target)
        plain.append(time.perf_counter() - begun)
        target.unlink()
        target.touch()
        begun = time.perf_counter()
        await backup_files.copy(settings.database, target)
        ours.append(time.perf_counter() - begun)
        target.unlink()
        begun = time.perf_counter()
        await backup_files.make(settings.database, target, now="2030-01-01T00:00:00.000Z")
        whole.append(time.perf_counter() - begun)
        target.unlink()
    floor, middle = statistics.median(plain), statistics.median(ours)
    size = settings.database.stat().st_size / 1_000_000
    return [
        Figure(f"backup of {size:.0f} MB: copy", "s", middle, max(ours), floor, middle / floor, COPY_BAR),
        Figure(f"backup of {size:.0f} MB: with its verification", "s", statistics.median(whole), max(whole)),
    ]


async def _waits(settings: Settings, root: Path) -> list[Figure]:
    alone, meanwhile = list[float](), list[float]()
    taken = 0
    for _ in range(ROUNDS):
        alone.append(await _longest_write(settings))
        db = await open_store(settings)
        writing = asyncio.create_task(_longest_write(settings))
        while not writing.done():
            await _back_up(db, root / "backups")
            taken += 1
        meanwhile.append(await writing)
        await db.close()
        shutil.rmtree(root / "backups")
    floor, middle = statistics.median(alone) * 1000, statistics.median(meanwhile) * 1000
    name = f"longest wait of a writer, {taken} backups"
    return [Figure(name, "ms", middle, max(meanwhile) * 1000, floor, middle / floor, WAIT_BAR)]


async def _back_up(db: Database, folder: Path) -> None:
    await backups.make_at(db, folder, keep=1)


async def _longest_write(settings: Settings) -> float:
    """Let another process write for a while, and return its longest call in seconds."""
    command = [sys.executable, __file__, str(settings.data_root)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=env)
    out, _ = await process.communicate()
    return float(out)


async def write(data_root: Path) -> float:
    store = Store(Settings(data_root=data_root))
    tools = offered(store.settings)
    place = {"workspace_path": str(data_root.parent / "project")}
    longest, end = 0.0, time.monotonic() + WRITING_SECONDS
    number = 0
    while time.monotonic() < end:
        number += 1
        begun = time.monotonic()
        call = {"action": "remember", "key": f"k{number % 500}", "value": f"{number}", "agent": "bench", **place}
        await run(store, tools, "memory_context", call)
        longest = max(longest, time.monotonic() - begun) if number > 10 else 0.0
    await store.close()
    return longest


if __name__ == "__main__":
    print(asyncio.run(write(Path(sys.argv[1]))))
