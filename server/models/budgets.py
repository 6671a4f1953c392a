"""Budgets as rows. They stand alone, since each look at a step reads them."""

from typing import Annotated

from pydantic import Field

from server.models.base import Flag, JsonObject, Row

# Added up to such sums, amounts are still told to the cent.
MOST_AMOUNT = 1e12
Amount = Annotated[float, Field(ge=-MOST_AMOUNT, le=MOST_AMOUNT, allow_inf_nan=False)]


class BudgetRow(Row):
    """A budget; `over` is more than its maximum, `warning` more than the share of it that is warned of."""

    budget_id: str
    plan_id: str
    unit: str
    max: float | None = None
    spent: float
    alert_threshold: float
    hard: Flag = None
    breakdown: JsonObject
    external_id: str | None = None
    updated_at: str
    version: int

    @property
    def over(self) -> bool:
        return self.max is not None and self.spent > self.max

    @property
    def alert(self) -> bool:
        return self.max is not None and self.spent > 0 and self.spent >= self.max * self.alert_threshold
