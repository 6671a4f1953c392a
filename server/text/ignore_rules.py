"""Patterns of paths as `.gitignore` has them, and which paths the files of that name leave out.

Source: gitignore(5). A pattern without a slash names a file or folder at any depth, one with a slash a path below the
folder of its file; `*`, `?` and `[a-z]` match no slash, `**` is any number of parts, a slash at the end means folders
only, `!` takes back. The patterns come from whoever wrote the project: each is matched from left to right without
going back, so that none of them takes long.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

FILE = ".gitignore"
MOST_RULES = 2000  # of one file
LONGEST = 1000  # characters of a pattern
# What tools put into a project folder, and nobody looks for anything in.
VENDORED = frozenset(
    (
        ".git", ".hg", ".svn", ".projectmemory", ".next", ".nuxt", ".venv", "venv", "node_modules",
        "bower_components", "__pycache__",
        ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", ".gradle", ".terraform", "build", "dist",
        "site-packages", "target", "vendor",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """A text of fixed length, each character of which may be one of several."""

    length: int
    regex: re.Pattern[str]


Part = tuple[Chunk, ...]  # with a star between each two
Run = tuple[Part, ...]  # parts of a path that follow each other


@dataclass(frozen=True)
class PathPattern:
    """One line of a file of rules. Between each two of its runs any number of parts may stand."""

    runs: tuple[Run, ...]
    negated: bool = False
    folders_only: bool = False

    def matches(self, path: str, *, is_folder: bool = False) -> bool:
        """Return whether it names this very path, relative and with `/` between its parts."""
        return (is_folder or not self.folders_only) and _matches(self.runs, path.split("/"))


@dataclass(frozen=True)
class IgnoreRules:
    """The rules that hold in a folder: those of its own file, and before them those of the folders above it."""

    levels: tuple[tuple[str, tuple[PathPattern, ...]], ...] = ()

    def joined(self, folder: str, text: str) -> "IgnoreRules":
        """Return them with those of the file in `folder`, a path relative to the first one ("" for that itself)."""
        return IgnoreRules((*self.levels, (f"{folder}/" if folder else "", parse(text))))

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Return whether a path is left out. Whoever asks does not go into a folder that is."""
        for base, rules in reversed(self.levels):
            said = verdict(rules, path.removeprefix(base), is_folder=is_folder) if path.startswith(base) else None
            if said is not None:
                return said
        return False


def verdict(rules: Sequence[PathPattern], path: str, *, is_folder: bool) -> bool | None:
    """Return what the last rule that names a path says: True for left out, False for taken back, None for nothing."""
    found = next((rule for rule in reversed(rules) if rule.matches(path, is_folder=is_folder)), None)
    return None if found is None else not found.negated


@lru_cache(256)
def parse(text: str, *, ignore_case: bool = False) -> tuple[PathPattern, ...]:
    """Return the patterns of a file of rules. A line that is none is left out, as git leaves it out."""
    lines = text.removeprefix("\ufeff").splitlines()[:MOST_RULES]
    return tuple(rule for line in lines if (rule := pattern(line, ignore_case=ignore_case)))


def pattern(line: str, *, ignore_case: bool = False) -> PathPattern | None:
    """Return the pattern in one line, or None for a blank one, a comment, and what matches nothing."""
    text = _trimmed(line)
    if not text or text.startswith("#") or len(text) > LONGEST:
        return None
    negated = text.startswith("!")
    text = text[negated:]
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    names = text.removeprefix("/").split("/")
    if "" in names:
        return None
    names = names if "/" in text else ["**", *names]
    if names[-1] == "**":
        names.append("*")  # something in the folder, and not the folder itself
    parts = [None if name == "**" else _part(name, ignore_case) for name in names]
    if () in parts:
        return None
    return PathPattern(tuple(_runs(parts)), negated, folders_only)


