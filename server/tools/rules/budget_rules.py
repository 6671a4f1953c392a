"""What is said of a budget that nears its end."""

from collections.abc import Iterable

from server.db.ledger import budgets
from server.db.storage.connection import Reader
from server.models.budgets import BudgetRow
from server.text.display import figure


def warning(budget: BudgetRow) -> str | None:
    """Return what to say of a budget, or None if it has room."""
    if not budget.alert or budget.max is None:
        return None
    share = f"{figure(budget.spent)} of {figure(budget.max)} {budget.unit} are spent"
    if not budget.over:
        return f"{share}."
    more = ": no step of the plan is handed out any more" if budget.hard else ""
    return f"{share}, more than the plan may cost{more}."


def warnings(found: Iterable[BudgetRow]) -> list[str]:
    return [said for budget in found if (said := warning(budget))]


async def of_plan(db: Reader, plan_id: str) -> list[str]:
    """Return what is to be said of the budgets of a plan."""
    return warnings(await budgets.alerting(db, plan_id))
