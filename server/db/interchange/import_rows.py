"""Rows of the database that an import may have made: by the key under which they are staged."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from server.db.plans.plan_archive import ARCHIVE, FAMILY
from server.db.storage.connection import Reader
from server.db.storage.table_shapes import Shape
from server.models.base import as_dict, encode

# They follow every edit, so that both sides moved them says nothing.
BOOKKEEPING = {"version", "updated_at", "last_seen_at"}
Columns = dict[str, Any]
LONG = 60  # characters of a text that are remembered
DIGEST = "blake2b:"
WHOLE = ("workspaces",)  # whose meta says what a store calls them
EMPTY = {"extra": "{}"}


def key_of(shape: Shape) -> str:
    """Return the expression that gives the key under which a row is staged."""
    return " || ' ' || ".join(shape.key)


def remembered(name: str, value: Any) -> Any:
    """Return what is remembered of a value that an import wrote: of a long text, or of what found no place, a digest.

    It is enough to tell whether the value is still the same. What is short, and other JSON, stays as it is.
    """
    if not isinstance(value, str) or len(value) <= LONG or (value[0] in "{[" and name != "extra"):
        return value
    return f"{DIGEST}{blake2b(value.encode('utf-8', 'replace'), digest_size=15).hexdigest()}"


def is_same(name: str, one: Any, other: Any) -> bool:
    """Return whether two values are the same, each as it is or as it is remembered."""
    return remembered(name, one) == remembered(name, other)


def base_of(table: str, values: Columns) -> str:
    """Return what is remembered of a row that an import wrote."""
    return encode(values if table in WHOLE else {name: remembered(name, value) for name, value in values.items()})


def whole(base: Columns, live: Columns | None) -> Columns:
    """Return what an import wrote of a row: a text that only its digest is remembered of is what it is now, or "" if
    that is another one.
    """
    there = live or {}
    return {
        name: (there[name] if is_same(name, value, there.get(name)) else EMPTY.get(name, ""))
        if isinstance(value, str) and value.startswith(DIGEST) and len(value) <= LONG
        else value
        for name, value in base.items()
    }


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
