"""Who worked when and on what, and who had the ball: in a workspace, and on a plan."""

from typing import Any

from starlette.responses import Response

from server.web import charts
from server.web.pages import live
from server.web.pages.lists import TABS
from server.web.pages.visit import Visit

SESSIONS = 60


async def of_workspace(visit: Visit) -> Response:
    """Show the last sessions of a workspace as bars."""
    home = visit.path("workspace")
    found = await visit.call("memory_session", "timeline", workspace_id=home, most=SESSIONS)
    return await _page(visit, found, home=home, shows=live.workspace(home))


async def of_plan(visit: Visit) -> Response:
    """Show who worked on a plan."""
    plan_id = visit.path("plan")
    plan = await visit.call("memory_plan", "get", plan_id=plan_id)
    found = await visit.call("memory_session", "timeline", plan_id=plan_id, most=SESSIONS)
    home = plan["workspace_id"]
    return await _page(visit, found, plan=plan, home=home, shows=live.plans(home, [plan_id]))


async def _page(visit: Visit, found: dict[str, Any], *, home: str, **more: Any) -> Response:
    handed = [{"at": one["created_at"], "handoff": one} for one in found.get("handoffs", ())]
    held = [{"at": one["since"], "held": one} for one in found.get("held", ())]
    went = [{"at": one["at"], "recovered": one} for one in found.get("recovered", ())]
    moments = sorted([*handed, *held, *went], key=lambda one: str(one["at"]), reverse=True)
    return visit.page(
        "timeline.html",
        found=found,
        moments=moments,
        drawing=charts.timeline(found),
        home=home,
        home_name=await visit.name_of(home),
        tabs=TABS,
        **more,
    )
