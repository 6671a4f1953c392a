"""Plans of a hive: its backlog, the tasks that its agents were given, milestones, and the projects of its databases."""

import re
from collections.abc import Iterator
from typing import Any

from server.importers.agent_hive import backlog
from server.importers.agent_hive.backlog import BacklogFile, BacklogItem
from server.importers.agent_hive.hive import Hive, HivePart, PlanInTheMaking, first_text, rest, where_of
from server.importers.reading import is_object, object_of
from server.importers.values import Fields, Object
from server.importers.vocabulary import priority, step_status
from server.models.imports import ImportBatch
from server.models.steps import CLOSED

BACKLOG, TASKS, MILESTONES = "backlog", "tasks", "milestones"
UNSECTIONED = "Unsectioned"
AGENTS = "Agents"
PRIORITIES = {"P0": "critical", "P1": "high", "P2": "medium", "P3": "low"}
STATUSES = {"spawned": "active", "running": "active"}
MARKS = re.compile(r"^[^\w]+")
NO_TASK = "(without a text)"


def plan(part: HivePart, kind: str, title: str, **told: Any) -> PlanInTheMaking:
    """Return the plan of a kind, which is begun by the first file that has a step of it."""
    hive = part.hive
    if kind not in hive.plans:
        plan_id = part.make.id("plan", kind)
        hive.plans[kind] = PlanInTheMaking(plan_id, part.make, {"title": title, "external_id": kind, **told})
    return hive.plans[kind]


def phase(part: HivePart, making: PlanInTheMaking, name: str, **told: Any) -> str:
    """Return the id of a phase, which is made when it is first asked for."""
    if name not in making.phases:
        phase_id = making.phases[name] = part.make.id("phase", making.plan_id, name)
        order = len(making.phases) - 1
        part.add("phases", phase_id, plan_id=making.plan_id, name=name, order_index=order, **told)
    return making.phases[name]


def step(part: HivePart, making: PlanInTheMaking, step_id: str, where: str, *, status: str, **columns: Any) -> None:
    """Add a step behind those that the plan has. Work that ran arrives unclaimed."""
    at = str(columns.pop("created_at", None) or part.at)
    done_at = columns.get("completed_at")
    times = {"created_at": at, "updated_at": max(at, done_at or at)}
    order = len(making.statuses)
    part.add("steps", step_id, where, plan_id=making.plan_id, order_index=order, status=status, **columns, **times)
    making.statuses.append(status)
    making.times += [at, times["updated_at"]]


def finished(hive: Hive) -> Iterator[ImportBatch]:
    """Yield the plans themselves, of which all steps are known now."""
    for making in hive.plans.values():
        at = min(making.times, default=making.make.at)
        latest = max(making.times, default=at)
        is_done = bool(making.statuses) and all(status in CLOSED for status in making.statuses)
        told = {"status": "completed" if is_done else "active", "completed_at": latest if is_done else None}
        times = {"created_at": at, "updated_at": latest}
        row = making.make.row("plans", making.plan_id, making.where, **{**told, **times, **making.told})
        yield ImportBatch(hive.workspace_id, rows=[row])


# The backlog


def read_backlog(part: HivePart, text: str) -> None:
    """Make a plan of BACKLOG.md: a section is a phase, and its heading says the priority of its steps."""
    if part.is_copy:
        part.note(text, part.path)
        part.tell("info", "$", "another copy of the backlog; the project's own is the plan")
        return
    found = backlog.parsed(text)
    told = {"title": found.title, "fields": found.fields, "sections": [list(one) for one in found.sections]}
    title = MARKS.sub("", found.title or "").strip() or "Backlog"
    making = plan(part, BACKLOG, title, external_id=part.inner, extra=rest(told))
    ids = _step_ids(part, making, found)
    for number, item in enumerate(found.items):
        _backlog_step(part, making, item, ids, number)


