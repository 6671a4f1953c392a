"""`show`: one thing whole, whatever it is."""

from typing import Any

import anyio

from server.cli.screen import Screen
from server.cli.views import readable, store
from server.cli.views.plan_status import expected, plan_named
from server.db.plans import plans
from server.db.search import identities
from server.db.search.identities import Thing
from server.db.steps import steps
from server.db.storage.connection import Reader
from server.errors import InvalidArguments, NotFound
from server.protocol.reading import ask, whole
from server.settings import Flags, Settings, load_existing


def run(flags: Flags, name: str, *, as_json: bool) -> int:
    """Print a thing; return the exit code."""
    chosen = load_existing(flags)
    kind, found = anyio.run(_found, chosen, name)
    screen = Screen()
    if as_json:
        screen.json({name: value for name, value in found.items() if name != "expected"})
    else:
        readable.draw(screen, kind, {name: value for name, value in found.items() if name != "forecast"})
    return 0


async def _found(chosen: Settings, name: str) -> tuple[str, dict[str, Any]]:
    async with store.reading(chosen) as opened:
        db = await opened.open()
        one = await _named(db, name.strip())
        found = await whole(opened, db, one)
        if one.kind == "plan":
            told = await ask(opened, "memory_plan", "burndown", plan_id=one.id)
            found |= {"forecast": told["forecast"], "expected": expected(told["open"], told["forecast"])}
        return one.kind, found


async def _named(db: Reader, name: str) -> Thing:
    """Return what a person names: by its id, the end of that, or as the step of a plan."""
    plan, mark, index = name.rpartition("#")
    if not mark:
        try:
            return await identities.named(db, name)
        except NotFound as error:
            raise NotFound(f"{error} `search` finds what there is, `status --all` lists plans.") from None
    if not (index.isdecimal() and len(index) < 10):
        raise InvalidArguments(
            f"{name[:80]!r} is no step. PLAN#index takes a number: `status PLAN` shows those of its steps."
        )
    found = await plans.require(db, await plan_named(db, plan))
    step = await steps.require_at(db, found.plan_id, int(index), suffix="_archive" if found.archived_at else "")
    return Thing("step", step.step_id, step.task)
