"""Claims on steps: who holds what until when, which step is eligible, and why the others are not.

A step is eligible when nothing below gives a reason against it. `claim_token` is the fence: it grows with every claim
and never shrinks, so a holder that lost its claim can be told from the one that has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.db.audit import events
from server.db.ledger.budgets import EXHAUSTED
from server.db.ledger.required_gates import PHASE_HELD, STEP_HELD
from server.db.steps import step_workers
from server.db.storage.connection import Reader, Transaction
from server.db.storage.list_totals import COUNTED, counting
from server.models.base import encode, later
from server.models.events import RAN_OUT, Event
from server.models.plans import Plan
from server.models.steps import OPEN, StepRow

# What a plan as a whole has to say: its status, what it or its program waits for, and the first phase that awaits
# approval, behind which nothing is eligible.
RANK = "CASE l.priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END"
GATE = """
    (SELECT min(g.order_index) FROM phases g
     WHERE g.plan_id = l.plan_id AND (g.approval_required = 1 OR l.phase_gates = 1)
       AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.phase_id = g.phase_id))
"""
WAITS = """
    EXISTS (SELECT 1 FROM dependencies d
            WHERE d.dep_type = 'blocks' AND d.dep_status = 'pending' AND (
                (d.source_type = 'plan' AND d.source_id = l.plan_id)
                OR (d.source_type = 'program' AND d.source_id = l.program_id)))
"""
SCOPE = f"""
    WITH scope AS (
        SELECT l.plan_id, l.status, {GATE} AS gate, {WAITS} AS waits, {EXHAUSTED} AS budget
        FROM plans l WHERE l.plan_id = :plan_id
    )
"""

IS_HELD = "s.status = 'active' AND s.claimed_by IS NOT NULL AND s.lease_expires_at > :now"

# Why a step is not eligible, or NULL. The names in braces stand for what scope says of its plan, and for gates.
_REASON = """
    CASE
    WHEN {l_status} <> 'active' THEN 'plan_' || {l_status}
    WHEN s.status IN ('blocked', 'failed') THEN s.status
    WHEN {is_held} THEN 'held'
    WHEN s.waits_for > 0 THEN 'dependency'
    WHEN {l_waits} THEN 'plan_dependency'
    WHEN {l_budget} THEN 'budget'
    WHEN EXISTS (SELECT 1 FROM dependencies d WHERE d.source_type = 'phase' AND d.source_id = s.phase_id
                 AND d.dep_type = 'blocks' AND d.dep_status = 'pending') THEN 'phase_dependency'
    WHEN p.order_index > {l_gate} THEN 'phase_confirmation'
    WHEN {phase_held} THEN 'phase_gates'
    WHEN {step_held} THEN 'gates'
    WHEN s.type = 'critical' AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.step_id = s.step_id)
        THEN 'confirmation'
    WHEN :types <> '[]' AND s.type NOT IN (SELECT value FROM json_each(:types)) THEN 'other_type'
    WHEN :names <> '[]' AND s.assignee IS NOT NULL
        AND lower(s.assignee) NOT IN (SELECT lower(value) FROM json_each(:names)) THEN 'other_assignee'
    END
"""
_HELD = {"is_held": IS_HELD, "phase_held": PHASE_HELD, "step_held": STEP_HELD}
_OF_ROW = {f"l_{name}": f"l.{name}" for name in ("status", "waits", "gate", "budget")}
_OF_PLAN = {f"l_{name}": f"(SELECT {name} FROM scope)" for name in ("status", "waits", "gate", "budget")}
REASON = _REASON.format(**_OF_ROW, **_HELD)
REASON_IN_PLAN = _REASON.format(**_OF_PLAN, **_HELD)

# The two branches repeat parts of REASON, so that each of them walks an index.
FREE = "s.status = 'pending' AND s.waits_for = 0"
LOST = "s.status = 'active' AND (s.claimed_by IS NULL OR s.lease_expires_at <= :now)"

# Of one plan, each branch stops at the first ones in the order of the index.
_BRANCH = f"""
    SELECT * FROM (
        SELECT s.*, p.name AS phase FROM steps s JOIN phases p ON p.phase_id = s.phase_id
        WHERE s.plan_id = :plan_id AND s.order_index > :index AND {{state}} AND ({REASON_IN_PLAN}) IS NULL
        ORDER BY s.order_index LIMIT :limit
    )
