"""The sections of a task: with marks around them, as it is written now, or under headings alone."""

import re

MARK = re.compile(r"^[ \t]*<!-- (?:SECTION:[A-Z_]+|AC|DOD|COMMENTS?):(?:BEGIN|END) -->[ \t]*\n?", re.MULTILINE)
HEADING = re.compile(r"#{1,3}[ \t]+(.*?)[ \t#]*")
ITEM = re.compile(r"[ \t]*[-*][ \t]+\[([ xX])\][ \t]+(?:#\d+[ \t]+)?(.*\S)[ \t]*")


def without_marks(body: str) -> str:
    """Return a text without the comments that only mark where its sections are."""
    return MARK.sub("", body).strip()


def items(body: str, heading: str) -> list[tuple[bool, str]]:
    """Return the items of the section whose heading begins so, each with whether it is checked."""
    found: list[tuple[bool, str]] = []
    is_inside = False
    for line in body.splitlines():
        if told := HEADING.fullmatch(line):
            is_inside = told[1].lower().startswith(heading)
        elif is_inside and (item := ITEM.fullmatch(line)):
            found.append((item[1] != " ", item[2]))
    return found
