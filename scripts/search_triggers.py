"""Print the body of the migration that gives the search its triggers, as `server/db/search` states them.

Nothing is printed when those that the migrations make are as they should be.
"""

import tempfile
from pathlib import Path

import anyio

from server.db.search import search_triggers
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.settings import ASSETS


async def body() -> str:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        database = await open_database(Path(scratch) / "scratch.db")
        try:
            await migrate(database, ASSETS / "migrations")
            return await search_triggers.migration(database)
        finally:
            await database.close()


if __name__ == "__main__":
    print(anyio.run(body), end="")
