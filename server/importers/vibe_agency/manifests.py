"""`project_manifest.json`, of both shapes, as a plan with what its project has shown: artifacts, gates, a budget."""

from typing import Any

from server.importers.reading import is_list, is_object, list_of, object_of, objects_of
from server.importers.values import Fields, Object, derived, moment, place
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns, tasks
from server.importers.vibe_agency.project import Part, inner, settle
from server.importers.vocabulary import PLAN_STATUS_NAMES, STEP_STATUS_NAMES, STEP_STATUSES

FINISHED = ("production", "completed", "complete", "done")
GATE_WORDS = {
    "pass": "passed", "passed": "passed", "ok": "passed", "success": "passed", "approved": "passed",
    "fail": "failed", "failed": "failed", "error": "failed", "blocked": "failed", "rejected": "failed",
    "skip": "skipped", "skipped": "skipped", "n/a": "skipped",
}  # fmt: skip
TITLES = ("name", "title", "feature")  # of a feature
SEEN = ("path", "ref", "url", "branch", "status")


def identity(value: Object) -> Any:
    """Return the id that a manifest gives its project, whichever shape it has."""
    told = object_of(value.get("metadata")).get("projectId")
    return told if told is not None else value.get("project_id", value.get("projectId"))


def add(part: Part, plan_id: str, value: Object) -> None:
    """Add a plan and what hangs on it."""
    found = part.fields(value)
    if is_object(value.get("metadata")) and ("projectId" in value["metadata"] or "apiVersion" in found):
        _new_shape(part, plan_id, found)
    else:
        _flat(part, plan_id, found)


def _new_shape(part: Part, plan_id: str, found: Fields) -> None:
    about, standing = inner(found, "metadata", part), inner(found, "status", part)
    created_at = about.moment("createdAt", part.at)
    updated_at = about.maybe_moment("lastUpdatedAt") or about.maybe_moment("updatedAt") or created_at
    foreign = about.raw("projectId")
    values = columns.plan(
        part, plan_id, title=about.word("name", as_text(foreign or plan_id)), at=created_at,
        external_id=None if foreign is None else as_text(foreign), description=about.text("description"),
        owner=about.text("owner"), updated_at=updated_at, sub_state=standing.text("planningSubState"),
        **_standing(standing, "projectPhase", standing.maybe_moment("completedAt")),
    )  # fmt: skip
    _told(part, plan_id, standing, at=updated_at)
    _tags(part, plan_id, about, at=created_at)
    _shared(part, plan_id, found, at=created_at)
    if gates := _gates(part, plan_id, standing, at=updated_at):
        standing.left["qualityGates"] = gates
    settle(found, "metadata", about)
    settle(found, "status", standing)
    _finish(part, plan_id, found, values)


def _flat(part: Part, plan_id: str, found: Fields) -> None:
    """Add the plan of a manifest as they were before their first version."""
    about = inner(found, "metadata", part)
    standing = inner(found, "status", part) if is_object(found.keep("status")) else part.fields({})
    created_at = found.moment("created_at", part.at)
    foreign = found.raw("project_id")
    where = next(((at, name) for at, name in _phases_of(found, standing) if at.keep(name)), (found, "current_state"))
    values = columns.plan(
        part, plan_id, title=found.word("project_name", as_text(foreign or plan_id)), at=created_at,
        external_id=None if foreign is None else as_text(foreign), description=about.text("description"),
        owner=about.text("owner"), updated_at=standing.maybe_moment("lastUpdated") or created_at,
        recommended_next_agent=found.text("current_agent"), **_standing(*where, None),
    )  # fmt: skip
    _tags(part, plan_id, about, at=created_at)
    _shared(part, plan_id, found, at=created_at)
    settle(found, "metadata", about)
    if is_object(found.found.get("status")):
        settle(found, "status", standing)
    _finish(part, plan_id, found, values)


def _phases_of(found: Fields, standing: Fields) -> list[tuple[Fields, str]]:
    return [(found, "current_state"), (standing, "projectPhase"), (found, "phase")]


def _standing(found: Fields, name: str, completed_at: str | None) -> Object:
    """Return where a project is in its life: its phase is kept as it is, whatever later versions know."""
    phase = found.text(name)
    is_finished = completed_at is not None or (phase or "").lower() in FINISHED
    return {
        "current_phase": phase,
        "status": "completed" if is_finished else "active",
        "completed_at": completed_at,
    }


