"""Table `approvals`: what somebody was refused for want of a human, until a human answers or nobody needs it."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.audit import events
from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.models.approvals import Approval, Need, ReachedGate, Word
from server.models.base import encode, later, new_id
from server.models.events import Event

REST_SECONDS = (
    10 * 60
)  # for which a thing that was rejected is not asked for again; twice as long after each further no
MOST_DOUBLED = 10
ANSWERED_DAYS = 7  # for which a briefing tells an agent what became of what it asked

# What a gate is, and that it still is one. The first repeats the condition of the index steps_gates.
IS_GATE = """
    (s.type IN ('confirmation', 'user_validation', 'critical') OR s.requires_confirmation = 1
    OR s.requires_user_confirmation = 1)
"""
WAITS = f"""
    {IS_GATE} AND s.status NOT IN ('done', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.step_id = s.step_id)
"""
GATED_PHASE = """
    (g.approval_required = 1 OR l.phase_gates = 1)
    AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.phase_id = g.phase_id)
"""
VERSION = """
    (SELECT s.version + l.version FROM steps{0} s JOIN plans{0} l ON l.plan_id = s.plan_id WHERE s.step_id = v.key),
    (SELECT g.version + l.version FROM phases{0} g JOIN plans{0} l ON l.plan_id = g.plan_id WHERE g.phase_id = v.key)
"""
# An open row is outdated when what it is about is gone, closed or confirmed, or, for a whole call, was changed.
CURRENT = f"""
    CASE a.kind
    WHEN 'step' THEN EXISTS (
        SELECT 1 FROM steps s WHERE s.step_id = a.entity_id AND s.status NOT IN ('done', 'cancelled')
          AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.step_id = s.step_id))
    WHEN 'phase' THEN EXISTS (
        SELECT 1 FROM phases g JOIN plans l ON l.plan_id = g.plan_id
        WHERE g.phase_id = a.entity_id AND l.status <> 'completed'
          AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.phase_id = g.phase_id))
    ELSE NOT EXISTS (
        SELECT 1 FROM json_each(a.versions) v
        WHERE v.value IS NOT coalesce({VERSION.format("")}, {VERSION.format("_archive")})) END
"""
# A question about a plan in the archive is in no live plan: it names that by its entity.
OF_PLAN = "(a.plan_id = :plan_id OR (a.plan_id IS NULL AND a.entity_id = :plan_id))"
IS_OPEN = f"a.workspace_id = :workspace_id AND a.status = 'open' AND {CURRENT}"
SCOPE = f"a.workspace_id = :workspace_id AND (:plan_id IS NULL OR {OF_PLAN})"

# Gates of active plans that work has reached: a step that could be done but for its confirmation, and the first phase
# that awaits approval, once no step up to it is open and one behind it is. Few steps are gates, so these are found by
# the index of gates, and not by their status.
REACHED_STEPS = f"""
    SELECT 'step' AS type, s.step_id AS id, s.plan_id, l.title AS plan, s.task AS name, s.order_index AS "index",
        s.updated_at AS since
    FROM plans l JOIN steps s ON s.plan_id = l.plan_id JOIN phases p ON p.phase_id = s.phase_id
    WHERE l.workspace_id = :workspace_id AND l.status = 'active' AND (:plan_id IS NULL OR l.plan_id = :plan_id)
      AND {WAITS} AND s.status || '' IN ('pending', 'active') AND s.waits_for + 0 = 0
      AND NOT EXISTS (
          SELECT 1 FROM phases g WHERE g.plan_id = l.plan_id AND g.order_index < p.order_index AND {GATED_PHASE})
      AND NOT EXISTS (
          SELECT 1 FROM dependencies d WHERE d.dep_type = 'blocks' AND d.dep_status = 'pending' AND (
              (d.source_type = 'phase' AND d.source_id = s.phase_id)
              OR (d.source_type = 'plan' AND d.source_id = l.plan_id)
              OR (d.source_type = 'program' AND d.source_id = l.program_id)))
"""
REACHED_PHASES = f"""
    SELECT 'phase', g.phase_id, g.plan_id, l.title, g.name, g.order_index, NULL
    FROM plans l JOIN phases g ON g.plan_id = l.plan_id
    WHERE l.workspace_id = :workspace_id AND l.status = 'active' AND (:plan_id IS NULL OR l.plan_id = :plan_id)
      AND {GATED_PHASE}
      AND NOT EXISTS (
          SELECT 1 FROM phases p JOIN steps s ON s.phase_id = p.phase_id
          WHERE p.plan_id = g.plan_id AND p.order_index <= g.order_index
            AND s.status IN ('pending', 'active', 'blocked', 'failed'))
      AND EXISTS (
          SELECT 1 FROM phases p JOIN steps s ON s.phase_id = p.phase_id
          WHERE p.plan_id = g.plan_id AND p.order_index > g.order_index
            AND s.status IN ('pending', 'active', 'blocked', 'failed'))
