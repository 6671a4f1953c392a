"""Compare the schema of a database with what the migrations make: `validate_schema.py --db FILE`.

Prints its version, its tables with the numbers of their columns, its indexes, and whether foreign keys hold; nothing of
the database is changed. Exit code: 0 as it should be, 1 with every difference named.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
from database_file import settings_of

from server.db.storage import schema_comparison
from server.db.storage.clock import Clock
from server.db.storage.connection import Reader
from server.db.storage.driver import connected
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.db.storage.schema_comparison import Schema
from server.errors import ProjectMemoryError
from server.settings import ASSETS


async def expected() -> Schema:
    """Return the schema of an empty database with every migration applied."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        database = await open_database(Path(scratch) / "scratch.db")
        try:
            await migrate(database, ASSETS / "migrations")
            return await schema_comparison.read(database)
        finally:
            await database.close()


async def found(file: Path) -> Schema:
    async with connected(file) as connection:
        reader = Reader(connection, Clock())
        await reader.batch(("PRAGMA query_only = ON", {}))
        return await schema_comparison.read(reader)


def told(seen: Schema) -> Iterator[str]:
    """Yield what there is, a line each."""
    yield f"schema version: {seen.version}"
    yield f"foreign keys: {'on' if seen.foreign_keys else 'off'}"
    yield f"tables: {len(seen.columns)}"
    yield from (f"  {table}: {count} columns" for table, count in sorted(seen.columns.items()))
    indexes = seen.indexes()
    yield f"indexes: {len(indexes)}"
    yield from (f"  {index}" for index in indexes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", type=Path, required=True, help="the database")
    file = settings_of(parser.parse_args().db).database
    if not file.is_file():
        parser.error(f"there is no database {str(file)!r}")
    try:
        seen = anyio.run(found, file)
        problems = list(schema_comparison.differences(anyio.run(expected), seen))
    except ProjectMemoryError as error:
        print(error, file=sys.stderr)
        return 2
    for line in (*told(seen), f"differences: {len(problems) or 'none'}", *(f"  {problem}" for problem in problems)):
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
