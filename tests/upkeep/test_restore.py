"""A backup takes the place of the database: what is shown before, what is refused, and what an interruption leaves."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.db.backups import backup_files
from server.db.shared_state import server_runs
from server.db.storage import process_lock
from server.db.storage.connection import Database
from server.errors import Busy, InvalidArguments, NotFound, ProjectMemoryError, SchemaTooNew, Storage
from server.jobs import registration
from server.settings import ASSETS, Settings
from server.store import open_store
from server.upkeep import backups, restore
from server.upkeep.restore import Restored, RestorePreview
from tests.upkeep.test_backups import change, everything

NOW = "2030-01-01T00:00:00.000Z"
DYING = Path(__file__).with_name("dying_upkeep.py")
# A database of ours as far as backups know, but small: what is killed again and again is to be quick.
SMALL = """
CREATE TABLE _migrations (name TEXT);
CREATE TABLE event_log (event_id INTEGER PRIMARY KEY, timestamp TEXT, type TEXT, entity_id TEXT, agent TEXT);
CREATE TABLE notes (text TEXT);
"""


async def restored(database: Path, file: Path, now: str = NOW) -> tuple[RestorePreview, Restored]:
    async with restore.prepared(database, file, dry_run=False) as (comparison, draft):
        return comparison, await restore.put(database, comparison, draft, now)


async def compared(database: Path, file: Path) -> RestorePreview:
    async with restore.prepared(database, file, dry_run=True) as (comparison, _):
        return comparison


async def backed_up(settings: Settings, *, more: int = 0) -> Path:
    """Make a backup of a database with an event, and leave `more` of them behind."""
    db = await open_store(settings)
    await change(db)
    made = await backups.make(db)
    for _ in range(more):
        await change(db)
    await db.close()
    assert made.path
    return made.path


def small(path: Path, *notes: str) -> None:
    """Make a small database; the notes are in its log alone, as a killed process leaves it."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; {SMALL}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if "damaged" in notes:  # an index that is not what the schema says from now on
            db.executescript("CREATE INDEX by_text ON notes (text); PRAGMA writable_schema = ON")
            db.execute(
                "UPDATE sqlite_master SET sql = 'CREATE INDEX by_text ON notes (upper(text))' WHERE type = 'index'"
            )
        for note in notes:
            db.execute("INSERT INTO notes VALUES (?)", (note,))
        kept = {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal", "-shm")}
    for end, content in kept.items():
        Path(f"{path}{end}").write_bytes(content)


def beside(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()} - {path.name, "project-memory.lock", "processes", "backups"}


async def test_a_backup_takes_the_place_of_the_database_and_that_is_saved_before(settings: Settings) -> None:
    file = await backed_up(settings, more=3)
    then, now = everything(file), everything(settings.database)
    comparison, done = await restored(settings.database, file)

    assert everything(settings.database) == then
    assert done.saved
    assert everything(done.saved) == now
    manifest = backup_files.manifest_of(done.saved)
    assert manifest
    assert manifest.reason == "before-restore"
    assert comparison.lost
    assert (comparison.lost.total, comparison.lost.is_earlier, comparison.damage) == (3, True, "")
    assert beside(settings.database) == set()
    await restored(settings.database, done.saved, "2030-01-01T00:00:01.000Z")
    assert everything(settings.database) == now


async def test_a_dry_run_says_what_would_be_lost_while_others_use_the_database_and_changes_nothing(
    settings: Settings, db: Database
) -> None:
    file = await backed_up(settings, more=12)
    before = everything(settings.database)
    found = await compared(settings.database, file)

    assert found.now
    assert found.now.rows["event_log"] - found.then.rows["event_log"] == 12
    assert found.lost
    assert (found.lost.total, len(found.lost.newest)) == (12, restore.EVENTS_SHOWN)
    assert everything(settings.database) == before
    with pytest.raises(Busy, match="in use by process"):
        await restored(settings.database, file)
    assert everything(settings.database) == before
    assert {name for name in beside(settings.database) if not name.startswith("project-memory.db")} == set()


async def test_a_database_with_another_past_loses_all_its_events(settings: Settings, tmp_path: Path) -> None:
    file = await backed_up(settings, more=2)
    other = Settings(data_root=tmp_path / "other", synchronous="off")
    await backed_up(other, more=4)
    found = await compared(other.database, file)

    assert found.lost
    assert found.now
    assert (found.lost.is_earlier, found.lost.total) == (False, found.now.rows["event_log"])


async def test_an_old_log_beside_the_database_does_not_reach_the_new_one(settings: Settings, tmp_path: Path) -> None:
    file = await backed_up(settings)
    then = everything(file)
    db = await open_store(settings)
    for _ in range(5):
        await change(db)
    copies = {end: Path(f"{settings.database}{end}").read_bytes() for end in ("", "-wal", "-shm")}
    await db.close()
    for end, content in copies.items():
        Path(f"{settings.database}{end}").write_bytes(content)
    assert len(copies["-wal"]) > 4096
    comparison, done = await restored(settings.database, file)

    assert comparison.lost
    assert comparison.lost.total == 5  # which only the log had
    assert done.saved
    assert len(everything(done.saved)["event_log"]) == len(then["event_log"]) + 5
    assert everything(settings.database) == then
    assert beside(settings.database) == set()


@pytest.mark.parametrize("at", [0, 1000], ids=["the beginning", "the middle"])
async def test_a_damaged_database_is_kept_with_its_log_and_another_takes_its_place(settings: Settings, at: int) -> None:
    file = await backed_up(settings)
    then = everything(file)
    with settings.database.open("r+b") as damaged:
        damaged.seek(at * 1024)
        damaged.write(b"\x5a" * 400_000)
    log = Path(f"{settings.database}-wal")
    log.write_bytes(b"\x5a" * 50_000)
    written = log.read_bytes()
    broken = settings.database.read_bytes()
    comparison, done = await restored(settings.database, file)

    assert comparison.damage
    assert done.saved is None
    assert done.aside
    assert done.aside.read_bytes() == broken
    assert at or Path(f"{done.aside}-wal").read_bytes() == written
    assert everything(settings.database) == then
    assert not log.exists()


async def test_a_data_root_without_a_database_gets_one(settings: Settings, tmp_path: Path) -> None:
    file = await backed_up(settings)
    new = Settings(data_root=tmp_path / "new" / "data", synchronous="off")
    comparison, done = await restored(new.database, file)

    assert everything(new.database) == everything(file)
    assert (comparison.now, comparison.damage, done) == (None, "", Restored(None, None))


async def test_a_copy_that_another_program_made_is_restored_with_its_log(settings: Settings, tmp_path: Path) -> None:
    db = await open_store(settings)
    await change(db)
    copy = tmp_path / "copy.db"
    for end in ("", "-wal"):
        shutil.copy(f"{settings.database}{end}", f"{copy}{end}")
    events = await db.value("SELECT count(*) FROM event_log")
    await db.close()
    comparison, _ = await restored(settings.database, copy)

    assert comparison.made_at is None
    assert len(everything(settings.database)["event_log"]) == events


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[200_000] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    Path(f"{file}.json").unlink()
    file.write_bytes(file.read_bytes()[:300_000])


def of_others(file: Path) -> None:
    Path(f"{file}.json").unlink()
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE cookies (name TEXT)")
        db.commit()


def no_database(file: Path) -> None:
    Path(f"{file}.json").unlink()
    file.write_text("hello " * 1000)


def too_new(file: Path) -> None:
    Path(f"{file}.json").unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 9999")


def half_ours(file: Path) -> None:
    Path(f"{file}.json").unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE event_log")
        db.commit()


@pytest.mark.parametrize(
    ("spoil", "said", "kind"),
    [
        (flipped, "its SHA-256 is not the one of its manifest", Storage),
        (cut, "is damaged|malformed", Storage),
        (of_others, "of another program", Storage),
        (no_database, "not a database", Storage),
        (too_new, "has schema version 9999", SchemaTooNew),
        (half_ours, "no such table", Storage),
    ],
)
async def test_what_is_no_backup_that_can_be_used_is_refused_and_nothing_changes(
    settings: Settings, spoil: Any, said: str, kind: type[ProjectMemoryError]
) -> None:
    file = await backed_up(settings, more=1)
    before = everything(settings.database)
    spoil(file)
    with pytest.raises(kind, match=said) as refused:
        await restored(settings.database, file)

    assert str(file) in str(refused.value)
    assert "Nothing was changed" in str(refused.value)
    assert everything(settings.database) == before
    assert beside(settings.database) == set()
    async with process_lock.alone(settings.database, "x"):
        pass


async def test_a_file_is_named_by_its_path_or_by_its_name_in_the_data_root(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await backed_up(settings)
    monkeypatch.chdir(tmp_path)

    assert restore.chosen(settings.database, file) == file
    assert restore.chosen(settings.database, Path(file.name)) == file
    with pytest.raises(NotFound, match=f"The newest backups: {file.name}"):
        restore.chosen(settings.database, tmp_path / file.name)
    with pytest.raises(InvalidArguments, match="is the database itself"):
        restore.chosen(settings.database, settings.database)


async def test_servers_that_ran_when_a_backup_was_made_are_no_reason_to_look_a_restored_one_over(
    settings: Settings,
) -> None:
    db = await open_store(settings)
    db.with_first_write(server_runs.registration(db.lock.name, 1, "0", db.now()))
    await change(db)
    made = await backups.make(db)
    await db.close()
    assert made.path
    await restored(settings.database, made.path)
    db = await open_store(settings)
    left = await server_runs.unfinished(db)
    await registration.look_over(db)
    looked = await server_runs.last_check(db)
    await db.close()

    assert (left, looked) == ([], None)


async def test_a_backup_of_an_older_release_is_migrated_by_the_next_start(settings: Settings) -> None:
    file = await backed_up(settings)
    with closing(sqlite3.connect(file)) as db:
        db.executescript("DROP TABLE server_runs; DELETE FROM _migrations WHERE name LIKE '%server_runs'")
        db.execute("PRAGMA user_version = 17")
    Path(f"{file}.json").unlink()
    await restored(settings.database, file)
    db = await open_store(settings)

    assert await db.value("SELECT count(*) FROM server_runs") == 0
    await db.close()


def killed_at_every_step(database: Path, *words: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(DYING), str(database), *words],
        env={"PYTHONPATH": str(ASSETS)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("state", ["sound", "damaged", "unreadable"])
async def test_a_restoration_that_is_killed_at_any_step_leaves_the_old_database_or_the_new_one(
    tmp_path: Path, state: str
) -> None:
    database, file = tmp_path / "data" / "project-memory.db", tmp_path / "other" / "backup.db"
    small(database, "old", state)
    small(file, "new")
    if state == "unreadable":
        with database.open("r+b") as broken:
            broken.write(b"\x5a" * 100)
    ends = killed_at_every_step(database, "restore", str(file))

    assert len(ends) > 15
    assert [end["code"] for end in ends] == [-9] * (len(ends) - 1) + [0]
    found = [end["notes"] for end in ends]
    first = found.index(["new"])
    assert found == [None if state == "unreadable" else sorted(["old", state])] * first + [["new"]] * (
        len(found) - first
    )
    assert first > 5
    assert all(end["sound"] == "ok" for end in ends[first:])
    assert state != "sound" or all(end["sound"] == "ok" for end in ends)
    assert state != "unreadable" or all("project-memory.db-wal" in end["left"] for end in ends[:first])
    assert all(whole for end in ends for whole in end["backups"])
    kept = [name for name in ends[-1]["left"] if ".db.damaged-2030" in name]
    assert len(kept) == {"sound": 0, "damaged": 1, "unreadable": 3}[state]  # with its log


async def test_a_backup_that_is_killed_at_any_step_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    database = tmp_path / "data" / "project-memory.db"
    small(database, "one")
    ends = killed_at_every_step(database, "backup")

    assert len(ends) > 8
    assert [end["code"] for end in ends] == [-9] * (len(ends) - 1) + [0]
    assert {tuple(end["notes"]) for end in ends} == {("one",)}
    assert ends[-1]["backups"] == [True]
    assert all(end["backups"] in ([], [True]) for end in ends)


@pytest.mark.parametrize("content", [b"", b"\x5a" * 5000], ids=["empty", "no header"])
async def test_a_start_leaves_the_log_of_a_database_that_cannot_be_read(settings: Settings, content: bytes) -> None:
    file = await backed_up(settings)
    settings.database.write_bytes(content)
    log = Path(f"{settings.database}-wal")
    log.write_bytes(b"\x5a" * 50_000)
    for _ in range(2):
        with pytest.raises(Storage, match=r"its log project-memory\.db-wal is there"):
            await open_store(settings)
    _, done = await restored(settings.database, file)

    assert done.aside
    assert Path(f"{done.aside}-wal").read_bytes() == b"\x5a" * 50_000
    assert everything(settings.database) == everything(file)
