"""Gates that a phase or step requires: it is held back until the last entry of each of them is `passed`.

An entry counts for what it is about and for all in it: one of a plan for its phases and steps, one of a phase for the
phase and its steps.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from server.db.plans import phases
from server.db.storage.connection import Reader
from server.db.storage.driver import Record, Statement
from server.errors import NotFound
from server.models.base import Row, encode


def _missing(row: str, of: str) -> str:
    """Return the query for the gates of a phase or step `row` that have not passed, of entries `g` that are `of` it."""
    last = f"""
        (SELECT g.status FROM quality_gates g
         WHERE g.plan_id = {row}.plan_id AND g.gate_name = r.value AND {of}
         ORDER BY g.recorded_at DESC, g.gate_id DESC LIMIT 1)
    """
    return f"SELECT r.value FROM json_each({row}.required_gates) r WHERE {last} IS NOT 'passed'"


OF_PHASE = _missing("p", "g.step_id IS NULL AND (g.phase_id IS NULL OR g.phase_id = p.phase_id)")
OF_STEP = _missing(
    "s", "(g.step_id = s.step_id OR (g.step_id IS NULL AND (g.phase_id IS NULL OR g.phase_id = s.phase_id)))"
)
# Conditions on a step `s` and its phase `p`.
PHASE_HELD = f"(p.required_gates <> '[]' AND EXISTS ({OF_PHASE}))"
STEP_HELD = f"(s.required_gates <> '[]' AND EXISTS ({OF_STEP}))"


# Entries that are not stored yet count beside those that are; a step may be in the archive, with its entries.
ENTRY = ("gate_id", "plan_id", "phase_id", "step_id", "gate_name", "status", "recorded_at")
WITH_ENTRIES = f"""
    WITH quality_gates AS (
        SELECT {", ".join(ENTRY)} FROM main.quality_gates{{suffix}} WHERE plan_id IN (
            SELECT plan_id FROM steps{{suffix}} WHERE step_id IN (SELECT value FROM json_each(:ids)))
        UNION ALL SELECT {", ".join(f"value ->> '{name}'" for name in ENTRY)} FROM json_each(:entries)
        WHERE value ->> 'gate_id' NOT IN (SELECT gate_id FROM main.quality_gates{{suffix}}))
    SELECT s.step_id FROM steps{{suffix}} s JOIN phases{{suffix}} p ON p.phase_id = s.phase_id
    WHERE s.step_id IN (SELECT value FROM json_each(:ids)) AND ({PHASE_HELD} OR {STEP_HELD})
"""


class HeldByGates(Row):
    """A phase or step that required gates hold back, and which ones."""

    phase: str
    step_id: str | None = None
    index: int | None = None
    gates: list[str]


def holding(step_id: str) -> Statement:
    """Return the query for the required gates that hold a step back, of its own and of its phase."""
    sql = f"""
        SELECT 'step' AS of, ({OF_STEP.replace("r.value FROM", "json_group_array(r.value) FROM")}) AS gates
        FROM steps s WHERE s.step_id = :step_id AND {STEP_HELD}
        UNION ALL
        SELECT 'phase', ({OF_PHASE.replace("r.value FROM", "json_group_array(r.value) FROM")})
        FROM steps s JOIN phases p ON p.phase_id = s.phase_id WHERE s.step_id = :step_id AND {PHASE_HELD}
    """
    return sql, {"step_id": step_id}


async def held(db: Reader, step_ids: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the steps that required gates hold back, once these entries are recorded too."""
    wanted = {"ids": encode(list(step_ids)), "entries": encode(list(entries))}
    found = [row for suffix in ("", "_archive") for row in await db.all(WITH_ENTRIES.format(suffix=suffix), wanted)]
    return {row["step_id"] for row in found}


def names(rows: Sequence[Record]) -> list[str]:
    """Return the gates that hold a step back, as `holding` finds them."""
    return list(dict.fromkeys(name for row in rows for name in json.loads(row["gates"])))


async def first_behind(db: Reader, step_ids: Sequence[str]) -> Record | None:
    """Return the first of these steps that required gates hold back, its index and text, or None."""
    return await db.one(
        f"""
        SELECT s.step_id, s.order_index, s.task FROM steps s JOIN phases p ON p.phase_id = s.phase_id
        WHERE s.step_id IN (SELECT value FROM json_each(:ids)) AND ({STEP_HELD} OR {PHASE_HELD})
        ORDER BY s.order_index LIMIT 1
        """,
        {"ids": encode(list(step_ids))},
    )


async def of_plan(db: Reader, plan_id: str, *, with_empty: bool = True) -> list[HeldByGates]:
    """Return the phases and steps of a plan that required gates hold back, in order; what is closed is not held.

    Phases in which there is nothing to do, or only what was cancelled, are left out unless `with_empty`.
    """
    rows = await db.all(
        f"""
        SELECT p.name AS phase, NULL AS step_id, NULL AS "index", p.order_index AS place, r.value AS gate
        FROM phases p JOIN json_each(p.required_gates) r
        WHERE p.plan_id = :plan_id AND p.required_gates <> '[]' AND r.value IN ({OF_PHASE})
          AND (:with_empty OR EXISTS (SELECT 1 FROM steps s WHERE s.phase_id = p.phase_id AND s.status <> 'cancelled'))
        UNION ALL
        SELECT p.name, s.step_id, s.order_index, p.order_index, r.value
        FROM steps s JOIN phases p ON p.phase_id = s.phase_id JOIN json_each(s.required_gates) r
        WHERE s.plan_id = :plan_id AND s.required_gates <> '[]' AND s.status NOT IN ('done', 'cancelled')
          AND r.value IN ({OF_STEP})
        ORDER BY place, "index", gate
        """,
        {"plan_id": plan_id, "with_empty": int(with_empty)},
    )
    found: dict[tuple[str, str | None], list[str]] = {}
    places = {(row["phase"], row["step_id"]): row["index"] for row in rows}
    for row in rows:
        found.setdefault((row["phase"], row["step_id"]), []).append(row["gate"])
    return [
        HeldByGates(phase=phase, step_id=step_id, index=places[phase, step_id], gates=gates)
        for (phase, step_id), gates in found.items()
    ]


async def phase_of(db: Reader, plan_id: str, name: str, *, suffix: str) -> str:
    """Return the id of a phase of a plan, live or archived, or raise NotFound."""
    known = await phases.of_plan(db, plan_id, suffix=suffix)
    if found := phases.named(known, name):
        return found.phase_id
    raise NotFound(f"The plan {plan_id} has no phase {name[:80]!r}: it has {', '.join(one.name for one in known)}.")
