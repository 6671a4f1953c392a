"""memory_steps: removing, re-ordering and replacing steps. Dependencies, claims and confirmations follow the step."""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from server.db.plans import phases, plans
from server.db.steps import steps
from server.db.storage.connection import Transaction
from server.errors import Conflict, InvalidArguments, NotFound
from server.models.plans import Plan
from server.models.steps import NewStep, StepRow, still_open
from server.models.text import Id, Index, Lines
from server.text.names import folded
from server.tools import step_removal, step_rules
from server.tools.common import STEP, Call
from server.tools.plan_rules import (
    created_phase,
    edited,
    log,
    note_growth,
    refuse_behind_gates,
    refuse_gated,
    refuse_in_completed,
)
from server.tools.render import Result
from server.tools.step_rules import Target
from server.tools.steps.steps import StepSpecs
from server.tools.steps.tool import TOOL

Direction = Annotated[Literal["up", "down"], Field(description="up|down")]
# What a step that stays takes of its new description.
RETAKEN = ("type", "assignee", "section", "required_gates", "requires_validation", "requires_confirmation")
Order = Annotated[list[int], Field(description="every current index once, in the new order")]


@TOOL.action(destructive=True, takes=("version", "claim", "request"), one_of=STEP)
async def delete(
    call: Call,
    *,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
    confirm: bool = False,
) -> dict[str, Any]:
    """Remove a step to the trash; preview unless confirm.

    Later steps move up. Steps that wait for it no longer do. memory_workspace restore brings it back.

    Example: {"action":"delete","plan_id":"plan_1rqewqexykb7","step_index":3}
    """
    async with call.write(is_quick=False) as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        step_rules.check_version(call, where.step)
        step_rules.guard(call, tx, where.step)
        if not confirm:
            return {"workspace_id": where.workspace_id, "preview": await step_removal.loss(tx, [where.step])}
        trash_id, free = await step_removal.remove(tx, where.plan, where.workspace_id, [where.step])
        told = {"trash_id": trash_id, "dropped": still_open([where.step])}
        log(tx, where.plan.plan_id, "steps_deleted", f"step deleted: {where.step.task[:120]}", **told)
        return {
            "step_id": where.step.step_id,
            "workspace_id": where.workspace_id,
            "deleted": True,
            "trash_id": trash_id,
            "unblocked": free,
        }


async def _reordered(
    call: Call,
    tx: Transaction,
    plan: Plan,
    workspace_id: str,
    after: list[StepRow],
    *,
    first: int = 0,
    named: StepRow | None = None,
) -> Result:
    """Store a new order of steps from an index on; say how many moved, and whereto: the named one, or the first."""
    moved = [(index, step) for index, step in enumerate(after, first) if step.order_index != index]
    if moved:
        await steps.set_order(tx, plan.plan_id, [step.step_id for step in after], first=first)
        await plans.touch(tx, plan.plan_id)
        total = await steps.count(tx, plan.plan_id)
        log(tx, plan.plan_id, "steps_reordered", f"{len(moved)} of {total} steps moved", action=call.action.name)
    parts = {
        "plan_id": plan.plan_id,
        "workspace_id": workspace_id,
        "steps_moved": len(moved),
        "moved": [
            {"step_id": step.step_id, "index": index, "was": step.order_index}
            for index, step in moved
            if named in (None, step)
        ][: step_removal.MOST_SHOWN],
    }
    return Result(parts, f"memory_steps action='list' plan_id={plan.plan_id!r} shows the order")


def _moved(order: list[StepRow], from_index: int, to_index: int) -> list[StepRow]:
    """Return the steps between two indices with the one at one end at the other."""
    return [*order[1:], order[0]] if from_index < to_index else [order[-1], *order[:-1]]


@TOOL.action(takes=("version", "claim", "request"), one_of=STEP)
async def reorder(
    call: Call,
    *,
    direction: Direction,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    step_index: Index | None = None,
) -> Result:
    """Swap a step with the one before or after it.

    move takes it to any place; set_order and sort reorder all steps at once.

    Example: {"action":"reorder","plan_id":"plan_1rqewqexykb7","step_index":3,"direction":"up"}
    """
    async with call.write() as tx:
        where = await step_rules.target(call, tx, step_id, plan_id, step_index)
        to_index = where.step.order_index + (-1 if direction == "up" else 1)
        return await _move(call, tx, where, to_index)


