"""The board: the plans of a workspace by state, who holds what, and all workspaces."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from server.web.pages import live
from server.web.pages.inbox import needs
from server.web.pages.lists import TABS
from server.web.pages.visit import MOST, Visit

STATES = ("active", "blocked", "paused", "failed", "completed", "archived")
PRIORITIES = ("critical", "high", "medium", "low")
ORDERS = ("updated", "created", "priority", "title")
PLACES = 24  # workspaces of a page
PLANS = 5  # of each of them
FREE = 8  # steps that anybody may begin
ASIDE = re.compile(r" \((?:memory_[^)]*|[a-z]+_[0-9a-z]{12})\)")  # ids and calls in words, which agents need


async def everywhere(visit: Visit) -> Response:
    """Show every workspace, or those that are asked for, with its active plans and who is at work."""
    query = visit.query("query")
    listed = await visit.call("memory_workspace", "list", limit=PLACES, query=query, cursor=visit.query("cursor"))
    places = [{**one, **await _place(visit, one["workspace_id"])} for one in listed["workspaces"]]
    held = [claim["step_id"] for place in places for claim in place["claims"]]
    homes = [place["workspace_id"] for place in places]
    of_plans = [live.types(live.BOARD, homes), live.held_again(homes)]
    return visit.page(
        "board.html",
        workspaces=places,
        total=listed["total"],
        query=query,
        has_more=listed["total"] > PLACES or bool(query),
        next_cursor=listed.get("next_cursor"),
        shows=live.after(live.types(live.WORKSPACES), *of_plans, live.naming(held)),
    )


async def _place(visit: Visit, workspace_id: str) -> dict[str, Any]:
    """Return what the card of a workspace shows."""
    found = await visit.call("memory_workspace", "info", workspace_id=workspace_id)
    claims: list[Any] = found.get("open_claims", [])
    plans = await _plans(visit, workspace_id, status="active", limit=PLANS)
    return {"plans": plans, "claims": claims[:PLANS], "more_claims": len(claims[PLANS:])}


async def workspace(visit: Visit) -> Response:
    """Show the plans of one workspace by state; the filters stand in the address."""
    home = visit.path("workspace")
    filters = {name: visit.query(name) for name in ("status", "priority", "query", "order")}
    found = await visit.call("memory_workspace", "info", workspace_id=home)
    sent = {**filters, "include_archived": True if visit.query("archived") else None}
    free = await visit.call("memory_steps", "ready", workspace_id=home, limit=FREE, waiting=True)
    plans = await _plans(visit, home, **sent, detail="full", limit=MOST, cursor=visit.query("cursor"))
    return visit.page(
        "workspace.html",
        home=found,
        filters={**filters, "archived": visit.query("archived")},
        states=STATES,
        priorities=PRIORITIES,
        orders=ORDERS,
        groups=_by_state(plans["plans"]),
        total=plans["total"],
        next_cursor=plans.get("next_cursor"),
        claims=found.get("open_claims", []),
        free=free,
        waiting=[_stands(one, **one["first"][0]) for one in free.get("waiting", ())],
        titles={one["plan_id"]: one["title"] for one in plans["plans"]},
        needs=await needs(visit, home),
        tabs=TABS,
        shows=live.after(live.types(live.WORKSPACES), live.types(live.PLACE, [home])),
    )


def _stands(plan: Mapping[str, Any], step_id: str, index: int, reason: str) -> dict[str, Any]:
    """Return a plan in which nothing can begin, with the step that waits first and for what."""
    return {**plan, "step_id": step_id, "index": index, "reason": ASIDE.sub("", reason)}


async def _plans(visit: Visit, workspace_id: str, **wanted: Any) -> dict[str, Any]:
    return await visit.call("memory_plan", "list", workspace_id=workspace_id, **wanted)


def _by_state(plans: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return plans by what state they are in, the states in which work goes on first."""
    found = [(state, [one for one in plans if one["status"] == state]) for state in STATES]
    return [(state, rows) for state, rows in found if rows]
