"""Tables `lineage` and `lineage_archive`: who handed over to whom, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.name_functions import caseless
from server.models.base import Columns, as_dict, encode, new_id
from server.models.sessions import LineageBrief, LineageEntry, Session
from server.models.steps import StepRow

REASON_SHOWN = 500  # characters of a reason in a list
DATA_SHOWN = 2000  # longer data is left out of a list


async def insert(
    tx: Transaction,
    *,
    workspace_id: str,
    plan_id: str | None,
    session_id: str | None,
    from_agent: str,
    to_agent: str,
    reason: str,
    data: Mapping[str, Any] | None,
    passed: Sequence[str],
) -> LineageEntry:
    """Record a hand-off; `passed` are the steps whose claims go with it."""
    row = await tx.one(
        """
        INSERT INTO lineage (lineage_id, workspace_id, plan_id, session_id, from_agent, to_agent, reason, data, extra,
            created_at)
        VALUES (:lineage_id, :workspace_id, :plan_id, :session_id, :from_agent, :to_agent, :reason, :data, :extra, :now)
        RETURNING *
        """,
        {
            "lineage_id": new_id("lin"),
            "workspace_id": workspace_id,
            "plan_id": plan_id,
            "session_id": session_id,
            "from_agent": from_agent,
            "to_agent": to_agent,
            "reason": reason,
            "data": encode(data or {}),
            "extra": encode({"passed": list(passed)} if passed else {}),
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    return LineageEntry.of(row)


async def require(db: Reader, lineage_id: str) -> LineageEntry:
    """Return a hand-off whole, an archived one too, or raise NotFound."""
    row = await db.one(
        """
        SELECT * FROM lineage WHERE lineage_id = :lineage_id
        UNION ALL SELECT * FROM lineage_archive WHERE lineage_id = :lineage_id
        """,
        {"lineage_id": lineage_id},
    )
    if row is None:
        raise await not_found(
            db,
            "lineage",
            lineage_id,
            table="lineage",
            label="to_agent",
        )
    return LineageEntry.of(row)


async def page(
    db: Reader, plan_id: str, *, after: Sequence[str | int] | None, limit: int, suffix: str = ""
) -> tuple[list[LineageBrief], int]:
    """Return the hand-offs of a plan, newest first, from behind (created_at, lineage_id) on, and how many there are."""
    created_at, lineage_id = after or (None, None)
    params = {
        "plan_id": plan_id,
        "created_at": created_at,
        "lineage_id": lineage_id,
        "limit": limit,
        "reason_shown": REASON_SHOWN,
        "data_shown": DATA_SHOWN,
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT lineage_id, plan_id, session_id, from_agent, to_agent, created_at,
                substr(reason, 1, :reason_shown) AS reason,
                CASE WHEN length(data) <= :data_shown THEN data ELSE '{{}}' END AS data,
                length(reason) > :reason_shown AS cut_reason, length(data) > :data_shown AS cut_data
            FROM lineage{suffix}
            WHERE plan_id = :plan_id AND (:created_at IS NULL OR (created_at, lineage_id) < (:created_at, :lineage_id))
            ORDER BY created_at DESC, lineage_id DESC LIMIT :limit
            """,
            params,
        ),
        (f"SELECT count(*) FROM lineage{suffix} WHERE plan_id = :plan_id", params),
    )
    return [_brief(row) for row in rows], totals[0][0]


def _brief(row: Columns) -> LineageBrief:
    cut = [name for name in ("reason", "data") if row[f"cut_{name}"]]
    return LineageBrief.of({**as_dict(row), "cut": cut})


async def last_to(db: Reader, agent: str, *, workspace_id: str, plan_id: str | None) -> LineageEntry | None:
    """Return the latest hand-off to an agent: on a plan, or in the workspace."""
    form = caseless([agent])
    row = await db.one(
        f"""
        SELECT * FROM lineage
        WHERE {"plan_id = :plan_id" if plan_id else "workspace_id = :workspace_id"}
            AND {form}(to_agent) = {form}(:agent)
        ORDER BY created_at DESC, lineage_id DESC LIMIT 1
        """,
        {"plan_id": plan_id, "workspace_id": workspace_id, "agent": agent},
    )
    return LineageEntry.of(row) if row else None


async def has_handed_off(db: Reader, session: Session) -> bool:
    """Return whether a hand-off was made in this session, or by its agent without one while it ran."""
    found = await db.value(
        """
        SELECT 1 FROM lineage
        WHERE workspace_id = :workspace_id AND created_at >= :started_at
          AND (session_id = :session_id OR (session_id IS NULL AND from_agent = :agent AND plan_id IS :plan_id))
        LIMIT 1
        """,
        session.model_dump(include={"workspace_id", "started_at", "session_id", "agent", "plan_id"}),
    )
    return found is not None


async def passed_to(db: Reader, agent: str, *, workspace_id: str, plan_id: str | None) -> list[StepRow]:
    """Return the steps that hand-offs passed to the name of an agent, and that it holds under that name."""
    rows = await db.all(
        """
        SELECT s.*, p.name AS phase FROM steps s JOIN phases p ON p.phase_id = s.phase_id
        WHERE s.lease_expires_at > :now AND s.status = 'active' AND folded(s.claimed_by) = folded(:agent)
          AND (:plan_id IS NULL OR s.plan_id = :plan_id)
          AND EXISTS (
            SELECT 1 FROM lineage l JOIN json_each(l.extra, '$.passed') passed
            WHERE l.workspace_id = :workspace_id AND l.to_agent = s.claimed_by AND passed.value = s.step_id)
        """,
        {"workspace_id": workspace_id, "agent": agent, "plan_id": plan_id, "now": db.now()},
    )
    return [StepRow.of(row) for row in rows]


async def lost_by(db: Reader, session: Session) -> list[StepRow]:
    """Return the steps that a session had claimed and neither holds any more nor gave up or finished itself."""
    rows = await db.all(
        """
        WITH mine AS (
            SELECT entity_id, max(event_id) AS event_id FROM event_log
            WHERE timestamp >= :started_at AND entity_type = 'step' AND data ->> 'claimed_by' = :session_id
              AND type IN ('step_claimed', 'step_reclaimed', 'step_taken_over', 'step_passed')
            GROUP BY entity_id
        )
        SELECT s.*, p.name AS phase
        FROM mine JOIN steps s ON s.step_id = mine.entity_id JOIN phases p ON p.phase_id = s.phase_id
        WHERE NOT (s.status = 'active' AND s.claimed_by IS :session_id) AND s.completed_by IS NOT :session_id
          AND NOT EXISTS (
            SELECT 1 FROM event_log e
            WHERE e.plan_id = s.plan_id AND e.event_id > mine.event_id AND e.entity_id = s.step_id
              AND e.session_id = :session_id AND e.type IN ('step_released', 'step_updated', 'step_passed')
              AND (e.type <> 'step_updated' OR e.data ->> 'to' <> 'active'))
        ORDER BY s.plan_id, s.order_index
        """,
        {"session_id": session.session_id, "started_at": session.started_at},
    )
    return [StepRow.of(row) for row in rows]
