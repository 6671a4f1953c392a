"""What steps mean for their plan: it is open again with one of them, and may be completed after the last."""

from typing import Any

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.ledger import required_gates
from server.db.plans import plans
from server.db.storage.connection import Reader, Transaction
from server.models.events import Event
from server.models.plans import PLAN_TRANSITIONS
from server.models.steps import CLOSED

REMOVING = ("steps_deleted", "steps_replaced", "phase_deleted")


async def reopen(tx: Transaction, plan_id: str) -> None:
    """Make a plan active again if it was completed, for a step of it is open again; what waits for it waits again."""
    if plan := await plans.reopen(tx, plan_id):
        await dependencies.refresh(tx, dependencies.of_plan(plan))
        summary = f"Plan {plan.title!r}: completed -> active, for a step of it is open again"
        data = {"changed": ["status", "completed_at"], "status": plan.status}
        events.record(tx, Event("plan_reopened", "plan", plan_id, plan.workspace_id, plan_id, summary, data))


async def notices(tx: Transaction) -> dict[str, Any]:
    """Return what the answer of a call has to say of the plans whose steps it changed, beside what it answers."""
    reopened = [event.entity_id for event in tx.events if event.type == "plan_reopened"]
    closing = [event.plan_id for event in tx.events if event.type in REMOVING or event.data.get("to") in CLOSED]
    told = {"reopened_plan": reopened[0]} if reopened else {}
    for plan_id in dict.fromkeys(closing):
        told |= await completable(tx, plan_id) if plan_id else {}
    return told


async def completable(db: Reader, plan_id: str) -> dict[str, Any]:
    """Return the call that completes a plan, if no step of it is open and it can be completed, or what holds it."""
    status = await plans.status_when_finished(db, plan_id)
    if "completed" not in PLAN_TRANSITIONS.get(status or "", ()):
        return {}
    if held := await required_gates.of_plan(db, plan_id, with_empty=False):
        return {"held": held}
    waits = await dependencies.pending_of(db, ("plan", plan_id))
    call = {"tool": "memory_plan", "action": "update", "plan_id": plan_id, "status": "completed"}
    return {"completable": call, **({"plan_waits_for": waits} if waits else {})}
