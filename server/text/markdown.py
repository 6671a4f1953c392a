"""Reads a plan out of a Markdown checklist. Pure: text in, steps out.

What counts: the nearest `##` heading above a checkbox (else the `#`) is its phase, deeper headings are its section,
list items with a checkbox are steps, wherever they are nested. Code fences, comments and block quotes hold no steps.
The mark in the checkbox is any one character: STATUSES says what it means, and one that is not there means pending.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

TAB = 4
INDENT = 3  # columns that a heading or a fence may stand in
NESTING = 2  # columns of indentation that make a child; CommonMark wants up to five under a number, people write two
DEEPEST = 50  # list markers on one line, one in the other
PREFIX_LENGTH = 200
MARKER = re.compile(r"([-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
MARK = r"[^\s\[\]\x00-\x1f\x7f][\u0300-\u036f\ufe0e\ufe0f]*|[^\s\[\]\w\x00-\x7f]{2,8}"  # a character, as people count
CHECKBOX = re.compile(rf"\[([ \t]|{MARK})\](?:[ \t]+|$)")
ALMOST = re.compile(r"\[[^\[\]]?\](?![(\[:])")  # no checkbox, and no link either: `[] task`, `[x]task`
NUMBERED = re.compile(r"\*\*(\d+)\.\*\*[ \t]+(?=\S)")  # how an export begins a task
STATUSES = {" ": "pending", "x": "done", "X": "done", "-": "cancelled", "~": "cancelled"}
BEGUN = ("/", ">")  # pending, but more than that: the mark is kept with the notes
FENCE = re.compile(r"(`{3,}|~{3,})(.*)$")
HEADING = re.compile(r"(#{1,6})(?:[ \t]+|$)")
LINE_END = re.compile(r"\r\n|\r|\n")
EMPTY_END = re.compile(r"\s*:\s*([*_]*)$")


@dataclass(frozen=True)
class ParsedStep:
    """A checkbox with its mark. `phase` is None above the first heading; `notes` are the lines of the list item."""

    phase: str | None
    section: str | None
    task: str
    mark: str = " "
    notes: str | None = None

    @property
    def status(self) -> str:
        return STATUSES.get(self.mark, "pending")

    @property
    def is_marked_strangely(self) -> bool:
        return self.mark not in STATUSES and self.mark not in BEGUN


@dataclass(frozen=True)
class ParsedPlan:
    """The first `#` heading, the steps in the order of the text, and list items that are almost steps."""

    title: str | None
    steps: list[ParsedStep]
    almost: list[str] = field(default_factory=list[str])


def levelled(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield each line of a text with the level of the heading it is, or 0. A code fence has no headings."""
    fence = ""
    for line in lines:
        inner = line.lstrip(" ") if len(line) - len(line.lstrip(" ")) <= INDENT else ""
        run = mark[1] if (mark := FENCE.match(inner)) else ""
        heading = HEADING.match(inner)
        yield line, len(heading[1]) if heading and not fence else 0
        if not fence:
            fence = run
        elif run.startswith(fence) and line.strip(" \t\r") == run:
            fence = ""


def parse(text: str) -> ParsedPlan:
    """Return the plan that a Markdown text describes; it may have no steps."""
    parser = _ChecklistParser()
    for line in _body(LINE_END.split(text.removeprefix("\ufeff"))):
        parser.feed(line)
    return ParsedPlan(parser.title, _without_numbers([draft.finish() for draft in parser.drafts]), parser.almost)


def _without_numbers(steps: list[ParsedStep]) -> list[ParsedStep]:
    """Return steps without the numbers that an export gives them, if all of them have theirs."""
    found = [NUMBERED.match(step.task) for step in steps]
    if [number and int(number[1]) for number in found] != list(range(1, len(steps) + 1)):
        return steps
    return [replace(step, task=step.task[number.end() :]) for step, number in zip(steps, found, strict=True) if number]


def _body(lines: list[str]) -> list[str]:
    """Return the lines behind the front matter, if there is one."""
    if not lines or lines[0].rstrip() != "---":
        return lines
    ends = (number for number, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "..."))
    return lines[next(ends, 0) + 1 :]


@dataclass
class _Draft:
    """A step whose notes are still coming in."""

    phase: str | None
    section: str | None
    task: str
    mark: str
    lines: list[str] = field(default_factory=list[str])

    def finish(self) -> ParsedStep:
        notes = "\n".join(self.lines).strip("\n").rstrip()
        return ParsedStep(self.phase, self.section, self.task, self.mark, notes or None)


@dataclass
class _Item:
    """A list item that following lines may belong to: where it and its text stand, and the step it is or is under."""

    indent: int
    content: int
    text: str
    draft: _Draft | None


@dataclass
class _Fence:
    """An open code fence; it ends with its list item, if it is in one."""

    mark: str
    content: int

    def closed_by(self, text: str) -> bool:
        return text.startswith(self.mark) and not text.strip(self.mark[0] + " \t")


