"""memory_workspace: what waits for a human."""

from typing import Any

from server.db.gates import approvals
from server.db.plans import plans
from server.db.storage.list_totals import COUNTED
from server.models.approvals import ReachedGate
from server.models.text import Id
from server.tools.commands import command
from server.tools.common import Call
from server.tools.render import Page
from server.tools.workspace.tool import TOOL

SHOWN = 200  # characters of the name of a gate


@TOOL.action(read_only=True, takes=("page",))
async def approvals_(call: Call, *, plan_id: Id | None = None, approval_id: Id | None = None) -> Page | dict[str, Any]:
    """What waits for a human, who asked and since when.

    First what was refused and no human has answered yet, oldest first, then gates that work has reached and nobody
    asked about. `answer` is how a person answers in a terminal. Only a person can: an agent asks its user, and waits
    with events types=["approval"]. approval_id gives one whole, answered or not, in pieces if need be (`next_offset`).

    Example: {"action":"approvals","plan_id":"plan_1rqewqexykb7"}
    """
    if approval_id:
        found = await approvals.require(call.db, approval_id)
        return found.told() | {"workspace_id": await call.workspace_id(call.db, found.workspace_id)}
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    after, limit = call.after("approvals", 3), call.shared.limit
    asked, reached = await approvals.waiting(call.db, workspace_id, plan_id, limit=COUNTED)
    rows = [row.told() for row in asked] + [told(gate) for gate in reached]
    rest = [row for row in rows if after is None or _place(row) > after]
    words = {word: command(call.settings, word, "ID") for word in ("confirm", "reject")}
    extra = {"workspace_id": workspace_id, **({"answer": words} if rows else {})}
    return Page("approvals", rest[: limit + 1], len(rows), limit, _place, "approvals", extra, whole=_whole)


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """Return the call that reads a row whole: an approval, or the step or phase that is gated."""
    if "approval_id" in row:
        return {"tool": "memory_workspace", "action": "approvals", "approval_id": row["approval_id"]}
    if "step_id" in row:
        return {"tool": "memory_steps", "action": "get", "step_id": row["step_id"]}
    return {"tool": "memory_plan", "action": "get", "plan_id": row["plan_id"], "phase": row["phase_id"]}


def _place(row: dict[str, Any]) -> list[str | int]:
    return [int("approval_id" not in row), row.get("since") or "", row.get("approval_id") or _id(row)]


def _id(row: dict[str, Any]) -> str:
    return row.get("step_id") or row["phase_id"]


def told(gate: ReachedGate) -> dict[str, Any]:
    """Return a gate that nobody asked about as results show it."""
    found = {f"{gate.type}_id": gate.id, "kind": gate.type, "plan_id": gate.plan_id, "plan": gate.plan}
    return {**found, "name": gate.name[:SHOWN], "index": gate.index, **({"since": gate.since} if gate.since else {})}