@TOOL.action(takes=("version", "claim", "request"), one_of=(("step_id",), ("plan_id", "from_index")))
async def move(
    call: Call,
    *,
    to_index: Index,
    step_id: Id | None = None,
    plan_id: Id | None = None,
    from_index: Index | None = None,
) -> Result:
    """Move a step to another index.

    The steps between make room, and are counted in `steps_moved`: that is how to reorder one step; set_order does it
    for all of them. Moving it to where it is changes nothing.

    Example: {"action":"move","plan_id":"plan_1rqewqexykb7","from_index":5,"to_index":0}
    """
    async with call.write(is_quick=False) as tx:
        return await _move(call, tx, await step_rules.target(call, tx, step_id, plan_id, from_index), to_index)


async def _move(call: Call, tx: Transaction, where: Target, to_index: int) -> Result:
    step_rules.check_version(call, where.step)
    step_rules.guard(call, tx, where.step)
    total = await steps.count(tx, where.plan.plan_id)
    from_index = where.step.order_index
    if not 0 <= to_index < total:
        raise InvalidArguments(
            f"The step at index {from_index} cannot go to index {to_index}: the plan has the indices 0 to "
            f"{total - 1}. Nothing moved."
        )
    first, last = sorted((from_index, to_index))
    after = _moved(await steps.between(tx, where.plan.plan_id, first, last), from_index, to_index)
    named = after[to_index - first]
    return await _reordered(call, tx, where.plan, where.workspace_id, after, first=first, named=named)


@TOOL.action(takes=("version",))
async def sort(call: Call, *, plan_id: Id, phase_order: Lines | None = None) -> Result:
    """Sort steps by phase, keeping their order within.

    By the plan's own order of phases, or by `phase_order` (names, any case; phases it leaves out come last, in the
    plan's order). The phases take the same order.

    Example: {"action":"sort","plan_id":"plan_1rqewqexykb7","phase_order":["Design","Build","Test"]}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        order = await steps.of_plan(tx, plan_id)
        if not order:
            raise Conflict(f"The plan {plan_id} has no steps to sort. memory_steps action='add' adds some.")
        wanted = {folded(name): place for place, name in enumerate(phase_order or ())}
        known = await phases.of_plan(tx, plan_id)
        _check_phases(phase_order or [], [phase.name for phase in known])
        ranked = sorted(known, key=lambda phase: (wanted.get(folded(phase.name), len(wanted)), phase.order_index))
        if ranked != known:
            await phases.set_order(tx, [phase.phase_id for phase in ranked])
        places = {phase.phase_id: place for place, phase in enumerate(ranked)}
        after = sorted(order, key=lambda step: (places[step.phase_id], step.order_index))
        return await _reordered(call, tx, plan, workspace_id, after)


def _check_phases(wanted: list[str], known: list[str]) -> None:
    there = {folded(name) for name in known}
    if unknown := [name for name in wanted if folded(name) not in there]:
        raise NotFound(f"'phase_order' names no phase of the plan: {unknown[:20]}. It has {known[:20]}. Nothing moved.")


@TOOL.action(takes=("version", "request"))
async def set_order(call: Call, *, plan_id: Id, new_order: Order) -> Result:
    """Put all steps into a given order of indices.

    `new_order` holds each current index exactly once: [2,0,1] makes the third step the first. To reorder a single one,
    move it.

    Example: {"action":"set_order","plan_id":"plan_1rqewqexykb7","new_order":[2,0,1]}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        order = await steps.of_plan(tx, plan_id)
        _check_permutation(new_order, len(order))
        return await _reordered(call, tx, plan, workspace_id, [order[index] for index in new_order])


def _check_permutation(new_order: list[int], total: int) -> None:
    missing = sorted(set(range(total)) - set(new_order))
    unknown = sorted(set(new_order) - set(range(total)))
    repeated = sorted({index for index in new_order if new_order.count(index) > 1}) if len(new_order) > total else []
    if missing or unknown or len(new_order) != total:
        raise InvalidArguments(
            f"'new_order' must hold each of the {total} indices once; missing {missing[:20]}, unknown {unknown[:20]}, "
            f"repeated {repeated[:20]}. Nothing moved."
        )


