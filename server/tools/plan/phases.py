"""memory_plan: the phases of a plan, and the confirmation of phases and steps."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events, trash
from server.db.dependencies import dependencies
from server.db.plans import phases, plans
from server.db.steps import step_attachments, steps
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, InvalidArguments
from server.models.events import Event
from server.models.plans import NewPhase, Phase, Plan
from server.models.steps import StepRow, still_open
from server.models.text import GateNames, Id, Index, Line, Lines, Text
from server.tools.common import Call
from server.tools.plan import drafts
from server.tools.plan.plans import PhaseName
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import edited, live, unblocked

MOST_SHOWN = 20
Gates = Annotated[GateNames, Field(description="gates to pass first")]


def _record(tx: Transaction, kind: str, phase: Phase, plan: Plan, summary: str, **data: Any) -> None:
    data = {"name": phase.name, **data}
    event = Event(kind, "phase", phase.phase_id, plan.workspace_id, plan.plan_id, summary=summary, data=data)
    events.record(tx, event)


async def _refuse_same_name(db: Reader, plan_id: str, name: str, *, but: str | None = None) -> None:
    others = [phase for phase in await phases.of_plan(db, plan_id) if phase.phase_id != but]
    if phase := phases.named(others, name):
        raise Conflict(
            f"The plan {plan_id} has a phase {phase.name!r} already ({phase.phase_id}). Choose another name, or change "
            "that one with action='update_phase'.",
            phase_id=phase.phase_id,
        )


@TOOL.action(takes=("version", "request"))
async def add_phase(
    call: Call,
    *,
    plan_id: Id,
    name: Line,
    description: Text | None = None,
    at_index: Index | None = None,
    approval_required: bool = False,
    success_criteria: Lines | None = None,
    required_agents: Lines | None = None,
    required_gates: Gates | None = None,
) -> dict[str, Any]:
    """Add a phase, at a place among the phases or last.

    approval_required: no step of a later phase is handed out before a human confirmed this one. required_gates: no
    step of this one is before memory_ledger record_gate said of each that it passed. Steps join it with memory_steps
    add, or update with phase.

    Example: {"action":"add_phase","plan_id":"plan_1rqewqexykb7","name":"Release","approval_required":true}
    """
    new = NewPhase(
        name=name,
        description=description,
        approval_required=approval_required,
        success_criteria=success_criteria or [],
        required_agents=required_agents or [],
        required_gates=required_gates or [],
    )
    async with call.write() as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        await _refuse_same_name(tx, plan_id, name)
        before = [phase.phase_id for phase in await phases.of_plan(tx, plan_id)]
        if at_index is not None and at_index > len(before):
            raise InvalidArguments(f"'at_index' is {at_index}; the plan has {len(before)} phases: 0 to {len(before)}.")
        columns = {field: getattr(new, field) for field in NewPhase.model_fields if field not in ("name", "steps")}
        phase = await phases.insert(tx, plan_id, name, order_index=len(before), **columns)
        index = len(before) if at_index is None else at_index
        await _place(tx, plan_id, [*before[:index], phase.phase_id, *before[index:]])
        _record(tx, "phase_added", phase, plan, f"Phase {name!r} added to {plan.title!r}", index=index)
        parts = {"phase_id": phase.phase_id, "name": name, "index": index, "plan_id": plan_id}
        return {**parts, "workspace_id": workspace_id, "version": phase.version}


async def _place(tx: Transaction, plan_id: str, phase_ids: list[str]) -> None:
    """Put the phases of a plan into this order, which makes another version of the plan."""
    await phases.set_order(tx, phase_ids)
    await plans.update(tx, plan_id, {})


@TOOL.action(takes=("version",))
async def update_phase(
    call: Call,
    *,
    plan_id: Id,
    phase: PhaseName,
    name: Line | None = None,
    description: Text | None = None,
    approval_required: bool | None = None,
    success_criteria: Lines | None = None,
    required_agents: Lines | None = None,
    required_gates: Gates | None = None,
) -> dict[str, Any]:
    """Rename or change a phase; it keeps its steps.

    Only what you give is changed; "" or [] empties a field. expected_version is that of the phase.

    Example: {"action":"update_phase","plan_id":"plan_1rqewqexykb7","phase":"Release","approval_required":true}
    """
    given = {
        "name": name,
        "description": description,
        "approval_required": approval_required,
        "success_criteria": success_criteria,
        "required_agents": required_agents,
        "required_gates": required_gates,
    }
    changes = {field: value if value != "" else None for field, value in given.items() if value is not None}
    if not changes:
        raise InvalidArguments(f"Nothing to change: give at least one of {', '.join(given)}.")
    async with call.write() as tx:
        plan, workspace_id = await live(call, tx, plan_id)
        before = await phases.require(tx, plan_id, phase)
        plans.check_version(before.version, call.shared.expected_version, f"The phase {before.name!r}")
        if name:
            await _refuse_same_name(tx, plan_id, name, but=before.phase_id)
        changed = [field for field, value in changes.items() if getattr(before, field) != value]
        after = before
        if changed:
            after = await phases.update(tx, before.phase_id, {field: changes[field] for field in changed})
            await plans.touch(tx, plan_id)
            summary = f"Phase {before.name!r} of {plan.title!r} changed"
            _record(tx, "phase_updated", after, plan, summary, changed=changed)
        parts = {"phase_id": after.phase_id, "name": after.name, "plan_id": plan_id, "workspace_id": workspace_id}
        return {**parts, "changed": changed, "version": after.version}


@TOOL.action(takes=("version",))
async def reorder_phases(call: Call, *, plan_id: Id, phase_order: Lines) -> dict[str, Any]:
    """Put the phases into another order; steps follow.

    phase_order names every phase once, by name or id. Steps keep their order within a phase and are numbered anew
    across the plan, phase by phase.

    Example: {"action":"reorder_phases","plan_id":"plan_1rqewqexykb7","phase_order":["Tests","Build","Release"]}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        before = await phases.of_plan(tx, plan_id)
        order = _resolved(before, phase_order)
        if order != before:
            await _place(tx, plan_id, [phase.phase_id for phase in order])
            await phases.group_steps(tx, plan_id)
            names = [phase.name for phase in order]
            drafts.record(tx, plan, "phases_reordered", f"Phases of {plan.title!r} reordered", order=names)
        parts = {"plan_id": plan_id, "workspace_id": workspace_id}
        return {**parts, "phases": drafts.counts_only(await phases.counted(tx, plan_id))}


