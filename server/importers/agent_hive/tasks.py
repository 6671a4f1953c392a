"""Rows of a hive's databases that are plans and steps: projects, tasks, items of its backlog."""

from server.importers.agent_hive import backlog, plans
from server.importers.agent_hive.exchange import SCALE
from server.importers.agent_hive.hive import HivePart, figure, ident, rest, text_in, texts_in
from server.importers.agent_hive.plans import BACKLOG, NO_TASK, TASKS
from server.importers.reading import object_of
from server.importers.values import Fields, Object
from server.importers.vocabulary import plan_status, priority, step_status

TASK = "task"


def project(part: HivePart, value: Object, where: str) -> bool:
    """Make a plan of a project."""
    found = part.fields(value, where)
    project_id = ident(found, "project_id") or where
    if f"project/{project_id}" in part.hive.plans:
        return False
    created_at = part.hive.past(found.maybe_moment("created_at"), part.at)
    status = plan_status(found)
    making = plans.plan(
        part,
        f"project/{project_id}",
        found.text("name") or project_id,
        description=found.text("description"),
        status=status,
        completed_at=created_at if status == "completed" else None,
        external_id=project_id,
        extra=rest(found.left),
    )
    making.where = where
    making.times.append(created_at)
    return True


def membership(part: HivePart, value: Object, where: str) -> bool:
    """Remember of which project a task is: a task of several is a step of the first, and says which others."""
    project_id, task_id = value.get("project_id"), value.get("task_id")
    part.hive.projects.setdefault(str(task_id), []).append(str(project_id))
    return False


def task(part: HivePart, value: Object, where: str) -> bool:
    """Make a step of a task."""
    found = part.fields(value, where)
    task_id = ident(found, "task_id", "id") or where
    if not part.is_new(TASK, task_id):
        return False
    named = part.hive.projects.get(task_id, [])
    projects = [one for one in named if f"project/{one}" in part.hive.plans]
    kind = f"project/{projects[0]}" if projects else TASKS
    making = plans.plan(part, kind, "Tasks of the agents")
    metadata = object_of(value.get("metadata"))
    done_at = found.maybe_moment("completed_at")
    step_id = part.make.id("step", TASK, task_id)
    part.hive.steps[TASK, task_id] = step_id, making.plan_id
    title = found.text("title") or text_in(metadata.get("title")) or text_in(metadata.get("description")) or task_id
    above = ident(found, "parent_task_id")
    plans.step(
        part,
        making,
        step_id,
        where,
        phase_id=plans.phase(part, making, "Tasks" if projects else plans.AGENTS),
        task=title.strip() or NO_TASK,
        notes=found.text("description"),
        status=step_status(found, more=plans.STATUSES),
        priority=priority(found, more=SCALE) if found.keep("priority") is not None else None,
        assignee=found.text("agent_id") or found.text("agent"),
        parent_step_id=part.make.id("step", TASK, above) if above else None,
        estimated_minutes=figure(found, "estimated_duration"),
        actual_minutes=figure(found, "actual_duration"),
        confidence=figure(found, "confidence_score" if "confidence_score" in found else "confidence"),
        tags=texts_in(found.raw("tags")),
        started_at=found.maybe_moment("started_at"),
        completed_at=done_at,
        created_at=found.maybe_moment("created_at"),
        external_id=task_id,
        extra=rest({**found.left, **({"projects": named} if len(named) > 1 or len(projects) < len(named) else {})}),
    )
    return True


def backlog_item(part: HivePart, value: Object, where: str) -> bool:
    """Tie an item to the step that the backlog itself made of it; only one that is gone from there is a step anew."""
    found = part.fields(value, where)
    item_id, title = ident(found, "id") or where, found.text("title") or NO_TASK
    if known := part.hive.steps.get((BACKLOG, title)):
        part.hive.steps["item", item_id] = known
        return False
    making = plans.plan(part, f"{BACKLOG}/{part.path}", "Backlog as it was analysed")
    step_id = part.make.id("step", making.plan_id, item_id)
    part.hive.steps["item", item_id] = step_id, making.plan_id
    _item_step(part, found, where, step_id, item_id)
    return True


def _item_step(part: HivePart, found: Fields, where: str, step_id: str, item_id: str) -> None:
    making = part.hive.plans[f"{BACKLOG}/{part.path}"]
    issue = ident(found, "github_issue")
    hours = figure(found, "estimate_hours")
    told = found.text("estimate")
    plans.step(
        part,
        making,
        step_id,
        where,
        phase_id=plans.phase(part, making, found.text("section") or plans.UNSECTIONED),
        task=str(found.found.get("title") or NO_TASK),
        notes=found.text("description"),
        status=step_status(found),
        priority=priority(found) if found.keep("priority") is not None else None,
        estimated_minutes=hours * 60 if hours is not None else backlog.minutes(told) if told else None,
        tags=[f"github-{issue.lstrip('#')}"] if issue else [],
        created_at=found.maybe_moment("created_date"),
        completed_at=found.maybe_moment("completed_date"),
        external_id=item_id,
        extra=rest(found.left | ({"estimate": told} if told else {})),
    )
