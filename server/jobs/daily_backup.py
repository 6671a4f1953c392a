"""The backup of each day, made by whichever server gets to it first."""

import logging
import random

import anyio

from server.errors import ProjectMemoryError
from server.store import Store
from server.upkeep import backups

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1800.0


async def run(store: Store) -> None:
    """Look now and then whether this day has its backup."""
    told = ""
    while True:
        try:
            db = await store.open()
            done = await backups.daily(db)
        except ProjectMemoryError as error:
            if str(error) != told:  # once, as long as it stays the same
                logger.warning("no daily backup: %s", error)
            told = str(error)
        else:
            told = ""
            logger.info("the daily backup: %s", done.path or done.why_not)
        await anyio.sleep(LOOK_SECONDS * random.uniform(1, 2))
