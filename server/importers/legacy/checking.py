"""Comparing plans of a file store with what the tools return of them: by rules of their own, not by the rows made."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from server.errors import ProjectMemoryError
from server.importers.answers import every, whole
from server.importers.layout import Ask
from server.importers.legacy.context import WRAPPING, kind_of
from server.importers.legacy.plans import sequence
from server.importers.legacy.survey import Header, Survey, plan_folder, waiting
from server.importers.legacy.tree import entries
from server.importers.reading import (
    Entry,
    UnreadableFile,
    is_list,
    is_object,
    json_of,
    list_of,
    object_of,
    objects_of,
    read,
    text_of,
)
from server.importers.values import callable_as, moment, plain_word, whole_number
from server.importers.vocabulary import CATEGORY_NAMES, PRIORITY_NAMES, STEP_STATUS_NAMES, TYPE_NAMES
from server.models.imports import Finding, of

EMPTY: tuple[object, ...] = (None, "", [], {}, False)
CLIPPED = 1000  # as much as a list shows of a note that is too long for it

Json = dict[str, Any]


class Comparison:
    """What differs between one file and the tools' answers."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Finding] = []

    def same(self, where: str, source: object, told: object) -> None:
        if source != told and not (source in EMPTY and told in EMPTY):
            self.found.append(Finding("error", self.path, where, "differs from the database", source, told))


async def plan(survey: Survey, ask: Ask, header: Header, files: Sequence[Entry]) -> list[Finding]:
    """Return every difference between a plan with the files beside it and what the tools say."""
    path = f"{header.folder}/state.json"
    compared = Comparison(path)
    try:
        state = json_of(read(next(entry for entry in files if entry.path == path)))
        await _state(survey, ask, header, state, compared)
        for entry in files:
            await _file(survey, ask, header, entry, compared)
    except ProjectMemoryError as error:
        compared.found.append(Finding("error", path, "$", f"the tools refuse to show it: {error}"))
    return compared.found


async def _state(survey: Survey, ask: Ask, header: Header, state: Json, compared: Comparison) -> None:
    plan_id = header.plan_id
    told = await whole(ask, "memory_plan", {"action": "get", "plan_id": plan_id, "detail": "full"})
    if "truncated" in told:
        told |= await _lists(ask, plan_id, _confirmed(state))
    _facts(survey, header, state, told, compared)
    _phases(state, told, compared)
    _steps(state, told, compared)
    await _sessions(ask, state, told, compared)
    _lineage(header, state, told, compared)
    _notes(header, state, told, compared)
    _waits(survey, header, state, told, compared)


def _confirmed(state: Json) -> set[int]:
    """Return the places of the steps that the source says are confirmed; lists do not show that."""
    named = object_of(object_of(state.get("confirmation_state")).get("steps"))
    return {place for place, (index, _) in enumerate(_ordered(state)) if str(index) in named}


async def _lists(ask: Ask, plan_id: str, confirmed: set[int]) -> Json:
    """Return the parts of a plan that are too long for one answer."""
    of = {"plan_id": plan_id}
    steps = await every(ask, "memory_steps", "steps", {"action": "list", "detail": "full", **of})
    sessions = await every(ask, "memory_session", "sessions", {"action": "list_sessions", **of})
    lineage = await every(ask, "memory_agent", "lineage", {"action": "get_lineage", **of})
    notes = await every(ask, "memory_plan", "notes", {"action": "list_notes", **of})
    for place, step in enumerate(steps):
        if "clipped" in step or place in confirmed:
            steps[place] = await whole(ask, "memory_steps", {"action": "get", "step_id": step["step_id"]})
    for place, entry in enumerate(lineage):
        if "cut" in entry or "clipped" in entry:
            lineage[place] = await whole(
                ask, "memory_agent", {"action": "get_lineage", "lineage_id": entry["lineage_id"]}
            )
    return {"steps": steps, "sessions": sessions, "lineage": lineage, "notes": notes}


