"""Issues on their way into rows: epics are plans and phases, what belongs to none is in one plan of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server.importers.beads.databases import is_database, issues_in
from server.importers.beads.survey import (
    LOOSE,
    MEMORY,
    PARENT,
    BeadsSurvey,
    IssueHeader,
    Node,
    is_memory,
    is_no_time,
    link_of,
)
from server.importers.layout import SourceWorkspace
from server.importers.reading import Entry, is_list, is_object, list_of, modified, object_of
from server.importers.rows import RowMaker
from server.importers.slugs import among
from server.importers.taking import Sink, Taker
from server.importers.values import Fields, Object, text
from server.importers.vocabulary import plan_status, priority, step_status, step_type
from server.models.imports import Finding

LINES = 500  # of issues in one batch
TITLE = "Beads"
PHASE = "Issues"
NO_MATTER = ("dependency_count", "dependent_count", "comment_count", "_type", "id")  # counts, and what the row says
SECTIONS = (
    ("description", None), ("design", "Design"), ("acceptance_criteria", "Acceptance criteria"), ("notes", "Notes"),
    ("close_reason", "Closed because"), ("delete_reason", "Deleted because"),
)  # fmt: skip
STEP_WORDS = {"deferred": "blocked"}
STEP_TYPES: dict[str, str] = dict.fromkeys(("epic", "message", "molecule", "gate", "milestone", "event"), "standard")
PLAN_WORDS = {"hooked": "active", "pinned": "active", "tombstone": "failed"}


def of_file(taker: Taker, entry: Entry, survey: BeadsSurvey, workspace: SourceWorkspace) -> Iterator[Any]:
    """Yield, in batches, what the issues of a file become."""
    make = taker.maker(entry.path, modified(entry.location) if entry.odd is None else "")
    sink = Sink(taker.workspace_id)
    builder = IssueBuilder(make, survey, sink, "row" if is_database(entry) else "line")
    if taker.is_new:
        sink.add(make.workspace(workspace.path, Path(workspace.path).name if workspace.path else make.path))
    builder.add_loose()
    for number, value in issues_in(taker, entry, sink):
        builder.add(number, value)
        if number % LINES == 0:
            yield sink.taken()
    builder.add_links()
    yield sink.taken()


class IssueBuilder:
    """Makes the rows of issues, one by one."""

    def __init__(self, make: RowMaker, survey: BeadsSurvey, sink: Sink, unit: str) -> None:
        self.make = make
        self.survey = survey
        self.sink = sink
        self.unit = unit  # what an issue has one of: a line, or a row
        blocking = (pair for pair, link in survey.links.items() if link == ("blocks", None))
        self.waiting = {source for source, target in blocking if not survey.issues[target].is_closed}

    def add(self, number: int, value: Any) -> None:
        """Add what one line holds."""
        found, where = object_of(value), f"{self.unit} {number}"
        if is_memory(value):
            memory = Fields(found, where, self.make.teller(self.sink.batch.findings))
            memory.raw("_type")
            self._memory(memory)
            return
        header = self.survey.issues.get(str(found.get("id")))
        if header is None or "title" not in found:
            if value is not None:
                self._tell("error", where, "no issue: it has no id, or no title")
        elif header.line != number:
            self._tell("warning", where, f"{header.id} stands again in {self.unit} {header.line}, which counts")
        else:
            issue = Fields(found, where, self.make.teller(self.sink.batch.findings))
            for name in NO_MATTER:
                issue.left.pop(name, None)
            self._tell_links(header, issue)
            self._issue(header, issue)

    def add_loose(self) -> None:
        """Add the plan of the issues that belong to no epic, and the phases that no issue stands for."""
        loose = self.survey.loose
        open_ = [one for one in loose if not one.is_closed]
        if any(one.plan == LOOSE for one in self.survey.issues.values() if one.place != "knowledge"):
            at = min((one.created_at for one in loose if one.created_at), default=self.make.at)
            status = "active" if open_ else "completed"
            times: Object = {"created_at": at, "completed_at": None if open_ else at}
            self.sink.add(self.make.row("plans", self._id("plan", LOOSE), title=TITLE, status=status, **times))
        stepped = {one.plan for one in self.survey.issues.values() if one.place == "step" and one.phase == LOOSE}
        for plan in sorted(stepped):
            plan_id = self._id("plan", plan)
            values: Object = {"name": PHASE, "order_index": 0}
            self.sink.add(self.make.row("phases", self._phase(plan, LOOSE), plan_id=plan_id, **values))

    def add_links(self) -> None:
        """Add what waits for what. A link that cannot be is told, and is with its issue."""
        for (source_id, target_id), (kind, problem) in self.survey.links.items():
            source, target = self.survey.node(source_id), self.survey.node(target_id)
            where = f"{self.unit} {self.survey.issues[source_id].line}"
            if problem or source is None or target is None:
                self._tell("warning", f"{where}.dependencies", f"{problem}; kept in extra", target_id)
                continue
            one, other = self.survey.issues[source_id], self.survey.issues[target_id]
            plan_id = self._id("plan", one.plan)
            self.sink.add(
                self.make.edge(
                    self._node(source), self._node(target), where, closed=other.is_closed, plan_id=plan_id, kind=kind
                )
            )

    def _tell_links(self, header: IssueHeader, issue: Fields) -> None:
        """Tell of the links that are none, or lead to no parent; all of them are in extra."""
        told, where = issue.keep("dependencies"), f"{issue.at}.dependencies"
        if told is not None and not is_list(told):
            issue.teller.warn(where, "no list of links; kept in extra", told)
        for number, value in enumerate(list_of(told)):
            link = link_of(header.id, value)
            if link is None:
                issue.teller.warn(f"{where}[{number}]", "no link of this issue; kept in extra", value)
            elif link[0] == PARENT and link[1] not in self.survey.issues:
                issue.teller.warn(f"{where}[{number}]", "no such issue in the file; kept in extra", link[1])

    def _issue(self, header: IssueHeader, issue: Fields) -> None:
        if header.place == "knowledge":
            self._decision(header, issue)
            return
        created_at = self._time(issue, "created_at") or self.make.at
        updated_at = self._time(issue, "updated_at") or created_at
        closed_at = self._time(issue, "closed_at")
        times = {"created_at": created_at, "updated_at": updated_at}
        if closed_at is None and header.is_closed:
            closed_at = updated_at
        rows = {"plan": self._plan, "phase": self._a_phase, "step": self._step}
        rows[header.place](header, issue, times, closed_at if header.is_closed else None)
        self._comments(header, issue, created_at)

    def _plan(self, header: IssueHeader, issue: Fields, times: Object, closed_at: str | None) -> None:
        status = plan_status(issue, more=PLAN_WORDS)
        columns: Object = {
            "title": issue.word("title", header.id),
            "description": self._text(issue),
            "status": status,
            "priority": priority(issue),
            "owner": issue.text("owner"),
            "paused_at": times["updated_at"] if status == "paused" else None,
            "completed_at": closed_at,
            **times,
        }
        self._add("plans", header, issue, self._id("plan", header.id), columns)

    def _a_phase(self, header: IssueHeader, issue: Fields, times: Object, closed_at: str | None) -> None:
        """Add an epic within an epic. Its name has to be the only one of the plan."""
        del closed_at
        name = f"{issue.word('title', header.id)} ({header.id})"
        columns: Object = {"name": name, "description": self._text(issue), "order_index": header.order + 1, **times}
        self._add("phases", header, issue, self._phase(header.plan, header.id), columns)

    def _step(self, header: IssueHeader, issue: Fields, times: Object, closed_at: str | None) -> None:
        waits = header.status == "blocked" and header.id in self.waiting
        status = "pending" if waits else step_status(issue, more=STEP_WORDS)
        columns: Object = {
            "phase_id": self._phase(header.plan, header.phase),
            "order_index": header.order,
            "task": issue.word("title", header.id),
            "notes": self._text(issue),
            "status": status,
            "type": step_type(issue, "issue_type", more=STEP_TYPES),
            "priority": priority(issue),
            "assignee": issue.text("assignee"),
            "completed_at": closed_at if status == "done" else None,
            **times,
        }
        if "tags" in self.make.columns["steps"]:
            columns |= {name: self._time(issue, name) for name in ("due_at", "started_at")}
            columns |= {"estimated_minutes": issue.number("estimated_minutes"), "tags": issue.strings("labels")}
            if header.parent and self.survey.node(header.parent) == ("step", header.parent):
                columns["parent_step_id"] = self._id("step", header.parent)
        self._add("steps", header, issue, self._id("step", header.id), columns)

    def _decision(self, header: IssueHeader, issue: Fields) -> None:
        created_at = self._time(issue, "created_at") or self.make.at
        columns: Object = {
            "slug": among(self.survey.slugs, header.id, otherwise="issue"),
            "title": issue.word("title", header.id),
            "content": "\n\n".join(filter(None, (self._text(issue), self._told(issue)))) or header.id,
            "tags": issue.strings("labels"),
            "created_by_agent": issue.text("created_by"),
            "created_at": created_at,
            "updated_at": self._time(issue, "updated_at") or created_at,
            "extra": issue.extra(self.make.system),
        }
        self.sink.add(self.make.row("knowledge", self._id("know", header.id), issue.at, **columns))

    def _memory(self, memory: Fields) -> None:
        """Add a memory. Without a value it says what its key says."""
        key, value = text(memory.raw("key")), memory.raw("value")
        created_at = self._time(memory, "created_at") or self.make.at
        columns: Object = {
            "slug": among(self.survey.slugs, MEMORY, key, otherwise="issue"),
            "title": key,
            "content": key if value in (None, "") else text(value),
            "created_by_agent": memory.text("author"),
            "created_at": created_at,
            "updated_at": self._time(memory, "updated_at") or created_at,
            "extra": memory.extra(self.make.system),
        }
        self.sink.add(self.make.row("knowledge", self._id("know", "memory", key), memory.at, **columns))

    def _comments(self, header: IssueHeader, issue: Fields, at: str) -> None:
        plan_id = self._id("plan", header.plan)
        for number, (where, value) in enumerate(issue.objects("comments")):
            comment = Fields(object_of(value) if is_object(value) else {"text": text(value)}, where, issue.teller)
            for name in ("issue_id",):
                comment.left.pop(name, None)
            author = comment.text("author")
            columns: Object = {
                "note": f"{header.id}: {comment.text('text') or ''}",
                "added_by": author,
                "created_at": self._time(comment, "created_at") or at,
                "extra": comment.extra(self.make.system),
            }
            named = comment.keep("id")
            note_id = self._id("note", header.id, number if named is None else named)
            self.sink.add(self.make.row("plan_notes", note_id, where, plan_id=plan_id, **columns))

    def _add(self, table: str, header: IssueHeader, issue: Fields, key: str, columns: Object) -> None:
        plan_id = self._id("plan", header.plan if header.place != "plan" else header.id)
        if "comments" in issue.left and isinstance(issue.keep("comments"), list):
            issue.left.pop("comments")
        named = {"external_id": header.id} if "external_id" in self.make.columns[table] else {}
        extra = {"id": header.id, **issue.left}
        self.sink.add(
            self.make.row(table, key, issue.at, plan_id=plan_id, **columns, **named, extra={self.make.system: extra})
        )

    def _text(self, issue: Fields) -> str | None:
        """Return the texts of an issue as one, each under its heading."""
        parts: list[str] = []
        for name, heading in SECTIONS:
            told = issue.text(name)
            if told and told.strip():
                parts.append(f"## {heading}\n\n{told}" if heading else told)
        return "\n\n".join(parts) or None

    def _told(self, issue: Fields) -> str | None:
        """Return the comments of a decision, which is in no plan that could have them as notes; they stay in extra."""
        comments = [object_of(one) for one in list_of(issue.keep("comments"))]
        lines = [
            f"- {text(one['author'])}: {text(one['text'])}" for one in comments if {"author", "text"} <= one.keys()
        ]
        return "## Comments\n\n" + "\n".join(lines) if lines else None

    def _time(self, issue: Fields, name: str) -> str | None:
        """Take a time. One that only shows that there is none stays in extra."""
        return None if is_no_time(issue.keep(name)) else issue.maybe_moment(name)

    def _id(self, kind: str, *parts: object) -> str:
        return self.make.id(kind, *parts)

    def _phase(self, plan: str, phase: str) -> str:
        return self._id("phase", plan, phase)

    def _node(self, node: Node) -> Node:
        issue = self.survey.issues[node[1]]
        key = self._phase(issue.plan, issue.id) if node[0] == "phase" else self._id(node[0], issue.id)
        return (node[0], key)

    def _tell(self, severity: Any, where: str, what: str, value: Any = None) -> None:
        self.sink.batch.findings.append(Finding(severity, self.make.path, where, what, value))
