"""Looks whether a store is sound, and changes nothing: not a byte of it, nor of what lies beside it.

A check that cannot come to its end says so as a finding, so that a damaged file, a foreign one, or one that is locked
gets an answer like every other.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from server.db.storage.clock import Clock
from server.db.storage.connection import Reader
from server.db.storage.driver import NO_PARAMS
from server.db.storage.driver_errors import ConstraintViolation, DriverError
from server.db.storage.lock_holder import describe, readers
from server.db.upkeep.read_only import looked_at, stamp
from server.errors import Busy, InvalidArguments, ProjectMemoryError
from server.settings import Settings
from server.upkeep import database_checks, place_checks, surroundings
from server.upkeep.findings import KINDS, CheckFinding, told
from server.upkeep.place_checks import Seen

# What a damaged file makes of a read: anything that a sound one never gives.
FAILURES = (ProjectMemoryError, DriverError, ConstraintViolation, OSError, ValueError, LookupError, TypeError)
LOOKS = 4  # for readers
LOOK_SECONDS = 0.1
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class PlaceCheck:
    """A check of files: what it may find, and how it looks. Some are wanted only if everything is looked at."""

    names: tuple[str, ...]
    look: Callable[[Settings], Iterator[Seen]]
    deep: bool = False


@dataclass(frozen=True)
class RowCheck:
    """A check of rows. `shallow` ones are left out where a deep one does the same and more."""

    names: tuple[str, ...]
    look: Callable[[Reader], AsyncIterator[Seen]]
    deep: bool = False
    shallow: bool = False


@dataclass(frozen=True)
class AroundCheck:
    """A check of rows and of files."""

    names: tuple[str, ...]
    look: Callable[[Reader, Settings], AsyncIterator[Seen]]

    def with_files_of(self, settings: Settings) -> RowCheck:
        return RowCheck(self.names, lambda db: self.look(db, settings))


OBSTACLES = ("database-missing", "log-without-database", "database-unreadable", "not-a-database")
PLACE_CHECKS = (
    PlaceCheck(("truncated",), place_checks.cut_off),
    PlaceCheck(("permissions",), place_checks.permissions),
    PlaceCheck(("owner",), place_checks.owner),
    PlaceCheck(("network-file-system", "synced-folder"), place_checks.place),
    PlaceCheck(("disk-space",), place_checks.space),
    PlaceCheck(("log-size",), place_checks.log_size),
    PlaceCheck(("unread-bytes",), place_checks.every_byte, deep=True),
)
SCHEMA = RowCheck(
    ("foreign-database", "schema-newer", "schema-pending", "schema-changed", "check-failed", "busy"),
    database_checks.schema,
)
# Of any file, and of one with the schema of this release.
FILE_CHECKS = (
    RowCheck(("integrity", "damaged-indexes"), database_checks.integrity),
    RowCheck(("foreign-keys",), database_checks.references),
    RowCheck(("sqlite-version",), database_checks.library),
    RowCheck(("unused-pages",), database_checks.unused),
)
ROW_CHECKS = (
    RowCheck(("clock-ahead",), database_checks.clock),
    RowCheck(("search-index",), database_checks.search, shallow=True),
    RowCheck(("search-index",), database_checks.every_word, deep=True),
    RowCheck(database_checks.ORPHANS, database_checks.orphans),
    RowCheck(("dependency-circle", "workspace-circle"), database_checks.circles),
    RowCheck(("workspace-gone", "workspace-moved"), surroundings.folders),
    RowCheck(("broken-json",), database_checks.json_values, deep=True),
    RowCheck(("miscounted-plans", *database_checks.DERIVED), database_checks.derived, deep=True),
)
# Of a database and what lies around it.
AROUND = (
    AroundCheck(("mirror",), surroundings.mirror),
    AroundCheck(("size", "growth"), surroundings.size),
    AroundCheck(("backup-missing", "backup-old"), surroundings.last_backup),
    AroundCheck(("expired", "files-in-trash"), surroundings.outlived),
)
UNREADABLE_ROWS = {"foreign-database", "schema-newer", "schema-pending"}
ALWAYS_TOLD = {*OBSTACLES, *UNREADABLE_ROWS, "check-failed", "busy"}  # they keep what was asked for from being seen


async def check(settings: Settings, *, deep: bool = False, only: str | None = None) -> list[CheckFinding]:
    """Return everything that is not as it should be, errors first; with `only` the findings of one name."""
    if only is not None and only not in KINDS:
        raise InvalidArguments(f"There is no finding {only[:80]!r}. There are: {', '.join(KINDS)}.")
    before = stamp(settings.database)
    found = [seen async for seen in _all(settings, deep, only)]
    if found and stamp(settings.database) != before:  # somebody wrote meanwhile: what was read may not belong together
        found = [seen async for seen in _all(settings, deep, only)]
    wanted = dict.fromkeys((name, what) for name, what in found if only in (None, name) or name in ALWAYS_TOLD)
    findings = [told(settings, name, what) for name, what in wanted]
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))


async def _all(settings: Settings, deep: bool, only: str | None) -> AsyncIterator[Seen]:
    obstacles = list(place_checks.obstacles(settings))
    if obstacles:
        for seen in obstacles:
            yield seen
        return
    for one in PLACE_CHECKS:
        if _is_wanted(one.names, only) and (deep or only or not one.deep):
            for seen in _of_place(one, settings):
                yield seen
    for pid in sorted(await _long_readers(settings.database) if _is_wanted(("long-reader",), only) else ()):
        yield "long-reader", f"{describe(pid)} has been reading without an end."
    async for seen in _of_rows(settings, deep, only):
        yield seen


def _is_wanted(names: Sequence[str], only: str | None) -> bool:
    return only is None or only in names


def _of_place(one: PlaceCheck, settings: Settings) -> list[Seen]:
    try:
        return list(one.look(settings))
    except OSError as error:
        return [("check-failed", f"{one.names[0]}: {error.filename or settings.data_root}: {error.strerror}.")]


async def _long_readers(path: Path) -> set[int]:
    """Return who is in the middle of a read whenever we look: no statement of ours takes that long."""
    found = readers(path)
    for _ in range(LOOKS):
        if not found:
            break
        await anyio.sleep(LOOK_SECONDS)
        found &= readers(path)
    return found


async def _of_rows(settings: Settings, deep: bool, only: str | None) -> AsyncIterator[Seen]:
    try:
        async with looked_at(settings.database) as connection:
            db = Reader(connection, Clock())
            schema = await _looked(db, SCHEMA)
            for seen in schema:
                yield seen
            names = {name for name, _ in schema}
            if names & {"foreign-database", "busy"}:
                return
            checks = FILE_CHECKS if names & UNREADABLE_ROWS else (*FILE_CHECKS, *ROW_CHECKS)
            for one in checks:
                if _is_wanted(one.names, only) and _is_at(one, deep or only is not None):
                    for seen in await _looked(db, one):
                        yield seen
            for one in () if names & UNREADABLE_ROWS else AROUND:
                if _is_wanted(one.names, only):
                    for seen in await _looked(db, one.with_files_of(settings)):
                        yield seen
    except FAILURES as error:
        yield _failed("the database", error)


def _is_at(one: RowCheck, deep: bool) -> bool:
    return not one.shallow if deep else not one.deep


async def _looked(db: Reader, one: RowCheck) -> list[Seen]:
    """Run one check on one state of the database."""
    try:
        await db.batch(("BEGIN", NO_PARAMS))
        try:
            return [seen async for seen in one.look(db)]
        finally:
            with suppress(DriverError):  # an error of the disk has ended it already
                await db.batch(("ROLLBACK", NO_PARAMS))
    except FAILURES as error:
        return [_failed(one.names[0], error)]


def _failed(what: str, error: Exception) -> Seen:
    return "busy" if isinstance(error, Busy) else "check-failed", f"{what}: {error}"
