"""The triggers of a database follow from the searched tables, and those say what feeds a document."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from typing import Any

import pytest
import pytest_asyncio

from server.db.plans import plan_archive
from server.db.search import search_triggers
from server.db.search.indexing import document_of
from server.db.search.searched_tables import SOURCES, SearchedTable
from server.db.storage.connection import Database
from server.models.base import encode
from tests.db.search.test_search import TIMES, fill, insert

TABLES = [(kind, table) for kind, source in SOURCES.items() for table in source.tables]
CHANGED = {"TEXT": "coalesce({0}, '[]') || ' '", "INTEGER": "coalesce({0}, 0) + 1", "REAL": "coalesce({0}, 0) + 1"}


@pytest_asyncio.fixture
async def raw(db: Database) -> AsyncGenerator[sqlite3.Connection]:
    """A connection of another program to a store with rows in every table that is searched."""
    async with db.transaction() as tx:
        _, put_away = await fill(tx, "Walnut", "Maple", kinds=["decision"])
        home = await tx.value("SELECT workspace_id FROM workspaces")
        fact = {"entry_id": "e", "workspace_id": home, "scope": "global", "scope_id": "global", "namespace": "n"}
        await insert(tx, "memory_entries", **fact, key="k", value='"v"', **TIMES)
        entry = {"knowledge_id": "k", "workspace_id": home, "slug": "s", "title": "t", "content": "c"}
        await insert(tx, "knowledge", **entry, **TIMES)
        message = {"message_id": "m", "workspace_id": home, "content": "c", "from_agent": "a", "to_agent": "b"}
        await insert(tx, "messages", **message, **TIMES)
        await insert(tx, "programs", program_id="p", workspace_id=home, title="t", **TIMES)
        await insert(tx, "program_risks", risk_id="r", program_id="p", title="t", **TIMES)
        await plan_archive.archive(tx, put_away)
    with closing(sqlite3.connect(db.path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("BEGIN")
        yield connection


def columns_of(raw: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row["name"]: row["type"] for row in raw.execute(f"PRAGMA table_info({table})")}


def documents(raw: sqlite3.Connection, kind: str, ids: list[str]) -> list[dict[str, Any]]:
    """Return the documents of rows, without the time of their last change."""
    rows = raw.execute(f"{SOURCES[kind].sql} ORDER BY entity_id", {"ids": encode(ids)})
    return [document_of(kind, row)[0] | {"updated_at": ""} for row in rows]


def noted(raw: sqlite3.Connection, kind: str) -> set[str]:
    return {row["entity_id"] for row in raw.execute("SELECT entity_id FROM search_pending WHERE kind = ?", (kind,))}


def ids_of(raw: sqlite3.Connection, source: SearchedTable, table: str) -> list[str]:
    return [row[0] for row in raw.execute(f"SELECT {source.key} FROM {table} t WHERE {source.where}")]


async def test_the_triggers_of_a_database_are_those_that_the_searched_tables_state(db: Database) -> None:
    assert await search_triggers.there(db) == search_triggers.rendered()
    assert await search_triggers.migration(db) == ""


async def test_the_statements_that_are_printed_for_a_migration_mend_the_triggers(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.run("DROP TRIGGER steps_touch_search")
        await tx.run("DROP TRIGGER plans_insert_search")
        await tx.run("CREATE TRIGGER plans_insert_search AFTER INSERT ON plans BEGIN DELETE FROM search_pending; END")
        await tx.run("CREATE TRIGGER older_search AFTER INSERT ON plans BEGIN DELETE FROM search_pending; END")
    script = await search_triggers.migration(db)
    with closing(sqlite3.connect(db.path)) as other:
        other.executescript(script)

    assert await search_triggers.there(db) == search_triggers.rendered()


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=[table for _, table in TABLES])
async def test_a_change_is_noted_for_every_column_that_feeds_a_document_and_for_no_other(
    raw: sqlite3.Connection, kind: str, table: str
) -> None:
    source = SOURCES[kind]
    ids = ids_of(raw, source, table)
    before = documents(raw, kind, ids)
    assert before
    told, different = set[str](), set[str]()
    for column, type_ in columns_of(raw, table).items():
        raw.execute("SAVEPOINT change")
        raw.execute(f"UPDATE {table} SET {column} = {CHANGED[type_].format(column)}")
        told |= {column} if noted(raw, kind) >= set(ids) else set()
        different |= {column} if documents(raw, kind, ids) != before else set()
        raw.execute("ROLLBACK TO change")

    assert told == set(source.feeds)
    assert different <= told


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=[table for _, table in TABLES])
async def test_a_write_that_leaves_what_feeds_a_document_as_it_was_only_touches_it(
    raw: sqlite3.Connection, kind: str, table: str
) -> None:
    source, names = SOURCES[kind], columns_of(raw, table)
    ids = ids_of(raw, source, table)
    same = ", ".join(f"{name} = {name}" for name in names if name != "updated_at")
    later = ", updated_at = '2031-01-01'" if "updated_at" in names else ""
    raw.execute(f"UPDATE {table} SET {same}{later}")
    rows = raw.execute(
        "SELECT updated_at FROM search_documents WHERE kind = ? AND entity_id IN (SELECT value FROM json_each(?))",
        (kind, encode(ids)),
    ).fetchall()

    assert noted(raw, kind) == set()
    assert len(rows) == len(ids)
    if source.updated_at == "t.updated_at":
        assert {row["updated_at"] for row in rows} == {"2031-01-01"}
