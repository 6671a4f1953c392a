"""One plan: what is to do and why, who has it, what is known, what happened; and everything that can be done to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from server.db.steps import steps
from server.errors import NotFound
from server.models.steps import CLOSED
from server.tools import TOOLS
from server.web import charts
from server.web.pages import live, series
from server.web.pages.visit import MOST, Visit
from server.web.rendering import path_of, query

FEW = 8
AT_ONCE = 100  # steps that a page shows; a plan of more has its phases closed, but for the one that is worked on
SHOWN = ["facts", "sessions", "lineage", "notes", "context"]
STEP_ACTIONS = {
    "update": "change", "claim": "claim", "release": "release", "insert": "insert one behind it", "move": "move",
    "set_dependencies": "set what it waits for", "delete": "delete",
}  # fmt: skip
UNSEEN = frozenset(
    {"create", "create_from_template", "find", "get", "help", "import", "list", "list_templates", "search"}
)


async def show(visit: Visit) -> Response:
    """Show a plan whole."""
    plan_id = visit.path("plan")
    found = await visit.call("memory_plan", "get", plan_id=plan_id, include=SHOWN)
    if part := visit.query("part"):
        return await _part(visit, found, part)
    waits = await visit.call("memory_plan", "get_plan_dependencies", plan_id=plan_id)
    scripts = await visit.call("memory_plan", "list_build_scripts", plan_id=plan_id, limit=MOST)
    research = await visit.call("memory_context", "list_research", plan_id=plan_id, limit=MOST)
    history = await visit.call("memory_workspace", "history", plan_id=plan_id, limit=20)
    burndown = await visit.call("memory_plan", "burndown", plan_id=plan_id)
    ledger = await _ledger(visit, plan_id)
    phases = await _phases(visit, found)
    around = await _around(visit, found, phases)
    awaited = [step.plan_id for step in around["others"].values()]
    others = [*waits.get("depends_on_plans", ()), *waits.get("dependents", ()), *awaited]
    return visit.page(
        "plan.html",
        burndown=burndown,
        burn=charts.burn(burndown, (await visit.database()).now()[:10]),
        plan=found,
        **around,
        phases=phases,
        waits=waits,
        titles={one["plan_id"]: one["title"] for one in waits.get("plans", ())},
        risks=await _risks(visit, found),
        scripts=scripts["scripts"],
        research=research["research"],
        history=history["history"],
        actions=_actions(),
        home_name=await visit.name_of(found["workspace_id"]),
        ledger=ledger,
        shows=live.plans(found["workspace_id"], [plan_id, *others], found.get("program_id")),
    )


async def _part(visit: Visit, plan: dict[str, Any], part: str) -> Response:
    """Return a part of a page that is open, without what stands around it."""
    return await (_step if part.startswith("step_") else _phase)(visit, plan, part)


async def _step(visit: Visit, plan: dict[str, Any], step_id: str) -> Response:
    """Return one step."""
    step = await visit.call("memory_steps", "get", step_id=step_id)
    if step["plan_id"] != plan["plan_id"]:
        raise NotFound(f"{step_id} is a step of another plan.")
    here = f"{path_of('p', plan['plan_id'])}?{query({'step': step_id})}"  # where a form of it leads back to
    return visit.page("step.html", here=here, plan=plan, step=step, **await _around(visit, plan, [{"steps": [step]}]))


async def _phase(visit: Visit, plan: dict[str, Any], phase_id: str) -> Response:
    """Return the steps of one phase."""
    one = next((phase for phase in plan["phases"] if phase["phase_id"] == phase_id), None)
    if one is None:
        raise NotFound(f"There is no phase {phase_id[:80]!r} in this plan.")
    phase = await _opened(visit, plan, one)
    here = f"{path_of('p', plan['plan_id'])}?{query({'phase': phase_id})}"  # where a form of it leads back to
    return visit.page("steps.html", here=here, plan=plan, phase=phase, **await _around(visit, plan, [phase]))


async def _around(visit: Visit, plan: Mapping[str, Any], phases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the steps of phases are shown with."""
    shown = [step for phase in phases for step in phase["steps"] or ()]
    names = {step["step_id"]: step for step in shown}
    awaited = {one for step in shown for one in step.get("depends_on", ())}
    others = await steps.by_ids(await visit.database(), awaited - names.keys())
    still: dict[str, object] = {name: step["index"] for name, step in names.items() if step["status"] not in CLOSED}
    for name, step in others.items():
        if not step.closed:
            still[name] = step.order_index if step.plan_id == plan["plan_id"] else "another plan"
    return {
        "names": names,
        "others": others,
        "closed": CLOSED,
        "waits_for": {
            step["step_id"]: list(dict.fromkeys(still[one] for one in step.get("depends_on", ()) if one in still))
            for step in shown
            if step["status"] == "pending"
        },
        "agents": {one["session_id"]: one["agent"] for one in plan.get("sessions", ())},
        "now": (await visit.database()).now(),
        "step_actions": STEP_ACTIONS,
        "is_archived": plan.get("status") == "archived",
        "wanted": visit.query("step"),
    }


