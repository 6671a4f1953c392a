"""Globs of file paths, and whether two of them can match the same path.

`?` is one character, `*` any number of them, `[a-z]` and `[!a-z]` one of a set; none of them matches a `/`. `**` as a
whole part of a path is any number of parts, none included; `{a,b}` is either of two texts. A directory `src/` stands
for all that is in it, `src/**`. Paths are relative, `\\` is a way to write `/`, and upper and lower case differ.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

from server.errors import InvalidArguments, NotAllowed

LONGEST = 200
MOST_STARS = 10
MOST_ALTERNATIVES = 16
CACHED = 8192
LAST = 0x10FFFF
SLASH = ord("/")
STARS = re.compile(r"\*+")
SPECIAL = re.compile(r"[*?\[{]")

# None stands for any number of items: of characters in a part, of parts in a path.
Intervals = tuple[tuple[int, int], ...]
Part = tuple[Intervals | None, ...]
Path = tuple[Part | None, ...]
Item = TypeVar("Item")

ANY: Intervals = ((0, SLASH - 1), (SLASH + 1, LAST))


@dataclass(frozen=True)
class Glob:
    """A glob ready to be compared: `prefix` is how all its paths begin, `paths` are its alternatives."""

    prefix: str
    paths: tuple[Path, ...]


@lru_cache(CACHED)
def normal(pattern: str) -> str:
    """Return the one spelling of a relative glob; refuse one that leads out, matches nothing or is too much."""
    parts = [part for part in pattern.replace("\\", "/").split("/") if part not in ("", ".")]
    text = "/".join([*parts, "**"] if pattern.endswith(("/", "\\")) or pattern == "." else parts)
    _compiled(text)
    return text


def overlap(one: str, other: str) -> bool:
    """Return whether some path is matched by both globs."""
    a, b = _compiled(normal(one)), _compiled(normal(other))
    if not (a.prefix.startswith(b.prefix) or b.prefix.startswith(a.prefix)):
        return False
    return any(_meet(path, its, _parts_meet) for path in a.paths for its in b.paths)


def _meet(one: Sequence[Item | None], other: Sequence[Item | None], alike: Callable[[Item, Item], bool]) -> bool:
    """Return whether two sequences can stand for the same one.

    Bit n of `reached` says that what was read of `one` can end where the first n items of `other` do.
    """
    many = sum(1 << at for at, item in enumerate(other) if item is None)
    everywhere = (1 << len(other) + 1) - 1
    reached = 1
    for item in one:
        reached |= (reached & many) << 1
        if item is None:
            reached = everywhere & -(reached & -reached)
        else:
            met = [at for at, its in enumerate(other) if its is not None and reached >> at & 1 and alike(item, its)]
            reached = sum(2 << at for at in met) | (reached & many)
    reached |= (reached & many) << 1
    return bool(reached >> len(other) & 1)


def _parts_meet(one: Part, other: Part) -> bool:
    return _meet(one, other, _characters_meet)


def _characters_meet(one: Intervals, other: Intervals) -> bool:
    return one == other or any(a <= b_last and b <= a_last for a, a_last in one for b, b_last in other)


@lru_cache(CACHED)
def _compiled(text: str) -> Glob:
    if len(text) > LONGEST or len(STARS.findall(text)) > MOST_STARS:
        raise InvalidArguments(
            f"{_shown(text)} is too much for one pattern: at most {LONGEST} characters and {MOST_STARS} stars. "
            "Name a directory (src/) or several patterns."
        )
    paths = [path for path in (_path(each, text) for each in _alternatives(text)) if path]
    if not paths:
        raise InvalidArguments(f"{_shown(text)} matches no path. Name a file, a directory (src/) or a glob (src/*.py).")
    return Glob(SPECIAL.split(text, 1)[0].rstrip("/"), tuple(paths))


def _shown(text: str) -> str:
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def _alternatives(text: str) -> list[str]:
    """Resolve the groups {a,b}; braces without a comma or without a partner stand for themselves, as in a shell."""
    group = next(filter(None, (_group(text, at) for at, char in enumerate(text) if char == "{")), None)
    if group is None:
        return [text]
    start, commas, end = group
    edges = [start, *commas, end]
    options = [each for a, b in pairwise(edges) for each in _alternatives(text[a + 1 : b])]
    tails = _alternatives(text[end + 1 :])
    if len(options) * len(tails) > MOST_ALTERNATIVES:
        raise InvalidArguments(
            f"{_shown(text)} has more than {MOST_ALTERNATIVES} alternatives in braces. Send several patterns."
        )
    return [text[:start] + option + tail for option in options for tail in tails]


def _group(text: str, start: int) -> tuple[int, list[int], int] | None:
    """Return where the group that opens at `start` begins, has its commas, and ends."""
    depth, commas = 0, list[int]()
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return (start, commas, at) if commas else None
        if depth == 1 and text[at] == ",":
            commas.append(at)
    return None


def _path(text: str, pattern: str) -> Path:
    parts = list[Part | None]()
    names = text.split("/")
    if ".." in names:
        raise NotAllowed(f"{_shown(pattern)} leads out with '..'. Name paths inside the workspace.")
    told = [name for name in names if name not in ("", ".")]
    for name in [*told, "**"] if told and not names[-1] else told:
        part = None if name == "**" else _part(name, pattern)
        if part is not None or parts[-1:] != [None]:
            parts.append(part)
    return tuple(parts)


def _part(name: str, pattern: str) -> Part:
    """Return the characters of one part of a path."""
    found = list[Intervals | None]()
    at = 0
    while at < len(name):
        end = _class_end(name, at)
        if name[at] == "*":
            found += [None] if found[-1:] != [None] else []
        elif name[at] == "?":
            found.append(ANY)
        elif end:
            found.append(_class(name[at + 1 : end], pattern))
            at = end
        else:
            found.append(((ord(name[at]), ord(name[at])),))
        at += 1
    return tuple(found)


def _class_end(name: str, start: int) -> int | None:
    """Return where the class that opens at `start` closes, or None if none opens there. A `]` may be its first."""
    if name[start] != "[":
        return None
    first = start + 1 + (name[start + 1 : start + 2] in ("!", "^"))
    end = name.find("]", first + 1)
    return end if end > 0 else None


def _class(text: str, pattern: str) -> Intervals:
    negated, rest = text[0] in "!^", text[text[0] in "!^" :]
    told = ((ord(found[1]), ord(found[2] or found[1])) for found in re.finditer("(.)(?:-(.))?", rest, re.DOTALL))
    ranges = sorted((first, last) for first, last in told if first <= last)
    if chosen := _common(_inverted(ranges) if negated else ranges, ANY):
        return chosen
    raise InvalidArguments(f"{_shown(pattern)} matches nothing: the set [{text}] is empty. [[] is a bracket itself.")


def _common(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> Intervals:
    shared = [(max(a, b), min(a_last, b_last)) for a, a_last in one for b, b_last in other]
    return tuple((first, last) for first, last in shared if first <= last)


def _inverted(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the characters that are in none of the ranges, which are in order."""
    gaps, free = list[tuple[int, int]](), 0
    for first, last in ranges:
        if first > free:
            gaps.append((free, first - 1))
        free = max(free, last + 1)
    return [*gaps, (free, LAST)] if free <= LAST else gaps
