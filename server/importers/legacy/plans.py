"""`state.json` of a plan: the plan itself, its phases, and what it waits for. Steps and the rest are beside this."""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from server.importers.edges import edge
from server.importers.legacy import records, steps
from server.importers.legacy.building import PlanBuilder
from server.importers.legacy.survey import Header, Survey, standing, tie, waiting
from server.importers.values import Fields, Object, derived, fields, whole_number
from server.importers.values import text as as_text
from server.importers.vocabulary import CATEGORIES, CATEGORY_NAMES, PRIORITIES, PRIORITY_NAMES
from server.models.imports import ImportedRow
from server.models.plans import WorkflowMode

MODES = get_args(WorkflowMode)
UNPHASED = "Unphased"


def rows_of(survey: Survey, header: Header, found: Fields, path: str) -> list[ImportedRow]:
    """Return the rows that a plan's state becomes."""
    plan = PlanBuilder(survey, header, found, path)
    taken = steps.taken(found)
    times = _times(plan)
    columns = _columns(plan, taken, times)
    _phases(plan, taken, times["created_at"])
    by_index = steps.add(plan, taken, times["created_at"])
    records.add_sessions(plan, times["created_at"])
    records.add_lineage(plan, times["created_at"])
    records.add_notes(plan, times["created_at"])
    records.add_scripts(plan, found.objects("build_scripts"), times["created_at"])
    records.add_confirmations(plan, by_index, times["updated_at"])
    _wait(plan, times["updated_at"])
    head = ImportedRow("plans", plan.plan_id, {**columns, **times, "extra": found.extra()}, path, "$", plan.plan_id)
    return [head, *plan.rows]


def _times(plan: PlanBuilder) -> Object:
    found, header = plan.found, plan.header
    created_at = found.moment("created_at", header.created_at)
    updated_at = found.moment("updated_at", header.updated_at)
    archived_at = found.maybe_moment("archived_at")
    if header.archived and archived_at is None:
        archived_at = updated_at
        found.defaulted("archived_at", updated_at)
    return {
        "created_at": created_at,
        "updated_at": updated_at,
        "completed_at": found.maybe_moment("completed_at"),
        "archived_at": archived_at if header.archived else None,
    }


def _columns(plan: PlanBuilder, taken: Sequence[steps.PlacedStep], times: Object) -> Object:
    found, header = plan.found, plan.header
    _check_ids(plan)
    status, archived = standing(found, header.folder, [dict(item.found.found) for item in taken])
    if status != header.status:
        what = "archived before it was finished; what waits for it goes on"
        found.teller.warn("$.status", what, status, header.status)
        status = header.status
    if archived and "status" in found and found.keep("status") != "archived":
        found.teller.info("$.status", "the folder of archived plans decides", found.keep("status"), "archived")
    snapshot = found.maybe_object("paused_at_snapshot")
    paused_at = Fields(snapshot or {}, "$.paused_at_snapshot", found.teller).maybe_moment("paused_at")
    return {
        "plan_id": plan.plan_id,
        "workspace_id": plan.workspace_id,
        "program_id": _program(plan),
        "title": found.word("title", plan.plan_id),
        "description": found.text("description"),
        "category": found.choice("category", CATEGORIES, CATEGORY_NAMES, "feature"),
        "priority": found.choice("priority", PRIORITIES, PRIORITY_NAMES, "medium"),
        "status": status,
        "goals": found.strings("goals"),
        "success_criteria": found.strings("success_criteria"),
        "categorization": found.maybe_object("categorization"),
        "deployment_context": found.maybe_object("deployment_context"),
        "paused_at": (paused_at or times["updated_at"]) if status == "paused" else paused_at,
        "paused_at_snapshot": snapshot,
        "recommended_next_agent": found.text("recommended_next_agent"),
        "workflow_mode": found.choice("workflow_mode", MODES, {}, "standard") if "workflow_mode" in found else MODES[0],
        "owner": None,
        "phase_gates": 0,
        "source": None,
        "version": 1,
    }


def _check_ids(plan: PlanBuilder) -> None:
    """Settle which plan and workspace this is, where the file and its folder disagree."""
    found, header = plan.found, plan.header
    name = header.folder.rpartition("/")[2]
    told = found.keep("id") or found.keep("plan_id")
    for key in ("id", "plan_id"):
        if found.keep(key) == plan.plan_id:
            found.raw(key)
    if told is None:
        found.defaulted("id", plan.plan_id)
    elif told != plan.plan_id:
        found.teller.warn("$.id", "no id that a plan can have; the folder's name stands for it", told, plan.plan_id)
    elif name != plan.plan_id:
        found.teller.warn("$.id", f"the folder is called {name!r}; the id of the file counts", name, plan.plan_id)
    if not name.startswith("plan_"):
        found.teller.warn("$", "the folder's name does not begin with 'plan_'", name)
    told = found.keep("workspace_id")
    if told == header.place.workspace_id:
        found.raw("workspace_id")
    elif told is not None:
        known = plan.survey.resolve(told) == plan.workspace_id
        what = "an old id of the workspace" if known else "another workspace; the folder's counts"
        found.teller.tell("info" if known else "warning", "$.workspace_id", what, told, plan.workspace_id)


def _program(plan: PlanBuilder) -> str | None:
    """Return the program that a plan belongs to: by what it says, or because the program lists it."""
    survey, found, header = plan.survey, plan.found, plan.header
    for name in ("program_id", "parent_program_id"):
        told = found.keep(name)
        if not isinstance(told, str) or not told:
            continue
        if told in survey.programs and told != header.plan_id:
            return _chosen(plan, name, told)
        found.teller.warn(f"$.{name}", "no such program in the store; kept in extra", told)
    if header.plan_id in survey.programs and header.steps:
        return _here(plan, header.plan_id)
    for program_id, members in survey.members.items():
        if header.plan_id in members and program_id != header.plan_id:
            found.teller.warn("$.program_id", "missing, but the program lists the plan", None, program_id)
            return _here(plan, program_id)
    return None


