"""JSON of a file that may hold one value, one a line, or several one after the other, whatever its name ends in."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from server.importers.reading import Note, UnreadableFile, parse

BETWEEN = re.compile(r"[\s,\x1e]*")
MOST_FAULTS = 1000  # what has more is no JSON; the rest is kept as bytes alone
EXTENT = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Located:
    """A value, and where in the file it begins and ends: lines from 1, and characters from 0."""

    line: int
    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be read, from a line on, and why."""

    line: int
    why: str


def values_in(text: str, notes: list[Note]) -> tuple[list[Located], list[Fault]]:
    """Return every value of a text, and what is none. A broken one costs itself alone: the next line begins anew.

    `notes` tell what had to be borne.
    """
    try:
        start = len(text) - len(text.lstrip())
        return [Located(text.count("\n", 0, start) + 1, parse(text, notes), start, len(text.rstrip()))], []
    except UnreadableFile:
        notes.clear()
    found: list[Located] = []
    faults: list[Fault] = []
    for item in _one_by_one(text, notes):
        if isinstance(item, Located):
            found.append(item)
            continue
        faults.append(item)
        if len(faults) == MOST_FAULTS:
            break
    return found, faults


def _one_by_one(text: str, notes: list[Note]) -> Iterator[Located | Fault]:
    line, counted, place = 1, 0, 0
    while True:
        between = BETWEEN.match(text, place)
        place = between.end() if between else place
        if place >= len(text):
            return
        line, counted = line + text.count("\n", counted, place), place
        try:
            _, end = EXTENT.raw_decode(text, place)
            own: list[Note] = []
            yield Located(line, parse(text[place:end], own), place, end)
            notes.extend(own)
        except (json.JSONDecodeError, RecursionError, UnreadableFile, ValueError) as error:
            end = _next_line(text, place)
            yield Fault(line, _told(error, text[place:end]))
        place = end


def _next_line(text: str, place: int) -> int:
    """Return where the next line begins that may begin a value; the rest of a broken value is passed over."""
    while (newline := text.find("\n", place)) >= 0:
        place = newline + 1
        if text[place : place + 1] in ("{", "["):
            return place
    return len(text)


def _told(error: Exception, text: str) -> str:
    what = error.msg.removesuffix(" starting at") if isinstance(error, json.JSONDecodeError) else str(error)
    return f"no JSON: {what} in {text.strip()[:80]!r}"
