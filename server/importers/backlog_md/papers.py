"""Markdown files of a backlog on their way into rows: tasks and drafts are steps, decisions are decisions."""

import re
from typing import cast

from server.db.dependencies.dependencies import Edge
from server.importers.backlog_md.sections import items, without_marks
from server.importers.edges import acyclic
from server.importers.reading import Entry, is_list, list_of
from server.importers.rows import RowMaker
from server.importers.taking import Taken, Taker
from server.importers.values import Fields, Object, plain_word
from server.importers.vocabulary import priority, step_status
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
NUMBER = re.compile(r"\d+")
PLACES = 1000  # in the order between one task and the next, for its subtasks


class Backlog:
    """Makes the rows of all files: tasks name one another."""

    def __init__(self, make: RowMaker, statuses: list[str], name: str) -> None:
        self.make = make
        self.title = name
        self.words = {plain_word(statuses[-1]): "done"} if statuses else {}
        self.words |= {"draft": "pending"}
        self.plan_id = make.id("plan", "backlog")
        self.steps: dict[str, ImportedRow] = {}  # by the id in lower case
        self.waits: list[tuple[ImportedRow, str, str]] = []

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
        steps = [row.values for row in self.steps.values()]
        is_open = any(step["status"] not in CLOSED for step in steps)
        times = {"created_at": min(step["created_at"] for step in steps)}
        times["updated_at"] = max(step["updated_at"] for step in steps)
        completed_at = None if is_open else times["updated_at"]
        status = {"status": "active" if is_open else "completed", "completed_at": completed_at}
        description = f"The backlog of {self.title}"
        row = self.make.row("plans", self.plan_id, title="Backlog", description=description, **status, **times)
        phases = [
            self.make.row("phases", self._phase(name), plan_id=self.plan_id, name=name, order_index=order, **times)
            for order, name in enumerate(PHASES)
        ]
        return [row, *phases]

    def links(self, workspace_id: str | None) -> ImportBatch:
        """Return what waits for what. The list itself stays in extra."""
        batch = ImportBatch(workspace_id, findings=self._orphans())
        pairs: dict[Edge, tuple[ImportedRow, ImportedRow]] = {}
        for row, where, told in self.waits:
            target = self.steps.get(told.strip().lower())
            if target is None or target is row:
                what = "no task of that id; kept in extra" if target is None else "it waits for itself; kept in extra"
                batch.findings.append(Finding("warning", row.path, where, what, told))
            else:
                pairs.setdefault((("step", row.key), ("step", target.key)), (row, target))
        for (source, other), may_stay in acyclic(pairs):
            row, target = pairs[source, other]
            if may_stay:
                make = RowMaker(self.make.columns, self.make.system, self.make.workspace_id, row.path, self.make.at)
                closed, at = target.values["status"] in CLOSED, row.values["updated_at"]
                batch.rows.append(make.edge(source, other, row.json_path, closed=closed, plan_id=self.plan_id, at=at))
            else:
                told = target.values["external_id"]
                batch.findings.append(Finding("warning", row.path, "$", "it closes a circle; kept in extra", told))
        return batch

    def _orphans(self) -> list[Finding]:
        """Put on top what stands below a task that is not there, or below itself, and tell of it."""
        found: list[Finding] = []
        above = {row.key: row.values["parent_step_id"] for row in self.steps.values()}
        for row in self.steps.values():
            seen, parent = {row.key}, above[row.key]
            while parent in above and parent not in seen:
                seen.add(parent)
                parent = above[parent]
            if parent is not None:
                cast(Object, row.values)["parent_step_id"] = above[row.key] = None
                what = "the task above it is not there, or below it"
                found.append(Finding("warning", row.path, "$.parent_task_id", what, row.values["external_id"]))
        return found

    def _paper(self, taken: Taken, kind: str) -> None:
        try:
            found, body = front_matter.parsed(taken.value)
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
        again = () if foreign.lower() not in self.steps else (taken.content.path,)
        created_at = paper.maybe_moment("created_date") or make.at
        updated_at = max(paper.maybe_moment("updated_date") or created_at, created_at)
        status = self._status(paper, phase)
        told = items(body, "acceptance criteria")
        columns: Object = {
            "phase_id": self._phase(phase),
            "order_index": _order(foreign),
            "parent_step_id": self._parent(paper, foreign),
            "section": paper.text("milestone"),
            "task": paper.word("title", foreign),
            "notes": without_marks(body) or None,
            "status": status,
            "priority": priority(paper) if paper.keep("priority") else None,
            "assignee": _assignee(paper),
            "tags": paper.strings("labels"),
            "acceptance_criteria": [text for _, text in told],
            "due_at": paper.maybe_moment("due_date"),
            "completed_at": updated_at if status == "done" else None,
            "external_id": foreign,
            "created_at": created_at,
            "updated_at": updated_at,
        }
        done = {"acceptance_criteria": told, "definition_of_done": items(body, "definition of done")}
        extra = {**paper.left, **{name: [[*one] for one in found] for name, found in done.items() if found}}
        step_id = make.id("step", foreign.lower(), *again)
        row = make.row("steps", step_id, plan_id=self.plan_id, **columns, extra={make.system: extra})
        taken.add(row)
        if again:
            taken.teller.warn("$.id", "another file has that id; both are kept, and links lead to the other", foreign)
            self.steps[f"{foreign} {taken.content.path}"] = row
        else:
            self.steps[foreign.lower()] = row
        waits = paper.keep("dependencies")
        listed = list_of(waits) if is_list(waits) else [waits] if waits else []
        self.waits += [(row, f"$.dependencies[{number}]", str(one)) for number, one in enumerate(listed)]

    def _status(self, paper: Fields, phase: str) -> str:
        """Take the status. What was archived before it was done is cancelled."""
        status = step_status(paper, more=self.words)
        return "cancelled" if phase == "Archive" and status not in CLOSED else status

    def _parent(self, paper: Fields, foreign: str) -> str | None:
        told = paper.keep("parent_task_id") or (foreign.rpartition(".")[0] if "." in foreign else None)
        return self.make.id("step", str(told).strip().lower()) if told else None

    def _decision(self, taken: Taken, paper: Fields, body: str) -> None:
        make, foreign = taken.make, str(paper.raw("id")).strip()
        at = paper.maybe_moment("date") or make.at
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


def _order(foreign: str) -> int:
    numbers = [int(one) for one in NUMBER.findall(foreign)[:2]]
    return (numbers[0] * PLACES + (numbers[1] if len(numbers) > 1 else 0)) % 2**53 if numbers else 0


def _assignee(paper: Fields) -> str | None:
    """Take the first of those who have a task; the others stay in extra."""
    told = paper.keep("assignee")
    if is_list(told):
        return str(told[0]) if told else None
    return paper.text("assignee")
