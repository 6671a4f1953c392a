"""The database of mcp-memory-service itself, for those who never exported it."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from server import importers
from tests.importers.conftest import Taker

SECRET = "ghp_" + "Zz9" * 12
SCHEMA = """
    CREATE TABLE memories (id INTEGER PRIMARY KEY AUTOINCREMENT, content_hash TEXT UNIQUE NOT NULL,
        content TEXT NOT NULL, tags TEXT, memory_type TEXT, metadata TEXT, created_at REAL, updated_at REAL,
        created_at_iso TEXT, updated_at_iso TEXT, deleted_at REAL DEFAULT NULL);
    CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE memory_graph (source_hash TEXT, target_hash TEXT, similarity REAL, connection_types TEXT,
        metadata TEXT, created_at REAL, relationship_type TEXT);
    CREATE TABLE memory_embeddings_chunks (chunk_id INTEGER PRIMARY KEY, size INTEGER, validity BLOB);
    CREATE TABLE memory_embeddings_vector_chunks00 (rowid PRIMARY KEY, vectors BLOB);
"""


def database(path: Path, *memories: tuple[str, str, str], gone: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(SCHEMA)
        put(db, *memories)
        db.execute("UPDATE memories SET deleted_at = 1740000999.5 WHERE content_hash = ?", (gone,))
        db.execute("INSERT INTO memory_embeddings_vector_chunks00 VALUES (1, x'00FF')")
        db.execute("INSERT INTO memory_graph VALUES ('h1', 'h2', 0.9, '[\"semantic\"]', '{}', 1.5, 'related')")


def put(db: sqlite3.Connection, *memories: tuple[str, str, str]) -> None:
    for name, content, tags in memories:
        told = (name, content, tags, "note", '{"agent_id": "ann", "n": [1, 2.50]}', 1740000000.25, 1740000060.25)
        db.execute(
            "INSERT INTO memories (content_hash, content, tags, memory_type, metadata, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            told,
        )


async def facts(take: Taker) -> dict[str, dict[str, Any]]:
    rows = await take.db.all("SELECT * FROM memory_entries WHERE namespace = 'memories'")
    return {row["key"]: dict(row) | {"value": json.loads(row["value"])} for row in rows}


async def test_memories_of_a_database_are_facts_as_an_export_of_it_would_be(take: Taker, tmp_path: Path) -> None:
    memories = (("h1", "Use tabs — größer", "style, code"), ("h2", f"Key {SECRET}", ""), ("h3", "Was wrong", ""))
    database(tmp_path / "sqlite_vec.db", *memories, gone="h3")
    report = await take(tmp_path)
    found = await facts(take)
    assert found.keys() == {"h1", "h2"}
    one = found["h1"]
    assert one["value"] == {
        "content_hash": "h1", "content": "Use tabs — größer", "tags": ["style", "code"], "memory_type": "note",
        "metadata": {"agent_id": "ann", "n": [1, 2.5]}, "created_at": 1740000000.25, "updated_at": 1740000060.25,
    }  # fmt: skip
    assert (one["created_by"], one["created_at"]) == ("ann", "2025-02-19T21:20:00.250Z")
    assert SECRET not in json.dumps(found)
    assert "semantic" in await take.db.value("SELECT data FROM context_items")
    told = [one.what for one in report.findings]
    assert any("deleted there" in what for what in told)
    assert (await take.verify(tmp_path)).standing == "GREEN"
    assert (await take(tmp_path)).rows == {}


async def test_what_is_still_in_the_log_of_a_database_comes_too(take: Taker, tmp_path: Path) -> None:
    database(tmp_path / "mine" / "sqlite_vec.db", ("h1", "One", ""))
    with closing(sqlite3.connect(tmp_path / "mine" / "sqlite_vec.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        with db:
            put(db, ("h2", "Two", ""))
        await take(tmp_path / "mine" / "sqlite_vec.db")
        assert (await facts(take)).keys() == {"h1", "h2"}
        with db:
            put(db, ("h4", "Four", ""))
        await take(tmp_path / "mine" / "sqlite_vec.db")
        assert (await facts(take)).keys() == {"h1", "h2", "h4"}


async def test_the_database_counts_before_the_exports_beside_it(take: Taker, tmp_path: Path) -> None:
    database(tmp_path / "sqlite_vec.db", ("h1", "New words", ""))
    exported = {"content": "Old words", "content_hash": "h1", "tags": [], "created_at": 1.0}
    gone = {"content": "Gone", "content_hash": "h9", "tags": [], "created_at": 1740000000.0}
    told = {"export_metadata": {"total_memories": 2}, "memories": [exported, gone]}
    (tmp_path / "memories_export.json").write_text(json.dumps(told))
    await take(tmp_path)
    assert {key: one["value"]["content"] for key, one in (await facts(take)).items()} == {
        "h1": "New words",
        "h9": "Gone",
    }


async def test_the_export_of_the_dashboard_is_taken_in(take: Taker, tmp_path: Path) -> None:
    memories = [{"content": "Words", "content_hash": "h1", "tags": ["a"], "created_at": 1740000000.0}]
    told = {
        "export_date": "2025-08-01T00:00:00.000Z",
        "total_memories": 1,
        "exported_memories": 1,
        "memories": memories,
    }
    (tmp_path / "mcp-memories-export-2025-08-01.json").write_text(json.dumps(told, indent=2))
    assert (await take(tmp_path)).exit_code == 0
    assert (await facts(take)).keys() == {"h1"}


def test_databases_of_others_are_not_claimed(tmp_path: Path) -> None:
    recognise = importers.layout_of("mcp-memory-service").recognise
    with closing(sqlite3.connect(tmp_path / "memory.db")) as db, db:
        db.execute("CREATE TABLE memories (id, words)")
    (tmp_path / "sqlite_vec.db").write_bytes(b"no database")
    assert recognise(tmp_path) is None
    assert recognise(tmp_path / "memory.db") is None
    database(tmp_path / "b" / "own.db", ("h1", "One", ""))
    assert recognise(tmp_path / "b" / "own.db")
    shutil.copy(tmp_path / "b" / "own.db", tmp_path / "b" / "sqlite_vec.db")
    assert recognise(tmp_path / "b")