def _trimmed(line: str) -> str:
    """Return a line without the spaces at its end that no backslash keeps."""
    text = line.rstrip("\r\n")
    while text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1]
    return text


def _runs(parts: Iterable[Part | None]) -> Iterator[Run]:
    """Yield the parts that follow each other; a `**`, however often repeated, stands between two runs."""
    found: list[Run] = [()]
    for deep, group in groupby(parts, lambda part: part is None):
        if deep:
            found.append(())
        else:
            found[-1] = tuple(part for part in group if part is not None)
    yield from found


def _part(name: str, ignore_case: bool) -> Part:
    """Return what one part of a pattern consists of; nothing for one that matches nothing."""
    chunks, flags = [""], re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    lengths, at = [0], 0
    while at < len(name):
        char, end = name[at], _class_end(name, at)
        if char == "*":
            chunks.append("")
            lengths.append(0)
        elif char in "[\\" and end is None:
            return ()  # a bracket that is not closed, a backslash at the end
        else:
            chunks[-1] += _single(name[at : end or at + 1])
            lengths[-1] += 1
        at = end or at + 1
    return tuple(Chunk(length, _compiled(text, flags)) for text, length in zip(chunks, lengths, strict=True))


@lru_cache(4096)
def _compiled(text: str, flags: int) -> re.Pattern[str]:
    return re.compile(text, flags)


def _class_end(name: str, start: int) -> int | None:
    """Return where a class, or a character behind a backslash, ends; None if neither begins there, or it never ends."""
    if name[start] == "\\":
        return start + 2 if start + 1 < len(name) else None
    if name[start] != "[":
        return None
    at = start + 1 + (name[start + 1 : start + 2] in ("!", "^"))
    first = at
    while at < len(name):
        if name[at] == "]" and at > first:
            return at + 1
        at += 2 if name[at] == "\\" else 1
    return None


def _single(text: str) -> str:
    """Return the regular expression of one character of a pattern: itself, any, one of a class."""
    if text == "?":
        return "."
    if text[0] != "[":
        return re.escape(text[-1])
    inside = text[1:-1]
    negated = inside[0] in "!^"
    items = list(_items(inside[negated:]))
    ranges = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in items if low <= high)
    if not ranges:
        return "." if negated else r"(?!)."
    return f"[{'^' if negated else ''}{ranges}]"


def _items(text: str) -> Iterator[tuple[str, str]]:
    """Yield the first and the last character of each range in a class."""
    chars = re.findall(r"\\.|.", text, re.DOTALL)
    at = 0
    while at < len(chars):
        if chars[at + 1 : at + 2] == ["-"] and at + 2 < len(chars):
            yield chars[at][-1], chars[at + 2][-1]
            at += 3
        else:
            yield chars[at][-1], chars[at][-1]
            at += 1


def _matches(runs: Sequence[Run], names: Sequence[str]) -> bool:
    first, *rest = runs
    if not _fits(first, names, 0) or (not rest and len(first) != len(names)):
        return False
    at = len(first)
    for place, run in enumerate(rest):
        starts = range(at, len(names) - len(run) + 1)
        if place == len(rest) - 1:
            starts = starts[-1:]  # the last one has to reach the end
        found = next((start for start in starts if _fits(run, names, start)), None)
        if found is None:
            return False
        at = found + len(run)
    return True


def _fits(run: Run, names: Sequence[str], at: int) -> bool:
    there = names[at : at + len(run)]
    return len(there) == len(run) and all(_is_named(part, name) for part, name in zip(run, there, strict=True))


def _is_named(part: Part, name: str) -> bool:
    first, *rest = part
    if not rest:
        return first.regex.fullmatch(name) is not None
    found = first.regex.match(name)
    for chunk in rest[:-1]:
        found = chunk.regex.search(name, found.end()) if found else None
    start = len(name) - rest[-1].length
    return found is not None and start >= found.end() and rest[-1].regex.fullmatch(name, start) is not None
