"""What a step may become, who may change it, and what follows when it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Node
from server.db.gates import confirmations
from server.db.ledger import required_gates
from server.db.plans import phases, plans
from server.db.steps import claims, step_workers, steps
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, Gated
from server.models.base import later
from server.models.events import Event
from server.models.plans import Plan
from server.models.steps import CLOSED, StepRow
from server.models.text import whole_text
from server.tools import plan_progress
from server.tools.approvals import gate_rules
from server.tools.approvals.gate_rules import NeedsHuman
from server.tools.common import Call, require_actor

LEASE_SECONDS = 900
NAMED = 3  # of what a step waits for
BOOKKEEPING = ("claimed_by", "claim_token", "lease_expires_at", "completed_at", "completed_by")


@dataclass(frozen=True)
class Target:
    """A step that a call names, its plan, and its workspace."""

    plan: Plan
    step: StepRow
    workspace_id: str


@dataclass
class Outcome:
    """A changed step, and what its change set free."""

    step: StepRow
    unblocked: list[Node] = field(default_factory=list[Node])


async def target(
    call: Call,
    tx: Transaction,
    step_id: str | None,
    plan_id: str | None,
    step_index: int | None,
) -> Target:
    """Return the live step that `step_id`, or `plan_id` and `step_index`, name."""
    step, plan = await steps.require_with_plan(tx, step_id, plan_id, step_index)
    if step_id:
        agree(step, plan_id, step_index)
    return Target(plan, step, await call.workspace_id(tx, plan.workspace_id))


def agree(step: StepRow, plan_id: str | None, step_index: int | None) -> None:
    if plan_id not in (None, step.plan_id) or step_index not in (None, step.order_index):
        raise Conflict(
            f"step_id {step.step_id!r} is the step at index {step.order_index} of plan {step.plan_id!r}, which "
            "plan_id and step_index contradict. Send step_id alone."
        )


def check_version(call: Call, step: StepRow) -> None:
    """Refuse an edit of another version of the step than the one that is there."""
    plans.check_version(step.version, call.shared.expected_version, f"The step {step.step_id}")


def guard(call: Call, tx: Transaction, step: StepRow) -> bool:
    """Check the caller's right to change `step`; return whether it takes the claim of someone else by force."""
    token, holder = call.shared.claim_token, step.held_by(tx.now())
    if token is not None and token != step.claim_token:
        raise Conflict(
            f"Your claim on {step.step_id} is gone: its token {token} is not the current {step.claim_token}"
            f"{_by(step, holder)}. Do not write its result; memory_steps action='next' gives you another step.",
            **_holding(step, holder),
        )
    if holder is None or holder == tx.origin.actor or token is not None:
        return False
    if call.shared.force:
        return True
    raise Conflict(
        f"{step.step_id} (index {step.order_index}) is held by {holder} until {step.lease_expires_at}. Work on another "
        "one (memory_steps action='next'), wait, or send force=true to take it over.",
        **_holding(step, holder),
    )


def _by(step: StepRow, holder: str | None) -> str:
    return f", held by {holder} until {step.lease_expires_at}" if holder else f"; the step is {step.status}"


def _holding(step: StepRow, holder: str | None) -> dict[str, Any]:
    return {"held_by": holder, "until": step.lease_expires_at} if holder else {}


def require_claimant(tx: Transaction) -> str:
    """Return who claims: a named actor, whose session, if it has one, is not over."""
    actor = require_actor(tx)
    if tx.origin.session_status == "completed":
        raise Conflict(
            f"The session {tx.origin.session_id} is completed, so it cannot claim. "
            "memory_agent action='init' opens a new one."
        )
    return actor


async def claim(call: Call, tx: Transaction, where: Target, lease_seconds: int) -> StepRow:
    """Claim one step for the actor, or renew its claim; raise for whatever stands against it."""
    actor, step = require_claimant(tx), where.step
    forced = guard(call, tx, step)
    if step.status == "active" and step.claimed_by == actor:
        return await claims.renew(tx, step, lease_seconds)
    if step.closed:
        raise Conflict(f"{step.step_id} is {step.status} already. memory_steps action='next' gives you an open step.")
    code = await claims.reason(tx, step)
    if code and not (code == "held" and (forced or call.shared.claim_token)):
        raise await _refusal(tx, where, code)
    return await claims.take(tx, step, actor, lease_seconds, forced=forced)


