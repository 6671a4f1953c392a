"""`project_memory.json`: what a project remembers of its sessions, its domain and where it stands."""

from typing import Any

from server.importers.reading import is_object, list_of, object_of
from server.importers.values import Fields, Object, moment
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns, tasks
from server.importers.vibe_agency.project import Part, inner, settle

TITLE = "Project memory"
TERMS = (("concepts", "concept"), ("concerns", "concern"))
TAKEN = {
    "phase": "current_phase",
    "current_focus": "current_focus",
    "blockers": "blockers",
    "completed": "completed_phases",
}


def identity(value: Object) -> Any:
    return value.get("project_id")


def trajectory(value: object) -> Object:
    """Return the columns of a plan that a memory tells: where it stands, and what is in its way."""
    told = object_of(object_of(value).get("trajectory"))
    found: Object = {}
    for name in ("phase", "current_focus"):
        if isinstance(told.get(name), str):
            found[TAKEN[name]] = told[name]
    for name in ("completed", "blockers"):
        if isinstance(told.get(name), list):
            found[TAKEN[name]] = [as_text(one) for one in told[name]]
    return found


def add(part: Part, plan_id: str, value: Object, *, makes_plan: bool) -> None:
    """Add what a memory holds, to the plan of its project or to one of its own."""
    found = part.fields(value)
    at = moment(value.get("_created")) or part.at
    for number, (where, entry) in enumerate(found.objects("narrative")):
        if not tasks.is_born(part, one := part.fields(entry, where)):
            _session(part, plan_id, one, number, at=at)
    domain = inner(found, "domain", part)
    for name, kind in TERMS:
        terms = domain.strings(name) if isinstance(domain.keep(name), list) else []
        _terms(part, plan_id, kind, terms, f"$.domain.{name}", at=at)
    settle(found, "domain", domain)
    for number, (where, entry) in enumerate(found.objects("intent_history")):
        _intent(part, plan_id, part.fields(entry if is_object(entry) else {"intent": entry}, where), number, at=at)
    _rest(part, plan_id, found, at=at)
    if makes_plan:
        values = columns.plan(part, plan_id, title=TITLE, at=at, external_id=None) | trajectory(value)
        part.add("plans", values | {"extra": columns.tail(found)}, "$", plan_id)


def _session(part: Part, plan_id: str, found: Fields, number: int, *, at: str) -> None:
    told = found.raw("session") if found.keep("session") is not None else number + 1
    at = found.maybe_moment("date") or at
    values = columns.session(
        part, plan_id, told, summary=found.text("summary") or "", at=at, phase=found.text("phase"),
    )  # fmt: skip
    if not part.is_new("sessions", values["session_id"]):
        values = columns.session(
            part, plan_id, f"{told} ({number})", summary=values["summary"], at=at, phase=values["phase"]
        )
    part.add("sessions", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _terms(part: Part, plan_id: str, kind: str, terms: list[str], where: str, *, at: str) -> None:
    for number, text in enumerate(terms):
        part.add("plan_terms", columns.term(part, plan_id, kind, text, number, at=at), f"{where}[{number}]", plan_id)


def _intent(part: Part, plan_id: str, found: Fields, number: int, *, at: str) -> None:
    confidence, session = found.keep("confidence"), found.keep("session")
    if is_amount := isinstance(confidence, int | float) and not isinstance(confidence, bool):
        found.raw("confidence")
    if is_number := isinstance(session, int) and not isinstance(session, bool):
        found.raw("session")
    values = columns.term(
        part, plan_id, "intent", found.word("intent", "(none)"), number, at=at,
        confidence=float(confidence) if is_amount else None, session_num=session if is_number else None,
    )  # fmt: skip
    part.add("plan_terms", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _rest(part: Part, plan_id: str, found: Fields, *, at: str) -> None:
    """Keep what else a memory says, beside the plan."""
    told = list_of(found.keep("trajectory")) if not is_object(found.keep("trajectory")) else [found.keep("trajectory")]
    if told or found.left:
        data = dict(found.left)
        part.add("context_items", columns.item(part, ("plan", plan_id), "project_memory", data, at=at), "$", plan_id)
