"""A project with ConPort: its database with every table, and what has to come of it."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.importers.layouts import Expected

SECRET = "ghp_" + "Zz9" * 12
AT = "2025-06-0{} 10:00:00.123456"
WORDS = ["TODO", "DONE", "IN_PROGRESS"]
SCHEMA = """
    CREATE TABLE product_context (id INTEGER PRIMARY KEY, content TEXT);
    CREATE TABLE active_context (id INTEGER PRIMARY KEY, content TEXT);
    CREATE TABLE product_context_history (id INTEGER PRIMARY KEY, timestamp TEXT, version INTEGER, content TEXT,
        change_source TEXT);
    CREATE TABLE active_context_history (id INTEGER PRIMARY KEY, timestamp TEXT, version INTEGER, content TEXT,
        change_source TEXT);
    CREATE TABLE decisions (id INTEGER PRIMARY KEY, timestamp TEXT, summary TEXT, rationale TEXT,
        implementation_details TEXT, tags TEXT);
    CREATE TABLE progress_entries (id INTEGER PRIMARY KEY, timestamp TEXT, status TEXT, description TEXT,
        parent_id INTEGER);
    CREATE TABLE system_patterns (id INTEGER PRIMARY KEY, timestamp TEXT, name TEXT UNIQUE, description TEXT,
        tags TEXT);
    CREATE TABLE custom_data (id INTEGER PRIMARY KEY, timestamp TEXT, category TEXT, key TEXT, value TEXT,
        UNIQUE (category, key));
    CREATE TABLE context_links (id INTEGER PRIMARY KEY, timestamp TEXT, workspace_id TEXT, source_item_type TEXT,
        source_item_id TEXT, target_item_type TEXT, target_item_id TEXT, relationship_type TEXT, description TEXT);
    CREATE TABLE alembic_version (version_num TEXT);
    CREATE TABLE our_own (id INTEGER PRIMARY KEY, words TEXT, data BLOB);
    CREATE VIRTUAL TABLE decisions_fts USING fts5(summary, content='decisions', content_rowid='id');
"""


def fill(path: Path, table: str, rows: list[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(path)) as db:
        for row in rows:
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        db.commit()


def link(number: int, source: tuple[str, str], target: tuple[str, str], kind: str) -> tuple[Any, ...]:
    return (number, AT.format(6), "/somewhere", *source, *target, kind, "größere Worte")


def make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMA)


def tables(seed: int) -> dict[str, list[tuple[Any, ...]]]:
    chance = random.Random(seed)
    progress = [
        (1, AT.format(1), "DONE", "The beginning", None),
        (2, AT.format(2), "IN_PROGRESS", "Below the beginning", 1),
        (3, AT.format(3), "TODO", f"Do not tell {SECRET}", 2),
        (4, AT.format(4), "our own word", "Its parent is gone", 99),
        (5, None, "TODO", "Below itself", 5),
        *[
            (n, AT.format(5), chance.choice(["TODO", "DONE", "IN_PROGRESS"]), f"Entry {n}", None)
            for n in range(10, 700)
        ],
    ]
    return {
        "product_context": [(1, json.dumps({"goal": "größer", "deep": {"a": [1, None]}}))],
        "active_context": [(1, json.dumps({"focus": "the parser"}))],
        "product_context_history": [(1, AT.format(1), 1, json.dumps({"goal": "as it was once"}), "update")],
        "active_context_history": [(1, AT.format(1), 1, "no JSON {", None), (2, AT.format(2), 2, "{}", "x")],
        "decisions": [
            (1, AT.format(1), "Use SQLite", "It is there", "One file", json.dumps(["storage", "db"])),
            (2, AT.format(2), "Without a reason", None, None, None),
        ],
        "progress_entries": progress,
        "system_patterns": [
            (1, AT.format(1), "Unit of Work", "All or nothing", json.dumps(["db"])),
            (2, AT.format(2), "unit-of-work", "Another one", None),
            (3, AT.format(3), "日本語", None, None),
        ],
        "custom_data": [
            (1, AT.format(1), "Glossary", "WAL", json.dumps("write-ahead log")),
            (2, AT.format(1), "config", "limits", json.dumps({"most": 2.50, "none": None})),
            (3, AT.format(1), "config", "api_key", json.dumps("hush-hush-hush")),
        ],
        "context_links": [
            link(1, ("decision", "1"), ("system_pattern", "1"), "implements"),
            link(2, ("progress_entry", "3"), ("progress_entry", "2"), "depends_on"),
            link(3, ("progress_entry", "10"), ("progress_entry", "4"), "blocks"),
            link(4, ("progress_entry", "4"), ("progress_entry", "10"), "blocks"),  # closes a circle
            link(5, ("progress_entry", "4"), ("progress_entry", "12345"), "blocks"),  # leads nowhere
        ],
        "alembic_version": [("2025_06_17",)],
        "our_own": [(1, "an unknown table", b"\x00\xff")],
    }


def store(folder: Path, seed: int) -> Expected:
    """Write a project that uses ConPort."""
    path = folder / "context_portal" / "context.db"
    make(path)
    found = tables(seed)
    for table, rows in found.items():
        fill(path, table, rows)
    exported = folder / "conport_export"
    exported.mkdir()
    (exported / "decision_log.md").write_text("# Decisions\n", encoding="utf-8")
    (folder / "context_portal" / "alembic.ini").write_text("[alembic]\n", encoding="utf-8")
    (folder / "context_portal" / "conport_vector_data").mkdir()
    (folder / "context_portal" / "conport_vector_data" / "chroma.sqlite3").write_bytes(b"\x00\x01")

    def edit() -> str:
        fill(path, "system_patterns", [(1, AT.format(1), "Unit of Work", "Learned since", None)])
        return "Learned since"

    def broken() -> None:
        fill(path, "decisions", [(9, None, None, "  ", "nothing", None)])
        fill(path, "custom_data", [(9, None, None, "no category", "1")])

    rows = {
        "workspaces": 1,
        "plans": 1,
        "phases": 1,
        "steps": len(found["progress_entries"]),
        "decisions": 2,
        "knowledge": 3,
        "memory_entries": 3,
        "dependencies": 2,
        "context_items": 2 + 3 + 3,  # the two contexts, their history, links and the tables that nobody knows
    }
    texts = ["größer", "as it was once", "the parser", "One file", "All or nothing", "write-ahead log", "no JSON {",
             "an unknown table", "00ff", "our own word", "größere Worte", "2025_06_17"]  # fmt: skip
    return Expected(
        "conport", folder, rows, files=3, texts=texts, secrets=[SECRET, "hush-hush-hush"], edit=edit, broken=broken
    )
