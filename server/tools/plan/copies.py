"""memory_plan: copies of plans, and plans that go."""

from typing import Any

from server.db.audit import trash
from server.db.dependencies import dependencies
from server.db.plans import phases, plan_archive, plan_copies, plan_overview, plans
from server.db.steps import steps
from server.db.storage.connection import Transaction
from server.models.plans import Plan
from server.models.steps import still_open
from server.models.text import Id, Line
from server.tools.common import Call
from server.tools.plan import drafts
from server.tools.plan.drafts import PlanDraft
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import unblocked
from server.tools.render import Result
from server.tools.rules import program_rules

KEPT = (
    "description", "category", "priority", "goals", "success_criteria", "categorization", "workflow_mode", "owner",
    "phase_gates",
)  # fmt: skip
TITLE_LENGTH = 500


@TOOL.action(takes=("request",))
async def clone_plan(
    call: Call,
    *,
    plan_id: Id,
    new_title: Line | None = None,
    reset_steps: bool = True,
    link_to_same_program: bool = False,
) -> Result:
    """Copy a plan with its phases, steps and goals.

    The copy is active and has new ids. Steps that wait for each other do so in the copy. reset_steps=true makes every
    step pending and drops its notes; false keeps status and notes. Research files are copied too. Claims,
    confirmations, context items, sessions and plan notes stay with the original, which may be archived. new_title is
    the old one with (Clone) behind it, unless given. link_to_same_program puts it into the program of the original.

    Example: {"action":"clone_plan","plan_id":"plan_1rqewqexykb7","new_title":"Release 2.1"}
    """
    async with call.write(is_quick=False) as tx:
        source = await plans.require(tx, plan_id)
        workspace_id = await call.workspace_id(tx, source.workspace_id)
        columns = {name: getattr(source, name) for name in KEPT}
        draft = PlanDraft(new_title or f"{source.title[: TITLE_LENGTH - 8]} (Clone)", columns)
        plan = await plans.insert(tx, workspace_id=workspace_id, title=draft.title, **columns)
        await plan_copies.copy(tx, plan_id, plan.plan_id, suffix=plan_overview.suffix_of(source), reset=reset_steps)
        rows = await steps.of_plan(tx, plan.plan_id)
        progress = await phases.progress(tx, plan.plan_id)
        await dependencies.refresh(tx, [("phase", phase.phase_id) for phase in progress])
        summary = f"Plan {plan.title!r} copied from {source.title!r}"
        drafts.record(tx, plan, "plan_created", summary, cloned_from=plan_id, steps=len(rows), opened=still_open(rows))
        together = source.program_id if link_to_same_program else None
        told = await program_rules.joined(call, tx, plan, together) if together else {}
        return await drafts.made(tx, draft, plan, rows, source_plan_id=plan_id, **told)


@TOOL.action(destructive=True, takes=("version", "force"))
async def delete(call: Call, *, plan_id: Id, confirm: bool = False) -> dict[str, Any]:
    """Remove a plan to the trash; preview unless confirm.

    Everything that belongs to it goes: phases, steps, notes, sessions, context. memory_workspace restore brings it
    back within 30 days. What waits for it no longer does. Steps that someone works on are a conflict, unless
    force=true.

    Example: {"action":"delete","plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write(is_quick=False) as tx:
        plan = await plans.require(tx, plan_id)
        workspace_id = await call.workspace_id(tx, plan.workspace_id)
        plans.check_version(plan.version, call.shared.expected_version, f"The plan {plan_id}")
        rows = await plan_archive.collect(tx, plan_id)
        if not confirm:
            return {"workspace_id": workspace_id, "preview": await _preview(tx, plan, rows)}
        await drafts.refuse_claims(call, tx, plan_id, f"The plan {plan_id}")
        trash_id = await trash.put(
            tx,
            entity_type="plan",
            entity_id=plan_id,
            title=plan.title,
            workspace_id=workspace_id,
            plan_id=plan_id,
            rows=rows,
        )
        gone = set(await plan_archive.nodes(tx, plan_id))
        waiting = dependencies.waiting_on(rows.get("dependencies", ()), gone)
        await plan_archive.remove(tx, plan_id)
        free = await dependencies.free_among(tx, waiting)
        drafts.record(tx, plan, "plan_deleted", f"Plan {plan.title!r} deleted", trash_id=trash_id)
        parts = {"plan_id": plan_id, "workspace_id": workspace_id, "deleted": True, "trash_id": trash_id}
        return {**parts, "unblocked": await unblocked(tx, free)}


async def _preview(tx: Transaction, plan: Plan, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Say what deleting a plan would take away."""
    counts: dict[str, int] = {}
    for table, found in rows.items():
        name = table.removesuffix("_archive")
        counts[name] = counts.get(name, 0) + len(found)
    claims = await plan_overview.open_claims(tx, plan.plan_id)
    status = "archived" if plan.archived_at else plan.status
    return {
        "would_delete": {"plan_id": plan.plan_id, "title": plan.title, "status": status},
        "with_it": {name: count for name, count in counts.items() if name != "plans"},
        **({"claims": [dict(claim) for claim in claims[:5]]} if claims else {}),
        "hint": "send the same call with confirm=true to do it; it goes to the trash for 30 days",
    }
