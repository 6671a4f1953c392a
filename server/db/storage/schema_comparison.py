"""What a schema is made of, read from a database itself, so that two of them can be compared."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from server.db.storage.connection import Reader
from server.db.storage.driver import NO_PARAMS

COLUMNS = """
    SELECT t.name AS "table", c.name, c.type, c."notnull" AS required, c.pk FROM pragma_table_list t
        JOIN pragma_table_xinfo(t.name) c
    WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND substr(t.name, 1, 7) <> 'sqlite_'
    ORDER BY t.name, c.cid
"""
OBJECTS = """
    SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger', 'view') ORDER BY type, name
"""
REFERENCES = """
    SELECT t.name AS "table", f."from", f."table" AS parent, f."to", f.on_delete FROM pragma_table_list t
        JOIN pragma_foreign_key_list(t.name) f
    WHERE t.schema = 'main' AND t.type = 'table'
    ORDER BY t.name, f."from", f."table"
"""


@dataclass(frozen=True)
class Schema:
    """A schema. `columns` counts those of each table, `parts` has the definition of each part of a table by its name.

    `broken` counts the references that lead nowhere.
    """

    version: int
    foreign_keys: bool
    broken: int
    columns: dict[str, int] = field(default_factory=dict[str, int])
    parts: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def add(self, table: str, part: str, definition: str) -> None:
        self.parts.setdefault(table, {})[part] = definition

    def indexes(self) -> list[str]:
        """Return the names of all indexes, those that constraints make too."""
        prefix = "index "
        return sorted(part.removeprefix(prefix) for of in self.parts.values() for part in of if part.startswith(prefix))


async def read(db: Reader, *, with_rows: bool = True) -> Schema:
    """Return the schema of a database, as this connection sees it; `broken` is 0 unless `with_rows` looks at all."""
    rows = "PRAGMA foreign_key_check" if with_rows else "SELECT 1 LIMIT 0"
    wanted = ("PRAGMA user_version", "PRAGMA foreign_keys", rows, COLUMNS, OBJECTS, REFERENCES)
    [(version,)], [(is_on,)], broken, columns, objects, references = await db.batch(
        *((sql, NO_PARAMS) for sql in wanted)
    )
    found = Schema(version, bool(is_on), len(broken))
    for row in columns:
        found.columns[row["table"]] = found.columns.get(row["table"], 0) + 1
        found.add(row["table"], f"column {row['name']}", f"{row['type']} required={row['required']} key={row['pk']}")
    for row in objects:
        found.add(row["tbl_name"], f"{row['type']} {row['name']}", " ".join((row["sql"] or "of a constraint").split()))
    for row in references:
        found.add(row["table"], f"foreign key {row['from']}", f"{row['parent']}.{row['to']} {row['on_delete']}")
    return found


def differences(expected: Schema, found: Schema) -> Iterator[str]:
    """Yield how a schema differs from the one it should be, a line each."""
    if found.version != expected.version:
        yield f"schema version: {found.version} instead of {expected.version}"
    if not found.foreign_keys:
        yield "foreign keys: off"
    if found.broken:
        yield f"foreign keys: {found.broken} rows name something that is not there"
    for table in sorted({*expected.columns, *found.columns}):
        if table not in found.columns:
            yield f"table {table}: missing"
        elif table not in expected.columns:
            yield f"table {table}: not of this release"
        else:
            yield from _of_table(table, expected.parts[table], found.parts[table])


def _of_table(table: str, expected: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    for part in sorted({*expected, *found}):
        if part not in found:
            yield f"table {table}: {part}: missing"
        elif part not in expected:
            yield f"table {table}: {part}: not of this release"
        elif expected[part] != found[part]:
            yield f"table {table}: {part}: {found[part]!r} instead of {expected[part]!r}"
