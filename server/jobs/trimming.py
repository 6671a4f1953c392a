"""Removes what has outlived its setting, once a day, when nobody writes: one process of many does it."""

import logging

import anyio

from server.store import Store
from server.upkeep import trimming

logger = logging.getLogger(__name__)

CALM_SECONDS = 10.0  # without a write
LONGEST_WAIT = 600.0  # for calm


async def once(store: Store) -> None:
    db = await store.open()
    if not await trimming.is_due(db):
        return
    with anyio.move_on_after(LONGEST_WAIT):
        while await db.wait_for_change(await db.version(), CALM_SECONDS):
            pass
    done = await trimming.trim_in_turn(db, store.settings)
    if done and done.rows:
        logger.info("removed what has outlived its time: %s", done.rows)
