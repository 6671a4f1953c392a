"""`active_mission.json` of both writers, and the copies that the programs kept of missions and of tasks."""

from typing import Any

from server.importers.reading import is_object, object_of
from server.importers.values import Fields, Object, derived, moment
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns, tasks
from server.importers.vibe_agency.columns import TaskWaits
from server.importers.vibe_agency.project import Part, inner, settle
from server.importers.vibe_agency.tasks import Placed
from server.importers.vocabulary import plan_status

TITLE = "Task in hand"
PHASE = "Tasks"
BEGINNING = "PLANNING"


def identity(value: Object) -> Any:
    """Return the id of a mission. What the task manager wrote has none."""
    return value.get("mission_id")


def add(part: Part, plan_id: str, value: Object) -> None:
    if "current_task" in value or ("mission_id" not in value and "total_tasks_completed" in value):
        _task_manager(part, plan_id, value)
    else:
        _genesis(part, plan_id, value)


def _genesis(part: Part, plan_id: str, value: Object) -> None:
    found = part.fields(value)
    foreign = found.raw("mission_id")
    around = inner(found, "context", part)
    created_at = found.maybe_moment("created_at") or found.moment("genesis_time", part.at)
    phase = around.text("phase") if "phase" in around else None
    status = plan_status(found) if found.keep("status") else "active"
    values = columns.plan(
        part, plan_id, title=found.word("mission_name", as_text(foreign or "Mission")), at=created_at,
        external_id=None if foreign is None else as_text(foreign), description=found.text("description"),
        owner=found.text("owner"), goals=found.strings("objectives"), status=status,
        current_phase=phase or BEGINNING, completed_at=found.maybe_moment("completed_at"),
        updated_at=moment(found.keep("updated_at")) or created_at,
    )  # fmt: skip
    settle(found, "context", around)
    values |= part.project.trajectory.get(plan_id, {})
    _tasks(part, plan_id, found, at=created_at)
    columns.blocks(part, plan_id, found, at=created_at)
    part.add("plans", values | {"extra": columns.tail(found)}, "$", plan_id)


def _task_manager(part: Part, plan_id: str, value: Object) -> None:
    """Add what the task manager has in hand: a plan with one step, or with none."""
    found = part.fields(value)
    at = found.maybe_moment("last_updated") or part.at
    phase = found.text("current_phase")
    values = columns.plan(part, plan_id, title=TITLE, at=at, external_id=None, current_phase=phase)
    if focus := _tasks(part, plan_id, found, at=at):
        values["current_focus"] = focus
    values |= part.project.trajectory.get(plan_id, {})
    part.add("plans", values | {"extra": columns.tail(found)}, "$", plan_id)


def _tasks(part: Part, plan_id: str, found: Fields, *, at: str) -> str | None:
    """Add the task in hand, and others that a mission lists; return what the one in hand is called."""
    listed = [("$.current_task", found.raw("current_task"))] if is_object(found.keep("current_task")) else []
    in_hand = len(listed)
    listed += [(where, one) for where, one in found.objects("tasks") if is_object(one)]
    listed = [(where, one) for where, one in listed if not tasks.is_born(part, part.fields(one, where))]
    if not listed:
        return None
    phase = columns.phase(plan_id, PHASE, 0, at=at)
    part.add("phases", phase, "$.tasks", plan_id)
    waits = TaskWaits(part, plan_id)
    steps: list[Object] = []
    for order, (where, task) in enumerate(listed):
        placed = Placed(part.fields(task, where), phase["phase_id"], order, as_text(object_of(task).get("id", order)))
        steps.append(tasks.add(part, plan_id, placed, waits, at=at))
    waits.add(at=at)
    for (where, _), step in zip(listed, steps, strict=True):
        part.add("steps", step, where, plan_id)
    return str(steps[0]["task"]) if in_hand else None


def copy(part: Part, plan_id: str | None, value: Object) -> None:
    """Keep a copy that the programs made of a mission or a finished task as a checkpoint."""
    times = (moment(value.get(name)) for name in ("archived_at", "completed_at", "created_at"))
    at = next(filter(None, times), part.at)
    foreign = next((value[name] for name in ("id", "mission_id") if value.get(name) is not None), None)
    title = next((value[name] for name in ("name", "mission_name") if isinstance(value.get(name), str)), part.path)
    part.add(
        "checkpoints",
        {
            "checkpoint_id": derived("cp", part.workspace_id, part.path),
            "workspace_id": part.workspace_id,
            "name": title,
            "kind": "archive",
            "data": value,
            "external_id": None if foreign is None else as_text(foreign),
            "created_at": at,
        },
        "$",
        plan_id,
    )
