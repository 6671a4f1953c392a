"""Shortens a long research file for reading: the oldest sections shrink to their headings, the newest stays whole."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from server.text.markdown import levelled
from server.tools.render import size_of

MARK = re.compile(r"\[Summarized\] \d+ lines? condensed")
SECTION = 2  # the level of the headings that begin one

Lines = list[str]


def condense(text: str, most: int) -> str:
    """Return `text` with as many of its oldest `##` sections condensed as it takes to fit into `most` bytes.

    All headings stay, and so does the newest section, however long. What was condensed before is left as it is.
    """
    excess = size_of(text) - most
    if excess <= 0:
        return text
    start, *sections = _sections(text.split("\n"))
    for number, section in enumerate(sections[:-1]):
        if excess <= 0:
            break
        short = _condensed(section)
        excess -= size_of("\n".join(section)) - size_of("\n".join(short))
        sections[number] = short
    return "\n".join(line for part in (start, *sections) for line in part)


def is_condensed(text: str, most: int) -> bool:
    """Return whether `condense` makes the text shorter, without more work than it takes to find that out."""
    if size_of(text) <= most:
        return False
    parts = _sections(text.split("\n"))
    next(parts)  # what stands before the first section stays
    return any(_condensed(section) != section for section, _ in pairwise(parts))


def _sections(lines: Iterable[str]) -> Iterator[Lines]:
    """Return the lines before the first section, and those of each section from its heading on."""
    part: Lines = []
    for line, level in levelled(lines):
        if level == SECTION:
            yield part
            part = []
        part.append(line)
    yield part


def _condensed(section: Lines) -> Lines:
    """Return the headings of a section and how many lines of text went, or the section if that is not shorter."""
    if any(MARK.fullmatch(line.strip()) for line in section):
        return section
    lines = list(levelled(section))
    headings = [line for line, level in lines if level]
    gone = sum(not level and bool(line.strip()) for line, level in lines)
    mark = f"[Summarized] {gone} line{'s' if gone != 1 else ''} condensed"
    short = [headings[0], mark, *headings[1:], ""]
    return short if gone and size_of("\n".join(short)) < size_of("\n".join(section)) else section
