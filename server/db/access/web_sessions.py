"""Tables `web_links` and `web_sessions`: the browsers of the owner, and the links that make a browser one."""

from server.db.storage.connection import Reader, Transaction
from server.errors import NotFound
from server.models.access import WebSession
from server.models.base import later

LINK_SECONDS = 60
SESSION_SECONDS = 30 * 86_400
COLUMNS = "web_session_id, browser, created_at, expires_at"


async def add_link(tx: Transaction, digest: str) -> None:
    """Keep a code that is good once, for a minute; forget those that are not any more."""
    await tx.run("DELETE FROM web_links WHERE expires_at <= :now", {"now": tx.now()})
    values = {"hash": digest, "expires_at": later(tx.now(), LINK_SECONDS)}
    await tx.run("INSERT INTO web_links (hash, expires_at) VALUES (:hash, :expires_at)", values)


async def redeem(tx: Transaction, digest: str) -> bool:
    """Use a code up; return whether it was good."""
    query = "DELETE FROM web_links WHERE hash = :hash RETURNING expires_at"
    expires_at = await tx.value(query, {"hash": digest})
    return expires_at is not None and expires_at > tx.now()


async def add(tx: Transaction, web_session_id: str, digest: str, browser: str) -> None:
    await tx.run("DELETE FROM web_sessions WHERE expires_at <= :now", {"now": tx.now()})
    await tx.run(
        """
        INSERT INTO web_sessions (web_session_id, hash, browser, created_at, expires_at)
        VALUES (:id, :hash, :browser, :now, :expires_at)
        """,
        {
            "id": web_session_id,
            "hash": digest,
            "browser": browser,
            "now": tx.now(),
            "expires_at": later(tx.now(), SESSION_SECONDS),
        },
    )


async def by_hash(db: Reader, digest: str) -> WebSession | None:
    """Return a browser that is let in."""
    query = f"SELECT {COLUMNS} FROM web_sessions WHERE hash = :hash AND expires_at > :now"
    row = await db.one(query, {"hash": digest, "now": db.now()})
    return WebSession.of(row) if row else None


async def all_(db: Reader) -> list[WebSession]:
    query = f"SELECT {COLUMNS} FROM web_sessions WHERE expires_at > :now ORDER BY created_at, web_session_id"
    return [WebSession.of(row) for row in await db.all(query, {"now": db.now()})]


async def let_in(db: Reader) -> frozenset[str]:
    """Return the ids of the browsers and of the tokens that are let in."""
    rows = await db.all(
        """
        SELECT web_session_id AS id FROM web_sessions
        UNION ALL SELECT token_id FROM tokens WHERE revoked_at IS NULL
        """
    )
    return frozenset(row["id"] for row in rows)


async def prolong(tx: Transaction, web_session_id: str) -> None:
    """Let a browser in for another while from now on."""
    values = {"id": web_session_id, "expires_at": later(tx.now(), SESSION_SECONDS)}
    await tx.run("UPDATE web_sessions SET expires_at = :expires_at WHERE web_session_id = :id", values)


async def revoke(tx: Transaction, web_session_id: str | None) -> int:
    """Let a browser in no more, or none of them; return how many those are."""
    query = "DELETE FROM web_sessions WHERE web_session_id = :id OR :id IS NULL RETURNING web_session_id"
    found = await tx.all(query, {"id": web_session_id})
    if web_session_id and not found:
        raise NotFound(f"No browser that is let in has the id {web_session_id[:80]!r}.")
    return len(found)