@TOOL.action(destructive=True, takes=("version", "force", "request"))
async def replace(call: Call, *, plan_id: Id, replacement_steps: StepSpecs, confirm: bool = False) -> dict[str, Any]:
    """Replace all steps; those with the same text stay.

    A step whose task text is unchanged keeps its id, status, claim, notes and history; it takes phase, type, assignee,
    section, what it requires and depends_on from the new one where given. Steps that would go are shown as a preview
    unless confirm=true, and go to the trash. Steps are described as in add.

    Example: {"action":"replace","plan_id":"plan_1rqewqexykb7","replacement_steps":[{"task":"Write the test"}]}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        before = await steps.of_plan(tx, plan_id)
        kept = _matched(before, replacement_steps)
        stays = set(kept.values())
        gone = [step for step in before if step.step_id not in stays]
        if gone and not confirm:
            return {"plan_id": plan_id, "workspace_id": workspace_id, "preview": await step_removal.loss(tx, gone)}
        new = [step for place, step in enumerate(replacement_steps) if place not in kept]
        refuse_in_completed(plan, new)
        refuse_gated(new)
        for step in gone:
            step_rules.guard(call, tx, step)
        trash_id, free = await step_removal.remove(tx, plan, workspace_id, gone) if gone else (None, [])
        phases_before = await phases.count(tx, plan_id)
        after = await _rebuild(tx, plan_id, replacement_steps, kept)
        summary = f"steps replaced: {len(kept)} kept, {len(after) - len(kept)} new, {len(gone)} removed"
        added = [step for step in after if step.step_id not in stays]
        await refuse_behind_gates(tx, added)
        told = {"added": [step.step_id for step in added], "opened": still_open(added), "dropped": still_open(gone)}
        log(tx, plan_id, "steps_replaced", summary, trash_id=trash_id, **told)
        return {
            "plan_id": plan_id,
            "workspace_id": workspace_id,
            "created_phase": await created_phase(tx, plan_id, phases_before),
            "kept": len(kept),
            "added": [{"step_id": step.step_id, "index": step.order_index} for step in added],
            "removed": len(gone),
            "trash_id": trash_id,
            "unblocked": free,
            "warnings": await note_growth(tx, plan_id, len(before)),
        }


def _matched(before: list[StepRow], wanted: list[NewStep]) -> dict[int, str]:
    """Return the id of the step that each wanted one continues, by its place: same text, same phase preferred."""
    queues = defaultdict[tuple[str, str | None], deque[str]](deque)
    for step in before:
        for phase in (folded(step.phase), None):
            queues[step.task.strip(), phase].append(step.step_id)
    found: dict[int, str] = {}
    taken = set[str]()
    for exact in (True, False):
        for place, new in enumerate(wanted):
            queue = queues[new.task, folded(new.phase) if exact and new.phase else None]
            while queue and queue[0] in taken:
                queue.popleft()
            if queue and place not in found:
                found[place] = queue.popleft()
                taken.add(found[place])
    return found


def _is_elsewhere(step: StepRow, new: NewStep) -> bool:
    return bool(new.phase) and folded(new.phase) != folded(step.phase)


async def _rebuild(tx: Transaction, plan_id: str, wanted: list[NewStep], kept: dict[int, str]) -> list[StepRow]:
    """Insert what is new, put all into the wanted order, and give kept steps what the caller said of them."""
    new = [(place, step) for place, step in enumerate(wanted) if place not in kept]
    phase_of = await _phases(tx, plan_id, wanted, kept)
    bare = [step.model_copy(update={"phase": phase_of[place], "depends_on": []}) for place, step in new]
    inserted = await steps.insert_many(tx, plan_id, bare) if bare else []
    ids = {**kept, **{place: row.step_id for (place, _), row in zip(new, inserted, strict=True)}}
    order = [ids[place] for place in range(len(wanted))]
    await steps.set_order(tx, plan_id, order)
    rows = await steps.by_ids(tx, list(kept.values()))
    phase_ids = await phases.ensure(tx, plan_id, [step.phase for step in wanted if step.phase])
    waits = {ids[at]: step.depends_on for at, step in enumerate(wanted) if "depends_on" in step.model_fields_set}
    await steps.set_dependencies(tx, plan_id, waits)
    for place, step_id in kept.items():
        if changes := _said(wanted[place], rows[step_id], phase_ids):
            await steps.update(tx, step_id, changes)
    await plans.touch(tx, plan_id)
    return await steps.of_plan(tx, plan_id)


async def _phases(tx: Transaction, plan_id: str, wanted: list[NewStep], kept: dict[int, str]) -> dict[int, str]:
    """Return the phase of each wanted step: its own, the one it has already, or that of the step before it."""
    rows = await steps.by_ids(tx, list(kept.values()))
    known = await phases.of_plan(tx, plan_id)
    last = known[0].name if known else steps.DEFAULT_PHASE
    found: dict[int, str] = {}
    for place, step in enumerate(wanted):
        last = step.phase or (rows[kept[place]].phase if place in kept else last)
        found[place] = last
    return found


def _said(wanted: NewStep, row: StepRow, phase_ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of a kept step that the caller's description changes."""
    given = {name: getattr(wanted, name) for name in RETAKEN if name in wanted.model_fields_set}
    changes = {name: value for name, value in given.items() if value != getattr(row, name)}
    if wanted.phase and _is_elsewhere(row, wanted):
        changes["phase_id"] = phase_ids[wanted.phase]
    return changes
