"""What the schema lets stand only once: two rows that a source has for one place, and one that has it here already."""

from collections.abc import Sequence

from server.db.interchange.scratch import Stage, params
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.db.storage.table_shapes import Shape
from server.models.base import encode

Place = tuple[str, ...]  # columns that no two rows have alike
# Those that the schema says of an index with a condition or an expression: a term is unique unless it is an intent.
INDEXED: dict[str, tuple[Place, ...]] = {
    "plan_terms": (("plan_id", "kind", "term"),),
    "memory_entries": (("scope", "scope_id", "namespace", "key", "workspace_id"),),
}
# What a place of these is called by. It may pass from one row to another: both are there afterwards.
NAMES = {"phases": "name", "knowledge": "slug"}
FREE = {"plan_terms": ("kind", "intent")}  # a column, and the value that makes a row stand anywhere
ALIKE = """
    SELECT * FROM (
        SELECT *, first_value(row_key) OVER (PARTITION BY {columns} ORDER BY seq) AS first FROM rows
        WHERE unit = :unit AND table_name = :table AND action = 'insert' AND {whole}
    ) WHERE row_key <> first
"""


def places(table: str, shape: Shape) -> tuple[Place, ...]:
    """Return what no two rows of a table have alike, besides the primary key."""
    return (*shape.unique[1:], *INDEXED.get(table, ()))


async def taken(db: Reader, table: str, shape: Shape, rows: Sequence[Record]) -> dict[str, str]:
    """Return which of these rows would stand where another one is, and the key of that."""
    key = " || ' ' || ".join(f"t.{name}" for name in shape.key)
    found: dict[str, str] = {}
    for place in places(table, shape):
        listed = [[row["row_key"], *values] for row in rows if (values := _at(table, row, place))]
        same = " AND ".join(f"{_or_none('t.' + name, name)} = w.value ->> {n}" for n, name in enumerate(place, 1))
        sql = f"""
            SELECT w.value ->> 0 AS "key", {key} AS "other" FROM json_each(:wanted) w JOIN {table} t ON {same}
        """
        for row in await db.all(sql, {"wanted": encode(listed)}) if listed else ():
            if row["key"] != row["other"]:
                found[row["key"]] = row["other"]
    return found


def doubles(stage: Stage, unit: str, table: str, shape: Shape) -> list[Record]:
    """Return the new rows that would stand where another new one does: the `first` of them."""
    found: dict[int, Record] = {}
    for place in places(table, shape):
        columns = [_or_none(f"base ->> '{name}'", name) for name in place]
        whole = [f"{column} IS NOT NULL" for column in columns]
        if table in FREE:
            whole.append("base ->> '{}' <> '{}'".format(*FREE[table]))
        sql = ALIKE.format(columns=", ".join(columns), whole=" AND ".join(whole))
        found |= {row["seq"]: row for row in stage.query(sql, {"unit": unit, "table": table})}
    return list(found.values())


def _at(table: str, row: Record, place: Place) -> Sequence[object]:
    """Return the values that tell where a row would stand; none if it may stand anywhere."""
    values = params(row)
    if table in FREE and values[FREE[table][0]] == FREE[table][1]:
        return []
    at = ["" if name == "workspace_id" and values.get(name) is None else values.get(name) for name in place]
    return [] if None in at else at


def _or_none(column: str, name: str) -> str:
    """Return what compares as equal where the schema does so: no workspace is a place, any other NULL is none."""
    return f"coalesce({column}, '')" if name == "workspace_id" else column