def _chosen(plan: PlanBuilder, name: str, program_id: str) -> str | None:
    if name == "program_id":
        plan.found.raw(name)
        if plan.found.keep("parent_program_id") == program_id:
            plan.found.raw("parent_program_id")
    else:
        plan.found.teller.info("$.parent_program_id", "stands for the missing program_id", program_id, program_id)
    return _here(plan, program_id)


def _here(plan: PlanBuilder, program_id: str) -> str | None:
    """Return the program unless it becomes real only after the plan; one of another workspace is linked to this."""
    owner = plan.survey.programs[program_id]
    if owner is plan.header.place:
        return program_id
    if not plan.survey.later(plan.header.place, owner):
        key = f"{program_id} {plan.workspace_id}"
        if plan.survey.take("link", key):
            at = plan.header.created_at
            link: Object = {"program_id": program_id, "workspace_id": plan.workspace_id, "created_at": at}
            plan.rows.append(ImportedRow("program_workspace_links", key, link, plan.path, "$.program_id"))
        return program_id
    plan.found.left.setdefault("program_id", program_id)
    plan.found.teller.warn("$.program_id", "the programs of two workspaces hold plans of each other", program_id)
    return None


def _phases(plan: PlanBuilder, taken: Sequence[steps.PlacedStep], at: str) -> None:
    """Add the phases: those listed, by their sequence, then those that only steps name, as they first come."""
    listed = [fields(value, where, plan.found.teller) for where, value in plan.found.objects("phases")]
    described = _sorted([phase for phase in listed if phase])
    for phase in described:
        name = phase.word("name", UNPHASED)
        if name in plan.phase_ids:
            phase.teller.warn(phase.at, "a second phase of that name; it is one phase", name)
            plan.found.left.setdefault("phases", []).append(phase.found)
            continue
        _add_phase(plan, name, phase, at)
    for item in taken:
        if item.phase not in plan.phase_ids:
            if described:
                plan.found.teller.warn(f"{item.found.at}.phase", "a phase that is not listed; added", item.phase)
            _add_phase(plan, item.phase, None, at)


def _sorted(listed: list[Fields]) -> list[Fields]:
    numbers = [sequence(phase.found) for phase in listed]
    order = [len(listed) + place if n is None else n for place, n in enumerate(numbers)]
    return [listed[n] for n in sorted(range(len(listed)), key=lambda n: (order[n], n))]


def sequence(phase: Mapping[str, object]) -> float | None:
    """Return the number by which phases are sorted, or None."""
    told = phase.get("sequence")
    return told if isinstance(told, float) else whole_number(told)


def _add_phase(plan: PlanBuilder, name: str, phase: Fields | None, at: str) -> None:
    order = len(plan.phase_ids)
    phase_id = plan.phase_ids[name] = derived("phase", plan.plan_id, name)
    if phase and phase.keep("sequence") == order + 1:
        phase.raw("sequence")
    described: Object = {
        "description": phase.text("description") if phase else None,
        "approval_required": phase.flag("approval_required") if phase else 0,
        "success_criteria": phase.strings("success_criteria") if phase else [],
        "required_agents": phase.strings("required_agents") if phase else [],
    }
    head = {"phase_id": phase_id, "plan_id": plan.plan_id, "name": name, "order_index": order}
    times = {"created_at": at, "updated_at": at, "version": 1}
    where = phase.at if phase else "$.steps[*].phase"
    plan.add("phases", phase_id, {**head, **described, "extra": phase.extra() if phase else {}, **times}, where)


def _wait(plan: PlanBuilder, at: str) -> None:
    """Add what the plan waits for."""
    found, survey = plan.found, plan.survey
    told = [as_text(value) for _, value in found.objects("depends_on_plans")]
    unresolved: list[str] = []
    source = waiting(survey, plan.header)
    plan_id = plan.plan_id if source[0] == "plan" else None
    for number, target_id in enumerate(told):
        where = f"$.depends_on_plans[{number}]"
        target = survey.plans.get(target_id)
        problem = tie(survey, (source, ("plan", target_id))) if target else "no such plan in the store"
        if problem or target is None:
            unresolved.append(target_id)
            severity = "info" if problem == "said twice" else "warning"
            found.teller.tell(severity, where, f"{problem}; kept in extra", target_id)
            continue
        key, values = edge(source, ("plan", target_id), closed=target.closed, at=at)
        plan.rows.append(ImportedRow("dependencies", key, values, plan.path, where, plan_id))
    if unresolved:
        found.left["depends_on_plans"] = found.keep("depends_on_plans")


def program_of(plan_row: ImportedRow, header: Header, members: Iterable[str]) -> ImportedRow:
    """Return the program that a plan with `is_program` is besides."""
    columns = plan_row.values
    shared = ("workspace_id", "title", "description", "category", "priority", "goals", "success_criteria")
    status = "archived" if header.archived else columns["status"]
    return ImportedRow(
        "programs",
        header.plan_id,
        {
            "program_id": header.plan_id,
            **{name: columns[name] for name in shared},
            "status": status,
            "extra": {"legacy": {"plan_id": header.plan_id, "child_plan_ids": list(members)}},
            **{name: columns[name] for name in ("created_at", "updated_at", "archived_at")},
            "version": 1,
        },
        plan_row.path,
        "$",
    )
