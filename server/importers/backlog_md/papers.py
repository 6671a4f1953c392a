"""Markdown files of a backlog on their way into rows: tasks and drafts are steps, decisions are decisions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from server.db.dependencies.dependencies import Edge
from server.importers.backlog_md.sections import items, with_quotes, without_marks
from server.importers.edges import acyclic
from server.importers.reading import Entry, is_list, list_of
from server.importers.rows import RowMaker
from server.importers.taking import Taken, Taker
from server.importers.values import Fields, Object, moment, plain_word
from server.importers.vocabulary import STEP_STATUS_NAMES, STEP_STATUSES, priority, step_status
from server.models.imports import Finding, ImportBatch, ImportedRow
from server.models.steps import CLOSED
from server.text import front_matter
from server.text.front_matter import BadFrontMatter

PHASES = ("Tasks", "Drafts", "Archive")
KINDS = {
    "tasks": "Tasks", "completed": "Tasks", "drafts": "Drafts", "archive/tasks": "Archive", "archive/drafts": "Archive",
    "decisions": None,
}  # fmt: skip
RANK = {name: rank for rank, name in enumerate(KINDS)}
NUMBER = re.compile(r"[0-9]{1,15}")
DAY_FIRST = re.compile(r"(\d\d)[-/.](\d\d)[-/.](\d\d)")
ICON = re.compile(r"^[\W_]+")  # before the word for a status
LINKS = 500  # in one batch
PLACES = 1000  # in the order between one task and the next, for its subtasks
BEHIND = 2**52  # in the order, of those to which nobody gave a place


@dataclass
class BacklogStep:
    """What others need to know of a task. `row` is kept until it is known whether what stands above it is there."""

    key: str
    path: str
    external_id: str
    status: str
    created_at: str
    updated_at: str
    above: str | None
    order: int
    row: ImportedRow | None = None


class Backlog:
    """Makes the rows of all files: tasks name one another."""

    def __init__(self, make: RowMaker, statuses: list[str], name: str) -> None:
        self.make = make
        self.title = name
        self.words = {plain_word(statuses[-1]): "done"} if statuses else {}
        self.words |= {"draft": "pending"}
        self.plan_id = make.id("plan", "backlog")
        self.steps: list[BacklogStep] = []
        self.by_id: dict[str, BacklogStep] = {}  # as `_alike` has it, and for tasks by the number alone
        self.waits: list[tuple[BacklogStep, str, str]] = []

    def batch_of(self, taker: Taker, entry: Entry, kind: str) -> ImportBatch:
        """Return what one file becomes."""
        if kind == "other":
            return taker.skipped(entry, "neither a task nor a text", keep=False)
        batch, taken = taker.yaml(entry) if kind == "config" else taker.text(entry)
        if taken and kind == "config":
            taken.add(taken.make.fact(taken.make.system, entry.path, taken.value))
        elif taken and kind == "docs":
            self._document(taken)
        elif taken:
            self._paper(taken, kind)
        return batch

    def head(self) -> list[ImportedRow]:
        """Return the plan and its phases, of what the files told."""
        if not self.steps:
            return []
        is_open = any(step.status not in CLOSED for step in self.steps)
        times = {"created_at": min(step.created_at for step in self.steps)}
        times["updated_at"] = max(step.updated_at for step in self.steps)
        completed_at = None if is_open else times["updated_at"]
        status = {"status": "active" if is_open else "completed", "completed_at": completed_at}
        description = f"The backlog of {self.title}"
        row = self.make.row("plans", self.plan_id, title="Backlog", description=description, **status, **times)
        phases = [
            self.make.row("phases", self._phase(name), plan_id=self.plan_id, name=name, order_index=order, **times)
            for order, name in enumerate(PHASES)
        ]
        return [row, *phases]

    def below(self, workspace_id: str | None) -> ImportBatch:
        """Return what stands below another task, or would, if that were there and not below it."""
        batch = ImportBatch(workspace_id)
        above = {one.key: self._named(one.above) for one in self.steps}
        for one in self.steps:
            seen, parent = {one.key}, above[one.key]
            while parent and parent.key not in seen:
                seen.add(parent.key)
                parent = above[parent.key]
            if parent:
                above[one.key] = None
            if one.row is None:
                continue
            if (found := above[one.key]) is None:
                what = "the task above it is not there, or below it"
                batch.findings.append(Finding("warning", one.path, "$.parent_task_id", what, one.external_id))
            values = cast(Object, one.row.values)
            values["parent_step_id"] = found.key if found else None
            if found and found.order < BEHIND <= one.order:
                one.order = values["order_index"] = found.order + one.order % PLACES
            batch.rows.append(one.row)
            one.row = None
        return batch

    def links(self, workspace_id: str | None) -> Iterator[ImportBatch]:
        """Yield what waits for what. The list itself stays in extra."""
        batch = ImportBatch(workspace_id)
        pairs: dict[Edge, tuple[BacklogStep, BacklogStep]] = {}
        for one, where, told in self.waits:
            target = self._named(told)
            if target is None or target is one:
                what = "no task of that id; kept in extra" if target is None else "it waits for itself; kept in extra"
                batch.findings.append(Finding("warning", one.path, where, what, told))
            else:
                pairs.setdefault((("step", one.key), ("step", target.key)), (one, target))
        for (source, other), may_stay in acyclic(pairs):
            if len(batch.rows) == LINKS:
                yield batch
                batch = ImportBatch(workspace_id)
            one, target = pairs[source, other]
            if may_stay:
                make, closed = replace(self.make, path=one.path), target.status in CLOSED
                batch.rows.append(make.edge(source, other, "$", closed=closed, plan_id=self.plan_id, at=one.updated_at))
            else:
                what = "it closes a circle; kept in extra"
                batch.findings.append(Finding("warning", one.path, "$", what, target.external_id))
        yield batch

    def _named(self, told: str | None) -> BacklogStep | None:
        return self.by_id.get(_alike(told)) if told else None

    def _paper(self, taken: Taken, kind: str) -> None:
        try:
            found, body = front_matter.parsed(with_quotes(taken.value))
        except BadFrontMatter as error:
            taken.teller.tell("error", "$", f"not imported: {error}")
            taken.mark("failed", str(error))
            return
        paper = Fields(found, "$", taken.teller)
        phase = KINDS[kind]
        if not str(found.get("id") or "").strip():
            taken.teller.tell("error", "$", "no task: it has no id", taken.content.path)
            taken.mark("failed", "it has no id")
        elif phase is None:
            self._decision(taken, paper, body)
        else:
            self._step(taken, paper, body, phase)

    def _step(self, taken: Taken, paper: Fields, body: str, phase: str) -> None:
        make, foreign = taken.make, str(paper.raw("id")).strip()
        again = () if _alike(foreign) not in self.by_id else (taken.content.path,)
        created_at = _moment(paper, "created_date") or make.at
        updated_at = max(_moment(paper, "updated_date") or created_at, created_at)
        status = self._status(paper, phase)
        told = items(body, "acceptance criteria")
        columns: Object = {
            "phase_id": self._phase(phase),
            "order_index": (order := _order(foreign, paper.keep("ordinal"))),
            "section": paper.text("milestone"),
            "task": paper.word("title", foreign),
            "notes": without_marks(body) or None,
            "status": status,
            "priority": priority(paper) if paper.keep("priority") else None,
            "assignee": _assignee(paper),
            "tags": paper.strings("labels"),
            "acceptance_criteria": [text for _, text in told],
            "due_at": _moment(paper, "due_date"),
            "completed_at": updated_at if status == "done" else None,
            "external_id": foreign,
            "created_at": created_at,
            "updated_at": updated_at,
        }
        done = {"acceptance_criteria": told, "definition_of_done": items(body, "definition of done")}
        extra = {**paper.left, **{name: [[*one] for one in found] for name, found in done.items() if found}}
        step_id = make.id("step", foreign.lower(), *again)
        row = make.row("steps", step_id, plan_id=self.plan_id, **columns, extra={make.system: extra})
        above = _above(paper, foreign)
        one = BacklogStep(step_id, taken.content.path, foreign, status, created_at, updated_at, above, order)
        if above:
            one.row = row
        else:
            taken.add(row)
        if again:
            taken.teller.warn("$.id", "another file has that id; both are kept, and links lead to the other", foreign)
        self._know(one, phase)
        waits = paper.keep("dependencies")
        listed = list_of(waits) if is_list(waits) else str(waits).replace(",", " ").split() if waits else []
        self.waits += [(one, f"$.dependencies[{number}]", str(told)) for number, told in enumerate(listed)]

    def _know(self, one: BacklogStep, phase: str) -> None:
        """Remember a task by its id, of which the first counts; one that is no draft by its number, too."""
        self.steps.append(one)
        told = _alike(one.external_id)
        self.by_id.setdefault(told, one)
        if phase != "Drafts":
            self.by_id.setdefault(told.rpartition("-")[2], one)

    def _status(self, paper: Fields, phase: str) -> str:
        """Take the status. What was archived before it was done is cancelled."""
        told = plain_word(paper.keep("status") or "")
        plain = ICON.sub("", told)
        meant = (STEP_STATUS_NAMES | self.words).get(plain, plain)
        status = step_status(paper, more=self.words | ({told: meant} if meant in STEP_STATUSES else {}))
        return "cancelled" if phase == "Archive" and status not in CLOSED else status

    def _decision(self, taken: Taken, paper: Fields, body: str) -> None:
        make, foreign = taken.make, str(paper.raw("id")).strip()
        at = _moment(paper, "date") or make.at
        status = paper.text("status")
        columns: Object = {"decision": paper.word("title", foreign), "rationale": without_marks(body), "made_at": at}
        columns |= {"context": {"status": status} if status else {}, "external_id": foreign, "created_at": at}
        key = make.id("dec", taken.content.path)
        taken.add(make.row("decisions", key, **columns, extra=paper.extra(make.system)))

    def _document(self, taken: Taken) -> None:
        path, make = taken.content.path, taken.make
        columns: Object = {"parent_type": "workspace", "parent_id": make.workspace_id, "filename": path}
        taken.add(make.row("research_documents", make.id("res", path), content=taken.value, **columns))

    def _phase(self, name: str) -> str:
        return self.make.id("phase", "backlog", name)


def _alike(told: str) -> str:
    """Return an id as Backlog.md compares it: `TASK-007.01` is `task-7.1`."""
    return NUMBER.sub(lambda found: found[0].lstrip("0") or "0", told.strip().lower())


def _above(paper: Fields, foreign: str) -> str | None:
    told = paper.keep("parent_task_id") or (foreign.rpartition(".")[0] if "." in foreign else None)
    return str(told).strip() or None if told else None


def _moment(paper: Fields, name: str) -> str | None:
    """Take a time, which in older files may be a day, a month and two digits of a year."""
    told = DAY_FIRST.fullmatch(str(paper.keep(name) or "").strip())
    if told is None:
        return paper.maybe_moment(name)
    return moment(f"20{told[3]}-{told[2]}-{told[1]}") or paper.maybe_moment(name)


def _order(foreign: str, ordinal: object) -> int:
    """Return where a task stands: first those to which somebody gave a place, then the others by their ids."""
    if isinstance(ordinal, int | float) and not isinstance(ordinal, bool) and abs(ordinal) < BEHIND / PLACES:
        return round(ordinal * PLACES)
    numbers = [int(one) for one in NUMBER.findall(foreign)[:2]] or [0]
    return BEHIND + (numbers[0] * PLACES + sum(numbers[1:])) % BEHIND


def _assignee(paper: Fields) -> str | None:
    """Take the first of those who have a task; the others stay in extra."""
    told = paper.keep("assignee")
    if is_list(told):
        return str(told[0]) if told else None
    return paper.text("assignee")