def _resolved(present: list[Phase], named: list[str]) -> list[Phase]:
    """Return the phases in the order named; every phase that is missing, unknown or named twice is told at once."""
    by_name = {key: phases.by_name_or_id(present, key) for key in named}
    found = [phase for key in named if (phase := by_name[key])]
    ids = [phase.phase_id for phase in found]
    problems = [f"there is no phase {key!r}" for key in named if by_name[key] is None]
    problems += [f"{p.name!r} is missing" for p in present if p.phase_id not in ids]
    problems += [f"{p.name!r} is named twice" for p in present if ids.count(p.phase_id) > 1]
    if problems:
        raise InvalidArguments(
            f"phase_order has to name every phase once: {'; '.join(problems)}. "
            f"Phases: {', '.join(repr(phase.name) for phase in present)}."
        )
    return found


@TOOL.action(destructive=True, takes=("version", "force"))
async def delete_phase(
    call: Call, *, plan_id: Id, phase: PhaseName, move_steps_to: PhaseName | None = None, confirm: bool = False
) -> dict[str, Any]:
    """Remove a phase and its steps; preview unless confirm.

    move_steps_to keeps its steps and moves them to another phase. Steps that someone works on are a conflict, unless
    force=true. memory_workspace restore brings the phase back.

    Example: {"action":"delete_phase","plan_id":"plan_1rqewqexykb7","phase":"Release","move_steps_to":"Build"}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await live(call, tx, plan_id)
        found = await phases.require(tx, plan_id, phase)
        plans.check_version(found.version, call.shared.expected_version, f"The phase {found.name!r}")
        heir = await phases.require(tx, plan_id, move_steps_to) if move_steps_to else None
        if heir == found:
            raise InvalidArguments("'move_steps_to' is the phase that goes. Name another one.")
        held = await steps.of_phase(tx, found.phase_id)
        gone = [] if heir else held
        rows = await _rows(tx, found, gone)
        if not confirm:
            return {"workspace_id": workspace_id, "preview": _loss(found, held, heir, rows)}
        if gone:
            await drafts.refuse_claims(call, tx, plan_id, f"The phase {found.name!r}", phase_id=found.phase_id)
        trash_id = await trash.put(
            tx,
            entity_type="phase",
            entity_id=found.phase_id,
            title=f"{found.name} of {plan.title}",
            workspace_id=workspace_id,
            plan_id=plan_id,
            rows=rows,
        )
        free = await _remove(tx, found, gone, heir, rows)
        told = {"trash_id": trash_id, "dropped": still_open(gone)}
        _record(tx, "phase_deleted", found, plan, f"Phase {found.name!r} of {plan.title!r} deleted", **told)
        parts = {"phase_id": found.phase_id, "plan_id": plan_id, "workspace_id": workspace_id, "deleted": True}
        moved = {"steps_moved": len(held)} if heir else {"steps_deleted": len(held)}
        return {**parts, **moved, "trash_id": trash_id, "unblocked": await unblocked(tx, free)}


async def _rows(tx: Transaction, phase: Phase, gone: list[StepRow]) -> dict[str, list[dict[str, Any]]]:
    """Return every row that goes with a phase and these steps of it, by table."""
    whole = await phases.collect(tx, phase.phase_id)
    own = {"phases": whole.pop("phases")}
    more = await step_attachments.collect(tx, [step.step_id for step in gone])
    merged = {**own, **more}
    for table, rows in whole.items():
        merged[table] = [*merged.get(table, []), *(row for row in rows if row not in merged.get(table, []))]
    return merged


def _loss(
    phase: Phase, held: list[StepRow], heir: Phase | None, rows: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    named = [
        {"step_id": step.step_id, "index": step.order_index, "status": step.status, "task": step.task[:120]}
        for step in held[:MOST_SHOWN]
    ]
    listed = {"would_move_to": heir.name} if heir else {"would_delete_steps": named}
    others = {table: len(found) for table, found in rows.items() if found and table not in ("phases", "steps")}
    return {
        "would_delete": {"phase_id": phase.phase_id, "name": phase.name},
        "steps": len(held),
        **listed,
        "with_it": others,
        "hint": "send the same call with confirm=true to do it; it goes to the trash for 30 days",
    }


async def _remove(
    tx: Transaction, phase: Phase, gone: list[StepRow], heir: Phase | None, rows: dict[str, list[dict[str, Any]]]
) -> list[dependencies.Node]:
    """Delete a phase and return what waited for it, or for its steps, and is free now."""
    nodes = {("phase", phase.phase_id), *(("step", step.step_id) for step in gone)}
    waiting = dependencies.waiting_on(rows["dependencies"], nodes)
    if heir:
        await phases.move_steps(tx, phase.phase_id, heir.phase_id)
    else:
        await steps.delete(tx, [step.step_id for step in gone], phase.plan_id)
    await phases.delete(tx, phase)
    await plans.update(tx, phase.plan_id, {})
    free = await dependencies.free_among(tx, waiting)
    return [*free, *(await dependencies.refresh(tx, [("phase", heir.phase_id)]) if heir else [])]
