"""`search-index`: what is damaged is told apart from what is only busy."""

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from server.__main__ import main
from server.db.storage import connection
from server.settings import Settings
from server.store import open_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    async def make() -> Path:
        db = await open_store(Settings(data_root=tmp_path, synchronous="off"))
        await db.close()
        return db.path

    return asyncio.run(make())


def run(database: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["project-memory", "search-index", "--data-root", str(database.parent), *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("words", [(), ("--rebuild",)])
def test_a_database_that_others_write_to_is_busy_and_not_damaged(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert run(database, monkeypatch, *words) == 75
    told = capsys.readouterr()
    assert "lock" in told.err
    assert "rebuild" not in told.out + told.err
    other.execute("ROLLBACK")
    other.close()
    assert run(database, monkeypatch, *words) == 0
    assert "the search is sound" in capsys.readouterr().out


def test_damage_is_told_by_another_code(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(database) as db:
        db.execute("DELETE FROM search_documents WHERE kind = 'skill'")
    db.close()

    assert run(database, monkeypatch) == 1
    assert "search-index --rebuild repairs it" in capsys.readouterr().out
    assert run(database, monkeypatch, "--rebuild") == 0
