"""Table `step_workers`: which agents ever claimed, finished or edited something for a step, by name."""

from collections.abc import Sequence

from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.steps import StepRow


async def record(tx: Transaction, step: StepRow, agent: str | None) -> None:
    """Note that an agent works on a step; who has no name cannot be noted."""
    if agent:
        await tx.run(
            """
            INSERT INTO step_workers (worker_id, plan_id, step_id, agent, since)
            VALUES (:worker_id, :plan_id, :step_id, :agent, :now) ON CONFLICT DO NOTHING
            """,
            {
                "worker_id": new_id("worker"),
                "plan_id": step.plan_id,
                "step_id": step.step_id,
                "agent": agent,
                "now": tx.now(),
            },
        )


async def join(tx: Transaction, gone: Sequence[str], kept: StepRow) -> None:
    """Let who worked on steps that go have worked on the one that stands for them."""
    rows = await tx.all(
        "SELECT agent, min(since) AS since FROM step_workers WHERE step_id IN (SELECT value FROM json_each(:ids)) "
        "GROUP BY agent",
        {"ids": encode(list(gone))},
    )
    for row in rows:
        await record(tx, kept, row["agent"])


async def on(db: Reader, step_ids: Sequence[str], phase_ids: Sequence[str]) -> list[str]:
    """Return who worked on these steps and on the steps of these phases, or holds one of them."""
    rows = await db.all(
        """
        WITH wanted AS MATERIALIZED (
            SELECT value AS step_id FROM json_each(:step_ids)
            UNION SELECT step_id FROM steps WHERE phase_id IN (SELECT value FROM json_each(:phase_ids))
        )
        SELECT agent FROM step_workers WHERE step_id IN (SELECT step_id FROM wanted)
        UNION
        SELECT coalesce(h.agent, s.claimed_by) FROM steps s LEFT JOIN sessions h ON h.session_id = s.claimed_by
        WHERE s.step_id IN (SELECT step_id FROM wanted) AND s.claimed_by IS NOT NULL
        UNION
        SELECT coalesce(h.agent, s.completed_by) FROM steps s LEFT JOIN sessions h ON h.session_id = s.completed_by
        WHERE s.step_id IN (SELECT step_id FROM wanted) AND s.completed_by IS NOT NULL
        ORDER BY 1
        """,
        {"step_ids": encode(list(step_ids)), "phase_ids": encode(list(phase_ids))},
    )
    return [row[0] for row in rows]
