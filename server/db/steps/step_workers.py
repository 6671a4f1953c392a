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


async def of_gates(db: Reader, gates: Sequence[str]) -> dict[str, list[str]]:
    """Return for each of these steps and phases who worked on it, or on a step of it, or holds one, by name."""
    rows = await db.all(
        """
        WITH behind (gate, step_id) AS MATERIALIZED (
            SELECT value, value FROM json_each(:gates)
            UNION ALL SELECT phase_id, step_id FROM steps WHERE phase_id IN (SELECT value FROM json_each(:gates))
        )
        SELECT b.gate, w.agent FROM behind b JOIN step_workers w ON w.step_id = b.step_id
        UNION
        SELECT b.gate, coalesce(h.agent, s.claimed_by) FROM behind b JOIN steps s ON s.step_id = b.step_id
            LEFT JOIN sessions h ON h.session_id = s.claimed_by
        WHERE s.claimed_by IS NOT NULL
        UNION
        SELECT b.gate, coalesce(h.agent, s.completed_by) FROM behind b JOIN steps s ON s.step_id = b.step_id
            LEFT JOIN sessions h ON h.session_id = s.completed_by
        WHERE s.completed_by IS NOT NULL
        ORDER BY 1, 2
        """,
        {"gates": encode(list(gates))},
    )
    found: dict[str, list[str]] = {}
    for gate, agent in rows:
        found.setdefault(gate, []).append(agent)
    return found
