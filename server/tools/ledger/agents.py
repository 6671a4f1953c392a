"""memory_ledger: who works here."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.ledger import agents
from server.db.plans import plans
from server.db.steps import steps
from server.models.events import Event
from server.models.evidence import ToldData, ToldLine, ToldLines
from server.models.text import Id, Line
from server.tools.common import Actor, Agent, Call, Detail
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

Usage = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@TOOL.action()
async def set_agent(
    call: Call,
    *,
    agent: Actor,
    type: Line | None = None,
    status: Line | None = None,
    worktree: ToldLine | None = None,
    branch: ToldLine | None = None,
    capabilities: ToldLines | None = None,
    data: ToldData | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Say who works here, where, and what it can do.

    A row for an agent name in the workspace, made by its first session or by this call. Only what you give is changed.
    A session keeps it current: active when it begins, idle when it is done, with its last activity. status is any word
    (crashed, sleeping, ...), step_id what it works on, data its configuration.

    Example: {"action":"set_agent","agent":"Executor","type":"coder","worktree":"../app-login","branch":"login"}
    """
    given = {
        "type": type,
        "status": status,
        "worktree": worktree,
        "branch": branch,
        "capabilities": capabilities,
        "configuration": data,
        "current_step_id": step_id,
    }
    given = {name: value for name, value in given.items() if value is not None}
    async with call.write() as tx:
        step = await steps.require(tx, step_id) if step_id else None
        plan = await plans.require(tx, step.plan_id) if step else None
        workspace_id = await call.workspace_id(tx, plan.workspace_id if plan else None)
        before, after = await agents.put(tx, workspace_id, agent, given)
        changed = agents.differing(before, after, given)
        if changed or before is None:
            told = {"agent": agent, "changed": changed}
            events.record(tx, Event("agent_set", "agent", after.agent_id, data=told))
        return {
            "agent_id": after.agent_id,
            "workspace_id": workspace_id,
            "agent": after.agent,
            "status": after.status,
            "changed": changed,
            "version": after.version,
        }


@TOOL.action(read_only=True, takes=("page",))
async def list_agents(
    call: Call, *, agent: Agent | None = None, status: Line | None = None, detail: Detail = "brief"
) -> Page:
    """Who works here, those heard of last first.

    With their open sessions and the steps that they hold. detail=full adds the configuration.

    Example: {"action":"list_agents","status":"active"}
    """
    workspace_id = await call.workspace_id(call.db)
    after = call.after("agents", 2)
    rows, total = await agents.page(
        call.db, workspace_id, agent=agent, status=status, after=after, limit=call.shared.limit + 1
    )
    if detail == "brief":
        rows = [row.model_copy(update={"configuration": {}}) for row in rows]
    places = {row.agent_id: [row.last_activity_at, row.agent_id] for row in rows}
    extra = {"workspace_id": workspace_id}
    return Page("agents", rows, total, call.shared.limit, lambda row: places[row.agent_id], "agents", extra)
