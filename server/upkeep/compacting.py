"""Gives the space that nothing uses any more back to the disk. Nobody else has the database meanwhile."""

import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from server.db.storage import process_lock
from server.db.upkeep import compaction
from server.errors import Busy, Storage

WORK = "project-memory compact"
LOOK_SECONDS = 0.25
ROOM = 2  # times the size of the database: VACUUM writes it anew, and keeps the old pages until it is done

Told = Callable[[str, float], None]  # what is done, and how much of it, from 0 to 1


@dataclass(frozen=True)
class Compacted:
    """The size of the file in bytes, before and after."""

    before: int
    after: int


async def compact(database: Path, told: Told, *, wait: bool) -> Compacted:
    """Write the database anew without what nothing uses. Raises Busy while another process uses it."""
    async with AsyncExitStack() as stack:
        await _alone(stack, database, told, wait=wait)
        before = database.stat().st_size
        free = shutil.disk_usage(database.parent).free
        if free < ROOM * before:
            raise Storage(f"{free} bytes are free on the disk, and {ROOM * before} have to be. Nothing was changed.")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, database, before, told)
            await compaction.compact(database)
            tasks.cancel_scope.cancel()
        return Compacted(before, database.stat().st_size)


async def _alone(stack: AsyncExitStack, database: Path, told: Told, *, wait: bool) -> None:
    """Have the database alone; wait for those who use it, if that is wanted."""
    while True:
        try:
            await stack.enter_async_context(process_lock.alone(database, WORK))
        except Busy as busy:
            if not wait:
                raise
            told(str(busy).partition(". ")[0], 0.0)
        else:
            return
        await anyio.sleep(LOOK_SECONDS)


async def _watch(database: Path, before: int, told: Told) -> None:
    """Tell how far it is: pages that are replaced are in the journal first."""
    journal = Path(f"{database}-journal")
    while True:
        with suppress(OSError):  # there is none at first, and none at the end
            told("writing it anew", min(journal.stat().st_size / max(before, 1), 1.0))
        await anyio.sleep(LOOK_SECONDS)
