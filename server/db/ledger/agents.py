"""Table `agents`: who works in a workspace. Sessions keep the row of their agent current."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.models.base import new_id
from server.models.ledger import AgentRow

# What a session does to the row of its agent.
BEGAN = """
    INSERT INTO agents (agent_id, workspace_id, agent, status, session_id, registered_at, last_activity_at, created_at,
        updated_at)
    VALUES (:agent_id, :workspace_id, :agent, 'active', :session_id, :now, :now, :now, :now)
    ON CONFLICT (workspace_id, agent) DO UPDATE SET status = 'active', session_id = excluded.session_id,
        last_activity_at = excluded.last_activity_at, updated_at = excluded.updated_at
"""
ENDED = """
    UPDATE agents SET status = 'idle', session_id = NULL, current_step_id = NULL, last_activity_at = :now,
        updated_at = :now
    WHERE session_id = :session_id
"""
# With what its open session has done since, and the step that it holds.
SHOWN = """
    SELECT * FROM (
        SELECT a.agent_id, a.workspace_id, a.agent, a.type, a.status, a.worktree, a.branch, a.capabilities,
            a.configuration, a.context_usage, a.external_id, a.registered_at, a.version, a.session_id,
            CASE WHEN s.last_seen_at > a.last_activity_at THEN s.last_seen_at ELSE a.last_activity_at END
                AS last_activity_at,
            coalesce(
                (SELECT t.step_id FROM steps t WHERE t.claimed_by = coalesce(a.session_id, a.agent)
                   AND t.status = 'active' AND t.lease_expires_at > :now ORDER BY t.step_id LIMIT 1),
                (SELECT k.step_id FROM steps k WHERE k.step_id = a.current_step_id)) AS current_step_id
        FROM agents a LEFT JOIN sessions s ON s.session_id = a.session_id
        WHERE a.workspace_id = :workspace_id
    ) AS shown
    WHERE (:agent IS NULL OR agent = :agent) AND (:status IS NULL OR status = :status)
"""


async def began(tx: Transaction, workspace_id: str, agent: str, session_id: str) -> None:
    """Note that an agent works in a session."""
    values = {"agent_id": new_id("agent"), "workspace_id": workspace_id, "agent": agent, "session_id": session_id}
    await tx.run(BEGAN, {**values, "now": tx.now()})


async def ended(tx: Transaction, session_id: str) -> None:
    """Note that a session is over."""
    await tx.run(ENDED, {"session_id": session_id, "now": tx.now()})


async def find(db: Reader, workspace_id: str, agent: str) -> AgentRow | None:
    row = await db.one(
        "SELECT * FROM agents WHERE workspace_id = :workspace_id AND agent = :agent",
        {"workspace_id": workspace_id, "agent": agent},
    )
    return AgentRow.of(row) if row else None


async def put(
    tx: Transaction, workspace_id: str, agent: str, values: Mapping[str, Any]
) -> tuple[AgentRow | None, AgentRow]:
    """Make or change the row of an agent; return it before and after."""
    before = await find(tx, workspace_id, agent)
    if before is None:
        times = {"registered_at": tx.now(), "last_activity_at": tx.now()}
        made = {"agent_id": new_id("agent"), "workspace_id": workspace_id, "agent": agent, **times, **values}
        return None, AgentRow.of(await rows.insert(tx, "agents", made))
    if not differing(before, None, values):
        return before, before
    changes = {**values, "last_activity_at": tx.now()}
    return before, AgentRow.of(await rows.revise(tx, "agents", "agent_id", before.agent_id, changes))


def differing(before: AgentRow | None, after: AgentRow | None, values: Mapping[str, Any]) -> list[str]:
    """Return which columns these values change, or changed."""
    if before is None:
        return sorted(values) if after is None else []
    return sorted(name for name, value in values.items() if getattr(before, name) != value)


async def page(
    db: Reader,
    workspace_id: str,
    *,
    agent: str | None,
    status: str | None,
    after: Sequence[str | int] | None,
    limit: int,
) -> tuple[list[AgentRow], int]:
    """Return who works in a workspace, those heard of last first, and how many there are."""
    moment, agent_id = after or (None, None)
    params = {"workspace_id": workspace_id, "agent": agent, "status": status, "now": db.now()}
    found, [(total,)] = await db.batch(
        (
            f"""
            {SHOWN} AND (:moment IS NULL OR (last_activity_at, agent_id) < (:moment, :agent_id))
            ORDER BY last_activity_at DESC, agent_id DESC LIMIT :limit
            """,
            {**params, "moment": moment, "agent_id": agent_id, "limit": limit},
        ),
        (f"SELECT count(*) FROM ({SHOWN}) AS every", params),
    )
    return [AgentRow.of(row) for row in found], total
