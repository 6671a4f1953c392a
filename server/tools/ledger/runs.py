"""memory_ledger: playbooks, workflows and whatever else runs for a while."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.ledger import entries
from server.errors import Conflict
from server.models.base import as_dict, later
from server.models.events import Event
from server.models.evidence import ToldData, ToldLine, ToldText
from server.models.ledger import LedgerRun
from server.models.text import Id, Line
from server.tools.common import Call, Detail
from server.tools.ledger.parameters import Since, also, between, listed, one, one_of, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

DAY = 86_400
OF_TERMINAL = ("terminal", "build_script")  # they end by themselves
SHOWN = "CASE WHEN t.status = 'running' AND t.expires_at <= :now THEN 'lost' ELSE t.status END"
Limit = Annotated[int, Field(ge=1, le=90 * DAY, description="lost after it")]
RunStatus = Annotated[Line, one_of("running", "done", "failed", "lost", "ended")]


@TOOL.action(takes=("request",))
async def start_run(
    call: Call,
    *,
    name: ToldLine,
    kind: Line | None = None,
    phase: Line | None = None,
    metrics: ToldData | None = None,
    limit_seconds: Limit = DAY,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Note that a playbook, workflow, ... begins.

    kind says what it is (workflow unless you say so), phase where it stands. finish_run ends it; one that nobody ended
    within limit_seconds (default a day) is shown as lost.

    Example: {"action":"start_run","name":"nightly","kind":"playbook","plan_id":"plan_1rqewqexykb7"}
    """
    if kind in OF_TERMINAL:
        raise Conflict(f"Runs of kind {kind!r} are those that memory_terminal action='run' starts. Choose another one.")
    async with call.write() as tx:
        where = await place(call, tx, plan_id, step_id)
        values = {
            **where.ids,
            "name": name,
            "kind": kind or "workflow",
            "phase": phase,
            "status": "running",
            "metrics": metrics or {},
            "started_at": tx.now(),
            "expires_at": later(tx.now(), limit_seconds),
        }
        run = LedgerRun.of(await entries.add(tx, entries.RUNS, values))
        data = {"name": name, "kind": run.kind}
        events.record(tx, Event("run_started", "run", run.run_id, plan_id=where.plan_id, data=data))
        return {"run_id": run.run_id, **where.told, "status": run.status, "expires_at": run.expires_at}


@TOOL.action()
async def finish_run(
    call: Call,
    *,
    run_id: Id,
    success: bool | None = None,
    error: ToldText | None = None,
    metrics: ToldData | None = None,
) -> dict[str, Any]:
    """End a run: done, or failed with its error.

    One with an error failed, unless success says otherwise. metrics is added to that of its start, key by key. The same
    call again changes nothing; one that says otherwise is a conflict. A run that was shown as lost may still end.

    Example: {"action":"finish_run","run_id":"run_1rqewqexykb7","success":true,"metrics":{"tests":412}}
    """
    async with call.write() as tx:
        row = await entries.require_live(tx, entries.RUNS, run_id)
        workspace_id = await call.workspace_id(tx, row["workspace_id"])
        before = LedgerRun.of(row)
        told = {"run_id": run_id, "workspace_id": workspace_id, "plan_id": before.plan_id}
        if before.kind in OF_TERMINAL:
            raise Conflict(f"{run_id} is a program that ends by itself; memory_terminal kill ends it now.")
        success = error is None if success is None else success
        status = "done" if success else "failed"
        measured = {**before.metrics, **(metrics or {})}
        if before.status != "running":
            if (before.status, before.metrics) != (status, measured) or error not in (None, before.error):
                raise Conflict(f"{run_id} ended at {before.finished_at}: {before.status}. Start another one.")
            return {**told, "status": before.status, "finished_at": before.finished_at}
        changes = {"status": status, "success": success, "error": error, "finished_at": tx.now()}
        changes |= {"metrics": measured}
        after = LedgerRun.of(await entries.change(tx, entries.RUNS, run_id, changes))
        summary = f"{before.kind} {before.name!r} {status}"
        data = {"name": before.name, "kind": before.kind, "success": success}
        events.record(tx, Event("run_finished", "run", run_id, plan_id=before.plan_id, summary=summary, data=data))
        return {**told, "status": after.status, "finished_at": after.finished_at}


@TOOL.action(read_only=True, takes=("page",))
async def list_runs(
    call: Call,
    *,
    run_id: Id | None = None,
    name: ToldLine | None = None,
    kind: Line | None = None,
    status: RunStatus | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    since: Since | None = None,
    until: Since | None = None,
    detail: Detail = "brief",
) -> Page | LedgerRun:
    """Runs, newest first.

    Of a step, a plan or the workspace, programs of the terminal too (kind terminal). status: running, done,
    failed, lost (no end within its limit), ended (a program that was stopped). detail=full adds metrics; run_id
    gives one whole.

    Example: {"action":"list_runs","status":"lost"}
    """
    now = {"now": call.db.now()}
    if run_id:
        return LedgerRun.of(_shown(as_dict(await one(call, entries.RUNS, run_id)), call.db.now()))
    found = between(await wanted(call, plan_id, step_id, name=name, kind=kind), "started_at", since, until)
    if status:
        found = also(found, [f"{SHOWN} = :status"], {"status": status, **now})
    moment = call.db.now()
    return await listed(
        call, "runs", entries.RUNS, LedgerRun, found, full=detail == "full", made=lambda row: _shown(row, moment)
    )


def _shown(row: dict[str, Any], now: str) -> dict[str, Any]:
    is_lost = row["status"] == "running" and (row["expires_at"] or "~") <= now
    return {**row, "status": "lost"} if is_lost else row
