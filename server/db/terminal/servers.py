"""Which server a run belongs to, and whether that server is still there."""

from server.db.storage.connection import Database, Transaction
from server.db.storage.process_lock import is_in_use
from server.db.terminal import runs


def ours(db: Database) -> str:
    """Return the name under which others see that this process uses the database; "" where they cannot."""
    return db.lock.name if is_in_use(db.path, db.lock.name) else ""


def is_gone(db: Database, server: str | None) -> bool:
    """Return whether the process that has this name is sure to be over, whatever else has its number."""
    return bool(server) and server != db.lock.name and not is_in_use(db.path, server)


async def lose_at_start(db: Database) -> list[str]:
    if any(is_gone(db, server) for server in await runs.servers(db)):
        async with db.transaction() as tx:
            return await lose_lost(db, tx)
    return []


async def lose_lost(db: Database, tx: Transaction) -> list[str]:
    """Note that runs of servers which are gone are lost, and return their ids."""
    gone = {server for server in await runs.servers(tx) if is_gone(db, server)}
    return await runs.lose(tx, gone) if gone else []
