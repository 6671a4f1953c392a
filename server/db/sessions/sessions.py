"""Tables `sessions` and `sessions_archive`."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.audit import events
from server.db.ledger import agents
from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.list_totals import counting
from server.errors import Conflict, ProjectMemoryError
from server.models.base import as_dict, encode, later, new_id
from server.models.events import Event
from server.models.sessions import Session, SessionBrief

SHOWN = 200  # characters of a summary in a list

# A session never says that it died: that it is orphaned shows in its silence.
ORPHANED = """
    s.status = 'active' AND s.last_seen_at < :silent AND NOT EXISTS (
        SELECT 1 FROM steps WHERE claimed_by = s.session_id AND lease_expires_at > :now
    )
"""
STATUS = f"CASE WHEN {ORPHANED} THEN 'orphaned' ELSE s.status END"


def moments(db: Reader, silence: int) -> dict[str, str]:
    """Return what ORPHANED compares with."""
    return {"now": db.now(), "silent": later(db.now(), -silence)}


async def insert(
    tx: Transaction,
    *,
    workspace_id: str,
    agent: str,
    plan_id: str | None,
    parent_session_id: str | None,
    context: Mapping[str, Any] | None = None,
) -> Session:
    """Open a session."""
    row = await tx.one(
        """
        INSERT INTO sessions (session_id, workspace_id, plan_id, agent, parent_session_id, context, started_at,
            last_seen_at, created_at, updated_at)
        VALUES (:session_id, :workspace_id, :plan_id, :agent, :parent_session_id, :context, :now, :now, :now, :now)
        RETURNING *
        """,
        {
            "session_id": new_id("sess"),
            "workspace_id": workspace_id,
            "plan_id": plan_id,
            "agent": agent,
            "parent_session_id": parent_session_id,
            "context": encode(context or {}),
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    await agents.began(tx, workspace_id, agent, row["session_id"])
    return Session.of(row)


async def arrived(tx: Transaction, session_id: str) -> Session:
    """Return the session that writes, noting that it lives, even when it was taken for dead."""
    session = await require(tx, session_id)
    await tx.run(
        """
        UPDATE sessions SET last_seen_at = :now,
            status = CASE status WHEN 'orphaned' THEN 'active' ELSE status END,
            completed_at = CASE status WHEN 'orphaned' THEN NULL ELSE completed_at END
        WHERE session_id = :session_id
        """,
        {"session_id": session_id, "now": tx.now()},
    )
    return session


async def require(db: Reader, session_id: str) -> Session:
    """Return a session that is not archived, as it is stored, or raise NotFound."""
    row = await db.one("SELECT * FROM sessions WHERE session_id = :session_id", {"session_id": session_id})
    if row is None:
        raise await _missing(db, session_id)
    return Session.of(row)


async def agent_of(db: Reader, session_id: str) -> str | None:
    """Return whose session it is, or None if it is none."""
    return await db.value("SELECT agent FROM sessions WHERE session_id = :session_id", {"session_id": session_id})


async def get(db: Reader, session_id: str, silence: int) -> Session:
    """Return a session, an archived one too, or raise NotFound. It shows as orphaned after `silence` seconds."""
    row = await db.one(
        f"""
        SELECT *, {STATUS} AS shown FROM (
            SELECT *, 0 AS archived FROM sessions WHERE session_id = :session_id
            UNION ALL
            SELECT *, 1 AS archived FROM sessions_archive WHERE session_id = :session_id
        ) s
        """,
        {"session_id": session_id, **moments(db, silence)},
    )
    if row is None:
        raise await _missing(db, session_id)
    return Session.of({**as_dict(row), "status": row["shown"]})


async def _missing(db: Reader, session_id: str) -> ProjectMemoryError:
    plan_id = await db.value("SELECT plan_id FROM sessions_archive WHERE session_id = :id", {"id": session_id})
    if plan_id:
        return Conflict(
            f"The session {session_id} is archived with its plan {plan_id}; it can only be read.",
        ).about("archived session")
    return await not_found(db, "session", session_id, table="sessions", label="agent")


async def list_(
    db: Reader,
    *,
    workspace_id: str,
    plan_id: str | None,
    status: str | None,
    agent: str | None,
    silence: int,
    after: Sequence[str | int] | None,
    limit: int,
) -> tuple[list[SessionBrief], int]:
    """Return sessions, newest first, from behind (started_at, session_id) on, and how many match, up to COUNTED + 1.

    Archived ones are among them when their plan is named.
    """
    where = "workspace_id = :workspace_id"
    where += " AND plan_id = :plan_id" if plan_id else ""
    where += " AND folded(agent) = folded(:agent)" if agent else ""
    source = f"SELECT * FROM sessions WHERE {where}"
    source += f" UNION ALL SELECT * FROM sessions_archive WHERE {where}" if plan_id else ""
    matching = f"{STATUS} = :status" if status else "1"
    started_at, session_id = after or (None, None)
    params = {
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "status": status,
        "agent": agent,
        "started_at": started_at,
        "session_id": session_id,
        "limit": limit,
        "length": SHOWN,
        **moments(db, silence),
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT session_id, agent, plan_id, parent_session_id, {STATUS} AS status, started_at, last_seen_at,
                completed_at, substr(summary, 1, :length) AS summary, length(summary) > :length AS cut
            FROM ({source}) s
            WHERE {matching} AND (:started_at IS NULL OR (started_at, session_id) < (:started_at, :session_id))
            ORDER BY started_at DESC, session_id DESC LIMIT :limit
            """,
            params,
        ),
        (counting(f"FROM ({source}) s WHERE {matching}"), params),
    )
    return [SessionBrief.of(row) for row in rows], totals[0][0]


