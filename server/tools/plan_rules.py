"""What calls on plans and on their steps do alike: which plan it is, what it may take, what became free."""

from collections.abc import Sequence
from typing import Any

from server.db.audit import events
from server.db.dependencies.dependencies import Node
from server.db.ledger import required_gates
from server.db.plans import phases, plan_notes, plans
from server.db.steps import steps
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, Gated
from server.models.events import Event
from server.models.plans import Plan
from server.models.sessions import Session
from server.models.steps import CLOSED, NewStep, StepRow
from server.models.workspaces import Workspace
from server.tools.common import Call

LARGE = 100  # steps, from which on several plans are easier to overlook than one
GROWN = f"This plan has {LARGE} steps or more. memory_program upgrade makes it the first plan of a program."


async def plan_of(db: Reader, plan_id: str | None, session: Session | None) -> Plan | None:
    """Return the plan named, else that of the session unless it was archived meanwhile."""
    if plan_id:
        return await plans.require_live(db, plan_id)
    plan = await plans.find(db, session.plan_id) if session and session.plan_id else None
    return plan if plan and not plan.archived_at else None


async def workspace_of(call: Call, db: Reader, plan_id: str | None) -> Workspace:
    """Return the workspace of a call that may name a plan, which has to be one that can be changed."""
    plan = await plans.require_live(db, plan_id) if plan_id else None
    return await call.workspace(db, plan.workspace_id if plan else None)


async def live(call: Call, tx: Transaction, plan_id: str) -> tuple[Plan, str]:
    """Return a plan that can be changed and the workspace of the call."""
    plan = await plans.require_live(tx, plan_id)
    return plan, await call.workspace_id(tx, plan.workspace_id)


async def edited(call: Call, tx: Transaction, plan_id: str) -> tuple[Plan, str]:
    """Like `live`, for a plan in the version that the caller knows."""
    plan, workspace_id = await live(call, tx, plan_id)
    plans.check_version(plan.version, call.shared.expected_version, f"The plan {plan_id}")
    return plan, workspace_id


def refuse_in_completed(plan: Plan, new: Sequence[NewStep | StepRow]) -> None:
    """Refuse open steps in a plan that is completed."""
    if plan.status == "completed" and any(step.status not in CLOSED for step in new):
        raise Conflict(
            f"The plan {plan.plan_id} is completed, so it takes no open steps. "
            f"memory_plan action='update' plan_id={plan.plan_id!r} status='active' reopens it."
        )


def log(tx: Transaction, plan_id: str, kind: str, summary: str, **data: Any) -> None:
    """Log a change of several steps, or of their order, with their plan."""
    events.record(tx, Event(kind, "plan", plan_id, plan_id=plan_id, summary=summary, data=data))


async def unblocked(db: Reader, nodes: list[Node]) -> list[dict[str, Any]]:
    """Return what became free: steps with plan and index, others by type and id."""
    if not nodes:
        return []
    rows = await steps.by_ids(db, [node_id for kind, node_id in nodes if kind == "step"])
    found = [{"step_id": s.step_id, "plan_id": s.plan_id, "index": s.order_index} for s in rows.values()]
    return found + [{f"{kind}_id": node_id} for kind, node_id in nodes if kind != "step"]


async def created_phase(tx: Transaction, plan_id: str, before: int) -> str | list[str] | None:
    """Return the name, or names, of phases that were made because a step named a new one: the plan had `before`."""
    made = list((await phases.names(tx, plan_id, first=before)).values())
    return made[0] if len(made) == 1 else made or None


async def note_growth(tx: Transaction, plan_id: str, before: int) -> list[str]:
    """Leave a note on a plan that grew large, once and for all; return what it says. `before` is how many steps it had.

    What is in a program already needs no such advice.
    """
    if before >= LARGE or await steps.count(tx, plan_id) < LARGE:
        return []
    if (await plans.require(tx, plan_id)).program_id or await plan_notes.has(tx, plan_id, GROWN):
        return []
    added = await plan_notes.insert(tx, plan_id, GROWN, "info", None)
    data = {"note_type": "info", "deliver_to": None}
    events.record(tx, Event("note_added", "note", added.note_id, plan_id=plan_id, summary=GROWN, data=data))
    return [GROWN]


def refuse_gated(new: list[NewStep]) -> None:
    """Refuse new steps that come in behind their own gate: only `confirm` opens it."""
    for step in new:
        if step.gated:
            raise Gated(
                f"A step that needs confirmation cannot be added as {step.status} ({step.task[:80]!r}). "
                "Add it as pending; a human confirms it with memory_plan action='confirm'."
            )


async def refuse_behind_gates(tx: Transaction, new: Sequence[StepRow]) -> None:
    """Refuse new steps that come in behind gates that they or their phases require."""
    entered = [step.step_id for step in new if step.status in ("active", "done")]
    if entered and (step := await required_gates.first_behind(tx, entered)):
        raise Conflict(
            f"A step with required_gates, of its own or of its phase, cannot be added as active or done "
            f"({step['task'][:80]!r}). Add it as pending; it is handed out once memory_ledger action='record_gate' "
            "said of each gate that it passed."
        )
