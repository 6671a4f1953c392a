"""The sections of a task: with marks around them, as it is written now, or under headings alone."""

import json
import re
from collections.abc import Iterator

NAMED = re.compile(
    r"^([ \t]*(?:assignee|reporter):[ \t]+|[ \t]*-[ \t]+)(@[^\r\n]*|\[[^\r\n]*@[^\r\n]*\])", re.MULTILINE
)
MARK = re.compile(r"^[ \t]*<!-- (?:SECTION:[A-Z_]+|AC|DOD|COMMENTS?):(?:BEGIN|END) -->[ \t]*\n?", re.MULTILINE)
HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t#]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ITEM = re.compile(r"[ \t]*[-*][ \t]+\[([ xX])\][ \t]+(?:#\d+[ \t]+)?(.*\S)[ \t]*")


def with_quotes(text: str) -> str:
    """Return a file whose names in the front matter have the quotes that YAML wants: `@ann` needs none there."""
    end = text.find("\n---", 3)
    return NAMED.sub(_quoted, text[:end]) + text[end:] if text.startswith("---") and end > 0 else text


def _quoted(found: re.Match[str]) -> str:
    told = found[2].strip()
    parts = told[1:-1].split(",") if told.startswith("[") and told.endswith("]") else None
    if parts is None:
        return found[1] + (json.dumps(told, ensure_ascii=False) if told.startswith("@") else found[2])
    named = (json.dumps(one, ensure_ascii=False) if one.startswith("@") else one for one in map(str.strip, parts))
    return f"{found[1]}[{', '.join(named)}]"


def without_marks(body: str) -> str:
    """Return a text without the comments that only mark where its sections are."""
    return MARK.sub("", body).strip()


def items(body: str, heading: str) -> list[tuple[bool, str]]:
    """Return the items of the section whose heading begins so, each with whether it is checked."""
    found: list[tuple[bool, str]] = []
    level = 0  # of that heading, within its section
    for line in _prose(body):
        if told := HEADING.fullmatch(line):
            if told[2].lower().startswith(heading):
                level = len(told[1])
            elif len(told[1]) <= level:
                level = 0
        elif level and (item := ITEM.fullmatch(line)):
            found.append((item[1] != " ", item[2]))
    return found


def _prose(body: str) -> Iterator[str]:
    """Yield the lines of a text that are no code between fences."""
    fence = ""
    for line in body.splitlines():
        mark = FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:
            yield line
