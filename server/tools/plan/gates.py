"""memory_plan: a human's word on phases and steps."""

from typing import Any

from server.db.audit import events
from server.db.gates import confirmations
from server.db.plans import phases, plans
from server.db.storage.connection import Transaction
from server.errors import InvalidArguments, NotFound
from server.models.approvals import Gate, Need, relayed
from server.models.events import Event
from server.models.plans import Confirmation, ConfirmationScope
from server.models.text import Id, Index, Line, Text
from server.tools import step_rules
from server.tools.approvals import answers, gate_rules
from server.tools.approvals.gate_rules import NeedsHuman
from server.tools.common import Call
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import live


@TOOL.action(one_of=(("plan_id",), ("step_id",)))
async def confirm(
    call: Call,
    *,
    confirmation_scope: ConfirmationScope,
    plan_id: Id | None = None,
    confirm_phase: Line | None = None,
    step_id: Id | None = None,
    step_index: Index | None = None,
    note: Text | None = None,
    revoke: bool = False,
) -> dict[str, Any]:
    """Ask a human to open a gate; theirs is the word.

    confirmation_scope=phase with plan_id and confirm_phase (its name or id); =step with step_id, or plan_id and
    step_index. Whoever sends this is an agent: your user is asked, by your client if it can ask, else in a terminal
    (the error says how). Where the shared setting `gates` is relayed, an agent that never worked on it may pass its
    user's yes on, and is recorded as who relayed it. The confirmation belongs to the phase or step itself; re-opening
    a step drops it and that of its phase, and a new step drops that of its phase. revoke=true takes it back; anyone
    may.

    Example: {"action":"confirm","plan_id":"plan_1rqewqexykb7","confirmation_scope":"phase","confirm_phase":"Build",
    "session_id":"sess_1rqewqexykb8"}
    """
    _check_arguments(confirmation_scope, plan_id, confirm_phase, step_id, step_index)
    async with call.write() as tx:
        if confirmation_scope == "phase":
            _, workspace_id = await live(call, tx, plan_id or "")
            gate_id = (await phases.require(tx, plan_id or "", confirm_phase or "")).phase_id
            given = await confirmations.of_phase(tx, gate_id)
        else:
            where = await step_rules.target(call, tx, step_id, plan_id, step_index)
            gate_id, workspace_id = where.step.step_id, where.workspace_id
            given = await confirmations.of_step(tx, gate_id)
        [gate] = await gate_rules.named(tx, [gate_id])
        if revoke:
            await _revoke(tx, gate, given)
            return {**_about(gate, workspace_id), "confirmed": False}
        given = given or await _passed_on(call, tx, gate, note)
        warnings = await _warnings(tx, gate)
        return {**_about(gate, workspace_id), **_told(given), "warnings": warnings}


async def _passed_on(call: Call, tx: Transaction, gate: Gate, note: str | None) -> Confirmation:
    """Confirm in the name of the caller's user, if the caller may pass a word on; else ask for one."""
    if call.relays and await gate_rules.may_relay(tx, [gate]):
        return await answers.confirm(tx, gate, relayed(tx.origin.agent or "", note))
    names = ", ".join(gate.workers)
    why = "the agent that asks says it is ready" + (f" (worked on by {names})" if names else "")
    raise NeedsHuman(Need(gate.type, (gate,), f"Confirm {gate.label}", f"{why}: {note}" if note else why))


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


async def _revoke(tx: Transaction, gate: Gate, given: Confirmation | None) -> None:
    if given is None:
        raise NotFound(f"The {gate.label} has no confirmation to take back.")
    await confirmations.revoke(tx, given.confirmation_id)
    summary = f"{gate.label} is no longer confirmed"
    events.record(tx, Event("confirmation_revoked", gate.type, gate.id, plan_id=gate.plan_id, summary=summary))
    await plans.touch(tx, gate.plan_id)


def _about(gate: Gate, workspace_id: str) -> dict[str, Any]:
    named = {"step_id": gate.id, "index": gate.index} if gate.type == "step" else {"phase_id": gate.id}
    phase = {"phase": gate.name} if gate.type == "phase" else {}
    return {"plan_id": gate.plan_id, "workspace_id": workspace_id, **named, **phase}


async def _warnings(tx: Transaction, gate: Gate) -> list[str]:
    if gate.type == "step":
        return []
    left, total = await phases.open_steps(tx, gate.id)
    return [f"{left} of its {total} steps are still open"] if left else []


def _told(given: Confirmation) -> dict[str, Any]:
    said = {"confirmed_by": given.confirmed_by, "confirmed_via": given.via, "confirmed_at": given.created_at}
    return {"confirmed": True, **said, "note": given.note}
