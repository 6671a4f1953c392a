"""Table `tokens`: the programs that may use the server over HTTP."""

from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, NotFound
from server.models.access import AccessToken

COLUMNS = "token_id, name, role, created_at, created_by, revoked_at"


async def by_hash(db: Reader, digest: str) -> AccessToken | None:
    """Return a token, a revoked one too."""
    row = await db.one(f"SELECT {COLUMNS} FROM tokens WHERE hash = :hash", {"hash": digest})
    return AccessToken.of(row) if row else None


async def all_(db: Reader) -> list[AccessToken]:
    """Return every token that ever was, those in use first."""
    rows = await db.all(f"SELECT {COLUMNS} FROM tokens ORDER BY revoked_at IS NOT NULL, name, created_at")
    return [AccessToken.of(row) for row in rows]


async def find(db: Reader, name: str) -> AccessToken | None:
    """Return the token in use that has a name."""
    query = f"SELECT {COLUMNS} FROM tokens WHERE name = :name AND revoked_at IS NULL"
    row = await db.one(query, {"name": name})
    return AccessToken.of(row) if row else None


async def add(tx: Transaction, token: AccessToken, digest: str) -> None:
    if await find(tx, token.name):
        raise Conflict(f"There is a token {token.name!r} already. Choose another name, or revoke that one first.")
    await tx.run(
        """
        INSERT INTO tokens (token_id, name, role, hash, created_at, created_by)
        VALUES (:token_id, :name, :role, :hash, :created_at, :created_by)
        """,
        {**token.model_dump(), "hash": digest},
    )


async def revoke(tx: Transaction, name: str) -> AccessToken:
    """Refuse a token from now on."""
    found = await find(tx, name)
    if found is None:
        names = ", ".join(token.name for token in await all_(tx) if token.revoked_at is None)
        raise NotFound(f"No token in use is called {name[:80]!r}. There are: {names or 'none'}.")
    await tx.run("UPDATE tokens SET revoked_at = :now WHERE token_id = :id", {"now": tx.now(), "id": found.token_id})
    return found