def _facts(survey: Survey, header: Header, state: Json, told: Json, compared: Comparison) -> None:
    for name in ("title", "description", "recommended_next_agent"):
        if name in state and state[name] not in EMPTY:
            compared.same(f"$.{name}", _text(state[name]), told.get(name))
    for name in ("goals", "success_criteria"):
        if isinstance(state.get(name), list):
            compared.same(f"$.{name}", *_shown([_text(item) for item in state[name]], told, name))
    for name in ("categorization", "deployment_context"):
        compared.same(f"$.{name}", object_of(state.get(name)), told.get(name))
    compared.same("$.category", _named(state.get("category"), CATEGORY_NAMES, "feature"), told.get("category"))
    compared.same("$.priority", _named(state.get("priority"), PRIORITY_NAMES, "medium"), told.get("priority"))
    compared.same("$.status", "archived" if header.archived else header.status, told.get("status"))
    compared.same("$.workspace_id", survey.target(header.place), told.get("workspace_id"))
    for name in ("created_at", "updated_at"):
        if at := moment(state.get(name)):
            compared.same(f"$.{name}", at, told.get(name))


def _shown(source: list[str], told: Json, name: str) -> tuple[list[str], list[str]]:
    """Return the part of a list that an answer shows, if it was cut to fit, and the same of the source."""
    shown = list_of(told.get(name))
    return (source[: len(shown)] if "truncated" in told else source), shown


def _named(value: object, names: Mapping[str, str], default: str) -> str:
    """Return what a value of an enumeration becomes: itself, its new name, or the default."""
    plain = plain_word(value) if value not in (None, "") else default
    mapped = names.get(plain, plain)
    known = {*names.values(), default, "orchestration", "refactor", "program"}
    return mapped if mapped in known else default


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _word(value: object, default: str) -> str:
    """Return a text that says something, or the default."""
    return _text(value) if value is not None and _text(value).strip() else default


def _ordered(state: Json) -> list[tuple[int, Json]]:
    """Return the steps with their index, or their place in the list where there is none, in that order."""
    listed = list(enumerate(list_of(state.get("steps"))))
    found = [(_index(step, place), object_of(step)) for place, step in listed if is_object(step)]
    return sorted(found, key=lambda pair: pair[0])


def _index(step: Json, place: int) -> int:
    index = whole_number(step.get("index"))
    return place if index is None else index


def _objects(state: Json, name: str) -> list[Json]:
    return objects_of(state.get(name))


def _phase(step: Json) -> str:
    return _word(step.get("phase"), "Unphased")


def _phases(state: Json, told: Json, compared: Comparison) -> None:
    """Compare the phases and their order: those listed by sequence, the others as steps first name them."""
    listed = _objects(state, "phases")
    numbers: list[tuple[float, int]] = []
    for place, phase in enumerate(listed):
        number = sequence(phase)
        numbers.append((len(listed) + place if number is None else number, place))
    described = [listed[place] for _, place in sorted(numbers)]
    names = [_word(phase.get("name"), "Unphased") for phase in described]
    expected = list(dict.fromkeys([*names, *(_phase(step) for _, step in _ordered(state))]))
    names = [phase["name"] for phase in told.get("phases", [])]
    compared.same("$.phases", *_shown(expected, told | {"phases": names}, "phases"))


def _steps(state: Json, told: Json, compared: Comparison) -> None:
    source, shown = _ordered(state), told.get("steps", [])
    compared.same("$.steps.length", len(source), len(shown))
    by_index = object_of(object_of(state.get("confirmation_state")).get("steps"))
    seen: set[int] = set()
    for place, ((index, step), view) in enumerate(zip(source, shown, strict=False)):
        where = f"$.steps[{place}]"
        compared.same(f"{where}.index", place, view.get("index"))
        compared.same(f"{where}.task", _word(step.get("task"), "(without a text)"), view.get("task"))
        compared.same(f"{where}.phase", _phase(step), view.get("phase"))
        status = plain_word(step.get("status") or "pending")
        compared.same(f"{where}.status", _known_status(STEP_STATUS_NAMES.get(status, status)), view.get("status"))
        kind = plain_word(step.get("type") or "standard")
        compared.same(f"{where}.type", _known_type(TYPE_NAMES.get(kind, kind)), view.get("type", "standard"))
        for name in ("assignee", "notes"):
            if step.get(name) is not None:
                compared.same(f"{where}.{name}", _text(step[name]), view.get(name))
        if at := moment(step.get("completed_at")):
            compared.same(f"{where}.completed_at", at, view.get("completed_at"))
        if index not in seen:
            _confirmation(by_index.get(str(index)), view, where, compared)
        seen.add(index)


