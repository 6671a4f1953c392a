"""Table `file_changes`: changes of files that are committed, and carried out right after."""

import json
from collections.abc import Sequence
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id

MOST = 100  # looked at in one transaction


async def insert(tx: Transaction, workspace_id: str, change: dict[str, Any]) -> str:
    change_id = new_id("change")
    await tx.run(
        """
        INSERT INTO file_changes (change_id, workspace_id, change, created_at)
        VALUES (:change_id, :workspace_id, :change, :now)
        """,
        {"change_id": change_id, "workspace_id": workspace_id, "change": encode(change), "now": tx.now()},
    )
    return change_id


async def pending(db: Reader) -> dict[str, dict[str, Any]]:
    """Return changes by id, oldest first: most of them are carried out, and say so to who looks."""
    rows = await db.all("SELECT change_id, change FROM file_changes ORDER BY change_id LIMIT :most", {"most": MOST})
    return {row["change_id"]: json.loads(row["change"]) for row in rows}


async def drop(tx: Transaction, change_ids: Sequence[str]) -> None:
    query = "DELETE FROM file_changes WHERE change_id IN (SELECT value FROM json_each(:ids))"
    await tx.run(query, {"ids": encode(list(change_ids))})
