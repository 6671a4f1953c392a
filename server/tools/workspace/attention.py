"""memory_workspace: what does not go on by itself."""

from typing import Any

from server.db.plans import plans
from server.db.storage.list_totals import COUNTED
from server.db.workspaces import standing
from server.models.text import Id
from server.tools.commands import command
from server.tools.common import Call
from server.tools.render import Result
from server.tools.workspace.approvals import told
from server.tools.workspace.tool import TOOL

MOST = 50  # of each kind
STEPS = "memory_steps action='list' plan_id={plan_id!r}"
HINTS = {
    "approvals": "memory_workspace action='approvals'",
    "messages": "memory_session action='inbox' agent='human'",
    "lost_leases": STEPS,
    "stuck_steps": STEPS,
    "silent_sessions": "memory_session action='list_sessions' status_filter='orphaned'",
}


@TOOL.action(read_only=True)
async def attention(call: Call, *, plan_id: Id | None = None) -> Result:
    """What needs a person, and what is stuck.

    approvals: what waits for a human's word (`answer` is how a person gives it in a terminal). messages: what agents
    wrote to `human`, unanswered. lost_leases: steps whose holder was not heard of in time. stuck_steps: blocked and
    failed ones, with the end of their notes. silent_sessions: those that did not end and write no more. Up to 50 of
    each, `totals` says how many there are ("50+" approvals or "1000+" for more). Nothing is changed.

    Example: {"action":"attention"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    found = await standing.attention(call.db, workspace_id, call.settings.session_timeout, limit=MOST, plan_id=plan_id)
    parts: dict[str, list[Any]] = {
        "approvals": [*(row.told() for row in found.approvals), *map(told, found.reached)],
        "messages": [*found.messages],
        "lost_leases": [*found.lost_leases],
        "stuck_steps": [*found.stuck_steps],
        "silent_sessions": [*found.silent_sessions],
    }
    words = {word: command(call.settings, word, "ID") for word in ("confirm", "reject")}
    some = {name: rows for name, rows in parts.items() if rows}
    return Result(
        {
            "workspace_id": workspace_id,
            "totals": {name: _number(found.totals[name], MOST if name == "approvals" else COUNTED) for name in parts},
            **({"answer": words} if parts["approvals"] else {}),
            **some,
        },
        hints={name: HINTS[name] for name in some},
    )


def _number(total: int, most: int) -> int | str:
    return f"{most}+" if total > most else total
