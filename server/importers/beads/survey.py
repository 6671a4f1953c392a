"""What must be known of all issues before one of them can be mapped: which are plans, and where the others belong."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

from server.importers.beads.databases import issues_in
from server.importers.edges import acyclic
from server.importers.reading import Entry, list_of, object_of
from server.importers.slugs import plain
from server.importers.taking import Sink, Taker
from server.importers.values import moment, plain_word

LOOSE = ""  # stands for the plan of the issues that belong to no epic
BLOCKING = ("blocks", "conditional-blocks", "waits-for")
PARENT = "parent-child"
CLOSED = ("closed", "tombstone")
KNOWN_AS = ("decision", "memory")  # types that become knowledge
ZERO = ("1970-01-01T00:00:00", "0001-01-01T00:00:00")  # how a time shows that was never set
MEMORY = "memory"  # how the slug of one begins
Node = tuple[str, str]


@dataclass
class IssueHeader:
    """What others need to know of an issue. `line` is the last one that has its id."""

    id: str
    line: int
    kind: str
    status: str
    created_at: str
    parent: str | None
    edges: list[tuple[str, str]]  # (type, what it depends on)
    plan: str = LOOSE  # the issue that became the plan
    phase: str = LOOSE  # the one that became the phase
    order: int = 0
    place: str = "step"  # or plan, phase, knowledge

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED


@dataclass
class BeadsSurvey:
    """All issues by id, which links may stay, the keys of memories, and how much of the knowledge reads alike."""

    issues: dict[str, IssueHeader] = field(default_factory=dict[str, IssueHeader])
    doubles: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    links: dict[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict[tuple[str, str], Any])
    memories: set[str] = field(default_factory=set[str])
    slugs: Counter[str] = field(default_factory=Counter[str])

    @property
    def loose(self) -> list[IssueHeader]:
        return [one for one in self.issues.values() if one.place == "step" and one.plan == LOOSE]

    def node(self, issue_id: str) -> Node | None:
        """Return what an issue is here that can wait, and be waited for."""
        one = self.issues.get(issue_id)
        return (one.place, one.id) if one and one.place != "knowledge" else None


def is_issue(value: Any) -> bool:
    """Return whether a line is an issue, by the fields that each has."""
    found = object_of(value)
    return found.get("_type", "issue") == "issue" and isinstance(found.get("id"), str) and "title" in found


def is_memory(value: Any) -> bool:
    """Return whether a line is a memory."""
    found = object_of(value)
    return found.get("_type") == "memory" and isinstance(found.get("key"), str)


def known_time(value: object) -> str | None:
    """Return a time, if one is told."""
    return None if is_no_time(value) else moment(value)


def is_no_time(value: object) -> bool:
    """Return whether a value is how a time shows that was never set."""
    return isinstance(value, str) and (not value or value.replace(" ", "T", 1).startswith(ZERO))


def surveyed(taker: Taker, entry: Entry) -> BeadsSurvey:
    """Read all issues once. What is wrong with the file is told when it is read for good."""
    survey = BeadsSurvey()
    for number, value in issues_in(taker, entry, Sink(None)):
        if is_issue(value):
            header = _header(cast(dict[str, Any], value), number)
            if header.id in survey.issues:
                survey.doubles.append((survey.issues[header.id].line, header.id))
            survey.issues[header.id] = header
        elif is_memory(value):
            survey.memories.add(value["key"])
    _place(survey)
    decisions = (one.id for one in survey.issues.values() if one.place == "knowledge")
    survey.slugs.update([*map(plain, decisions), *(plain(MEMORY, key) for key in survey.memories)])
    for order, one in enumerate(sorted(survey.issues.values(), key=lambda one: (one.created_at, one.id))):
        one.order = order
    _link(survey)
    return survey


def link_of(issue_id: str, value: Any) -> tuple[str, str] | None:
    """Return the type and the target of a link that an issue has; None if it is none, or another issue's."""
    found = object_of(value)
    target = found.get("depends_on_id")
    if not isinstance(target, str) or found.get("issue_id", issue_id) != issue_id:
        return None
    return plain_word(found.get("type") or "blocks").replace("_", "-"), target


