"""Rows of the database that an import may have made: by the key under which they are staged."""

from collections.abc import Sequence
from typing import Any

from server.db.plans.plan_archive import ARCHIVE, FAMILY
from server.db.storage.connection import Reader
from server.db.storage.table_shapes import Shape
from server.models.base import as_dict, encode

# They follow every edit, so that both sides moved them says nothing.
BOOKKEEPING = {"version", "updated_at", "last_seen_at"}
Columns = dict[str, Any]


def key_of(shape: Shape) -> str:
    """Return the expression that gives the key under which a row is staged."""
    return " || ' ' || ".join(shape.key)


async def live(db: Reader, table: str, shape: Shape, keys: Sequence[str]) -> dict[str, tuple[str, Columns]]:
    """Return rows by key, each with the suffix of its table."""
    found: dict[str, tuple[str, Columns]] = {}
    wanted = {"keys": encode(list(keys))}
    for suffix in ("", ARCHIVE) if table in FAMILY else ("",):
        sql = f"""
            SELECT *, {key_of(shape)} AS "?key" FROM {table}{suffix}
            WHERE {key_of(shape)} IN (SELECT value FROM json_each(:keys))
        """
        for row in await db.all(sql, wanted):
            columns = as_dict(row)
            found[columns.pop("?key")] = (suffix, columns)
    return found
