"""The vocabulary of the search forgets words that stand in no document any more."""

from collections.abc import Sequence

from server.db.storage.connection import Database, Reader
from server.models.base import encode
from server.text import text_analysis

WORDS = 1000  # in one transaction
TERMS = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.search_terms USING fts5vocab('main', 'search_index', 'row')"


async def prepare(db: Database) -> None:
    """Let the connection that writes see which words the index holds."""
    await db.equip(TERMS)


async def next_words(db: Reader, after: str) -> list[str]:
    """Return the next words of the vocabulary behind one."""
    query = "SELECT word FROM search_words WHERE word > :after ORDER BY word LIMIT :most"
    return [row["word"] for row in await db.all(query, {"after": after, "most": WORDS})]


async def remove_unused(db: Database, words: Sequence[str]) -> int:
    """Remove those of some words that no document holds, in one transaction, and return how many."""
    stems = {word: text_analysis.indexed_as(word) for word in words}
    async with db.transaction() as tx:
        rows = await tx.all(
            "SELECT term FROM temp.search_terms WHERE term IN (SELECT value FROM json_each(:stems))",
            {"stems": encode(sorted(set(stems.values())))},
        )
        used = {row["term"] for row in rows}
        unused = [word for word, stem in stems.items() if stem not in used]
        await tx.run(
            "DELETE FROM search_words WHERE word IN (SELECT value FROM json_each(:unused))", {"unused": encode(unused)}
        )
    return len(unused)