def _confirmation(entry: object, view: Json, where: str, compared: Comparison) -> None:
    told = object_of(entry)
    by = told.get("confirmed_by") if told.get("confirmed") is True else None
    compared.same(f"{where} confirmed_by", by if by is None else _text(by), view.get("confirmed_by"))


def _known_status(status: str) -> str:
    return status if status in ("pending", "active", "done", "blocked", "failed", "cancelled") else "pending"


def _known_type(kind: str) -> str:
    known = {
        "analysis", "validation", "user_validation", "complex", "critical", "build", "fix", "refactor", "confirmation",
        "research", "planning", "code", "test", "documentation",
    }  # fmt: skip
    return kind if kind in known else "standard"


async def _sessions(ask: Ask, state: Json, told: Json, compared: Comparison) -> None:
    source = _objects(state, "agent_sessions")
    shown: dict[object, Json] = {view["session_id"]: view for view in told.get("sessions", [])}
    compared.same("$.agent_sessions.length", len(source), len(shown))
    for place, session in enumerate(source):
        view, where = shown.pop(_text(session.get("session_id")), None), f"$.agent_sessions[{place}]"
        if view is None:  # it has an id of ours, because it had none or one that another session has
            continue
        ended = moment(session.get("completed_at"))
        compared.same(f"{where}.status", "completed" if ended else "orphaned", view.get("status"))
        compared.same(f"{where}.agent_type", _word(session.get("agent_type"), "unknown"), view.get("agent"))
        compared.same(f"{where}.completed_at", ended, view.get("completed_at"))
        if at := moment(session.get("started_at")):
            compared.same(f"{where}.started_at", at, view.get("started_at"))
        if "cut" in view or "clipped" in view or session.get("context") or session.get("artifacts"):
            view = await whole(ask, "memory_session", {"action": "get_session", "session_id": view["session_id"]})
        if ended or session.get("summary"):
            compared.same(f"{where}.summary", _text(session.get("summary") or ""), view.get("summary"))
        context, artifacts = session.get("context"), session.get("artifacts")
        known = context if context is None or is_object(context) else {"value": context}
        compared.same(f"{where}.context", known, view.get("context"))
        listed = list_of(artifacts) if artifacts is None or is_list(artifacts) else [artifacts]
        compared.same(f"{where}.artifacts", *_shown([_text(item) for item in listed], view, "artifacts"))


def _lineage(header: Header, state: Json, told: Json, compared: Comparison) -> None:
    def key(entry: Json, time: str) -> tuple[str, ...]:
        at = moment(entry.get(time)) or moment(state.get("created_at")) or header.created_at
        agents = [_word(entry.get(name), "unknown") for name in ("from_agent", "to_agent")]
        return (*agents, _text(entry.get("reason") if entry.get("reason") is not None else ""), at)

    source = Counter(key(entry, "timestamp") for entry in _objects(state, "lineage"))
    shown = Counter(key(entry, "created_at") for entry in told.get("lineage", []))
    _counted("$.lineage", source, shown, compared)


def _notes(header: Header, state: Json, told: Json, compared: Comparison) -> None:
    source: Counter[tuple[str, ...]] = Counter()
    listed = told.get("notes", [])
    length = CLIPPED if any("clipped" in entry for entry in listed) else None
    for entry in [*list_of(state.get("pending_notes")), *list_of(state.get("notes"))]:
        if isinstance(entry, str):
            source[entry[:length], "info"] += 1
        elif is_object(entry):
            note = object_of(entry)
            kind = plain_word(note.get("type") or "info")
            text = note.get("note") if note.get("note") is not None else note.get("content") or ""
            source[_text(text)[:length], kind if kind in ("info", "warning", "instruction") else "info"] += 1
    shown = Counter((entry.get("note", "")[:length], entry["note_type"]) for entry in listed)
    _counted("$.pending_notes", source, shown, compared)


def _counted(
    where: str, source: Counter[tuple[str, ...]], shown: Counter[tuple[str, ...]], compared: Comparison
) -> None:
    for entry, number in ((source - shown) | (shown - source)).items():
        what = "not in the database" if entry in source - shown else "in the database only"
        compared.found.append(Finding("error", compared.path, where, f"{what} ({number})", list(entry)))