class _ChecklistParser:
    """Takes the lines of a text one by one."""

    def __init__(self) -> None:
        self.title: str | None = None
        self.drafts: list[_Draft] = []
        self.almost: list[str] = []
        self._headings: dict[int, str] = {}
        self._items: list[_Item] = []
        self._fence: _Fence | None = None
        self._in_comment = False
        self._paragraph = ""  # the last line of the running paragraph outside of lists
        self._after_blank = True

    def feed(self, line: str) -> None:
        indent, text = _split(line)
        if self._fence and text and indent < self._fence.content:
            self._fence = None
        if self._fence:
            self._in_fence(line, text)
        elif self._in_comment or text.startswith("<!--"):
            self._in_comment = "-->" not in text
            self._paragraph = ""
        elif not text:
            self._blank()
        else:
            self._block(indent, text, line)
            self._after_blank = False

    def _in_fence(self, line: str, text: str) -> None:
        self._keep(line)
        if self._fence and self._fence.closed_by(text):
            self._fence = None

    def _blank(self) -> None:
        self._keep("")
        self._paragraph, self._after_blank = "", True

    def _block(self, indent: int, text: str, line: str) -> None:
        """Read one line that is not blank and not in a fence or comment."""
        before, self._paragraph = self._paragraph, ""
        marker = HEADING.match(text)
        if indent < TAB and marker:
            self._heading(len(marker[1]), text[marker.end() :])
        elif indent < TAB and before and _is_underline(text):
            self._heading(1 if text[0] == "=" else 2, before)
        elif _is_break(text):
            self._close_items(indent)
        elif opened := _fence(text):
            self._close_items(indent)
            self._keep(line)
            self._fence = _Fence(opened, min(indent, self._items[-1].content) if self._items else 0)
        elif found := MARKER.match(text):
            self._item(indent, text, found)
        else:
            self._prose(indent, text, line)

    def _heading(self, level: int, raw: str) -> None:
        text = _heading_text(raw)
        self._items.clear()
        self._headings = {deeper: name for deeper, name in self._headings.items() if deeper < level}
        if text:
            self._headings[level] = text
        if level == 1 and text and self.title is None:
            self.title = text

    def _prose(self, indent: int, text: str, line: str) -> None:
        """Read a line of text: it belongs to the list item above it, or is a paragraph of its own."""
        quoted = text.startswith(">")
        if self._after_blank or quoted:
            self._close_items(indent)
        if self._items:
            self._keep(line)
        elif not quoted and indent < TAB:
            self._paragraph = text

    def _item(self, indent: int, text: str, marker: re.Match[str]) -> None:
        self._close_items(indent)
        parent = self._items[-1] if self._items else None
        rest, content = text[marker.end() :], indent + marker.end()
        checkbox = CHECKBOX.match(rest)
        nested = None if checkbox or len(self._items) > DEEPEST else MARKER.match(rest)
        own = "" if nested else (rest[checkbox.end() :] if checkbox else rest).strip()
        whole = _under(parent.text, own) if parent else own
        if checkbox and own:
            draft = self._draft(whole, checkbox[1].replace("\t", " "))
        else:
            self._keep(" " * indent + text)
            draft = parent.draft if parent else None
            self.almost += [own] if ALMOST.match(own) else []
        self._items.append(_Item(indent, content, whole, draft))
        if nested:
            self._item(content, rest, nested)
        elif opened := _fence(rest):
            self._fence = _Fence(opened, content)

    def _draft(self, task: str, mark: str) -> _Draft:
        deeper = [self._headings[level] for level in sorted(self._headings) if level > 2]
        phase = self._headings.get(2) or self._headings.get(1)
        self.drafts.append(_Draft(phase, " / ".join(deeper) or None, task, mark))
        return self.drafts[-1]

    def _keep(self, line: str) -> None:
        """Keep a line as notes of the step that it belongs to."""
        if self._items and (draft := self._items[-1].draft):
            owner = next(item for item in self._items if item.draft is draft)
            draft.lines.append(_dedented(line, owner.content))

    def _close_items(self, indent: int) -> None:
        """Leave the list items that something at this indentation is not in."""
        while self._items and indent < self._items[-1].indent + NESTING:
            self._items.pop()


def _split(line: str) -> tuple[int, str]:
    """Return the indentation in columns, and the text without it."""
    text = line.strip(" \t")
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    return len(lead.expandtabs(TAB)), text


def _dedented(line: str, columns: int) -> str:
    indent, text = _split(line)
    return " " * max(indent - columns, 0) + text


def _heading_text(raw: str) -> str:
    """Return the text of a heading: closing #s, trailing blanks and control characters gone."""
    text = raw.strip()
    bare = text.rstrip("#")
    closed = bare if not bare or bare[-1] in " \t" else text
    return " ".join("".join(char if ord(char) >= 32 and char != "\x7f" else " " for char in closed).split())


def _under(parent: str, own: str) -> str:
    """Return a text with that of its parent before it; a long parent is cut."""
    if not own or not parent:
        return own or parent
    lead = parent[: PREFIX_LENGTH - 1] + "…" if len(parent) > PREFIX_LENGTH else EMPTY_END.sub(r"\1", parent)
    return f"{lead}: {own}"


def _is_underline(text: str) -> bool:
    return set(text) in ({"="}, {"-"})


def _is_break(text: str) -> bool:
    marks = text.replace(" ", "").replace("\t", "")
    return len(marks) >= 3 and set(marks) in ({"-"}, {"*"}, {"_"})


def _fence(text: str) -> str | None:
    """Return the run of marks that opens a code fence here, or None."""
    found = FENCE.match(text)
    inline = found and found[1][0] == "`" and "`" in found[2]
    return found[1] if found and not inline else None
