"""BACKLOG.md with what became of its tasks: marks, titles, texts, sections, and tasks that were added here."""

import re
from dataclasses import dataclass, field
from typing import Any

from server.exporters.legacy.entries import Change, Row
from server.importers.agent_hive import backlog as reading

MARK = re.compile(r"^([ \t]*(?:[-*+]|\d+[.)])[ \t]+\[)[ xX~/-](\])")
MARKS = {"done": "x", "active": "~", "cancelled": "-"}
SYSTEM = "agent-hive"
HEADING = "## "


@dataclass
class BacklogLines:
    """The lines of a file: `gone` are left out, `after` are put behind a line."""

    found: list[str]
    gone: set[int] = field(default_factory=set[int])
    after: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    def text(self) -> str:
        written: list[str] = []
        for number, line in enumerate(self.found):
            written += [] if number in self.gone else [line]
            written += self.after.get(number, [])
        return "\n".join(written)


def changed(data: bytes, path: str, known: Change) -> bytes:
    """Return the backlog with what changed of its plan; its bytes if nothing did."""
    text = data.decode("utf-8", "surrogateescape")
    plan_id = next((key for table, key in known.of_file(path, "plans") if table == "plans"), None)
    if plan_id is None or reading.parsed(text).items == []:
        return data
    before, now = known.table("steps")
    lines = BacklogLines(text.split("\n"))
    end = "\r" if text.count("\r\n") > text.count("\n") / 2 else ""
    own = {key for _, key in known.of_file(path, "steps")}
    for key in own:
        _one(lines, before[key], now.get(key), known, end)
    new = [row for key, row in now.items() if row.get("plan_id") == plan_id and key not in own]
    for row in sorted(new, key=lambda row: int(row["order_index"])):
        _put(lines, _section(row, known), [_line(row) + end], end)
    written = lines.text().encode("utf-8", "surrogateescape")
    return data if written == data else written


def _one(lines: BacklogLines, before: Row, now: Row | None, known: Change, end: str) -> None:
    """Change the lines of one task."""
    told = before["extra"][SYSTEM]
    first = int(told["line"]) - 1
    if now is None:
        lines.gone |= {first, *_continued(lines, first, told["raw"])}
        return
    lines.found[first] = _marked(lines.found[first], before, now)
    if now["task"] != before["task"]:
        lines.found[first] = lines.found[first].replace(before["task"], now["task"], 1)
    if now["notes"] != before["notes"]:
        _describe(lines, first, told["raw"], now, end)
    if now["phase_id"] != before["phase_id"]:
        moved = [first, *_continued(lines, first, told["raw"])]
        _put(lines, _section(now, known), [lines.found[number] for number in moved], end)
        lines.gone |= set(moved)


def _marked(line: str, before: Row, now: Row) -> str:
    if now["status"] == before["status"]:
        return line
    return MARK.sub(rf"\g<1>{MARKS.get(now['status'], ' ')}\g<2>", line)


def _continued(lines: BacklogLines, first: int, raw: str) -> list[int]:
    """Return the lines that a task goes on with, right below its own."""
    found: list[int] = []
    for place, line in enumerate(raw.split("\n")[1:], first + 1):
        if lines.found[place].rstrip("\r") != line.rstrip("\r"):
            break
        found.append(place)
    return found


def _describe(lines: BacklogLines, first: int, raw: str, now: Row, end: str) -> None:
    """Write what a task says anew, behind its title and on the lines below it."""
    head = reading.BOLD.search(lines.found[first])
    start = lines.found[first][: head.start("rest")].rstrip(" :-") if head else lines.found[first].partition(" - ")[0]
    one, *more = (now["notes"] or "").split("\n")
    lines.found[first] = (f"{start} - {one}" if one else start) + end
    lines.gone |= set(_continued(lines, first, raw))
    lines.after.setdefault(first, [])[:0] = [f"  {line}{end}" for line in more]


def _section(row: Row, known: Change) -> str:
    phases: dict[str, Any] = {**known.before.get("phases", {}), **known.now.get("phases", {})}
    return str(phases[row["phase_id"]]["name"])


def _put(lines: BacklogLines, section: str, new: list[str], end: str) -> None:
    """Put lines behind the last task of a section, or into a section of their own at the end."""
    inside = False
    place = None
    for number, line in enumerate(lines.found):
        if heading := reading.HEADING.match(line.rstrip("\r")):
            if len(heading[1]) <= len(HEADING.strip()):
                inside = heading[2] == section
            place = number if inside and place is None else place
        elif inside and (reading.ITEM.match(line.rstrip("\r")) or (place is not None and line[:2] == "  ")):
            place = number
    if place is None:
        place = len(lines.found) - 1
        new = [end, f"{HEADING}{section}{end}", *new]
    lines.after.setdefault(place, []).extend(new)


def _line(row: Row) -> str:
    mark = MARKS.get(row["status"], " ")
    notes = " ".join((row["notes"] or "").split("\n"))
    return f"- [{mark}] **{row['task']}**" + (f" - {notes}" if notes else "")