"""


async def open_(tx: Transaction, need: Need, arguments: Mapping[str, Any]) -> Approval:
    """Return the open row for a need, made if there is none. `arguments` are those of a call that may be repeated."""
    params = {"kind": need.kind, "entity_id": need.entity_id, "arguments": encode(dict(arguments))}
    found = await tx.one(
        """
        SELECT * FROM approvals
        WHERE kind = :kind AND entity_id = :entity_id AND arguments = :arguments AND status = 'open'
        """,
        params,
    )
    if found and Approval.of(found).versions == need.versions:
        return Approval.of(found)
    if found:
        await outdate(tx, Approval.of(found))
    row = await tx.one(
        """
        INSERT INTO approvals (approval_id, workspace_id, plan_id, kind, entity_id, arguments, versions, what, why,
            asked_by, session_id, created_at, updated_at)
        VALUES (:approval_id, :workspace_id, (SELECT plan_id FROM plans WHERE plan_id = :plan_id), :kind, :entity_id,
            :arguments, :versions, :what, :why, :asked_by, :session_id, :now, :now)
        RETURNING *
        """,
        {
            **params,
            "approval_id": new_id("appr"),
            "workspace_id": need.workspace_id,
            "plan_id": need.plan_id,
            "versions": encode(need.versions),
            "what": need.what,
            "why": need.why,
            "asked_by": tx.origin.agent,
            "session_id": tx.origin.session_id,
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    made = Approval.of(row)
    _log(tx, made, "approval_asked", f"A human's word is asked for: {_briefly(made)}")
    return made


async def answer(tx: Transaction, approval: Approval, word: Word, *, yes: bool) -> Approval:
    """Record what a human said to an open row."""
    status = "approved" if yes else "rejected"
    row = await tx.one(
        """
        UPDATE approvals SET status = :status, answered_by = :by, answered_at = :now, via = :via,
            relayed_by = :relayed_by, client = :client, note = :note, updated_at = :now
        WHERE approval_id = :approval_id RETURNING *
        """,
        {**word.columns, "approval_id": approval.approval_id, "status": status, "by": word.by, "now": tx.now()},
    )
    assert row is not None  # the caller read it in this transaction
    found = Approval.of(row)
    said = {"via": word.via, "by": word.by, **({"note": word.note} if word.note else {})}
    _log(tx, found, f"approval_{status}", f"{status} by {word.told}: {_briefly(found)}", **said)
    return found


async def rejections(db: Reader, kind: str, entity_id: str, arguments: Mapping[str, Any]) -> list[Approval]:
    """Return how often a human said no to this very thing since the last yes, newest first."""
    same = "entity_id = :entity_id AND kind = :kind AND arguments = :arguments"
    rows = await db.all(
        f"""
        SELECT * FROM approvals
        WHERE {same} AND status = 'rejected' AND answered_at > coalesce(
            (SELECT max(answered_at) FROM approvals WHERE {same} AND status IN ('approved', 'used')), '')
        ORDER BY answered_at DESC, approval_id DESC
        """,
        {"kind": kind, "entity_id": entity_id, "arguments": encode(dict(arguments))},
    )
    return [Approval.of(row) for row in rows]


def rests_until(rejected: Sequence[Approval]) -> str:
    """Return from when on a thing that was rejected may be asked for again."""
    return later(rejected[0].answered_at or "", REST_SECONDS * 2 ** min(len(rejected) - 1, MOST_DOUBLED))


async def answered_of(db: Reader, kind: str, entity_id: str, arguments: Mapping[str, Any]) -> Approval | None:
    """Return the newest approved row for this very call that was not used yet."""
    row = await db.one(
        """
        SELECT * FROM approvals
        WHERE entity_id = :entity_id AND kind = :kind AND arguments = :arguments AND status = 'approved'
        ORDER BY answered_at DESC LIMIT 1
        """,
        {"kind": kind, "entity_id": entity_id, "arguments": encode(dict(arguments))},
    )
    return Approval.of(row) if row else None


async def use(tx: Transaction, approval: Approval) -> None:
    """Note that the call which a human allowed was repeated: it is not allowed again."""
    await _close(tx, approval.approval_id, "used")
    _log(tx, approval, "approval_used", f"Done as {approval.answered_by} allowed: {_briefly(approval)}")


async def outdate(tx: Transaction, approval: Approval) -> None:
    """Note that what a human allowed changed before it was done."""
    await _close(tx, approval.approval_id, "outdated")
    _log_outdated(tx, approval)


async def _close(tx: Transaction, approval_id: str, status: str) -> None:
    await tx.run(
        "UPDATE approvals SET status = :status, updated_at = :now WHERE approval_id = :id",
        {"id": approval_id, "status": status, "now": tx.now()},
    )


async def close_for(tx: Transaction, entity_id: str, word: Word) -> None:
    """Answer the open rows about a step or phase that was confirmed."""
    rows = await tx.all(
        """
        SELECT * FROM approvals WHERE entity_id = :entity_id AND status = 'open' AND kind IN ('step', 'phase')
        """,
        {"entity_id": entity_id},
    )
    for row in rows:
        await answer(tx, Approval.of(row), word, yes=True)


async def close_outdated(tx: Transaction, plan_id: str) -> None:
    """Close the open rows of a plan that ask for what is gone or was changed."""
    rows = await tx.all(
        f"""
        UPDATE approvals AS a SET status = 'outdated', updated_at = :now
        WHERE {OF_PLAN} AND a.status = 'open' AND NOT ({CURRENT}) RETURNING *
        """,
        {"plan_id": plan_id, "now": tx.now()},
    )
    for row in rows:
        _log_outdated(tx, Approval.of(row))


async def close_of_folder(tx: Transaction, workspace_id: str) -> None:
    """Close what was asked, or allowed and not done, about programs in the folder of a workspace that is no more."""
    rows = await tx.all(
        """
        UPDATE approvals SET status = 'outdated', updated_at = :now
        WHERE entity_id = :workspace_id AND kind IN ('run', 'allowlist') AND status IN ('open', 'approved') RETURNING *
        """,
        {"workspace_id": workspace_id, "now": tx.now()},
    )
    for row in rows:
        _log_outdated(tx, Approval.of(row))


async def find(db: Reader, approval_id: str) -> Approval | None:
    row = await db.one("SELECT * FROM approvals WHERE approval_id = :id", {"id": approval_id})
    return Approval.of(row) if row else None


async def require(db: Reader, approval_id: str) -> Approval:
    """Return a row, or raise NotFound."""
    if found := await find(db, approval_id):
        return found
    raise await not_found(db, "approval", approval_id, table="approvals", label="what")


async def waiting(
    db: Reader, workspace_id: str, plan_id: str | None, *, limit: int
) -> tuple[list[Approval], list[ReachedGate]]:
    """Return what waits for a human: the rows that are open, oldest first, and gates that work has reached."""
    params = {"workspace_id": workspace_id, "plan_id": plan_id, "limit": limit}
    asked, reached = await db.batch(
        (
            f"""
            SELECT a.* FROM approvals a WHERE {SCOPE} AND a.status = 'open' AND {CURRENT}
            ORDER BY a.created_at, a.approval_id LIMIT :limit
            """,
            params,
        ),
        (
            f"""
            SELECT * FROM ({REACHED_STEPS} UNION ALL {REACHED_PHASES}) w
            WHERE NOT EXISTS (SELECT 1 FROM approvals a WHERE a.entity_id = w.id AND a.status = 'open')
            ORDER BY coalesce(since, ''), id LIMIT :limit
            """,
            params,
        ),
    )
    return [Approval.of(row) for row in asked], [ReachedGate.of(row) for row in reached]


async def open_for(db: Reader, entity_id: str) -> Approval | None:
    """Return the open row about a step or phase, if somebody asked."""
    row = await db.one(
        """
        SELECT * FROM approvals
        WHERE entity_id = :entity_id AND status = 'open' AND kind IN ('step', 'phase') ORDER BY created_at LIMIT 1
        """,
        {"entity_id": entity_id},
    )
    return Approval.of(row) if row else None


async def is_current(db: Reader, approval: Approval) -> bool:
    """Return whether what it asks for is still to be answered."""
    query = f"SELECT {CURRENT} FROM approvals a WHERE a.approval_id = :id"
    return bool(await db.value(query, {"id": approval.approval_id}))


async def answered(db: Reader, workspace_id: str, agent: str, *, limit: int) -> list[Approval]:
    """Return what became lately of what an agent asked, newest first, but for what is done with."""
    rows = await db.all(
        f"""
        SELECT a.* FROM approvals a
        WHERE a.workspace_id = :workspace_id AND lower(a.asked_by) = lower(:agent) AND a.answered_at > :since
          AND (a.status = 'rejected' OR (a.status = 'approved' AND (a.kind <> 'write' OR {CURRENT})))
          AND (a.kind <> 'step' OR EXISTS (
              SELECT 1 FROM steps s WHERE s.step_id = a.entity_id AND s.status NOT IN ('done', 'cancelled')))
        ORDER BY a.answered_at DESC, a.approval_id DESC LIMIT :limit
        """,
        {
            "workspace_id": workspace_id,
            "agent": agent,
            "since": later(db.now(), -ANSWERED_DAYS * 86_400),
            "limit": limit,
        },
    )
    return [Approval.of(row) for row in rows]


def _log_outdated(tx: Transaction, approval: Approval) -> None:
    _log(tx, approval, "approval_outdated", f"Outdated, since what it is about changed or went: {_briefly(approval)}")


def _briefly(approval: Approval) -> str:
    """Return what it is about for the log, which outlives it: the arguments of a program may hold a secret."""
    vector = approval.arguments.get("vector") if approval.kind == "run" else None
    return f"Run {vector[0]}" if vector else approval.what


def _log(tx: Transaction, approval: Approval, kind: str, summary: str, **data: Any) -> None:
    about = {"kind": approval.kind, "entity_id": approval.entity_id, "asked_by": approval.asked_by, **data}
    place = (approval.workspace_id, approval.plan_id)
    events.record(tx, Event(kind, "approval", approval.approval_id, *place, summary=summary, data=about))
