"""Compares the search with what it is about, and makes the two agree again."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from server.db.search.indexing import META, TEXT, document_of, work_off
from server.db.search.searched_tables import SOURCES, SearchedTable
from server.db.storage.connection import Database, Reader, Transaction
from server.errors import Busy, Storage
from server.models.base import encode

ROWS = 500  # compared at a time
PATIENCE = 4  # times that the lock is waited for, each as long as a write waits
DOCUMENTS = "SELECT doc, kind, entity_id FROM search_documents WHERE doc > :last ORDER BY doc LIMIT :rows"
T = TypeVar("T")


@dataclass(frozen=True)
class IndexReport:
    """What is wrong with the search: rows without a document, documents that differ, documents of nothing."""

    documents: int
    missing: int
    different: int
    orphaned: int
    waiting: int
    index_agrees: bool

    @property
    def is_sound(self) -> bool:
        return self.index_agrees and not (self.missing or self.different or self.orphaned or self.waiting)


async def check(db: Database) -> IndexReport:
    """Compare every row with its document and every document with the index. Changes nothing.

    Others may write meanwhile, so what seems wrong is looked at again while nobody can.
    """
    compared = [await _compare(db, kind, source, table) for kind, source in SOURCES.items() for table in source.tables]
    missing, different = map(sum, zip(*compared, strict=True))
    [[(total,)], [(pending,)], [(backlog,)]] = await db.batch(
        ("SELECT count(*) FROM search_documents", {}),
        ("SELECT count(*) FROM search_pending", {}),
        ("SELECT count(*) FROM search_backlog", {}),
    )
    return IndexReport(total, missing, different, await _orphaned(db), pending + backlog, await _index_agrees(db))


async def rebuild(db: Database) -> int:
    """Make the index agree with the documents, and every document with its row; return how many were looked at."""
    everything = " UNION ALL ".join(
        f"SELECT {source.key} AS entity_id, '{kind}' AS kind, {source.updated_at} AS changed FROM {table} t"
        for kind, source in SOURCES.items()
        for table in source.tables
    )

    async def begin(tx: Transaction) -> None:
        await tx.run("INSERT INTO search_index (search_index) VALUES ('rebuild')")
        await tx.run("DELETE FROM search_words")
        await tx.run("DELETE FROM search_backlog")
        await tx.run(
            f"""
            INSERT INTO search_backlog (entity_id, kind)
            SELECT entity_id, kind FROM (
                {everything} UNION ALL SELECT entity_id, kind, updated_at FROM search_documents
            ) GROUP BY entity_id, kind ORDER BY max(changed)
            """
        )

    await _undisturbed(db, begin)
    done, _ = await work_off(db)
    return done


async def _compare(db: Database, kind: str, source: SearchedTable, table: str) -> tuple[int, int]:
    """Return how many rows of a table have no document, and how many another one than they should."""
    missing = different = 0
    last = ""
    while ids := await next_ids(db, source, table, last):
        last = ids[-1]
        if any(some := await wrong(db, kind, ids)):
            some = await _undisturbed(db, lambda tx, some=some: wrong(tx, kind, [*some[0], *some[1]]))
        missing += len(some[0])
        different += len(some[1])
    return missing, different


async def wrong(db: Reader, kind: str, ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of some rows have no document, and which another one."""
    rows, old = await db.batch(
        (SOURCES[kind].sql, {"ids": encode(ids)}),
        (
            """
            SELECT * FROM search_documents
            WHERE kind = :kind AND entity_id IN (SELECT value FROM json_each(:ids))
            """,
            {"kind": kind, "ids": encode(ids)},
        ),
    )
    documents = {row["entity_id"]: row for row in old}
    missing = [row["entity_id"] for row in rows if row["entity_id"] not in documents]
    pairs = ((document_of(kind, row)[0], documents.get(row["entity_id"])) for row in rows)
    different = [
        wanted["entity_id"]
        for wanted, found in pairs
        if found is not None and any(found[name] != wanted[name] for name in (*META, *TEXT))
    ]
    return missing, different


async def _orphaned(db: Database) -> int:
    """Return how many documents are of rows that are gone."""
    orphaned = last = 0
    while rows := await db.all(DOCUMENTS, {"last": last, "rows": ROWS}):
        last = rows[-1]["doc"]
        some = [(row["kind"], row["entity_id"]) for row in rows]
        if gone := await gone_documents(db, some):
            gone = await _undisturbed(db, lambda tx, gone=gone: gone_documents(tx, gone))
        orphaned += len(gone)
    return orphaned


async def gone_documents(db: Reader, documents: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return which documents are there, and their rows are not."""
    kinds = dict.fromkeys(kind for kind, _ in documents)
    there = set[tuple[str, str]]()
    for kind in kinds:
        ids = encode([key for of, key in documents if of == kind])
        rows = await db.all(SOURCES[kind].sql, {"ids": ids})
        there |= {(kind, row["entity_id"]) for row in rows}
    still = await db.all(
        """
        SELECT d.kind, d.entity_id FROM json_each(:wanted) w
        JOIN search_documents d ON d.entity_id = w.value ->> 1 AND d.kind = w.value ->> 0
        """,
        {"wanted": encode([list(one) for one in documents])},
    )
    return [(row["kind"], row["entity_id"]) for row in still if (row["kind"], row["entity_id"]) not in there]


async def _undisturbed(db: Database, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Do some work while nobody else writes. A lock that others hold is waited for some times, then told."""
    for _ in range(PATIENCE - 1):
        with suppress(Busy):
            async with db.transaction() as tx:
                return await work(tx)
    async with db.transaction() as tx:
        return await work(tx)


async def next_ids(db: Reader, source: SearchedTable, table: str, last: str) -> list[str]:
    rows = await db.all(
        f"SELECT {source.key} AS id FROM {table} t WHERE {source.key} > :last ORDER BY 1 LIMIT :rows",
        {"last": last, "rows": ROWS},
    )
    return [row["id"] for row in rows]


async def _index_agrees(db: Database) -> bool:
    async def look(tx: Transaction) -> bool:
        await tx.batch(("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)", {}))
        return True

    try:
        return await _undisturbed(db, look)
    except Storage:
        return False
