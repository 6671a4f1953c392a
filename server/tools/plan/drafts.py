"""What makes a plan: a draft becomes rows, waits for other plans, and changes its status under rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Node
from server.db.ledger import required_gates
from server.db.plans import phases, plan_overview, plans
from server.db.steps import steps
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, InvalidArguments, NotFound
from server.models.base import Columns
from server.models.events import Event
from server.models.plans import (
    FORMAL_CATEGORIES,
    PLAN_TRANSITIONS,
    STEPS_LIMIT,
    NewPhase,
    PhaseProgress,
    Plan,
    PlanBrief,
)
from server.models.steps import NewStep, StepRow, brief, still_open
from server.text.display import number_of
from server.text.names import folded
from server.tools.common import Call
from server.tools.plan_rules import note_growth, refuse_behind_gates, refuse_gated
from server.tools.render import Result, lean
from server.tools.wording import LISTERS

NAMED = 5  # of what holds a plan
FULL_ONLY = frozenset(
    {"description", "success_criteria", "required_agents", "required_gates", "external_id", "objective"}
)  # of a phase
COUNTS = tuple(name for name in PhaseProgress.model_fields if name not in FULL_ONLY)


@dataclass
class PlanDraft:
    """A plan as a caller describes it: columns, phases with their steps, and steps that name their phase."""

    title: str
    columns: dict[str, Any]
    phases: Sequence[NewPhase] = ()
    steps: Sequence[NewStep] = ()
    depends_on_plans: Sequence[str] = ()
    warnings: list[str] = field(default_factory=list[str])

    @property
    def all_steps(self) -> list[NewStep]:
        """Every step with the name of its phase, in the order in which `depends_on` counts them."""
        nested = [step.model_copy(update={"phase": phase.name}) for phase in self.phases for step in phase.steps]
        return [*nested, *self.steps]


def check(draft: PlanDraft) -> None:
    """Refuse a draft that contradicts itself; all that is wrong with it at once."""
    names = [folded(phase.name) for phase in draft.phases]
    twice = {key: phase.name for key, phase in zip(names, draft.phases, strict=True) if names.count(key) > 1}
    problems = [f"two phases are called {name!r}" for name in twice.values()]
    problems += [
        f"a step in phase {phase.name!r} says phase {step.phase!r}"
        for phase in draft.phases
        for step in phase.steps
        if step.phase and folded(step.phase) != folded(phase.name)
    ]
    if (total := len(draft.all_steps)) > STEPS_LIMIT:
        problems.append(f"{total} steps are more than {STEPS_LIMIT}: make several plans, or add the rest later")
    if problems:
        raise InvalidArguments(f"The plan cannot be made: {'; '.join(problems)}.")
    refuse_gated(draft.all_steps)


async def make(tx: Transaction, workspace_id: str, draft: PlanDraft) -> tuple[Plan, list[StepRow]]:
    """Insert the whole plan that a draft describes."""
    check(draft)
    plan = await plans.insert(tx, workspace_id=workspace_id, title=draft.title, **draft.columns)
    await phases.insert_many(tx, plan.plan_id, draft.phases)
    new = draft.all_steps
    rows = await steps.insert_many(tx, plan.plan_id, new) if new else []
    await refuse_behind_gates(tx, rows)
    if draft.depends_on_plans:
        await wait_for_plans(tx, plan.plan_id, draft.depends_on_plans)
    summary = f"Plan {plan.title!r} created with {number_of(len(rows), 'step')}"
    record(tx, plan, "plan_created", summary, steps=len(rows), opened=still_open(rows))
    return plan, rows


def record(tx: Transaction, plan: Plan, kind: str, summary: str, **data: Any) -> None:
    """Log a change of a plan as a whole."""
    event = Event(kind, "plan", plan.plan_id, plan.workspace_id, plan.plan_id, summary=summary, data=data)
    events.record(tx, event)


def missing_goals(plan: Plan) -> list[str]:
    """Return the warning that a plan of a formal category earns without goals or criteria."""
    lacking = [name for name in ("goals", "success_criteria") if not getattr(plan, name)]
    if plan.category not in FORMAL_CATEGORIES or not lacking:
        return []
    wanted = " and ".join(lacking)
    adds = f"memory_plan action='update' plan_id={plan.plan_id!r} adds them"
    return [f"A plan of category {plan.category!r} should have {wanted}: {adds}."]


def facts(plan: Plan, progress: Sequence[Columns], current_phase: str | None) -> dict[str, Any]:
    """Return the fields of a plan that every result about a whole plan has at its root."""
    known: dict[str, Any] = {
        **plan.__dict__,
        **({"status": "archived", "last_status": plan.status} if plan.archived_at else {}),
        "steps_done": sum(phase["steps_done"] for phase in progress),
        "steps_total": sum(phase["steps_total"] for phase in progress),
        "current_phase": current_phase or plan.current_phase,
    }
    return {**{name: known.get(name) for name in PlanBrief.model_fields}, "version": plan.version}


def counts_only(progress: Sequence[Columns]) -> list[dict[str, Any]]:
    """Return phases, from their rows, without what only a full answer shows: no model stands between."""
    found = [{name: value for name in COUNTS if (value := phase[name]) is not None} for phase in progress]
    for phase in found:
        if "approval_required" in phase:
            phase["approval_required"] = True
    return found


async def made(tx: Transaction, draft: PlanDraft, plan: Plan, rows: Sequence[StepRow], **more: Any) -> Result:
    """Return the answer of the actions that make a plan."""
    progress = await phases.counted(tx, plan.plan_id)
    current = next((row.phase for row in rows if not row.closed), None)
    parts = {
        **facts(plan, progress, current),
        **more,
        "depends_on_plans": list(dict.fromkeys(draft.depends_on_plans)),
        "warnings": [*draft.warnings, *missing_goals(plan), *await note_growth(tx, plan.plan_id, 0)],
        "phases": counts_only(progress),
        "step_ids": [row.step_id for row in rows],
    }
    return Result(parts, f"memory_steps action='list' plan_id={plan.plan_id!r} shows all steps")


async def wait_for_plans(tx: Transaction, plan_id: str, wanted: Sequence[str]) -> None:
    """Make these all the plans that `plan_id` waits for; every reason against it is named at once."""
    ids = list(dict.fromkeys(wanted))
    known = await plans.statuses(tx, ids)
    missing = [other for other in ids if other not in known]
    problems = [f"there is no plan {', '.join(map(repr, missing))}"] if missing else []
    problems += ["a plan cannot wait for itself"] if plan_id in ids else []
    details: dict[str, Any] = {"missing": missing} if missing else {}
    others = [other for other in ids if other in known and other != plan_id]
    await dependencies.clear(tx, [("plan", plan_id)], "plan")
    try:
        await dependencies.add(tx, [(("plan", plan_id), ("plan", other)) for other in others])
    except Conflict as cycle:
        problems.append(str(cycle).rstrip("."))
        details |= cycle.details
    if problems:
        kind = NotFound if missing and len(problems) == 1 else Conflict
        raise kind(f"depends_on_plans: {'; '.join(problems)}. {LISTERS['plan']} lists plans.", **details)


async def status_changes(call: Call, tx: Transaction, plan: Plan, status: str) -> dict[str, Any]:
    """Return the columns that make a plan become `status`, or refuse what its present one does not allow."""
    if status == plan.status:
        return {}
    allowed = PLAN_TRANSITIONS.get(plan.status, ("active",))
    if status not in allowed:
        raise Conflict(
            f"The plan {plan.plan_id} is {plan.status} and cannot become {status}; it can become "
            f"{', '.join(allowed)} or archived.",
            status=plan.status,
        )
    if status == "completed":
        await _refuse_held(tx, plan)
        if not call.shared.force:
            await _refuse_open_steps(tx, plan)
    return {
        "status": status,
        "completed_at": tx.now() if status == "completed" else None,
        "paused_at": tx.now() if status == "paused" else None,
        "paused_at_snapshot": await snapshot(tx, plan.plan_id) if status == "paused" else None,
    }


async def _refuse_held(tx: Transaction, plan: Plan) -> None:
    """Refuse to complete a plan before the gates that it requires have passed, whatever the caller sends."""
    if held := await required_gates.of_plan(tx, plan.plan_id, with_empty=False):
        names = list(dict.fromkeys(gate for one in held for gate in one.gates))
        raise Conflict(
            f"The plan {plan.plan_id} cannot be completed, not even by force, before these gates have passed: "
            f"{', '.join(names[:NAMED])}{' and more' if len(names) > NAMED else ''}. memory_ledger "
            "action='record_gate' says that one did; memory_ledger action='list_gates' shows what they hold.",
            held=[lean(one) for one in held[:NAMED]],
        )


async def _refuse_open_steps(tx: Transaction, plan: Plan) -> None:
    if total := await plans.open_steps(tx, plan.plan_id):
        raise Conflict(
            f"The plan {plan.plan_id} has {total} open steps. Finish or cancel them (memory_steps action='update'), or "
            "send force=true to complete it with them.",
            open_steps=total,
        )


async def snapshot(tx: Transaction, plan_id: str, index: int | None = None, **said: str | None) -> dict[str, Any]:
    """Return where a plan stands at this moment: at the step of that index, else at its first open one."""
    named = brief(await steps.require_at(tx, plan_id, index)) if index is not None else None
    step = named or await plan_overview.first_open(tx, plan_id)
    place: dict[str, Any] = {}
    if step:
        place = {"step_index": step.index, "step_id": step.step_id, "phase": step.phase, "step_task": step.task}
    whole = {"paused_at": tx.now(), **place, **said, "paused_by": tx.origin.agent or tx.origin.actor}
    return {name: value for name, value in whole.items() if value is not None}


async def set_free(tx: Transaction, before: Plan, after: Plan) -> list[Node]:
    """Bring what waits for a plan, or for its program, up to date when it was completed or re-opened."""
    if (before.status == "completed") == (after.status == "completed"):
        return []
    return await dependencies.refresh(tx, dependencies.of_plan(after))


async def refuse_claims(call: Call, db: Reader, plan_id: str, what: str, *, phase_id: str | None = None) -> None:
    """Refuse to take steps away from those who work on them, unless by force."""
    claims = await plan_overview.open_claims(db, plan_id, phase_id=phase_id)
    if claims and not call.shared.force:
        first = claims[0]
        raise Conflict(
            f"{what} has {len(claims)} claimed steps: {first.step_id} (index {first.index}) is held by "
            f"{first.claimed_by} until {first.lease_expires_at}. Wait, let them release it, or send force=true.",
            claims=[dict(claim) for claim in claims[:5]],
        )
