"""`check` on what is around a database: its size, backups, what should have gone, the mirror."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from server.cli.upkeep import check
from server.db.backups import backup_files
from server.db.shared_state import shared_settings, size_limit
from server.db.storage.connection import Database
from server.exporters.mirror import Folder
from server.jobs import mirroring
from server.models.approvals import Word
from server.models.base import timestamp
from server.settings import DATABASE_NAME, Settings
from server.store import open_store
from server.upkeep import backups, checking
from tests.conftest import Agent
from tests.populated_store import PopulatedStore

OLD = timestamp(datetime.now(UTC) - timedelta(days=40))


def names(settings: Settings) -> set[str]:
    return {one.name for one in anyio.run(checking.check, settings) if one.severity != "note"}


def change(root: Path, *statements: str) -> None:
    db = sqlite3.connect(root / DATABASE_NAME)
    for sql in statements:
        db.execute(sql)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def backed_up(settings: Settings, days: float) -> Path:
    when = timestamp(datetime.now(UTC) - timedelta(days=days))
    path = backups.folder_of(settings.database) / backup_files.name_of(when, "")

    async def make() -> None:
        await backup_files.make(settings.database, path, now=when)

    anyio.run(make)
    return path


def setting(key: str, value: str) -> str:
    return f"INSERT INTO settings VALUES ('{key}', '{value}', NULL, 'terminal', NULL, '{OLD}', '{OLD}')"


def test_a_store_without_a_backup_for_days_and_one_with_an_old_one_are_told(copy: PopulatedStore) -> None:
    settings = Settings(data_root=copy.data_root, synchronous="off")
    change(copy.data_root, f"UPDATE event_log SET timestamp = '{OLD}' WHERE event_id = 1")
    assert names(settings) == {"backup-missing"}

    old = backed_up(settings, 9)
    assert names(settings) == {"backup-old"}
    backed_up(settings, 1)
    assert old.exists()
    assert names(settings) == set()


def test_what_is_too_large_and_what_soon_will_be_is_told(copy: PopulatedStore) -> None:
    settings = Settings(data_root=copy.data_root, synchronous="off")
    size = settings.database.stat().st_size
    backed_up(settings, 10)
    change(
        copy.data_root,
        setting("warn_size", f"{size * 3 // 2}"),
        "INSERT INTO update_log (timestamp, summary) SELECT '2999', hex(randomblob(1000))"
        " FROM event_log, steps LIMIT 300",
        "DELETE FROM update_log WHERE timestamp = '2999'",
    )
    assert names(settings) == {"growth"}

    change(copy.data_root, "UPDATE settings SET value = '1000000'")
    assert names(settings) == {"size"}


def test_what_should_have_gone_long_ago_is_told(copy: PopulatedStore) -> None:
    settings = Settings(data_root=copy.data_root, synchronous="off")
    settings.trash.mkdir(exist_ok=True, mode=0o700)
    change(copy.data_root, f"UPDATE trash SET created_at = '{OLD}', expires_at = '{OLD}'")
    (settings.trash / "trash_of_nothing").touch(mode=0o600)

    assert names(settings) == {"expired", "files-in-trash"}


async def test_a_mirror_that_is_behind_or_of_another_database_is_told(copy: PopulatedStore, tmp_path: Path) -> None:
    settings = Settings(data_root=copy.data_root, mirror=tmp_path / "mirror", synchronous="off")
    assert "never written" in (await told(settings))["mirror"]

    db = await open_store(settings)
    await mirroring.write(db, Folder(tmp_path / "mirror"))
    await db.close()
    assert await told(settings) == {}

    change(copy.data_root, f"UPDATE event_log SET timestamp = '{OLD}'", "DELETE FROM update_log")
    cursor = tmp_path / "mirror" / ".mirror" / "cursor.json"
    text = cursor.read_text()
    cursor.write_text(text.replace('"event_id": ', '"event_id": 1'))
    assert "older state" in (await told(settings))["mirror"]
    cursor.write_text('{"database": "x", "event_id": 1, "at": ""}')
    assert "another database" in (await told(settings))["mirror"]


def test_a_document_of_the_mirror_that_was_edited_is_found_by_a_deep_check(
    copy: PopulatedStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {"data_root": str(copy.data_root), "mirror": str(tmp_path / "mirror")}
    settings = Settings(data_root=copy.data_root, mirror=tmp_path / "mirror", synchronous="off")

    async def write() -> None:
        db = await open_store(settings)
        await mirroring.write(db, Folder(tmp_path / "mirror"))
        await db.close()

    anyio.run(write)
    assert check.run(flags, deep=True, only="mirror", as_json=False) == 0
    document = next((tmp_path / "mirror").glob("*/plans/*.json"))
    document.write_text(document.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    before = document.parent.stat().st_mtime_ns

    capsys.readouterr()
    assert check.run(flags, deep=True, only="mirror", as_json=False) == 1
    assert document.name in capsys.readouterr().out
    assert document.parent.stat().st_mtime_ns == before


async def told(settings: Settings) -> dict[str, str]:
    return {one.name: one.what for one in await checking.check(settings, only="mirror")}


async def test_agents_and_people_are_warned_of_a_database_that_is_too_large(
    db: Database, agent: Agent, workspace_id: str
) -> None:
    assert "warnings" not in await agent("memory_agent", "init", agent="tester", workspace_id=workspace_id)
    async with db.transaction() as tx:
        await shared_settings.put(tx, "warn_size", "1000000", Word("terminal"))

    if db.path.stat().st_size + db.wal_size() <= 1_000_000:
        pytest.fail("the store is smaller than the least size that may be set")
    [warning] = await size_limit.warnings(db)
    assert "more than the setting warn_size (1000000)" in warning
    assert len((await agent("memory_workspace", "stats"))["warnings"]) == 1
    begun = await agent("memory_agent", "init", agent="tester", workspace_id=workspace_id)
    assert "warn_size" in begun["warnings"][0]
