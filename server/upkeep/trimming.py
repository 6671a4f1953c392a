"""Removes what has outlived its setting, a few rows at a time, while agents work."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from server.db.search import vocabulary_upkeep
from server.db.shared_state import requests, shared_settings
from server.db.storage.connection import Database, Reader
from server.db.upkeep import outlived
from server.db.upkeep.outlived import RULES, TrimRule
from server.models.base import later
from server.models.settings import DEFINED
from server.settings import Settings
from server.tools.project_files import file_changes

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.005  # between two transactions: more than those who wait for the lock pause between looks at it
WORDS = "search_words"
TASK = "trim"
TURN_SECONDS = 86_400
CLOCK = "clock"  # the turn at which it was seen to have moved
JUMP_SECONDS, DOUBT_SECONDS = 14 * TURN_SECONDS, 3 * TURN_SECONDS

Told = Callable[[str, int], None]


@dataclass
class TrimOutcome:
    """How many rows of each table went, in how many transactions, and for how long the longest held the lock."""

    rows: dict[str, int] = field(default_factory=dict[str, int])
    transactions: int = 0
    longest_seconds: float = 0.0


def _silent(table: str, rows: int) -> None:
    """Tell nobody."""


async def kept_for(db: Reader) -> dict[str, str]:
    """Return the settings of how long something is kept."""
    names = [name for name in DEFINED if name.startswith("retention.")]
    return {name.removeprefix("retention."): await shared_settings.get(db, name) for name in names}


async def _limits(db: Reader) -> list[tuple[TrimRule, str]]:
    """Return the rules with the time before which a row is too old; none for what is kept for ever."""
    found: list[tuple[TrimRule, str]] = []
    for rule in RULES:
        seconds = requests.LIFETIME_SECONDS
        if rule.retention != "requests":
            seconds = await shared_settings.amount(db, f"retention.{rule.retention}")
        if seconds is not None:
            found.append((rule, later(db.now(), -seconds)))
    return found


async def preview(db: Reader, *, late_seconds: int = 0) -> dict[str, int]:
    """Return how many rows of each table would go, or would have gone so long ago."""
    limits = [(rule, later(before, -late_seconds)) for rule, before in await _limits(db)]
    found = {rule.table: await outlived.count(db, rule, before) for rule, before in limits}
    return {table: rows for table, rows in found.items() if rows}


async def trim(db: Database, settings: Settings, told: Told = _silent) -> TrimOutcome:
    """Remove what has outlived its time, and the files in the trash whose entry is gone."""
    done = TrimOutcome()
    for rule, before in await _limits(db):
        after: list[object] = []
        while keys := await outlived.next_keys(db, rule, before, after):
            after = keys[-1]
            await _one(done, rule.table, outlived.remove(db, rule, before, keys), told)
    await _words(db, done, told)
    await file_changes.sweep(db, settings)
    return done


async def _words(db: Database, done: TrimOutcome, told: Told) -> None:
    await vocabulary_upkeep.prepare(db)
    last = ""
    while words := await vocabulary_upkeep.next_words(db, last):
        last = words[-1]
        await _one(done, WORDS, vocabulary_upkeep.remove_unused(db, words), told)


async def _one(done: TrimOutcome, table: str, work: Awaitable[int], told: Told) -> None:
    begun = time.perf_counter()
    rows = await work
    done.longest_seconds = max(done.longest_seconds, time.perf_counter() - begun)
    done.transactions += 1
    if rows:
        done.rows[table] = done.rows.get(table, 0) + rows
        told(table, done.rows[table])
    await anyio.sleep(PAUSE_SECONDS)


async def is_due(db: Reader) -> bool:
    """Return whether nobody has trimmed for a day."""
    last = await outlived.last_turn(db, TASK)
    return last is None or not later(db.now(), -TURN_SECONDS) < last <= db.now()


async def trim_in_turn(db: Database, settings: Settings) -> TrimOutcome | None:
    """Trim, unless another process did so within a day, or the clock may not be right."""
    if await _is_clock_doubted(db) or not await outlived.take_turn(db, TASK, later(db.now(), -TURN_SECONDS)):
        return None
    return await trim(db, settings)


async def _is_clock_doubted(db: Database) -> bool:
    """Return whether the clock moved by weeks since the last turn, or did so lately.

    One that is wrong by years would empty the trash at once. Nobody can tell it from a machine that was off, so nothing
    goes until it has agreed with itself for some days; by then it was set right, or it is.
    """
    now, last = db.now(), await outlived.last_turn(db, TASK)
    if last and not later(now, -JUMP_SECONDS) < last <= now:
        await outlived.note_turns(db, TASK, CLOCK)
        logger.warning("the clock says %s, and the last trim was at %s: nothing is removed for some days", now, last)
        return True
    doubted = await outlived.last_turn(db, CLOCK)
    if doubted is None or doubted <= later(now, -DOUBT_SECONDS):
        return False
    await outlived.note_turns(db, TASK)
    return True
