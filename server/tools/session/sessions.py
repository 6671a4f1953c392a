"""memory_session: the spans of work of agents."""

from typing import Annotated

from pydantic import Field

from server.db.audit import events
from server.db.plans import plans
from server.db.sessions import sessions
from server.db.storage.list_totals import COUNTED
from server.models.events import Event
from server.models.sessions import Session, SessionBrief, StatusFilter
from server.models.text import Id
from server.tools.common import Agent, Call, SessionId
from server.tools.render import Page, reading
from server.tools.session.tool import TOOL

UNNAMED = "unnamed"
Filter = Annotated[StatusFilter, Field(description="active|completed|orphaned|all")]
WHOLE = reading("memory_session get_session", "session_id")


@TOOL.action(takes=("request",))
async def session_start(call: Call, *, plan_id: Id | None = None, parent_session_id: Id | None = None) -> Session:
    """Open a session without a briefing.

    memory_agent init does the same and tells where the work stands. `agent` names who works in it; without it, it is
    the agent of the parent session. The parent is parent_session_id, else the session that calls. Pass the session_id
    that comes back in every later call.

    Example: {"action":"session_start","plan_id":"plan_1rqewqexykb7","agent":"Executor"}
    """
    async with call.write() as tx:
        plan = await plans.require_live(tx, plan_id) if plan_id else None
        parent_id = parent_session_id or call.shared.session_id
        parent = await sessions.get(tx, parent_id, call.settings.session_timeout) if parent_id else None
        home = plan or parent
        workspace_id = await call.workspace_id(tx, home.workspace_id if home else None)
        agent = call.shared.agent or (parent.agent if parent else UNNAMED)
        await sessions.close_orphans(tx, workspace_id, call.settings.session_timeout)
        session = await sessions.insert(
            tx, workspace_id=workspace_id, agent=agent, plan_id=plan_id, parent_session_id=parent_id
        )
        events.record(tx, Event("agent_session_started", "session", session.session_id, plan_id=plan_id))
        return session


@TOOL.action(read_only=True, takes=("page",))
async def list_sessions(
    call: Call, *, plan_id: Id | None = None, status_filter: Filter = "all", agent: Agent | None = None
) -> Page:
    """Sessions of the workspace or a plan, newest first.

    Of an archived plan too. An open session is orphaned when it holds no live claim and was silent for an hour
    (setting session_timeout); init closes it with a note, and any write in it makes it active again. Long summaries are
    cut (`cut`): get_session has them whole.

    Example: {"action":"list_sessions","status_filter":"orphaned"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    rows, total = await sessions.list_(
        call.db,
        workspace_id=await call.workspace_id(call.db, plan.workspace_id if plan else None),
        plan_id=plan_id,
        status=None if status_filter == "all" else status_filter,
        agent=agent,
        silence=call.settings.session_timeout,
        after=call.after("sessions", 2),
        limit=call.shared.limit + 1,
    )
    return Page("sessions", rows, total, call.shared.limit, _position, "sessions", most=COUNTED, whole=WHOLE)


def _position(row: SessionBrief) -> list[str | int]:
    return [row.started_at, row.session_id]


@TOOL.action(read_only=True)
async def get_session(call: Call, *, session_id: SessionId) -> Session:
    """A session: agent, plan, times, summary, artifacts.

    With the context it was opened with. An archived one can be read too.

    Example: {"action":"get_session","session_id":"sess_1rqewqexykb8"}
    """
    session = await sessions.get(call.db, session_id, call.settings.session_timeout)
    await call.workspace_id(call.db, session.workspace_id)
    return session
