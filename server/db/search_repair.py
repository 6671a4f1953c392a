"""Compares the search with what it is about, and makes the two agree again."""

from dataclasses import dataclass

from server.db.connection import Database, Reader
from server.db.indexing import META, SOURCES, TEXT, Source, document_of, work_off
from server.errors import Storage
from server.models.base import encode

ROWS = 500  # compared at a time


@dataclass(frozen=True)
class Report:
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


async def check(db: Database) -> Report:
    """Compare every row with its document and every document with the index. Changes nothing."""
    compared = [
        await _compare(db, kind, source, table) for kind, source in SOURCES.items() for table in _tables(source)
    ]
    documents, missing, different = map(sum, zip(*compared, strict=True))
    [[(total,)], [(pending,)], [(backlog,)]] = await db.batch(
        ("SELECT count(*) FROM search_documents", {}),
        ("SELECT count(*) FROM search_pending", {}),
        ("SELECT count(*) FROM search_backlog", {}),
    )
    return Report(total, missing, different, total - documents + missing, pending + backlog, await _index_agrees(db))


async def rebuild(db: Database) -> int:
    """Make the index agree with the documents, and every document with its row; return how many were looked at."""
    everything = " UNION ALL ".join(
        f"SELECT {source.key} AS entity_id, '{kind}' AS kind, {source.updated_at} AS changed FROM {table} t"
        for kind, source in SOURCES.items()
        for table in _tables(source)
    )
    async with db.transaction() as tx:
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
    return await work_off(db)


def _tables(source: Source) -> tuple[str, ...]:
    return (source.table, f"{source.table}_archive") if source.archives else (source.table,)


async def _compare(db: Reader, kind: str, source: Source, table: str) -> tuple[int, int, int]:
    """Return how many rows of a table should have a document, how many have none, and how many another one."""
    should = missing = different = 0
    last = ""
    while ids := await _next(db, source, table, last):
        last = ids[-1]
        rows, old = await db.batch(
            (source.sql, {"ids": encode(ids)}),
            (
                """
                SELECT * FROM search_documents
                WHERE kind = :kind AND entity_id IN (SELECT value FROM json_each(:ids))
                """,
                {"kind": kind, "ids": encode(ids)},
            ),
        )
        documents = {row["entity_id"]: row for row in old}
        should += len(rows)
        for row in rows:
            wanted, found = document_of(kind, row)[0], documents.get(row["entity_id"])
            missing += found is None
            different += found is not None and any(found[name] != wanted[name] for name in (*META, *TEXT))
    return should, missing, different


async def _next(db: Reader, source: Source, table: str, last: str) -> list[str]:
    rows = await db.all(
        f"SELECT {source.key} AS id FROM {table} t WHERE {source.key} > :last ORDER BY 1 LIMIT :rows",
        {"last": last, "rows": ROWS},
    )
    return [row["id"] for row in rows]


async def _index_agrees(db: Database) -> bool:
    try:
        async with db.transaction() as tx:
            await tx.batch(("INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 1)", {}))
    except Storage:
        return False
    return True
