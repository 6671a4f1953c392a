"""memory_program: programs as a whole."""

from collections.abc import Mapping
from typing import Any

from server.db.programs import overview, programs
from server.models.plans import Category, PlanBrief, Priority
from server.models.programs import Program, ProgramBrief, Risk, percent
from server.models.text import AgentName, Id, Line, Lines, Text
from server.tools.common import Call, Detail
from server.tools.program.tool import TOOL
from server.tools.render import Page, Result, reading
from server.tools.rules import program_rules

ORDER = "programs"
WHOLE = reading("memory_program get", "program_id")
# What a brief answer about a program leaves to detail=full.
LONG = ("description", "goals", "success_criteria")


def facts(program: Program) -> dict[str, Any]:
    """Return the fields that every answer about a whole program has at its root."""
    names = [name for name in ProgramBrief.model_fields if name in Program.model_fields]
    return {name: getattr(program, name) for name in names} | {"version": program.version}


@TOOL.action(takes=("request",))
async def create(
    call: Call,
    *,
    title: Line,
    description: Text | None = None,
    category: Category = "feature",
    priority: Priority = "medium",
    goals: Lines | None = None,
    success_criteria: Lines | None = None,
    owner: AgentName | None = None,
) -> dict[str, Any]:
    """Make a program.

    add_plan puts plans into it, of any workspace; memory_plan create takes its program_id. It belongs to your
    workspace, and is seen from those that are linked to it.

    Example: {"action":"create","title":"Release 3","goals":["All services on the new login"]}
    """
    columns = {"description": description, "category": category, "priority": priority, "owner": owner}
    columns |= {"goals": goals or [], "success_criteria": success_criteria or []}
    async with call.write() as tx:
        program = await programs.insert(tx, workspace_id=await call.workspace_id(tx), title=title, **columns)
        program_rules.record(tx, program, "program_created", f"Program {title!r} created")
        return facts(program)


@TOOL.action(read_only=True)
async def get(call: Call, *, program_id: Id, detail: Detail = "brief") -> Result:
    """How far each plan is, what blocks what, open risks.

    plans in their order, each with its state (ready, waiting, or its status), steps and percent; blocked: what plans
    and phases wait for, and does not exist yet as it should; risks: those that are open, the worst first.
    detail=full adds description, goals and success_criteria.

    Example: {"action":"get","program_id":"prog_1rqewqexykb7"}
    """
    found = await overview.read(call.db, program_id)
    if found is None:
        raise await programs.missing(call.db, program_id)
    program, totals = found.program, found.totals
    await program_rules.place(call, call.db, program_id, program.workspace_id)
    waiting = {edge["source_plan_id"] or program_id for edge in found.blocked if edge["source_type"] != "phase"}
    parts = {
        **facts(program),
        **({name: getattr(program, name) for name in LONG} if detail == "full" else {}),
        "archived_at": program.archived_at,
        **totals,
        "linked_workspaces": found.links,
        "plans": [standing(plan, waiting, program) for plan in found.plans],
        "blocked": [blocked(edge) for edge in found.blocked],
        "risks": [_risk(risk) for risk in found.risks],
    }
    return Result(parts, hints=_rest(program_id))


def _risk(risk: Risk) -> dict[str, Any]:
    return risk.model_dump(include={"risk_id", "title", "severity", "plan_id"}, exclude_none=True)


def _rest(program_id: str) -> dict[str, str]:
    """Return what shows the rest of each list in a program that had to be cut."""
    return {
        "plans": f"memory_program action='list_plans' program_id='{program_id}' shows all plans",
        "blocked": f"memory_program action='get_dependencies' program_id='{program_id}' shows what waits for what",
        "risks": f"memory_program action='list_risks' program_id='{program_id}' shows all risks",
    }


def standing(plan: PlanBrief, waiting: set[str], program: Program) -> dict[str, Any]:
    """Return how far a plan is, and whether it can go on; `waiting` are plans that wait, or the program if it does."""
    waits = {plan.plan_id, program.program_id} & waiting
    state = ("waiting" if waits else "ready") if plan.status == "active" else plan.last_status or plan.status
    fields: dict[str, Any] = {
        "plan_id": plan.plan_id,
        "title": plan.title,
        "status": plan.status,
        "state": state,
        "steps_done": plan.steps_done,
        "steps_total": plan.steps_total,
        "percent": percent(plan.steps_done, plan.steps_total),
        "current_phase": plan.current_phase,
        "workspace_id": plan.workspace_id if plan.workspace_id != program.workspace_id else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def blocked(edge: Mapping[str, Any]) -> dict[str, Any]:
    """Return who waits, and for what, in ids and words."""
    return {**end_of(edge, "source"), "by": end_of(edge, "target")}


def end_of(edge: Mapping[str, Any], end: str) -> dict[str, Any]:
    """Return one end of a dependency in ids and words."""
    kind = edge[f"{end}_type"]
    own = {f"{kind}_id": edge[f"{end}_id"]}
    more = {"plan_id": edge[f"{end}_plan_id"], "phase": edge[f"{end}_phase"]} if kind == "phase" else {}
    told = {**more, **own, "title": edge[f"{end}_title"]}
    return {name: value for name, value in told.items() if value is not None}


@TOOL.action(read_only=True, takes=("page",))
async def list_(call: Call, *, query: Line | None = None, include_archived: bool = False) -> Page:
    """Programs that a workspace sees, last changed first.

    query is part of the title. Each with its plans and steps, done and in all.

    Example: {"action":"list"}
    """
    workspace_id, limit = await call.workspace_id(call.db), call.shared.limit
    rows, total = await programs.page(
        call.db,
        workspace_id=workspace_id,
        query=query,
        include_archived=include_archived,
        after=call.after(ORDER, 2),
        limit=limit + 1,
    )
    extra = {"workspace_id": workspace_id}
    return Page(ORDER, rows, total, limit, lambda p: [p.updated_at, p.program_id], ORDER, extra, whole=WHOLE)
