"""Table `requests`: what writes answered, for callers who did not get the answer."""

from dataclasses import dataclass
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.models.base import later

LIFETIME_SECONDS = 86_400
MOST_REMOVED = 20  # expired ones that a new one takes along


@dataclass(frozen=True)
class Key:
    """Whose request it is. In each workspace it names one."""

    request_id: str
    agent: str
    tool: str
    action: str


@dataclass(frozen=True)
class Kept:
    """What was called, by the hash of its arguments, and what it answered."""

    arguments_hash: str
    answer: str
    created_at: str


async def kept(db: Reader, key: Key) -> dict[str, Kept]:
    """Return what is known of a request by the workspace it was for; what is older than a day is forgotten."""
    rows = await db.all(
        """
        SELECT workspace_id, arguments_hash, answer, created_at FROM requests
        WHERE request_id = :request_id AND agent = :agent AND tool = :tool AND action = :action
            AND created_at > :expired
        """,
        {**vars(key), "expired": _expired(db)},
    )
    return {row["workspace_id"]: Kept(row["arguments_hash"], row["answer"], row["created_at"]) for row in rows}


async def keep(tx: Transaction, key: Key, *, workspace_id: str, arguments_hash: str, answer: str) -> None:
    """Store what a request answered, in place of one that expired, and remove a few others that did."""
    values: dict[str, Any] = {
        **vars(key),
        "workspace_id": workspace_id,
        "arguments_hash": arguments_hash,
        "answer": answer,
        "now": tx.now(),
        "expired": _expired(tx),
        "most": MOST_REMOVED,
    }
    await tx.run(
        """
        DELETE FROM requests WHERE created_at IN (
            SELECT created_at FROM requests WHERE created_at <= :expired ORDER BY created_at LIMIT :most
        )
        """,
        values,
    )
    await tx.run(
        """
        INSERT INTO requests (request_id, agent, tool, action, workspace_id, arguments_hash, answer, created_at)
        VALUES (:request_id, :agent, :tool, :action, :workspace_id, :arguments_hash, :answer, :now)
        ON CONFLICT (request_id, agent, tool, action, workspace_id) DO UPDATE SET
            arguments_hash = excluded.arguments_hash, answer = excluded.answer, created_at = excluded.created_at
        """,
        values,
    )


def _expired(db: Reader) -> str:
    return later(db.now(), -LIFETIME_SECONDS)
