"""A database that is copied as files while others write to it and bring its log into it."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from server.db.backups import backup_files, file_copies
from server.db.storage.driver import connected
from tests.upkeep import busy_database

NOW = "2030-01-01T00:00:00.000Z"
BUSY, INTERLEAVED = (Path(__file__).with_name(f"{name}.py") for name in ("busy_database", "interleaved_copier"))
SEEDS = 10  # of each kind
WRITERS, BACKUPS = 2, 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "project-memory.db"


async def copied_as_files(path: Path, target: Path) -> bool:
    target.touch()
    async with connected(path) as source:
        return await file_copies.copy(source, target)


def acknowledged(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=20)) as db:
        return db.execute("SELECT count(*) FROM event_log").fetchone()[0]


@contextmanager
def busy(path: Path) -> Generator[None]:
    """Let other processes write, and bring the log into the database, without a pause."""
    command = [sys.executable, str(BUSY), str(path)]
    others = [subprocess.Popen(command) for _ in range(WRITERS)] + [subprocess.Popen([*command, "checkpoint"])]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def begun_by_another(path: Path) -> str:
    """Return what another process is told that wants to write."""
    begin = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    return subprocess.run([sys.executable, "-c", begin, str(path)], check=False, capture_output=True, text=True).stderr


@pytest.mark.parametrize("is_log_empty", [True, False], ids=["a log that is in the database", "a log that is not"])
async def test_a_copy_is_one_state_whatever_happens_between_two_pages_of_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_log_empty: bool
) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("COPIER", str(file_copies.COPIER))
    monkeypatch.setenv("TOLD", str(told))
    monkeypatch.setattr(file_copies, "COPIER", INTERLEAVED)
    logs = set[int]()
    for seed in range(SEEDS):
        monkeypatch.setenv("SEED", str(seed))
        database = path.with_name(f"{seed}.db")
        db = busy_database.make(database, is_log_empty=is_log_empty)
        before, target = acknowledged(database), tmp_path / f"{seed}.copy"
        assert await copied_as_files(database, target), seed
        assert before <= busy_database.events_of(target) <= acknowledged(database), seed
        assert acknowledged(database) > before
        logs.add(int(told.read_text(encoding="utf-8")))
        db.close()

    assert (max(logs) > 1) == is_log_empty  # a log that is not in the database is never begun anew
    assert not list(tmp_path.glob("*.copy-*"))


async def test_backups_of_a_database_that_is_written_and_checkpointed_without_a_pause(path: Path) -> None:
    db = busy_database.make(path, is_log_empty=False)
    held: list[tuple[int, int, int]] = []
    with busy(path):
        for number in range(BACKUPS):
            before, target = acknowledged(path), path.with_name(f"{number}.db")
            await backup_files.make(path, target, now=NOW)
            held.append((before, busy_database.events_of(target), acknowledged(path)))
    db.close()

    on_its_way = 1  # a commit that is in the log already, but not told yet
    assert [one for one in held if not one[0] <= one[1] <= one[2] + on_its_way] == []
    assert held[-1][1] > held[0][1]


async def test_a_copy_is_made_without_a_log_too(path: Path, tmp_path: Path) -> None:
    db = busy_database.make(path, is_log_empty=True)
    for number, mode in enumerate(("DELETE", "TRUNCATE", "PERSIST", "WAL")):
        db.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        assert await copied_as_files(path, tmp_path / f"{number}.copy")
        assert busy_database.events_of(tmp_path / f"{number}.copy") == 5
    busy_database.commit(db)
    db.close()
    assert await copied_as_files(path, tmp_path / "last.copy")

    assert busy_database.events_of(tmp_path / "last.copy") == 6


async def test_a_database_behind_a_link_is_copied_with_its_log(path: Path, tmp_path: Path) -> None:
    db = busy_database.make(path, is_log_empty=False)
    link = tmp_path / "link.db"
    link.symlink_to(path)

    assert await copied_as_files(link, tmp_path / "a.copy")
    assert busy_database.events_of(tmp_path / "a.copy") == 5
    db.close()


def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))


def stops_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copier = tmp_path / "copier.py"
    copier.write_text(
        "import os, sys\n"
        "for end in ('', '-wal'):\n"
        "    data = open(sys.argv[1] + end, 'rb').read()\n"
        "    open(sys.argv[2] + end, 'wb').write(data[: len(data) // 2])\n"
        f"os.kill(os.getpid(), {signal.SIGKILL:d})\n"
    )
    monkeypatch.setattr(file_copies, "COPIER", copier)


def copies_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copier = tmp_path / "copier.py"
    copier.write_text("import sys\nopen(sys.argv[2], 'wb').write(b'no database' * 1000)\n")
    monkeypatch.setattr(file_copies, "COPIER", copier)


def loses_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [log] = (tmp_path / "data").glob("*-wal")
    log.unlink()


@pytest.mark.parametrize("spoil", [nobody, stops_half_way, copies_nonsense, loses_the_log])
async def test_what_cannot_be_copied_as_files_is_copied_page_by_page(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    db = busy_database.make(path, is_log_empty=False)
    async with connected(path) as source:
        await source.run("SELECT 1 FROM sqlite_master")
        spoil(tmp_path, monkeypatch)
        target = tmp_path / "copy.db"
        target.touch()
        assert not await file_copies.copy(source, target)
        assert target.read_bytes() == b""
        await source.copy_to(target)
    await backup_files.settled(target)

    assert busy_database.events_of(target) == 5
    assert not list(tmp_path.glob("copy.db-*"))
    db.close()


async def test_a_copy_that_is_given_up_ends_the_process_that_makes_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = busy_database.make(path, is_log_empty=False)
    copier, told = tmp_path / "copier.py", tmp_path / "told"
    copier.write_text(
        "import os, sys, time\n"
        f"open({str(told)!r} + '.tmp', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(told)!r} + '.tmp', {str(told)!r})\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(file_copies, "COPIER", copier)
    task = asyncio.create_task(backup_files.make(path, tmp_path / "b" / "b.db", now=NOW))
    while not told.exists():
        await asyncio.wait([task], timeout=0.01)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text(encoding="utf-8")), 0)
    assert list((tmp_path / "b").iterdir()) == []
    assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)  # nobody reads any more
    db.close()


async def test_a_copy_leaves_the_locks_of_its_process(path: Path, tmp_path: Path) -> None:
    mine = busy_database.make(path, is_log_empty=False)
    mine.execute("BEGIN IMMEDIATE")
    assert await copied_as_files(path, tmp_path / "a.copy")
    told = begun_by_another(path)
    mine.close()

    assert "database is locked" in told
