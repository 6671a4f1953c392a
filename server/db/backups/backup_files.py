"""A backup: a copy of the database that was looked over, and beside it a manifest that says what it holds.

It is made under another name, and gets its own when all of it is on the disk. It is one file, with no log beside it.
"""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync

from server.db.backups import file_copies
from server.db.storage.connection import Reader
from server.db.storage.driver import NO_PARAMS, Connection, connected
from server.db.storage.integrity import require_sound
from server.db.storage.table_shapes import names_of_tables
from server.errors import Storage
from server.files import make_folder, replace, sync, sync_folder

MANIFEST = ".json"  # behind the name of the backup
NAME = re.compile(r"project-memory-([0-9]{8}T[0-9]{9})Z(-[0-9a-z_-]+)?\.db")
STAMP = "%Y%m%dT%H%M%S%f"  # to the millisecond
DRAFTS = ".project-memory-*.tmp*"  # with what SQLite keeps beside a database
STALE_SECONDS = 3600.0  # after which nobody writes a draft any more
READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """What a backup is, and holds."""

    made_at: str
    reason: str
    sha256: str
    bytes: int
    schema_version: int
    newest_event: int
    newest_event_at: str
    rows: dict[str, int]


@dataclass(frozen=True)
class Mark:
    """How far a database is: its schema, and its newest event; 0 and "" if nothing happened in it."""

    schema_version: int
    newest_event: int
    newest_event_at: str


@dataclass(frozen=True)
class Contents(Mark):
    """What there is in a database."""

    rows: dict[str, int]


def name_of(moment: str, reason: str) -> str:
    """Return what a backup is called that is made now."""
    return f"project-memory-{stamp(moment)}{f'-{reason}' if reason else ''}.db"


def stamp(moment: str) -> str:
    """Return a time as it stands in the name of a file."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC).strftime(STAMP)[:-3]}Z"


def made_at(path: Path) -> datetime | None:
    """Return when a backup of ours was made, by its name."""
    found = NAME.fullmatch(path.name)
    return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC) if found else None


async def make(database: Path, target: Path, *, now: str, reason: str = "") -> Manifest:
    """Copy a database that others may write to, look the copy over, and give it its name. What is there is replaced."""
    try:
        async with draft(target.parent) as path:
            await copy(database, path)
            found = await settled(path)
            manifest = Manifest(now, reason, await run_sync(digest, path), path.stat().st_size, **asdict(found))
            await run_sync(put, path, target, manifest)
    except OSError as error:
        raise Storage(f"No backup could be written to {str(target.parent)!r}: {error.strerror}.") from error
    return manifest


async def copy(database: Path, path: Path) -> None:
    """Copy a database into an empty file, and bring that to the disk."""
    async with connected(database) as source:
        try:
            if not await file_copies.copy(source, path):
                await source.copy_to(path)
        except BaseException:
            source.interrupt()
            raise
    await run_sync(sync, path)


def put(path: Path, target: Path, manifest: Manifest) -> None:
    """Give a copy its name, behind its manifest: what has no manifest beside it is none of ours."""
    sync(path)
    replace(target.with_name(target.name + MANIFEST), json.dumps(asdict(manifest), indent=2))
    path.replace(target)
    sync_folder(target.parent)


@asynccontextmanager
async def draft(folder: Path) -> AsyncGenerator[Path]:
    """Yield an empty file for its owner alone, to be renamed; what is left of it, and of those who died, is removed."""
    make_folder(folder)
    for old in folder.glob(DRAFTS):
        with suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > STALE_SECONDS:
                old.unlink()
    path = folder / f".project-memory-{secrets.token_hex(8)}.tmp"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield path
    finally:
        for left in folder.glob(f"{path.name}*"):
            left.unlink(missing_ok=True)


async def settled(path: Path) -> Contents:
    """Make a database one file without a log, and return what is in it; raise Storage if it is damaged."""
    async with connected(path) as connection:
        await connection.run("PRAGMA journal_mode = DELETE")
    await require_sound(path)
    return await contents(path)


async def contents(path: Path) -> Contents:
    async with connected(path) as connection:
        return await _contents(connection)


async def _contents(connection: Connection) -> Contents:
    [tables] = await connection.run("SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_migrations'")
    if not tables:
        raise Storage("It is an SQLite database of another program.")
    reader = Reader(connection, lambda: datetime.now(UTC))
    names = await names_of_tables(reader)
    rows = await reader.batch(*((f"SELECT count(*) FROM {name}", NO_PARAMS) for name in names))
    return Contents(
        **asdict(await mark(reader)), rows={name: found[0][0] for name, found in zip(names, rows, strict=True)}
    )


async def mark(db: Reader) -> Mark:
    """Return how far a database is."""
    [[(version,)], events] = await db.batch(
        ("PRAGMA user_version", NO_PARAMS),
        ("SELECT event_id, timestamp FROM event_log ORDER BY event_id DESC LIMIT 1", NO_PARAMS),
    )
    return Mark(version, *events[0]) if events else Mark(version, 0, "")


def manifest_of(path: Path) -> Manifest | None:
    """Return the manifest of a backup; None if there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads(path.with_name(path.name + MANIFEST).read_text(encoding="utf-8"))
        return Manifest(**found)
    except (OSError, ValueError, TypeError):
        return None


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
