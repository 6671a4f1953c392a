"""memory_plan: several steps made one, several plans made one."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from server.db.dependencies import dependencies
from server.db.gates import confirmations
from server.db.plans import phases, plan_copies, plan_overview, plans
from server.db.steps import step_workers, steps
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, InvalidArguments, NotFound
from server.models.plans import Plan
from server.models.steps import StepRow, still_open
from server.models.text import Id, Index, Task, whole_text
from server.text.display import number_of
from server.tools import step_removal, step_rules
from server.tools.common import Call
from server.tools.plan import drafts
from server.tools.plan.status import put_away
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import edited, log, note_growth, refuse_in_completed, unblocked
from server.tools.render import Result
from server.tools.wording import LISTERS

Indices = Annotated[list[Index], Field(min_length=2, max_length=200, description="neighbours")]
Sources = Annotated[list[Id], Field(min_length=1, max_length=50)]
FLAGS = ("requires_validation", "requires_confirmation", "requires_user_confirmation")


@TOOL.action(destructive=True, takes=("version", "force", "request"))
async def consolidate(
    call: Call, *, plan_id: Id, step_indices: Indices, consolidated_task: Task, confirm: bool = False
) -> dict[str, Any]:
    """Make one step of several neighbours; preview unless confirm.

    The first of them stays, with its id, phase and type, under the new text. It waits for what any of them waited for,
    what waited for one of them waits for it, and it has the notes of all. It is pending, unless all of them were
    closed. The others go to the trash; memory_workspace restore brings them back.

    Example: {"action":"consolidate","plan_id":"plan_1rqewqexykb7","step_indices":[2,3],"consolidated_task":"Write it"}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        kept, *gone = await _neighbours(tx, plan_id, step_indices)
        for step in (kept, *gone):
            step_rules.guard(call, tx, step)
        if not confirm:
            return {"plan_id": plan_id, "workspace_id": workspace_id, "preview": await step_removal.loss(tx, gone)}
        await dependencies.join(tx, [("step", step.step_id) for step in gone], ("step", kept.step_id))
        await step_workers.join(tx, [step.step_id for step in gone], kept)
        await confirmations.drop_for_step(tx, kept)
        trash_id, _ = await step_removal.remove(tx, plan, workspace_id, gone)
        after = await steps.update(tx, kept.step_id, _joined([kept, *gone], consolidated_task))
        free = await dependencies.refresh(tx, [("step", kept.step_id), ("phase", kept.phase_id)])
        told = {"trash_id": trash_id, "dropped": still_open([kept, *gone]) - still_open([after])}
        log(tx, plan_id, "steps_consolidated", f"{len(gone) + 1} steps became one", **told)
        return {
            "plan_id": plan_id,
            "workspace_id": workspace_id,
            "step_id": after.step_id,
            "index": after.order_index,
            "status": after.status,
            "version": after.version,
            "removed": len(gone),
            "trash_id": trash_id,
            "unblocked": await unblocked(tx, free),
        }


async def _neighbours(db: Reader, plan_id: str, indices: Sequence[int]) -> list[StepRow]:
    """Return the steps at these indices in order, which stand side by side."""
    first, last = min(indices), max(indices)
    if len({*indices}) != len(indices) or last - first + 1 != len(indices):
        raise InvalidArguments(
            f"step_indices {sorted(indices)} are not neighbours, each named once. memory_steps action='move' brings "
            "steps together first. Nothing changed."
        )
    found = await steps.between(db, plan_id, first, last)
    if len(found) < len(indices):
        total = await steps.count(db, plan_id)
        raise NotFound(f"The plan {plan_id} has no step at index {last}: it has {total} steps. Nothing changed.")
    return found


