"""`check` on trouble as it comes: each is made with a real store, and gone once what it says was done."""

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

from server.db.storage import migrations
from server.db.storage.migrations import load
from server.db.storage.opening import open_database
from server.settings import ASSETS, DATABASE_NAME, Settings
from server.upkeep import place_checks, repairing
from server.upkeep.findings import KINDS
from tests.populated_store import PopulatedStore
from tests.upkeep.test_check import hashes, look, names, run

SHIPPED = ASSETS / "migrations"
# Findings that need a disk or a network which no test has: the parts that tell them have tests of their own.
OUT_OF_REACH = {"network-file-system"}


def settings_of(root: Path) -> Settings:
    return Settings(data_root=root, synchronous="off")


@contextmanager
def opened(root: Path, *pragmas: str) -> Generator[sqlite3.Connection]:
    with closing(sqlite3.connect(root / DATABASE_NAME, isolation_level=None)) as db:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
        yield db
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_rows_that_an_index_misses_are_told_and_come_back(copy: PopulatedStore) -> None:
    root, index = copy.data_root, "name = 'plans_status'"
    with opened(root, "writable_schema = ON") as db:
        [row] = db.execute(f"SELECT * FROM sqlite_master WHERE {index}").fetchall()
        db.execute(f"DELETE FROM sqlite_master WHERE {index}")
    with opened(root) as db:  # which knows of no such index
        db.execute("UPDATE plans SET status = 'paused'")
    with opened(root, "writable_schema = ON") as db:
        db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)

    [found] = [one for one in look(root, deep=True) if one.severity == "error"]
    assert (found.name, "plans_status" in found.what) == ("damaged-indexes", True)
    assert anyio.run(repairing.repair, settings_of(root), found.name) == []
    assert names(root, deep=True) == set()


def test_a_database_that_lacks_a_migration_is_told_and_gets_it(tmp_path: Path) -> None:
    root, earlier = tmp_path / "data", tmp_path / "migrations"
    earlier.mkdir()
    *known, last = load(SHIPPED)
    for one in known:
        shutil.copyfile(SHIPPED / f"{one.name}.sql", earlier / f"{one.name}.sql")

    async def make() -> None:
        db = await open_database(root / DATABASE_NAME, synchronous="off")
        try:
            await migrations.migrate(db, earlier)
        finally:
            await db.close()

    anyio.run(make)
    before = hashes(root)

    [found] = [one for one in look(root) if one.severity != "note"]
    assert (found.name, found.what) == ("schema-pending", f"It lacks {last.name}.")
    assert hashes(root) == before
    assert anyio.run(repairing.repair, settings_of(root), found.name) == []
    assert names(root, deep=True) == set()


@pytest.mark.parametrize("says", ["another workspace", "another folder", "of no use"])
def test_a_folder_that_says_to_be_another_is_told(copy: PopulatedStore, tmp_path: Path, says: str) -> None:
    root, folder = copy.data_root, tmp_path / "shop"
    (folder / ".projectmemory").mkdir(parents=True)
    with opened(root) as db:
        [workspace_id] = db.execute("SELECT workspace_id FROM workspaces WHERE path IS NOT NULL LIMIT 1").fetchone()
        db.execute("UPDATE workspaces SET path = ? WHERE workspace_id = ?", (str(folder), workspace_id))
    identity = {
        "another workspace": {"workspace_id": "ws_elsewhere", "workspace_path": str(folder), "data_root": str(root)},
        "another folder": {"workspace_id": workspace_id, "workspace_path": "/elsewhere", "data_root": str(root)},
        "of no use": ["no identity"],
    }[says]
    (folder / ".projectmemory" / "identity.json").write_text(json.dumps(identity), encoding="utf-8")

    [found] = look(root, only="workspace-moved")
    assert workspace_id in found.what
    assert str(folder) in found.what
    assert says in found.what
    shutil.rmtree(folder / ".projectmemory")
    assert look(root, only="workspace-moved") == []


