"""Table `trash`: what was deleted, whole, for a while. `restore` puts it back."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.connection import Reader, Transaction
from server.db.near import not_found
from server.models.base import encode, later, new_id
from server.models.workspaces import Trashed, TrashEntry

DAYS = 30
Rows = Mapping[str, Sequence[Mapping[str, Any]]]  # table -> whole rows
COLUMNS = "trash_id, entity_type, entity_id, title, workspace_id, plan_id, deleted_by, created_at, expires_at"


async def put(
    tx: Transaction,
    *,
    entity_type: str,
    entity_id: str,
    title: str,
    workspace_id: str | None,
    plan_id: str | None,
    rows: Rows,
) -> str:
    """Store rows that the caller is about to delete and return the id that brings them back."""
    trash_id = new_id("trash")
    await tx.run(
        """
        INSERT INTO trash (trash_id, workspace_id, plan_id, entity_type, entity_id, title, data, deleted_by,
            created_at, expires_at)
        VALUES (:trash_id, :workspace_id, :plan_id, :entity_type, :entity_id, :title, :data, :deleted_by,
            :now, :expires_at)
        """,
        {
            "trash_id": trash_id,
            "workspace_id": workspace_id,
            "plan_id": plan_id,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "title": title,
            "data": encode({table: [dict(row) for row in found] for table, found in rows.items() if found}),
            "deleted_by": tx.origin.actor,
            "now": tx.now(),
            "expires_at": later(tx.now(), DAYS * 86_400),
        },
    )
    return trash_id


async def list_(
    db: Reader, workspace_id: str, *, after: Sequence[str | int] | None, limit: int
) -> tuple[list[TrashEntry], int]:
    """Return what a workspace, or none, has in the trash, newest first, and how much it is in all."""
    where = "(workspace_id = :workspace_id OR workspace_id IS NULL)"
    created_at, trash_id = after or (None, None)
    rows = await db.all(
        f"""
        SELECT {COLUMNS}, (SELECT count(*) FROM trash WHERE {where}) AS total FROM trash
        WHERE {where} AND (:created_at IS NULL OR (created_at, trash_id) < (:created_at, :trash_id))
        ORDER BY created_at DESC, trash_id DESC LIMIT :limit
        """,
        {"workspace_id": workspace_id, "created_at": created_at, "trash_id": trash_id, "limit": limit},
    )
    return [TrashEntry.of(row) for row in rows], rows[0]["total"] if rows else 0


async def take(tx: Transaction, trash_id: str) -> Trashed:
    """Remove an entry from the trash and return it with its rows, or raise NotFound."""
    row = await tx.one("DELETE FROM trash WHERE trash_id = :trash_id RETURNING *", {"trash_id": trash_id})
    if row is None:
        raise await not_found(
            tx, "trash", trash_id, table="trash", label="title", lister="memory_workspace action='trash'"
        )
    return Trashed.of(row)