def _finish(part: Part, plan_id: str, found: Fields, values: Object) -> None:
    """Add the plan itself, and what is left of its file."""
    values |= part.project.trajectory.get(plan_id, {})
    columns.blocks(part, plan_id, found, at=values["created_at"])
    part.add("plans", values | {"extra": columns.tail(found)}, "$", plan_id)


def _told(part: Part, plan_id: str, standing: Fields, *, at: str) -> None:
    message = standing.text("message")
    if message and message.strip():
        at = moment(standing.keep("lastUpdate")) or at
        part.add("plan_notes", columns.note(plan_id, message, at=at, name="status"), "$.status.message", plan_id)
    elif message is not None:
        standing.left["message"] = message


def _tags(part: Part, plan_id: str, about: Fields, *, at: str) -> None:
    if not isinstance(about.keep("tags"), list):
        return
    for number, tag in enumerate(about.strings("tags")):
        part.add("plan_terms", columns.term(part, plan_id, "tag", tag, number, at=at), f"{about.at}.tags", plan_id)


def _shared(part: Part, plan_id: str, found: Fields, *, at: str) -> None:
    """Add what both shapes have."""
    if "artifacts" in found:
        found.left |= _artifacts(part, plan_id, inner(found, "artifacts", part), at=at)
    if is_object(found.keep("budget")):
        budget(part, plan_id, inner(found, "budget", part), found, at=at)
    if is_object(found.keep("roadmap")):
        _versions(part, plan_id, inner(found, "roadmap", part), found, at=at)


def _artifacts(part: Part, plan_id: str, found: Fields, *, at: str) -> Object:
    """Add the artifacts, type by type, name by name; return what is none."""
    for kind in list(found.left):
        named = found.found[kind]
        if not is_object(named) or not named:
            continue
        rest: Object = {}
        for name, value in named.items():
            where = place(place(found.at, kind), name)
            entry = {"path": value} if isinstance(value, str) else value
            if is_object(entry) and tasks.is_born(part, part.fields(entry, where)):
                continue
            if is_object(entry):
                _artifact(part, plan_id, kind, name, part.fields(entry, where), at=at)
            else:
                rest[name] = value
        found.left.pop(kind)
        if rest:
            found.left[kind] = rest
    return {"artifacts": found.left} if found.left else {}


def _artifact(part: Part, plan_id: str, kind: str, name: str, found: Fields, *, at: str) -> None:
    seen = {column: found.text(column) for column in SEEN}
    seen["ref"] = seen["ref"] or found.text("lastCommit")
    made_at = found.maybe_moment("created_at") or at
    values = columns.evidence(
        part, plan_id, at=made_at, artifact_id=derived("art", plan_id, kind, name), parent_type="plan",
        parent_id=plan_id, artifact_type=kind, name=name, **seen, metadata=found.left, updated_at=made_at, version=1,
    )  # fmt: skip
    part.add("artifacts", values, found.at, plan_id)


def budget(part: Part, plan_id: str, found: Fields, outer: Fields, *, at: str) -> None:
    numbers = {name: _amount(found, name) for name in ("max_cost_usd", "current_cost_usd", "alert_threshold")}
    threshold = numbers["alert_threshold"]
    if threshold is None or not 0 <= threshold <= 1:
        threshold = 0.8
    breakdown = found.object("cost_breakdown") if is_object(found.keep("cost_breakdown")) else {}
    values = columns.evidence(
        part, plan_id, at=at, budget_id=derived("budget", plan_id, "usd"), unit="USD", max=numbers["max_cost_usd"],
        spent=numbers["current_cost_usd"] or 0, alert_threshold=threshold, hard=0, breakdown=breakdown, updated_at=at,
        version=1,
    )  # fmt: skip
    part.add("budgets", values, found.at, plan_id)
    settle(outer, "budget", found)


