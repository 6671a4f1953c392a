"""Whether every document of the mirror is like the database, which is read as `check` reads it."""

import anyio

from server.db.storage.clock import Clock
from server.db.storage.connection import Reader
from server.db.storage.driver import NO_PARAMS
from server.db.upkeep.read_only import looked_at
from server.errors import ProjectMemoryError
from server.exporters.mirror import Folder
from server.jobs import mirroring
from server.settings import Settings
from server.upkeep.findings import CheckFinding, told

NAME = "mirror"
SHOWN = 3


def check(settings: Settings) -> list[CheckFinding]:
    """Compare document by document; nothing for a store without a mirror."""
    if settings.mirror is None:
        return []
    try:
        lines = anyio.run(_differences, settings, Folder(settings.mirror))
    except ProjectMemoryError as error:
        return [told(settings, "check-failed", f"{NAME}: {error}")]
    if not lines:
        return []
    more = f"; and {len(lines) - SHOWN} more" if lines[SHOWN:] else ""
    return [told(settings, NAME, f"{'; '.join(lines[:SHOWN])}{more}.")]


async def _differences(settings: Settings, folder: Folder) -> list[str]:
    async with looked_at(settings.database) as connection:
        reader = Reader(connection, Clock())
        await reader.batch(("BEGIN", NO_PARAMS))
        return [line async for line in mirroring.compare_with(reader, folder)]