async def _refusal(tx: Transaction, where: Target, code: str) -> Conflict | Gated:
    step, [why] = where.step, await explain(tx, where.plan, [(where.step, code)])
    if code == "confirmation":
        return await gated(tx, step.step_id)
    if code == "phase_confirmation":
        gate = await claims.gate(tx, step.plan_id)
        return await gated(tx, (await phases.require(tx, step.plan_id, gate or "")).phase_id)
    text = f"{step.step_id} (index {step.order_index}) cannot be claimed: {why}."
    return Conflict(f"{text} memory_steps action='next' gives you one that can.", reason=code)


async def gated(tx: Transaction, gate_id: str, how: str = "begun") -> NeedsHuman:
    """Return the refusal of what a gate holds."""
    [gate] = await gate_rules.named(tx, [gate_id])
    return NeedsHuman(gate_rules.entry(gate, how))


async def explain(db: Reader, plan: Plan, found: Sequence[tuple[StepRow, str]]) -> list[str]:
    """Return the reasons against steps of a plan, given as codes, in words that name what they are about."""
    sources = [_waits_by(plan, step).get(code, []) for step, code in found]
    waits = await dependencies.pending_named(db, [node for nodes in sources for node in nodes])
    gate = await claims.gate(db, plan.plan_id) if any(code == "phase_confirmation" for _, code in found) else None
    named = [[name for node in nodes for name in waits.get(node, [])] for nodes in sources]
    for number, (step, code) in enumerate(found):
        if code in ("phase_gates", "gates"):
            [rows] = await db.batch(required_gates.holding(step.step_id))
            named[number] = required_gates.names(rows)
    return [_in_words(step, code, gate, _some(names)) for (step, code), names in zip(found, named, strict=True)]


def _waits_by(plan: Plan, step: StepRow) -> dict[str, list[Node]]:
    """Return who it is that waits, by the reason."""
    return {
        "dependency": [("step", step.step_id)],
        "phase_dependency": [("phase", step.phase_id)],
        "plan_dependency": dependencies.of_plan(plan),
    }


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:NAMED])}{' and more' if len(names) > NAMED else ''}"


def _in_words(step: StepRow, code: str, gate: str | None, waits: str) -> str:
    about = {
        "held": f"held by {step.claimed_by} until {step.lease_expires_at}",
        "dependency": f"waits for {waits}",
        "phase_dependency": f"its phase {step.phase!r} waits for {waits}",
        "plan_dependency": f"its plan waits for {waits}",
        "phase_confirmation": f"the phase {gate!r} before it needs confirmation (memory_plan action='confirm', scope "
        "phase)",
        "phase_gates": f"its phase {step.phase!r} requires gates that have not passed: {waits}",
        "gates": f"requires gates that have not passed: {waits}",
        "other_assignee": f"is assigned to {step.assignee}; assignee={step.assignee!r} takes it",
    }
    return about.get(code) or REASONS.get(code, code.replace("_", " "))


REASONS = {
    "confirmation": "needs confirmation (memory_plan action='confirm', scope step)",
    "blocked": "is blocked; set it to pending when it can go on",
    "budget": "its plan has spent more than its budget (memory_ledger action='budgets')",
    "failed": "failed; set it to pending to try again",
    "other_type": "its type is none of the types asked for",
}


async def set_status(
    call: Call, tx: Transaction, where: Target, status: str, changes: dict[str, Any] | None = None
) -> Outcome:
    """Change the status of a step, and other columns with it, under the rules of gates and claims."""
    step, changes = where.step, dict(changes or {})
    forced = guard(call, tx, step)
    if status == step.status and not forced:
        return await change(call, tx, where, changes) if changes else Outcome(step)
    if step.closed and not is_closed(status):
        await plan_progress.reopen(tx, step.plan_id)
    if status == "active":
        return await _activate(call, tx, where, changes, forced=forced)
    if forced:
        await _log_take_over(tx, step)
    changes |= {"status": status, "claimed_by": None, "lease_expires_at": None}
    changes |= {"claim_token": step.claim_token + 1} if forced else {}
    done = status == "done"
    changes |= {"completed_at": tx.now() if done else None, "completed_by": tx.origin.actor if done else None}
    return await _settle(tx, where, changes)


async def _activate(call: Call, tx: Transaction, where: Target, changes: dict[str, Any], *, forced: bool) -> Outcome:
    """Begin work on a step, under the rules of a claim; it is claimed for the actor, if there is one."""
    step = where.step
    if step.status != "active":
        await steps.reopen(tx, step.step_id)
    code = await claims.reason(tx, step)
    if code and not (code == "held" and (forced or call.shared.claim_token)):
        raise await _refusal(tx, where, code)
    if tx.origin.actor:
        require_claimant(tx)
        await claims.take(tx, step, tx.origin.actor, LEASE_SECONDS, forced=forced)
    return await _settle(tx, where, {**changes, "status": "active", "completed_at": None, "completed_by": None})


