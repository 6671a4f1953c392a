"""Steps that go: what would be lost, and their way to the trash."""

from typing import Any

from server.db.audit import trash
from server.db.dependencies import dependencies
from server.db.plans import plans
from server.db.steps import step_attachments, steps
from server.db.storage.connection import Transaction
from server.models.plans import Plan
from server.models.steps import StepRow
from server.tools.plan_rules import unblocked

MOST_SHOWN = 20


async def loss(tx: Transaction, gone: list[StepRow]) -> dict[str, Any]:
    """Say what removing these steps would take away."""
    rows = await step_attachments.collect(tx, [step.step_id for step in gone])
    named = [
        {"step_id": step.step_id, "index": step.order_index, "status": step.status, "task": step.task[:120]}
        for step in gone[:MOST_SHOWN]
    ]
    return {
        "would_delete": named,
        "steps": len(gone),
        "with_them": {table: len(found) for table, found in rows.items() if found and table != "steps"},
        "hint": "send the same call with confirm=true to do it; it goes to the trash for 30 days",
    }


async def remove(
    tx: Transaction, plan: Plan, workspace_id: str, gone: list[StepRow]
) -> tuple[str, list[dict[str, Any]]]:
    """Move steps to the trash; return its id and what became free."""
    ids = [step.step_id for step in gone]
    rows = await step_attachments.collect(tx, ids)
    title = gone[0].task[:120] if len(gone) == 1 else f"{len(gone)} steps of {plan.title}"
    trash_id = await trash.put(
        tx,
        entity_type="step" if len(gone) == 1 else "steps",
        entity_id=ids[0] if len(gone) == 1 else plan.plan_id,
        title=title,
        workspace_id=workspace_id,
        plan_id=plan.plan_id,
        rows=rows,
    )
    lost = set(ids)
    waiting = [(row["source_type"], row["source_id"]) for row in rows["dependencies"] if row["target_id"] in lost]
    await steps.delete(tx, ids, plan.plan_id)
    await plans.touch(tx, plan.plan_id)
    free = await dependencies.free_among(tx, [node for node in waiting if node[1] not in lost])
    free += await dependencies.refresh(tx, [("phase", step.phase_id) for step in gone])
    return trash_id, await unblocked(tx, free)
