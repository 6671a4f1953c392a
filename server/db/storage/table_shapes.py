"""What the tables of a database are made of, as their rows have to fit: columns and keys."""

import json
from dataclasses import dataclass
from typing import Any

from server.db.storage.connection import Reader


def with_archive(table: str) -> tuple[str, str]:
    """Return a table of what is there, and that of its rows which were archived."""
    return table, f"{table}_archive"


@dataclass(frozen=True)
class ForeignKey:
    """A column that names a row of another table. A `loose` one becomes NULL when that row goes."""

    column: str
    parent: str
    parent_key: str
    loose: bool


@dataclass(frozen=True)
class Shape:
    """What the schema demands of the rows of a table: its primary key, its unique keys of columns, its foreign keys."""

    key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    foreign: tuple[ForeignKey, ...]


@dataclass(frozen=True)
class StoredColumn:
    """A column: whether it may be NULL, and what stands in it if nothing else is said."""

    name: str
    is_needed: bool
    default: Any


async def defaults_of_tables(db: Reader) -> dict[str, dict[str, StoredColumn]]:
    """Return the columns of every table that holds rows of ours, in their order: the first is a key, or part of one."""
    rows = await db.all(
        """
        SELECT t.name AS "table", c.name, c."notnull" AS is_needed, c.dflt_value AS "default"
        FROM pragma_table_list t JOIN pragma_table_info(t.name) c
        WHERE t.schema = 'main' AND t.type = 'table' AND substr(t.name, 1, 7) NOT IN ('sqlite_', 'search_')
        ORDER BY t.name, c.cid
        """
    )
    found: dict[str, dict[str, StoredColumn]] = {}
    for row in rows:
        column = StoredColumn(row["name"], bool(row["is_needed"]), _literal(row["default"]))
        found.setdefault(row["table"], {})[column.name] = column
    return found


def _literal(sql: str | None) -> Any:
    """Return the value of a default, which the migrations write as a literal; JSON as what it stands for."""
    if sql is None or sql == "NULL":
        return None
    if sql.startswith("'"):
        text = sql[1:-1].replace("''", "'")
        return json.loads(text) if text in ("[]", "{}") else text
    return float(sql) if "." in sql else int(sql)


async def names_of_tables(db: Reader) -> list[str]:
    """Return the name of every table that holds rows of ours."""
    rows = await db.all(
        """
        SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) NOT IN ('sqlite_', 'search_')
        ORDER BY name
        """
    )
    return [row["name"] for row in rows]


async def columns_of_tables(db: Reader) -> dict[str, list[str]]:
    """Return the columns of every table that holds rows of ours, by its name."""
    rows = await db.all(
        """
        SELECT t.name, json_group_array(c.name) AS columns FROM pragma_table_list t JOIN pragma_table_info(t.name) c
        WHERE t.schema = 'main' AND t.type = 'table' AND substr(t.name, 1, 7) NOT IN ('sqlite_', 'search_')
        GROUP BY t.name ORDER BY t.name
        """
    )
    return {row["name"]: json.loads(row["columns"]) for row in rows}


async def shape_of(db: Reader, table: str) -> Shape:
    """Return the keys of a table, foreign ones as declared. Each has one column, and names its parent's primary key."""
    unique: dict[str, list[str | None]] = {}
    rows = await db.all(
        """
        SELECT l.name, l.origin, c.name AS "column" FROM pragma_index_list(:table) l JOIN pragma_index_info(l.name) c
        WHERE l."unique" AND NOT l.partial ORDER BY l.origin <> 'pk', l.name, c.seqno
        """,
        {"table": table},
    )
    for row in rows:
        unique.setdefault(row["name"], []).append(row["column"])
    foreign = await db.all(
        """
        SELECT f."from", f."table", f.on_delete, p.name AS "to"
        FROM pragma_foreign_key_list(:table) f JOIN pragma_table_info(f."table") p ON p.pk = 1
        ORDER BY f.id DESC
        """,
        {"table": table},
    )
    keys = tuple(tuple(filter(None, columns)) for columns in unique.values() if None not in columns)  # no expressions
    links = (ForeignKey(row["from"], row["table"], row["to"], row["on_delete"] == "SET NULL") for row in foreign)
    return Shape(keys[0], keys, tuple(links))
