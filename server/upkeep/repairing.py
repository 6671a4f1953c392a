"""Mends one named finding: what will be done is told first, a backup is made, and what became of it is told after."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from server.db.backups import backup_files
from server.db.search import index_repair
from server.db.storage.connection import Database
from server.db.upkeep import mending
from server.errors import Conflict, InvalidArguments, NotAllowed, Storage
from server.models.base import timestamp
from server.settings import Settings
from server.store import open_store
from server.upkeep import backups, checking, place_checks
from server.upkeep.findings import KINDS, CheckFinding

REASON = "before-repair"
Mend = Callable[[Settings], Awaitable[None]]


@dataclass(frozen=True)
class Repair:
    """How a finding is mended: in words, and the work. What changes no row needs no backup."""

    does: str
    mend: Mend
    changes_rows: bool = True


async def _opened(settings: Settings, work: Callable[[Database], Awaitable[object]]) -> None:
    db = await open_store(settings)
    try:
        await work(db)
    finally:
        await db.close()


def _rows(name: str) -> Mend:
    return partial(_opened, work=partial(_mended, name=name))


async def _mended(db: Database, name: str) -> None:
    await mending.in_one_transaction(db, name)


async def _nothing_more(_: Database) -> None:
    """Do nothing: to open a store is enough."""


async def _narrow(settings: Settings) -> None:
    for path, _, wanted in list(place_checks.open_to_others(settings)):
        path.chmod(wanted)


REPAIRS: dict[str, Repair] = {
    "schema-pending": Repair("Apply what it lacks.", partial(_opened, work=_nothing_more)),
    "damaged-indexes": Repair("Make every index anew out of the rows.", _rows("damaged-indexes")),
    "foreign-keys": Repair(
        "Delete rows of something that is gone, or let go of it where the schema does so.", _rows("foreign-keys")
    ),
    "clock-ahead": Repair("Set these times to now, and end leases of more than a week.", _rows("clock-ahead")),
    "search-index": Repair("Index every row anew.", partial(_opened, work=index_repair.rebuild)),
    **{
        name: Repair("Delete these rows.", _rows(name))
        for name in (
            "orphaned-context",
            "orphaned-research",
            "orphaned-evidence",
            "orphaned-facts",
            "orphaned-dependencies",
            "orphaned-members",
            "ended-reservations",
        )
    },
    "ended-claims": Repair("Give these steps back, for others to take.", _rows("ended-claims")),
    "miscounted-plans": Repair("Count the open steps of these plans.", _rows("miscounted-plans")),
    "miscounted-waits": Repair("Count what these steps wait for.", _rows("miscounted-waits")),
    "stale-dependencies": Repair("Compare each with what it waits for.", _rows("stale-dependencies")),
    "permissions": Repair("Take the rights of others away from these files.", _narrow, changes_rows=False),
    "log-size": Repair(
        "Copy the log into the database, as far as readers allow.",
        partial(_opened, work=Database.checkpoint),
        changes_rows=False,
    ),
}


def require(name: str) -> Repair:
    """Return how a finding is mended, or say what a person does instead."""
    if name not in KINDS:
        raise InvalidArguments(f"There is no finding {name[:80]!r}. To be mended: {', '.join(REPAIRS)}.")
    if name not in REPAIRS:
        kind = KINDS[name]
        other = f"`project-memory {' '.join(kind.words)}`" if kind.words else kind.advice
        raise InvalidArguments(f"{name} is not mended by a command of this name. {other}")
    return REPAIRS[name]


async def preview(settings: Settings, name: str) -> list[CheckFinding]:
    """Return what there is to mend."""
    require(name)
    if settings.read_only:
        raise NotAllowed("--read-only (PM_READ_ONLY) refuses every write, and so every repair.")
    found = await checking.check(settings, only=name)
    others = [one for one in found if one.name != name]
    if others:
        raise Conflict(f"{others[0].name} comes first: {others[0].what}")
    return found


async def keep(settings: Settings, name: str) -> Path | None:
    """Make a backup of the database as it is, if the repair changes rows, and return where it is.

    One that is damaged is kept as it is: what is wrong with it may be what is to be mended.
    """
    if not REPAIRS[name].changes_rows:
        return None
    now = timestamp(datetime.now(UTC))
    target = backups.folder_of(settings.database) / backup_files.name_of(now, REASON)
    try:
        await backup_files.make(settings.database, target, now=now, reason=REASON)
    except Storage:
        async with backup_files.draft(target.parent) as path:
            await backup_files.copy(settings.database, path)
            path.replace(target)
    return target


async def repair(settings: Settings, name: str) -> list[CheckFinding]:
    """Mend it and return what of it is left."""
    await REPAIRS[name].mend(settings)
    return await checking.check(settings, only=name)