"""
CANDIDATES_IN_PLAN = " UNION ALL ".join(_BRANCH.format(state=state) for state in (FREE, LOST))

# For somebody: what is assigned to others, however much it is, is not looked at.
NAMES = 3
_NAMED = ("''", *(f"lower(:names ->> {place})" for place in range(NAMES)))
CANDIDATES_FOR = " UNION ALL ".join(
    _BRANCH.format(state=state)
    for state in (
        *(f"{FREE} AND lower(coalesce(s.assignee, '')) = {name}" for name in _NAMED),
        LOST,
    )
)

# The many steps that wait for others are counted in their index; the reason of each of the rest is looked at.
WAITING_COUNTS = f"""
    {SCOPE}
    SELECT reason, sum(number) AS number FROM (
        SELECT {REASON_IN_PLAN} AS reason, 1 AS number FROM steps s JOIN phases p ON p.phase_id = s.phase_id
        WHERE s.plan_id = :plan_id AND s.status IN ('active', 'blocked', 'failed')
        UNION ALL
        SELECT {REASON_IN_PLAN}, 1 FROM steps s JOIN phases p ON p.phase_id = s.phase_id
        WHERE s.plan_id = :plan_id AND {FREE}
        UNION ALL
        SELECT CASE WHEN (SELECT status FROM scope) = 'active' THEN 'dependency'
            ELSE 'plan_' || (SELECT status FROM scope) END, count(*)
        FROM steps s WHERE s.plan_id = :plan_id AND s.status = 'pending' AND s.waits_for > 0
    )
    WHERE reason IS NOT NULL AND number > 0 GROUP BY reason ORDER BY number DESC, reason
"""
FIRST_WAITING = (
    SCOPE
    + " UNION ALL ".join(
        f"""
        SELECT * FROM (
            SELECT s.*, p.name AS phase, {REASON_IN_PLAN} AS reason
            FROM steps s JOIN phases p ON p.phase_id = s.phase_id
            WHERE s.plan_id = :plan_id AND s.status = '{status}' AND ({REASON_IN_PLAN}) IS NOT NULL
            ORDER BY s.order_index LIMIT :first
        )
        """
        for status in OPEN
    )
    + " ORDER BY order_index LIMIT :first"
)

HELD = """
    SELECT s.*, p.name AS phase FROM steps s
        JOIN phases p ON p.phase_id = s.phase_id JOIN plans l ON l.plan_id = s.plan_id
    WHERE s.claimed_by = :actor AND s.status = 'active'
      AND (:plan_id IS NULL OR s.plan_id = :plan_id)
      AND (:workspace_id IS NULL OR l.workspace_id = :workspace_id)
    ORDER BY s.plan_id, s.order_index
"""

ELIGIBLE_IN_PLAN = f"{SCOPE} {CANDIDATES_IN_PLAN} ORDER BY order_index LIMIT :limit"
ELIGIBLE_FOR = f"{SCOPE} {CANDIDATES_FOR} ORDER BY order_index LIMIT :limit"
COUNT_IN_PLAN = f"{SCOPE} SELECT count(*) FROM (SELECT * FROM ({CANDIDATES_IN_PLAN}) LIMIT :limit)"

# Of a whole workspace: its plans in the order of an index, and of each the steps that may be free. What is true of a
# plan as a whole is looked at once for each, and REASON only at what is special in a step.
PLACE = ("rank", "plan_created_at", "plan_id", "order_index")
ORDER = f"{RANK}, l.created_at, l.plan_id, s.order_index"
READY = f"""
    FROM plans l
        JOIN steps s ON s.plan_id = l.plan_id AND s.status IN ('pending', 'active') AND s.waits_for = 0
        JOIN phases p ON p.phase_id = s.phase_id
    WHERE l.workspace_id = :workspace_id AND l.status = 'active' AND NOT {WAITS} AND NOT {EXHAUSTED}
      AND ({_REASON.format(l_status="l.status", l_waits="0", l_gate=GATE, l_budget="0", **_HELD)}) IS NULL
