"""A whole hive comes in: each file and each row is accounted for, and again changes nothing."""

from collections import Counter
from pathlib import Path

import pytest

from server.db.storage.connection import Database
from tests.importers.agent_hive import hive_store
from tests.importers.conftest import Taker, everything


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    return hive_store.whole().write(tmp_path / "hive")


async def counted(db: Database) -> Counter[str]:
    rows = await db.all("SELECT table_name AS name, count(*) AS n FROM import_rows GROUP BY table_name")
    found = Counter({row["name"]: row["n"] for row in rows if row["name"] not in ("event_log", "update_log")})
    found["event_log"] = await db.value("SELECT count(*) FROM event_log WHERE source IS NOT NULL")
    return found


async def test_every_file_and_every_row_comes_in_once(take: Taker, db: Database, hive: Path) -> None:
    before = {path: path.read_bytes() for path in hive.rglob("*") if path.is_file()}
    empty = everything(db.path)
    dry = await take(hive, dry_run=True)
    assert everything(db.path) == empty

    report = await take(hive)

    assert [f for f in report.findings if f.severity == "error"] == []
    assert report.differences == []
    assert (dry.files, dry.rows) == (report.files, report.rows)
    assert sum(report.files.values()) == len(before)
    expected = hive_store.whole().rows
    found = await counted(db)
    found.pop("workspaces")
    assert found == expected
    assert {path: path.read_bytes() for path in hive.rglob("*") if path.is_file()} == before

    again = await take(hive)
    assert set(again.files) == {"unchanged"}
