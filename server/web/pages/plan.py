"""One plan: what is to do and why, who has it, what is known, what happened; and everything that can be done to it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from server.tools import TOOLS
from server.web import charts
from server.web.pages import series
from server.web.pages.visit import MOST, Visit

FEW = 8
UNSEEN = frozenset(
    {"create", "create_from_template", "find", "get", "help", "import", "list", "list_templates", "search"}
)


async def show(visit: Visit) -> Response:
    """Show a plan whole."""
    plan_id = visit.path("plan")
    found = await visit.call("memory_plan", "get", plan_id=plan_id, detail="full", include=["context"])
    waits = await visit.call("memory_plan", "get_plan_dependencies", plan_id=plan_id)
    scripts = await visit.call("memory_plan", "list_build_scripts", plan_id=plan_id, limit=MOST)
    research = await visit.call("memory_context", "list_research", plan_id=plan_id, limit=MOST)
    history = await visit.call("memory_workspace", "history", plan_id=plan_id, limit=20)
    burndown = await visit.call("memory_plan", "burndown", plan_id=plan_id)
    ledger = await _ledger(visit, plan_id)
    steps: list[dict[str, Any]] = found.get("steps", [])
    return visit.page(
        "plan.html",
        burndown=burndown,
        burn=charts.burn(burndown, (await visit.database()).now()[:10]),
        plan=found,
        names={step["step_id"]: step for step in steps},
        agents={one["session_id"]: one["agent"] for one in found.get("sessions", ())},
        now=(await visit.database()).now(),
        phases=_phases(found.get("phases", []), steps),
        waits=waits,
        titles={one["plan_id"]: one["title"] for one in waits.get("plans", ())},
        risks=await _risks(visit, found),
        scripts=scripts["scripts"],
        research=research["research"],
        history=history["history"],
        actions=_actions(),
        step_actions=("update", "claim", "release", "insert", "move", "set_dependencies", "delete"),
        is_archived=found.get("status") == "archived",
        ledger=ledger,
    )


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


def _phases(phases: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in steps:
        held[step["phase"]].append(step)
    return [{**phase, "steps": held[phase["name"]]} for phase in phases]


def _actions() -> list[tuple[str, str]]:
    """Return what can be done to a plan that is there, with what each means."""
    tool = TOOLS["memory_plan"]
    return [
        (name, action.summary)
        for name, action in sorted(tool.actions.items())
        if name not in UNSEEN and not action.read_only and "plan_id" in action.params
    ]
