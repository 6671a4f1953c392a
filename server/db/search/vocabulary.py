"""Words of the vocabulary: how one goes on that was begun, and what was meant by one that is not there."""

import difflib

from server.db.storage.connection import Reader
from server.models.base import encode
from server.text import text_analysis

COMPLETIONS, COMPLETED_FROM = 24, 1_000
NEAR_WORDS, NEAR_AMONG = 100, 5_000
ALIKE = 0.4  # the share of the pairs of its letters that a word has in common with what was meant by it


async def beginning_with(db: Reader, prefix: str) -> list[str]:
    """Return words of the vocabulary that begin so, the shortest first."""
    rows = await db.all(
        """
        SELECT word FROM (
            SELECT word FROM search_words WHERE word >= :prefix AND word < :end ORDER BY word LIMIT :of
        ) ORDER BY length(word), word LIMIT :most
        """,
        {"prefix": prefix, "end": prefix + chr(0x10FFFF), "of": COMPLETED_FROM, "most": COMPLETIONS},
    )
    return [row["word"] for row in rows]


async def nearest(db: Reader, word: str) -> str | None:
    """Return the word of the vocabulary that is one slip away, or else the most like this one."""
    pairs = {f"pair{at}": word[at : at + 2] for at in range(len(word) - 1)}
    shared = " + ".join(f"(instr(word, :{name}) > 0)" for name in pairs) or "0"
    slipped, alike = await db.batch(
        (
            "SELECT word FROM search_words WHERE word IN (SELECT value FROM json_each(:slips))",
            {"slips": encode(sorted(text_analysis.slips(word)))},
        ),
        (
            f"""
            SELECT word FROM (
                SELECT word, {shared} AS shared FROM search_words WHERE word >= :start AND word < :end
                AND length(word) BETWEEN :shortest AND :longest LIMIT :among
            ) WHERE shared >= :alike ORDER BY shared DESC, word LIMIT :most
            """,
            {
                "start": word[:2],
                "end": word[:2] + chr(0x10FFFF),
                "shortest": len(word) - 2,
                "longest": len(word) + 2,
                "most": NEAR_WORDS,
                "among": NEAR_AMONG,
                "alike": ALIKE * len(pairs),
                **pairs,
            },
        ),
    )
    near = difflib.get_close_matches(word, [row["word"] for row in slipped or alike], 1, 0.7)
    return near[0] if near else None