def test_pages_that_nothing_is_in_are_told_and_given_back(copy: PopulatedStore) -> None:
    root = copy.data_root
    path = root / DATABASE_NAME
    with opened(root) as db:
        db.execute("CREATE TABLE large (bytes)")
        db.execute("INSERT INTO large VALUES (zeroblob(?))", (max(24 * 1024 * 1024, 2 * path.stat().st_size),))
        db.execute("DROP TABLE large")

    [found] = look(root, only="unused-pages")
    assert found.command
    assert found.command.partition(" --data-root")[0].endswith("compact")
    before = path.stat().st_size
    assert run(root, "compact") == 0
    assert look(root, only="unused-pages") == []
    assert path.stat().st_size < before / 2


def test_a_disk_without_room_for_copies_of_the_database_is_told(copy: PopulatedStore) -> None:
    path = copy.data_root / DATABASE_NAME
    whole = path.stat().st_size
    assert look(copy.data_root, only="disk-space") == []
    os.truncate(path, shutil.disk_usage(copy.data_root).free)  # a file with a hole takes no room

    [found] = look(copy.data_root, only="disk-space")
    assert "are free" in found.what
    os.truncate(path, whole)
    assert look(copy.data_root, only="disk-space") == []


def test_a_store_of_another_user_is_told(copy: PopulatedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)

    found = look(copy.data_root, only="owner")
    assert [one.what for one in found] == [
        f"{path} belongs to user {mine}; this is user {mine + 1}."
        for path in (copy.data_root, copy.data_root / DATABASE_NAME)
    ]
    monkeypatch.undo()
    assert look(copy.data_root, only="owner") == []


def circle(root: Path) -> Callable[[], None]:
    path = root / DATABASE_NAME
    path.rename(root / "aside")
    path.symlink_to(path)

    def back() -> None:
        path.unlink()
        (root / "aside").rename(path)

    return back


def locked_away(root: Path) -> Callable[[], None]:
    """Take the right to read it from whoever this is, root too."""
    path, who = root / DATABASE_NAME, os.geteuid()
    if who == 0:
        os.seteuid(65534)  # for whom the folders of tests are closed
    else:
        path.chmod(0)

    def back() -> None:
        if who == 0:
            os.seteuid(0)
        else:
            path.chmod(0o600)

    return back


@pytest.mark.parametrize("close", [circle, locked_away])
def test_a_database_that_cannot_be_read_is_told(
    copy: PopulatedStore, close: Callable[[Path], Callable[[], None]]
) -> None:
    look(copy.data_root)  # what it needs is imported as the user that this is
    back = close(copy.data_root)
    try:
        found = look(copy.data_root)
    finally:
        back()
    assert [one.name for one in found] == ["database-unreadable"]
    assert "chmod" in (found[0].advice or "")
    assert names(copy.data_root) == set()


def test_bytes_that_the_disk_does_not_give_are_told(copy: PopulatedStore, tmp_path: Path) -> None:
    assert list(place_checks.every_byte(settings_of(copy.data_root))) == []
    if sys.platform == "linux":
        (tmp_path / "ill").mkdir()
        (tmp_path / "ill" / DATABASE_NAME).symlink_to("/proc/self/mem")  # its first byte is an error of the device
        [(name, what)] = place_checks.every_byte(settings_of(tmp_path / "ill"))
        assert (name, "Input/output error" in what) == ("unread-bytes", True)


def test_a_store_in_a_folder_that_is_kept_in_step_is_told(copy: PopulatedStore, tmp_path: Path) -> None:
    shutil.copytree(copy.data_root, tmp_path / "Dropbox" / "data")
    [found] = look(tmp_path / "Dropbox" / "data", only="synced-folder")
    assert "Dropbox" in found.what


def test_an_sqlite_with_a_fault_that_can_cost_data_is_told(copy: PopulatedStore) -> None:
    is_faulty = (3, 7, 0) <= sqlite3.sqlite_version_info < (3, 51, 3)
    assert len(look(copy.data_root, only="sqlite-version")) == int(is_faulty)


def test_every_finding_is_made_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert {name for name in KINDS if f'"{name}"' not in tests} - OUT_OF_REACH == set()
