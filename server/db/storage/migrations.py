"""Brings a database up to date by applying `migrations/NNNN_name.sql` in order."""

import hashlib
import logging
import re
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server.db.search import indexing
from server.db.storage.connection import Database, Reader
from server.db.storage.driver import BEGIN, COMMIT, NO_PARAMS, Connection, connected
from server.db.storage.driver_errors import ConstraintViolation, DriverError, Locked
from server.errors import Busy, ProjectMemoryError, SchemaTooNew, Storage
from server.settings import BACKUPS

logger = logging.getLogger(__name__)

LOCK_ATTEMPTS = 5  # each waits for busy_timeout; clients give up on a call after a minute
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
LEDGER = "CREATE TABLE _migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"


# A new database gets what all migrations come to in one go: a change of a table has SQLite read the whole schema anew.
WHOLE = Path("catalog", "schema.sql")
PARTS = """
    SELECT m.sql FROM sqlite_master m LEFT JOIN pragma_table_list t ON t.name = m.name AND t.schema = 'main'
    WHERE m.sql IS NOT NULL AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name <> '_migrations'
      AND coalesce(t.type, '') <> 'shadow'
    ORDER BY m.rowid
"""


@dataclass(frozen=True)
class Migration:
    """One numbered file. The checksum ignores how lines end."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def load(folder: Path) -> list[Migration]:
    """Read the numbered files of `folder`; their numbers run from 1 without a gap."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    migrations = [Migration(int(f.name[:4]), f.stem, f.read_text(encoding="utf-8")) for f in files]
    if [m.number for m in migrations] != list(range(1, len(migrations) + 1)) or not migrations:
        raise Storage(f"The migrations in {str(folder)!r} are incomplete: {[m.name for m in migrations]}. Reinstall.")
    return migrations


def newest(folder: Path) -> int:
    """Return the schema version that this release knows."""
    return load(folder)[-1].number


async def migrate(
    db: Database,
    folder: Path,
    *,
    allowed: bool = True,
    one_by_one: bool = False,
    loaded: list[Migration] | None = None,
) -> list[str]:
    """Apply what is pending under one lock of all processes and return the names applied.

    A new database gets the schema that they come to, if that is there beside them, unless `one_by_one`. Who has
    `loaded` the folder before says so.

    A database with data in it is copied beside itself first. Raises SchemaTooNew for a database of a newer server,
    Storage for an applied file that was edited since, and for pending files when `allowed` is false.
    """
    migrations = loaded or load(folder)
    applied: list[str] = []
    if pending := await _pending(db, migrations):
        if not allowed:
            raise Storage(f"The database lacks {pending[0].name}. Start the server once without --read-only.")
        whole = None if one_by_one else _whole(folder.parent / WHOLE, migrations)
        applied = await _apply(db, migrations, whole)
    db.schema_version = migrations[-1].number
    if await indexing.is_there(db):
        db.before_commit(indexing.fill, indexing.is_long)
    return applied


async def _pending(db: Database, migrations: list[Migration]) -> list[Migration]:
    """Check what the database says it has against the files and return what it lacks."""
    version = await db.value("PRAGMA user_version")
    if version > migrations[-1].number:
        raise _too_new(version, migrations)
    if not await db.value("SELECT 1 FROM sqlite_master WHERE name = '_migrations'"):
        return migrations
    checksums = {row["name"]: row["checksum"] for row in await db.all("SELECT name, checksum FROM _migrations")}
    known = {m.name: m for m in migrations}
    if checksums.keys() - known.keys():
        raise _too_new(version, migrations)
    edited = [name for name, checksum in checksums.items() if checksum != known[name].checksum]
    if edited:
        raise Storage(
            f"The migration {', '.join(sorted(edited))} was edited after it was applied to {str(db.path)!r}. "
            "Reinstall the release that wrote the database; a change of the schema is a new file."
        )
    return [m for m in migrations if m.name not in checksums]


def _too_new(version: int, migrations: list[Migration]) -> SchemaTooNew:
    return SchemaTooNew(
        f"The database has schema version {version}, this server knows {migrations[-1].number}. "
        "Nothing was changed. Update the server, or choose another --data-root."
    )


