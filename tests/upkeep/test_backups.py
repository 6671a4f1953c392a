"""Backups: what they hold, when one is made, and which are kept."""

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server.db.backups import backup_files
from server.db.shared_state import shared_settings
from server.db.storage import driver
from server.db.storage.connection import Database
from server.errors import Conflict, Storage, TooLarge
from server.files import make_folder
from server.jobs import background
from server.models.approvals import Word
from server.settings import ASSETS, Settings
from server.store import Store, open_store
from server.upkeep import backups
from server.upkeep.backups import BackupFile, Policy
from tests.conftest import Agent

POLICY = Policy(7, 4, 6, 10**9)
FULL_DISK = """
import resource, sys
from server.__main__ import main
room = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
main()
"""


class Days:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, days: float = 1) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def days(db: Database) -> Days:
    clock = Days()
    db._clock = clock
    return clock


async def change(db: Database) -> None:
    """Leave an event, as every write does."""
    async with db.transaction() as tx:
        await tx.run(
            "INSERT INTO event_log (timestamp, type, entity_type, entity_id) VALUES (:now, 'x', 'plan', 'p')",
            {"now": tx.now()},
        )


async def set_to(db: Database, key: str, value: str) -> None:
    async with db.transaction() as tx:
        await shared_settings.put(tx, key, value, Word("terminal"))