async def research(visit: Visit) -> Response:
    """Show a research document of a plan."""
    plan_id, filename = visit.path("plan"), visit.path("file")
    found = await visit.call("memory_context", "get_research", plan_id=plan_id, filename=filename)
    return visit.page("research.html", plan_id=plan_id, filename=filename, found=found)


async def _ledger(visit: Visit, plan_id: str) -> dict[str, Any]:
    """Return what the ledger says of a plan: what it costs, which gates hold it, what was decided, run and measured."""
    gates = await visit.call("memory_ledger", "list_gates", plan_id=plan_id, limit=FEW)
    metrics = await visit.call("memory_ledger", "list_metrics", plan_id=plan_id, bucket="day", limit=MOST)
    return {
        "budgets": (await visit.call("memory_ledger", "budgets", plan_id=plan_id, limit=FEW))["budgets"],
        "gates": gates["gates"],
        "held": gates.get("held", []),
        "runs": (await visit.call("memory_ledger", "list_runs", plan_id=plan_id, limit=FEW))["runs"],
        "decisions": (await visit.call("memory_ledger", "list_decisions", plan_id=plan_id, limit=FEW))["decisions"],
        "progress": (await visit.call("memory_ledger", "list_progress", plan_id=plan_id, limit=FEW))["progress"],
        "series": series.drawn(metrics["metrics"]),
    }


async def _risks(visit: Visit, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the open risks of the program of a plan; those that are about the plan itself come first."""
    if not plan.get("program_id"):
        return []
    found = await visit.call("memory_program", "list_risks", program_id=plan["program_id"], limit=MOST)
    still = [one for one in found["risks"] if one["status"] not in ("resolved", "mitigated")]
    return sorted(still, key=lambda one: one.get("plan_id") != plan["plan_id"])


async def _phases(visit: Visit, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the phases with their steps; of a long plan only of those that are worked on or asked for."""
    rows: list[dict[str, Any]] = plan.get("phases", [])
    if plan["steps_total"] <= AT_ONCE:
        found = await visit.call("memory_steps", "list", plan_id=plan["plan_id"], detail="full", limit=MOST)
        return [{**row, "steps": [step for step in found["steps"] if step["phase"] == row["name"]]} for row in rows]
    wanted = {visit.query("phase"), plan.get("current_phase"), await _phase_of(visit)}
    return [
        await _opened(visit, plan, row) if wanted & {row["phase_id"], row["name"]} else {**row, "steps": None}
        for row in rows
    ]


async def _phase_of(visit: Visit) -> str:
    """Return the name of the phase of the step that is asked for."""
    if not (step_id := visit.query("step")):
        return ""
    found = await visit.call("memory_steps", "get", step_id=step_id)
    return str(found.get("step", found).get("phase", ""))


async def _opened(visit: Visit, plan: Mapping[str, Any], phase: Mapping[str, Any]) -> dict[str, Any]:
    """Return a phase with a page of its steps."""
    asked = visit.query("cursor") if visit.query("phase") == phase["phase_id"] else ""
    named = {"plan_id": plan["plan_id"], "phase": phase["phase_id"], "detail": "full", "limit": AT_ONCE}
    found = await visit.call("memory_steps", "list", **named, cursor=asked)
    cursor = found.get("next_cursor")
    return {**phase, "steps": found["steps"], "next_cursor": cursor, "total": found["total"]}


def _actions() -> list[tuple[str, str]]:
    """Return what can be done to a plan that is there, with what each means."""
    tool = TOOLS["memory_plan"]
    return [
        (name, action.summary)
        for name, action in sorted(tool.actions.items())
        if name not in UNSEEN and not action.read_only and "plan_id" in action.params
    ]
