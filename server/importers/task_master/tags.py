"""Tags on their way into rows: a tag is a plan, its tasks and their subtasks are steps."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from server.db.dependencies.dependencies import Edge
from server.importers.edges import acyclic
from server.importers.reading import is_list, is_object, list_of, object_of
from server.importers.taking import Taken
from server.importers.values import Fields, Object, moment, text, whole_number
from server.importers.vocabulary import priority, step_status
from server.models.imports import Finding
from server.models.steps import CLOSED

MASTER = "master"  # the tag of files from before there were tags
PHASE = "Tasks"
REPORT = "task-complexity-report"
WORDS = {"deferred": "blocked"}
SECTIONS = (("description", None), ("details", "Details"), ("testStrategy", "Test strategy"))
SUBTASKS = 1000  # places in the order between one task and the next


@dataclass
class TaggedStep:
    """A task or a subtask as the file has it: `number` is 5 or 5.2, `turn` tells those of one number apart."""

    number: str
    found: Fields
    order: int
    parent: "TaggedStep | None" = None
    turn: int = 1
    step_id: str = ""
    status: str = ""


@dataclass
class Tag:
    """What a tag holds, with the steps by their numbers."""

    name: str
    at: str
    steps: list[TaggedStep] = field(default_factory=list[TaggedStep])
    by_number: dict[str, TaggedStep] = field(default_factory=dict[str, TaggedStep])


def add(taken: Taken) -> dict[str, str]:
    """Add the plan of each tag. Return the ids of the plans by the names of the tags."""
    found = object_of(taken.value)
    if not is_object(taken.value):
        taken.teller.tell("error", "$", "no object with tasks in it")
    plans: dict[str, str] = {}
    rest: Object = {}
    for name, value in found.items():
        if is_list(object_of(value).get("tasks")):
            plans[name] = _add_tag(taken, name, f"$.{name}", object_of(value))
        elif name == "tasks" and is_list(value):
            tag = MASTER if MASTER not in found else "tasks"
            head = {key: item for key, item in found.items() if key in ("tasks", "metadata")}
            plans[tag] = _add_tag(taken, tag, "$", head)
        elif name != "metadata" or "tasks" not in found:
            rest[name] = value
    if rest:
        taken.teller.warn("$", "no tag with tasks; kept as context", sorted(rest))
        taken.add(taken.make.item(("workspace", taken.make.workspace_id), "task-master: other keys", rest))
    return plans


def _add_tag(taken: Taken, name: str, where: str, value: Object) -> str:
    make = taken.make
    plan_id = make.id("plan", name)
    head = Fields(value, where, taken.teller)
    metadata = Fields(head.object("metadata"), f"{where}.metadata", taken.teller)
    created_at = metadata.maybe_moment("created") or taken.make.at
    updated_at = metadata.maybe_moment("updated") or moment(metadata.keep("lastModified")) or created_at
    tag = Tag(name, updated_at)
    _survey(taken, tag, head)
    rows = [_step(taken, tag, plan_id, one, created_at) for one in tag.steps]
    is_open = any(one.status not in CLOSED for one in tag.steps) or not tag.steps
    taken.add(
        make.row(
            "plans", plan_id, where, title=name, description=metadata.text("description"),
            status="active" if is_open else "completed", completed_at=None if is_open else updated_at,
            external_id=name, created_at=created_at, updated_at=updated_at,
            extra={make.system: {**head.left, **({"metadata": metadata.left} if metadata.left else {})}},
        ),
        make.row("phases", make.id("phase", name), where, plan_id=plan_id, name=PHASE, order_index=0),
        *rows,
    )  # fmt: skip
    _add_links(taken, tag, plan_id)
    return plan_id


def _survey(taken: Taken, tag: Tag, head: Fields) -> None:
    """Note every task and subtask of a tag that has a number."""
    seen = Counter[str]()
    for place, (where, value) in enumerate(head.objects("tasks")):
        task = _noted(taken, tag, seen, where, value, order=place * SUBTASKS)
        if task is None:
            continue
        _note_below(taken, tag, seen, task, count(task.order + 1))


def _note_below(taken: Taken, tag: Tag, seen: Counter[str], above: TaggedStep, places: Iterator[int]) -> None:
    """Note what is below a task, in the order in which it stands there."""
    for where, value in above.found.objects("subtasks"):
        one = _noted(taken, tag, seen, where, value, order=next(places), parent=above)
        if one:
            _note_below(taken, tag, seen, one, places)


def _noted(
    taken: Taken, tag: Tag, seen: Counter[str], where: str, value: Any, *, order: int, parent: TaggedStep | None = None
) -> TaggedStep | None:
    own = _number(object_of(value).get("id"))
    if not own:
        taken.teller.tell("error", where, "no task: it has no id", value)
        return None
    if parent and not own.startswith(f"{parent.number}."):
        own = f"{parent.number}.{own}"
    seen[own] += 1
    one = TaggedStep(own, Fields(object_of(value), where, taken.teller), order, parent, seen[own])
    again = () if one.turn == 1 else (one.turn,)
    above = (parent.turn,) if parent and parent.turn > 1 else ()
    one.step_id = taken.make.id("step", tag.name, own, *above, *again)
    if again:
        taken.teller.warn(where, f"{own} stands twice in {tag.name}; both are kept, and links lead to the first", own)
    tag.by_number.setdefault(own, one)
    tag.steps.append(one)
    return one


def _number(told: Any) -> str:
    """Return the number of a task as text, "" if there is none: 5.0 is 5, and 5.2 the second subtask of it."""
    if not isinstance(told, int | float | str) or isinstance(told, bool):
        return ""
    whole = whole_number(told) if isinstance(told, float) else None
    return str(told if whole is None else whole).strip()


def _step(taken: Taken, tag: Tag, plan_id: str, one: TaggedStep, created_at: str) -> Any:
    found, make = one.found, taken.make
    one.status = step_status(found, more=WORDS)
    created_at = found.maybe_moment("createdAt") or created_at
    updated_at = found.maybe_moment("updatedAt") or max(created_at, tag.at)
    columns: Object = {
        "phase_id": make.id("phase", tag.name),
        "order_index": one.order,
        "parent_step_id": one.parent.step_id if one.parent else None,
        "task": found.word("title", text(found.keep("description") or "(without a title)")),
        "notes": _notes(found),
        "status": one.status,
        "priority": priority(found) if found.keep("priority") is not None else None,
        "assignee": found.text("assignee"),
        "acceptance_criteria": found.strings("acceptanceCriteria"),
        "tags": found.strings("tags"),
        "completed_at": updated_at if one.status == "done" else None,
        "external_id": one.number,
        "created_at": created_at,
        "updated_at": updated_at,
    }
    return make.row("steps", one.step_id, found.at, plan_id=plan_id, **columns, extra=found.extra(make.system))


def _notes(found: Fields) -> str | None:
    parts: list[str] = []
    for name, heading in SECTIONS:
        told = found.text(name)
        if told and told.strip():
            parts.append(f"## {heading}\n\n{told}" if heading else told)
    return "\n\n".join(parts) or None


def _add_links(taken: Taken, tag: Tag, plan_id: str) -> None:
    """Add what waits for what. The list itself stays in extra."""
    pairs: dict[Edge, tuple[str, TaggedStep]] = {}
    for one in tag.steps:
        for where, value in _waits(one.found):
            target = _target(taken, tag, one, value, where)
            if target:
                pairs.setdefault((("step", one.step_id), ("step", target.step_id)), (where, target))
    for (source, other), may_stay in acyclic(pairs):
        where, target = pairs[source, other]
        if not may_stay:
            taken.teller.warn(where, "it closes a circle; kept in extra", target.number)
            continue
        closed = target.status in CLOSED
        taken.add(taken.make.edge(source, other, where, closed=closed, plan_id=plan_id, at=tag.at))


def _waits(found: Fields) -> Iterator[tuple[str, Any]]:
    """Yield the numbers that a task waits for, each with its place: a list, or by hand one number or some in a text."""
    told, where = found.keep("dependencies"), f"{found.at}.dependencies"
    if isinstance(told, str):
        told = [one for one in re.split(r"[\s,]+", told) if one]
    elif _number(told):
        told = [told]
    if told is not None and not is_list(told):
        found.teller.warn(where, "no list of numbers; kept in extra", told)
    for number, value in enumerate(list_of(told)):
        yield f"{where}[{number}]", value


def _target(taken: Taken, tag: Tag, one: TaggedStep, value: Any, where: str) -> TaggedStep | None:
    found = next(iter(_candidates(tag, one, value)), None)
    if found is None or found is one:
        what = "it waits for itself" if found else "no task of that number in this tag"
        taken.teller.warn(where, f"{what}; kept in extra", value)
        return None
    if one.parent and whole_number(value) is not None:
        others = [other for other in _candidates(tag, one, value) if other is not found]
        if others:
            what = f"it may mean {found.number} or the task {others[0].number}; taken for {found.number}"
            taken.batch.findings.append(Finding("info", taken.content.path, where, what, value, found.number))
        elif found.parent is not one.parent:
            taken.teller.warn(where, "no subtask beside it has that number; taken for the task", value, found.number)
    return found


def _candidates(tag: Tag, one: TaggedStep, value: Any) -> Iterator[TaggedStep]:
    """Yield what a number may mean: in a subtask first the one beside it, then a task."""
    told = _number(value)
    if one.parent and whole_number(value) is not None and (beside := tag.by_number.get(f"{one.parent.number}.{told}")):
        yield beside
    if whole := tag.by_number.get(told):
        yield whole


def add_report(taken: Taken, plans: dict[str, str]) -> None:
    """Keep a report of complexity beside the plan of its tag, which its name ends in."""
    stem = PurePosixPath(taken.content.path).stem
    tag = stem.removeprefix(REPORT).lstrip("_-") or MASTER
    plan_id = plans.get(tag)
    owner = ("plan", plan_id) if plan_id else ("workspace", taken.make.workspace_id)
    taken.add(taken.make.item(owner, stem, taken.value))
