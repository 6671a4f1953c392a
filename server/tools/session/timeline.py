"""memory_session: who worked when, on what, and who had the ball."""

from typing import Annotated

from pydantic import Field

from server.db.plans import plans
from server.db.sessions import sessions, spans
from server.models.sessions import SessionBrief, SessionSpan
from server.models.text import Id
from server.tools.common import Call
from server.tools.render import Result
from server.tools.session.tool import TOOL

SESSIONS = "memory_session action='list_sessions'"
EVENTS = "memory_workspace action='events' types=['step']"
Most = Annotated[int, Field(ge=1, le=200)]
HINTS = {
    "sessions": SESSIONS,
    "held": EVENTS,
    "handoffs": "memory_agent action='get_lineage'",
    "recovered": "memory_workspace action='events' types=['agent_session_recovered']",
}


@TOOL.action(read_only=True)
async def timeline(call: Call, *, plan_id: Id | None = None, most: Most = 30) -> Result:
    """Sessions, claims, hand-offs and crashes along the time.

    Of the workspace or a plan; sessions newest first (`most` of them, and what happened since the first of these
    began, up to 500 events), all else oldest first. `until` is where a session ended, or an orphaned one was last heard
    of: it crashed there. held: who held which step, and why that ended; without `until` it is held now.

    Example: {"action":"timeline","plan_id":"plan_1rqewqexykb7"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    found, total = await sessions.list_(
        call.db,
        workspace_id=workspace_id,
        plan_id=plan_id,
        status=None,
        agent=None,
        silence=call.settings.session_timeout,
        after=None,
        limit=most,
    )
    since = min((one.started_at for one in found), default="")
    happened = await spans.since(call.db, workspace_id, plan_id, since)
    parts = {
        "workspace_id": workspace_id,
        **({"plan_id": plan_id} if plan_id else {}),
        "since": since,
        "now": call.db.now(),
        "sessions_total": total,
        "sessions": [_span(one) for one in found],
        "held": happened.held,
        "handoffs": happened.handoffs,
        "recovered": happened.recovered,
    }
    return Result(parts, hints=HINTS)


def _span(one: SessionBrief) -> SessionSpan:
    """Return a session as a span of time: an open one has no end."""
    ends = {"completed": one.completed_at, "orphaned": one.last_seen_at}
    return SessionSpan.model_validate(
        {**one.model_dump(include=set(SessionSpan.model_fields)), "until": ends.get(one.status)}
    )
