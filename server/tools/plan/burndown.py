"""memory_plan: how work goes on, and when it may be done."""

from datetime import date
from typing import Annotated

from pydantic import Field

from server.db.plans import plans, step_counts
from server.db.plans.step_counts import DAY, StepScope
from server.errors import InvalidArguments
from server.models.text import Id
from server.tools.common import Call
from server.tools.plan.tool import TOOL
from server.tools.render import Result
from server.tools.rules import forecasts, program_rules

FEWER = "a smaller weeks leaves out what is older"


@TOOL.action(read_only=True)
async def burndown(
    call: Call,
    *,
    plan_id: Id | None = None,
    program_id: Id | None = None,
    weeks: Annotated[int, Field(ge=1, le=520)] = 12,
) -> Result:
    """Open steps by day, throughput by week, expected end.

    Of a plan, of all plans of a program, or of the workspace. Newest first: `weeks` (from Monday, UTC) and those `days`
    on which something changed, each with the steps open at its end and what made the difference: added and dropped
    (cancelled, deleted, merged into another: the scope), finished, reopened. `before` were open when counting began.
    forecast: one in ten runs of a simulation is over by `early`, half by `likely`, nine in ten by `late`, if each day
    goes as one of the last 28 did; or `unknown` says why there is none.

    Example: {"action":"burndown","plan_id":"plan_1rqewqexykb7"}
    """
    scope, workspace_id = await _scope(call, plan_id, program_id)
    found = await step_counts.history(call.db, scope)
    today = date.fromisoformat(call.db.now()[:DAY])
    result = forecasts.burndown(found, today, weeks=weeks, seed=scope.id)
    parts = {
        "workspace_id": workspace_id,
        **({f"{scope.kind}_id": scope.id} if scope.kind != "workspace" else {}),
        "open": result.open,
        "before": result.before,
        "forecast": result.forecast,
        "weeks": result.weeks,
        "days": result.days,
    }
    return Result(parts, hints={"weeks": FEWER, "days": FEWER})


async def _scope(call: Call, plan_id: str | None, program_id: str | None) -> tuple[StepScope, str]:
    """Return the plans that a call is about, and the workspace that they are looked at from."""
    if plan_id and program_id:
        raise InvalidArguments("A plan or a program, not both: give one of plan_id, program_id.")
    if plan_id:
        plan = await plans.require(call.db, plan_id)
        return StepScope(plan_id), await call.workspace_id(call.db, plan.workspace_id)
    if program_id:
        program = await program_rules.read(call, program_id)
        return StepScope(program_id, "program"), program.workspace_id
    workspace_id = await call.workspace_id(call.db)
    return StepScope(workspace_id, "workspace"), workspace_id