def _amount(found: Fields, name: str) -> float | None:
    """Take an amount that is none below zero; anything else stays in `left`."""
    value = found.keep(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        found.raw(name)
        return float(value)
    if value is not None:
        found.teller.warn(f"{found.at}.{name}", "no amount; kept in extra", value)
    return None


def _versions(part: Part, plan_id: str, found: Fields, outer: Fields, *, at: str) -> None:
    """Add the versions of a roadmap as phases, their features as steps."""
    order = 0
    for number, version in enumerate(list(found.left)):
        value = found.found[version]
        if not is_object(value):
            continue
        found.left.pop(version)
        one = part.fields(value, place(found.at, version))
        status = one.text("status")
        features = one.objects("features")
        row = columns.phase(plan_id, version, number, at=at, raw_status=status, external_id=version)
        part.add("phases", row | {"extra": columns.tail(one)}, one.at, plan_id)
        closed = PLAN_STATUS_NAMES.get((status or "").lower(), status) == "completed"
        for where, feature in features:
            if is_object(feature) and tasks.is_born(part, part.fields(feature, where)):
                continue
            _feature(part, row, order, where, feature, closed=closed)
            order += 1
    settle(outer, "roadmap", found)


def _feature(part: Part, phase: Object, order: int, where: str, feature: Any, *, closed: bool) -> None:
    """Add a feature of a version, which may be a mere text; what says nothing of itself is as its version is."""
    found = part.fields(feature, where)
    told = _title(found) if is_object(feature) else feature
    word = str(found.keep("status") or ("done" if closed else "pending")).lower()
    foreign, plan_id = found.keep("id"), phase["plan_id"]
    values = columns.step(
        plan_id, phase["phase_id"], derived("step", plan_id, where), order, task=as_text("" if told is None else told),
        at=phase["created_at"], status=STEP_STATUS_NAMES.get(word, word if word in STEP_STATUSES else "pending"),
        external_id=None if foreign is None else as_text(foreign), notes=found.text("description"),
    )  # fmt: skip
    part.add("steps", values | {"extra": columns.tail(found)}, where, plan_id)


def _title(feature: Fields) -> Any:
    """Take what a feature is called: the first of its names that says anything."""
    name = next((name for name in TITLES if feature.keep(name) not in (None, "")), None)
    return None if name is None else feature.raw(name)


def _gates(part: Part, plan_id: str, standing: Fields, *, at: str) -> Object:
    """Add what gates said at each transition; return what is no entry of a gate."""
    if not is_object(standing.keep("qualityGates")):
        return {}
    rest: Object = {}
    found = inner(standing, "qualityGates", part)
    for name, value in found.found.items():
        where = place(found.at, name)
        one = part.fields(value, where)
        transition = one.text("transition") or name
        for number, entry in enumerate(objects_of(one.raw("gates"))):
            gate = part.fields(entry, f"{where}.gates[{number}]")
            if tasks.is_born(part, gate):
                continue
            key = derived("gate", plan_id, name, number, entry.get("check"), entry.get("timestamp"))
            part.add("quality_gates", gate_columns(part, plan_id, gate, key, transition, at=at), gate.at, plan_id)
        odd = [entry for entry in list_of(one.found.get("gates")) if not is_object(entry)]
        if one.left or odd or not is_object(value):
            rest[name] = (one.left | ({"gates": odd} if odd else {})) if is_object(value) else value
    return rest


def gate_columns(
    part: Part, plan_id: str | None, found: Fields, key: str, transition: str | None, *, at: str
) -> Object:
    """Return what a gate said; a word that is unknown is kept, and counts for nothing."""
    told = found.text("status") or ""
    duration = found.keep("duration_ms")
    blocking = found.keep("blocking")
    recorded_at = found.maybe_moment("timestamp") or at
    names = ("check", "gate_name", "name", "gate")
    name = next((text for one in names if (text := found.text(one))), "gate")
    findings = list_of(found.raw("findings")) if is_list(found.keep("findings")) else []
    numbers = isinstance(duration, int | float) and not isinstance(duration, bool)
    for taken, fits in (("duration_ms", numbers), ("blocking", isinstance(blocking, bool))):
        if fits:
            found.raw(taken)
    return columns.evidence(
        part, plan_id, at=recorded_at, gate_id=key, gate_name=name, status=GATE_WORDS.get(told.lower(), "unknown"),
        raw_status=told, transition=transition, severity=found.text("severity"),
        blocking=int(blocking) if isinstance(blocking, bool) else None, findings=findings,
        message=found.text("message"), remediation=found.text("remediation"), recorded_at=recorded_at,
        duration_ms=float(duration) if numbers else None,
        details=found.left,
    )  # fmt: skip


def backup(part: Part, plan_id: str | None, value: Object) -> None:
    """Keep what a manifest was before."""
    parent = ("plan", plan_id) if plan_id else ("workspace", part.workspace_id)
    kind = f"backup/{part.path}"
    part.add("context_items", columns.item(part, parent, kind, value, at=part.at), "$", plan_id)