"""
READY_PAGE = f"""
    SELECT s.*, p.name AS phase, {RANK} AS rank, l.created_at AS plan_created_at {READY}
      AND ({ORDER}) > (:rank, :plan_created_at, :plan_id, :order_index)
    ORDER BY {ORDER} LIMIT :limit
"""
# The plans in which nothing can begin and nobody is at work.
STALLED = f"""
    SELECT * FROM plans l
    WHERE l.workspace_id = :workspace_id AND l.status = 'active' AND l.open_steps > 0
      AND l.plan_id NOT IN (SELECT l.plan_id {READY})
      AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.plan_id = l.plan_id AND {IS_HELD})
    ORDER BY {RANK}, l.created_at, l.plan_id LIMIT :limit
"""


@dataclass(frozen=True)
class StepFilter:
    """Which steps a caller can take: of some types, and assigned to nobody or to one of up to NAMES names.

    Without names it does not matter whom they are assigned to.
    """

    types: Sequence[str] = ()
    names: Sequence[str] = ()


ANY = StepFilter()


def _params(db: Reader, wanted: StepFilter, **more: Any) -> dict[str, Any]:
    return {"now": db.now(), "types": encode(list(wanted.types)), "names": encode(list(wanted.names)), **more}


async def eligible_in_plan(db: Reader, plan_id: str, *, limit: int, wanted: StepFilter = ANY) -> list[StepRow]:
    """Return the first eligible steps of a plan, in order."""
    query = ELIGIBLE_FOR if wanted.names else ELIGIBLE_IN_PLAN
    rows = await db.all(query, _params(db, wanted, plan_id=plan_id, index=-1, limit=limit))
    return [StepRow.of(row) for row in rows]


async def ready_in_plan(db: Reader, plan_id: str, *, after: int, limit: int) -> tuple[list[StepRow], int]:
    """Return the eligible steps of a plan behind the index `after`, and how many there are, up to COUNTED + 1."""
    rows, [(total,)] = await db.batch(
        (ELIGIBLE_IN_PLAN, _params(db, ANY, plan_id=plan_id, index=after, limit=limit)),
        (COUNT_IN_PLAN, _params(db, ANY, plan_id=plan_id, index=-1, limit=COUNTED + 1)),
    )
    return [StepRow.of(row) for row in rows], total


async def ready(
    db: Reader, workspace_id: str, *, after: Sequence[str | int] | None, limit: int
) -> tuple[list[tuple[StepRow, list[str | int]]], int]:
    """Return eligible steps of a workspace, each with its place in the list, and how many there are, up to COUNTED + 1.

    They come by priority of their plan, its age, and position.
    """
    params = _ready_params(db, workspace_id, after, limit)
    rows, [(total,)] = await db.batch((READY_PAGE, params), (counting(READY), params))
    return [(StepRow.of(row), [row[name] for name in PLACE]) for row in rows], total


async def first_ready(db: Reader, workspace_id: str, *, limit: int, wanted: StepFilter = ANY) -> list[StepRow]:
    """Return the steps of a workspace that `ready` begins with."""
    rows = await db.all(READY_PAGE, _ready_params(db, workspace_id, None, limit, wanted))
    return [StepRow.of(row) for row in rows]


async def stalled(db: Reader, workspace_id: str, *, limit: int) -> list[Plan]:
    """Return active plans with open steps of which none can be claimed, and none is: by priority and age."""
    rows = await db.all(STALLED, _params(db, ANY, workspace_id=workspace_id, limit=limit))
    return [Plan.of(row) for row in rows]


def _ready_params(
    db: Reader, workspace_id: str, after: Sequence[str | int] | None, limit: int, wanted: StepFilter = ANY
) -> dict[str, Any]:
    place = dict(zip(PLACE, after or (-1, "", "", -1), strict=True))
    return _params(db, wanted, workspace_id=workspace_id, limit=limit, **place)


async def reason(db: Reader, step: StepRow) -> str | None:
    """Return why this open step cannot be claimed, as a code, or None."""
    return await db.value(
        f"""
        {SCOPE}
        SELECT {REASON} FROM scope l
            JOIN steps s ON s.step_id = :step_id JOIN phases p ON p.phase_id = s.phase_id
        """,
        _params(db, ANY, plan_id=step.plan_id, step_id=step.step_id),
    )


async def gate(db: Reader, plan_id: str) -> str | None:
    """Return the name of the first phase of a plan that awaits approval, or None."""
    return await db.value(
        f"""
        SELECT p.name FROM plans l JOIN phases p ON p.plan_id = l.plan_id
        WHERE l.plan_id = :plan_id AND p.order_index = {GATE}
        """,
        {"plan_id": plan_id},
    )


@dataclass(frozen=True)
class NothingEligible:
    """Why no step of a plan is eligible: how many steps for each reason, and the first ones with theirs."""

    counts: dict[str, int]
    first: list[tuple[StepRow, str]]


async def waiting(db: Reader, plan_id: str, *, first: int, wanted: StepFilter = ANY) -> NothingEligible:
    params = _params(db, wanted, plan_id=plan_id, first=first)
    counts, rows = await db.batch((WAITING_COUNTS, params), (FIRST_WAITING, params))
    return NothingEligible(
        {row["reason"]: row["number"] for row in counts}, [(StepRow.of(row), row["reason"]) for row in rows]
    )


async def held(db: Reader, actor: str, *, workspace_id: str | None = None, plan_id: str | None = None) -> list[StepRow]:
    """Return the steps an actor has claimed and nobody has taken from it since, in plan order."""
    rows = await db.all(HELD, {"actor": actor, "plan_id": plan_id, "workspace_id": workspace_id})
    return [StepRow.of(row) for row in rows]


async def counts(db: Reader) -> tuple[int, int]:
    """Return how many claims are open, and of how many the lease ran out."""
    row = await db.one(
        """
        SELECT count(*) FILTER (WHERE lease_expires_at > :now), count(*) FILTER (WHERE lease_expires_at <= :now)
        FROM steps WHERE status = 'active' AND claimed_by IS NOT NULL
        """,
        {"now": db.now()},
    )
    return (row[0], row[1]) if row else (0, 0)


async def take(tx: Transaction, step: StepRow, actor: str, lease_seconds: int, *, forced: bool = False) -> StepRow:
    """Give the step to `actor` until the lease ends. The caller has checked that it may have it."""
    lost_by = step.claimed_by if step.claimed_by != actor else None
    row = await tx.one(
        """
        UPDATE steps SET status = 'active', claimed_by = :actor, claim_token = claim_token + 1,
            lease_expires_at = :until, updated_at = :now, version = version + 1,
            notes = CASE WHEN :note IS NULL THEN notes ELSE coalesce(notes || char(10), '') || :note END
        WHERE step_id = :step_id
        RETURNING *, (SELECT name FROM phases WHERE phase_id = steps.phase_id) AS phase
        """,
        {
            "actor": actor,
            "until": later(tx.now(), lease_seconds),
            "now": tx.now(),
            "note": _loss_note(tx.now(), lost_by, actor, forced=forced) if lost_by else None,
            "step_id": step.step_id,
        },
    )
    assert row is not None  # the caller read the step in this transaction
    claimed = StepRow.of(row)
    await step_workers.record(tx, claimed, tx.origin.agent)
    kind = "step_taken_over" if forced and lost_by else "step_reclaimed" if lost_by else "step_claimed"
    data = {"claimed_by": actor, "claim_token": claimed.claim_token, **({"lost_by": lost_by} if lost_by else {})}
    _log(tx, claimed, kind, data)
    return claimed


async def renew(tx: Transaction, step: StepRow, lease_seconds: int) -> StepRow:
    """Let a claim live on for `lease_seconds` from now; its token stays."""
    row = await tx.one(
        """
        UPDATE steps SET lease_expires_at = :until, updated_at = :now WHERE step_id = :step_id
        RETURNING *, (SELECT name FROM phases WHERE phase_id = steps.phase_id) AS phase
        """,
        {"until": later(tx.now(), lease_seconds), "now": tx.now(), "step_id": step.step_id},
    )
    assert row is not None  # the caller read the step in this transaction
    renewed = StepRow.of(row)
    ran_out = {RAN_OUT: True} if step.lease_expires_at and step.lease_expires_at <= tx.now() else {}
    _log(tx, renewed, "lease_renewed", {"lease_expires_at": renewed.lease_expires_at, **ran_out})
    return renewed


async def release(tx: Transaction, held: Sequence[StepRow], *, reason: str) -> list[StepRow]:
    """Release claims: their steps are pending again."""
    where = "step_id IN (SELECT value FROM json_each(:ids)) AND status = 'active'"
    return await _release(tx, where, {"ids": _ids(held)}, reason, note=None) if held else []


async def release_plan(tx: Transaction, plan_id: str, *, reason: str) -> list[StepRow]:
    """Release every claim on the steps of a plan."""
    where = "plan_id = :plan_id AND status = 'active' AND claimed_by IS NOT NULL"
    return await _release(tx, where, {"plan_id": plan_id}, reason, note=None)


async def reclaim_expired(tx: Transaction, plan_id: str) -> list[StepRow]:
    """Make the steps of a plan whose lease ran out pending again, with a note and an event each."""
    note = f"[{tx.now()}] the lease ran out; the step is free again"
    where = "plan_id = :plan_id AND status = 'active' AND claimed_by IS NOT NULL AND lease_expires_at <= :now"
    return await _release(tx, where, {"plan_id": plan_id}, "the lease ran out", note=note)


async def _release(tx: Transaction, where: str, params: dict[str, Any], why: str, *, note: str | None) -> list[StepRow]:
    rows = await tx.all(
        f"""
        UPDATE steps SET status = 'pending', claimed_by = NULL, lease_expires_at = NULL, updated_at = :now,
            version = version + 1,
            notes = CASE WHEN :note IS NULL THEN notes ELSE coalesce(notes || char(10), '') || :note END
        WHERE {where}
        RETURNING *, (SELECT name FROM phases WHERE phase_id = steps.phase_id) AS phase
        """,
        {**params, "now": tx.now(), "note": note},
    )
    released = sorted((StepRow.of(row) for row in rows), key=lambda step: (step.plan_id, step.order_index))
    for step in released:
        _log(tx, step, "step_released", {"reason": why})
    return released


async def hand_over(tx: Transaction, held: Sequence[StepRow], to_actor: str, lease_seconds: int) -> list[StepRow]:
    """Hand claims to another actor, with new tokens and a fresh lease."""
    rows = await tx.all(
        """
        UPDATE steps SET claimed_by = :to_actor, claim_token = claim_token + 1, lease_expires_at = :until,
            updated_at = :now, version = version + 1
        WHERE step_id IN (SELECT value FROM json_each(:ids)) AND status = 'active'
        RETURNING *, (SELECT name FROM phases WHERE phase_id = steps.phase_id) AS phase
        """,
        {"ids": _ids(held), "to_actor": to_actor, "until": later(tx.now(), lease_seconds), "now": tx.now()},
    )
    passed = sorted((StepRow.of(row) for row in rows), key=lambda step: (step.plan_id, step.order_index))
    agent = await tx.value("SELECT agent FROM sessions WHERE session_id = :id", {"id": to_actor}) or to_actor
    for step in passed:
        await step_workers.record(tx, step, agent)
        _log(tx, step, "step_passed", {"claimed_by": to_actor, "claim_token": step.claim_token})
    return passed


def _ids(found: Sequence[StepRow]) -> str:
    return encode([step.step_id for step in found])


def _loss_note(now: str, lost_by: str, actor: str, *, forced: bool) -> str:
    what = "took it over by force" if forced else "reclaimed it after its lease ran out"
    return f"[{now}] {actor} {what} (was held by {lost_by})"


def _log(tx: Transaction, step: StepRow, kind: str, data: dict[str, Any]) -> None:
    events.record(tx, Event(kind, "step", step.step_id, data={"index": step.order_index, **data}, plan_id=step.plan_id))
