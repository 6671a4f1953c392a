"""One row of any table that has an edit: written from column values, and changed with its version and its time."""

from collections.abc import Mapping
from typing import Any, cast

from server.db.storage.connection import Transaction
from server.db.storage.driver import Record
from server.models.base import encode


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return column values as SQLite stores them: lists and dicts as JSON, booleans as 0 and 1."""
    return {name: _stored(value) for name, value in values.items()}


def _stored(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return encode(cast(object, value)) if isinstance(value, list | tuple | dict) else value


async def insert(tx: Transaction, table: str, values: Mapping[str, Any], returning: str = "*") -> Record:
    """Insert a row, made now, and return it."""
    values = {**values, "created_at": tx.now(), "updated_at": tx.now()}
    sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})"
    row = await tx.one(f"{sql} RETURNING {returning}", stored(values))
    assert row is not None  # RETURNING gives the row
    return row


async def revise(tx: Transaction, table: str, key: str, entity_id: str, changes: Mapping[str, Any]) -> Record:
    """Change columns of a row that the caller required in this transaction, its version and its time; return it."""
    assignments = "".join(f"{name} = :{name}, " for name in changes)
    row = await tx.one(
        f"""
        UPDATE {table} SET {assignments}updated_at = :updated_at, version = version + 1
        WHERE {key} = :{key} RETURNING *
        """,
        {**stored(changes), key: entity_id, "updated_at": tx.now()},
    )
    assert row is not None
    return row
