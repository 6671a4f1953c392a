"""Table `cache_entries`: values under keys, gone when they expire."""

from collections.abc import Mapping
from typing import Any

from server.db.ledger import entries
from server.db.ledger.entries import CACHES
from server.db.storage.connection import Reader, Transaction
from server.models.base import later
from server.models.ledger import CacheEntry

OF = "workspace_id = :workspace_id AND parent_type = :parent_type AND parent_id = :parent_id AND key = :key"
LIVE = "(expires_at IS NULL OR expires_at > :now)"


def _params(db: Reader, parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    names = ("workspace_id", "parent_type", "parent_id")
    return {**{name: parent[name] for name in names}, "key": key, "now": db.now()}


async def find(db: Reader, parent: Mapping[str, Any], key: str, *, suffix: str = "") -> CacheEntry | None:
    """Return the value of a key unless it expired."""
    row = await db.one(f"SELECT * FROM cache_entries{suffix} WHERE {OF} AND {LIVE}", _params(db, parent, key))
    return CacheEntry.of(row) if row else None


async def put(
    tx: Transaction, parent: Mapping[str, Any], value: Mapping[str, Any], ttl_seconds: int | None
) -> CacheEntry:
    """Store a value in place of what is there, expired or not."""
    there = await tx.value(f"SELECT entry_id FROM cache_entries WHERE {OF}", _params(tx, parent, value["key"]))
    whole = {**value, "expires_at": later(tx.now(), ttl_seconds) if ttl_seconds else None}
    if there:
        return CacheEntry.of(await entries.change(tx, CACHES, there, whole))
    return CacheEntry.of(await entries.add(tx, CACHES, {**parent, **whole}))


async def delete(tx: Transaction, parent: Mapping[str, Any], key: str) -> list[str]:
    """Delete the value of a key and return the ids of the rows that told it and were not expired."""
    rows = await tx.all(
        f"DELETE FROM cache_entries WHERE {OF} RETURNING entry_id, expires_at", _params(tx, parent, key)
    )
    return [row["entry_id"] for row in rows if row["expires_at"] is None or row["expires_at"] > tx.now()]
