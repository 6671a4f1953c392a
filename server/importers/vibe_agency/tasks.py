"""A task as their task manager and their roadmaps write it, as a step."""

from dataclasses import dataclass, field
from typing import Any

from server.importers.reading import is_object, list_of, object_of, objects_of
from server.importers.values import Fields, Object, derived
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns
from server.importers.vibe_agency.columns import TaskWaits
from server.importers.vibe_agency.project import Part
from server.importers.vocabulary import priority, step_status

# Their priorities are 1 to 10, and 10 is the highest.
PRIORITIES = {
    "10": "critical", "9": "critical", "8": "high", "7": "high", "6": "medium", "5": "medium", "4": "medium",
    "3": "low", "2": "low", "1": "low",
}  # fmt: skip
FINISHED = ("complete", "completed", "done")


@dataclass
class Placed:
    """A task with its place: the phase it is in, and its number in the plan."""

    found: Fields
    phase_id: str
    order: int
    key: str
    kept: Object = field(default_factory=dict[str, Any])  # what its surroundings say of it


def add(part: Part, plan_id: str, task: Placed, waits: TaskWaits, *, at: str) -> Object:
    """Add a task of whichever shape as a step, and note what it waits for."""
    found = task.found
    foreign = next((value for name in ("task_id", "id") if (value := found.raw(name)) is not None), None)
    title = next((text for name in ("name", "title", "task") if (text := found.text(name))), "")
    created_at = found.maybe_moment("created_at") or at
    completed_at = found.maybe_moment("completed_at")
    values = columns.step(
        plan_id, task.phase_id, derived("step", plan_id, task.key), task.order, task=title, at=created_at,
        external_id=None if foreign is None else as_text(foreign), notes=_notes(found),
        status=task.kept.get("status") or step_status(found), priority=_priority(found),
        acceptance_criteria=_criteria(found), started_at=found.maybe_moment("started_at"),
        estimated_minutes=_minutes(found, "estimated_time_mins", "time_budget_mins"),
        actual_minutes=_minutes(found, "time_used_mins", "actual_time_mins"), completed_at=completed_at,
        updated_at=completed_at or created_at,
    )  # fmt: skip
    told = as_text(foreign) if foreign is not None else task.key
    waits.know(told, values)
    for name in ("dependencies", "blocked_by"):
        waits.wait(told, _ids(found, name))
    waits.wait_back(told, _ids(found, "blocking_tasks"))
    _checks(part, plan_id, values, found, at=at)
    values["extra"] = columns.tail(found)
    return values


def is_born(part: Part, found: Fields) -> bool:
    """Return whether an entry is of a step of this database, as an export wrote it: the step itself counts."""
    return any(found.keep(name) in part.project.born for name in ("task_id", "id") if isinstance(found.keep(name), str))


def _notes(found: Fields) -> str | None:
    """Return the description, and after it what blocks the task."""
    told = [found.text("description"), found.text("blocking_reason")]
    return "\n".join(text for text in told if text) or None


def _priority(found: Fields) -> str | None:
    if found.keep("priority") is None:
        return None
    is_scale = isinstance(found.keep("priority"), int)
    return priority(found, more=PRIORITIES if is_scale else None)


def _criteria(found: Fields) -> list[str]:
    return found.strings("acceptance_criteria") if isinstance(found.keep("acceptance_criteria"), list) else []


def _minutes(found: Fields, *names: str) -> float | None:
    for name in names:
        value = found.keep(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            found.raw(name)
            return float(value)
    return None


def _ids(found: Fields, name: str) -> list[tuple[str, str]]:
    """Return the ids in a list, each with its place. The list stays in `left`: some ids may mean nothing here."""
    listed = enumerate(list_of(found.keep(name)))
    return [(f"{found.at}.{name}[{n}]", as_text(item)) for n, item in listed if isinstance(item, str | int)]


def _checks(part: Part, plan_id: str, step: Object, found: Fields, *, at: str) -> None:
    """Add the checks of a task as what a gate said of it; they stay in `left` too."""
    for number, check in enumerate(objects_of(found.keep("validation_checks"))):
        where = f"{found.at}.validation_checks[{number}]"
        one = part.fields(check, where)
        seen, error = check.get("last_check"), one.text("error")
        status = "passed" if check.get("status") is True else "failed" if seen or error else "unknown"
        recorded_at = one.maybe_moment("last_check") or at
        name = one.text("id") or one.text("validator") or f"check {number + 1}"
        values = columns.evidence(
            part, plan_id, at=recorded_at, gate_id=derived("gate", step["step_id"], number, name),
            step_id=step["step_id"], gate_name=name, status=status, raw_status=as_text(check.get("status")),
            message=error or one.text("description"), recorded_at=recorded_at, details=dict(one.left), findings=[],
        )  # fmt: skip
        part.add("quality_gates", values, where, plan_id)


def is_finished(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in FINISHED


def objects(value: object) -> dict[str, Any]:
    """Return a map of tasks by id, or a list of them as one."""
    if is_object(value):
        return object_of(value)
    return {as_text(one.get("id", number)): one for number, one in enumerate(objects_of(value))}
