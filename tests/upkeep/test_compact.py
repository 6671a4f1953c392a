"""`compact`: nothing is lost, space is given back, and nobody else has the database meanwhile."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from server.cli import run as run_command
from server.db.interchange import exports
from server.db.storage.table_shapes import columns_of_tables
from server.errors import Busy
from server.settings import DATABASE_NAME, Settings
from server.store import open_store
from server.upkeep import checking, compacting
from tests.populated_store import PopulatedStore

ROOT = Path(__file__).resolve().parent.parent.parent


def rows(root: Path) -> dict[str, list[str]]:
    """Everything that an export would hold."""

    async def read() -> dict[str, list[str]]:
        db = await open_store(Settings(data_root=root, synchronous="off"))
        names = [n for n in await columns_of_tables(db) if n not in exports.DERIVED and not n.startswith("search_")]
        found = {n: sorted(str(tuple(row)) for row in await db.all(f"SELECT * FROM {n}")) for n in names}
        await db.close()
        return found

    return anyio.run(read)


def fill(root: Path, count: int) -> None:
    db = sqlite3.connect(root / DATABASE_NAME)
    with db:
        db.executemany(
            "INSERT INTO update_log (timestamp, summary) VALUES ('2020', ?)", [("x" * 4000,) for _ in range(count)]
        )
        db.execute("DELETE FROM update_log WHERE timestamp = '2020'")
    db.close()


def run(root: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run_command([*words], {"data_root": str(root)})
    return int(ended.value.code or 0)


def test_space_is_given_back_and_every_row_is_as_it_was(
    copy: PopulatedStore, capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(copy.data_root)
    fill(copy.data_root, 2_000)
    size = (copy.data_root / DATABASE_NAME).stat().st_size

    assert run(copy.data_root, "compact") == 0

    assert "before" in capsys.readouterr().out
    assert (copy.data_root / DATABASE_NAME).stat().st_size < size / 2
    left = [
        one.name
        for one in anyio.run(checking.check, Settings(data_root=copy.data_root, synchronous="off"))
        if one.severity != "note"
    ]
    assert left == []
    after = rows(copy.data_root)
    assert {**after, "server_runs": []} == {**before, "server_runs": []}


async def test_a_database_that_is_in_use_is_left_alone_and_waited_for_if_wanted(copy: PopulatedStore) -> None:
    settings = Settings(data_root=copy.data_root, synchronous="off")
    db = await open_store(settings)
    told: list[str] = []
    with pytest.raises(Busy, match="in use"):
        await compacting.compact(settings.database, lambda *_: None, wait=False)

    async def close() -> None:
        while not told:
            await anyio.lowlevel.checkpoint()
        await db.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close)
        await compacting.compact(settings.database, lambda what, _: told.append(what), wait=True)
    assert "in use" in told[0]


KILLED = """
import sys
from pathlib import Path
import anyio
from server.db.upkeep import compaction
print("begins", flush=True)
anyio.run(compaction.compact, Path(sys.argv[1]))
print("ended", flush=True)
"""


@pytest.mark.parametrize("part", [0.1, 0.6])
def test_a_compact_that_is_killed_leaves_every_row(copy: PopulatedStore, part: float) -> None:
    before = rows(copy.data_root)
    fill(copy.data_root, 4_000)
    path = copy.data_root / DATABASE_NAME
    sqlite3.connect(path).execute("PRAGMA journal_mode = DELETE").connection.close()
    journal, size = Path(f"{path}-journal"), path.stat().st_size
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=ROOT, env=dict(os.environ)
    ) as process:
        watcher = threading.Thread(target=kill_at, args=(process, journal, part * size))
        watcher.start()
        process.wait(timeout=60)
        watcher.join()

    assert rows(copy.data_root) == before
    found = anyio.run(checking.check, Settings(data_root=copy.data_root, synchronous="off"))
    assert [one.name for one in found if one.severity == "error"] == []


def kill_at(process: subprocess.Popen[bytes], journal: Path, size: float) -> None:
    """Kill a process when its journal has grown so far, if it does not end before."""
    while process.poll() is None:
        try:
            if journal.stat().st_size > size:
                process.kill()
                return
        except FileNotFoundError:
            pass
        time.sleep(0.0005)
