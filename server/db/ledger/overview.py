"""What the ledger has to say of a plan at a glance."""

from dataclasses import dataclass

from server.db.ledger import budgets, required_gates
from server.db.ledger.required_gates import HeldByGates
from server.db.storage.connection import Reader
from server.models.budgets import BudgetRow

RUNS = """
    SELECT CASE WHEN status = 'running' AND expires_at <= :now THEN 'lost' ELSE status END AS shown, count(*) AS total
    FROM runs{suffix} WHERE plan_id = :plan_id GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True)
class LedgerOverview:
    """Budgets, what required gates hold back, and how many runs have each status."""

    budgets: list[BudgetRow]
    held: list[HeldByGates]
    runs: dict[str, int]


async def of_plan(db: Reader, plan_id: str, *, suffix: str = "") -> LedgerOverview:
    rows = await db.all(RUNS.format(suffix=suffix), {"plan_id": plan_id, "now": db.now()})
    return LedgerOverview(
        await budgets.of_plan(db, plan_id, suffix=suffix),
        [] if suffix else await required_gates.of_plan(db, plan_id),
        {row["shown"]: row["total"] for row in rows},
    )
