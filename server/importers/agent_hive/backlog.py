"""BACKLOG.md: sections of a priority with sections in them, and tasks with an estimate and numbers of issues."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+]|\d+[.)])[ \t]+\[(?P<mark>[ xX~/-])\][ \t]+(?P<text>\S.*?)[ \t]*$")
FENCE = re.compile(r"\s*(`{3,}|~{3,})")
BOLD = re.compile(r"\*\*(?P<title>.+?)\*\*[:\s]*(?P<rest>.*)", re.DOTALL)
LEVEL = re.compile(r"\bP([0-3])\b")
ISSUES = re.compile(r"\bGitHub\s*(?:issues?\s*)?(#\d+(?:[^()\n]*?#\d+)*)", re.IGNORECASE)
NUMBER = re.compile(r"#(\d+)")
ESTIMATE = re.compile(r"\(\s*Est(?:imate)?\.?\s*:\s*(?P<told>[^()]*)\)", re.IGNORECASE)
EFFORT = re.compile(
    r"~?\s*(?P<number>\d+(?:\.\d+)?)\s*"
    r"(?P<unit>minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|wks?|w)?\b(?P<per>\s*/.*)?",
    re.IGNORECASE,
)
FIELD = re.compile(r"\*\*(?P<name>[^*:]+):?\*\*:?\s*(?P<value>.+)")
MINUTES = {"m": 1, "h": 60, "d": 8 * 60, "w": 5 * 8 * 60}
STATUSES = {"x": "done", "X": "done", "~": "active", "/": "active", "-": "cancelled", " ": "pending"}
NO_TITLE = "(without a title)"


@dataclass(frozen=True, slots=True)
class BacklogItem:
    """A task. `path` are the headings above it; `above` is the place in the list of the task that it is indented in."""

    line: int
    status: str
    title: str
    description: str
    path: tuple[str, ...]
    priority: str | None
    issues: tuple[int, ...]
    estimate: str | None
    minutes: int | None
    above: int | None
    raw: str


@dataclass
class BacklogFile:
    """What a backlog holds: its title, the bold fields above its first section, and its tasks in their order."""

    title: str | None = None
    fields: dict[str, str] = field(default_factory=dict[str, str])
    sections: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    items: list[BacklogItem] = field(default_factory=list[BacklogItem])


@dataclass(frozen=True, slots=True)
class _Heading:
    depth: int
    text: str
    priority: str | None


def parsed(text: str) -> BacklogFile:
    """Return what a backlog says. A task has the priority of the nearest heading above it that names one."""
    found = BacklogFile()
    headings: list[_Heading] = []
    indents: list[tuple[int, int]] = []  # how far, and which task
    for number, line in _prose(text):
        if heading := HEADING.match(line):
            indents.clear()
            _enter(found, headings, len(heading[1]), heading[2])
        elif item := ITEM.match(line):
            _add(found, headings, indents, number, item)
        elif not found.sections and (told := FIELD.match(line.strip())):
            found.fields[told["name"].strip()] = told["value"].strip()
        elif found.items and indents and line[:1] in " \t" and line.strip():
            _go_on(found, line)
        elif line.strip():
            indents.clear()
    return found


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines that are neither code nor a comment."""
    fence = ""
    hidden = False
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if match := FENCE.match(line) if not hidden else None:
            if not fence:
                fence = match[1]
            elif match[1].startswith(fence):
                fence = ""
            continue
        hidden = hidden or (not fence and line.lstrip().startswith("<!--"))
        if not fence and not hidden:
            yield number, line
        hidden = hidden and "-->" not in line


def _enter(found: BacklogFile, headings: list[_Heading], depth: int, text: str) -> None:
    while headings and headings[-1].depth >= depth:
        headings.pop()
    level = LEVEL.search(text)
    above = headings[-1].priority if headings else None
    heading = _Heading(depth, text, f"P{level[1]}" if level else above)
    headings.append(heading)
    if depth == 1 and found.title is None and not level:
        found.title = text
    elif len(path := _sections(headings)) == 1 and path[0] is heading:
        found.sections.append((text, heading.priority))


def _sections(headings: list[_Heading]) -> list[_Heading]:
    """Return the headings without the title of the file."""
    return [heading for heading in headings if heading.depth > 1 or heading.priority]


def _add(
    found: BacklogFile, headings: list[_Heading], indents: list[tuple[int, int]], line: int, item: re.Match[str]
) -> None:
    indent = len(item["indent"].expandtabs(4))
    while indents and indents[-1][0] >= indent:
        indents.pop()
    title, description = _split(item["text"])
    estimate = ESTIMATE.search(item["text"])
    found.items.append(
        BacklogItem(
            line,
            STATUSES[item["mark"]],
            title,
            description,
            tuple(heading.text for heading in _sections(headings)),
            headings[-1].priority if headings else None,
            tuple(int(number) for told in ISSUES.findall(item["text"]) for number in NUMBER.findall(told)),
            estimate["told"].strip() if estimate else None,
            minutes(estimate["told"]) if estimate else None,
            indents[-1][1] if indents else None,
            item.string,
        )
    )
    indents.append((indent, len(found.items) - 1))


def _go_on(found: BacklogFile, line: str) -> None:
    """Add a line that is indented below a task to what the task says."""
    last = found.items[-1]
    description = f"{last.description}\n{line.strip()}".strip()
    found.items[-1] = replace(last, description=description, raw=f"{last.raw}\n{line}")


def _split(text: str) -> tuple[str, str]:
    """Return the title of a task, and what follows it."""
    if bold := BOLD.match(text):
        title, rest = bold["title"].strip(), bold["rest"].strip()
    else:
        title, _, rest = text.partition(" - ")
        if not rest:
            title, rest = ESTIMATE.sub("", title), ""
    return title.strip() or NO_TITLE, re.sub(r"\A[-\u2013\u2014:]\s+", "", rest).strip()


def minutes(told: str) -> int | None:
    """Return an estimate in minutes: a day has eight hours, a week five days, and a bare number is hours.

    What comes again (`15min/week`) counts once.
    """
    match = EFFORT.fullmatch(told.strip())
    if match is None:
        return None
    return round(float(match["number"]) * MINUTES[(match["unit"] or "h")[0].lower()])
