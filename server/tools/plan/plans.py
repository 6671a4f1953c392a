"""memory_plan: plans as a whole."""

from typing import Annotated, Any

from pydantic import Field

from server.db.plans import phases, plan_overview, plans
from server.db.programs import programs
from server.errors import Ambiguous
from server.models.plans import (
    STEPS_LIMIT,
    Category,
    NewPhase,
    PhaseProgress,
    Plan,
    PlanBrief,
    PlanOrder,
    PlanPart,
    PlanStatus,
    Priority,
)
from server.models.steps import NewStep
from server.models.text import Id, Line, Lines, Name, Text
from server.tools.common import Call, Detail
from server.tools.plan import drafts, templates
from server.tools.plan.drafts import PlanDraft
from server.tools.plan.tool import TOOL
from server.tools.render import Page, Result, reading
from server.tools.rules import program_rules

PHASE_SHAPE = "[{name, description?, steps?: [{task, type?, assignee?, depends_on?}]}]"
Phases = Annotated[list[NewPhase], Field(max_length=200, description=PHASE_SHAPE)]
Steps = Annotated[list[NewStep], Field(max_length=STEPS_LIMIT, description="[{task, phase?, ...}]")]
PlanIds = Annotated[list[Id], Field(max_length=200)]
PhaseName = Annotated[Line, Field(description="phase name or id")]
Parts = Annotated[list[PlanPart], Field(max_length=7)]

CANDIDATES = 5
WHOLE = reading("memory_plan get", "plan_id")
FULL: frozenset[str] = frozenset({"facts", "steps", "sessions", "lineage", "notes", "dependencies"})


@TOOL.action(takes=("request",))
async def create(
    call: Call,
    *,
    title: Line,
    description: Text | None = None,
    category: Category | None = None,
    priority: Priority = "medium",
    goals: Lines | None = None,
    success_criteria: Lines | None = None,
    program_id: Id | None = None,
    depends_on_plans: PlanIds | None = None,
    template: Name | None = None,
    phases: Phases | None = None,
    steps: Steps | None = None,
) -> Result:
    """Make a plan, with phases and steps, in one call.

    phases is [{name, description?, approval_required?, success_criteria?, required_agents?,
    required_gates?, steps?: [step]}]; steps is
    [step], each of which may name its phase. A step is {task, phase?, type?, status?, section?, assignee?, notes?,
    depends_on?, requires_validation?, requires_confirmation?}. depends_on names step ids, or indices across the new
    plan: those of phases first, then those of steps, from 0. A phase with approval_required has to be confirmed by a
    human before later phases start. depends_on_plans are plans that this one waits for; program_id puts it into a
    program. With a template (see list_templates) its phases come first, and what you give replaces its category, goals
    and criteria. category is feature unless given. At most 2000 steps a call; memory_steps add appends more.

    Example: {"action":"create","title":"Add login","goals":["Users can log in"],"success_criteria":["Tests pass"],
    "phases":[{"name":"Build","steps":[{"task":"Write the form"},{"task":"Test it","depends_on":[0]}]}]}
    """
    draft = PlanDraft(
        title,
        {"description": description, "category": category, "goals": goals, "success_criteria": success_criteria},
        phases or (),
        steps or (),
        depends_on_plans or (),
    )
    if template:
        draft = templates.applied(templates.require(template), draft)
    draft.columns = {name: value for name, value in draft.columns.items() if value is not None} | {"priority": priority}
    async with call.write(is_quick=False) as tx:
        plan, rows = await drafts.make(tx, await call.workspace_id(tx), draft)
        told = await program_rules.joined(call, tx, plan, program_id) if program_id else {}
        return await drafts.made(tx, draft, plan, rows, **told)


@TOOL.action(takes=("request",))
async def create_from_template(
    call: Call,
    *,
    title: Line,
    template: Name,
    description: Text | None = None,
    priority: Priority = "medium",
    category: Category | None = None,
) -> Result:
    """Make a plan from one of the templates.

    list_templates shows them; create takes a template too, with phases and steps of your own behind it. The category
    is that of the template, unless given.

    Example: {"action":"create_from_template","title":"Fix the crash at start","template":"bugfix"}
    """
    found = templates.require(template)
    columns = {"priority": priority, "description": description, "category": category}
    columns = {name: value for name, value in columns.items() if value is not None}
    draft = templates.applied(found, PlanDraft(title, columns))
    async with call.write(is_quick=False) as tx:
        plan, rows = await drafts.make(tx, await call.workspace_id(tx), draft)
        return await drafts.made(tx, draft, plan, rows)


@TOOL.action(read_only=True)
async def list_templates(call: Call, *, detail: Detail = "brief") -> dict[str, Any]:
    """The templates for plans; detail=full shows their steps.

    Example: {"action":"list_templates"}
    """
    return {"templates": [templates.shown(t, full=detail == "full") for t in templates.load().values()]}