def _step_ids(part: HivePart, making: PlanInTheMaking, found: BacklogFile) -> list[str]:
    """Return the ids of the tasks: one that goes to another section, with another priority, stays the same step."""
    seen: dict[str, int] = {}
    ids: list[str] = []
    for item in found.items:
        seen[item.title] = number = seen.get(item.title, 0) + 1
        ids.append(part.make.id("step", making.plan_id, item.title, *([number] if number > 1 else [])))
        part.hive.steps.setdefault((BACKLOG, item.title), (ids[-1], making.plan_id))
    return ids


def _backlog_step(part: HivePart, making: PlanInTheMaking, item: BacklogItem, ids: list[str], number: int) -> None:
    told: Object = {
        "line": item.line, "raw": item.raw, "headings": list(item.path), "priority": item.priority,
        "estimate": item.estimate, "github_issues": list(item.issues),
    }  # fmt: skip
    step(
        part,
        making,
        ids[number],
        f"line {item.line}",
        phase_id=phase(part, making, item.path[0] if item.path else UNSECTIONED),
        section=" / ".join(item.path[1:]) or None,
        task=item.title,
        status=item.status,
        notes=item.description or None,
        priority=PRIORITIES.get(item.priority or ""),
        parent_step_id=ids[item.above] if item.above is not None else None,
        estimated_minutes=item.minutes,
        tags=[f"github-{issue}" for issue in item.issues],
        external_id=f"#{item.issues[0]}" if item.issues else None,
        extra=rest(told),
    )


# What agents were given to do


def agent_task(part: HivePart, value: Object, where: str) -> None:
    """Make a step of the task that an agent was spawned for."""
    found = part.fields(value, where)
    agent = found.text("agent_id") or part.stem
    making = plan(part, TASKS, "Tasks of the agents")
    done_at = found.maybe_moment("completion_time")
    step(
        part,
        making,
        part.make.id("step", making.plan_id, "agent", agent),
        where,
        phase_id=phase(part, making, AGENTS),
        task=found.text("task") or NO_TASK,
        status=step_status(found, more=STATUSES),
        priority=_priority(found),
        assignee=agent,
        acceptance_criteria=found.strings("success_criteria"),
        started_at=(started := found.maybe_moment("spawn_time")),
        completed_at=done_at,
        external_id=agent,
        created_at=started,
        extra=rest(found.left),
    )


def _priority(found: Fields) -> str | None:
    return priority(found) if found.keep("priority") is not None else None


# Milestones


def milestones(part: HivePart, value: Object, where: str) -> None:
    """Make steps of the milestones in a file; the rest of it is context."""
    making = plan(part, f"{MILESTONES}/{part.inner}", part.stem.replace("_", " ").capitalize(), external_id=part.inner)
    found = part.fields(value, where)
    for at, item in found.objects("milestones"):
        if is_object(item):
            _milestone(part, making, object_of(item), at)
        else:
            part.tell("warning", at, "no object; it is kept in the raw bytes only", item)
    if found.left:
        part.context(part.path, found.left, where)


def _milestone(part: HivePart, making: PlanInTheMaking, value: Object, where: str) -> None:
    found = part.fields(value, where)
    told = first_text(value, "id", "title") or where
    step(
        part,
        making,
        part.make.id("step", making.plan_id, told),
        where,
        phase_id=phase(part, making, "Milestones"),
        task=found.text("title") or NO_TASK,
        status=step_status(found),
        notes=found.text("description"),
        due_at=found.maybe_moment("target_date"),
        acceptance_criteria=found.strings("criteria"),
        external_id=found.text("id"),
        extra=rest(found.left),
    )


def read_milestones(part: HivePart, text: str) -> None:
    """Make plans of a file of milestones; a copy of it is context."""
    found = part.values(text)
    for item in found:
        if part.is_copy or not isinstance(object_of(item.value).get("milestones"), list):
            part.context(part.path, item.value, where_of(item, found))
        else:
            milestones(part, object_of(item.value), where_of(item, found))
