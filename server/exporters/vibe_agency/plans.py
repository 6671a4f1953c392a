"""The files that make plans, with what has become of the plans since they were imported."""

from copy import deepcopy

from server.exporters.legacy.entries import Entry, Row
from server.exporters.vibe_agency.patching import ChangedFile, at, differs, field_of, listed, number, patch, put
from server.exporters.vibe_agency.work import TaskChanges
from server.importers.reading import is_object, list_of, object_of

MISSION_WORDS = {"active": "active", "paused": "paused", "blocked": "blocked", "completed": "completed",
                 "failed": "failed"}  # fmt: skip
OTHERS = "Tasks of no phase"


def manifest(change: ChangedFile) -> None:
    """Bring a manifest up to date, of whichever shape."""
    value, plan = change.value, change.plan()
    if plan is None:
        return
    was, now = plan
    is_new = "projectId" in object_of(value.get("metadata")) or "apiVersion" in value
    old = deepcopy(value)
    if is_new:
        names = {"title": "metadata.name", "description": "metadata.description", "owner": "metadata.owner",
                 "sub_state": "status.planningSubState", "current_phase": "status.projectPhase",
                 "completed_at": "status.completedAt"}  # fmt: skip
    else:
        names = {"title": "project_name", "description": "metadata.description", "owner": "metadata.owner",
                 "current_phase": _phase_field(value), "recommended_next_agent": "current_agent",
                 "completed_at": "completed_at"}  # fmt: skip
    patch(value, was, now, names)
    _budget(change)
    _artifacts(change, now["plan_id"])
    _gates(change, now["plan_id"])
    _features(change, now["plan_id"])
    if is_new and value != old:
        put(
            value,
            f"$.metadata.{field_of(object_of(value.get('metadata')), 'lastUpdatedAt', 'updatedAt')}",
            now["updated_at"],
        )


def _phase_field(value: Entry) -> str:
    standing = object_of(value.get("status"))
    if value.get("current_state"):
        return "current_state"
    return "status.projectPhase" if standing.get("projectPhase") else "phase" if value.get("phase") else "current_state"


def _budget(change: ChangedFile) -> None:
    names = {"max": "max_cost_usd", "spent": "current_cost_usd", "alert_threshold": "alert_threshold",
             "breakdown": "cost_breakdown"}  # fmt: skip
    for _, was, now, where in change.rows("budgets"):
        entry = at(change.value, where)
        if isinstance(entry, dict) and now is not None:
            patch(entry, was, now, names)


def _artifacts(change: ChangedFile, plan_id: str) -> None:
    names = {name: name for name in ("path", "ref", "url", "branch", "status")}
    for _, was, now, where in change.rows("artifacts"):
        entry = at(change.value, where)
        if now is not None and isinstance(entry, str) and differs(was, now, "path"):
            put(change.value, where, now.get("path"))
        elif now is not None and isinstance(entry, dict):
            own = {**names, "ref": "lastCommit"} if "lastCommit" in entry and "ref" not in entry else names
            patch(entry, was, now, own)
    for row in change.new("artifacts", plan_id):
        entry = {name: row[name] for name in names if row.get(name) is not None}
        kinds = change.value.setdefault("artifacts", {})
        told = {**entry, "created_at": row["created_at"], "id": row["artifact_id"]}
        kinds.setdefault(row["artifact_type"], {})[row["name"]] = told


def _gates(change: ChangedFile, plan_id: str) -> None:
    """Add what gates have said since; it is only added to here, too."""
    spoken = {"passed": "PASS", "failed": "FAIL", "skipped": "SKIP", "unknown": "UNKNOWN"}
    for row in change.new("quality_gates", plan_id):
        transition = row.get("transition") or "UNKNOWN"
        where = f"$.status.qualityGates[{transition!r}]"
        if not isinstance(at(change.value, where), dict):
            put(change.value, where, {"transition": transition, "gates": []})
        more = {name: row[name] for name in ("severity", "findings", "message", "remediation") if row.get(name)}
        entry = {
            "id": row["gate_id"],
            "check": row["gate_name"],
            "status": spoken[row["status"]],
            "timestamp": row["recorded_at"],
            **more,
        }
        listed(at(change.value, where), "gates").append(entry)


def _features(change: ChangedFile, plan_id: str) -> None:
    """Bring the features of the versions of a roadmap up to date."""
    work = TaskChanges(change)
    work.follow()
    versions = {key: where for key, _, now, where in change.rows("phases") if now is not None}
    for row in change.new("steps", plan_id):
        where = versions.get(row["phase_id"])
        if where is None:
            name = change.known.now["phases"][row["phase_id"]]["name"]
            where = versions[row["phase_id"]] = f"$.roadmap[{name!r}]"
            put(change.value, where, {"status": "planned", "timeline": None, "features": []})
        entry: Entry = {"id": work.ids[row["step_id"]], "name": row["task"]}
        if row["status"] != "pending":
            entry["status"] = row["status"]
        if row.get("notes"):
            entry["description"] = row["notes"]
        listed(at(change.value, where), "features").append(entry)


def mission(change: ChangedFile) -> None:
    """Bring a mission up to date, whoever wrote it."""
    plan = change.plan()
    if plan is None:
        return
    was, now = plan
    value = change.value
    if "mission_id" in value:
        names = {"title": "mission_name", "description": "description", "owner": "owner", "goals": "objectives",
                 "completed_at": "completed_at"}  # fmt: skip
        patch(value, was, now, names)
        if was["status"] != now["status"]:
            value["status"] = MISSION_WORDS.get(now["status"], now["status"])
        if differs(was, now, "current_phase"):
            put(value, "$.context.phase", now.get("current_phase"))
    else:
        patch(value, was, now, {"current_phase": "current_phase"})
    work = TaskChanges(change)
    work.follow()
    like = object_of(value.get("current_task")) or {"id": ""}
    for row in change.new("steps", now["plan_id"]):
        listed(value, "tasks").append(work.fresh(row, like))