def _joined(found: Sequence[StepRow], task: str) -> dict[str, Any]:
    """Return what the first of these steps says when it stands for all."""
    status = found[0].status if all(step.closed for step in found) else "pending"
    changes: dict[str, Any] = {
        "task": task,
        "notes": whole_text("; ".join(step.notes for step in found if step.notes)) or None,
        **{name: any(getattr(step, name) for step in found) for name in FLAGS},
        "required_gates": list(
            dict.fromkeys(gate for step in found if step.status != "cancelled" for gate in step.required_gates)
        ),
    }
    if found[0].claimed_by is None and status == found[0].status:
        return changes
    ended = dict.fromkeys(("claimed_by", "lease_expires_at", "completed_at", "completed_by"))
    return changes | ended | {"status": status, "claim_token": found[0].claim_token + 1}


@TOOL.action(takes=("version", "force", "request"))
async def merge_plans(
    call: Call, *, target_plan_id: Id, source_plan_ids: Sources, archive_sources: bool = False
) -> Result:
    """Copy the steps of other plans to the end of one.

    Phases of the same name become one, others are appended. The copies have new ids, status and notes of their own
    (which begin with where they come from), and wait for each other as before; claims, confirmations, context,
    research files and sessions stay with the sources. archive_sources=true archives the sources; steps that
    someone works on are then a conflict, unless force=true.

    Example: {"action":"merge_plans","target_plan_id":"plan_1rqewqexykb7","source_plan_ids":["plan_1rqewqexykb8"]}
    """
    async with call.write(is_quick=False) as tx:
        target, workspace_id = await edited(call, tx, target_plan_id)
        sources = await _sources(tx, target, source_plan_ids)
        before, open_before = await steps.count(tx, target_plan_id), await plans.open_steps(tx, target_plan_id)
        merged = [step_id for source in sources for step_id in await _merge(tx, source, target)]
        await plans.touch(tx, target_plan_id)
        archived = [source for source in sources if archive_sources and not source.archived_at]
        for source in archived:
            await put_away(call, tx, source)
        titles = ", ".join(repr(source.title) for source in sources)
        opened = await plans.open_steps(tx, target_plan_id) - open_before
        told = {"sources": [source.plan_id for source in sources], "steps": len(merged), "opened": opened}
        summary = f"{number_of(len(merged), 'step')} of {titles} merged into {target.title!r}"
        drafts.record(tx, target, "plans_merged", summary, **told)
        parts = {
            "plan_id": target_plan_id,
            "workspace_id": workspace_id,
            "source_plan_ids": told["sources"],
            "steps_merged": len(merged),
            "archived_sources": [source.plan_id for source in archived],
            "warnings": await note_growth(tx, target_plan_id, before),
            "step_ids": merged,
        }
        return Result(parts, f"memory_steps action='list' plan_id={target_plan_id!r} shows all steps")


async def _sources(tx: Transaction, target: Plan, wanted: Sequence[str]) -> list[Plan]:
    """Return the plans to merge; every reason against one is named at once."""
    found = {plan_id: await plans.find(tx, plan_id) for plan_id in dict.fromkeys(wanted)}
    missing = [plan_id for plan_id, plan in found.items() if plan is None]
    foreign = [p.plan_id for p in found.values() if p and p.workspace_id != target.workspace_id]
    problems = [f"there is no plan {', '.join(map(repr, missing))}"] if missing else []
    problems += ["a plan cannot be merged into itself"] if target.plan_id in found else []
    problems += [f"{', '.join(map(repr, foreign))} is of another workspace"] if foreign else []
    if problems:
        kind = NotFound if missing and len(problems) == 1 else Conflict
        raise kind(f"source_plan_ids: {'; '.join(problems)}. {LISTERS['plan']} lists plans. Nothing changed.")
    return [plan for plan in found.values() if plan]


async def _merge(tx: Transaction, source: Plan, target: Plan) -> list[str]:
    """Append a copy of what `source` holds to `target`; return the ids of the new steps."""
    suffix = plan_overview.suffix_of(source)
    refuse_in_completed(target, await steps.of_plan(tx, source.plan_id, suffix=suffix))
    copied = await plan_copies.append(tx, source.plan_id, target.plan_id, suffix=suffix, title=source.title)
    progress = await phases.of_plan(tx, target.plan_id)
    await dependencies.refresh(tx, [("phase", phase.phase_id) for phase in progress])
    return copied