async def complete(tx: Transaction, session_id: str, summary: str, artifacts: Sequence[str]) -> Session:
    """Close a session that exists."""
    changes = {
        "status": "completed",
        "summary": summary,
        "artifacts": encode(list(artifacts)),
        "completed_at": tx.now(),
    }
    await agents.ended(tx, session_id)
    return await _update(tx, session_id, changes)


async def close_orphans(tx: Transaction, workspace_id: str, silence: int) -> list[Session]:
    """Close the sessions of a workspace that were silent for `silence` seconds and hold no live claim."""
    note = f"[{tx.now()}] closed: nothing was heard of it since its last write, and it held no claim"
    rows = await tx.all(
        f"""
        UPDATE sessions AS s SET status = 'orphaned', completed_at = :now, updated_at = :now, version = version + 1,
            summary = coalesce(summary || char(10), '') || :note
        WHERE workspace_id = :workspace_id AND {ORPHANED} RETURNING *
        """,
        {"workspace_id": workspace_id, "note": note, **moments(tx, silence)},
    )
    closed = [Session.of(row) for row in rows]
    for session in closed:
        await agents.ended(tx, session.session_id)
        events.record(tx, Event("session_orphaned", "session", session.session_id, plan_id=session.plan_id))
    return closed


async def revive(tx: Transaction, session_id: str) -> Session:
    """Make a session that exists an active one."""
    session = await require(tx, session_id)
    await agents.began(tx, session.workspace_id, session.agent, session_id)
    return await _update(tx, session_id, {"status": "active", "completed_at": None})


async def _update(tx: Transaction, session_id: str, changes: Mapping[str, Any]) -> Session:
    row = await tx.one(
        f"""
        UPDATE sessions SET {", ".join(f"{name} = :{name}" for name in changes)}, updated_at = :now,
            version = version + 1
        WHERE session_id = :session_id RETURNING *
        """,
        {**changes, "session_id": session_id, "now": tx.now()},
    )
    assert row is not None  # the caller read it in this transaction
    return Session.of(row)
