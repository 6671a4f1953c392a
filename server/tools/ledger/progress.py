"""memory_ledger: how far long jobs are."""

from typing import Annotated, Any

import anyio
from pydantic import Field

from server.db.audit import events
from server.db.ledger import entries
from server.models.base import as_dict, later
from server.models.events import Event
from server.models.evidence import ToldData, ToldLine, ToldText
from server.models.ledger import Progress
from server.models.text import Id, Line
from server.tools.common import Call, Detail
from server.tools.ledger.parameters import also, find_named, listed, one, one_of, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

STALE_SECONDS = 900
LOOK_SECONDS = 0.25
OVER = ("completed", "failed", "cancelled")
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Status = Annotated[Line, one_of("running", *OVER)]
Shown = Annotated[Line, one_of("running", "stale", *OVER)]
Wait = Annotated[int, Field(ge=0, le=25)]


@TOOL.action()
async def set_progress(
    call: Call,
    *,
    task_name: ToldLine,
    percent: Percent,
    status: Status | None = None,
    message: ToldText | None = None,
    state: ToldData | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Tell how far a long job is.

    One row for a job of a step, plan or workspace, which this call makes or changes. status: running, completed (at 100
    unless you say otherwise), failed, cancelled. A running one that is silent for 15 minutes is shown as stale. Whoever
    waits in list_progress is told.

    Example: {"action":"set_progress","task_name":"reindex","percent":40,"message":"4,000 of 10,000 files"}
    """
    now_is = status or ("completed" if percent == 100 else "running")
    async with call.write() as tx:
        where = await place(call, tx, plan_id, step_id)
        known = await find_named(tx, entries.PROGRESS, where, task_name=task_name)
        values: dict[str, Any] = {"percent": percent, "status": now_is, "message": message}
        values |= {"state": state} if state is not None else {}
        if known is None:
            values = {**where.parent, "task_name": task_name, "started_at": tx.now(), **values}
            row = Progress.of(await entries.add(tx, entries.PROGRESS, values))
        else:
            begins_anew = known["status"] in OVER and now_is == "running"
            values |= {"started_at": tx.now()} if begins_anew else {}
            values |= {"agent": tx.origin.agent, "session_id": tx.origin.session_id}
            row = Progress.of(await entries.change(tx, entries.PROGRESS, known["progress_id"], values))
        data = {"task_name": task_name, "percent": percent, "status": now_is}
        events.record(tx, Event("progress_set", "progress", row.progress_id, plan_id=where.plan_id, data=data))
        return {"progress_id": row.progress_id, **where.told, "percent": percent, "status": now_is}


@TOOL.action(read_only=True, takes=("page",))
async def list_progress(
    call: Call,
    *,
    progress_id: Id | None = None,
    task_name: ToldLine | None = None,
    status: Shown | None = None,
    wait_seconds: Wait = 0,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    detail: Detail = "brief",
) -> Page | Progress:
    """How far long jobs are, those told of last first.

    Of a step, a plan or the workspace; status running, stale, completed, failed or cancelled. With task_name,
    wait_seconds (at most 25) waits for that job to end, and tells a client that asked for progress how far it is
    meanwhile. detail=full adds state; progress_id gives one whole.

    Example: {"action":"list_progress","task_name":"reindex","wait_seconds":20}
    """
    if progress_id:
        return Progress.of(_shown(as_dict(await one(call, entries.PROGRESS, progress_id)), call.db.now()))
    found = await wanted(call, plan_id, step_id, by_parent=True, task_name=task_name)
    if task_name and wait_seconds:
        with call.waits.at_most(wait_seconds):
            await _followed(call, found)
    if status:
        is_stale = "t.status = 'running' AND t.updated_at <= :silent"
        told = f"CASE WHEN {is_stale} THEN 'stale' ELSE t.status END = :status"
        found = also(found, [told], {"status": status, "silent": later(call.db.now(), -STALE_SECONDS)})
    now = call.db.now()
    return await listed(
        call, "progress", entries.PROGRESS, Progress, found, full=detail == "full", made=lambda row: _shown(row, now)
    )


async def _followed(call: Call, found: entries.LedgerFilter) -> None:
    """Return when the newest job that is meant is over; tell a client that wants to know how far it is."""
    told = -1.0
    while True:
        rows, _ = await entries.page(call.db, entries.PROGRESS, found, after=None, limit=1)
        if not rows or rows[0]["status"] != "running":
            return
        if call.progress and rows[0]["percent"] > told:  # the protocol knows no way back
            told = rows[0]["percent"]
            await call.progress(told, 100.0, rows[0]["message"] or rows[0]["task_name"])
        await anyio.sleep(LOOK_SECONDS)


def _shown(row: dict[str, Any], now: str) -> dict[str, Any]:
    return {**row, "stale": row["status"] == "running" and row["updated_at"] <= later(now, -STALE_SECONDS)}
