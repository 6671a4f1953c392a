"""A backup takes the place of the database, after a look at what that changes."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio.to_thread import run_sync

from server.db.backups import backup_files, lost_events, restoring
from server.db.backups.backup_files import Contents
from server.db.backups.lost_events import LostEvents
from server.db.shared_state import server_runs
from server.db.storage import process_lock
from server.db.storage.driver import is_database
from server.db.storage.driver_errors import DriverError
from server.db.storage.integrity import problems
from server.db.storage.migrations import newest
from server.db.storage.process_lock import User
from server.errors import InvalidArguments, NotFound, ProjectMemoryError, SchemaTooNew, Storage
from server.files import make_folder
from server.settings import ASSETS
from server.upkeep import backups

WORK = "restore"
REASON = "before-restore"
EVENTS_SHOWN = 10


@dataclass(frozen=True)
class RestorePreview:
    """What a restoration changes. `made_at` is None for a file without a manifest, whose hash nobody knows.

    `now` is what the present database holds: None if there is none, or, with `damage`, none that can be read whole.
    """

    file: Path
    made_at: str | None
    then: Contents
    now: Contents | None
    damage: str
    lost: LostEvents | None
    used_by: list[User]


@dataclass(frozen=True)
class Restored:
    """Where the database is that was there before: a backup of it, or, if it was damaged, the very file."""

    saved: Path | None
    aside: Path | None


def chosen(database: Path, named: Path) -> Path:
    """Return the file that is meant: a path, or the name of a backup in the data root."""
    for path in (named, backups.folder_of(database) / named.name):
        if path.is_file() and (path == named or named.parent == Path()):
            if database.exists() and path.samefile(database):
                raise InvalidArguments(f"{str(path)!r} is the database itself.")
            return path
    there = [file.path.name for file in backups.found(backups.folder_of(database))[:3]]
    told = f" The newest backups: {', '.join(there)}." if there else ""
    raise NotFound(f"There is no file {str(named)!r}.{told}")


def require_backup(file: Path) -> None:
    """Refuse a file that is no database, before anybody is asked for anything."""
    if not file.stat().st_size or not is_database(file):
        raise Storage(f"{str(file)!r} is no backup: it is no database of SQLite. Nothing was changed.")


@asynccontextmanager
async def prepared(database: Path, file: Path, *, dry_run: bool) -> AsyncGenerator[tuple[RestorePreview, Path]]:
    """Yield what would change, and a copy of the backup that was looked over and may take the place of the database.

    Unless it is a dry run, the database is ours alone until the end.
    """
    make_folder(database.parent)
    async with _held(database, dry_run=dry_run), backup_files.draft(database.parent) as draft:
        if not dry_run:
            restoring.finish(database)
        made_at, then = await _verified(file, draft)
        now, damage = await _present(database)
        lost = await lost_events.compare(database, then, EVENTS_SHOWN) if now else None
        used_by = [user for user in process_lock.users(database) if user.pid != os.getpid()]
        yield RestorePreview(file, made_at, then, now, damage, lost, used_by), draft


async def put(database: Path, comparison: RestorePreview, draft: Path, now: str) -> Restored:
    """Save the database that is there, and put the copy in its place. The caller has it alone."""
    saved = aside = None
    if "server_runs" in comparison.then.rows:  # that of an older release has no such table
        await server_runs.sign_off_all(draft, now)
    if comparison.now:
        saved = backups.folder_of(database) / backup_files.name_of(now, REASON)
        await backup_files.make(database, saved, now=now, reason=REASON)
    elif comparison.damage:
        aside = restoring.set_aside(database, f"damaged-{backup_files.stamp(now)}")
    restoring.replace_database(database, draft)
    return Restored(saved, aside)


@asynccontextmanager
async def _held(database: Path, *, dry_run: bool) -> AsyncGenerator[None]:
    if not dry_run:
        async with process_lock.alone(database, WORK):
            yield
        return
    lock = await process_lock.share(database)
    try:
        yield
    finally:
        lock.release()


async def _verified(file: Path, draft: Path) -> tuple[str | None, Contents]:
    """Copy a backup, compare it with its manifest, look it over, and return when it was made and what it holds."""
    manifest = backup_files.manifest_of(file)
    log = file.with_name(f"{file.name}-wal")
    try:
        if log.exists() and log.stat().st_size:
            await backup_files.copy(file, draft)
        else:
            await run_sync(shutil.copyfile, file, draft)
            if manifest and await run_sync(backup_files.digest, draft) != manifest.sha256:
                raise Storage(f"its SHA-256 is not the one of its manifest, {file.name}{backup_files.MANIFEST}")
        then = await backup_files.settled(draft)
    except (OSError, DriverError, ProjectMemoryError) as error:
        raise Storage(f"{str(file)!r} cannot be restored: {error}. Nothing was changed.") from error
    if then.schema_version > (known := newest(ASSETS / "migrations")):
        raise SchemaTooNew(
            f"{str(file)!r} has schema version {then.schema_version}, and this release knows {known}. Nothing was "
            "changed. Update this program first."
        )
    return manifest.made_at if manifest else None, then


async def _present(database: Path) -> tuple[Contents | None, str]:
    """Return what the database holds that is there, or what is wrong with it."""
    there = [path for path in (database, *restoring.beside(database)) if path.exists() and path.stat().st_size]
    if not there:
        return None, ""
    if there[0] != database or not is_database(database):
        return None, "it is no database of SQLite, but something is there that may belong to one"
    try:
        if found := await problems(database):
            return None, "; ".join(found[:3])
        return await backup_files.contents(database), ""
    except (DriverError, ProjectMemoryError) as error:
        return None, str(error)
