"""Tables `checkpoints` and `checkpoints_archive`: named snapshots that an agent can come back to."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.reservations import Checkpoint, CheckpointBrief

DATA_SHOWN = 40_000  # longer data is left out of a list: no page could hold it
BRIEF = "checkpoint_id, plan_id, name, agent, session_id, created_at"
FULL = f"""
    {BRIEF}, workspace_id, standing, CASE WHEN length(data) <= {DATA_SHOWN} THEN data ELSE '{{}}' END AS data,
    length(data) > {DATA_SHOWN} AS cut
"""


async def insert(
    tx: Transaction,
    *,
    workspace_id: str,
    plan_id: str | None,
    name: str,
    data: Mapping[str, Any],
    standing: Mapping[str, Any],
) -> Checkpoint:
    """Store a checkpoint in the name of the actor."""
    row = await tx.one(
        """
        INSERT INTO checkpoints (checkpoint_id, workspace_id, plan_id, session_id, agent, name, data, standing,
            created_at)
        VALUES (:checkpoint_id, :workspace_id, :plan_id, :session_id, :agent, :name, :data, :standing, :now)
        RETURNING *
        """,
        {
            "checkpoint_id": new_id("check"),
            "workspace_id": workspace_id,
            "plan_id": plan_id,
            "session_id": tx.origin.session_id,
            "agent": tx.origin.agent,
            "name": name,
            "data": encode(data),
            "standing": encode(standing),
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    return Checkpoint.of(row)


async def require(db: Reader, checkpoint_id: str) -> Checkpoint:
    """Return a checkpoint, an archived one too, or raise NotFound."""
    row = await db.one(
        """
        SELECT * FROM checkpoints WHERE checkpoint_id = :checkpoint_id
        UNION ALL SELECT * FROM checkpoints_archive WHERE checkpoint_id = :checkpoint_id
        """,
        {"checkpoint_id": checkpoint_id},
    )
    if row is None:
        raise await not_found(
            db,
            "checkpoint",
            checkpoint_id,
            table="checkpoints",
            label="name",
        )
    return Checkpoint.of(row)


async def page(
    db: Reader,
    *,
    workspace_id: str,
    plan_id: str | None,
    name: str | None,
    full: bool,
    after: Sequence[str | int] | None,
    limit: int,
    suffix: str = "",
) -> tuple[Sequence[Checkpoint | CheckpointBrief], int]:
    """Return checkpoints, newest first, from behind (created_at, checkpoint_id) on, and how many match in all."""
    where = """
        workspace_id = :workspace_id AND (:plan_id IS NULL OR plan_id = :plan_id) AND (:name IS NULL OR name = :name)
    """
    created_at, checkpoint_id = after or (None, None)
    params = {
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "name": name,
        "created_at": created_at,
        "checkpoint_id": checkpoint_id,
        "limit": limit,
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT {FULL if full else BRIEF} FROM checkpoints{suffix}
            WHERE {where}
              AND (:created_at IS NULL OR (created_at, checkpoint_id) < (:created_at, :checkpoint_id))
            ORDER BY created_at DESC, checkpoint_id DESC LIMIT :limit
            """,
            params,
        ),
        (f"SELECT count(*) FROM checkpoints{suffix} WHERE {where}", params),
    )
    model = Checkpoint if full else CheckpointBrief
    return [model.of(row) for row in rows], totals[0][0]
