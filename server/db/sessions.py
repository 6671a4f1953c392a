"""Table `sessions`."""

from server.db.connection import Reader, Transaction
from server.db.near import not_found
from server.errors import NotFound
from server.models.sessions import Session


async def touch(tx: Transaction, session_id: str) -> Session:
    """Return the session that writes, noting that it lives."""
    row = await tx.one(
        "UPDATE sessions SET last_seen_at = :now WHERE session_id = :session_id RETURNING *",
        {"session_id": session_id, "now": tx.now()},
    )
    if row is None:
        raise await _missing(tx, session_id)
    return Session.of(row)


async def require(db: Reader, session_id: str) -> Session:
    row = await db.one("SELECT * FROM sessions WHERE session_id = :session_id", {"session_id": session_id})
    if row is None:
        raise await _missing(db, session_id)
    return Session.of(row)


async def _missing(db: Reader, session_id: str) -> NotFound:
    return await not_found(
        db, "session", session_id, table="sessions", label="agent", lister="memory_session action='list_sessions'"
    )
