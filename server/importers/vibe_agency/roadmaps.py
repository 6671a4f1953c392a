"""Roadmaps as plans: their JSON of both shapes, the YAML of the task manager, the backlog of debts."""

import re
from typing import Any

from server.importers.reading import is_object, list_of, object_of
from server.importers.values import Fields, Object
from server.importers.values import text as as_text
from server.importers.vibe_agency import columns, tasks
from server.importers.vibe_agency.columns import TaskWaits
from server.importers.vibe_agency.places import slug
from server.importers.vibe_agency.project import Part, inner, settle
from server.importers.vibe_agency.tasks import Placed
from server.importers.vocabulary import priority
from server.models.base import ALPHABET, ID_LENGTH
from server.models.steps import CLOSED

NAMES = ("roadmap_name", "name", "project_name", "title")
OURS = re.compile(rf"plan_[{ALPHABET}]{{{ID_LENGTH}}}")
OTHERS = "Tasks of no phase"
PACKAGES = "Work packages"
DEBTS = "Backlog of debts"


def is_roadmap(value: object) -> bool:
    return is_object(value) and any(isinstance(object_of(value).get(name), list) for name in ("phases", "roadmap"))


def identity(value: Object) -> str | None:
    """Return the id that a roadmap goes by: its name as the programs make ids of names."""
    told = next((value[name] for name in NAMES if isinstance(value.get(name), str)), "")
    return slug(told) or None


def own_plan(value: Object) -> str | None:
    """Return the plan of this program that a roadmap was written of."""
    told = value.get("plan_id")
    return told if isinstance(told, str) and OURS.fullmatch(told) else None


class Roadmap:
    """One roadmap on its way into rows."""

    def __init__(self, part: Part, plan_id: str, found: Fields) -> None:
        self.part = part
        self.plan_id = plan_id
        self.found = found
        self.waits = TaskWaits(part, plan_id)
        self.steps: list[tuple[Object, str]] = []
        self.keys: dict[str, int] = {}
        self.progress = inner(found, "progress_tracking", part) if is_object(found.keep("progress_tracking")) else None
        told = self.progress.found if self.progress else Object()
        self.done = {as_text(one) for one in list_of(told.get("completed_tasks"))}
        self.blocked = {as_text(one) for one in list_of(told.get("blocked_tasks"))}
        self.at = found.maybe_moment("created_at") or found.maybe_moment("start_date") or part.at

    def phase(self, number: int, entry: Fields, name: str) -> str:
        """Add a phase and return its id. Two of one name are two: the second has its number behind it."""
        foreign = next((value for key in ("phase_id", "id") if (value := entry.raw(key)) is not None), None)
        used = name if self.keys.setdefault(f"phase {name}", number) == number else f"{name} ({number + 1})"
        progress = entry.keep("progress")
        is_number = isinstance(progress, int | float) and not isinstance(progress, bool)
        row = columns.phase(
            self.plan_id, used, number, at=self.at, external_id=None if foreign is None else as_text(foreign),
            raw_status=entry.text("status"), objective=entry.text("objective"), description=entry.text("description"),
            progress=float(entry.raw("progress")) if is_number else None,
        )  # fmt: skip
        self.part.add("phases", row | {"extra": columns.tail(entry)}, entry.at, self.plan_id)
        return row["phase_id"]

    def task(self, phase_id: str, entry: Any, where: str) -> None:
        """Add a task. What says nothing of its status, is told of by the list of what is done."""
        plain = not is_object(entry)
        one = self.part.fields({"name": as_text(entry)} if plain else entry, where)
        if tasks.is_born(self.part, one):
            return
        key = as_text(next((one.keep(name) for name in ("task_id", "id") if one.keep(name) is not None), where))
        again = self.keys[f"task {key}"] = self.keys.get(f"task {key}", -1) + 1
        if again:
            self.part.teller.warn(where, "an id that another task has", key)
        kept: Object = {}
        if one.keep("status") is None:
            kept["status"] = "done" if key in self.done else "blocked" if key in self.blocked else "pending"
        placed = Placed(one, phase_id, len(self.steps), f"{key}#{again}" if again else key, kept)
        self.steps.append((tasks.add(self.part, self.plan_id, placed, self.waits, at=self.at), where))

    def finish(self, title: str, external_id: str | None, **more: Any) -> None:
        """Add what the tasks wait for, the tasks, the plan, and what is left of the file."""
        self.waits.add(at=self.at)
        for values, where in self.steps:
            self.part.add("steps", values, where, self.plan_id)
        if self.progress:
            settle(self.found, "progress_tracking", self.progress)
        statuses = [values["status"] for values, _ in self.steps]
        is_over = bool(statuses) and all(status in CLOSED for status in statuses)
        values = columns.plan(
            self.part, self.plan_id, title=title, at=self.at, external_id=external_id,
            status="completed" if is_over else "active", **more,
        )  # fmt: skip
        values |= self.part.project.trajectory.get(self.plan_id, {})
        columns.blocks(self.part, self.plan_id, self.found, at=self.at)
        self.part.add("plans", values | {"extra": columns.tail(self.found)}, "$", self.plan_id)


