"""A server in `server_runs`, and a look at the whole database when one before it left without signing off."""

import logging
import os
from contextlib import suppress
from pathlib import Path

import anyio

from server import __version__
from server.db.shared_state import server_runs
from server.db.storage.connection import Database, Reader
from server.db.storage.integrity import problems
from server.db.storage.process_lock import is_in_use
from server.errors import ProjectMemoryError
from server.store import Store

logger = logging.getLogger(__name__)

CALM_SECONDS = 5.0  # behind the first answers
END_SECONDS = 0.5


async def run(store: Store) -> None:
    """Register with the first write, since who wrote nothing leaves nothing half done, and sign off at the end."""
    db = await store.open()
    if not await server_runs.is_registered(db, db.lock.name):
        db.with_first_write(server_runs.registration(db.lock.name, os.getpid(), __version__, db.now()))
    try:
        await anyio.sleep(CALM_SECONDS)
        await look_over(db)
        await anyio.sleep_forever()
    finally:
        with anyio.move_on_after(END_SECONDS, shield=True), suppress(ProjectMemoryError):
            await _sign_off(db)


async def look_over(db: Database) -> None:
    """Look the database over if a server left without signing off and nobody did or does so."""
    if not await _left(db, db.path):
        return
    async with db.transaction() as tx:
        left = await _left(tx, db.path)
        await server_runs.take_over(tx, left, db.lock.name)
    if not left:
        return
    logger.warning("a server left without signing off: looking the database over")
    found = await problems(db.path)
    async with db.transaction() as tx:
        await server_runs.looked_over(tx, db.lock.name, found)
    if found:
        logger.error("the database is damaged: %s", "; ".join(found))
    else:
        logger.warning("the database is sound")


async def _left(db: Reader, path: Path) -> list[str]:
    """Return the servers that left without signing off, unless one that lives looks the database over for them."""
    runs = await server_runs.unfinished(db)
    free = {name for run in runs for name in (run.name, run.checked_by) if name and not is_in_use(path, name)}
    return [run.name for run in runs if run.name in free and (run.checked_by is None or run.checked_by in free)]


async def _sign_off(db: Database) -> None:
    if await server_runs.is_registered(db, db.lock.name):
        async with db.transaction() as tx:
            await server_runs.sign_off(tx, db.lock.name)