def roadmap(change: ChangedFile) -> None:
    """Bring a roadmap up to date, of whichever shape, or a backlog of debts."""
    plan = change.plan()
    if plan is None:
        return
    was, now = plan
    value = change.value
    if was["title"] != now["title"] and (name := _title_field(value)):
        value[name] = now["title"]
    patch(value, was, now, {"description": "description"})
    tracking = "progress_tracking." if isinstance(value.get("progress_tracking"), dict) else ""
    if tracking or "current_phase" in value:
        patch(value, was, now, {"current_phase": f"{tracking}current_phase"})
    if tracking:
        patch(value, was, now, {"current_focus": "progress_tracking.current_task"})
    _phases(change)
    work = TaskChanges(change)
    work.follow()
    for row in sorted(change.new("steps", now["plan_id"]), key=lambda one: one["order_index"]):
        _place(change, work, row)


def _title_field(value: Entry) -> str | None:
    names = ("roadmap_name", "name", "project_name", "title")
    return next((name for name in names if isinstance(value.get(name), str)), None)


def _phases(change: ChangedFile) -> None:
    for _, was, now, where in change.rows("phases"):
        entry = at(change.value, where)
        if now is None or not isinstance(entry, dict) or not where.startswith("$.phases"):
            continue
        if was["name"] != now["name"]:
            entry[field_of(entry, "phase_name", "name")] = now["name"]  # pyright: ignore[reportUnknownArgumentType]
        patch(entry, was, now, {"objective": "objective", "description": "description"})
        if differs(was, now, "progress"):
            entry["progress"] = number(now.get("progress"))


def _place(change: ChangedFile, work: TaskChanges, row: Row) -> None:
    """Put a new step where its phase has its tasks."""
    value = change.value
    places = {key: where for key, _, now, where in change.rows("phases") if now is not None}
    like = _any_task(change)
    entry = work.fresh(row, like)
    where = places.get(row["phase_id"])
    if where == "$.work_packages":
        listed(value, "work_packages").append({"title" if k == "name" else k: v for k, v in entry.items()})
        return
    if isinstance(value.get("tasks"), dict):
        key = str(entry.get("id") or entry.get("task_id"))
        value["tasks"][key] = {"id": key, **{name: one for name, one in entry.items() if name not in ("id", "task_id")}}
        if where is None or where.startswith("$.phases"):
            listed(_phase_entry(change, row, where), "task_ids").append(key)
        return
    if where == "$.tasks":
        listed(value, "tasks").append(entry)
        return
    listed(_phase_entry(change, row, where), "tasks").append(entry)


def _any_task(change: ChangedFile) -> Entry | None:
    """Return an entry of a task whose form a new one can have."""
    entries = (at(change.value, where) for _, _, _, where in change.rows("steps"))
    return next((object_of(entry) for entry in entries if is_object(entry)), None)


def _phase_entry(change: ChangedFile, row: Row, where: str | None) -> Entry:
    """Return the entry of a step's phase, which is made if the file has none."""
    if where is not None and isinstance(found := at(change.value, where), dict):
        return found  # pyright: ignore[reportUnknownVariableType]
    name = change.known.now["phases"][row["phase_id"]]["name"]
    phases = listed(change.value, "phases")
    like = object_of(phases[0]) if phases else {"phase_id": "", "phase_name": ""}
    key = field_of(like, "phase_name", "name")
    there = next((object_of(one) for one in phases if object_of(one).get(key) == name), None)
    if there is not None:
        return there
    made: Entry = {"phase_id": f"PHASE_{len(phases)}"} if "phase_id" in like else {}
    made |= {key: name, "status": "pending"}
    phases.append(made)
    return made


def memory(change: ChangedFile) -> None:
    """Bring a memory up to date: where its plan stands, sessions that ended since, new concepts and concerns."""
    value = change.value
    mine = {
        was.get("plan_id")
        for table in ("sessions", "plan_terms", "context_items")
        for _, was, _, _ in change.rows(table)
    }
    mine |= {was.get("parent_id") for _, was, _, _ in change.rows("context_items")}
    plans_before, plans_now = change.known.table("plans")
    plan_id = next((one for one in mine if one in plans_now and one in plans_before), None)
    if plan_id is None:
        return
    names = {"current_focus": "trajectory.current_focus", "blockers": "trajectory.blockers",
             "completed_phases": "trajectory.completed", "current_phase": "trajectory.phase"}  # fmt: skip
    patch(value, plans_before[plan_id], plans_now[plan_id], names)
    numbers = [
        one["session"] for one in map(object_of, list_of(value.get("narrative"))) if isinstance(one.get("session"), int)
    ]
    ended = [row for row in change.new("sessions", plan_id) if row["status"] == "completed"]
    for row in sorted(ended, key=lambda one: one["completed_at"] or ""):
        numbers.append(max(numbers, default=0) + 1)
        entry = {
            "id": row["session_id"],
            "session": numbers[-1],
            "summary": row.get("summary") or "",
            "date": row["completed_at"],
        }
        listed(value, "narrative").append(
            {**entry, "phase": row.get("phase") or plans_now[plan_id].get("current_phase")}
        )
    for row in change.new("plan_terms", plan_id):
        if row["kind"] in ("concept", "concern"):
            listed(value.setdefault("domain", {}), f"{row['kind']}s").append(row["term"])
        elif row["kind"] == "intent":
            entry = {"session": row.get("session_num"), "intent": row["term"], "confidence": row.get("confidence")}
            listed(value, "intent_history").append(entry)
