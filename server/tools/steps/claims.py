"""memory_steps: finding, claiming, keeping and releasing work."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.plans import plans
from server.db.steps import claims, steps
from server.db.steps.claims import StepFilter
from server.db.steps.steps import Outlook
from server.db.storage.connection import Reader, Transaction
from server.db.storage.list_totals import COUNTED
from server.errors import Conflict
from server.models.events import Event
from server.models.plans import Plan
from server.models.steps import Step, StepBrief, StepRow, StepStatus, StepType, brief, view
from server.models.text import AgentName, Id, Index, Seconds, Text
from server.tools import plan_progress, step_rules
from server.tools.common import STEP, Call
from server.tools.plan_rules import unblocked
from server.tools.render import Page
from server.tools.rules import budget_rules
from server.tools.step_rules import LEASE_SECONDS, Outcome, Target
from server.tools.steps.steps import WHOLE
from server.tools.steps.tool import TOOL

FIRST_WAITING = 5
STALLED_PLANS = 8
NOTES_SHOWN = 3000
Types = Annotated[list[StepType], Field(description="only steps of these types")]
ClosingStatus = Annotated[StepStatus, Field(description="pending|active|done|blocked|failed|cancelled")]


@TOOL.action(takes=("claim",))
async def next_(
    call: Call,
    *,
    plan_id: Id,
    step_id: Id | None = None,
    step_index: Index | None = None,
    notes: Text | None = None,
    status: ClosingStatus = "done",
    lease_seconds: Seconds = LEASE_SECONDS,
    types: Types | None = None,
    assignee: AgentName | None = None,
) -> dict[str, Any]:
    """Finish the step you name (if any) and get the next.

    Without a step it finishes nothing: it returns the step you hold, or claims the next eligible one for you. With
    step_id or step_index it first sets that step to `status` (default done), adding `notes` to its notes; repeating the
    call finishes nothing else. It is told as `completed` if it is done, else as `updated`. Needs session_id or agent.
    The claim ends after lease_seconds (default 900) unless you call heartbeat. You are given steps assigned to nobody
    or to you (your agent name or session); `assignee` adds those of that name, `types` narrows to some types. Without
    a free step, `waiting` says why. `passed_by` names steps before yours that a human has to confirm first.
    `remaining` counts the open steps of the plan; `warnings` tells of a budget that nears its end.

    Example: {"action":"next","plan_id":"plan_1rqewqexykb7","session_id":"sess_1rqewqexykb8"}
    """
    _refuse_active(status, "The step you are done with")
    finished = None
    async with call.write() as tx:
        actor = step_rules.require_claimant(tx)
        wanted = StepFilter(types or (), _names(tx.origin.agent, tx.origin.session_id, assignee))
        if step_id or step_index is not None:
            where = await step_rules.target(call, tx, step_id, plan_id, step_index)
            plan, workspace_id = where.plan, where.workspace_id
            finished = await _finish(call, tx, where, status, notes)
        else:
            plan = await plans.require_live(tx, plan_id)
            workspace_id = await call.workspace_id(tx, plan.workspace_id)
        got = await _held_or_claimed(tx, actor, plan_id, wanted, lease_seconds)
        outlook = await steps.outlook(tx, plan_id, got)
        if tx.events:
            await plans.touch(tx, plan_id)
        return {
            "plan_id": plan_id,
            "workspace_id": workspace_id,
            **(_finished(finished.step) if finished else {}),
            "next": _given(got, outlook.depends_on) if got else None,
            "remaining": outlook.remaining,
            "passed_by": _passed_by(outlook),
            "unblocked": await unblocked(tx, finished.unblocked) if finished else None,
            "warnings": budget_rules.warnings(outlook.budgets) or None,
            "waiting": None if got else await _waiting(tx, plan, wanted),
            **({} if outlook.remaining else await plan_progress.completable(tx, plan_id)),
        }


def _names(*names: str | None) -> list[str]:
    """Return the different ones of these names."""
    return list({name.lower(): name for name in names if name}.values())


def _refuse_active(status: str, what: str) -> None:
    if status == "active":
        raise Conflict(f"{what} cannot stay active. Send status pending, blocked, failed, done or cancelled.")


async def _finish(call: Call, tx: Transaction, where: Target, status: str, notes: str | None) -> Outcome:
    """Finish a step once: a repetition by the one who finished it changes nothing."""
    step = where.step
    if step.closed and step_rules.is_closed(status):
        if step.completed_by not in (None, tx.origin.actor):
            raise Conflict(
                f"{step.step_id} was finished by {step.completed_by} at {step.completed_at}. "
                "Call next without it to get another step."
            )
        return Outcome(step)
    return await step_rules.set_status(call, tx, where, status, step_rules.parting(step, notes))


async def _held_or_claimed(
    tx: Transaction, actor: str, plan_id: str, wanted: StepFilter, lease_seconds: int
) -> StepRow | None:
    """Return the step the actor holds in the plan, its lease renewed if it ran out, or claim the next eligible one."""
    if held := await claims.held(tx, actor, plan_id=plan_id):
        mine = held[0]
        return mine if mine.held_by(tx.now()) else await claims.renew(tx, mine, lease_seconds)
    free = await claims.eligible_in_plan(tx, plan_id, limit=1, wanted=wanted)
    return await claims.take(tx, free[0], actor, lease_seconds) if free else None


def _given(step: StepRow, depends_on: list[str] | None) -> Step:
    """Return a step as the one sees it who is given it. Long notes are cut: the answer has to hold the token."""
    notes = step.notes or ""
    if len(notes) > NOTES_SHOWN:
        rest = f"{len(notes)} characters: memory_steps action='get' step_id={step.step_id!r} shows all"
        notes = f"{notes[:NOTES_SHOWN]}... [{rest}]"
    return view(step, depends_on=depends_on, claim_token=step.claim_token, notes=notes or None)


def _passed_by(ahead: Outlook) -> list[dict[str, Any]]:
    """Name the critical steps that `next` had to skip."""
    reason = step_rules.REASONS["confirmation"]
    return [{"step_id": step_id, "index": index, "reason": reason} for step_id, index in ahead.passed_by]


def _finished(step: StepRow) -> dict[str, Any]:
    """Return the step that the caller is done with, under a name that does not claim more than its status."""
    name = "completed" if step.status == "done" else "updated"
    return {name: {"step_id": step.step_id, "index": step.order_index, "status": step.status}}


async def _waiting(
    db: Reader, plan: Plan, wanted: StepFilter = claims.ANY, *, limit: int = FIRST_WAITING
) -> dict[str, Any] | None:
    """Return why steps are not eligible: how many for each reason, and the first ones with theirs."""
    found = await claims.waiting(db, plan.plan_id, first=limit, wanted=wanted)
    reasons = await step_rules.explain(db, plan, found.first)
    first = [
        {"step_id": step.step_id, "index": step.order_index, "reason": reason}
        for (step, _), reason in zip(found.first, reasons, strict=True)
    ]
    return {"counts": found.counts, "first": first} if found.counts else None


@TOOL.action(read_only=True, takes=("page",))
async def ready(call: Call, *, plan_id: Id | None = None, waiting: bool = False) -> Page:
    """Every step that could be claimed now; claims nothing.

    Of one plan, or of all active plans of the workspace, by priority of the plan, its age, and position, whomever they
    are assigned to. `total` counts to 1000, then says "1000+". Of a plan without any, `waiting` says why; waiting=true
    asks for that of a plan with some, too, and of a workspace what the first plans wait for in which nothing can begin
    and nobody is at work.

    Example: {"action":"ready","plan_id":"plan_1rqewqexykb7"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    limit = call.shared.limit
    if plan:
        after = call.after("ready-plan", 1)
        of_plan, total = await claims.ready_in_plan(
            call.db, plan.plan_id, after=int(after[0]) if after else -1, limit=limit + 1
        )
        rows = [brief(step, claimed_by=None) for step in of_plan]
        is_told = (waiting or not total) and not plan.archived_at
        extra = {"plan_id": plan.plan_id, "waiting": await _waiting(call.db, plan) if is_told else None}
        return Page("steps", rows, total, limit, _at, "ready-plan", extra, COUNTED, WHOLE)
    found, total = await claims.ready(call.db, workspace_id, after=call.after("ready", 4), limit=limit + 1)
    places = {step.step_id: place for step, place in found}
    rows = [brief(step, plan_id=step.plan_id, claimed_by=None) for step, _ in found]
    extra = {"workspace_id": workspace_id, "waiting": await _stalled(call.db, workspace_id) if waiting else None}
    return Page("steps", rows, total, limit, lambda row: places[row.step_id], "ready", extra, COUNTED, WHOLE)


async def _stalled(db: Reader, workspace_id: str) -> list[dict[str, Any]]:
    """Return the first plans in which nothing can begin, each with what its first step waits for."""
    found = await claims.stalled(db, workspace_id, limit=STALLED_PLANS)
    told = [(plan, await _waiting(db, plan, limit=1)) for plan in found]
    return [{"plan_id": plan.plan_id, "title": plan.title, **why} for plan, why in told if why]


def _at(row: StepBrief) -> list[str | int]:
    return [row.index]


@TOOL.action(takes=("claim",), one_of=STEP)
async def claim(
    call: Call,
    *,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
    lease_seconds: Seconds = LEASE_SECONDS,
) -> dict[str, Any]:
    """Claim one step; repeat it to renew the lease.

    Prefer next, which finds a step and claims it in one go. Needs session_id or agent. What stands against the claim
    (a live claim, a dependency, a gate) is told; force=true takes over a live claim, and only that.

    Example: {"action":"claim","step_id":"step_1rqewqexykb7","session_id":"sess_1rqewqexykb8"}
    """
    async with call.write() as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        taken = await step_rules.claim(call, tx, where, lease_seconds)
        await plans.touch(tx, where.plan.plan_id)
        waits = await dependencies.waits_of(tx, "step", [taken.step_id], target_type="step")
        return _claimed(where, _given(taken, waits.get(taken.step_id)))


def _claimed(where: Target, step: Step) -> dict[str, Any]:
    fields = {name: getattr(step, name) for name in Step.model_fields}
    return {**fields, "plan_id": where.plan.plan_id, "workspace_id": where.workspace_id}


@TOOL.action(takes=("claim",), one_of=STEP)
async def heartbeat(
    call: Call,
    *,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
    lease_seconds: Seconds = LEASE_SECONDS,
) -> dict[str, Any]:
    """Keep your claim: the lease starts anew.

    Say who you are (session_id or agent), or send the claim_token. A claim that someone else has taken since is a
    conflict: stop working on that step.

    Example: {"action":"heartbeat","step_id":"step_1rqewqexykb7","claim_token":3,"lease_seconds":900}
    """
    async with call.write() as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        _require_holder(call, tx, where.step)
        kept = await claims.renew(tx, where.step, lease_seconds)
        return {
            "step_id": kept.step_id,
            "workspace_id": where.workspace_id,
            "claim_token": kept.claim_token,
            "lease_expires_at": kept.lease_expires_at,
        }


def _require_holder(call: Call, tx: Transaction, step: StepRow) -> None:
    step_rules.guard(call, tx, step)
    named = call.shared.claim_token is not None or step.claimed_by == tx.origin.actor
    if step.claimed_by is None or not named:
        raise Conflict(
            f"You hold no claim on {step.step_id} (it is {step.status}). "
            "memory_steps action='next' gives you a step to work on."
        )


@TOOL.action(takes=("claim",), one_of=STEP)
async def release(
    call: Call,
    *,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
    reason: Text | None = None,
    status: ClosingStatus = "pending",
) -> dict[str, Any]:
    """Give up your claim on a step.

    The step becomes `status` (default pending, so that others can take it; blocked or failed say why you stop).
    `reason` is added to its notes. force=true releases the claim of someone else.

    Example: {"action":"release","step_id":"step_1rqewqexykb7","claim_token":3,"reason":"needs the new API"}
    """
    _refuse_active(status, "A released step")
    async with call.write() as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        if not call.shared.force:
            _require_holder(call, tx, where.step)
        outcome = await step_rules.set_status(call, tx, where, status, step_rules.parting(where.step, reason))
        events.record(
            tx, Event("step_released", "step", where.step.step_id, plan_id=where.plan.plan_id, data={"reason": reason})
        )
        await plans.touch(tx, where.plan.plan_id)
        return {
            "step_id": outcome.step.step_id,
            "workspace_id": where.workspace_id,
            "status": outcome.step.status,
            "unblocked": await unblocked(tx, outcome.unblocked),
        }
