"""Writes a database anew, so that its pages lie in order and none of them is empty."""

from pathlib import Path

from server.db.storage.driver import connected

OPTIMIZE_SEARCH = "INSERT INTO search_index (search_index) VALUES ('optimize')"


async def compact(path: Path) -> None:
    """Make one piece of the index of the search, write the file anew, and bring SQLite's statistics up to date.

    The caller has the file for itself. What is interrupted is undone by whoever opens it next.
    """
    async with connected(path) as connection:
        try:
            for statement in (OPTIMIZE_SEARCH, "VACUUM", "PRAGMA analysis_limit = 1000", "PRAGMA optimize"):
                await connection.run(statement)
        except BaseException:
            connection.interrupt()
            raise
