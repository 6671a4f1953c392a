"""Programs: their own files, and those that were plans with `is_program`."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from server.db.dependencies.dependencies import Edge
from server.importers.edges import edge
from server.importers.legacy.survey import NO_TIME, Header, Survey, tie
from server.importers.values import Fields, Object, Teller, callable_as, derived, fields, text
from server.importers.vocabulary import CATEGORIES, CATEGORY_NAMES, PRIORITIES, PRIORITY_NAMES
from server.models.imports import Finding, ImportedRow

STATUSES = ("active", "archived", "completed", "paused")
FILES = ("program.json", "manifest.json", "dependencies.json", "risks.json")


def of_files(
    survey: Survey, folder: str, workspace_id: str, found: Mapping[str, tuple[str, Any]], findings: list[Finding]
) -> list[ImportedRow]:
    """Return the rows of one program folder; `found` has the path and the JSON of each file that could be read."""
    path, value = found["program.json"]
    program = fields(value, "$", Teller(path, findings))
    if program is None:
        return []
    told = program.word("id", folder.rpartition("/")[2])
    program_id = callable_as(told)
    if program_id != told:
        program.left["id"] = program.keep("id")
        program.teller.warn("$.id", "no id that a tool can be asked for", told, program_id)
    at = program.moment("created_at", NO_TIME)
    rows = [_program(program, program_id, workspace_id, at, path)]
    if "manifest.json" in found:
        _check_manifest(survey, program_id, *found["manifest.json"], findings)
    rows += members(survey, program_id, at, Teller(path, findings))
    if "dependencies.json" in found:
        rows += _dependencies(survey, at, *found["dependencies.json"], findings)
    if "risks.json" in found:
        rows += _risks(program_id, at, *found["risks.json"], findings)
    return rows


def _program(program: Fields, program_id: str, workspace_id: str, at: str, path: str) -> ImportedRow:
    if program.keep("workspace_id") == workspace_id:
        program.raw("workspace_id")
    category = program.text("category")
    if category is not None and category not in CATEGORIES:
        program.left["category"] = category
        used = CATEGORY_NAMES.get(category.lower())
        program.teller.tell("info" if used else "warning", "$.category", "mapped", category, used or "feature")
        category = used
    values = {
        "program_id": program_id,
        "workspace_id": workspace_id,
        "title": program.word("title", program_id),
        "description": program.text("description"),
        "category": category or "feature",
        "priority": program.choice("priority", PRIORITIES, PRIORITY_NAMES, "medium"),
        "status": program.choice("status", STATUSES, {}, "active"),
        "goals": program.strings("goals"),
        "success_criteria": program.strings("success_criteria"),
        "owner": program.text("owner"),
        "created_at": at,
        "updated_at": program.moment("updated_at", at),
        "archived_at": program.maybe_moment("archived_at"),
        "version": 1,
    }
    return ImportedRow("programs", program_id, values | {"extra": program.extra()}, path)


def _check_manifest(survey: Survey, program_id: str, path: str, value: Any, findings: list[Finding]) -> None:
    """Tell of the plans in a manifest that are not there, and of its other fields; the rest are the members."""
    teller = Teller(path, findings)
    manifest = fields(value, "$", teller)
    if manifest is None:
        return
    for place, plan_id in manifest.objects("plan_ids"):
        if text(plan_id) not in survey.plans:
            teller.warn(place, "no such plan in the store; left out", plan_id)
    if manifest.keep("program_id") == program_id:
        manifest.raw("program_id")
    elif "program_id" in manifest:
        teller.warn("$.program_id", "another program than the folder's, which counts", manifest.raw("program_id"))
    if manifest.left:
        teller.info("$", "of no use to the database; kept in the raw bytes only", manifest.left)


def members(survey: Survey, program_id: str, at: str, teller: Teller) -> list[ImportedRow]:
    """Return the plans of a program in their order: those it lists, then those that name it."""
    rows: list[ImportedRow] = []
    for plan_id in dict.fromkeys(survey.members.get(program_id, ())):
        plan = survey.plans.get(plan_id)
        if plan is None:
            continue
        owner = _owner(survey, plan)
        if owner not in (None, program_id):
            teller.warn("$", f"the plan is in the program {owner!r}, and in one at most; left out here", plan_id)
            continue
        values = {"program_id": program_id, "plan_id": plan_id, "order_index": len(rows), "created_at": at}
        rows.append(ImportedRow("program_plans", f"{program_id} {plan_id}", values, teller.path))
    return rows


def _owner(survey: Survey, plan: Header) -> str | None:
    """Return the program that a plan names, that it is, or, if it names none, the first that lists it."""
    if plan.program in survey.programs and plan.program != plan.plan_id:
        return plan.program
    if plan.plan_id in survey.programs and plan.steps:
        return plan.plan_id
    listing = (each for each, listed in survey.members.items() if plan.plan_id in listed and each != plan.plan_id)
    return next(listing, None)


def _dependencies(survey: Survey, at: str, path: str, value: Any, findings: list[Finding]) -> Iterable[ImportedRow]:
    """Yield what the plans of a program wait for: here the source must finish before the target, ours waits for it."""
    teller = Teller(path, findings)
    for number, entry in enumerate(_listed(value, "dependencies", teller)):
        found = fields(entry, f"$[{number}]", teller)
        if found is None:
            continue
        source = _node(survey, found, "target")
        target = _node(survey, found, "source")
        if source is None or target is None:
            teller.warn(found.at, "a plan that is not in the store; kept in the raw bytes only", entry)
            continue
        if problem := tie(survey, (source, target)):
            teller.tell("info" if problem == "said twice" else "warning", found.at, problem, entry)
            continue
        yield _dependency(survey, found, (source, target), at, path)


def _dependency(survey: Survey, found: Fields, ends: Edge, at: str, path: str) -> ImportedRow:
    source, target = ends
    owner, other = found.keep("target_plan_id"), found.keep("source_plan_id")
    for name in ("source_plan_id", "target_plan_id"):
        found.raw(name)
    kind = found.choice("type", ("blocks", "informs"), {}, "blocks")
    closed = target[0] == "plan" and survey.plans[str(other)].closed
    told = found.text("status")
    if told not in (None, "satisfied" if closed else "pending"):
        found.left["status"] = told
        found.teller.info(f"{found.at}.status", "the state of the plan decides", told, closed)
    created_at = found.moment("created_at", at)
    satisfied_at = found.maybe_moment("satisfied_at")
    key, values = edge(
        source,
        target,
        closed=closed,
        at=created_at,
        kind=kind,
        dependency_id=found.text("id"),
        satisfied_at=(satisfied_at or created_at) if closed else None,
    )
    return ImportedRow("dependencies", key, values | {"extra": found.extra()}, path, found.at, str(owner))


def _node(survey: Survey, found: Fields, end: str) -> tuple[str, str] | None:
    """Return the plan, or the phase of it, that one end of a dependency names."""
    plan = survey.plans.get(str(found.keep(f"{end}_plan_id")))
    phase = found.keep(f"{end}_phase")
    if plan is None:
        return None
    if not phase:
        return "plan", plan.plan_id
    if phase in plan.phases:
        found.raw(f"{end}_phase")
        return "phase", derived("phase", plan.plan_id, phase)
    found.teller.warn(f"{found.at}.{end}_phase", "no such phase; the whole plan stands for it", phase)
    return "plan", plan.plan_id


def _risks(program_id: str, at: str, path: str, value: Any, findings: list[Finding]) -> Iterable[ImportedRow]:
    teller = Teller(path, findings)
    for number, entry in enumerate(_listed(value, "risks", teller)):
        risk = fields(entry, f"$[{number}]", teller)
        if risk is None:
            continue
        if risk.keep("program_id") == program_id:
            risk.raw("program_id")
        risk_id = risk.word("id", derived("risk", program_id, number))
        created_at = risk.moment("created_at", at)
        values: Object = {
            "risk_id": risk_id,
            "program_id": program_id,
            "title": risk.word("title", risk_id),
            "description": risk.text("description"),
            "type": risk.word("type", "dependency_risk"),
            "severity": risk.word("severity", "medium"),
            "status": risk.word("status", "identified"),
            "mitigation": risk.text("mitigation"),
            "likelihood": risk.text("likelihood"),
            "detected_by": risk.word("detected_by", "manual"),
            "source_plan_id": risk.text("source_plan_id"),
            "created_at": created_at,
            "updated_at": risk.maybe_moment("updated_at") or created_at,
            "version": 1,
        }
        yield ImportedRow("program_risks", risk_id, values | {"extra": risk.extra()}, path, risk.at)


def _listed(value: Any, name: str, teller: Teller) -> list[Any]:
    """Return the entries of a file that is a list, or an object with one."""
    if isinstance(value, dict):
        wrapping = dict(cast(Object, value))
        key = next((key for key in (name, "edges") if key in wrapping), name)
        value = wrapping.pop(key, None)
        teller.info("$", "an object around the list; what else it holds is kept in the raw bytes only", wrapping, key)
    if isinstance(value, list):
        return cast(list[Any], value)
    teller.warn("$", "no list; kept in the raw bytes only", value)
    return []
