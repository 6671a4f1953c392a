"""Copies of plans: phases and steps under new ids, with what they wait for and their research files."""

from collections.abc import Mapping

from server.db.context import research
from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Edge
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.plans import DependencyType


async def copy(tx: Transaction, source_id: str, plan_id: str, *, suffix: str, reset: bool) -> None:
    """Give `plan_id` the phases, steps and research files of `source_id`, which is in the tables with `suffix`.

    `reset` makes every step pending and drops its notes; otherwise only claims are left behind. What waits for
    something inside the source waits for its copy; what waits for something else waits for the same thing.
    """
    phase_ids = await _new_ids(tx, "phase", source_id, suffix)
    step_ids = await _new_ids(tx, "step", source_id, suffix)
    await _copy_phases(tx, plan_id, phase_ids, suffix)
    await _copy_steps(tx, plan_id, phase_ids, step_ids, suffix, reset=reset)
    await _copy_dependencies(tx, source_id, {**phase_ids, **step_ids}, suffix)
    await research.copy(tx, {source_id: plan_id, **phase_ids, **step_ids}, suffix=suffix)


async def _new_ids(db: Reader, kind: str, source_id: str, suffix: str) -> dict[str, str]:
    rows = await db.all(
        f"SELECT {kind}_id AS id FROM {kind}s{suffix} WHERE plan_id = :plan_id ORDER BY order_index",
        {"plan_id": source_id},
    )
    return {row["id"]: new_id(kind) for row in rows}


async def _copy_phases(tx: Transaction, plan_id: str, phase_ids: Mapping[str, str], suffix: str) -> None:
    columns = "name, description, order_index, approval_required, success_criteria, required_agents, extra"
    await tx.run(
        f"""
        INSERT INTO phases (phase_id, plan_id, {columns}, created_at, updated_at)
        SELECT m.value, :plan_id, {columns}, :now, :now
        FROM (SELECT key, value FROM json_each(:phase_ids)) m JOIN phases{suffix} p ON p.phase_id = m.key
        """,
        {"plan_id": plan_id, "phase_ids": encode(dict(phase_ids)), "now": tx.now()},
    )


async def _copy_steps(
    tx: Transaction,
    plan_id: str,
    phase_ids: Mapping[str, str],
    step_ids: Mapping[str, str],
    suffix: str,
    *,
    reset: bool,
) -> None:
    columns = (
        "order_index, section, task, type, assignee, priority, requires_validation, requires_confirmation, "
        "requires_user_confirmation, extra"
    )
    await tx.run(
        f"""
        INSERT INTO steps (step_id, plan_id, phase_id, {columns}, status, notes, completed_at, completed_by,
            created_at, updated_at)
        SELECT m.value, :plan_id, n.value, {columns},
            CASE WHEN :reset OR (status = 'active' AND claimed_by IS NOT NULL) THEN 'pending' ELSE status END,
            CASE WHEN NOT :reset THEN notes END,
            CASE WHEN NOT :reset THEN completed_at END,
            CASE WHEN NOT :reset THEN completed_by END,
            :now, :now
        FROM (SELECT key, value FROM json_each(:step_ids)) m
            JOIN steps{suffix} s ON s.step_id = m.key
            JOIN (SELECT key, value FROM json_each(:phase_ids)) n ON n.key = s.phase_id
        """,
        {
            "plan_id": plan_id,
            "phase_ids": encode(dict(phase_ids)),
            "step_ids": encode(dict(step_ids)),
            "reset": int(reset),
            "now": tx.now(),
        },
    )


async def _copy_dependencies(tx: Transaction, source_id: str, copies: Mapping[str, str], suffix: str) -> None:
    rows = await tx.all(
        f"""
        SELECT d.* FROM dependencies{suffix} d
        WHERE (d.source_type = 'step' AND d.source_id IN (SELECT step_id FROM steps{suffix} WHERE plan_id = :plan_id)
            OR d.source_type = 'phase' AND d.source_id IN
                (SELECT phase_id FROM phases{suffix} WHERE plan_id = :plan_id))
          AND ({dependencies.TARGET_EXISTS})
        ORDER BY d.dependency_id
        """,
        {"plan_id": source_id},
    )
    edges: dict[DependencyType, list[Edge]] = {"blocks": [], "informs": []}
    for row in rows:
        source = (row["source_type"], copies[row["source_id"]])
        edges[row["dep_type"]].append((source, (row["target_type"], copies.get(row["target_id"], row["target_id"]))))
    for dep_type, found in edges.items():
        await dependencies.add(tx, found, dep_type)
