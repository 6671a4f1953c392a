"""What is a risk to a program now: steps that are stuck or given up, plans that lag or failed, and circular waiting."""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Node
from server.db.storage.connection import Reader
from server.models.base import encode, later
from server.models.programs import FoundRisk, RiskType

STALE_DAYS = 14  # without a change in an active plan that has open steps
MOST_CYCLES = 20
TASK = 60  # characters of a task in a title
NOTES = 1000
NAMED = 12  # of a cycle
# The first that the notes of a blocked step match tells the kind of the risk.
KINDS: tuple[tuple[re.Pattern[str], RiskType], ...] = (
    (re.compile(r"conflict|breaking[- ]change", re.IGNORECASE), "functional_conflict"),
    (re.compile(r"behaviou?r|regression", re.IGNORECASE), "behavioral_change"),
)
PLANS = """
    SELECT p.plan_id, p.title, p.status, p.updated_at, p.open_steps
    FROM program_plans m JOIN plans p ON p.plan_id = m.plan_id
    WHERE m.program_id = :program_id ORDER BY m.order_index
"""
STEPS = f"""
    SELECT s.step_id, s.task, s.status, s.order_index, s.claimed_by, s.lease_expires_at, p.plan_id, p.title,
        substr(s.notes, 1, {NOTES}) AS notes
    FROM program_plans m
        JOIN plans p ON p.plan_id = m.plan_id AND p.status NOT IN ('completed', 'failed')
        JOIN steps s ON s.plan_id = p.plan_id
    WHERE m.program_id = :program_id
      AND (s.status IN ('blocked', 'failed') OR (s.status = 'active' AND s.lease_expires_at <= :now))
    ORDER BY m.order_index, s.order_index
"""
NAMES = " UNION ALL ".join(
    f"SELECT {kind}_id AS id, {label} AS name FROM {kind}s WHERE {kind}_id IN (SELECT value FROM json_each(:ids))"
    for kind, label in (("program", "title"), ("plan", "title"), ("phase", "name"), ("step", "task"))
)


async def detect(db: Reader, program_id: str) -> tuple[list[FoundRisk], int]:
    """Return what is a risk to a program now, each once, and how many plans were looked at."""
    params = {"program_id": program_id, "now": db.now()}
    plans, steps = await db.batch((PLANS, params), (STEPS, params))
    lagging = later(db.now(), -STALE_DAYS * 86_400)
    waiting: list[Node] = [("program", program_id), *(("plan", row["plan_id"]) for row in plans)]
    cycles = await dependencies.cycles(db, waiting, most=MOST_CYCLES)
    names = await _names(db, cycles)
    risks = [*map(_of_step, steps), *_of_plans(plans, lagging), *(_of_cycle(cycle, names) for cycle in cycles)]
    return list({risk.key: risk for risk in risks}.values()), len(plans)


def _of_step(step: Any) -> FoundRisk:
    key, task, plan = f"step {step['step_id']}", step["task"][:TASK], step["title"]
    where = f"{step['step_id']} (index {step['order_index']}) of {step['plan_id']}"
    if step["status"] == "active":
        held = f"held by {step['claimed_by']}, whose lease ran out at {step['lease_expires_at']}"
        return FoundRisk(
            f"lease {step['step_id']}", f"Abandoned: {task} ({plan})", f"{where} is {held}", "schedule_risk", "medium",
            step["plan_id"],
        )  # fmt: skip
    notes = step["notes"] or ""
    told = f"{where} is {step['status']}{': ' + notes if notes else ''}"
    severity = "high" if step["status"] == "failed" else "medium"
    return FoundRisk(key, f"{step['status'].title()}: {task} ({plan})", told, _kind(notes), severity, step["plan_id"])


def _kind(notes: str) -> RiskType:
    for pattern, kind in KINDS:
        if pattern.search(notes):
            return kind
    return "dependency_risk"


def _of_plans(plans: Sequence[Any], lagging: str) -> Iterator[FoundRisk]:
    for plan in plans:
        plan_id, title = plan["plan_id"], plan["title"]
        if plan["status"] in ("failed", "blocked"):
            told = f"The plan {plan_id} is {plan['status']}"
            severity = "high" if plan["status"] == "failed" else "medium"
            yield FoundRisk(
                f"plan {plan_id}", f"Plan {plan['status']}: {title}", told, "dependency_risk", severity, plan_id
            )
        elif plan["status"] == "active" and plan["open_steps"] and plan["updated_at"] <= lagging:
            told = f"The plan {plan_id} has open steps, and nothing in it changed since {plan['updated_at']}"
            yield FoundRisk(f"overdue {plan_id}", f"Overdue: {title}", told, "schedule_risk", "medium", plan_id)


def _of_cycle(cycle: Sequence[Node], names: dict[str, str]) -> FoundRisk:
    among = sorted({node_id for _, node_id in cycle})
    key = f"cycle {blake2b(' '.join(among).encode(), digest_size=8).hexdigest()}"
    path = [f"{kind} {names.get(node_id, '')!r} ({node_id})" for kind, node_id in cycle]
    path = path if len(path) <= NAMED else [*path[: NAMED // 2], "...", *path[-NAMED // 2 :]]
    told = f"Nothing of this can ever go on: {' waits for '.join(path)}"
    return FoundRisk(
        key, f"Waits in a circle: {len(among)} things, {among[0]} first", told, "dependency_risk", "critical"
    )


async def _names(db: Reader, cycles: Sequence[Sequence[Node]]) -> dict[str, str]:
    ids = sorted({node_id for cycle in cycles for _, node_id in cycle})
    rows = await db.all(NAMES, {"ids": encode(ids)}) if ids else []
    return {row["id"]: row["name"][:TASK] for row in rows}
