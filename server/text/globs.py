"""Globs of file paths, and whether two of them can match the same path.

`?` is one character, `*` any number of them, `[a-z]` and `[!a-z]` one of a set; none of them matches a `/`. `**` as a
whole part of a path is any number of parts, none included; `{a,b}` is either of two texts. A directory `src/` stands
for all that is in it, `src/**`. Paths are relative, `\\` is a way to write `/`, and upper and lower case differ.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from server.errors import InvalidArguments, NotAllowed

LONGEST = 200
MOST_STARS = 10
MOST_ALTERNATIVES = 16
MOST_CHARACTERS = 1000  # of all alternatives together
CACHED = 8192
LAST = 0x10FFFF
SLASH = ord("/")
STARS = re.compile(r"\*+")
SPECIAL = re.compile(r"[*?\[{]")

# An item of a path is a set of characters, of which it is one, or any number of characters in one part, or of parts.
Intervals = tuple[tuple[int, int], ...]
STAR, DEEP = "*", "**"
INSIDE = "/**"  # stands behind each DEEP: who is there has read a slash, and may read anything
Item = Intervals | str
Path = tuple[Item, ...]

ANY: Intervals = ((0, SLASH - 1), (SLASH + 1, LAST))
ROOT: Intervals = ((SLASH, SLASH),)  # stands before every part


@dataclass(frozen=True)
class Places:
    """Where one can be in a glob: its alternatives stand in a row, and bit n is the place in front of the n-th item.

    Each alternative has one more place, its end. `cuts` divide all characters; those between a cut and the next are
    what the items behind the places `those` can stand for.
    """

    starts: int
    ends: int
    stars: int
    deep: int
    inside: int
    cuts: Sequence[int]
    those: Sequence[int]

    def reading(self, item: Intervals) -> int:
        """Return the places in front of items that share a character with this one."""
        found = 0
        for first, last in item:
            for at in range(bisect_right(self.cuts, first) - 1, bisect_right(self.cuts, last)):
                found |= self.those[at]
        return found

    def after(self, reached: int, item: Intervals) -> int:
        """Return where one comes from there by reading such a character."""
        stays = self.inside if item == ROOT else self.inside | self.stars
        leads_on = self.reading(item) | (self.deep if item == ROOT else 0)
        return self.and_on((reached & leads_on) << 1 | reached & stays)

    def after_any(self, reached: int, leads_on: int) -> int:
        """Return where one comes from there along the places `leads_on`, each of which leads to the next."""
        return self.and_on(reached | ((leads_on + (reached & leads_on)) ^ leads_on))  # the carry runs on to their end

    def and_on(self, reached: int) -> int:
        """Return these places and those to which one comes by reading nothing."""
        reached |= (reached & (self.inside | self.stars)) << 1
        return reached | (reached & self.deep) << 2


@dataclass(frozen=True)
class Glob:
    """A glob ready to be compared: `prefix` is how all its paths begin, `paths` are its alternatives."""

    prefix: str
    paths: tuple[Path, ...]
    places: Places


def normal(pattern: str) -> str:
    """Return the one spelling of a relative glob; refuse one that leads out, matches nothing or is too much."""
    text = _spelled(pattern)
    if sum(map(len, _compiled(text).paths)) > MOST_CHARACTERS:
        raise InvalidArguments(
            f"{_shown(text)} is too much for one pattern: with its braces written out it has more than "
            f"{MOST_CHARACTERS} characters. Send several patterns."
        )
    return text


def _spelled(pattern: str) -> str:
    parts = [part for part in pattern.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join([*parts, "**"] if pattern.endswith(("/", "\\")) or pattern == "." else parts)


@lru_cache(CACHED)
def overlap(one: str, other: str) -> bool:
    """Return whether some path is matched by both globs."""
    a, b = _compiled(_spelled(one)), _compiled(_spelled(other))
    if not (a.prefix.startswith(b.prefix) or b.prefix.startswith(a.prefix)):
        return False
    return any(_meets(path, b.places) for path in a.paths)


def covering(patterns: Iterable[str], path: str, *, folds_case: bool = False) -> str | None:
    """Return the first of the globs that matches a relative path, or None; one behind a `!` takes away what it matches.

    A glob that cannot be read matches nothing.
    """
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    spelled = "/".join(parts).lower() if folds_case else "/".join(parts)
    items = tuple(item for part in spelled.split("/") for item in (ROOT, *(((ord(char), ord(char)),) for char in part)))
    found = [one for one in patterns if _matches(one.removeprefix("!"), items, folds_case)]
    return None if any(one.startswith("!") for one in found) else next(iter(found), None)


def _matches(pattern: str, items: Path, folds_case: bool) -> bool:
    try:
        glob = _compiled(_spelled(pattern.lower() if folds_case else pattern))
    except (InvalidArguments, NotAllowed):
        return False
    return _meets(items, glob.places)


def _meets(path: Path, its: Places) -> bool:
    """Return whether some path that this alternative matches leads through the places of a glob to an end."""
    everywhere = its.ends - its.starts  # all places but the ends: the starts are the first ones, and behind each end
    reached = its.and_on(its.starts)
    for item in path:
        if item == DEEP:
            reached |= its.after_any(its.after(reached, ROOT), everywhere)
        elif item == STAR:
            reached = its.after_any(reached, everywhere & ~(its.deep | its.reading(ROOT)))
        elif not isinstance(item, str):
            reached = its.after(reached, item)
        if not reached:
            return False
    return bool(reached & its.ends)


@lru_cache(CACHED)
def _compiled(text: str) -> Glob:
    if len(text) > LONGEST or len(STARS.findall(text)) > MOST_STARS:
        raise InvalidArguments(
            f"{_shown(text)} is too much for one pattern: at most {LONGEST} characters and {MOST_STARS} stars. "
            "Name a directory (src/) or several patterns."
        )
    paths = [path for path in dict.fromkeys(_path(each, text) for each in _alternatives(text)) if path]
    if not paths:
        raise InvalidArguments(f"{_shown(text)} matches no path. Name a file, a directory (src/) or a glob (src/*.py).")
    return Glob(SPECIAL.split(text, 1)[0].rstrip("/"), tuple(paths), _places(paths))


def _places(paths: Iterable[Path]) -> Places:
    row = [item for path in paths for item in (*path, "")]
    ends = _bits(row, "")
    changed: dict[int, int] = {0: 0}
    for at, item in enumerate(row):
        for first, last in () if isinstance(item, str) else item:
            changed[first] = changed.get(first, 0) ^ 1 << at
            changed[last + 1] = changed.get(last + 1, 0) ^ 1 << at
    cuts = sorted(changed)
    those = list(accumulate((changed[cut] for cut in cuts), int.__xor__))
    return Places(
        (ends << 1 | 1) & ~(1 << len(row)), ends, _bits(row, STAR), _bits(row, DEEP), _bits(row, INSIDE), cuts, those
    )


def _bits(row: Sequence[Item], wanted: str) -> int:
    return sum(1 << at for at, item in enumerate(row) if item == wanted)


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
    items = list[Item]()
    names = text.split("/")
    if ".." in names:
        raise NotAllowed(f"{_shown(pattern)} leads out with '..'. Name paths inside the workspace.")
    told = [name for name in names if name not in ("", ".")]
    for name in [*told, "**"] if told and not names[-1] else told:
        if name != "**":
            items += [ROOT, *_part(name, pattern)]
        elif items[-1:] != [INSIDE]:
            items += [DEEP, INSIDE]
    return tuple(items)


def _part(name: str, pattern: str) -> list[Item]:
    """Return the characters of one part of a path."""
    found = list[Item]()
    at = 0
    while at < len(name):
        end = _class_end(name, at)
        if name[at] == "*":
            found += [STAR] if found[-1:] != [STAR] else []
        elif name[at] == "?":
            found.append(ANY)
        elif end:
            found.append(_class(name[at + 1 : end], pattern))
            at = end
        else:
            found.append(((ord(name[at]), ord(name[at])),))
        at += 1
    return found


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
    chosen = _inverted(ranges)
    if chosen := _common(chosen if negated else _inverted(chosen), ANY):
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
