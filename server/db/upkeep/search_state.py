"""Whether the search agrees with the rows, seen without writing anything."""

from dataclasses import dataclass

from server.db.search.index_repair import gone_documents, next_ids, wrong
from server.db.search.searched_tables import SOURCES
from server.db.storage.connection import Reader
from server.db.storage.driver_errors import DriverError

ROWS = 500
VOCABULARY = "fts5vocab('{0}', '{1}', 'col')"
SAME_WORDS = """
    SELECT count(*) FROM (
        SELECT term, col, doc, cnt FROM temp.{0} EXCEPT SELECT term, col, doc, cnt FROM temp.{1} LIMIT 1
    )
"""


@dataclass
class SearchState:
    """What is wrong: rows without a document, documents that differ or are of nothing, entries of the index."""

    missing: int = 0
    different: int = 0
    orphaned: int = 0
    unindexed: int = 0
    is_behind: bool = False  # a write did not do its part: a start works that off
    words_differ: bool = False

    def told(self) -> list[str]:
        said = {
            f"{self.missing} rows are not known to it": self.missing,
            f"{self.different} rows are known to it as they were": self.different,
            f"{self.orphaned} rows that it knows are gone": self.orphaned,
            f"{self.unindexed} documents are in the index without a text, or the other way round": self.unindexed,
            "some changes wait for a start of a server": self.is_behind,
            "its index holds other words than its documents": self.words_differ,
        }
        return [text for text, is_so in said.items() if is_so]


async def look(db: Reader, *, deep: bool) -> SearchState:
    """Compare the search with the rows: whether each is known, and, if `deep`, every word."""
    found = SearchState()
    found.is_behind = bool(
        await db.value("SELECT EXISTS (SELECT 1 FROM search_pending) OR EXISTS (SELECT 1 FROM search_backlog)")
    )
    if not found.is_behind:  # else rows are missing because they wait
        await _rows(db, found, deep=deep)
    found.unindexed = await db.value(
        """
        SELECT (SELECT count(*) FROM search_documents d
                WHERE NOT EXISTS (SELECT 1 FROM search_index_docsize z WHERE z.id = d.doc))
            + (SELECT count(*) FROM search_index_docsize z
                WHERE NOT EXISTS (SELECT 1 FROM search_documents d WHERE d.doc = z.id))
        """
    )
    if deep and not found.unindexed:
        found.words_differ = await _words_differ(db)
    return found


async def _rows(db: Reader, found: SearchState, *, deep: bool) -> None:
    for kind, source in SOURCES.items():
        for table in source.tables:
            last = ""
            while ids := await (next_ids(db, source, table, last) if deep else _unknown(db, kind, table, last)):
                last = ids[-1]
                missing, different = await wrong(db, kind, ids)
                found.missing += len(missing)
                found.different += len(different)
        homes = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {table} t WHERE {source.key} = d.entity_id)" for table in source.tables
        )
        rows = await db.all(
            f"SELECT kind, entity_id FROM search_documents d WHERE kind = :kind AND {homes}", {"kind": kind}
        )
        found.orphaned += len(await gone_documents(db, [(row[0], row[1]) for row in rows])) if rows else 0


async def _unknown(db: Reader, kind: str, table: str, last: str) -> list[str]:
    """Return the ids of rows that have no document."""
    key = SOURCES[kind].key
    rows = await db.all(
        f"""
        SELECT {key} AS id FROM {table} t WHERE {key} > :last AND NOT EXISTS (
            SELECT 1 FROM search_documents d WHERE d.entity_id = {key} AND d.kind = :kind
        ) ORDER BY 1 LIMIT :rows
        """,
        {"kind": kind, "last": last, "rows": ROWS},
    )
    return [row["id"] for row in rows]


async def _words_differ(db: Reader) -> bool:
    """Index the documents once more, in memory, and compare every word of the two by where and how often it stands."""
    made = (
        """CREATE VIRTUAL TABLE temp.indexed_again USING fts5 (
            facets, title, body, rest, content = '', tokenize = 'ascii', detail = 'column'
        )""",
        """INSERT INTO temp.indexed_again (rowid, facets, title, body, rest)
            SELECT doc, facets, title, body, rest FROM search_documents""",
        f"CREATE VIRTUAL TABLE temp.words_there USING {VOCABULARY.format('main', 'search_index')}",
        f"CREATE VIRTUAL TABLE temp.words_again USING {VOCABULARY.format('temp', 'indexed_again')}",
    )
    try:
        for statement in ("PRAGMA temp_store = MEMORY", *made):
            await db.batch((statement, {}))
    except DriverError:  # a build of SQLite without the module
        return False
    [(gone,)], [(more,)] = await db.batch(
        (SAME_WORDS.format("words_there", "words_again"), {}), (SAME_WORDS.format("words_again", "words_there"), {})
    )
    return bool(gone or more)
