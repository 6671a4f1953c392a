"""What SQLite itself and the migrations say of a file: its pages, its references, its schema, the times in it."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from server.db.storage import migrations, schema_comparison
from server.db.storage.connection import Reader
from server.db.storage.opening import open_database
from server.db.storage.schema_comparison import Schema
from server.db.storage.table_shapes import columns_of_tables

MOST = 20  # problems of one kind that are told
SOUND = ["ok"]
OF_AN_INDEX = re.compile(r"missing from index|wrong # of entries in index|non-unique entry in index")
# Where a process writes the time of its clock, and where a lease or an expiry stands for what is to come.
TIMES = (
    ("event_log", "timestamp"),
    ("update_log", "timestamp"),
    ("sessions", "last_seen_at"),
    ("plans", "updated_at"),
)
JSON = re.compile(r"json_valid\((\w+)\)")
_made: dict[Path, Schema] = {}


@dataclass(frozen=True)
class SchemaState:
    """How the schema of a file stands to the migrations of this release."""

    version: int
    known: int
    pending: Sequence[str] = ()
    edited: Sequence[str] = ()
    unknown: Sequence[str] = ()


async def integrity(db: Reader) -> list[str]:
    """Return what is wrong with the pages of the file; nothing if they are sound."""
    rows = await db.all(f"PRAGMA integrity_check({MOST})")
    found = [row[0] for row in rows]
    return [] if found == SOUND else found


def is_of_indexes(problems: Sequence[str]) -> bool:
    """Return whether only indexes are wrong: they are made anew out of the rows."""
    return bool(problems) and all(OF_AN_INDEX.search(one) for one in problems)


async def broken_references(db: Reader) -> dict[str, int]:
    """Return how many rows name a parent that is not there, by table and parent."""
    found: dict[str, int] = {}
    for row in await db.all("PRAGMA foreign_key_check"):
        named = f"{row[0]} -> {row[2]}"
        found[named] = found.get(named, 0) + 1
    return found


async def is_ours(db: Reader) -> bool:
    """Return whether a database holds nothing, or was made by this program."""
    names = {row[0] for row in await db.all("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    return not names or "_migrations" in names


async def schema_state(db: Reader, folder: Path) -> SchemaState:
    """Return what the file says was applied to it, against the files in `folder`."""
    known = {one.name: one for one in migrations.load(folder)}
    version = await db.value("PRAGMA user_version")
    if not await db.value("SELECT 1 FROM sqlite_master WHERE name = '_migrations'"):
        return SchemaState(version, len(known), pending=list(known))
    applied = {row["name"]: row["checksum"] for row in await db.all("SELECT name, checksum FROM _migrations")}
    return SchemaState(
        version,
        len(known),
        pending=[name for name in known if name not in applied],
        edited=[name for name, checksum in applied.items() if name in known and known[name].checksum != checksum],
        unknown=sorted(applied.keys() - known.keys()),
    )


async def schema_differences(db: Reader, folder: Path) -> list[str]:
    """Return how the schema differs from what the migrations make, a line each."""
    found = await schema_comparison.read(db, with_rows=False)
    expected = await _expected(folder)
    return list(schema_comparison.differences(expected, replace(found, foreign_keys=expected.foreign_keys)))


async def _expected(folder: Path) -> Schema:
    """Return the schema of an empty database with every migration applied; it is made once in a process."""
    if folder in _made:
        return _made[folder]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        database = await open_database(Path(scratch) / "scratch.db", synchronous="normal")
        try:
            await migrations.migrate(database, folder)
            _made[folder] = await schema_comparison.read(database, with_rows=False)
        finally:
            await database.close()
    return _made[folder]


async def ahead(db: Reader, limit: str) -> dict[str, str]:
    """Return the latest time in each table that was written by a clock ahead of `limit`."""
    found: dict[str, str] = {}
    for table, column in TIMES:
        latest = await db.value(f"SELECT max({column}) FROM {table}")
        if latest and latest > limit:
            found[table] = latest
    return found


async def span_of_events(db: Reader) -> tuple[str, str] | None:
    """Return when the oldest and the newest event were."""
    row = await db.one("SELECT min(timestamp) AS oldest, max(timestamp) AS newest FROM event_log")
    return (row["oldest"], row["newest"]) if row and row["oldest"] else None


async def broken_json(db: Reader) -> dict[str, int]:
    """Return how many values that should be JSON are not, by table and column."""
    found: dict[str, int] = {}
    columns = await columns_of_tables(db)
    made = {row["name"]: row["sql"] for row in await db.all("SELECT name, sql FROM sqlite_master WHERE type = 'table'")}
    for table, own in columns.items():
        wanted = set(JSON.findall(made[table.removesuffix("_archive")])) & set(own)
        for column in sorted(wanted):
            count = await db.value(
                f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND NOT json_valid({column})"
            )
            found |= {f"{table}.{column}": count} if count else {}
    return found


async def unused_bytes(db: Reader) -> tuple[int, int]:
    """Return the size of the pages that nothing is in, and of all pages."""
    [(free,)], [(pages,)], [(size,)] = await db.batch(
        ("PRAGMA freelist_count", {}), ("PRAGMA page_count", {}), ("PRAGMA page_size", {})
    )
    return free * size, pages * size


async def library_version(db: Reader) -> tuple[int, ...]:
    """Return the version of SQLite that this process uses."""
    return tuple(int(part) for part in (await db.value("SELECT sqlite_version()")).split("."))
