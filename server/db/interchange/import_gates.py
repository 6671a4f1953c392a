"""Gates that hold here: an import, whose source anybody may write to, neither takes one away nor opens it.

What a row may become is what the tools would let it: whoever knows of the gate, nobody said here that it is open.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from server.db.gates import gates
from server.db.interchange.scratch import Stage
from server.db.ledger import required_gates
from server.db.storage.connection import Reader
from server.models.base import encode
from server.models.steps import CONFIRM_BEFORE_ACTIVE, CONFIRM_BEFORE_DONE

FLAGS = {
    "plans": ("phase_gates",),
    "phases": ("approval_required",),
    "steps": ("requires_confirmation", "requires_user_confirmation"),
}
TYPES = (*CONFIRM_BEFORE_DONE, *CONFIRM_BEFORE_ACTIVE)
LISTS = "required_gates"
NONE: frozenset[str] = frozenset()
# The statuses that a gate may bar, and the columns that stay with a status.
BARRED = {"plans": ("completed",), "steps": ("active", "done", "cancelled")}
STATUS = {
    "plans": frozenset({"status", "completed_at"}),
    "steps": frozenset({"status", "completed_at", "completed_by"}),
}
OPEN_STEPS = " UNION ALL ".join(
    f"""
    SELECT plan_id, step_id FROM steps{suffix}
    WHERE plan_id IN (SELECT value FROM json_each(:plans)) AND status NOT IN ('done', 'cancelled')
    """
    for suffix in ("", "_archive")
)

Columns = dict[str, Any]
Moved = Mapping[str, tuple[Columns, Columns]]  # what the source says of a row, and what is here, by its key


def held(table: str, new: Columns, live: Columns, barred: frozenset[str] = NONE) -> frozenset[str]:
    """Return the columns of a row that stay as they are here, `barred` being what gates bar it from becoming."""
    names = {name for name in FLAGS.get(table, ()) if live[name] and not new.get(name)}
    if table == "steps" and live["type"] in TYPES and new.get("type") != live["type"]:
        names.add("type")
    if LISTS in new and set(json.loads(live[LISTS])) - set(json.loads(new[LISTS])):
        names.add(LISTS)
    return frozenset(names) | (STATUS[table] if new.get("status") in barred else NONE)


async def barred(db: Reader, stage: Stage, table: str, moved: Moved) -> dict[str, frozenset[str]]:
    """Return the statuses that gates of this database bar rows from."""
    entering = {key: live for key, (new, live) in moved.items() if table in BARRED and _enters(table, new, live)}
    if not entering:
        return {}
    if table == "steps":
        return await _of_steps(db, stage, entering)
    behind = await gates.holding(db, [("plan", plan_id) for plan_id in entering])
    held_plans = {plan_id for (_, plan_id), found in behind.items() if found} | await _required(db, stage, entering)
    return dict.fromkeys(held_plans, frozenset(BARRED[table]))


def _enters(table: str, new: Columns, live: Columns) -> bool:
    """Return whether a row would become what a gate may bar it from; one that is done is behind its gates."""
    return live["status"] not in ("done", new["status"]) and new["status"] in BARRED[table]


async def _required(db: Reader, stage: Stage, entering: Mapping[str, Columns]) -> set[str]:
    """Return the plans with open steps that required gates hold back."""
    rows = await db.all(OPEN_STEPS, {"plans": encode(list(entering))})
    of_steps = {row["step_id"]: row["plan_id"] for row in rows}
    found = await required_gates.held(db, list(of_steps), _entries(stage, entering))
    return {of_steps[step_id] for step_id in found}


async def _of_steps(db: Reader, stage: Stage, entering: Mapping[str, Columns]) -> dict[str, frozenset[str]]:
    behind = await gates.holding(db, [("step", step_id) for step_id in entering])
    confirmed = await gates.confirmed(db, entering)
    required = await required_gates.held(db, list(entering), _entries(stage, entering))
    found: dict[str, frozenset[str]] = {}
    for step_id, live in entering.items():
        is_held = bool(behind["step", step_id] - {step_id}) or step_id in required
        names = {"active", "done"} if is_held else set[str]()
        if _is_gate(live) and step_id not in confirmed:
            names |= {"done", "cancelled", *(["active"] if live["type"] in CONFIRM_BEFORE_ACTIVE else [])}
        found[step_id] = frozenset(names)
    return found


def _is_gate(live: Columns) -> bool:
    return live["type"] in TYPES or any(live[name] for name in FLAGS["steps"])


def _entries(stage: Stage, entering: Mapping[str, Columns]) -> Sequence[Columns]:
    """Return the entries of gates that come with the steps: what a source records is evidence, and no human's word."""
    sql = "SELECT base FROM rows WHERE table_name = 'quality_gates' AND plan_id = :plan_id"
    plans = {live["plan_id"] for live in entering.values()}
    return [json.loads(row["base"]) for plan_id in plans for row in stage.query(sql, {"plan_id": plan_id})]