def _waits(survey: Survey, header: Header, state: Json, told: Json, compared: Comparison) -> None:
    """Compare what the plan waits for, less what a program waits for in its place and what could not be resolved."""
    source = waiting(survey, header)
    shown = {
        entry["target_id"]
        for entry in told.get("dependencies", [])
        if entry["source_id"] == header.plan_id and entry["source_type"] == entry["target_type"] == "plan"
    }
    wanted = {target for target in header.waits if (source, ("plan", target)) in survey.edges}
    if source[0] == "plan":
        compared.same("$.depends_on_plans", sorted(wanted), sorted(wanted & shown))


async def _file(survey: Survey, ask: Ask, header: Header, entry: Entry, compared: Comparison) -> None:
    """Compare one file beside the state: context by `get`, research notes by `get_research`."""
    inner = entry.path.removeprefix(f"{header.folder}/")
    beside = Comparison(entry.path)
    try:
        if entry.odd or inner == "state.json":
            return
        if inner.startswith("research_notes/"):
            await _research(ask, header, inner.removeprefix("research_notes/"), text_of(read(entry)), beside)
        elif inner.endswith(".json") and ("/" not in inner or inner.startswith(("dumps/", "investigations/"))):
            await _context(survey, ask, header, inner=inner, value=json_of(read(entry)), compared=beside)
    except (OSError, UnreadableFile):
        return  # the import has told of it, and made nothing of it
    finally:
        compared.found += beside.found


async def _research(ask: Ask, header: Header, name: str, text: str, compared: Comparison) -> None:
    call = {"action": "get_research", "plan_id": header.plan_id, "filename": callable_as(name), "full": True}
    told = await whole(ask, "memory_context", call)
    compared.same("$", text, told.get("content"))


async def _context(survey: Survey, ask: Ask, header: Header, *, inner: str, value: Any, compared: Comparison) -> None:
    kind = callable_as(kind_of(inner))
    told = await whole(ask, "memory_context", {"action": "get", "plan_id": header.plan_id, "type": kind})
    source: Json = cast(Json, value) if isinstance(value, dict) else {"value": value}
    if isinstance(source.get("data"), dict) and all(name in WRAPPING for name in source):
        compared.same("$.data", source["data"], told.get("data"))
        return
    repeated = {"type": kind, "plan_id": header.plan_id, "workspace_id": survey.target(header.place)}
    compared.same("$", {k: v for k, v in source.items() if k not in repeated or v != repeated[k]}, told.get("data"))


def groups(survey: Survey, wanted: Callable[[str], bool]) -> Iterator[tuple[Header, list[Entry]]]:
    """Yield the plans of a store that are wanted, each with its files."""
    for place in survey.order:
        for folder, listed in groupby(entries(place), lambda entry: plan_folder(entry.path)):
            header = survey.folders.get((place.workspace_id, folder or ""))
            if header and header.newer is None and wanted(header.plan_id) and not header.folder.endswith("/_archived"):
                yield header, list(listed)


async def rest(survey: Survey, ask: Ask) -> AsyncGenerator[Finding]:
    """Yield the differences in what the tools say of the workspaces: their counts of plans, and their knowledge."""
    for place in survey.order:
        workspace_id = survey.target(place)
        compared, seen = Comparison("knowledge"), set[str]()
        for entry in entries(place):
            parts = entry.path.split("/")
            if parts[0] != "knowledge" or len(parts) != 2 or not parts[1].endswith(".json") or entry.odd:
                continue
            try:
                value = object_of(json_of(read(entry)))
            except (OSError, UnreadableFile):
                continue
            slug = value.get("slug")
            if isinstance(slug, str) and slug.strip() and slug not in seen:
                seen.add(slug)
                compared.path = entry.path
                await _knowledge(ask, workspace_id, value, compared)
        for finding in of(workspace_id, compared.found):
            yield finding


async def _knowledge(ask: Ask, workspace_id: str, source: Json, compared: Comparison) -> None:
    call = {"action": "knowledge_get", "workspace_id": workspace_id, "slug": callable_as(source["slug"])}
    try:
        told = await whole(ask, "memory_context", call)
    except ProjectMemoryError as error:
        compared.same("$", source["slug"], str(error))
        return
    for name in ("title", "content"):
        if source.get(name) not in EMPTY:
            compared.same(f"$.{name}", _text(source[name]), told.get(name))
