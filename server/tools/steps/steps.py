"""memory_steps: the steps of a plan, their content and order."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.gates import confirmations
from server.db.plans import phases, plans
from server.db.steps import steps
from server.db.storage.connection import Transaction
from server.errors import Conflict, Gated, InvalidArguments, NotFound, ProjectMemoryError
from server.models.events import Event
from server.models.steps import (
    MOST_WAITS,
    NewStep,
    Step,
    StepEdit,
    StepRow,
    StepStatus,
    StepType,
    StepUpdate,
    still_open,
    view,
)
from server.models.text import AgentName, AgentNameOrEmpty, GateNames, Id, Index, Line, Task, Text
from server.text.display import number_of
from server.tools import step_rules
from server.tools.common import STEP, Call, Detail
from server.tools.plan_rules import (
    created_phase,
    edited,
    live,
    log,
    note_growth,
    refuse_behind_gates,
    refuse_gated,
    refuse_in_completed,
    unblocked,
)
from server.tools.render import Page, Result, reading
from server.tools.step_rules import Outcome, Target
from server.tools.steps.tool import TOOL
from server.tools.wording import completed

StepSpec = Annotated[NewStep, Field(description="{task, phase?, type?, status?, assignee?, notes?, depends_on?}")]
StepSpecs = Annotated[list[NewStep], Field(min_length=1, max_length=2000, description="[{task, phase?, ...}]")]
DependsOn = Annotated[list[str | int], Field(max_length=MOST_WAITS, description="step ids or indices")]
Updates = Annotated[list[StepUpdate], Field(min_length=1, max_length=500, description="[{step_index, status?, ...}]")]
Gates = Annotated[GateNames, Field(description="gates to pass first")]
EDITED = ("task", "type", "assignee", "notes", "required_gates")
MOST_TOLD = 5
WHOLE = reading("memory_steps get", "step_id")
Status = Annotated[StepStatus, Field(description="pending|active|done|blocked|failed|cancelled")]


@TOOL.action(takes=("version", "request"))
async def add(call: Call, *, plan_id: Id, steps: StepSpecs) -> Result:
    """Append steps to a plan.

    Each is {task, phase?, type?, status?, section?, assignee?, notes?, depends_on?, requires_validation?,
    requires_confirmation?, required_gates?}. Without a phase it joins the phase of the step before it; a new phase
    name makes a new phase, and `created_phase` says so. depends_on names step ids, or indices of the plan as it is
    afterwards.

    Example: {"action":"add","plan_id":"plan_1rqewqexykb7","steps":[{"task":"Write the test","phase":"Tests"}]}
    """
    async with call.write() as tx:
        return await _added(call, tx, plan_id, steps, None)


@TOOL.action(takes=("version", "request"))
async def insert(call: Call, *, plan_id: Id, at_index: Index, step: StepSpec) -> Result:
    """Insert a step at an index; later ones move down.

    The step is described as in add. Dependencies, claims and confirmations of the others follow them.

    Example: {"action":"insert","plan_id":"plan_1rqewqexykb7","at_index":2,"step":{"task":"Check the input"}}
    """
    async with call.write(is_quick=False) as tx:
        return await _added(call, tx, plan_id, [step], at_index)


async def _added(call: Call, tx: Transaction, plan_id: str, new: list[NewStep], at: int | None) -> Result:
    plan, workspace_id = await edited(call, tx, plan_id)
    refuse_in_completed(plan, new)
    total = await steps.count(tx, plan_id)
    if at is not None and at > total:
        raise InvalidArguments(f"'at_index' is {at}; the plan has {total} steps, so it takes 0 to {total}.")
    refuse_gated(new)
    phases_before = await phases.count(tx, plan_id)
    rows = await steps.insert_many(tx, plan_id, new, at=at)
    await refuse_behind_gates(tx, rows)
    await plans.touch(tx, plan_id)
    told = {"step_ids": [row.step_id for row in rows], "opened": still_open(rows)}
    log(tx, plan_id, "steps_added", f"{number_of(len(rows), 'step')} added to {plan.title!r}", **told)
    added = [{"step_id": row.step_id, "index": row.order_index, "phase": row.phase} for row in rows]
    parts: dict[str, Any] = {"plan_id": plan_id, "workspace_id": workspace_id, "steps_total": total + len(rows)}
    parts |= {"created_phase": await created_phase(tx, plan_id, phases_before)}
    parts |= {"warnings": await note_growth(tx, plan_id, total), "added": added}
    return Result(parts, f"memory_steps action='list' plan_id={plan_id!r} shows all steps")


@TOOL.action(read_only=True, one_of=STEP)
async def get(
    call: Call, *, step_id: Id | None = None, plan_id: Id | None = None, step_index: Index | None = None
) -> Step:
    """One step in full.

    Of one that came from another program with its external_id there, acceptance_criteria, due_at, and as `origin` its
    tags, times and estimates.

    Example: {"action":"get","plan_id":"plan_1rqewqexykb7","step_index":0}
    """
    step, suffix = await _read(call, step_id, plan_id, step_index)
    waits = await dependencies.waits_of(call.db, "step", [step.step_id], target_type="step", suffix=suffix)
    given = await confirmations.of_step(call.db, step.step_id, suffix=suffix)
    confirmed = {"confirmed_by": given.confirmed_by, "confirmed_via": given.via} if given else {}
    origin = await steps.origin(call.db, step.step_id, suffix=suffix)
    about = {"plan_id": step.plan_id, "version": step.version, "origin": origin, **confirmed}
    return view(step, depends_on=waits.get(step.step_id), **about)


async def _read(call: Call, step_id: str | None, plan_id: str | None, step_index: int | None) -> tuple[StepRow, str]:
    """Return a live or archived step, and the suffix of its table."""
    if step_id and (found := await steps.find(call.db, step_id)):
        step_rules.agree(found[0], plan_id, step_index)
        plan = await plans.require(call.db, found[0].plan_id)
        await call.workspace_id(call.db, plan.workspace_id)
        return found
    if step_id or plan_id is None or step_index is None:
        return await steps.require(call.db, step_id or ""), ""
    plan = await plans.require(call.db, plan_id)
    await call.workspace_id(call.db, plan.workspace_id)
    suffix = "_archive" if plan.archived_at else ""
    return await steps.require_at(call.db, plan_id, step_index, suffix=suffix), suffix


@TOOL.action(read_only=True, takes=("page",))
async def list_(
    call: Call,
    *,
    plan_id: Id,
    status: Status | None = None,
    phase: Line | None = None,
    assignee: AgentName | None = None,
    detail: Detail = "brief",
) -> Page:
    """The steps of a plan in order; detail=full for all.

    Example: {"action":"list","plan_id":"plan_1rqewqexykb7","status":"pending","limit":50}
    """
    plan = await plans.require(call.db, plan_id)
    workspace_id = await call.workspace_id(call.db, plan.workspace_id)
    suffix = "_archive" if plan.archived_at else ""
    wanted = await phases.require(call.db, plan_id, phase, suffix=suffix) if phase else None
    shown, total = await steps.page(
        call.db,
        plan_id,
        whole=detail == "full",
        status=status,
        phase_id=wanted.phase_id if wanted else None,
        assignee=assignee,
        after=call.after("steps", 2),
        limit=call.shared.limit + 1,
        suffix=suffix,
    )
    extra = {"plan_id": plan_id, "workspace_id": workspace_id}
    return Page("steps", shown, total, call.shared.limit, _position, "steps", extra, whole=WHOLE)


def _position(row: dict[str, Any]) -> list[str | int]:
    return [row["index"], row["step_id"]]


@TOOL.action(takes=("version", "claim", "request"), one_of=STEP)
async def update(
    call: Call,
    *,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
    status: Status | None = None,
    task: Task | None = None,
    type: StepType | None = None,
    assignee: AgentNameOrEmpty | None = None,
    notes: Text | None = None,
    append_notes: Text | None = None,
    phase: Line | None = None,
    required_gates: Gates | None = None,
) -> dict[str, Any]:
    """Change fields of a step.

    Only the given fields change. status=done records when and who; re-opening clears that and its confirmation.
    status=active claims the step for you, under the rules of a claim. `notes` replaces, `append_notes` adds a line;
    assignee "" clears it. required_gates names gates that have to pass before it is handed out, claimed or done
    (memory_ledger record_gate), [] none. A phase is found in any case; a new name makes a phase, and `created_phase`
    says so.

    Example: {"action":"update","step_id":"step_1rqewqexykb7","status":"done","append_notes":"all green"}
    """
    edit = StepEdit(
        status=status,
        task=task,
        type=type,
        assignee=assignee,
        notes=notes,
        append_notes=append_notes,
        phase=phase,
        required_gates=required_gates,
    )
    if edit == StepEdit():
        raise InvalidArguments(f"Nothing to change: send at least one of {', '.join(StepEdit.model_fields)}.")
    async with call.write(is_quick=status != "cancelled") as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        step_rules.check_version(call, where.step)
        phases_before = await phases.count(tx, where.plan.plan_id)
        outcome = await _apply(call, tx, where, edit)
        if tx.events:
            await plans.touch(tx, where.plan.plan_id)
        return {
            **_changed(outcome.step),
            "workspace_id": where.workspace_id,
            "created_phase": await created_phase(tx, where.plan.plan_id, phases_before),
            "unblocked": await unblocked(tx, outcome.unblocked),
            "warnings": await _warnings(tx, outcome.step) if status == "done" else None,
        }


def _changed(step: StepRow) -> dict[str, Any]:
    claim = {"claim_token": step.claim_token, "lease_expires_at": step.lease_expires_at} if step.claimed_by else {}
    return {
        "step_id": step.step_id,
        "plan_id": step.plan_id,
        "index": step.order_index,
        "phase": step.phase,
        "status": step.status,
        "version": step.version,
        **claim,
    }


async def _warnings(tx: Transaction, step: StepRow) -> list[str]:
    """Say when a step was finished before what it waits for, and before others that come first."""
    waits = await dependencies.pending_of(tx, ("step", step.step_id))
    told = [f"done before what it waits for: {', '.join(waits[:MOST_TOLD])}"] if waits else []
    left = await steps.left_behind(tx, step.plan_id, step.order_index, limit=MOST_TOLD + 1)
    more = ", ..." if len(left) > MOST_TOLD else ""
    return told + [f"done out of order: open before it are steps {', '.join(map(str, left[:MOST_TOLD]))}{more}"] * bool(
        left
    )


@TOOL.action(takes=("claim", "request"))
async def batch_update(call: Call, *, plan_id: Id, updates: Updates) -> dict[str, Any]:
    """Change several steps at once: all or nothing.

    Each update is {step_id or step_index, status?, task?, type?, assignee?, notes?, append_notes?, phase?}. If one of
    them cannot be done, none is, and every problem is named. A step is named once.

    Example: {"action":"batch_update","plan_id":"plan_1rqewqexykb7","updates":[{"step_index":0,"status":"done"}]}
    """
    async with call.write(is_quick=False) as tx:
        _, workspace_id = await live(call, tx, plan_id)
        phases_before = await phases.count(tx, plan_id)
        outcomes: list[Outcome] = []
        problems: list[dict[str, Any]] = []
        places: dict[str, int] = {}
        for place, item in enumerate(updates):
            try:
                outcomes.append(await _update_one(call, tx, plan_id, item, place=place, places=places))
            except ProjectMemoryError as error:
                problems.append(
                    {
                        "update": f"updates[{place}]",
                        **_named(item),
                        "code": error.code,
                        "problem": str(completed(error)),
                    }
                )
        if problems:
            raise _refused(problems, len(updates))
        if tx.events:
            await plans.touch(tx, plan_id)
        free = [node for outcome in outcomes for node in outcome.unblocked]
        return {
            "plan_id": plan_id,
            "workspace_id": workspace_id,
            "created_phase": await created_phase(tx, plan_id, phases_before),
            "updated": [_changed(outcome.step) for outcome in outcomes],
            "unblocked": await unblocked(tx, free),
        }


async def _update_one(
    call: Call, tx: Transaction, plan_id: str, item: StepUpdate, *, place: int, places: dict[str, int]
) -> Outcome:
    """Make one of several edits. `places` are those of the steps that earlier ones named."""
    edit = StepEdit(**{name: getattr(item, name) for name in StepEdit.model_fields})
    lacking = [] if item.step_id or item.step_index is not None else ["names no step: send step_id or step_index"]
    lacking += [f"changes nothing: send at least one of {', '.join(StepEdit.model_fields)}"] * (edit == StepEdit())
    if lacking:
        raise InvalidArguments(f"{'; '.join(lacking)}.")
    where = await step_rules.target(call, tx, item.step_id, plan_id, item.step_index)
    if (first := places.setdefault(where.step.step_id, place)) != place:
        raise InvalidArguments(f"names the step that updates[{first}] names: send one update a step.")
    return await _apply(call, tx, where, edit)


def _named(item: StepUpdate) -> dict[str, Any]:
    given = {"step_id": item.step_id, "step_index": item.step_index}
    return {name: value for name, value in given.items() if value is not None}


def _refused(problems: list[dict[str, Any]], total: int) -> ProjectMemoryError:
    kinds = {"gated": Gated, "conflict": Conflict, "not_found": NotFound}
    codes = {problem["code"] for problem in problems}
    kind = kinds.get(codes.pop(), InvalidArguments) if len(codes) == 1 else InvalidArguments
    return kind(
        f"{len(problems)} of {total} updates cannot be done, so none was. "
        + " ".join(f"{problem['update']}: {problem['problem']}" for problem in problems[:MOST_TOLD])
        + (f" And {len(problems) - MOST_TOLD} more." if len(problems) > MOST_TOLD else ""),
        problems=problems,
    )


async def _apply(call: Call, tx: Transaction, where: Target, edit: StepEdit) -> Outcome:
    """Make the changes of one edit, the status last and under its rules."""
    changes: dict[str, Any] = {name: value for name in EDITED if (value := getattr(edit, name)) is not None}
    changes |= {name: None for name in ("assignee", "notes") if changes.get(name) == ""}
    if edit.append_notes:
        changes["notes"] = step_rules.appended(changes.get("notes", where.step.notes), edit.append_notes)
    if edit.phase is not None:
        changes["phase_id"] = (await phases.ensure(tx, where.plan.plan_id, [edit.phase]))[edit.phase]
    if edit.status is not None:
        return await step_rules.set_status(call, tx, where, edit.status, changes)
    return await step_rules.change(call, tx, where, changes)


@TOOL.action(takes=("version", "claim"), one_of=STEP)
async def set_dependencies(
    call: Call,
    *,
    depends_on: DependsOn,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
) -> dict[str, Any]:
    """Set all the steps this one waits for; [] for none.

    Named by step id (also of another plan) or by index in its plan. The step is not eligible until they are done or
    cancelled. A cycle is refused and printed.

    Example: {"action":"set_dependencies","step_id":"step_1rqewqexykb7","depends_on":["0","1"]}
    """
    async with call.write() as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        step_rules.check_version(call, where.step)
        step_rules.guard(call, tx, where.step)
        step = where.step
        waits, is_new = await steps.set_dependencies(tx, where.plan.plan_id, {step.step_id: depends_on})
        ids = waits[step.step_id]
        if is_new:
            await plans.touch(tx, where.plan.plan_id)
            data = {"depends_on": ids}
            events.record(tx, Event("dependencies_set", "step", step.step_id, plan_id=step.plan_id, data=data))
        waiting = await dependencies.pending_of(tx, ("step", step.step_id))
        parts = {"step_id": step.step_id, "index": step.order_index, "workspace_id": where.workspace_id}
        return {**parts, "depends_on": ids, "waiting_for": waiting}