def everything(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {backups.LOCK}


async def test_a_backup_is_the_whole_database_in_one_sound_file(agent: Agent, db: Database, workspace_id: str) -> None:
    await agent("memory_plan", "create", workspace_id=workspace_id, title="P", steps=[{"task": "a"}])
    before = everything(db.path)
    done = await backups.make(db)
    assert done.path
    assert done.manifest

    assert everything(done.path) == before
    with closing(sqlite3.connect(done.path)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert done.manifest.sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    assert done.manifest.rows["steps"] == 1
    assert done.manifest.newest_event == max(row[0] for row in before["event_log"])
    assert backup_files.manifest_of(done.path) == done.manifest
    assert left_in(done.path.parent) == {done.path.name, f"{done.path.name}.json"}
    if sys.platform != "win32":
        assert {stat.S_IMODE(path.stat().st_mode) for path in done.path.parent.iterdir()} == {0o600}


async def test_none_is_made_when_nothing_changed(db: Database, days: Days) -> None:
    await change(db)
    first = await backups.make(db)
    again = await backups.make(db)
    assert (again.path, again.why_not) == (None, f"nothing changed since {first.path}")
    days.pass_()
    assert (await backups.daily(db)).why_not == again.why_not

    await change(db)
    assert (await backups.daily(db)).path


async def test_a_state_with_the_same_number_of_events_is_another_one(db: Database, days: Days) -> None:
    await change(db)
    await backups.make(db)
    days.pass_()
    async with db.transaction() as tx:
        await tx.run("UPDATE event_log SET timestamp = :now", {"now": tx.now()})

    assert (await backups.make(db)).path


async def test_a_day_has_one_backup_however_many_servers_look(
    settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change(db)
    others = [await open_store(settings) for _ in range(3)]
    done = await asyncio.gather(*(backups.daily(one) for one in (db, *others)))
    for one in others:
        await one.close()
    await change(db)

    assert len([one for one in done if one.path]) == 1
    assert {one.why_not for one in done if not one.path} <= {"another process is making one", "there is one of today"}
    assert (await backups.daily(db)).why_not == "there is one of today"
    assert len(backups.found(backups.folder_of(db.path))) == 1


async def test_a_server_makes_the_backup_of_the_day_by_itself_unless_it_only_reads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "BACKUP_AFTER_SECONDS", 0)
    store = Store(settings)
    await change(await store.open())
    jobs = dict(background.Background(store).jobs())
    task = asyncio.ensure_future(jobs["the daily backup"]())
    folder = backups.folder_of(settings.database)
    while not backups.found(folder):
        await asyncio.wait([task], timeout=0.01)
    task.cancel()
    await asyncio.wait([task])
    await store.close()
    reading = Store(replace(settings, read_only=True))

    assert [file.is_daily for file in backups.found(folder)] == [True]
    assert "the daily backup" not in dict(background.Background(reading).jobs())


async def test_a_person_may_turn_the_daily_ones_off(db: Database) -> None:
    await change(db)
    await set_to(db, "backups.automatic", "off")

    assert (await backups.daily(db)).why_not == "the setting backups.automatic is off"
    assert (await backups.make(db)).path


async def test_no_backup_is_made_where_there_is_no_room(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change(db)
    await set_to(db, "backups.max_bytes", "1MB")
    with pytest.raises(TooLarge, match=r"the setting backups\.max_bytes is 1000000"):
        await backups.make(db)
    assert (await backups.make_at(db, tmp_path / "elsewhere")).path
    await set_to(db, "backups.max_bytes", "1GB")
    free = db.path.stat().st_size * 2
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(free * 9, free * 8, free))
    for made in (backups.make(db), backups.make_at(db, tmp_path / "again")):
        with pytest.raises(Storage, match=f"{free} bytes are free"):
            await made

    assert left_in(backups.folder_of(db.path)) == set()
    assert left_in(tmp_path / "again") == set()


async def test_backups_in_a_folder_of_a_persons_choice_are_kept_by_number(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "mine.db").write_text("x")
    for _ in range(4):
        await backups.make_at(db, folder, keep=2)
    file = folder / "one.db"
    made = await backups.make_at(db, file, keep=2)
    with pytest.raises(Conflict, match="is there already"):
        await backups.make_at(db, file)

    assert made.path == file
    kept = backups.found(folder)
    assert left_in(folder) == {"mine.db", "one.db", "one.db.json"} | {
        name for file in kept for name in (file.path.name, f"{file.path.name}.json")
    }
    assert len(kept) == 2


def listed(dates: Iterator[datetime], size: int = 1) -> list[BackupFile]:
    files = [BackupFile(Path(f"{when:%Y%m%dT%H%M%S}-daily.db"), when, size) for when in dates]
    return sorted(files, key=lambda file: file.made_at, reverse=True)


def test_a_year_of_dailies_leaves_days_weeks_and_months() -> None:
    files: list[BackupFile] = []
    for day in range(365):
        [new] = listed(iter([datetime(2030, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)]))
        files = [new, *files]
        gone = {file.path for file in backups.surplus(files, POLICY)}
        assert new.path not in gone
        files = [file for file in files if file.path not in gone]
        assert len(files) <= 7 + 4 + 6

    assert [f"{file.made_at:%m-%d}" for file in files] == [
        *("12-31", "12-30", "12-29", "12-28", "12-27", "12-26", "12-25"),
        *("12-22", "12-15"),  # the last days of weeks, behind the two that the dailies hold
        *("11-30", "10-31", "09-30", "08-31", "07-31"),
    ]


def test_what_is_no_daily_stays_as_long_as_the_dailies_of_its_time() -> None:
    start = datetime(2030, 3, 1, 9, tzinfo=UTC)
    files = listed(start + timedelta(days=day) for day in range(20))
    safe = [
        BackupFile(Path(f"{hours}-before-restore.db"), start + timedelta(days=day, hours=hours), 1)
        for day in (5, 14)
        for hours in (-1, -2)
    ]
    files = sorted([*files, *safe], key=lambda file: file.made_at, reverse=True)
    gone = {file.path for file in backups.surplus(files, Policy(7, 0, 0, 10**9))}

    assert {file.path for file in safe} - gone == {file.path for file in safe if file.made_at.day >= 14}


def test_what_takes_too_much_goes_the_oldest_first_and_the_newest_stays() -> None:
    files = listed((datetime(2030, 1, day, tzinfo=UTC) for day in range(1, 8)), size=400)

    assert [file.made_at.day for file in backups.surplus(files, replace(POLICY, max_bytes=1300))] == [4, 3, 2, 1]
    assert [file.made_at.day for file in backups.surplus(files, replace(POLICY, max_bytes=1))] == [6, 5, 4, 3, 2, 1]


async def test_days_pass_and_the_files_that_are_not_kept_go_with_their_manifests(db: Database, days: Days) -> None:
    await set_to(db, "backups.keep_daily", "2")
    await set_to(db, "backups.keep_weekly", "1")
    await set_to(db, "backups.keep_monthly", "0")
    for _ in range(5):
        await change(db)
        assert (await backups.daily(db)).path
        days.pass_()
    folder = backups.folder_of(db.path)
    names = [file.path.name for file in backups.found(folder)]

    assert [backups.found(folder)[place].made_at.day for place in range(2)] == [5, 4]
    assert left_in(folder) == {*names, *(f"{name}.json" for name in names)}
    assert len(names) == 2


async def test_a_backup_of_a_clock_that_ran_ahead_holds_nothing_up(db: Database, days: Days) -> None:
    await change(db)
    days.pass_(400)
    assert (await backups.daily(db)).path
    days.pass_(-400)
    await change(db)

    assert (await backups.daily(db)).path
    assert (await backups.daily(db)).why_not == "there is one of today"


async def test_commits_of_others_do_not_hold_a_backup_up_and_are_not_in_it_by_halves(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "COPIED_PAGES", 10)
    steps = 0
    connection = driver.Connection
    plain = connection._may_go_on
    writer = sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)

    def write(self: driver.Connection, status: int, remaining: int, total: int) -> None:
        nonlocal steps
        steps += 1
        writer.execute("INSERT INTO settings VALUES (:key, 'x', NULL, 'x', NULL, '', '')", {"key": f"k{steps}"})
        plain(self, status, remaining, total)

    monkeypatch.setattr(connection, "_may_go_on", write)
    path = tmp_path / "copy.db"
    path.touch()
    async with driver.connected(db.path) as source:
        await source.copy_to(path)
    pages = db.path.stat().st_size // 4096
    writer.close()

    assert steps <= pages // 10 + 2
    assert await db.value("SELECT count(*) FROM settings") == steps
    assert everything(path)["settings"] == []


async def test_a_backup_that_is_given_up_stops_and_leaves_nothing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))  # so that it is made page by page
    monkeypatch.setattr(driver, "COPIED_PAGES", 1)
    steps, total_pages = 0, 0
    plain = driver.Connection._may_go_on
    task: asyncio.Task[Any] | None = None
    loop = asyncio.get_running_loop()

    def count(self: driver.Connection, status: int, remaining: int, total: int) -> None:
        nonlocal steps, total_pages
        steps, total_pages = steps + 1, total
        if steps == 3:
            assert task
            asyncio.run_coroutine_threadsafe(cancel(task), loop).result()
        plain(self, status, remaining, total)

    async def cancel(task: asyncio.Task[Any]) -> None:
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)

    monkeypatch.setattr(driver.Connection, "_may_go_on", count)
    task = asyncio.create_task(backups.make_at(db, tmp_path / "b"))
    await asyncio.wait([task])

    assert task.cancelled()
    assert steps < total_pages
    assert left_in(tmp_path / "b") == set()


