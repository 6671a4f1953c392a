"""Table `memory_entries`: small durable facts. What expired does not exist."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.db.storage.name_functions import same, starts
from server.errors import NotFound
from server.models.base import as_dict, encode, later, new_id
from server.models.context import Fact, FactBrief, Scope

SHOWN = 300  # characters of a value in a list
LIVE = "(expires_at IS NULL OR expires_at > :now)"
WITHIN = "scope = :scope AND scope_id = :scope_id AND workspace_id IS :workspace_id"


@dataclass(frozen=True)
class Where:
    """Whom a fact is for: a workspace, a plan, an agent of a workspace, or everybody (without a workspace)."""

    scope: Scope
    scope_id: str
    workspace_id: str | None


async def spelled(db: Reader, where: Where, namespace: str, key: str) -> tuple[str, str]:
    """Return namespace and key in the characters in which the fact is stored, if there is one: NFC or not."""
    if (namespace + key).isascii():
        return namespace, key
    row = await db.one(
        f"""
        SELECT namespace, key FROM memory_entries
        WHERE {WITHIN} AND composed(namespace) = composed(:namespace) AND composed(key) = composed(:key)
        ORDER BY namespace <> :namespace, key <> :key LIMIT 1
        """,
        {**vars(where), "namespace": namespace, "key": key},
    )
    return (row["namespace"], row["key"]) if row else (namespace, key)


async def put(tx: Transaction, where: Where, *, namespace: str, key: str, value: str, ttl_seconds: int | None) -> Fact:
    """Set a fact, in place of the one that is there."""
    namespace, key = await spelled(tx, where, namespace, key)
    row = await tx.one(
        """
        INSERT INTO memory_entries (entry_id, workspace_id, scope, scope_id, namespace, key, value, created_by,
            expires_at, created_at, updated_at)
        VALUES (:entry_id, :workspace_id, :scope, :scope_id, :namespace, :key, :value, :created_by,
            :expires_at, :now, :now)
        ON CONFLICT (scope, scope_id, namespace, key, coalesce(workspace_id, '')) DO UPDATE SET
            entry_id = CASE WHEN expires_at <= :now THEN excluded.entry_id ELSE entry_id END,
            version = CASE WHEN expires_at <= :now THEN 1 ELSE version + 1 END,
            created_by = CASE WHEN expires_at <= :now THEN excluded.created_by ELSE created_by END,
            created_at = CASE WHEN expires_at <= :now THEN excluded.created_at ELSE created_at END,
            value = excluded.value, expires_at = excluded.expires_at, updated_at = excluded.updated_at
        RETURNING *
        """,
        {
            **vars(where),
            "entry_id": new_id("entry"),
            "namespace": namespace,
            "key": key,
            "value": encode(value),
            "created_by": tx.origin.agent,
            "expires_at": later(tx.now(), ttl_seconds) if ttl_seconds else None,
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    return Fact.of(row)


async def require(db: Reader, where: Where, namespace: str, key: str) -> Fact:
    """Return a fact, or raise NotFound with the nearest keys."""
    stored_namespace, stored_key = await spelled(db, where, namespace, key)
    row = await db.one(
        f"SELECT * FROM memory_entries WHERE {WITHIN} AND namespace = :namespace AND key = :key AND {LIVE}",
        {**vars(where), "namespace": stored_namespace, "key": stored_key, "now": db.now()},
    )
    if row is None:
        raise await _missing(db, where, namespace, key)
    return Fact.of(row)


async def _missing(db: Reader, where: Where, namespace: str, key: str) -> NotFound:
    rows = await db.all(
        f"SELECT namespace, key FROM memory_entries WHERE {WITHIN} AND {LIVE} ORDER BY updated_at DESC LIMIT 500",
        {**vars(where), "now": db.now()},
    )
    keys = list(dict.fromkeys(row["key"] for row in rows))
    names = difflib.get_close_matches(key, keys, 5, 0.5) or keys[:5]
    near = [{"namespace": row["namespace"], "key": row["key"]} for row in rows if row["key"] in names][:5]
    return NotFound(
        f"Nothing is remembered under the key {key[:80]!r} in namespace {namespace!r} of scope {where.scope!r}.",
        **({"near": near} if near else {}),
    ).about("fact")


async def list_(
    db: Reader,
    where: Where,
    *,
    namespace: str | None,
    prefix: str,
    after: Sequence[str | int] | None,
    limit: int,
) -> tuple[list[FactBrief], int]:
    """Return facts by namespace and key, from behind `after` on, and how many there are."""
    matching = f"""
        {WITHIN} AND {LIVE} AND (:namespace IS NULL OR {same("namespace", "namespace", namespace)})
        AND {starts("key", "prefix")}
    """
    after_namespace, after_key = after or ("", "")
    params: dict[str, Any] = {
        **vars(where),
        "now": db.now(),
        "namespace": namespace,
        "prefix": prefix,
        "after_namespace": after_namespace,
        "after_key": after_key,
        "limit": limit,
        "shown": SHOWN,
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT namespace, key, substr(value ->> '$', 1, :shown) AS value, length(value ->> '$') > :shown AS cut,
                updated_at, expires_at
            FROM memory_entries
            WHERE {matching} AND (namespace, key) > (:after_namespace, :after_key)
            ORDER BY namespace, key LIMIT :limit
            """,
            params,
        ),
        (f"SELECT count(*) FROM memory_entries WHERE {matching}", params),
    )
    return [FactBrief.of(row) for row in rows], totals[0][0]


async def delete(tx: Transaction, where: Where, namespace: str, key: str) -> dict[str, Any]:
    """Delete a fact and return its row."""
    row = await tx.one(
        f"DELETE FROM memory_entries WHERE {WITHIN} AND namespace = :namespace AND key = :key RETURNING *",
        {**vars(where), "namespace": namespace, "key": key},
    )
    assert row is not None  # the caller read it in this transaction
    return as_dict(row)
