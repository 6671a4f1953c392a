"""What the rows of a database tell, through a connection that changes nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from server.db.storage.connection import Reader
from server.db.upkeep import consistency, health, search_state
from server.models.base import timestamp
from server.settings import ASSETS
from server.text.display import number_of
from server.upkeep.place_checks import Seen, told

MIGRATIONS = ASSETS / "migrations"
AHEAD_SECONDS = 300.0
UNUSED_SHARE = 0.5
UNUSED_BYTES = 16 * 1024 * 1024
SHOWN = 5
# Releases of SQLite with a fault that can cost data: from, before, what happens.
FAULTY: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...] = (
    ((3, 7, 0), (3, 51, 3), "a checkpoint that runs while a commit begins the log anew can damage the file"),
)


async def schema(db: Reader) -> AsyncIterator[Seen]:
    """Yield what keeps the rows from being read as this release reads them."""
    if not await health.is_ours(db):
        yield "foreign-database", "It was made by another program."
        return
    state = await health.schema_state(db, MIGRATIONS)
    if state.version > state.known or state.unknown:
        yield "schema-newer", f"It has schema version {state.version}, this release knows {state.known}."
    elif state.edited:
        yield "schema-changed", f"The migration {', '.join(sorted(state.edited))} was edited after it was applied."
    elif state.pending:
        yield "schema-pending", f"It lacks {', '.join(state.pending[:SHOWN])}."
    else:
        differences = await health.schema_differences(db, MIGRATIONS)
        if differences:
            more = f"; and {len(differences) - SHOWN} more" if differences[SHOWN:] else ""
            yield "schema-changed", f"{'; '.join(differences[:SHOWN])}{more}."


async def library(db: Reader) -> AsyncIterator[Seen]:
    version = await health.library_version(db)
    for first, mended, what in FAULTY:
        if first <= version < mended:
            yield "sqlite-version", f"This process has SQLite {'.'.join(map(str, version))}: {what}."


async def integrity(db: Reader) -> AsyncIterator[Seen]:
    if problems := await health.integrity(db):
        name = "damaged-indexes" if health.is_of_indexes(problems) else "integrity"
        yield name, _listed(problems)


async def references(db: Reader) -> AsyncIterator[Seen]:
    if broken := await health.broken_references(db):
        yield "foreign-keys", _listed([f"{named}: {number_of(count, 'row')}" for named, count in broken.items()])


async def unused(db: Reader) -> AsyncIterator[Seen]:
    free, whole = await health.unused_bytes(db)
    if free > UNUSED_BYTES and free > UNUSED_SHARE * whole:
        yield "unused-pages", f"{told(free)} of {told(whole)} are in use by nothing."


async def clock(db: Reader) -> AsyncIterator[Seen]:
    limit = timestamp(datetime.now(UTC) + timedelta(seconds=AHEAD_SECONDS))
    if found := await health.ahead(db, limit):
        yield "clock-ahead", _listed([f"{table} has {latest}" for table, latest in found.items()])


async def search(db: Reader) -> AsyncIterator[Seen]:
    if found := (await search_state.look(db, deep=False)).told():
        yield "search-index", _listed(found)


async def every_word(db: Reader) -> AsyncIterator[Seen]:
    if found := (await search_state.look(db, deep=True)).told():
        yield "search-index", _listed(found)


async def orphans(db: Reader) -> AsyncIterator[Seen]:
    for name in ORPHANS:
        async for seen in _strays(db, name):
            yield seen


async def derived(db: Reader) -> AsyncIterator[Seen]:
    """Compute again what is stored for speed: open steps of plans, what steps wait for, the state of dependencies."""
    if found := await consistency.miscounted_plans(db):
        yield "miscounted-plans", _listed(found)
    for name in DERIVED:
        async for seen in _strays(db, name):
            yield seen


ORPHANS = (
    "orphaned-context",
    "orphaned-research",
    "orphaned-evidence",
    "orphaned-facts",
    "orphaned-dependencies",
    "orphaned-members",
    "ended-claims",
    "ended-reservations",
)
DERIVED = ("miscounted-waits", "stale-dependencies")


async def _strays(db: Reader, name: str) -> AsyncIterator[Seen]:
    found = await consistency.strays(db, name)
    if found:
        parts = [f"{one.count} in {one.table} ({_some(one.first, one.count)})" for one in found]
        yield name, f"{'; '.join(parts)}."


async def circles(db: Reader) -> AsyncIterator[Seen]:
    for circle in await consistency.circles(db):
        ids = [node_id for _, node_id in circle]
        yield "dependency-circle", f"{' waits for '.join(ids[: 2 * SHOWN])}{' ...' if ids[2 * SHOWN :] else ''}."
    if found := await consistency.workspace_circle(db):
        yield "workspace-circle", f"{' is below '.join(found[: 2 * SHOWN])}."


async def json_values(db: Reader) -> AsyncIterator[Seen]:
    if found := await health.broken_json(db):
        yield "broken-json", _listed([f"{column}: {count} values" for column, count in found.items()])


def _listed(found: list[str]) -> str:
    more = f"; and {len(found) - SHOWN} more" if found[SHOWN:] else ""
    return f"{'; '.join(found[:SHOWN])}{more}."


def _some(ids: list[str], count: int) -> str:
    return f"{', '.join(ids)}{', ...' if count > len(ids) else ''}"
