"""Shortens a long research file for reading: the oldest sections shrink to their headings, the newest stays whole."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
MARK = re.compile(r"\[Summarized\] \d+ lines? condensed")
SECTION = 2  # the level of the headings that begin one

Lines = list[str]


def condense(text: str, most: int) -> str:
    """Return `text` with as many of its oldest `##` sections condensed as it takes to fit into `most` bytes.

    All headings stay, and so does the newest section, however long. What was condensed before is left as it is.
    """
    excess = _size(text) - most
    if excess <= 0:
        return text
    start, *sections = _sections(text.split("\n"))
    for number, section in enumerate(sections[:-1]):
        if excess <= 0:
            break
        short = _condensed(section)
        excess -= _size("\n".join(section)) - _size("\n".join(short))
        sections[number] = short
    return "\n".join(line for part in (start, *sections) for line in part)


def is_condensed(text: str, most: int) -> bool:
    """Return whether `condense` makes the text shorter, without more work than it takes to find that out."""
    if _size(text) <= most:
        return False
    parts = _sections(text.split("\n"))
    next(parts)  # what stands before the first section stays
    return any(_condensed(section) != section for section, _ in pairwise(parts))


def _sections(lines: Iterable[str]) -> Iterator[Lines]:
    """Return the lines before the first section, and those of each section from its heading on."""
    part: Lines = []
    for line, level in _levelled(lines):
        if level == SECTION:
            yield part
            part = []
        part.append(line)
    yield part


def _levelled(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Return each line with the level of the heading it is, or 0. A code fence has no headings."""
    fence = ""
    for line in lines:
        run = mark[1] if (mark := FENCE.match(line)) else ""
        heading = HEADING.match(line)
        yield line, len(heading[1]) if heading and not fence else 0
        if not fence:
            fence = run
        elif run.startswith(fence) and line.strip(" \t\r") == run:
            fence = ""


def _condensed(section: Lines) -> Lines:
    """Return the headings of a section and how many lines of text went, or the section if that is not shorter."""
    if any(MARK.fullmatch(line.strip()) for line in section):
        return section
    levelled = list(_levelled(section))
    headings = [line for line, level in levelled if level]
    gone = sum(not level and bool(line.strip()) for line, level in levelled)
    mark = f"[Summarized] {gone} line{'s' if gone != 1 else ''} condensed"
    short = [headings[0], mark, *headings[1:], ""]
    return short if gone and _size("\n".join(short)) < _size("\n".join(section)) else section


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
