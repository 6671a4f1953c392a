"""The steps of a plan, in their true order, and what they wait for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.db.dependencies.dependencies import Edge
from server.importers.edges import acyclic, edge
from server.importers.legacy.building import PlanBuilder
from server.importers.values import Fields, derived, fields, whole_number
from server.importers.vocabulary import STEP_STATUS_NAMES, STEP_STATUSES, STEP_TYPES, TYPE_NAMES
from server.models.steps import CLOSED

UNPHASED = "Unphased"
NO_TASK = "(without a text)"


@dataclass
class PlacedStep:
    """A step with its place: `index` is what the file says, `occurrence` counts steps with the same one."""

    found: Fields
    index: int | None
    phase: str
    status: str
    occurrence: int = 0

    def step_id(self, plan_id: str) -> str:
        more = (self.occurrence,) if self.occurrence else ()
        return derived("step", plan_id, self.index, *more)


def taken(plan: Fields) -> list[PlacedStep]:
    """Take the steps of a plan, sorted by their index; those that have none, or share one, by their place."""
    found: list[PlacedStep] = []
    for place, (at, value) in enumerate(plan.objects("steps")):
        step = fields(value, at, plan.teller)
        if step is None:
            continue
        index = step.number("index")
        if index is None:
            step.defaulted("index", place)
            index = place
        phase = step.word("phase", UNPHASED)
        status = step.choice("status", STEP_STATUSES, STEP_STATUS_NAMES, "pending")
        found.append(PlacedStep(step, index, phase, status))
    found.sort(key=lambda item: item.index or 0)
    seen: dict[int | None, int] = {}
    for item in found:
        item.occurrence = seen.get(item.index, 0)
        seen[item.index] = item.occurrence + 1
    return found


def add(plan: PlanBuilder, items: Sequence[PlacedStep], at: str) -> dict[int, str]:
    """Add the rows of the steps, and what they wait for; return the ids of the steps by index."""
    by_index: dict[int, str] = {}
    for item in items:
        if item.occurrence:
            item.found.teller.warn(f"{item.found.at}.index", "an index that another step has", item.index)
        elif item.index is not None:
            by_index[item.index] = item.step_id(plan.plan_id)
    edges = _edges(plan, items, by_index)
    closed = {item.step_id(plan.plan_id) for item in items if item.status in CLOSED}
    waiting: dict[str, int] = {}
    for (_, source), (_, target) in edges:
        waiting[source] = waiting.get(source, 0) + (target not in closed)
    for order, item in enumerate(items):
        _add_one(plan, item, order, at, waiting.get(item.step_id(plan.plan_id), 0))
    for (source, target), where in edges.items():
        key, values = edge(source, target, closed=target[1] in closed, at=at)
        plan.add("dependencies", key, values, where)
    return by_index


def _add_one(plan: PlanBuilder, item: PlacedStep, order: int, at: str, waits_for: int) -> None:
    found = item.found
    if item.index != order or item.occurrence:
        found.left["index"] = found.keep("index")
        found.teller.info(f"{found.at}.index", "counted anew from 0", found.keep("index"), order)
    step_id = item.step_id(plan.plan_id)
    completed_at = found.maybe_moment("completed_at")
    values: dict[str, Any] = {
        "step_id": step_id,
        "plan_id": plan.plan_id,
        "phase_id": plan.phase_ids[item.phase],
        "order_index": order,
        "section": None,
        "task": found.word("task", NO_TASK),
        "type": found.choice("type", STEP_TYPES, TYPE_NAMES, "standard"),
        "status": item.status,
        "assignee": found.text("assignee"),
        "notes": found.text("notes"),
        "priority": None,
        "requires_validation": found.flag("requires_validation"),
        "requires_confirmation": found.flag("requires_confirmation"),
        "requires_user_confirmation": found.flag("requires_user_confirmation"),
        "waits_for": waits_for,
        "completed_at": completed_at,
        "created_at": at,
        "updated_at": completed_at or at,
        "version": 1,
    }
    plan.add("steps", step_id, values | {"extra": found.extra(), "claim_token": 0}, found.at)


def _edges(plan: PlanBuilder, items: Sequence[PlacedStep], by_index: dict[int, str]) -> dict[Edge, str]:
    """Return what waits for what, with the places that say so; what leads nowhere or in a circle is told."""
    told: dict[Edge, str] = {}
    for item in items:
        source = ("step", item.step_id(plan.plan_id))
        for where, value in item.found.objects("depends_on"):
            index = whole_number(value)
            target = None if index is None else by_index.get(index)
            if target is None or target == source[1]:
                what = "it waits for itself" if target else "no step has that index"
                item.found.teller.warn(where, f"{what}; kept in extra", value)
                item.found.left["depends_on"] = item.found.keep("depends_on")
            else:
                told.setdefault((source, ("step", target)), where)
    kept: dict[Edge, str] = {}
    by_id = {item.step_id(plan.plan_id): item.found for item in items}
    for pair, fine in acyclic(told):
        if fine:
            kept[pair] = told[pair]
        else:
            found = by_id[pair[0][1]]
            found.left["depends_on"] = found.keep("depends_on")
            found.teller.warn(told[pair], "it closes a cycle; kept in extra", found.keep("depends_on"))
    return kept
