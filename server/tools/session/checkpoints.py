"""memory_session: named snapshots that an agent can come back to."""

from typing import Any

from server.db.audit import events
from server.db.plans import phases, plan_overview, plans
from server.db.sessions import checkpoints, sessions
from server.db.steps import claims
from server.db.storage.connection import Reader
from server.errors import Conflict, InvalidArguments
from server.models.base import Model
from server.models.events import Event
from server.models.plans import Plan
from server.models.reservations import Checkpoint, CheckpointBrief
from server.models.steps import StepRow
from server.models.text import Data, Id, Name
from server.tools.common import Call, Detail
from server.tools.plan_rules import plan_of
from server.tools.render import Page, reading
from server.tools.session.tool import TOOL

TASK = 200  # characters of the task of a step that is held


@TOOL.action(takes=("request",))
async def checkpoint(call: Call, *, name: Name, data: Data | None = None, plan_id: Id | None = None) -> dict[str, Any]:
    """Keep a snapshot that you can come back to.

    `data` is kept exactly as it is (an object, up to 1 MiB): what only you know. Beside it stands what the store knows:
    the steps you hold with their claim_token, and where the plan (plan_id, else that of your session) stands. A name
    may be used again: list_checkpoints gives the newest first.

    Example: {"action":"checkpoint","name":"before the rewrite","data":{"tried":["a","b"]},"agent":"Executor"}
    """
    plan = await _plan(call, call.db, plan_id)
    stands = {"plan": await position(call.db, plan)} if plan else {}  # before the lock: it counts all steps
    async with call.write() as tx:
        plan = await _plan(call, tx, plan_id)
        workspace_id = await call.workspace_id(tx, plan.workspace_id if plan else None)
        actor = tx.origin.actor
        held = await claims.held(tx, actor, workspace_id=workspace_id) if actor else []
        standing = {**stands, **({"held": [_held(step) for step in held]} if held else {})}
        kept = await checkpoints.insert(
            tx,
            workspace_id=workspace_id,
            plan_id=plan.plan_id if plan else None,
            name=name,
            data=data or {},
            standing=standing,
        )
        told = {"name": name}
        events.record(
            tx, Event("checkpoint_created", "checkpoint", kept.checkpoint_id, plan_id=kept.plan_id, data=told)
        )
        fields = kept.model_dump(exclude={"data", "standing", "cut"}, exclude_none=True)
        return {**fields, "standing": standing}


async def _plan(call: Call, db: Reader, plan_id: str | None) -> Plan | None:
    session = await sessions.require(db, call.shared.session_id) if call.shared.session_id else None
    return await plan_of(db, plan_id, session)


def _held(step: StepRow) -> dict[str, Any]:
    return {
        "plan_id": step.plan_id,
        "step_id": step.step_id,
        "index": step.order_index,
        "task": step.task[:TASK],
        "claim_token": step.claim_token,
        "lease_expires_at": step.lease_expires_at,
    }


async def position(db: Reader, plan: Plan) -> dict[str, Any]:
    """Return where a plan stands."""
    rows = await phases.progress(db, plan.plan_id)
    current = next((phase.name for phase in rows if phase.status != "done" and phase.steps_total), None)
    return {
        "plan_id": plan.plan_id,
        "title": plan.title,
        "status": plan.status,
        "version": plan.version,
        "steps_done": sum(phase.steps_done for phase in rows),
        "steps_total": sum(phase.steps_total for phase in rows),
        **({"current_phase": current} if current else {}),
    }


@TOOL.action(read_only=True, takes=("page",))
async def list_checkpoints(
    call: Call,
    *,
    plan_id: Id | None = None,
    name: Name | None = None,
    checkpoint_id: Id | None = None,
    detail: Detail = "brief",
) -> Page | Model:
    """Checkpoints of the workspace or a plan, newest first.

    Of an archived plan too, if it is named. detail="full" gives data and standing; data over 40 kB is left out of the
    list (`cut`). checkpoint_id gives one whole, in pieces if need be (`next_offset`).

    Example: {"action":"list_checkpoints","plan_id":"plan_1rqewqexykb7","name":"before the rewrite"}
    """
    after = call.after("checkpoints", 2)
    if checkpoint_id:
        if after or name:
            raise InvalidArguments("'checkpoint_id' names one; 'name' and 'cursor' belong to the list. Send it alone.")
        return await _one(call, checkpoint_id, plan_id)
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace_id = await call.workspace_id(call.db, plan.workspace_id if plan else None)
    rows, total = await checkpoints.page(
        call.db,
        workspace_id=workspace_id,
        plan_id=plan_id,
        name=name,
        full=detail == "full",
        after=after,
        limit=call.shared.limit + 1,
        suffix=plan_overview.suffix_of(plan) if plan else "",
    )
    extra = {"workspace_id": workspace_id}
    return Page(
        "checkpoints",
        rows,
        total,
        call.shared.limit,
        _place,
        "checkpoints",
        extra,
        whole=reading("memory_session list_checkpoints", "checkpoint_id"),
    )


def _place(row: Checkpoint | CheckpointBrief) -> list[str]:
    return [row.created_at, row.checkpoint_id]


async def _one(call: Call, checkpoint_id: str, plan_id: str | None) -> Checkpoint:
    found = await checkpoints.require(call.db, checkpoint_id)
    await call.workspace_id(call.db, found.workspace_id)
    if plan_id not in (None, found.plan_id):
        raise Conflict(f"{checkpoint_id!r} is of plan {found.plan_id!r}, not of {plan_id!r}. Send one of them.")
    return found
