"""memory_program: the plans of a program, and the workspaces that see it."""

from typing import Annotated, Any

from pydantic import Field

from server.db.plans import plans
from server.db.programs import memberships, programs
from server.db.storage.connection import Transaction
from server.db.workspaces import workspaces
from server.errors import Ambiguous, Conflict, InvalidArguments
from server.models.plans import PlanBrief
from server.models.programs import Program
from server.models.text import Id
from server.tools.common import Call
from server.tools.program.tool import TOOL
from server.tools.render import Page, reading
from server.tools.rules import program_rules

PlanIds = Annotated[list[Id], Field(min_length=1, max_length=200)]
ORDER = "program_plans"
NAMED = 3
WHOLE = reading("memory_plan get", "plan_id")


@TOOL.action(takes=("force",), aliases=("link_to_program", "add_plan_to_program"))
async def add_plan(call: Call, *, program_id: Id, plan_id: Id) -> dict[str, Any]:
    """Put a plan into it, behind the others.

    Of any workspace: that sees the program from then on (`linked_workspace`). A plan is in one program at most: one
    that is in another is a conflict that names it; force=true moves it, and `moved_from` says from where. Its steps
    wait for what the program waits for.

    Example: {"action":"add_plan","program_id":"prog_1rqewqexykb7","plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write(is_quick=False) as tx:
        program = await program_rules.live(call, tx, program_id)
        told = await program_rules.join(call, tx, program, await plans.require_live(tx, plan_id))
        plans_total = len(await memberships.plans_of(tx, program_id))
        parts = {"program_id": program_id, "workspace_id": program.workspace_id, "plan_id": plan_id}
        return {**parts, "plans_total": plans_total, **told}


@TOOL.action(aliases=("unlink_from_program",))
async def remove_plan(call: Call, *, plan_id: Id, program_id: Id | None = None) -> dict[str, Any]:
    """Take a plan out of its program.

    It stays as it is. One that is in no program is left alone (`removed` is false); in another than program_id, it is
    a conflict.

    Example: {"action":"remove_plan","plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write() as tx:
        plan = await plans.require(tx, plan_id)
        present = await memberships.program_of(tx, plan_id)
        named = await programs.require(tx, program_id) if program_id else None
        if present is None:
            home = named.workspace_id if named else plan.workspace_id
            return {"plan_id": plan_id, "workspace_id": await call.workspace_id(tx, home), "removed": False}
        if program_id not in (None, present):
            raise Conflict(f"The plan {plan_id} is in the program {present}, not in {program_id}.", program_id=present)
        program = await program_rules.live(call, tx, present)
        free = await program_rules.leave(tx, program, plan)
        parts = {"plan_id": plan_id, "program_id": present, "workspace_id": program.workspace_id, "removed": True}
        return {**parts, "unblocked": free}


@TOOL.action(read_only=True, takes=("page",), aliases=("list_program_plans",))
async def list_plans(call: Call, *, program_id: Id) -> Page:
    """Its plans in order, archived ones too.

    Example: {"action":"list_plans","program_id":"prog_1rqewqexykb7"}
    """
    program, limit = await program_rules.read(call, program_id), call.shared.limit
    statement = plans.of_program(program_id, after=call.after(ORDER, 2), limit=limit + 1)
    rows, members = await call.db.batch(statement, memberships.count_of(program_id))
    places = {row["plan_id"]: [row["order_index"], row["plan_id"]] for row in rows}
    shown = [PlanBrief.of(plans.with_done(row)).model_copy(update={"program_id": None}) for row in rows]
    extra = {"program_id": program_id, "workspace_id": program.workspace_id}
    total = members[0][0]
    return Page("plans", shown, total, limit, lambda plan: places[plan.plan_id], ORDER, extra, whole=WHOLE)


@TOOL.action()
async def reorder_plans(call: Call, *, program_id: Id, plan_ids: PlanIds) -> dict[str, Any]:
    """Put these first; the others follow as they are.

    Example: {"action":"reorder_plans","program_id":"prog_1rqewqexykb7","plan_ids":["plan_1rqewqexykb8"]}
    """
    async with call.write() as tx:
        program = await program_rules.live(call, tx, program_id)
        present = await memberships.plans_of(tx, program_id)
        _check_order(present, plan_ids)
        order = [*plan_ids, *(plan_id for plan_id in present if plan_id not in set(plan_ids))]
        if order != present:
            await memberships.set_order(tx, program_id, order)
            await programs.touch(tx, program_id)
            summary = f"Plans of the program {program.title!r} reordered"
            program_rules.record(tx, program, "program_plans_reordered", summary)
        return {"program_id": program_id, "workspace_id": program.workspace_id, "plan_ids": order}


def _check_order(present: list[str], named: list[str]) -> None:
    twice = [plan_id for plan_id in dict.fromkeys(named) if named.count(plan_id) > 1]
    strange = [plan_id for plan_id in dict.fromkeys(named) if plan_id not in present]
    problems = [f"{plan_id!r} is named twice" for plan_id in twice]
    problems += [f"{plan_id!r} is not in the program" for plan_id in strange]
    if problems:
        raise InvalidArguments(f"plan_ids: {'; '.join(problems)}. memory_program action='list_plans' lists its plans.")


@TOOL.action()
async def link_workspace(call: Call, *, program_id: Id) -> dict[str, Any]:
    """Let workspace_id see it.

    Example: {"action":"link_workspace","program_id":"prog_1rqewqexykb7","workspace_id":"ws_1rqewqexykb7"}
    """
    async with call.write() as tx:
        program, other = await _named(call, tx, program_id)
        linked = await memberships.links(tx, program_id)
        if other not in (*linked, program.workspace_id):
            await memberships.link(tx, program_id, other)
            summary = f"Program {program.title!r} is seen from the workspace {other}"
            program_rules.record(tx, program, "program_linked", summary, to=other)
            linked.append(other)
        return {"program_id": program_id, "workspace_id": program.workspace_id, "linked_workspaces": linked}


@TOOL.action()
async def unlink_workspace(call: Call, *, program_id: Id) -> dict[str, Any]:
    """Let workspace_id see it no more.

    Not while plans of it are in the program: that is a conflict.

    Example: {"action":"unlink_workspace","program_id":"prog_1rqewqexykb7","workspace_id":"ws_1rqewqexykb7"}
    """
    async with call.write() as tx:
        program, other = await _named(call, tx, program_id)
        if other == program.workspace_id:
            raise Conflict(f"The program {program_id} belongs to the workspace {other}, which always sees it.")
        if inside := await memberships.plans_from(tx, program_id, other):
            named = ", ".join(f"{plan['plan_id']} ({plan['title']!r})" for plan in inside[:NAMED])
            raise Conflict(
                f"{len(inside)} plans of the workspace {other} are in the program: {named}. "
                "memory_program action='remove_plan' takes them out.",
                plan_ids=[plan["plan_id"] for plan in inside],
            )
        linked = await memberships.links(tx, program_id)
        if other in linked:
            await memberships.unlink(tx, program_id, other)
            summary = f"Program {program.title!r} is seen from the workspace {other} no more"
            program_rules.record(tx, program, "program_unlinked", summary, **{"from": other})
            linked.remove(other)
        return {"program_id": program_id, "workspace_id": program.workspace_id, "linked_workspaces": linked}


async def _named(call: Call, tx: Transaction, program_id: str) -> tuple[Program, str]:
    """Return a program that can be changed, and the workspace that the call names: not the one that it is about."""
    program = await programs.require_live(tx, program_id)
    tx.workspace_id = program.workspace_id
    if other := await call.told(tx):
        return program, other
    known = [w.place for w in (await workspaces.all_(tx))[:20]]
    raise Ambiguous("Which workspace? Send workspace_id or workspace_path.", workspaces=known)