@TOOL.action(read_only=True)
async def get(
    call: Call, *, plan_id: Id, detail: Detail = "brief", include: Parts | None = None, phase: PhaseName | None = None
) -> Result | PhaseProgress:
    """A plan: where it stands and who holds what.

    brief: the facts, phases with counts, the plans it waits for, the open steps around the current one, live claims; of
    one that came from elsewhere what was said of it there: external_id, current_focus, blockers, completed_phases,
    stated_phase.
    detail=full: everything but context. include adds parts to brief: facts (all of the plan itself and of its phases),
    steps, sessions, lineage, notes, context (which items there are), dependencies. phase gives that phase alone, whole.
    Archived plans can be read too.

    Example: {"action":"get","plan_id":"plan_1rqewqexykb7","include":["notes"]}
    """
    wanted = {*(include or ()), *(FULL if detail == "full" else ())}
    found = await plan_overview.read(call.db, plan_id, wanted)
    if found is None:
        raise await plans.missing(call.db, plan_id)
    plan = found.plan
    await call.workspace_id(call.db, plan.workspace_id)
    if phase:
        one = await phases.require(call.db, plan_id, phase, suffix=plan_overview.suffix_of(plan))
        return next(row for row in found.phases if row.phase_id == one.phase_id)
    parts = {
        **drafts.facts(plan, found.progress, found.current_phase),
        **(_all_facts(plan) if "facts" in wanted else {"paused_at_snapshot": plan.paused_at_snapshot}),
        **_trajectory(plan, found.current_phase),
        "phases": found.phases if "facts" in wanted else drafts.counts_only(found.progress),
        "waiting_for": found.waiting_for,
        "claims": found.claims,
        "current_steps": found.near,
        "steps": found.every,
        **found.parts,
    }
    return Result(parts, hints=_rest(plan_id))


def _rest(plan_id: str) -> dict[str, str]:
    """Return what shows the rest of each list in a plan that had to be cut."""
    steps = f"memory_steps action='list' plan_id='{plan_id}' detail='full' shows all steps"
    return {
        "waiting_for": f"memory_plan action='get_plan_dependencies' plan_id='{plan_id}' shows them all",
        "phases": f"memory_plan action='get' plan_id='{plan_id}' phase='{{phase_id}}' shows a phase whole",
        "steps": steps,
        "current_steps": steps,
        "claims": f"memory_steps action='list' plan_id='{plan_id}' status='active' shows the steps that are held",
        "notes": f"memory_plan action='list_notes' plan_id='{plan_id}' shows all notes",
        "sessions": f"memory_session action='list_sessions' plan_id='{plan_id}' shows all sessions",
        "lineage": f"memory_agent action='get_lineage' plan_id='{plan_id}' shows all hand-offs",
        "context": f"memory_context action='list' plan_id='{plan_id}' shows all items",
        "dependencies": f"memory_plan action='get_plan_dependencies' plan_id='{plan_id}' shows what it waits for",
    }


def _trajectory(plan: Plan, current_phase: str | None) -> dict[str, Any]:
    """Return where a plan stood by the word of the program that it came from, as far as its steps do not say it."""
    stated = plan.current_phase if current_phase not in (None, plan.current_phase) else None
    return {
        "external_id": plan.external_id,
        "stated_phase": stated,
        **{name: getattr(plan, name) for name in ("current_focus", "sub_state", "blockers", "completed_phases")},
    }


def _all_facts(plan: Plan) -> dict[str, Any]:
    hidden = {*PlanBrief.model_fields, "version", "paused_at"}
    return {name: value for name, value in plan if name not in hidden and value is not False}


@TOOL.action(read_only=True, takes=("page",))
async def list_(
    call: Call,
    *,
    status: PlanStatus | None = None,
    category: Category | None = None,
    priority: Priority | None = None,
    program_id: Id | None = None,
    query: Line | None = None,
    include_archived: bool = False,
    order: PlanOrder = "updated",
    detail: Detail = "brief",
) -> Page:
    """The plans of a workspace, last changed first.

    query is part of the title; of a program, those of other workspaces are in memory_program list_plans.
    status=archived lists only archived plans; include_archived adds them to the others, and status then also means the
    one they had before. order: updated, created, priority (all newest first), title. detail=full adds the phases of
    each with the count of their steps.

    Example: {"action":"list","status":"active","order":"priority"}
    """
    wanted = plans.Filter(
        await call.workspace_id(call.db), status, category, priority, query, program_id, include_archived
    )
    if program_id:
        await programs.require(call.db, program_id)
    key = f"plans-{order}"
    found, total = await plans.page(
        call.db,
        wanted,
        order=order,
        after=call.after(key, len(plans.ORDERS[order][1])),
        limit=call.shared.limit + 1,
    )
    places = {brief.plan_id: place for brief, place in found}
    extra = {"workspace_id": wanted.workspace_id}
    rows = [brief for brief, _ in found]
    if detail == "full":
        of_plan = await phases.counts(call.db, [brief.plan_id for brief in rows])
        rows = [brief.model_copy(update={"phases": of_plan.get(brief.plan_id)}) for brief in rows]
    return Page("plans", rows, total, call.shared.limit, lambda brief: places[brief.plan_id], key, extra, whole=WHOLE)


@TOOL.action(read_only=True)
async def find(call: Call, *, plan_id: Id) -> dict[str, Any]:
    """Find a plan in any workspace by id or its start.

    Returns it in brief, with the path of its workspace. Archived plans are found too. A start that several ids have is
    an error that lists them.

    Example: {"action":"find","plan_id":"plan_1rqe"}
    """
    found = await plans.starting_with(call.db, plan_id, limit=CANDIDATES + 1)
    exact = [plan for plan in found if plan.plan_id == plan_id] or found
    if not exact:
        raise await plans.missing(call.db, plan_id)
    if len(exact) > 1:
        raise Ambiguous(
            f"{'More than ' if len(exact) > CANDIDATES else ''}{min(len(exact), CANDIDATES)} plans have an id that "
            f"starts with {plan_id!r}. Send more of it.",
            candidates=[
                {"plan_id": plan.plan_id, "title": plan.title, "workspace_id": plan.workspace_id, "status": plan.status}
                for plan in exact[:CANDIDATES]
            ],
        )
    workspace = await call.workspace(call.db, exact[0].workspace_id)
    return {**dict(exact[0]), "workspace_path": workspace.path}