async def change(call: Call, tx: Transaction, where: Target, changes: dict[str, Any]) -> Outcome:
    """Change columns of a step that leave its status alone."""
    step = where.step
    told = differing(step, changes)
    changes = {name: changes[name] for name in told}
    if guard(call, tx, step):
        changes |= await _seize(tx, step)
    if not changes:
        return Outcome(step)
    changed = await steps.update(tx, step.step_id, changes)
    summary = f"step {changed.order_index} edited ({', '.join(told) or 'claim'}): {changed.task[:120]}"
    data = {"index": changed.order_index, "changed": told}
    events.record(tx, Event("step_updated", "step", step.step_id, plan_id=step.plan_id, summary=summary, data=data))
    moved = changed.phase_id != step.phase_id
    nodes = [("phase", step.phase_id), ("phase", changed.phase_id)]
    return Outcome(changed, await dependencies.refresh(tx, nodes) if moved else [])


def differing(step: StepRow, changes: Mapping[str, Any]) -> list[str]:
    """Return which columns these changes would make different."""
    return sorted(name for name, value in changes.items() if getattr(step, name) != value)


async def _seize(tx: Transaction, step: StepRow) -> dict[str, Any]:
    """Take a live claim away from its holder: the fence moves, so that the old token is worth nothing."""
    await _log_take_over(tx, step)
    actor = tx.origin.actor
    until = later(tx.now(), LEASE_SECONDS) if actor else None
    return {"claimed_by": actor, "claim_token": step.claim_token + 1, "lease_expires_at": until}


async def _log_take_over(tx: Transaction, step: StepRow) -> None:
    data = {"lost_by": step.claimed_by, "claimed_by": tx.origin.actor}
    events.record(tx, Event("step_taken_over", "step", step.step_id, plan_id=step.plan_id, data=data))


async def _settle(tx: Transaction, where: Target, changes: dict[str, Any]) -> Outcome:
    """Change the columns of a step whose status changes, log it, and bring up to date what waits for it."""
    before = where.step
    if before.closed and not is_closed(changes["status"]):
        await confirmations.drop_for_step(tx, before)
    phase_ids = (before.phase_id, changes.get("phase_id", before.phase_id))
    nodes = [("step", before.step_id), *(("phase", phase_id) for phase_id in phase_ids)]
    if changes["status"] == "done":
        await step_workers.record(tx, before, tx.origin.agent)
    awaited = before.is_awaited or len(set(phase_ids)) > 1
    waiting = [dependencies.refreshing(tx, nodes)] if awaited else []
    ends = changes["status"] == "done" and not before.closed
    gates = [required_gates.holding(before.step_id)] if ends else []
    rows, *more = await tx.batch(steps.updating(tx, before.step_id, changes), *gates, *waiting)
    if ends:
        _refuse_held(before, required_gates.names(more.pop(0)))
    changed = StepRow.of(rows[0])
    told = [name for name in differing(before, changes) if name not in BOOKKEEPING]
    events.record(
        tx,
        Event(
            "step_updated",
            "step",
            changed.step_id,
            plan_id=changed.plan_id,
            summary=f"step {changed.order_index} {before.status} -> {changed.status}: {changed.task[:120]}",
            data={"index": changed.order_index, "from": before.status, "to": changed.status, "changed": told},
        ),
    )
    return Outcome(changed, await dependencies.freed(tx, more[0]) if awaited else [])


def _refuse_held(step: StepRow, gates: Sequence[str]) -> None:
    """Refuse to finish a step before the gates that it or its phase requires have passed."""
    if gates:
        raise Conflict(
            f"{step.step_id} (index {step.order_index}) cannot be done before these gates passed: {', '.join(gates)}. "
            "memory_ledger action='record_gate' says that one did.",
            gates=list(gates),
        )


def is_closed(status: str) -> bool:
    return status in CLOSED


def appended(old: str | None, new: str) -> str:
    """Return notes with new ones on a line of their own."""
    return whole_text(f"{old}\n{new}") if old and new else old or new


def parting(step: StepRow, said: str | None) -> dict[str, Any]:
    """Return the notes of a step with what its holder says on leaving it: once, however often the call is sent."""
    if not said or f"\n{step.notes or ''}".endswith(f"\n{said}"):
        return {}
    return {"notes": appended(step.notes, said)}
