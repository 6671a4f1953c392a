"""The index of the search is put together when it is in many pieces, without a change to what is found."""

from server.db.plans import plans
from server.db.search import index_upkeep
from server.db.storage.connection import Database
from server.db.workspaces import workspaces

MOST_COMMITS = 200


async def pieces(db: Database) -> int:
    return await db.value("SELECT count(DISTINCT segid) FROM search_index_idx")


async def found(db: Database, word: str) -> list[int]:
    rows = await db.all("SELECT rowid FROM search_index WHERE search_index MATCH :word ORDER BY rowid", {"word": word})
    return [row["rowid"] for row in rows]


async def write(db: Database, until: int) -> int:
    """Make plans, a commit each, until the index is in so many pieces; return how many it took."""
    async with db.transaction() as tx:
        workspace_id = (await workspaces.insert(tx, path="/project", name="project")).workspace_id
    for number in range(MOST_COMMITS):
        if await pieces(db) >= until:
            return number
        async with db.transaction() as tx:
            words = " ".join(f"word{number}x{n}" for n in range(1000))  # some pages: one piece is larger from the start
            await plans.insert(tx, workspace_id=workspace_id, title=f"Fog {number}", description=words)
    raise AssertionError(f"{await pieces(db)} pieces after {MOST_COMMITS} commits")


async def test_many_pieces_become_one_and_answer_the_same(db: Database) -> None:
    await index_upkeep.merge(db)
    written = await write(db, until=index_upkeep.FEW)
    before = await found(db, "fog")
    assert len(before) == written > 0

    assert await index_upkeep.merge(db)

    assert await pieces(db) == 1
    assert await found(db, "fog") == before
    async with db.transaction() as tx:
        await tx.run("INSERT INTO search_index (search_index) VALUES ('integrity-check')")


async def test_few_pieces_are_left_alone(db: Database) -> None:
    await index_upkeep.merge(db)
    before = await pieces(db)

    assert not await index_upkeep.merge(db)
    assert await pieces(db) == before