def _header(issue: dict[str, Any], line: int) -> IssueHeader:
    edges: list[tuple[str, str]] = []
    parent = None
    for kind, target in filter(None, (link_of(issue["id"], one) for one in list_of(issue.get("dependencies")))):
        if kind == PARENT:
            parent = target
        else:
            edges.append((kind, target))
    status = plain_word(issue.get("status") or "open")
    at = known_time(issue.get("created_at")) or ""
    kind = plain_word(issue.get("issue_type") or issue.get("original_type") or "task")
    return IssueHeader(issue["id"], line, kind, status, at, parent, edges)


def _place(survey: BeadsSurvey) -> None:
    """Find for each issue its way up: the topmost epic is the plan, the next one below it the phase."""
    for one in survey.issues.values():
        if one.parent not in survey.issues:
            stem, dot, _ = one.id.rpartition(".")
            one.parent = stem if dot and stem in survey.issues else None
    for one in survey.issues.values():
        above = _above(survey, one)
        epics = [found.id for found in above if found.kind == "epic"]
        one.plan = epics[-1] if epics else LOOSE
        if one.kind in KNOWN_AS:
            one.place = "knowledge"
        elif one.kind == "epic":
            one.place = "phase" if len(epics) > 1 else "plan"
            one.phase = one.id if len(epics) == 2 else (epics[-2] if len(epics) > 2 else LOOSE)
        else:
            one.phase = epics[-2] if len(epics) > 1 else LOOSE
        if one.place == "phase" and one.phase != one.id:
            one.place = "step"  # an epic three levels down


def _above(survey: BeadsSurvey, one: IssueHeader) -> list[IssueHeader]:
    """Return an issue and all above it; a circle ends where it closes."""
    found: list[IssueHeader] = []
    here: IssueHeader | None = one
    while here and here not in found:
        found.append(here)
        here = survey.issues.get(here.parent or "")
    return found


def _link(survey: BeadsSurvey) -> None:
    """Decide which links may stay. What is in a plan waits for what that waits for, and it ends when they have."""
    fixed: dict[tuple[Node, Node], None] = {}
    for one in survey.issues.values():
        if node := survey.node(one.id):
            fixed[_end(node), _begin(node)] = None
            for around in _around(survey, one):
                fixed[_begin(node), _begin(around)] = None
                fixed[_end(around), _end(node)] = None
    wanted: dict[tuple[Node, Node], tuple[str, str]] = {}
    for one in sorted(survey.issues.values(), key=lambda one: one.order):
        for kind, target_id in one.edges:
            _want(survey, one, kind, target_id, wanted)
    for edge, fine in acyclic([*fixed, *wanted]):
        if edge in wanted and edge not in fixed:
            survey.links[wanted[edge]] = ("blocks", None if fine else "it closes a circle")


def _want(
    survey: BeadsSurvey, one: IssueHeader, kind: str, target_id: str, wanted: dict[tuple[Node, Node], tuple[str, str]]
) -> None:
    source, target, key = survey.node(one.id), survey.node(target_id), (one.id, target_id)
    if target_id not in survey.issues:
        survey.links[key] = (kind, "no such issue in the file")
    elif source is None or target is None:
        survey.links[key] = (kind, "knowledge waits for nothing")
    elif source == target:
        survey.links[key] = (kind, "it waits for itself")
    elif kind in BLOCKING:
        wanted[_begin(source), _end(target)] = key
    else:
        survey.links.setdefault(key, ("informs", None))


def _around(survey: BeadsSurvey, one: IssueHeader) -> list[Node]:
    """Return the plan and the phase that an issue is in."""
    around: list[Node] = []
    if one.plan not in (LOOSE, one.id):
        around.append(("plan", one.plan))
    if one.phase not in (LOOSE, one.id):
        around.append(("phase", one.phase))
    return around


def _begin(node: Node) -> Node:
    return (f"{node[0]} begins", node[1])


def _end(node: Node) -> Node:
    return (f"{node[0]} ends", node[1])
