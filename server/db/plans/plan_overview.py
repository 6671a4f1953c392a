"""What a plan looks like as a whole: reads over the tables that hang on it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from server.db.plans import phases
from server.db.plans.plans import IS_SHOWN
from server.db.steps import steps
from server.db.storage.connection import Reader
from server.db.storage.driver import Record, Statement
from server.models.base import as_dict, shown
from server.models.plans import OpenClaim, PhaseProgress, Plan
from server.models.steps import CLOSED, OPEN, StepBrief

BEFORE, AFTER = 2, 8  # steps shown around the first open one

# What can be read of a plan besides its phases and steps, newest first.
PARTS = {
    "sessions": """
        SELECT session_id, agent, status, started_at, completed_at, summary FROM sessions{suffix}
        WHERE plan_id = :plan_id ORDER BY started_at DESC, session_id DESC
    """,
    "lineage": """
        SELECT lineage_id, session_id, from_agent, to_agent, reason, data, created_at FROM lineage{suffix}
        WHERE plan_id = :plan_id ORDER BY created_at DESC, lineage_id DESC
    """,
    "notes": """
        SELECT note_id, note, note_type, deliver_to, added_by, created_at, acknowledged_by FROM plan_notes{suffix}
        WHERE plan_id = :plan_id ORDER BY created_at DESC, note_id DESC
    """,
    "context": """
        SELECT item_id, type, tags, version, updated_at FROM context_items{suffix}
        WHERE parent_type = 'plan' AND parent_id = :plan_id AND (expires_at IS NULL OR expires_at > :now)
        ORDER BY updated_at DESC, item_id DESC
    """,
    "dependencies": """
        SELECT source_type, source_id, target_type, target_id, dep_type, dep_status FROM dependencies{suffix}
        WHERE (source_type = 'plan' AND source_id = :plan_id) OR (target_type = 'plan' AND target_id = :plan_id)
        ORDER BY dependency_id DESC
    """,
}
SHOWN = {"data": json.loads, "tags": json.loads}

NEAR = "s.step_id, s.phase_id, s.order_index, s.task, s.status, s.type, s.assignee, s.claimed_by, s.lease_expires_at"
STANDING = f"""
    WITH place AS (
        SELECT min(order_index) AS first_open FROM steps{{suffix}}
        WHERE plan_id = :plan_id AND status IN ('pending', 'active', 'blocked', 'failed')
    ),
    near AS (
        SELECT {NEAR}, 0 AS held FROM steps{{suffix}} s JOIN place
        WHERE s.plan_id = :plan_id AND s.order_index >= place.first_open - {BEFORE}
          AND (s.order_index < place.first_open OR s.status NOT IN ('done', 'cancelled'))
        ORDER BY s.order_index LIMIT {BEFORE + AFTER}
    ),
    held AS (
        SELECT {NEAR}, 1 AS held FROM steps{{suffix}} s
        WHERE s.plan_id = :plan_id AND s.status = 'active' AND s.claimed_by IS NOT NULL AND s.lease_expires_at > :now
    )
    SELECT {steps.BRIEF}, s.held, CASE WHEN s.held THEN h.agent END AS agent
    FROM (SELECT * FROM near UNION ALL SELECT * FROM held) s
        JOIN phases{{suffix}} p ON p.phase_id = s.phase_id
        LEFT JOIN sessions h ON h.session_id = s.claimed_by
    ORDER BY s.held, s.order_index
"""
# An index finds the first step of each status; by all of them at once it would go through every step before it.
FIRST_OPEN = f"""
    SELECT {steps.BRIEF}
    FROM steps s JOIN phases p ON p.phase_id = s.phase_id
    WHERE s.plan_id = :plan_id AND s.order_index = (
        SELECT min(place) FROM ({
    " UNION ALL ".join(
        f"SELECT min(order_index) AS place FROM steps WHERE plan_id = :plan_id AND status = '{status}'"
        for status in OPEN
    )
})
    )
"""
ALL_STEPS = f"""
    SELECT {steps.WHOLE}, c.confirmed_by, c.via AS confirmed_via
    FROM steps{{suffix}} s
        JOIN phases{{suffix}} p ON p.phase_id = s.phase_id
        LEFT JOIN confirmations{{suffix}} c ON c.step_id = s.step_id
    WHERE s.plan_id = :plan_id ORDER BY s.order_index
"""
WAITS = """
    SELECT target_id FROM dependencies{suffix}
    WHERE source_type = 'plan' AND source_id = :plan_id AND dep_type = 'blocks' AND dep_status = 'pending'
    ORDER BY dependency_id