async def test_what_a_killed_process_was_writing_goes_with_a_later_backup(db: Database) -> None:
    folder = backups.folder_of(db.path)
    make_folder(folder)
    old, new = folder / ".project-memory-00.tmp-journal", folder / ".project-memory-01.tmp"
    for path in (old, new):
        path.write_text("x")
    os.utime(old, (0, 0))
    await backups.make(db)

    assert not old.exists()
    assert new.exists()


def test_a_full_disk_leaves_no_half_of_a_backup_and_says_so(settings: Settings) -> None:
    room = settings.database.stat().st_size // 2
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(room), "--data-root", str(settings.data_root), "backup"],
        cwd=ASSETS,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("project-memory: The database failed: ")
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_in(backups.folder_of(settings.database)) == set()


async def test_a_damaged_database_gives_no_backup_and_leaves_those_that_are_there(db: Database, days: Days) -> None:
    await change(db)
    first = await backups.make(db)
    await change(db)
    await db.equip("PRAGMA foreign_keys = OFF")
    async with db.transaction() as tx:
        await tx.run(
            "INSERT INTO plans (plan_id, workspace_id, title, created_at, updated_at) VALUES ('p', 'no', 't', '', '')"
        )
    with pytest.raises(Storage, match="is damaged: plans row"):
        await backups.make(db)

    assert [file.path for file in backups.found(backups.folder_of(db.path))] == [first.path]
    assert json.loads(Path(f"{first.path}.json").read_text(encoding="utf-8"))["reason"] == ""
