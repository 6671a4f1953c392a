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
from server.db.storage.driver import Record
from server.models.base import encode
from server.models.steps import CLOSED, CONFIRM_BEFORE_ACTIVE, CONFIRM_BEFORE_DONE

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


async def held_columns(db: Reader, stage: Stage, table: str, moved: Moved) -> dict[str, frozenset[str]]:
    """Return the columns of rows that stay as they are here."""
    if table not in FLAGS:
        return {}
    bars = await barred(db, stage, table, moved)
    places = await {"steps": _of_places, "phases": _of_order}.get(table, _of_nothing)(db, stage, moved)
    return {
        key: held(table, new, live, bars.get(key, NONE)) | places.get(key, NONE) for key, (new, live) in moved.items()
    }


async def held_rows(db: Reader, table: str, live: Mapping[str, Columns]) -> set[str]:
    """Return which of these rows are gates that hold something, or what leads to one."""
    if table == "steps":
        own = [key for key, row in live.items() if _is_gate(row) and row["status"] not in CLOSED]
        return set(own) - await gates.confirmed(db, own) if own else set()
    if table == "phases":
        of_plans = [await gates.phases(db, plan_id) for plan_id in {row["plan_id"] for row in live.values()}]
        return {gate for phases in of_plans for gate, later in _gates_in_order(phases).items() if later} & live.keys()
    if table == "dependencies":
        ends = {key: (row["target_type"], row["target_id"]) for key, row in live.items() if _waits(row)}
        found = await gates.holding(db, list(dict.fromkeys(ends.values())))
        return {key for key, end in ends.items() if found[end]}
    return set()


def _waits(edge: Columns) -> bool:
    return edge["dep_type"] == "blocks" and edge["dep_status"] == "pending"


def _gates_in_order(phases: Mapping[str, Record]) -> dict[str, list[str]]:
    """Return the gates among the phases of a plan, each with the later phases that have open steps."""
    return {
        gate_id: [
            later_id
            for later_id, later in phases.items()
            if later["order_index"] > gate["order_index"] and later["is_open"]
        ]
        for gate_id, gate in phases.items()
        if gate["is_gate"]
    }


async def _of_nothing(db: Reader, stage: Stage, moved: Moved) -> dict[str, frozenset[str]]:
    del db, stage, moved
    return {}


async def _of_places(db: Reader, stage: Stage, moved: Moved) -> dict[str, frozenset[str]]:
    """Return the steps that would leave a phase for one which fewer gates hold."""
    del stage
    pairs = {key: (new["phase_id"], live["phase_id"]) for key, (new, live) in moved.items() if live["status"] != "done"}
    moving = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    nodes = [(kind, phase_id) for pair in moving.values() for phase_id in pair for kind in ("behind", "phase*")]
    found = await gates.holding(db, list(dict.fromkeys(nodes)))

    def around(phase_id: str) -> set[str]:
        return found["behind", phase_id] | found["phase*", phase_id]

    return {key: frozenset({"phase_id"}) for key, (new, old) in moving.items() if around(old) - around(new)}


async def _of_order(db: Reader, stage: Stage, moved: Moved) -> dict[str, frozenset[str]]:
    """Return the phases of plans in which one would no longer be behind a gate that holds it."""
    turned = {live["plan_id"] for new, live in moved.values() if new["order_index"] != live["order_index"]}
    sql = "SELECT row_key, base ->> 'order_index' AS place FROM rows WHERE table_name = 'phases' AND plan_id = :plan_id"
    held_plans: set[str] = set()
    for plan_id in turned:
        order = {row["row_key"]: row["place"] for row in stage.query(sql, {"plan_id": plan_id})}
        behind = _gates_in_order(await gates.phases(db, plan_id))
        pairs = [(order.get(gate), order.get(one)) for gate, later in behind.items() for one in later]
        if any(gate is not None and one is not None and gate >= one for gate, one in pairs):
            held_plans.add(plan_id)
    return {key: frozenset({"order_index"}) for key, (_, live) in moved.items() if live["plan_id"] in held_plans}


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
