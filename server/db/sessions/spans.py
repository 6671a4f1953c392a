"""Who held which step from when until when, and who handed work to whom: read from the logs, for a timeline."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.db.sessions.lineage import REASON_SHOWN
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.models.base import encode
from server.models.sessions import ClaimSpan, HandOffMoment, Recovery

TAKING = ("step_claimed", "step_reclaimed", "step_taken_over", "step_passed")
LEAVING, RELEASED = "step_updated", "step_released"
RECOVERED = "agent_session_recovered"
MOST = 500  # events, hand-offs
TASK_SHOWN = 120  # characters
Json = dict[str, Any]


@dataclass(frozen=True)
class Spans:
    """What happened in a workspace, or on a plan, from a moment on; all of it oldest first."""

    held: list[ClaimSpan]
    handoffs: list[HandOffMoment]
    recovered: list[Recovery]


async def since(db: Reader, workspace_id: str, plan_id: str | None, moment: str) -> Spans:
    """Return the newest spans from a moment on."""
    where = "plan_id = :plan_id" if plan_id else "workspace_id = :workspace_id"
    params: dict[str, Any] = {
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "since": moment,
        "types": encode([*TAKING, LEAVING, RELEASED, RECOVERED]),
        "reason_shown": REASON_SHOWN,
        "most": MOST,
    }
    handoffs = " UNION ALL ".join(
        f"""
        SELECT lineage_id, plan_id, session_id, from_agent, to_agent, substr(reason, 1, :reason_shown) AS reason,
            created_at FROM {table} WHERE {where} AND created_at >= :since
        """
        for table in ("lineage", "lineage_archive")
    )
    rows, lineage = await db.batch(
        (
            f"""
            SELECT type, entity_id, plan_id, agent, timestamp, data FROM event_log WHERE {where} AND event_id >= (
                SELECT event_id FROM event_log WHERE timestamp >= :since ORDER BY timestamp, event_id LIMIT 1
            ) AND timestamp >= :since AND type IN (SELECT value FROM json_each(:types))
            ORDER BY event_id DESC LIMIT :most
            """,
            params,
        ),
        (f"SELECT * FROM ({handoffs}) ORDER BY created_at DESC LIMIT :most", params),
    )
    rows.reverse()
    return Spans(
        await _ended(db, _spans([(row, json.loads(row["data"])) for row in rows])),
        [HandOffMoment.of(row) for row in reversed(lineage)],
        [_recovery(row) for row in rows if row["type"] == RECOVERED],
    )


def _spans(logged: Sequence[tuple[Record, Json]]) -> list[ClaimSpan]:
    """Return who held each step, by events and what they tell; what nobody gave up has no end yet."""
    held: dict[str, ClaimSpan] = {}
    found: list[ClaimSpan] = []
    released = [(row, data) for row, data in logged if row["type"] == RELEASED]
    reasons = {(row["entity_id"], row["timestamp"]): data.get("reason") for row, data in released}
    for row, data in logged:
        step_id, kind, moment = row["entity_id"], row["type"], row["timestamp"]
        is_left = (kind == LEAVING and data.get("to", "active") != "active") or kind == RELEASED
        if step_id in held and (is_left or kind in TAKING):
            why = data.get("to") if is_left else kind.removeprefix("step_")
            found.append(_until(held.pop(step_id), moment, reasons.get((step_id, moment)) or why))
        if kind in TAKING:
            held[step_id] = ClaimSpan(
                step_id=step_id,
                plan_id=row["plan_id"],
                holder=data["claimed_by"],
                index=data.get("index"),
                since=moment,
            )
    return sorted([*found, *held.values()], key=lambda one: (one.since, one.step_id))


def _recovery(row: Record) -> Recovery:
    return Recovery(session_id=row["entity_id"], agent=row["agent"], at=row["timestamp"])


def _until(one: ClaimSpan, moment: str, ended: str | None) -> ClaimSpan:
    return one.model_copy(update={"until": moment, "ended": ended or "released"})


async def _ended(db: Reader, found: Sequence[ClaimSpan]) -> list[ClaimSpan]:
    """End what nobody gave up where its lease ends, or did; and name the steps and who held them."""
    rows = await db.all(
        """
        SELECT step_id, task, claimed_by, lease_expires_at FROM steps
        WHERE step_id IN (SELECT value FROM json_each(:ids))
        """,
        {"ids": encode(list({one.step_id for one in found}))},
    )
    steps = {row["step_id"]: row for row in rows}
    agents = await _agents(db, {one.holder for one in found})
    told: list[ClaimSpan] = []
    for one in found:
        row = steps.get(one.step_id)
        more = {"agent": agents.get(one.holder, one.holder), "task": row["task"][:TASK_SHOWN] if row else None}
        named = one.model_copy(update=more)
        if one.until is None:
            holds = row is not None and row["claimed_by"] == one.holder
            ends = row["lease_expires_at"] if row and holds else one.since
            named = named if ends > db.now() else _until(named, ends, "the lease ran out" if holds else "unknown")
        told.append(named)
    return told


async def _agents(db: Reader, holders: set[str]) -> dict[str, str]:
    """Return the agent of each session among those who held something."""
    rows = await db.all(
        """
        SELECT session_id, agent FROM sessions WHERE session_id IN (SELECT value FROM json_each(:ids))
        UNION ALL SELECT session_id, agent FROM sessions_archive
        WHERE session_id IN (SELECT value FROM json_each(:ids))
        """,
        {"ids": encode(list(holders))},
    )
    return {row["session_id"]: row["agent"] for row in rows}
