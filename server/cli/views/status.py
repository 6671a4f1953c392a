"""`status`: what needs a person, and where every plan stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from server.cli.screen import Screen, View
from server.cli.views import plan_status, standing, store, welcome
from server.db.storage.connection import Reader
from server.db.workspaces import standing as places
from server.db.workspaces.standing import Attention, Standing
from server.errors import InvalidArguments
from server.models.workspaces import Workspace
from server.settings import Flags, Settings, load
from server.tools.render import lean

PLANS, STEPS = 10, 5  # of each kind in a workspace, unless a limit is given
OTHERS = 200  # workspaces besides in which something needs somebody, of which it is told how much


@dataclass(frozen=True)
class StatusRequest:
    """What to show: a plan, or the workspaces; and how many of each list."""

    plan: str | None = None
    everywhere: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class WorkspaceView:
    """A workspace, and what in it needs somebody."""

    standing: Standing
    attention: Attention


@dataclass(frozen=True)
class StatusView:
    """What is shown without a plan: workspaces, and how much in others needs somebody."""

    places: Sequence[WorkspaceView]
    elsewhere: int = 0
    limit: int | None = None

    def draw(self, screen: Screen, chosen: Settings) -> None:
        if not self.places:
            welcome.draw(screen, chosen)
            return
        needs = [(one.standing.workspace, one.attention) for one in self.places]
        standing.draw_needs(screen, chosen, needs, self.limit)
        if self.elsewhere:
            standing.draw_elsewhere(screen, chosen, self.elsewhere)
        for one in self.places:
            standing.draw_workspace(screen, chosen, one.standing)

    def told(self) -> dict[str, Any]:
        return {"workspaces": [_told(one) for one in self.places], "elsewhere": self.elsewhere}


def run(flags: Flags, wanted: StatusRequest, *, is_watched: bool, as_json: bool) -> int:
    """Show where things stand, once or for as long as somebody watches; return the exit code."""
    chosen = load(flags)
    if is_watched:
        if as_json:
            raise InvalidArguments("--watch is for a person, --json for a program. Leave one of them out.")
        chosen.require_database()
        from server.cli.views import watch

        return anyio.run(watch.until_left, chosen, partial(look, chosen=chosen, wanted=wanted))
    screen = Screen()
    shown = anyio.run(_looked, chosen, wanted) if chosen.database.is_file() else StatusView([])
    if as_json:
        screen.json(shown.told())
    else:
        shown.draw(screen, chosen)
    return 0


async def _looked(chosen: Settings, wanted: StatusRequest) -> View:
    async with store.reading(chosen) as opened:
        return await look(await opened.open(), chosen, wanted)


async def look(db: Reader, chosen: Settings, wanted: StatusRequest) -> View:
    """Read what is shown."""
    if wanted.plan:
        return await plan_status.look(db, chosen, wanted.plan, wanted.limit)
    shown = await store.scope(db, chosen, everywhere=wanted.everywhere)
    found = [await _place(db, chosen, workspace, wanted.limit) for workspace in shown]
    known = {one.workspace_id for one in shown}
    others, _ = await places.in_need(db, chosen.session_timeout, limit=OTHERS) if len(shown) == 1 else ((), 0)
    elsewhere = sum([await _needs(db, chosen, one.workspace_id) for one in others if one.workspace_id not in known])
    return StatusView(found, elsewhere, wanted.limit)


async def _place(db: Reader, chosen: Settings, workspace: Workspace, limit: int | None) -> WorkspaceView:
    needs = await places.attention(db, workspace.workspace_id, chosen.session_timeout, limit=limit or standing.MOST)
    stands = await places.of_workspace(db, workspace, plans_limit=limit or PLANS, steps_limit=limit or STEPS)
    return WorkspaceView(stands, needs)


async def _needs(db: Reader, chosen: Settings, workspace_id: str) -> int:
    return (await places.attention(db, workspace_id, chosen.session_timeout, limit=1)).total


def _told(place: WorkspaceView) -> dict[str, Any]:
    home, needs = place.standing.workspace, place.attention
    return {
        "workspace_id": home.workspace_id,
        "name": home.label,
        "path": home.path,
        "attention": {
            "totals": needs.totals,
            "approvals": [
                *(row.told() for row in needs.approvals),
                *(gate.model_dump(exclude_none=True) for gate in needs.reached),
            ],
            **{
                name: lean(list(getattr(needs, name)))
                for name in ("messages", "stuck_steps", "lost_leases", "silent_sessions")
            },
        },
        "plans": lean(list(place.standing.plans)),
        "plans_total": place.standing.plans_total,
        "held": lean(list(place.standing.held)),
        "free": [
            {"step_id": step.step_id, "plan_id": step.plan_id, "index": step.order_index, "task": step.task}
            for step in place.standing.free
        ],
        "free_total": place.standing.free_total,
    }
