"""Looks once a day whether the store is sound, and keeps what it found: one process of many does it."""

import logging
from dataclasses import asdict

from server.db.upkeep import last_findings, outlived
from server.models.base import later
from server.store import Store
from server.upkeep import checking

logger = logging.getLogger(__name__)

TASK = "check"
TURN_SECONDS = 86_400


async def once(store: Store) -> None:
    """Look if nobody did for a day. Notes are left out: nobody has to do anything about them."""
    db = await store.open()
    before = later(db.now(), -TURN_SECONDS)
    taken = await outlived.last_turn(db, TASK)
    if (taken and taken > before) or not await outlived.take_turn(db, TASK, before):
        return
    found = [one for one in await checking.check(store.settings) if one.severity != "note"]
    await last_findings.store(db, [asdict(one) for one in found])
    if found:
        logger.warning("check: %s", "; ".join(f"{one.name}: {one.what}" for one in found))
