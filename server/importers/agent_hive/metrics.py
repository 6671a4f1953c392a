"""Rows of a hive's databases that are evidence: measured values, changes, the state of git, pull requests."""

from server.importers.agent_hive.hive import HivePart, digest, figure, first_text, first_time, ident, rest
from server.importers.reading import is_object, object_of
from server.importers.values import Object
from server.importers.values import text as as_text

TIMES = ("recorded_at", "timestamp", "sprint_date", "created_at")
CHANGES = {
    "priority_changed": "priority", "title_changed": "task", "description_changed": "notes",
    "estimate_changed": "estimated_minutes", "status_changed": "status", "completed": "status", "created": "task",
}  # fmt: skip


def metric(part: HivePart, value: Object, where: str) -> bool:
    """Make a point of a row with a name and a value."""
    found = part.fields(value, where)
    metric_id = ident(found, "metric_id", "id") or digest(value)[:24]
    if not part.is_new("metric", metric_id):
        return False
    name = found.text("metric_type") or found.text("metric_name") or "value"
    figured = figure(found, "value")
    data = found.raw("context" if "context" in value else "metadata")
    point(
        part,
        value,
        where,
        metric_id,
        name=name,
        value=figured,
        unit=found.text("unit"),
        data=object_of(data) if is_object(data) or data is None else {"value": data},
        extra=rest(found.left),
    )
    return True


def point(part: HivePart, row: Object, where: str, metric_id: str, **told: object) -> None:
    """Add a point of the task, the agent or the workspace that it is about."""
    agent = first_text(row, "agent_id", "agent")
    about = part.hive.steps.get(("task", str(row.get("task_id"))))
    owner = ("step", about[0]) if about else ("agent", agent) if agent else ("workspace", part.hive.workspace_id)
    at = part.hive.past(first_time(row, *TIMES), part.at)
    part.add(
        "metric_points",
        part.make.id("point", metric_id, told["name"]),
        where,
        plan_id=about[1] if about else None,
        parent_type=owner[0],
        parent_id=owner[1],
        bucket=at,
        agent=agent,
        recorded_at=at,
        created_at=at,
        external_id=metric_id,
        **{"category": part.stem, **told},
    )


def performance(part: HivePart, value: Object, where: str) -> bool:
    """Make points of how long a task took and whether it went well: rows without a key of their own."""
    metric_id = f"{digest(value)[:16]}@{where}"
    if not part.is_new("metric", metric_id):
        return False
    found = part.fields(value, where)
    duration, success = figure(found, "duration"), found.raw("success")
    point(part, value, where, metric_id, name="duration", value=duration, unit="seconds", extra=rest(found.left))
    if success is not None:
        point(part, value, where, metric_id, name="success", value=float(bool(success)), unit=None)
    return True


def wide(part: HivePart, value: Object, where: str) -> bool:
    """Make a point of each number in a row that is one moment's."""
    key = f"{part.inner}:{as_text(value.get('id', value.get('sprint_date', digest(value)[:16])))}"
    if not part.is_new("metric", f"{where.partition('[')[0]}:{key}"):
        return False
    numbers = {name: item for name, item in value.items() if name != "id" and isinstance(item, int | float)}
    others = {name: item for name, item in value.items() if name not in numbers}
    for name, item in numbers.items():
        table = where.partition("[")[0]
        point(part, value, where, f"{table}:{key}", name=name, value=float(item), category=table, extra=rest(others))
    return bool(numbers)


def change(part: HivePart, value: Object, where: str) -> bool:
    """Make a change of a row that tells how an item of the backlog changed."""
    found = part.fields(value, where)
    item_id = ident(found, "item_id") or ""
    change_id = ident(found, "id") or digest(value)[:24]
    if not part.is_new("change", f"{part.inner}:{change_id}"):
        return False
    about = part.hive.steps.get(("item", item_id))
    kind = found.text("change_type") or "changed"
    at = part.hive.past(found.maybe_moment("change_date"), part.at)
    part.add(
        "field_changes",
        part.make.id("change", part.inner, change_id),
        where,
        plan_id=about[1] if about else None,
        entity_type="step" if about else "backlog_item",
        entity_id=about[0] if about else item_id,
        field=CHANGES.get(kind, kind),
        field_type=kind,
        old_value=_told(found.raw("old_value")),
        new_value=_told(found.raw("new_value")),
        changed_at=at,
        created_at=at,
        external_id=change_id,
        extra=rest(found.left),
    )
    return True


def _told(value: object) -> str | None:
    return None if value is None else as_text(value)


def git_state(part: HivePart, value: Object, where: str) -> bool:
    """Make an artifact of the state that an agent left its branch in."""
    found = part.fields(value, where)
    state_id = ident(found, "state_id", "id") or digest(value)[:24]
    agent = found.text("agent_id")
    return _artifact(
        part,
        ("agent", agent) if agent else ("workspace", part.hive.workspace_id),
        ("git_state", state_id),
        where,
        branch=found.text("branch_name"),
        ref=found.text("commit_hash"),
        status=found.text("pr_status"),
        agent=agent,
        at=found.maybe_moment("updated_at"),
        left=found.left,
    )


def pull_request(part: HivePart, value: Object, where: str) -> bool:
    """Make an artifact of a pull request."""
    found = part.fields(value, where)
    number = ident(found, "pr_number") or ""
    return _artifact(
        part,
        ("workspace", part.hive.workspace_id),
        ("pull_request", f"#{number}"),
        where,
        ref=number,
        status=found.text("status"),
        agent=found.text("author_agent"),
        at=found.maybe_moment("created_at"),
        left=found.left,
    )


def _artifact(
    part: HivePart,
    owner: tuple[str, str],
    kind: tuple[str, str],
    where: str,
    *,
    at: str | None,
    left: Object,
    **told: str | None,
) -> bool:
    if not part.is_new("artifact", ":".join(kind)):
        return False
    moment = part.hive.past(at, part.at)
    part.add(
        "artifacts",
        part.make.id("art", *owner, *kind),
        where,
        parent_type=owner[0],
        parent_id=owner[1],
        artifact_type=kind[0],
        name=kind[1],
        metadata=left,
        external_id=kind[1],
        created_at=moment,
        updated_at=moment,
        **told,
    )
    return True
