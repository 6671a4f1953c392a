"""Table `trash`: what was deleted, whole, for a while. `restore` puts it back. What expired does not exist."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from server.db.search.suggestions import not_found
from server.db.shared_state import shared_settings
from server.db.storage.connection import Reader, Transaction
from server.errors import NotFound
from server.models.base import as_dict, encode, later, new_id
from server.models.workspaces import Trashed, TrashEntry

FOR_EVER = 10_000 * 365 * 86_400.0  # seconds
HELD = "held_by"  # among the tables of an entry: which gates held its steps, for `trashed_gates`
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
    trash_id: str | None = None,
) -> str:
    """Store rows that the caller is about to delete and return the id that brings them back."""
    trash_id = trash_id or new_id("trash")
    kept_for = await shared_settings.amount(tx, "retention.trash")
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
            "data": encode({table: [as_dict(row) for row in found] for table, found in rows.items() if found}),
            "deleted_by": tx.origin.actor,
            "now": tx.now(),
            "expires_at": later(tx.now(), FOR_EVER if kept_for is None else kept_for),
        },
    )
    return trash_id


async def list_(
    db: Reader, workspace_id: str, *, after: Sequence[str | int] | None, limit: int
) -> tuple[list[TrashEntry], int]:
    """Return what a workspace, or none, has in the trash, newest first, and how much it is in all."""
    where = "(workspace_id = :workspace_id OR workspace_id IS NULL) AND expires_at > :now"
    created_at, trash_id = after or (None, None)
    rows = await db.all(
        f"""
        SELECT {COLUMNS}, (SELECT count(*) FROM trash WHERE {where}) AS total FROM trash
        WHERE {where} AND (:created_at IS NULL OR (created_at, trash_id) < (:created_at, :trash_id))
        ORDER BY created_at DESC, trash_id DESC LIMIT :limit
        """,
        {
            "workspace_id": workspace_id,
            "created_at": created_at,
            "trash_id": trash_id,
            "now": db.now(),
            "limit": limit,
        },
    )
    return [TrashEntry.of(row) for row in rows], rows[0]["total"] if rows else 0


async def find(db: Reader, trash_id: str) -> Trashed | None:
    """Return an entry that can come back."""
    query = "SELECT * FROM trash WHERE trash_id = :trash_id AND expires_at > :now"
    row = await db.one(query, {"trash_id": trash_id, "now": db.now()})
    return Trashed.of(row) if row else None


async def known(db: Reader, trash_ids: Sequence[str]) -> set[str]:
    """Return which of these entries can come back."""
    query = "SELECT trash_id FROM trash WHERE expires_at > :now AND trash_id IN (SELECT value FROM json_each(:ids))"
    return {row[0] for row in await db.all(query, {"ids": encode(list(trash_ids)), "now": db.now()})}


async def take(tx: Transaction, trash_id: str) -> Trashed:
    """Remove an entry from the trash and return it with its rows, or raise NotFound."""
    params = {"trash_id": trash_id, "now": tx.now()}
    row = await tx.one("DELETE FROM trash WHERE trash_id = :trash_id AND expires_at > :now RETURNING *", params)
    if row is None:
        raise await _missing(tx, trash_id)
    found = Trashed.of(row)
    return found.model_copy(update={"data": {table: rows for table, rows in found.data.items() if table != HELD}})


async def _missing(tx: Transaction, trash_id: str) -> NotFound:
    expired = await tx.value("SELECT expires_at FROM trash WHERE trash_id = :trash_id", {"trash_id": trash_id})
    if expired:
        return NotFound(f"{trash_id} expired at {expired}: what is deleted stays for a time only. It cannot come back.")
    live = {"where": "expires_at > :now", "now": tx.now()}
    return await not_found(tx, "trash", trash_id, table="trash", label="title", **live)


async def holding(db: Reader, table: str, key: str, value: str) -> str | None:
    """Return the newest entry with a row of `table`, or of its archive, that has this key."""
    return await db.value(
        """
        SELECT t.trash_id FROM trash t
        WHERE t.expires_at > :now AND instr(t.data, :value) > 0 AND EXISTS (
            SELECT 1 FROM json_each(t.data) part, json_each(part.value) r
            WHERE part.key IN (:table, :archive) AND r.value ->> :key = :value)
        ORDER BY t.created_at DESC LIMIT 1
        """,
        {"now": db.now(), "table": table, "archive": f"{table}_archive", "key": key, "value": value},
    )


async def add(tx: Transaction, trash_id: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let further rows come back with an entry."""
    data = json.loads(await tx.value("SELECT data FROM trash WHERE trash_id = :trash_id", {"trash_id": trash_id}))
    data[table] = [*data.get(table, ()), *map(dict, rows)]
    params = {"trash_id": trash_id, "data": encode(data)}
    await tx.run("UPDATE trash SET data = :data WHERE trash_id = :trash_id", params)
