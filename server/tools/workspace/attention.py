"""memory_workspace: what does not go on by itself."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from server.db.plans import plans
from server.db.storage.list_totals import COUNTED
from server.db.upkeep import last_findings
from server.db.workspaces import standing
from server.db.workspaces.standing import Attention
from server.errors import InvalidArguments
from server.models.text import Id
from server.tools.commands import command
from server.tools.common import Call
from server.tools.render import Result, lean
from server.tools.workspace.approvals import told
from server.tools.workspace.tool import TOOL

MOST = 50  # of each kind
PLACES, MOST_OF_ONE = 50, 20  # workspaces, and of each kind in one of them
ONE = "memory_workspace action='attention' workspace_id=... shows more of one workspace"
CHECK = "the command `check` looks anew"
STEPS = "memory_steps action='list' plan_id={plan_id!r}"
HINTS = {
    "approvals": "memory_workspace action='approvals'",
    "messages": "memory_session action='inbox' agent='human'",
    "lost_leases": STEPS,
    "stuck_steps": STEPS,
    "silent_sessions": "memory_session action='list_sessions' status_filter='orphaned'",
}


@TOOL.action(read_only=True)
async def attention(call: Call, *, plan_id: Id | None = None, everywhere: bool = False) -> Result:
    """What needs a person, and what is stuck.

    approvals: what waits for a human's word (`answer` is how a person gives it in a terminal). messages: what agents
    wrote to `human`, unanswered. lost_leases: steps whose holder was not heard of in time. stuck_steps: blocked and
    failed ones, with the end of their notes. silent_sessions: those that did not end and write no more. Up to 50 of
    each, `totals` says how many there are ("50+" approvals or "1000+" for more). everywhere=true: of the `workspaces`
    in which there is any of it (up to 50 of workspaces_total), up to 20 of each in one, each with its workspace_id;
    and `check`: what the last daily look at the store found. Nothing is changed.

    Example: {"action":"attention"}
    """
    if everywhere:
        if plan_id:
            raise InvalidArguments("A plan is in one workspace: give plan_id or everywhere=true, not both.")
        return await _everywhere(call)
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    found = await standing.attention(call.db, workspace_id, call.settings.session_timeout, limit=MOST, plan_id=plan_id)
    some = {name: rows for name, rows in _parts(found).items() if rows}
    totals = {name: _number(found.totals[name], MOST if name == "approvals" else COUNTED) for name in HINTS}
    parts = {"workspace_id": workspace_id, "totals": totals, **_answer(call, some), **some}
    return Result(parts, hints={name: HINTS[name] for name in some})


def _parts(found: Attention) -> dict[str, list[Any]]:
    return {
        "approvals": [*(row.told() for row in found.approvals), *map(told, found.reached)],
        "messages": [*found.messages],
        "lost_leases": [*found.lost_leases],
        "stuck_steps": [*found.stuck_steps],
        "silent_sessions": [*found.silent_sessions],
    }


def _answer(call: Call, some: Collection[str]) -> dict[str, Any]:
    """Return how a person answers, if there is something to answer."""
    words = {word: command(call.settings, word, "ID") for word in ("confirm", "reject")}
    return {"answer": words} if "approvals" in some else {}


async def _everywhere(call: Call) -> Result:
    silence = call.settings.session_timeout
    homes, number = await standing.in_need(call.db, silence, limit=PLACES)
    some: dict[str, list[Any]] = defaultdict(list)
    totals = dict.fromkeys(HINTS, 0)
    for home in homes:
        found = await standing.attention(call.db, home.workspace_id, silence, limit=MOST_OF_ONE)
        for name, rows in _parts(found).items():
            totals[name] += found.totals[name]
            some[name] += [{"workspace_id": home.workspace_id, **lean(row)} for row in rows]
    known = await last_findings.known(call.db)
    parts = {
        "totals": {**totals, "check": len(known)},
        "workspaces_total": number,
        "workspaces": [{"workspace_id": home.workspace_id, "name": home.label, "path": home.path} for home in homes],
        **_answer(call, {name for name, rows in some.items() if rows}),
        **{name: rows for name, rows in some.items() if rows},
        "check": known,
    }
    return Result(parts, hints={**dict.fromkeys([*HINTS, "workspaces"], ONE), "check": CHECK})


def _number(total: int, most: int) -> int | str:
    return f"{most}+" if total > most else total
