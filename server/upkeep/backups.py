"""Backups in the data root: which are made, and which are kept."""

import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from os import close
from pathlib import Path

from server.db.backups import backup_files
from server.db.backups.backup_files import Manifest, Mark
from server.db.shared_state import shared_settings
from server.db.storage.connection import Database, Reader
from server.errors import Conflict, Storage, TooLarge
from server.file_locks import lockable, locked
from server.files import make_folder
from server.settings import BACKUPS

DAILY = "daily"
ROOM = 3  # times the size of a backup that have to be free
LOCK = ".lock"
SUFFIX = ".db"


@dataclass(frozen=True)
class BackupFile:
    """A backup in a folder, and what it takes with its manifest."""

    path: Path
    made_at: datetime
    bytes: int

    @property
    def is_daily(self) -> bool:
        return self.path.stem.endswith(DAILY)


@dataclass(frozen=True)
class Policy:
    """Of how many days, weeks and months the newest backup is kept, and how much all of them may take."""

    daily: int
    weekly: int
    monthly: int
    max_bytes: int


@dataclass(frozen=True)
class BackupOutcome:
    """The backup that was made, or why there is none; and the older ones that went."""

    path: Path | None = None
    manifest: Manifest | None = None
    why_not: str = ""
    removed: list[Path] = field(default_factory=list[Path])


def folder_of(database: Path) -> Path:
    return database.parent / BACKUPS


def found(folder: Path) -> list[BackupFile]:
    """Return the backups in a folder, the newest first."""
    listed = [(path, when) for path in folder.glob("*.db") if (when := backup_files.made_at(path))]
    files = [BackupFile(path, when, _size(path)) for path, when in listed]
    return sorted(files, key=lambda file: (file.made_at, file.path.name), reverse=True)


def surplus(files: Sequence[BackupFile], policy: Policy) -> list[BackupFile]:
    """Return which of the backups, given newest first, may go. The newest stays.

    What a person asked for, or was made before something that might fail, stays as long as the dailies of that time.
    """
    days = _newest(files, policy.daily, lambda when: when.date())
    weeks = _newest(files, policy.weekly, lambda when: when.isocalendar()[:2])
    months = _newest(files, policy.monthly, lambda when: (when.year, when.month))
    since = min((file.made_at.date() for file in days), default=None)
    recent = [file for file in files if not file.is_daily and since and file.made_at.date() >= since]
    wanted = {file.path for kind in (days, weeks, months, recent, files[:1]) for file in kind}
    kept, total = set[Path](), 0
    for file in files:
        if file.path in wanted:
            total += file.bytes
            if kept and total > policy.max_bytes:
                break
            kept.add(file.path)
    return [file for file in files if file.path not in kept]


def _newest(files: Iterable[BackupFile], most: int, period: Callable[[datetime], object]) -> list[BackupFile]:
    """Return the newest of each of the last periods that have any."""
    first: dict[object, BackupFile] = {}
    for file in files:
        first.setdefault(period(file.made_at), file)
    return list(first.values())[:most]


async def policy_of(db: Reader) -> Policy:
    names = ("keep_daily", "keep_weekly", "keep_monthly", "max_bytes")
    daily, weekly, monthly, most = [await shared_settings.amount(db, f"backups.{name}") or 0 for name in names]
    return Policy(daily, weekly, monthly, most)


async def daily(db: Database) -> BackupOutcome:
    """Make the backup of this day, if the settings want one, none is there, and something changed."""
    if await shared_settings.get(db, "backups.automatic") == "off":
        return BackupOutcome(why_not="the setting backups.automatic is off")
    today = datetime.fromisoformat(db.now()).date()
    if any(file.made_at.date() == today for file in found(folder_of(db.path))):
        return BackupOutcome(why_not="there is one of today")
    return await make(db, DAILY)


async def make(db: Database, reason: str = "", *, keep: int | None = None) -> BackupOutcome:
    """Make a backup in the data root, unless there is no need or no room, and remove those that may go."""
    folder = folder_of(db.path)
    with _writable(folder):
        make_folder(folder)
    with _turn(folder) as is_ours:
        if not is_ours:
            return BackupOutcome(why_not="another process is making one")
        policy = await policy_of(db)
        if why_not := await _why_not(db, folder, reason):
            return BackupOutcome(why_not=why_not)
        require_room(db, folder, policy.max_bytes)
        target = folder / backup_files.name_of(db.now(), reason)
        manifest = await backup_files.make(db.path, target, now=db.now(), reason=reason)
        files = found(folder)
        return BackupOutcome(target, manifest, removed=remove(files[keep:] if keep else surplus(files, policy)))


async def _why_not(db: Database, folder: Path, reason: str) -> str:
    files = found(folder)
    if reason == DAILY and any(file.made_at.date() == datetime.fromisoformat(db.now()).date() for file in files):
        return "there is one of today"  # since the lock was free
    now = datetime.fromisoformat(db.now())
    newest = next((file for file in files if file.made_at <= now), None)
    last = backup_files.manifest_of(newest.path) if newest else None
    if newest and last and _mark(last) == await backup_files.mark(db):
        return f"nothing changed since {newest.path}"
    return ""


def require_room(db: Database, folder: Path, most: int | None = None) -> None:
    """Refuse a backup that would take too much."""
    size = db.path.stat().st_size + db.wal_size()
    if most is not None and size > most:
        raise TooLarge(
            f"A backup would take {size} bytes, and the setting backups.max_bytes is {most}. Raise that, or name "
            "another folder for the backup."
        )
    free = shutil.disk_usage(folder).free
    if free < ROOM * size:
        raise Storage(
            f"{free} bytes are free in {str(folder)!r}, and a backup is made where {ROOM} times its {size} are. Free "
            "some space, or name a folder on another disk."
        )


async def make_at(db: Database, named: Path, *, keep: int | None = None) -> BackupOutcome:
    """Make a backup in a folder, or as the file of a name that ends in .db; of those in its folder, keep the newest."""
    target = named if named.suffix == SUFFIX else named / backup_files.name_of(db.now(), "")
    if target.exists():
        raise Conflict(f"{str(target)!r} is there already. Name a folder, or a new file.")
    with _writable(target.parent):
        make_folder(target.parent)
        require_room(db, target.parent)
    manifest = await backup_files.make(db.path, target, now=db.now())
    return BackupOutcome(target, manifest, removed=remove(found(target.parent)[keep:]) if keep else [])


@contextmanager
def _writable(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Storage(f"No backup can be written to {str(folder)!r}: {error.strerror}.") from error


def remove(files: Iterable[BackupFile]) -> list[Path]:
    """Remove backups, their manifests last: one that is left alone is no backup."""
    gone = [file.path for file in files]
    for path in gone:
        path.unlink(missing_ok=True)
        path.with_name(path.name + backup_files.MANIFEST).unlink(missing_ok=True)
    return gone


def _mark(manifest: Manifest) -> Mark:
    return Mark(manifest.schema_version, manifest.newest_event, manifest.newest_event_at)


def _size(path: Path) -> int:
    manifest = path.with_name(path.name + backup_files.MANIFEST)
    return sum(one.stat().st_size for one in (path, manifest) if one.exists())


@contextmanager
def _turn(folder: Path) -> Generator[bool]:
    """Yield whether this process may make a backup in a folder: one at a time."""
    handle = lockable(folder / LOCK)
    try:
        yield _is_free(handle)
    finally:
        close(handle)


def _is_free(handle: int) -> bool:
    try:
        return locked(handle, exclusive=True)
    except OSError:  # a file system without locks: names differ, so two do no harm
        return True
