"""Copies of plans: phases and steps under new ids, with what they wait for and their research files."""

from collections.abc import Mapping
from typing import Any

from server.db.context import research
from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Edge
from server.db.plans import phases
from server.db.steps import steps
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.plans import DependencyType, Phase


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


async def append(tx: Transaction, source_id: str, plan_id: str, *, suffix: str, title: str) -> list[str]:
    """Append the phases and steps of `source_id` to those of `plan_id`; return the ids of the new steps.

    Phases of one name become one, which awaits approval if either does and requires the gates of both. Steps keep
    status and notes, which begin with `title`; what they wait for is as in `copy`.
    """
    there = await phases.of_plan(tx, plan_id)
    first_step = await steps.count(tx, plan_id)
    new = await _new_ids(tx, "phase", source_id, suffix)
    joined: dict[str, str] = {}
    for phase in await phases.of_plan(tx, source_id, suffix=suffix):
        if same := phases.named(there, phase.name):
            joined[phase.phase_id] = same.phase_id
            del new[phase.phase_id]
            if changes := _joined(phase, same):
                await phases.update(tx, same.phase_id, changes)
    step_ids = await _new_ids(tx, "step", source_id, suffix)
    phase_ids = {**joined, **new}
    await _copy_phases(tx, plan_id, new, suffix, first=len(there))
    mark = f"[Merged from {title}] "
    await _copy_steps(tx, plan_id, phase_ids, step_ids, suffix, reset=False, first=first_step, mark=mark)
    await _copy_dependencies(tx, source_id, {**phase_ids, **step_ids}, suffix)
    return list(step_ids.values())


def _joined(phase: Phase, same: Phase) -> dict[str, Any]:
    """Return what a phase that takes another one in has to ask for as well."""
    gates = [gate for gate in phase.required_gates if gate not in same.required_gates]
    approval = {"approval_required": True} if phase.approval_required and not same.approval_required else {}
    return {**approval, **({"required_gates": [*same.required_gates, *gates]} if gates else {})}


async def _new_ids(db: Reader, kind: str, source_id: str, suffix: str) -> dict[str, str]:
    rows = await db.all(
        f"SELECT {kind}_id AS id FROM {kind}s{suffix} WHERE plan_id = :plan_id ORDER BY order_index",
        {"plan_id": source_id},
    )
    return {row["id"]: new_id(kind) for row in rows}


async def _copy_phases(
    tx: Transaction, plan_id: str, phase_ids: Mapping[str, str], suffix: str, *, first: int = 0
) -> None:
    columns = "name, description, approval_required, success_criteria, required_agents, required_gates, extra"
    await tx.run(
        f"""
        INSERT INTO phases (phase_id, plan_id, order_index, {columns}, created_at, updated_at)
        SELECT m.value, :plan_id, :first + row_number() OVER (ORDER BY order_index) - 1, {columns}, :now, :now
        FROM (SELECT key, value FROM json_each(:phase_ids)) m JOIN phases{suffix} p ON p.phase_id = m.key
        """,
        {"plan_id": plan_id, "phase_ids": encode(dict(phase_ids)), "first": first, "now": tx.now()},
    )


async def _copy_steps(
    tx: Transaction,
    plan_id: str,
    phase_ids: Mapping[str, str],
    step_ids: Mapping[str, str],
    suffix: str,
    *,
    reset: bool,
    first: int = 0,
    mark: str = "",
) -> None:
    columns = (
        "section, task, type, assignee, priority, requires_validation, requires_confirmation, "
        "requires_user_confirmation, required_gates, extra"
    )
    await tx.run(
        f"""
        INSERT INTO steps (step_id, plan_id, phase_id, order_index, {columns}, status, notes, completed_at,
            completed_by, created_at, updated_at)
        SELECT m.value, :plan_id, n.value, :first + order_index, {columns},
            CASE WHEN :reset OR (status = 'active' AND claimed_by IS NOT NULL) THEN 'pending' ELSE status END,
            CASE WHEN NOT :reset THEN CASE WHEN :mark = '' THEN notes ELSE rtrim(:mark || coalesce(notes, '')) END END,
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
            "first": first,
            "mark": mark,
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