def add(part: Part, plan_id: str, value: Object) -> None:
    """Add a roadmap of either shape."""
    found = part.fields(value)
    foreign = identity(value)
    road = Roadmap(part, plan_id, found)
    by_id = tasks.objects(value.get("tasks")) if is_object(value.get("tasks")) else {}
    placed: set[str] = set()
    for number, (where, entry) in enumerate(found.objects("phases")):
        one = part.fields(entry, where)
        name = next((text for key in ("phase_name", "name") if (text := one.text(key))), f"Phase {number + 1}")
        listed = one.objects("tasks")
        ids = [as_text(key) for key in list_of(one.keep("task_ids"))]
        phase_id = road.phase(number, one, name)
        for at, entry_of_task in listed:
            road.task(phase_id, entry_of_task, at)
        for key in ids:
            if key in by_id and key not in placed:
                placed.add(key)
                road.task(phase_id, {"id": key, **object_of(by_id[key])}, _mapped(key))
            elif key not in by_id:
                part.teller.warn(f"{where}.task_ids", "no such task in the file", key)
    _of_no_phase(road, found, by_id, placed)
    title = next((text for name in NAMES if (text := found.text(name))), part.path)
    standing = road.progress.keep("current_phase") if road.progress else found.keep("current_phase")
    focus = road.progress.keep("current_task") if road.progress else None
    road.finish(
        title, foreign, description=_told(found), current_phase=standing if isinstance(standing, str) else None,
        current_focus=focus if isinstance(focus, str) else None,
    )  # fmt: skip


def _mapped(key: str) -> str:
    return f"$.tasks[{key!r}]"


def _of_no_phase(road: Roadmap, found: Fields, by_id: Object, placed: set[str]) -> None:
    """Add the tasks that no phase names."""
    if "tasks" not in found:
        return
    listed = found.objects("tasks") if not by_id and not is_object(found.keep("tasks")) else []
    rest = [(key, value) for key, value in by_id.items() if key not in placed]
    if is_object(found.keep("tasks")):
        found.raw("tasks")
    if not rest and not listed:
        return
    phase_id = road.phase(len(list_of(found.found.get("phases"))), road.part.fields({}, "$.tasks"), OTHERS)
    for where, entry in listed:
        road.task(phase_id, entry, where)
    for key, value in rest:
        road.task(phase_id, {"id": key, **object_of(value)}, _mapped(key))


def _told(found: Fields) -> str | None:
    """Return what a roadmap says of itself: its description, or else its strategy and its context."""
    if isinstance(found.keep("description"), str):
        return found.text("description")
    told = [found.text(name) for name in ("strategy", "context") if isinstance(found.keep(name), str)]
    return "\n\n".join(text for text in told if text) or None


def debts(part: Part, plan_id: str, value: Object) -> None:
    """Add the backlog of debts: each package of work is a step."""
    found = part.fields(value)
    road = Roadmap(part, plan_id, found)
    road.at = found.maybe_moment("last_updated") or part.at
    phase_id = road.phase(0, part.fields({}, "$.work_packages"), PACKAGES)
    for where, entry in found.objects("work_packages"):
        road.task(phase_id, entry, where)
        if is_object(entry) and road.steps and road.steps[-1][1] == where:
            _effort(road.steps[-1][0], part.fields(entry.get("effort"), f"{where}.effort"))
    road.finish(DEBTS, slug(part.path))


def _effort(step: Object, effort: Fields) -> None:
    """Take what a package of work costs, and how urgent it is."""
    for column, name in (("estimated_minutes", "estimated_hours"), ("actual_minutes", "actual_hours")):
        hours = effort.keep(name)
        if isinstance(hours, int | float) and not isinstance(hours, bool) and hours >= 0:
            step[column] = hours * 60.0
    if step["priority"] is None and effort.keep("priority") is not None:
        step["priority"] = priority(effort)
