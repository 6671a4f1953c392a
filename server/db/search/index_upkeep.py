"""Keeps the index of the search in few pieces: FTS5 adds one with each commit, and a query looks into all of them."""

from server.db.storage.connection import Database
from server.db.storage.driver import Statement

FEW, MANY = 6, 16  # pieces
PAGES = 64  # of the index that one transaction rewrites, so that no writer waits for long
CHANGES: Statement = ("SELECT total_changes()", {})


async def merge(db: Database) -> bool:
    """Make one piece of the index if it is in many, or in some and that is cheap; return whether it was done."""
    rows = await db.all("SELECT count(*) AS size FROM search_index_idx GROUP BY segid ORDER BY 1 DESC")
    sizes = [row["size"] for row in rows]
    cheap = len(sizes) >= FEW and sizes[0] < 4 * sum(sizes[1:])
    if not cheap and len(sizes) < MANY:
        return False
    pages = -PAGES  # of whatever size the pieces are; from then on the same merge goes on
    while await _merge_some(db, pages):
        pages = PAGES
    return True


async def _merge_some(db: Database, pages: int) -> bool:
    """Rewrite some pages; return whether there was something to do."""
    merging: Statement = ("INSERT INTO search_index (search_index, rank) VALUES ('merge', :pages)", {"pages": pages})
    async with db.transaction() as tx:
        before, _, after = await tx.batch(CHANGES, merging, CHANGES)
    return after[0][0] - before[0][0] > 1
