"""memory_plan: plans that wait for plans."""

from typing import Any

from server.db.dependencies import dependencies
from server.db.plans import plans
from server.models.text import Id
from server.text.display import number_of
from server.tools.common import Call
from server.tools.plan import drafts
from server.tools.plan.plans import PlanIds
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import edited


@TOOL.action(takes=("version",))
async def set_plan_dependencies(call: Call, *, plan_id: Id, depends_on_plans: PlanIds) -> dict[str, Any]:
    """Set all the plans this one waits for; [] for none.

    No step of it is handed out before they are completed; an archived plan counts by the status it had. They may be
    in other workspaces. Unknown plans, the plan itself and cycles are all named at once.

    Example: {"action":"set_plan_dependencies","plan_id":"plan_1rqewqexykb7","depends_on_plans":["plan_1rqewqexykb8"]}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        ids = list(dict.fromkeys(depends_on_plans))
        known = (await dependencies.waits_of(tx, "plan", [plan_id], target_type="plan")).get(plan_id, [])
        if set(known) != set(ids):
            await drafts.wait_for_plans(tx, plan_id, ids)
            summary = f"{plan.title!r} waits for {number_of(len(ids), 'plan')}"
            drafts.record(tx, plan, "dependencies_set", summary, depends_on=ids)
            plan = await plans.update(tx, plan_id, {})
        parts = {"plan_id": plan_id, "workspace_id": workspace_id, "depends_on_plans": ids, "version": plan.version}
        return {**parts, "waiting_for": await dependencies.pending_of(tx, ("plan", plan_id))}


@TOOL.action(read_only=True)
async def get_plan_dependencies(call: Call, *, plan_id: Id) -> dict[str, Any]:
    """What a plan waits for, and what waits for it.

    depends_on_plans: plans it waits for; waiting_for: those of them that are not completed; dependents: plans that
    wait for it; plans: title and status of all of them.

    Example: {"action":"get_plan_dependencies","plan_id":"plan_1rqewqexykb7"}
    """
    plan = await plans.require(call.db, plan_id)
    workspace_id = await call.workspace_id(call.db, plan.workspace_id)
    waits, waited = await plans.neighbours(call.db, plan_id)
    ids = [*waits, *waited]
    known = await plans.statuses(call.db, ids)
    return {
        "plan_id": plan_id,
        "workspace_id": workspace_id,
        "depends_on_plans": list(waits),
        "waiting_for": [other for other, status in waits.items() if status == "pending"],
        "dependents": list(waited),
        "plans": [known[other] for other in dict.fromkeys(ids) if other in known],
    }
