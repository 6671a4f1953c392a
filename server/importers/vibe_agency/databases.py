"""Their SQLite files, table by table: missions and what hangs on them, tasks, the history of tasks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from server.importers.reading import list_of, object_of
from server.importers.values import Fields, Object, derived, whole_number
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns, manifests
from server.importers.vibe_agency.columns import TaskWaits
from server.importers.vibe_agency.project import Part
from server.importers.vocabulary import plan_status, step_status

JSON = ("cost_breakdown", "metadata", "args", "result", "context", "metrics", "value", "completed_phases", "blockers",
        "details", "input_payload", "output_result")  # fmt: skip
TASKS, TASKS_TITLE = "tasks", "Tasks of the database"
# Their tables that say what a mission is or what it did.
MISSIONS = "missions"
OF_MISSIONS = ("tool_calls", "decisions", "playbook_runs", "agent_memory", "session_narrative", "domain_concepts",
               "domain_concerns", "trajectory", "artifacts", "quality_gates")  # fmt: skip
HISTORY = "task_history"
KNOWN = (MISSIONS, "missions_archive", *OF_MISSIONS, TASKS, HISTORY)
MEMORY = "agent_memory"

Tables = Mapping[str, Callable[[], Iterator[Object]]]  # the rows of each table, read when they are asked for


def parsed(row: Object, decode: Callable[[str], Any]) -> Object:
    """Return a row with its JSON as values; text that is none stays text."""
    found = dict(row)
    for name in JSON:
        if isinstance(found.get(name), str):
            found[name] = decode(found[name])
    return found


def missions(part: Part, rows: Iterator[Object], *, archived: bool = False) -> None:
    """Add the missions: the plan of one that a file tells of too is made by the file."""
    for row in rows:
        found = part.fields(row, _at("missions_archive" if archived else MISSIONS, row))
        foreign = as_text(found.raw("mission_uuid") or f"mission-{row.get('id')}")
        plan_id = part.project.missions[part.path][row.get("id")]
        if part.project.made.get(f"{part.path}#{foreign}") == plan_id:
            _mission(part, plan_id, foreign, found)
        else:
            part.teller.info(found.at, "a mission that a file tells of; the file counts", foreign)
            _compare(part, plan_id, found)
        _budget(part, plan_id, found)


def _mission(part: Part, plan_id: str, foreign: str, found: Fields) -> None:
    created_at = found.moment("created_at", part.at)
    metadata = object_of(found.keep("metadata"))
    name = metadata.get("mission_name") or metadata.get("name")
    completed_at = found.maybe_moment("completed_at")
    values = columns.plan(
        part, plan_id, title=as_text(name) if name else foreign, at=created_at, external_id=foreign,
        description=found.text("description"), owner=found.text("owner"), status=plan_status(found),
        current_phase=found.text("phase"), sub_state=found.text("planning_sub_state"), completed_at=completed_at,
        updated_at=found.maybe_moment("updated_at") or completed_at or created_at,
    )  # fmt: skip
    values |= part.project.trajectory.get(plan_id, {})
    part.add("plans", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _compare(part: Part, plan_id: str, found: Fields) -> None:
    """Tell where a mission and the file of the same mission disagree."""
    there = part.project.rows.get(("plans", plan_id))
    for name, column in (("phase", "current_phase"), ("description", "description"), ("owner", "owner")):
        told = found.keep(name)
        if there is not None and told is not None and there.get(column) not in (None, told):
            part.teller.warn(f"{found.at}.{name}", "another value than the file's, which counts", told, there[column])


def _budget(part: Part, plan_id: str, found: Fields) -> None:
    if found.keep("max_cost_usd") is None and not found.keep("current_cost_usd"):
        return
    outer = part.fields({"budget": {}}, found.at)
    names = ("max_cost_usd", "current_cost_usd", "alert_threshold", "cost_breakdown")
    told = {name: found.keep(name) for name in names if found.keep(name) is not None}
    manifests.budget(part, plan_id, part.fields(told, found.at), outer, at=part.at)


def _at(table: str, row: Object) -> str:
    return f"{table}[{row.get('id', row.get('task_id'))}]"


# What hangs on a mission: a function for each table.


def _call(part: Part, plan_id: str | None, found: Fields) -> None:
    at = found.moment("timestamp", part.at)
    args = found.raw("args")
    values = columns.evidence(
        part, plan_id, at=at, call_id=part.id("call", part.path, found.at), tool=found.word("tool_name", "unknown"),
        args=columns.as_object(args), result=found.raw("result"),
        success=found.flag("success"), error=found.text("error_message"), started_at=at,
        duration_ms=_duration(found), external_id=as_text(found.raw("id")),
    )  # fmt: skip
    part.add("tool_calls", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _duration(found: Fields) -> float | None:
    value = found.raw("duration_ms")
    return float(value) if isinstance(value, int | float) and value >= 0 else None


def _decision(part: Part, plan_id: str | None, found: Fields) -> None:
    at = found.moment("timestamp", part.at)
    context = found.raw("context")
    kind, why = found.word("decision_type", "decision"), found.text("rationale") or ""
    values = columns.evidence(
        part, plan_id, at=at, decision_id=part.id("dec", part.path, found.at), decision=_first_line(why) or kind,
        decision_type=kind, rationale=why, alternatives=[], made_at=at, agent=found.text("agent_name"),
        context=columns.as_object(context),
        external_id=as_text(found.raw("id")),
    )  # fmt: skip
    part.add("decisions", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


def _run(part: Part, plan_id: str | None, found: Fields) -> None:
    at = found.moment("started_at", part.at)
    ended_at = found.maybe_moment("completed_at")
    told, metrics = found.raw("success"), found.raw("metrics")
    success = None if told is None else int(bool(told))
    values: Object = {
        "run_id": part.id("run", part.path, found.at), "workspace_id": part.workspace_id, "kind": "playbook",
        "name": found.word("playbook_name", "unknown"), "plan_id": plan_id, "phase": found.text("phase"),
        "status": "lost" if success is None else "completed" if success else "failed", "success": success,
        "metrics": columns.as_object(metrics), "error": found.text("error_message"),
        "started_at": at, "finished_at": ended_at, "created_at": at, "updated_at": ended_at or at,
        "external_id": as_text(found.raw("id")),
    }  # fmt: skip
    part.add("runs", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _fact(part: Part, plan_id: str | None, found: Fields) -> None:
    at = found.moment("timestamp", part.at)
    key = found.word("key", "unnamed")
    scope, scope_id = ("plan", plan_id) if plan_id else ("workspace", part.workspace_id)
    values = {
        "entry_id": derived("fact", part.workspace_id, scope, scope_id, MEMORY, key),
        "workspace_id": part.workspace_id, "scope": scope, "scope_id": scope_id, "namespace": MEMORY, "key": key,
        "value": found.raw("value"), "created_by": None, "expires_at": _expiry(found, at),
        "created_at": at, "updated_at": at, "version": 1,
    }  # fmt: skip
    part.add("memory_entries", values, found.at, plan_id)


def _expiry(found: Fields, at: str) -> str | None:
    """Return when a fact expires: by its own words, or by how long it was to live."""
    if told := found.maybe_moment("expires_at"):
        return told
    seconds = whole_number(found.keep("ttl")) if found.keep("ttl") is not None else None
    return columns.later(at, seconds) if seconds is not None else None


def _narrative(part: Part, plan_id: str | None, found: Fields) -> None:
    number = found.raw("session_num")
    at = found.maybe_moment("date") or part.at
    values = columns.session(
        part, plan_id, number, summary=found.text("summary") or "", at=at, phase=found.text("phase"),
    )  # fmt: skip
    part.add("sessions", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _term(kind: str, name: str) -> Callable[[Part, str | None, Fields], None]:
    def add(part: Part, plan_id: str | None, found: Fields) -> None:
        at = found.moment("timestamp", part.at)
        number = whole_number(found.keep("id")) or 0
        if plan_id:
            values = columns.term(part, plan_id, kind, found.word(name, "(none)"), number, at=at)
            part.add("plan_terms", values, found.at, plan_id)

    return add


def _artifact(part: Part, plan_id: str | None, found: Fields) -> None:
    kind, name = found.word("artifact_type", "unknown"), found.word("artifact_name", "unnamed")
    metadata = found.raw("metadata")
    at = found.moment("created_at", part.at)
    parent = ("plan", plan_id) if plan_id else ("workspace", part.workspace_id)
    values = columns.evidence(
        part, plan_id, at=at, artifact_id=derived("art", parent[1], kind, name), parent_type=parent[0],
        parent_id=parent[1], artifact_type=kind, name=name,
        **{column: found.text(column) for column in ("path", "ref", "url", "branch")}, status=None,
        metadata=columns.as_object(metadata),
        updated_at=at, version=1, external_id=as_text(found.raw("id")),
    )  # fmt: skip
    if not part.is_new("artifacts", values["artifact_id"]):
        part.teller.info(found.at, "an artifact of that type and name is there; the first counts", name)
        return
    part.add("artifacts", values | {"extra": columns.tail(found)}, found.at, plan_id)


def _gate(part: Part, plan_id: str | None, found: Fields) -> None:
    details, foreign = found.raw("details"), found.raw("id")
    found.raw("mission_id")
    values = manifests.gate_columns(part, plan_id, found, part.id("gate", part.path, found.at), None, at=part.at)
    values |= {"details": columns.as_object(details)}
    part.add("quality_gates", values | {"external_id": as_text(foreign)}, found.at, plan_id)


ADD: dict[str, Callable[[Part, str | None, Fields], None]] = {
    "tool_calls": _call, "decisions": _decision, "playbook_runs": _run, "agent_memory": _fact,
    "session_narrative": _narrative, "domain_concepts": _term("concept", "concept"),
    "domain_concerns": _term("concern", "concern"), "artifacts": _artifact, "quality_gates": _gate,
}  # fmt: skip


def of_missions(part: Part, table: str, rows: Iterator[Object]) -> Iterator[int]:
    """Add the rows of a table, and yield after each, so that a large one can be written part by part."""
    for number, row in enumerate(rows, 1):
        found = part.fields(row, _at(table, row))
        plan_id = part.project.missions.get(part.path, {}).get(row.get("mission_id"))
        if plan_id is None and row.get("mission_id") is not None:
            part.teller.warn(found.at, "no such mission in the database", row["mission_id"])
        elif plan_id:
            found.raw("mission_id")
        ADD[table](part, plan_id or part.project.main, found)
        yield number


def trajectory(row: Object) -> Object:
    """Return the columns of a plan that a row tells."""
    phases, blockers = row.get("completed_phases"), row.get("blockers")
    return {
        "current_phase": row.get("current_phase"), "current_focus": row.get("current_focus"),
        "completed_phases": [as_text(one) for one in list_of(phases)],
        "blockers": [as_text(one) for one in list_of(blockers)],
    }  # fmt: skip


def tasks(part: Part, rows: Iterator[Object]) -> None:
    """Add the tasks that programs made on demand: a plan of its own, with each below its parent."""
    listed = list(rows)
    if not listed:
        return
    plan_id = part.project.claim(f"{part.path}#{TASKS}", None, part.sha256)
    part.add("plans", columns.plan(part, plan_id, title=TASKS_TITLE, at=part.at, external_id=None), TASKS, plan_id)
    phase = columns.phase(plan_id, TASKS_TITLE, 0, at=part.at)
    part.add("phases", phase, TASKS, plan_id)
    ids = {as_text(row.get("id")): derived("step", plan_id, as_text(row.get("id"))) for row in listed}
    waits = TaskWaits(part, plan_id)
    for order, row in enumerate(listed):
        found = part.fields(row, _at(TASKS, row))
        foreign, parent = as_text(found.raw("id")), found.keep("parent_id")
        at = found.moment("created_at", part.at)
        status = step_status(found)
        updated_at = found.maybe_moment("updated_at") or at
        if parent is not None and as_text(parent) in ids:
            found.raw("parent_id")
        values = columns.step(
            plan_id, phase["phase_id"], ids[foreign], order, task=found.text("description") or "", at=at,
            status=status, external_id=foreign, parent_step_id=ids.get(as_text(parent)) if parent is not None else None,
            result=found.raw("result"), completed_at=updated_at if status == "done" else None,
            updated_at=updated_at,
        )  # fmt: skip
        waits.know(foreign, values)
        part.add("steps", values | {"extra": columns.tail(found)}, found.at, plan_id)


def add(part: Part, tables: Tables) -> Iterator[int]:
    """Add what a database holds, and yield after each row of what may be long."""
    for name in (MISSIONS, "missions_archive"):
        if name in tables:
            missions(part, tables[name](), archived=name != MISSIONS)
    for name in ADD:
        if name in tables:
            yield from of_missions(part, name, tables[name]())
    if TASKS in tables:
        tasks(part, tables[TASKS]())
    if HISTORY in tables:
        yield from history(part, tables[HISTORY]())
    for name in tables:
        if name not in KNOWN:
            yield from _unknown(part, name, tables[name]())


def _unknown(part: Part, table: str, rows: Iterator[Object]) -> Iterator[int]:
    """Keep a table that no version of theirs is known to have, whole, as context."""
    listed = list(rows)
    if listed:
        part.teller.warn(table, "an unknown table; kept as context", None, len(listed))
        kind = f"{part.path}#{table}"
        data: Object = {"table": table, "rows": listed}
        values = columns.item(part, ("workspace", part.workspace_id), kind, data, at=part.at)
        part.add("context_items", values, table)
    yield len(listed)


def history(part: Part, rows: Iterator[Object]) -> Iterator[int]:
    """Add what was begun and how it ended, as runs: one that only began is lost."""
    for number, row in enumerate(rows, 1):
        found = part.fields(row, _at(HISTORY, row))
        at = found.moment("timestamp", part.at)
        word = (found.text("status") or "").upper()
        success = {"COMPLETED": 1, "FAILED": 0}.get(word)
        values: Object = {
            "run_id": part.id("run", part.path, found.at), "workspace_id": part.workspace_id, "kind": "task",
            "name": found.word("agent_id", "unknown"), "plan_id": None, "agent": found.keep("agent_id"),
            "status": "lost" if success is None else "completed" if success else "failed", "success": success,
            "error": found.text("error_message"), "started_at": at, "finished_at": at if success is not None else None,
            "created_at": at, "updated_at": at, "source_system": columns.NAME,
            "external_id": as_text(found.raw("task_id")), "metrics": {},
        }  # fmt: skip
        part.add("runs", values | {"extra": columns.tail(found)}, found.at)
        yield number
