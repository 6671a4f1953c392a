"""What a person may choose from where an action takes an id or a name: shown by title, sent as what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.registry import Action
from server.web.pages.visit import MOST, Visit

Choices = list[tuple[str, str]]  # what is sent, and what it is called


@dataclass(frozen=True)
class Source:
    """The action that lists what there is to choose from, of which argument, and what of its rows is sent and shown."""

    tool: str
    action: str
    of: str
    key: str
    sent: str
    shown: tuple[str, ...]
    also: Mapping[str, Any] = field(default_factory=dict[str, Any])


OF_WORKSPACE = "workspace_id"
WHOLE = {"limit": MOST}
PLANS = Source("memory_plan", "list", OF_WORKSPACE, "plans", "plan_id", ("title",), WHOLE)
PHASES = Source("memory_plan", "get", "plan_id", "phases", "name", ("name",))
STEPS = Source("memory_steps", "list", "plan_id", "steps", "step_id", ("index", "task"), WHOLE)
SCRIPTS = Source("memory_plan", "list_build_scripts", OF_WORKSPACE, "scripts", "script_name", ("script_name",), WHOLE)
SOURCES: Mapping[str, Source] = {
    "program_id": Source("memory_program", "list", OF_WORKSPACE, "programs", "program_id", ("title",), WHOLE),
    "plan_id": PLANS, "source_plan_id": PLANS, "target_plan_id": PLANS, "depends_on_plans": PLANS,
    "phase": PHASES, "confirm_phase": PHASES, "move_steps_to": PHASES,
    "depends_on": STEPS, "step_id": STEPS,
    "script_name": SCRIPTS,
    "template": Source(
        "memory_plan", "list_templates", OF_WORKSPACE, "templates", "template", ("template", "description")
    ),
}  # fmt: skip
WORKSPACES = Source("memory_workspace", "list", "", "workspaces", "workspace_id", ("name",), WHOLE)
NEW = {("memory_plan", "add_build_script")}  # whose names are of what is made
ELSEWHERE = {
    ("memory_program", "link_workspace"),
    ("memory_program", "unlink_workspace"),
}  # that name another workspace


async def of(visit: Visit, action: Action, known: Mapping[str, str]) -> dict[str, Choices]:
    """Return the choices for the fields of a form, by their names; for what is known already there are none."""
    wanted = {name: SOURCES[name] for name in action.params if name in SOURCES and name not in known}
    if (action.tool, action.name) in ELSEWHERE:
        return {OF_WORKSPACE: await _choices(visit, WORKSPACES, {})}
    if not wanted or (action.tool, action.name) in NEW:
        return {}
    places = await _places(visit, known)
    asked: dict[int, Choices] = {}
    for source in wanted.values():
        if id(source) not in asked and source.of in places:
            asked[id(source)] = await _choices(visit, source, places)
    return {name: asked[id(source)] for name, source in wanted.items() if asked.get(id(source))}


async def _places(visit: Visit, known: Mapping[str, str]) -> dict[str, str]:
    """Return the workspace that a form is about, and the plan if it is about one."""
    found = {name: known[name] for name in ("plan_id", "step_id", OF_WORKSPACE) if known.get(name)}
    if known.get("step_id"):
        step = await visit.call("memory_steps", "get", step_id=known["step_id"])
        found["plan_id"] = step.get("step", step)["plan_id"]
    if OF_WORKSPACE in found:
        return found
    for tool, name in (("memory_plan", "plan_id"), ("memory_program", "program_id")):
        if thing := found.get(name) or known.get(name):
            return {**found, OF_WORKSPACE: (await visit.call(tool, "get", **{name: thing}))[OF_WORKSPACE]}
    return found


async def _choices(visit: Visit, source: Source, places: Mapping[str, str]) -> Choices:
    """Return what there is to choose from; nothing where that is more than a form shows, so that it is typed."""
    of_it = {source.of: places[source.of]} if source.of else {}
    found = await visit.call(source.tool, source.action, **of_it, **source.also)
    if "next_cursor" in found:
        return []
    rows = [row for row in found.get(source.key, ()) if row[source.sent] not in places.values()]
    return [(row[source.sent], ": ".join(str(row[name]) for name in source.shown)) for row in rows]