"""


@dataclass(frozen=True)
class Overview:
    """A plan and where it stands: the steps around its first open one and who holds what, or every step."""

    plan: Plan
    progress: list[Record]  # of its phases
    current_phase: str | None
    near: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])  # steps, as results tell them
    claims: list[OpenClaim] = field(default_factory=list[OpenClaim])
    every: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    parts: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    waiting_for: list[str] = field(default_factory=list[str])

    @cached_property
    def phases(self) -> list[PhaseProgress]:
        return [PhaseProgress.of(row) for row in self.progress]

    @cached_property
    def steps(self) -> list[StepBrief]:
        return [StepBrief.model_validate(step) for step in self.near]


def suffix_of(plan: Plan) -> str:
    """Return what the names of the tables that hold a plan end in."""
    return "_archive" if plan.archived_at else ""


async def read(db: Reader, plan_id: str, wanted: Collection[str] = ()) -> Overview | None:
    """Return a plan, live or archived, in one hop for a live one. `wanted` names PARTS, and `steps` for every step."""
    return await _read(db, plan_id, wanted, "") or await _read(db, plan_id, wanted, "_archive")


async def _read(db: Reader, plan_id: str, wanted: Collection[str], suffix: str) -> Overview | None:
    params = {"plan_id": plan_id, "now": db.now()}
    names = [name for name in PARTS if name in wanted]
    # Some of what belongs to an archived plan is in the live tables: sessions at work, and what waits for it.
    suffixes = list(dict.fromkeys(("", suffix)))
    statements: list[Statement] = [
        (f"SELECT * FROM plans{suffix} WHERE plan_id = :plan_id AND {IS_SHOWN.format(f'plans{suffix}')}", params),
        (phases.PROGRESS.format(suffix=suffix), params),
        ((ALL_STEPS if "steps" in wanted else STANDING).format(suffix=suffix), params),
        (WAITS.format(suffix=suffix), params),
        *((PARTS[name].format(suffix=end), params) for name in names for end in suffixes),
    ]
    plan, progress, of_plan, waits, *more = await db.batch(*statements)
    if not plan:
        return None
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number, rows in enumerate(more):
        found[names[number // len(suffixes)]] += shown(rows, SHOWN)
    seen = (_whole if "steps" in wanted else _brief)(Plan.of(plan[0]), progress, of_plan, found)
    return replace(seen, waiting_for=[row["target_id"] for row in waits])


def _brief(
    plan: Plan, progress: list[Record], rows: list[Record], parts: Mapping[str, list[dict[str, Any]]]
) -> Overview:
    near = shown([row for row in rows if not row["held"]], {"held": bool})
    current = next((step["phase"] for step in near if step["status"] not in CLOSED), None)
    claims = [OpenClaim.of(row) for row in rows if row["held"]]
    return Overview(plan, progress, current, near, claims, parts=parts)


def _whole(
    plan: Plan, progress: list[Record], rows: list[Record], parts: Mapping[str, list[dict[str, Any]]]
) -> Overview:
    every = shown(rows, steps.SHOWN)
    current = next((step["phase"] for step in every if step["status"] not in CLOSED), None)
    return Overview(plan, progress, current, every=every, parts=parts)


async def first_open(db: Reader, plan_id: str) -> StepBrief | None:
    """Return the first open step of a live plan."""
    row = await db.one(FIRST_OPEN, {"plan_id": plan_id})
    return StepBrief.model_validate(as_dict(row)) if row else None


async def open_claims(
    db: Reader, plan_id: str, *, phase_id: str | None = None, step_id: str | None = None
) -> list[OpenClaim]:
    """Return the live claims on steps of a plan, of one phase, or on one step."""
    rows = await db.all(
        """
        SELECT s.step_id, s.order_index AS "index", s.claimed_by, s.lease_expires_at, h.agent
        FROM steps s LEFT JOIN sessions h ON h.session_id = s.claimed_by
        WHERE s.plan_id = :plan_id AND s.status = 'active' AND s.claimed_by IS NOT NULL AND s.lease_expires_at > :now
          AND (:phase_id IS NULL OR s.phase_id = :phase_id) AND (:step_id IS NULL OR s.step_id = :step_id)
        ORDER BY s.order_index
        """,
        {"plan_id": plan_id, "phase_id": phase_id, "step_id": step_id, "now": db.now()},
    )
    return [OpenClaim.of(row) for row in rows]
