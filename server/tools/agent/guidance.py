"""memory_agent: who should work on a plan now, what kind of work it is, and the briefing without a session."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, cast

from pydantic import Field

from server.db.audit import events
from server.db.library import definitions
from server.db.plans import plan_overview, plans
from server.db.plans.plan_overview import Overview
from server.db.sessions import sessions
from server.models.base import Described
from server.models.events import Event
from server.models.library import LibraryItem
from server.models.plans import Category, Plan
from server.models.steps import StepBrief
from server.models.text import AgentName, Id, Text
from server.text.names import folded
from server.tools.agent import briefing
from server.tools.agent.tool import TOOL
from server.tools.common import Agent, Call
from server.tools.plan_rules import edited
from server.tools.render import Result

FULL_WORKFLOW = ("Researcher", "Brainstorm", "Architect", "Executor", "Reviewer", "Tester", "Archivist")
# For each category: how deep to plan, and who works on it one after the other.
ROUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "feature": ("full", FULL_WORKFLOW),
    "bugfix": ("branching", ("Architect", "Executor", "Reviewer", "Tester", "Archivist")),
    "refactor": ("full_minus_brainstorm", ("Researcher", "Architect", "Executor", "Reviewer", "Tester", "Archivist")),
    "orchestration": ("full_plus_research", FULL_WORKFLOW),
    "program": ("meta", ("Architect", "Coordinator")),
    "quick_task": ("none", ("Runner",)),
    "advisory": ("none", ()),
}
ROLE_OF_TYPE = {
    "analysis": "Analyst", "research": "Researcher", "planning": "Architect", "code": "Executor", "fix": "Executor",
    "refactor": "Executor", "complex": "Executor", "build": "Reviewer", "validation": "Reviewer", "test": "Tester",
    "documentation": "Archivist",
}  # fmt: skip
# Whole words in the name of a phase; the first role that has one of them.
ROLE_OF_WORDS = {
    "TDDDriver": "tdd",
    "Cognition": "cognition reasoning critique",
    "Researcher": "audit research",
    "Analyst": "analysis investigation reconnaissance hypothesis experiment discovery exploration comparison",
    "Brainstorm": "brainstorm brainstorming ideation",
    "Architect": "design architecture specification planning",
    "Revisionist": "revision pivot adjustment",
    "Tester": "test tests testing verification validation",
    "Reviewer": "review quality build compile compilation",
    "Archivist": "documentation archival finalization",
    "Runner": "hotfix quick runner",
    "Executor": "implementation implement coding development building creation",
}
EDITS = ("code", "fix", "refactor")
MOST_SHOWN = 10


class Categorization(Described):
    """What kind of work a plan is, in the judgement of an agent."""

    category: Category
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    reasoning: Text | None = None
    suggested_workflow: Annotated[list[AgentName], Field(max_length=50)] | None = None
    skip_agents: Annotated[list[AgentName], Field(max_length=50)] | None = None


Judgement = Annotated[Categorization, Field(description="{category, confidence?, reasoning?, suggested_workflow?}")]


@TOOL.action(takes=("version",))
async def categorize(call: Call, *, plan_id: Id, categorization_result: Judgement) -> dict[str, Any]:
    """Say what kind of work a plan is.

    categorization_result is {category, confidence? (0 to 1), reasoning?, suggested_workflow? [agent], skip_agents?
    [agent]}; category is feature, bugfix, refactor, orchestration, program, quick_task or advisory. It is kept with the
    plan, whose category it becomes. Returns how deep to plan, and the workflow: the suggested one, else the usual one
    of the category, without the agents to skip.

    Example: {"action":"categorize","plan_id":"plan_1rqewqexykb7","categorization_result":{"category":"bugfix"}}
    """
    async with call.write() as tx:
        plan, workspace_id = await edited(call, tx, plan_id)
        said = categorization_result.model_dump(exclude_none=True)
        changes = {"categorization": said, "category": said["category"]}
        after = plan
        if any(getattr(plan, name) != value for name, value in changes.items()):
            after = await plans.update(tx, plan_id, changes)
            summary = f"Plan {plan.title!r} categorized as {after.category}"
            data = {"category": after.category, "previous": plan.category}
            events.record(tx, Event("plan_updated", "plan", plan_id, workspace_id, plan_id, summary=summary, data=data))
        return {
            "plan_id": plan_id,
            "workspace_id": workspace_id,
            "category": after.category,
            "previous_category": plan.category,
            "planning_depth": ROUTES[after.category][0],
            "workflow": _workflow(after),
            "version": after.version,
        }


def _workflow(plan: Plan) -> list[str]:
    """Return who is to work on a plan, one after the other."""
    said = cast(dict[str, Any], plan.categorization) if isinstance(plan.categorization, dict) else {}
    usual = ROUTES.get(plan.category, ("", ()))[1]
    skipped = {folded(str(name)) for name in said.get("skip_agents") or ()}
    return [str(name) for name in said.get("suggested_workflow") or usual if folded(str(name)) not in skipped]


@TOOL.action(read_only=True)
async def validate(call: Call, *, agent: Agent, plan_id: Id) -> Result:
    """Whether an agent is the one to go on with a plan.

    Returns verdict continue or switch (with switch_to), the reasons, what the definition of the role allows, and the
    step that is next. What was arranged decides, in this order: a hand-off, a claim, the assignee of the step, the
    agents its phase requires; else the type of the step, the name of the phase, the workflow of the plan. It is advice:
    nothing is refused because of it.

    Example: {"action":"validate","agent":"Executor","plan_id":"plan_1rqewqexykb7"}
    """
    found = await plan_overview.read(call.db, plan_id, {"sessions"})
    if found is None:
        raise await plans.missing(call.db, plan_id)
    await call.workspace_id(call.db, found.plan.workspace_id)
    role = await definitions.find(call.db, "agent", agent, found.plan.workspace_id)
    name = role.name if role else agent
    step = next((step for step in found.steps if step.status not in ("done", "cancelled")), None)
    said = step.assignee if step else None
    assignee = (await sessions.agent_of(call.db, said) if said else None) or said
    arranged, usual = _arranged(found, step, assignee, name), _usual(found, step)
    wanted, reason = next(arranged, None) or next(usual, (name, "nothing says whose"))
    here = folded(wanted) == folded(name)
    told = {
        "plan_id": plan_id,
        "workspace_id": found.plan.workspace_id,
        "agent": name,
        "verdict": "continue" if here else "switch",
        "switch_to": None if here else wanted,
        "reasons": [reason],
        "warnings": _warnings(found, role, step, agent),
        "boundaries": _boundaries(role),
        "current_phase": found.current_phase,
        "current_step": step,
        "todo": [one for one in found.steps if one.status not in ("done", "cancelled")][:MOST_SHOWN],
    }
    return Result(told, f"memory_steps action='list' plan_id={plan_id!r} shows all steps")


def _arranged(found: Overview, step: StepBrief | None, assignee: str | None, name: str) -> Iterator[tuple[str, str]]:
    """Yield whom somebody chose to go on, and how, what binds most first."""
    if next_agent := found.plan.recommended_next_agent:
        yield next_agent, f"the plan was handed to {next_agent}"
    if any(folded(claim.agent or claim.claimed_by) == folded(name) for claim in found.claims):
        yield name, f"{name} holds a step of the plan"
    if step and assignee:
        yield assignee, f"step {step.index} is assigned to {assignee}"
    phase = next((phase for phase in found.phases if step and phase.name == step.phase), None)
    if phase and phase.required_agents:
        known = [one for one in phase.required_agents if folded(one) == folded(name)]
        wanted = ", ".join(phase.required_agents)
        yield (known or phase.required_agents)[0], f"the phase {phase.name!r} requires {wanted}"


def _usual(found: Overview, step: StepBrief | None) -> Iterator[tuple[str, str]]:
    """Yield who usually does what is next."""
    if step is None:
        yield "Archivist", "no step of the plan is open"
        return
    if role := ROLE_OF_TYPE.get(step.type or ""):
        yield role, f"step {step.index} is of type {step.type}"
    words = set(re.findall(r"\w+", folded(step.phase)))
    for role, known in ROLE_OF_WORDS.items():
        if words & set(known.split()):
            yield role, f"the phase is {step.phase!r}"
    done = {folded(one["agent"]) for one in found.parts["sessions"] if one["status"] == "completed"}
    for role in _workflow(found.plan):
        if folded(role) not in done:
            yield role, f"{role} is the next of the workflow of the plan"


def _warnings(found: Overview, role: LibraryItem | None, step: StepBrief | None, agent: str) -> list[str]:
    warnings: list[str] = []
    if role is None:
        warnings.append(f"{agent!r} has no definition: nothing is known of what it may do.")
    elif step and step.type in EDITS and role.metadata.get("can_implement") is False:
        warnings.append(f"{role.name} does not change code, which step {step.index} is about.")
    if found.plan.status != "active":
        warnings.append(f"The plan is {'archived' if found.plan.archived_at else found.plan.status}.")
    return warnings


def _boundaries(role: LibraryItem | None) -> dict[str, Any]:
    """Return what the definition of a role says it may do."""
    if role is None:
        return {}
    told = {name: role.metadata.get(name) for name in ("can_implement", "can_finalize")}
    lists = {name: role.texts(name) for name in ("handoff_to", "forbidden")}
    return {"role": role.description, **told, **{name: texts for name, texts in lists.items() if texts}}


@TOOL.action(read_only=True, takes=("briefing",))
async def get_briefing(call: Call, *, plan_id: Id, agent: Agent | None = None) -> dict[str, Any]:
    """The briefing of init, without a session.

    For `agent`, else for the agent of session_id; without either, what anybody should know of the plan.

    Example: {"action":"get_briefing","plan_id":"plan_1rqewqexykb7","agent":"Reviewer"}
    """
    plan = await plans.require_live(call.db, plan_id)
    workspace_id = await call.workspace_id(call.db, plan.workspace_id)
    session = await sessions.require(call.db, call.shared.session_id) if call.shared.session_id else None
    name = agent or (session.agent if session else None)
    own = [session.session_id] if session and folded(session.agent) == folded(name or "") else []
    return await briefing.compose(
        call.db,
        start={"workspace_id": workspace_id, **({"agent": name} if name else {})},
        workspace_id=workspace_id,
        plan=plan,
        agent=name or "",
        actors=(*own, *([name] if name else ())),
        max_bytes=call.shared.max_bytes,
    )
