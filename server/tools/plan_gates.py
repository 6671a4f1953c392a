"""memory_plan: a human's word on phases and steps."""

from typing import Any

from server.db import confirmations, events, overview, phases, plans
from server.db.connection import Transaction
from server.db.dependencies import Node
from server.errors import InvalidArguments, NotAllowed, NotFound
from server.models.events import Event, Origin
from server.models.plans import Confirmation, ConfirmationScope, OpenClaim
from server.models.text import AgentName, Id, Index, Line
from server.tools import step_rules
from server.tools.common import Call
from server.tools.plan import TOOL
from server.tools.steps import live

SOMEONE = "user"


@TOOL.action(one_of=(("plan_id",), ("step_id",)))
async def confirm(
    call: Call,
    *,
    confirmation_scope: ConfirmationScope,
    plan_id: Id | None = None,
    confirm_phase: Line | None = None,
    step_id: Id | None = None,
    step_index: Index | None = None,
    confirmed_by: AgentName | None = None,
    revoke: bool = False,
) -> dict[str, Any]:
    """Open a gate: a human's yes to a phase or a step.

    confirmation_scope=phase with plan_id and confirm_phase (its name or id); =step with step_id, or plan_id and
    step_index. Nobody may confirm a step it holds, or a phase in which it holds a step: a human should. confirmed_by
    says who did. The confirmation belongs to the phase or step itself; re-opening a step drops it and that of its
    phase. revoke=true takes it back.

    Example: {"action":"confirm","plan_id":"plan_1rqewqexykb7","confirmation_scope":"phase","confirm_phase":"Build",
    "confirmed_by":"owner"}
    """
    _check_arguments(confirmation_scope, plan_id, confirm_phase, step_id, step_index)
    async with call.write() as tx:
        if confirmation_scope == "phase":
            return await _confirm_phase(call, tx, plan_id or "", confirm_phase or "", confirmed_by, revoke=revoke)
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        step = where.step
        if revoke:
            given = await _revoke(tx, await confirmations.of_step(tx, step.step_id), f"The step {step.step_id}")
        else:
            await _refuse_holders(tx, step.plan_id, confirmed_by, step_id=step.step_id)
            given = await confirmations.confirm_step(tx, step.plan_id, step.step_id, _confirmer(tx, confirmed_by))
        await _log(tx, ("step", step.step_id), step.plan_id, f"step {step.order_index}", given)
        named = {"step_id": step.step_id, "index": step.order_index}
        return {"plan_id": step.plan_id, "workspace_id": where.workspace_id, **named, **_told(given)}


def _check_arguments(
    scope: str, plan_id: str | None, phase: str | None, step_id: str | None, step_index: int | None
) -> None:
    """Refuse a call that does not name what it confirms, or names something else too."""
    if scope == "phase" and (not plan_id or not phase or step_id or step_index is not None):
        raise InvalidArguments(
            "confirmation_scope='phase' takes plan_id and confirm_phase (name or id of the phase), and no step."
        )
    if scope == "step" and (phase or not (step_id or (plan_id and step_index is not None))):
        raise InvalidArguments(
            "confirmation_scope='step' takes step_id, or plan_id and step_index, and no confirm_phase."
        )


async def _confirm_phase(
    call: Call, tx: Transaction, plan_id: str, name: str, confirmed_by: str | None, *, revoke: bool
) -> dict[str, Any]:
    _, workspace_id = await live(call, tx, plan_id)
    phase = await phases.require(tx, plan_id, name)
    if revoke:
        given = await _revoke(tx, await confirmations.of_phase(tx, phase.phase_id), f"The phase {phase.name!r}")
    else:
        await _refuse_holders(tx, plan_id, confirmed_by, phase_id=phase.phase_id)
        given = await confirmations.confirm_phase(tx, plan_id, phase.phase_id, _confirmer(tx, confirmed_by))
    await _log(tx, ("phase", phase.phase_id), plan_id, f"phase {phase.name!r}", given)
    counts = next(p for p in await phases.progress(tx, plan_id) if p.phase_id == phase.phase_id)
    left = counts.steps_total - counts.steps_done
    warnings = [f"{left} of its {counts.steps_total} steps are still open"] if left and given else []
    named = {"phase_id": phase.phase_id, "phase": phase.name}
    return {"plan_id": plan_id, "workspace_id": workspace_id, **named, **_told(given), "warnings": warnings}


def _confirmer(tx: Transaction, confirmed_by: str | None) -> str:
    return confirmed_by or tx.origin.agent or tx.origin.actor or SOMEONE


async def _revoke(tx: Transaction, given: Confirmation | None, what: str) -> None:
    if given is None:
        raise NotFound(f"{what} has no confirmation to take back.")
    await confirmations.revoke(tx, given.confirmation_id)


async def _refuse_holders(
    tx: Transaction, plan_id: str, confirmed_by: str | None, *, phase_id: str | None = None, step_id: str | None = None
) -> None:
    """Refuse a confirmation by whoever works on what is confirmed."""
    for claim in await overview.open_claims(tx, plan_id, phase_id=phase_id, step_id=step_id):
        if _is_holder(tx.origin, claim) or (confirmed_by and confirmed_by in (claim.claimed_by, claim.agent)):
            raise NotAllowed(
                f"{confirmed_by or tx.origin.agent} holds {claim.step_id} (index {claim.index}), and nobody confirms "
                "its own work. Ask a human, or hand the step to another agent for review."
            )


def _is_holder(origin: Origin, claim: OpenClaim) -> bool:
    """Tell whether who calls is who holds. Another session of the same role is someone else; a bare name is not."""
    names = (claim.claimed_by,) if origin.session_id else (claim.claimed_by, claim.agent)
    return bool(origin.actor) and (origin.actor in names or origin.agent == claim.claimed_by)


async def _log(tx: Transaction, node: Node, plan_id: str, what: str, given: Confirmation | None) -> None:
    """Log a confirmation of a step or phase, or its end."""
    scope, entity_id = node
    by = given.confirmed_by if given else None
    kind = f"{scope}_confirmed" if given else "confirmation_revoked"
    summary = f"{what} {f'confirmed by {by}' if given else 'no longer confirmed'}"
    events.record(tx, Event(kind, scope, entity_id, plan_id=plan_id, summary=summary, data={"confirmed_by": by}))
    await plans.touch(tx, plan_id)


def _told(given: Confirmation | None) -> dict[str, Any]:
    if given is None:
        return {"confirmed": False}
    return {"confirmed": True, "confirmed_by": given.confirmed_by, "confirmed_at": given.created_at}
