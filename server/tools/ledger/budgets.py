"""memory_ledger: what plans may cost, and what they have cost."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from server.db.audit import events
from server.db.ledger import budgets as rows
from server.db.storage.connection import Reader
from server.errors import InvalidArguments
from server.models.budgets import MOST_AMOUNT, Amount, BudgetRow
from server.models.events import Event
from server.models.text import Data, Id, Line
from server.text.display import figure
from server.tools.common import Call
from server.tools.ledger.parameters import also, of_plan, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page, lean
from server.tools.rules import budget_rules


def _figures(value: dict[str, Any]) -> dict[str, Any]:
    strange = [name for name, one in value.items() if isinstance(one, bool) or not isinstance(one, int | float)]
    if strange:
        raise ValueError(f"must give a number for each part; {strange[0][:80]!r} is none")
    large = [name for name, one in value.items() if abs(one) > MOST_AMOUNT]
    if large:
        raise ValueError(f"must give at most {MOST_AMOUNT:,.0f} for each part; {large[0][:80]!r} is more")
    return value


Maximum = Annotated[Amount, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Parts = Annotated[Data, AfterValidator(_figures), Field(description="{part: amount}")]


def _told(budget: BudgetRow) -> dict[str, Any]:
    told = {
        **lean(budget),
        "left": None if budget.max is None else rows.difference(budget.max, budget.spent),
        "over": budget.over or None,
        "warning": budget_rules.warning(budget),
    }
    del told["updated_at"]
    return {name: value for name, value in told.items() if value is not None}


@TOOL.action()
async def set_budget(
    call: Call,
    *,
    plan_id: Id,
    max: Maximum,
    unit: Line | None = None,
    alert_threshold: Share | None = None,
    hard: bool | None = None,
) -> dict[str, Any]:
    """Say what a plan may cost.

    One budget for a plan and unit (USD unless you say so; tokens, hours, ... as well). next and briefings warn from
    alert_threshold (a share of max, default 0.8) on; with hard=true no step is handed out any more above max.

    Example: {"action":"set_budget","plan_id":"plan_1rqewqexykb7","max":25,"unit":"USD","hard":true}
    """
    async with call.write() as tx:
        plan = await of_plan(call, tx, plan_id)
        given = {"max": max, "alert_threshold": alert_threshold, "hard": hard}
        before, after = await rows.put(tx, plan, await _unit(tx, plan_id, unit), given)
        if before != after:
            data = {"unit": after.unit, "max": after.max, "hard": bool(after.hard)}
            summary = f"Budget of {figure(max)} {after.unit}"
            events.record(tx, Event("budget_set", "budget", after.budget_id, None, plan_id, summary, data))
        return {"workspace_id": plan.workspace_id, **_told(after)}


@TOOL.action(takes=("request",))
async def spend(
    call: Call, *, plan_id: Id, amount: Amount, unit: Line | None = None, breakdown: Parts | None = None
) -> dict[str, Any]:
    """Add to what a plan has cost.

    unit may be left out where the plan has one budget. breakdown says for what, part by part, and is added up too. A
    negative amount takes back what was told too high. Without a budget the sum is kept all the same. The answer says
    what is left, and warns.

    Example: {"action":"spend","plan_id":"plan_1rqewqexykb7","amount":0.42,"unit":"USD",
    "breakdown":{"model":0.4,"search":0.02}}
    """
    async with call.write() as tx:
        plan = await of_plan(call, tx, plan_id)
        unit = await _unit(tx, plan_id, unit)
        after = await rows.spend(tx, plan, unit, amount, _numbers(breakdown or {}))
        data = {"unit": unit, "amount": amount, "spent": after.spent}
        events.record(tx, Event("budget_spent", "budget", after.budget_id, plan_id=plan_id, data=data))
        return {"workspace_id": plan.workspace_id, **_told(after)}


def _numbers(parts: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in parts.items()}


async def _unit(db: Reader, plan_id: str, unit: str | None) -> str:
    """Return the unit that is meant: that of the only budget there is, if none is named."""
    known = [budget.unit for budget in await rows.of_plan(db, plan_id)]
    if unit is None and len(known) > 1:
        raise InvalidArguments(f"The plan has budgets in {', '.join(known)}: say which with 'unit'.", missing=["unit"])
    named = unit or (known[0] if known else rows.USUAL_UNIT)
    return next((one for one in known if one.lower() == named.lower()), named)


@TOOL.action(read_only=True, takes=("page",))
async def budgets(call: Call, *, plan_id: Id | None = None, over: bool = False, unit: Line | None = None) -> Page:
    """Budgets, and what is spent of them.

    Of a plan (an archived one too) or the workspace, those changed last first. over=true lists those that are spent
    beyond their max.

    Example: {"action":"budgets","over":true}
    """
    found = await wanted(call, plan_id, None)
    if unit:
        found = also(found, ["lower(t.unit) = lower(:unit)"], {"unit": unit})
    if over:
        found = also(found, ["t.spent > t.max"], {})
    after = call.after("budgets", 2)
    listed, total = await rows.page(call.db, found, after=after, limit=call.shared.limit + 1)
    places = {budget.budget_id: [budget.updated_at, budget.budget_id] for budget in listed}
    told = [_told(budget) for budget in listed]
    extra = {"workspace_id": found.workspace_id}
    return Page("budgets", told, total, call.shared.limit, lambda row: places[row["budget_id"]], "budgets", extra)
