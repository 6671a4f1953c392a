"""What calls on programs, and on the plans in them, do alike: which program it is, who sees it, how a plan joins it."""

from typing import Any

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.plans import plans
from server.db.programs import memberships, programs
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict
from server.models.events import Event
from server.models.plans import Plan
from server.models.programs import PROGRAM_PLANS_LIMIT, Program
from server.tools.common import Call
from server.tools.plan_rules import unblocked


async def place(call: Call, db: Reader, program_id: str, workspace_id: str) -> str:
    """Return the workspace that a call on a program of `workspace_id` is about: a linked one, if the call says so."""
    told = await call.told(db)
    sees = told and told != workspace_id and await memberships.is_linked(db, program_id, told)
    return await call.workspace_id(db, told if sees else workspace_id)


async def read(call: Call, program_id: str) -> Program:
    """Return a program, archived or not, that the workspace of the call sees."""
    program = await programs.require(call.db, program_id)
    await place(call, call.db, program_id, program.workspace_id)
    return program


async def live(call: Call, tx: Transaction, program_id: str) -> Program:
    """Return a program that can be changed, and that the workspace of the call sees."""
    program = await programs.require_live(tx, program_id)
    await place(call, tx, program_id, program.workspace_id)
    return program


def record(tx: Transaction, program: Program, kind: str, summary: str, plan_id: str | None = None, **data: Any) -> None:
    """Log a change of a program as a whole; `plan_id` is the one plan of it that the change is about."""
    event = Event(kind, "program", program.program_id, program.workspace_id, plan_id, summary=summary, data=data)
    events.record(tx, event)


async def join(call: Call, tx: Transaction, program: Program, plan: Plan) -> dict[str, Any]:
    """Put a live plan into a program and say what that did. It leaves the one it is in only by force."""
    present = await memberships.program_of(tx, plan.plan_id)
    if present == program.program_id:
        return {}
    if len(await memberships.plans_of(tx, program.program_id)) >= PROGRAM_PLANS_LIMIT:
        raise Conflict(f"The program {program.program_id} has {PROGRAM_PLANS_LIMIT} plans, as many as one can hold.")
    told = await _leave(call, tx, plan, await programs.require(tx, present)) if present else {}
    await memberships.add(tx, program.program_id, plan.plan_id)
    if plan.workspace_id != program.workspace_id and not await memberships.is_linked(
        tx, program.program_id, plan.workspace_id
    ):
        await memberships.link(tx, program.program_id, plan.workspace_id)
        told |= {"linked_workspace": plan.workspace_id}
    await programs.touch(tx, program.program_id)
    await plans.touch(tx, plan.plan_id)
    await dependencies.refresh(tx, [("program", program.program_id)])
    summary = f"Plan {plan.title!r} joined the program {program.title!r}"
    record(tx, program, "program_plan_added", summary, plan.plan_id, **told)
    return told


async def joined(call: Call, tx: Transaction, plan: Plan, program_id: str) -> dict[str, Any]:
    """Put a new plan into a program and return what its answer tells of that."""
    program = await programs.require_live(tx, program_id)
    return {"program_id": program_id, **await join(call, tx, program, plan)}


async def _leave(call: Call, tx: Transaction, plan: Plan, present: Program) -> dict[str, Any]:
    """Take a plan out of the program it is in, or refuse without force."""
    if not call.shared.force:
        raise Conflict(
            f"The plan {plan.plan_id} is in the program {present.program_id} ({present.title!r}), and a plan is in one "
            "at most. force=true moves it.",
            program_id=present.program_id,
        )
    free = await leave(tx, present, plan)
    moved = {"moved_from": {"program_id": present.program_id, "title": present.title}}
    return {**moved, **({"unblocked": free} if free else {})}


async def leave(tx: Transaction, program: Program, plan: Plan) -> list[dict[str, Any]]:
    """Take a plan out of its program; return what waited for the program and is free without the plan."""
    await memberships.remove(tx, program.program_id, plan.plan_id)
    await programs.touch(tx, program.program_id)
    summary = f"Plan {plan.title!r} left the program {program.title!r}"
    record(tx, program, "program_plan_removed", summary, plan.plan_id)
    return await unblocked(tx, await dependencies.refresh(tx, [("program", program.program_id)]))
