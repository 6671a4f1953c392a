"""What is around a database: what outlived its time, the mirror, the folders of workspaces."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import anyio

from server.db.audit import event_feed, trash
from server.db.backups import backup_files
from server.db.shared_state import shared_settings
from server.db.storage.connection import Reader
from server.db.upkeep import health
from server.db.workspaces import workspaces
from server.errors import ProjectMemoryError
from server.exporters.mirror import Folder
from server.settings import Settings
from server.text.display import number_of
from server.tools.workspace import ghosts
from server.upkeep import backups, trimming
from server.upkeep.place_checks import Seen, told

BEHIND_SECONDS = 600.0
SHOWN = 5
DAY_SECONDS = 86_400
NEW_SECONDS = 2.0 * DAY_SECONDS
OLD_DAYS = 7
LATE_SECONDS = 3 * DAY_SECONDS
LEAST_DAYS, MOST_DAYS, SOON_DAYS = 3, 60, 30  # of the backup that growth is told by, and until it is too large
GHOSTS = {"gone": "workspace-gone", "identity": "workspace-moved"}  # a disk that is not mounted is no fault


async def folders(db: Reader) -> AsyncIterator[Seen]:
    """Yield workspaces whose folder is gone, or says to belong elsewhere."""
    known, aliases = await workspaces.all_(db), await workspaces.all_aliases(db)
    found = await anyio.to_thread.run_sync(ghosts.strange, known, aliases)
    for kind, name in GHOSTS.items():
        lines = [f"{one['workspace_id']} ({one['path']}): {one['problem']}" for one in found if one["kind"] == kind]
        if lines:
            more = f"; and {len(lines) - SHOWN} more" if lines[SHOWN:] else ""
            yield name, f"{'; '.join(lines[:SHOWN])}{more}."


async def mirror(db: Reader, settings: Settings) -> AsyncIterator[Seen]:
    """Yield whether the mirror of this setting is another database's, or far behind."""
    if settings.mirror is None:
        return
    folder = Folder(settings.mirror)
    try:
        folder.check()
    except ProjectMemoryError as error:
        yield "mirror", str(error)
        return
    cursor, now = folder.cursor(), await event_feed.moment(db)
    if cursor is None:
        yield "mirror", f"{folder.path} was never written."
    elif cursor.database != now.database:
        yield "mirror", f"{folder.path} mirrors another database."
    elif cursor.event_id > now.newest:
        yield "mirror", f"{folder.path} has seen more than the database holds: an older state was restored."
    elif cursor.event_id < now.newest and _age(now.at) > BEHIND_SECONDS:
        behind = number_of(now.newest - cursor.event_id, "event")
        yield "mirror", f"{folder.path} is {behind} behind, since {cursor.at}."


async def size(db: Reader, settings: Settings) -> AsyncIterator[Seen]:
    """Yield whether the database is larger than people want to hear of, or will be soon."""
    now, most = settings.database.stat().st_size, await shared_settings.amount(db, "warn_size")
    if most is None:
        return
    if now > most:
        yield "size", f"It has {told(now)}; warn_size is {told(most)}."
        return
    dated = [(file.made_at, backup_files.manifest_of(file.path)) for file in backups.found(_backups(settings))]
    for made_at, manifest in reversed(dated):  # the oldest first
        days = (datetime.now(UTC) - made_at).total_seconds() / DAY_SECONDS
        if manifest and LEAST_DAYS <= days <= MOST_DAYS and now > manifest.bytes:
            left = (most - now) / ((now - manifest.bytes) / days)
            if left < SOON_DAYS:
                grown = f"It grew from {told(manifest.bytes)} to {told(now)} in {days:.0f} days"
                yield "growth", f"{grown}; in {left:.0f} it has more than warn_size ({told(most)})."
            return


async def last_backup(db: Reader, settings: Settings) -> AsyncIterator[Seen]:
    """Yield whether there is no backup of what is older than a day or two."""
    span = await health.span_of_events(db)
    if span is None or _age(span[0]) < NEW_SECONDS:
        return
    files = backups.found(_backups(settings))
    if not files:
        yield "backup-missing", f"There is none in {_backups(settings)}."
        return
    days = (datetime.now(UTC) - files[0].made_at).days
    if days > OLD_DAYS and datetime.fromisoformat(span[1]) > files[0].made_at:
        yield "backup-old", f"The last one is {days} days old ({files[0].path.name}), and much was written since."


async def outlived(db: Reader, settings: Settings) -> AsyncIterator[Seen]:
    """Yield what should have been trimmed some days ago: a server does so by itself."""
    if overdue := await trimming.preview(db, late_seconds=LATE_SECONDS):
        yield "expired", f"{', '.join(number_of(rows, 'row') + f' of {table}' for table, rows in overdue.items())}."
    names = [path.name for path in settings.trash.iterdir()] if settings.trash.is_dir() else []
    known = await trash.known(db, names)
    if left := [name for name in names if name not in known]:
        yield "files-in-trash", f"{len(left)} files in {settings.trash} belong to nothing that can come back."


def _backups(settings: Settings) -> Path:
    return backups.folder_of(settings.database)


def _age(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
