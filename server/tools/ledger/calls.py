"""memory_ledger: which tools were called, how that went, and how long it took."""

from collections.abc import Sequence
from typing import Annotated, Any

import anyio.to_thread
from pydantic import Field

from server.db.audit import events
from server.db.ledger import call_statistics, entries
from server.db.plans import plans
from server.db.steps import steps
from server.db.storage.connection import Transaction
from server.errors import InvalidArguments, NotFound
from server.models.base import as_dict, encode
from server.models.events import Event
from server.models.evidence import NewCall, ToldLine
from server.models.ledger import Positive, ToolCall
from server.models.text import Data, Id, Line, Text
from server.text.redaction.texts import without_secrets
from server.text.redaction.values import without_secrets_in
from server.tools.common import Agent, Call, Detail
from server.tools.ledger import redaction
from server.tools.ledger.parameters import LedgerPlace, Since, between, listed, one, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page, Result
from server.waiting import apart

MOST_TOLD = 5
Batch = Annotated[
    list[NewCall],
    Field(
        min_length=1, max_length=1000, description="[{tool, args, result?, success?, error?, duration_ms?, step_id?}]"
    ),
]


@TOOL.action(takes=("request",))
async def log_call(
    call: Call,
    *,
    tool: Line,
    args: Data,
    result: Text | None = None,
    success: bool | None = None,
    error: Text | None = None,
    duration_ms: Positive | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Log one call of a tool.

    Whatever the tool is. What looks like a secret in args, result and error, by the name of its key or by its shape, is
    blanked out before it is stored. result is text, or JSON. One with an error failed, unless success says otherwise.

    Example: {"action":"log_call","tool":"pytest","args":{"path":"tests"},"success":false,"error":"2 failed",
    "duration_ms":1520}
    """
    said: dict[str, Any] = {
        "tool": tool, "args": args, "result": result, "success": success, "error": error, "duration_ms": duration_ms,
    }  # fmt: skip
    told = await apart(lambda said: _told(NewCall(**said)), said)
    async with call.write() as tx:
        where = await place(call, tx, plan_id, step_id)
        row = ToolCall.of(await entries.add(tx, entries.CALLS, {**where.ids, **told, "started_at": tx.now()}))
        data = {"tool": told["tool"], "success": told["success"]}
        events.record(tx, Event("call_logged", "call", row.call_id, plan_id=where.plan_id, data=data))
        return {"call_id": row.call_id, **where.told}


@TOOL.action(takes=("request",))
async def log_calls(call: Call, *, calls: Batch, plan_id: Id | None = None, step_id: Id | None = None) -> Result:
    """Log up to 1,000 calls: all or none.

    Each is described as in log_call, with a step_id or plan_id of its own where it has one, a time (`started_at`) and
    an `agent`. One that is wrong keeps all of them out; every problem is told.

    Example: {"action":"log_calls","calls":[{"tool":"pytest","args":{}},{"tool":"ruff","args":{},"success":false}]}
    """
    told = await anyio.to_thread.run_sync(lambda: [_told(new) for new in calls])
    async with call.write(is_quick=False) as tx:
        where = await place(call, tx, plan_id, step_id)
        homes = await _homes(call, tx, calls, where)
        now = tx.now()
        rows = [
            {**home, **said, "started_at": new.started_at or now}
            for new, said, home in zip(calls, told, homes, strict=True)
        ]
        ids = await entries.add_many(tx, entries.CALLS, rows)
        failed = sum(not new.succeeded for new in calls)
        summary = f"{len(ids)} tool calls logged" + (f", {failed} of them failed" if failed else "")
        home = ("plan", where.plan_id) if where.plan_id else ("workspace", where.workspace_id)
        data = {"calls": len(ids), "failed": failed}
        events.record(tx, Event("calls_logged", *home, plan_id=where.plan_id, summary=summary, data=data))
        parts = {**where.told, "logged": len(ids), "failed": failed, "call_ids": ids}
        return Result(parts, "memory_ledger action='list_calls' lists them")


async def _homes(
    call: Call, tx: Transaction, calls: Sequence[NewCall], where: LedgerPlace
) -> list[dict[str, str | None]]:
    """Return the columns that say what each call is about; every problem is told at once."""
    step_ids = list(dict.fromkeys(new.step_id for new in calls if new.step_id))
    of_steps = {one.step_id: one.plan_id for one in (await steps.by_ids(tx, step_ids)).values()} if step_ids else {}
    plan_ids = {*of_steps.values(), *(new.plan_id for new in calls if new.plan_id)}
    homes = {plan_id: plan.workspace_id for plan_id in plan_ids if (plan := await plans.find(tx, plan_id))
             and not plan.archived_at}  # fmt: skip
    found: list[dict[str, str | None]] = []
    problems: list[str] = []
    for number, new in enumerate(calls):
        plan_id = of_steps.get(new.step_id or "", new.plan_id)
        if new.step_id and new.step_id not in of_steps:
            problems.append(f"calls[{number}]: there is no step {new.step_id[:80]!r}")
        elif plan_id and new.plan_id not in (None, plan_id):
            problems.append(f"calls[{number}]: {new.step_id} is no step of {new.plan_id!r}")
        elif plan_id and homes.get(plan_id) != where.workspace_id:
            problems.append(f"calls[{number}]: there is no live plan {plan_id[:80]!r} in {where.workspace_id}")
        own = {"workspace_id": where.workspace_id, "plan_id": plan_id, "step_id": new.step_id}
        found.append(own if plan_id else where.ids)
    if problems:
        more = f", and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
        raise NotFound(f"{'; '.join(problems[:MOST_TOLD])}{more}. Nothing was logged.", problems=problems[:25])
    return found


def _told(new: NewCall) -> dict[str, Any]:
    """Return what a call says of itself, without secrets: they are looked for before the write lock is held."""
    return {
        "tool": without_secrets(new.tool),
        "args": without_secrets_in(new.args),
        "result": None if new.result is None else encode(redaction.result(new.result)),
        "success": new.succeeded,
        "error": without_secrets(new.error) if new.error else None,
        "duration_ms": new.duration_ms,
        "agent": new.agent,
    }


@TOOL.action(read_only=True, takes=("page",))
async def list_calls(
    call: Call,
    *,
    call_id: Id | None = None,
    tool: ToldLine | None = None,
    success: bool | None = None,
    agent: Agent | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    since: Since | None = None,
    until: Since | None = None,
    detail: Detail = "brief",
) -> Page | ToolCall:
    """Logged tool calls, newest first.

    Of a step, a plan or the workspace; of a tool, by an agent; success=false lists those that failed. detail=full adds
    args and result; call_id gives one whole.

    Example: {"action":"list_calls","tool":"pytest","success":false}
    """
    if call_id:
        return ToolCall.of(as_dict(await one(call, entries.CALLS, call_id)))
    found = await wanted(call, plan_id, step_id, tool=tool, success=success, agent=agent)
    found = between(found, "started_at", since, until)
    return await listed(call, "calls", entries.CALLS, ToolCall, found, full=detail == "full")


@TOOL.action(read_only=True, takes=("page",))
async def call_stats(
    call: Call,
    *,
    tool: ToldLine | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    since: Since | None = None,
    until: Since | None = None,
) -> Page:
    """Calls, failures, mean and p95 of each tool.

    Of a step, a plan or the workspace. Times are in milliseconds, of the calls that have one; p95 is the time that 95 %
    of them do not exceed.

    Example: {"action":"call_stats","plan_id":"plan_1rqewqexykb7"}
    """
    after = call.after("call_stats", 2)
    if since and until and since >= until:
        raise InvalidArguments("'since' has to be before 'until'.")
    found = between(await wanted(call, plan_id, step_id, tool=tool), "started_at", since, until)
    rows, total = await call_statistics.by_tool(call.db, found, after=after, limit=call.shared.limit + 1)
    extra = {"workspace_id": found.workspace_id}
    return Page("tools", rows, total, call.shared.limit, lambda row: [row.calls, row.tool], "call_stats", extra)
