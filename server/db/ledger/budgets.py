"""Table `budgets`: what a plan may cost in a unit, and what it has cost."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from server.db.ledger import entries
from server.db.ledger.entries import BUDGETS, LedgerFilter
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict
from server.models.budgets import BudgetRow
from server.models.plans import Plan
from server.text.display import figure

USUAL_UNIT = "USD"
# What holds back a whole plan `l`, and what is to be warned of.
EXHAUSTED = "EXISTS (SELECT 1 FROM budgets b WHERE b.plan_id = l.plan_id AND b.hard = 1 AND b.spent > b.max)"
ALERTING_OF_PLAN = """
    SELECT * FROM budgets WHERE plan_id = :plan_id AND spent > 0 AND spent >= max * alert_threshold ORDER BY unit
"""


def total(first: float, second: float) -> float:
    """Add two numbers as they are written: 0.1 and 0.2 are 0.3. Who adds binary fractions drifts, cent by cent."""
    return float(Decimal(repr(first)) + Decimal(repr(second)))


def difference(first: float, second: float) -> float:
    return total(first, -second)


async def of_plan(db: Reader, plan_id: str, *, suffix: str = "") -> list[BudgetRow]:
    """Return the budgets of a plan by unit."""
    rows = await db.all(f"SELECT * FROM budgets{suffix} WHERE plan_id = :plan_id ORDER BY unit", {"plan_id": plan_id})
    return [BudgetRow.of(row) for row in rows]


async def alerting(db: Reader, plan_id: str) -> list[BudgetRow]:
    """Return the budgets of a plan that are to be warned of."""
    rows = await db.all(ALERTING_OF_PLAN, {"plan_id": plan_id})
    return [BudgetRow.of(row) for row in rows]


async def find(db: Reader, plan_id: str, unit: str) -> BudgetRow | None:
    row = await db.one(
        "SELECT * FROM budgets WHERE plan_id = :plan_id AND unit = :unit", {"plan_id": plan_id, "unit": unit}
    )
    return BudgetRow.of(row) if row else None


async def put(tx: Transaction, plan: Plan, unit: str, values: Mapping[str, Any]) -> tuple[BudgetRow | None, BudgetRow]:
    """Make or change a budget; return it before and after. What is None stays as it is."""
    given = {name: value for name, value in values.items() if value is not None}
    before = await find(tx, plan.plan_id, unit)
    if before is None:
        made = {"workspace_id": plan.workspace_id, "plan_id": plan.plan_id, "unit": unit, **given}
        return None, BudgetRow.of(await entries.add(tx, BUDGETS, made))
    there = {**before.model_dump(), "hard": bool(before.hard)}
    changed = {name: value for name, value in given.items() if there[name] != value}
    if not changed:
        return before, before
    return before, BudgetRow.of(await entries.change(tx, BUDGETS, before.budget_id, changed))


async def spend(tx: Transaction, plan: Plan, unit: str, amount: float, parts: Mapping[str, float]) -> BudgetRow:
    """Add to what a plan has cost, in all and part by part. Nobody else adds meanwhile: the write lock is held."""
    _, before = await put(tx, plan, unit, {})
    spent = total(before.spent, amount)
    if spent < 0:
        raise Conflict(
            f"The plan has cost {figure(before.spent)} {unit}: {figure(-amount)} cannot be taken back. Nothing changed."
        )
    sums = {name: total(before.breakdown.get(name, 0.0), value) for name, value in parts.items()}
    changes = {"spent": spent, "breakdown": {**before.breakdown, **sums}}
    return BudgetRow.of(await entries.change(tx, BUDGETS, before.budget_id, changes))


async def page(
    db: Reader, wanted: LedgerFilter, *, after: Sequence[str | int] | None, limit: int
) -> tuple[list[BudgetRow], int]:
    rows, total_rows = await entries.page(db, BUDGETS, wanted, after=after, limit=limit)
    return [BudgetRow.of(row) for row in rows], total_rows