async def whole_schema(db: Reader, folder: Path) -> str:
    """Return what the migrations in `folder` made of a new database, as the file WHOLE holds it."""
    parts = [f"{row['sql'].strip()};" for row in await db.all(PARTS)]
    return "\n".join([f"-- {_digest(load(folder))}", *parts, ""])


def _whole(file: Path, migrations: list[Migration]) -> str | None:
    """Return the schema that these very migrations come to, if it was written down."""
    script = file.read_text(encoding="utf-8") if file.is_file() else ""
    return script if script.startswith(f"-- {_digest(migrations)}\n") else None


def _digest(migrations: list[Migration]) -> str:
    return hashlib.sha256("".join(migration.checksum for migration in migrations).encode()).hexdigest()


async def _apply(db: Database, migrations: list[Migration], whole: str | None) -> list[str]:
    async with connected(db.path) as connection:
        await connection.run("PRAGMA foreign_keys = OFF")  # a table rebuild must not cascade
        await _lock(connection)
        try:
            pending = await _pending(db, migrations)  # another process may have been faster
            saved = await _back_up(db, pending[0]) if 0 < len(pending) < len(migrations) else None
            with _told_how_to_go_back(saved):
                if whole and pending == migrations:
                    logger.info("making a new database")
                    await connection.run(LEDGER, *statements(whole))
                    await _note(connection, pending, db.now())
                else:
                    for migration in pending:
                        await _apply_one(connection, migration, db.now())
                if pending:
                    await _check_references(connection)
                await connection.run(COMMIT)
        finally:
            await connection.rollback()
    return [m.name for m in pending]


@contextmanager
def _told_how_to_go_back(saved: Path | None) -> Generator[None]:
    """Say of a failure that nothing was changed, and where the backup is that was made before, if there was data."""
    try:
        yield
    except (DriverError, ConstraintViolation, ProjectMemoryError) as error:
        way = f" A backup from before is there too: `restore {saved.name}`." if saved else ""
        raise Storage(
            f"The migration failed: {error} Nothing was changed: the release that wrote the database goes on with it. "
            f"Report this, and use that release until there is a newer one.{way}"
        ) from error


async def _lock(connection: Connection) -> None:
    for attempt in range(LOCK_ATTEMPTS):
        try:
            await connection.run(BEGIN)
        except Locked:
            logger.warning("waiting for the lock to migrate (%d)", attempt + 1)
        else:
            return
    raise Busy("Another process holds the database (it may be migrating it), so it cannot be opened yet. Try again.")


async def _apply_one(connection: Connection, migration: Migration, now: str) -> None:
    logger.info("applying %s", migration.name)
    if migration.number == 1:
        await connection.run(LEDGER)
    await connection.run(*statements(migration.script))
    await _note(connection, [migration], now)


async def _note(connection: Connection, applied: list[Migration], now: str) -> None:
    """Write down which migrations the database has."""
    rows = [{"name": one.name, "checksum": one.checksum, "now": now} for one in applied]
    await connection.batch(
        ("INSERT INTO _migrations (name, checksum, applied_at) VALUES (:name, :checksum, :now)", rows),
        (f"PRAGMA user_version = {applied[-1].number}", NO_PARAMS),
    )


async def _check_references(connection: Connection) -> None:
    if broken := (await connection.run("PRAGMA foreign_key_check"))[0]:
        raise Storage(f"The migration would leave {len(broken)} broken references; nothing was changed.")


async def _back_up(db: Database, migration: Migration) -> Path:
    """Make a backup before the database changes. Nobody writes meanwhile: the caller holds the write lock."""
    from server.db.backups import backup_files  # most starts migrate nothing

    reason = f"before-{migration.name}"
    target = db.path.parent / BACKUPS / backup_files.name_of(db.now(), reason)
    await backup_files.make(db.path, target, now=db.now(), reason=reason)
    logger.warning("copied the database to %s before migrating it", target)
    return target


def statements(script: str) -> Iterator[str]:
    """Split on statement ends as SQLite sees them, so triggers stay whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if COMMENT.sub("", statement).strip():
        raise Storage(f"A migration ends in the middle of a statement: {statement.strip()[:80]!r}. Reinstall.")
