"""The columns of the rows that files of this layout become, with what the files never say."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from server.importers.edges import acyclic, edge
from server.importers.reading import is_list, is_object, object_of
from server.importers.values import Fields, Object, derived
from server.importers.values import text as as_text
from server.importers.vibe_agency.project import NAME, Part
from server.models.base import timestamp
from server.models.steps import CLOSED

NO_TASK = "(without a text)"


def plan(part: Part, plan_id: str, *, title: str, at: str, external_id: str | None, **more: Any) -> Object:
    """Return a plan: active, unless `more` says otherwise."""
    head = {"plan_id": plan_id, "workspace_id": part.workspace_id, "title": title, "external_id": external_id}
    return {**head, "goals": [], "success_criteria": [], "created_at": at, "updated_at": at, **more}


def phase(plan_id: str, name: str, order: int, *, at: str, **more: Any) -> Object:
    head = {"phase_id": derived("phase", plan_id, name), "plan_id": plan_id, "name": name, "order_index": order}
    return {**head, "created_at": at, **more}


def step(plan_id: str, phase_id: str, step_id: str, order: int, *, task: str, at: str, **more: Any) -> Object:
    head = {"step_id": step_id, "plan_id": plan_id, "phase_id": phase_id, "order_index": order, "waits_for": 0}
    return {**head, "task": task if task.strip() else NO_TASK, "created_at": at, "updated_at": at, **more}


def note(plan_id: str, text: str, *, at: str, name: str) -> Object:
    return {"note_id": derived("note", plan_id, name), "plan_id": plan_id, "note": text, "created_at": at}


def item(part: Part, parent: tuple[str, str], kind: str, data: Object, *, at: str) -> Object:
    """Return a context item: a block that is kept as it is."""
    return {
        "item_id": derived("ctx", part.workspace_id, *parent, kind), "workspace_id": part.workspace_id,
        "parent_type": parent[0], "parent_id": parent[1], "type": kind, "data": data, "created_at": at,
    }  # fmt: skip


def document(part: Part, parent: tuple[str, str], filename: str, text: str, *, at: str) -> Object:
    return {
        "document_id": derived("res", part.workspace_id, *parent, filename), "workspace_id": part.workspace_id,
        "parent_type": parent[0], "parent_id": parent[1], "filename": filename, "content": text, "created_at": at,
    }  # fmt: skip


def session(part: Part, plan_id: str | None, number: object, *, summary: str, at: str, **more: Any) -> Object:
    """Return what a session left behind: they tell of sessions that are over."""
    return {
        "session_id": part.id("sess", plan_id or "", "narrative", number), "workspace_id": part.workspace_id,
        "plan_id": plan_id, "agent": NAME, "status": "completed", "summary": summary,
        "session_num": number if isinstance(number, int) else None, "external_id": as_text(number), "started_at": at,
        "last_seen_at": at, "completed_at": at, "created_at": at, **more,
    }  # fmt: skip


def evidence(part: Part, plan_id: str | None, *, at: str, **more: Any) -> Object:
    """Return what every row of the ledger has."""
    return {"workspace_id": part.workspace_id, "plan_id": plan_id, "created_at": at, **more}


def term(part: Part, plan_id: str, kind: str, text: str, position: int, *, at: str, **more: Any) -> Object:
    """Return a word that a plan is about. Of intents the same may stand there again."""
    again = (position,) if kind == "intent" else ()
    key = derived("term", plan_id, kind, text, *again)
    return evidence(part, plan_id, at=at, term_id=key, kind=kind, term=text, position=position, **more)


def tail(found: Fields) -> Object:
    """Return the column `extra` for what is left of an entry."""
    return {NAME: found.left} if found.left else {}


def later(at: str, seconds: int) -> str:
    """Return the time that is some seconds after another."""
    return timestamp(datetime.fromisoformat(at) + timedelta(seconds=seconds))


def blocks(part: Part, plan_id: str, found: Fields, *, at: str) -> None:
    """Make context of the objects and lists of a plan's file that nobody took: so they are found, and read whole.

    What is no object or list, is empty, or is a rest of one that was taken, stays in `left`.
    """
    for name, value in list(found.left.items()):
        if value and value is found.found.get(name) and (is_object(value) or is_list(value)):
            data = object_of(value) if is_object(value) else {"value": value}
            part.add("context_items", item(part, ("plan", plan_id), name, data, at=at), f"$.{name}", plan_id)
            del found.left[name]


def as_object(value: object) -> Object:
    """Return an object; anything else under `value`, and nothing for null."""
    return object_of(value) if is_object(value) or value is None else {"value": value}


class TaskWaits:
    """What steps of a plan wait for, by the ids that the file has."""

    def __init__(self, part: Part, plan_id: str) -> None:
        self.part = part
        self.plan_id = plan_id
        self.steps: dict[str, Object] = {}
        self.told: list[tuple[str, str, str]] = []  # who waits, for whom, and where that stands

    def know(self, foreign: str, values: Object) -> None:
        self.steps.setdefault(foreign, values)

    def wait(self, source: str, targets: Sequence[tuple[str, Any]]) -> None:
        self.told += [(source, str(target), where) for where, target in targets]

    def wait_back(self, target: str, sources: Sequence[tuple[str, Any]]) -> None:
        """Note the same from the other end: it is kept once."""
        self.told += [(str(source), target, where) for where, source in sources]

    def add(self, *, at: str) -> None:
        """Add the dependencies, and count what each step waits for."""
        pairs: dict[Any, str] = {}
        for source, target, where in self.told:
            if source in self.part.project.born or target in self.part.project.born:
                continue
            if source not in self.steps or target not in self.steps or source == target:
                self.part.teller.warn(where, "no other task of this file; nothing waits for it", target)
                continue
            ends = tuple(("step", str(self.steps[end]["step_id"])) for end in (source, target))
            pairs.setdefault(ends, where)
        by_id: Mapping[str, Object] = {str(values["step_id"]): values for values in self.steps.values()}
        for (source, target), fine in acyclic(pairs):
            if not fine:
                self.part.teller.warn(pairs[source, target], "it closes a cycle; nothing waits for it", target[1])
                continue
            closed = by_id[target[1]]["status"] in CLOSED
            _, values = edge(source, target, closed=closed, at=at)
            self.part.add("dependencies", values, pairs[source, target], self.plan_id)
            by_id[source[1]]["waits_for"] += not closed
