"""The store as a person looks at it: opened to read, from the workspace of the folder one is in."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import NotFound, Storage
from server.models.workspaces import Workspace
from server.settings import Settings
from server.store import Store
from server.tools.paths import fallback


@asynccontextmanager
async def reading(chosen: Settings) -> AsyncGenerator[Store]:
    """Open the store to read it: nothing is seeded or repaired first, but what an older release made is migrated."""
    store = Store(replace(chosen, read_only=True))
    try:
        try:
            await store.open()
        except Storage:
            if chosen.read_only:
                raise
            store = Store(chosen)
            await store.open()
        yield store
    finally:
        await store.close()


async def scope(db: Reader, chosen: Settings, *, everywhere: bool) -> list[Workspace]:
    """Return the workspace that is named or holds the folder one is in; all if that is none, or if asked for."""
    here = None if everywhere else await fallback(db, chosen.workspace)
    if here is None and chosen.workspace and not everywhere:
        raise NotFound(f"{chosen.workspace[:80]!r} is no workspace, and in none. --all shows every one.")
    return [here] if here else await workspaces.all_(db)
