"""Which agents, instructions and skills fit a piece of work, and why: told by `memory_library match` and briefings."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from server.models.library import LibraryItem
from server.text import globs, text_analysis
from server.text.names import folded

# What a word weighs where it stands, and the share of a question's words by weight that is a match.
IN_NAME, IN_TAGS, IN_DESCRIPTION = 3.0, 2.0, 1.0
ENOUGH, ENOUGH_NAMED = 0.3, 0.1
ROOT = 4  # letters of a word that a name may come from
MOST_WORDS = 6  # that a reason names


@dataclass(frozen=True)
class Wanted:
    """What somebody is about to do: words, a file, and what it is written in."""

    words: str = ""
    path: str | None = None
    language: str | None = None
    framework: str | None = None
    folds_case: bool = False


@dataclass(frozen=True)
class Fitting:
    """A definition that fits: how well, and why."""

    found: LibraryItem
    score: float
    why: list[str]


def fitting(
    rows: Sequence[LibraryItem], wanted: Wanted, assigned: Mapping[tuple[str, str], str | None]
) -> list[Fitting]:
    """Return the definitions that fit, the best first; those that are assigned before all others.

    `assigned` are notes by kind and name.
    """
    terms = text_analysis.parse(wanted.words) if wanted.words.strip() else []
    weights = _weights(terms, rows)
    found = [one for row in rows if (one := _fit(row, wanted, weights, assigned))]
    return sorted(found, key=lambda one: (-one.score, one.found.kind, folded(one.found.name)))


def has_words(row: LibraryItem, query: str) -> bool:
    """Return whether all words of a query occur in a definition."""
    terms = text_analysis.parse(query) if query.strip() else []
    text = " ".join((row.name, row.description, *row.tags, row.category or "", row.body))
    return not terms or all(_is_in(term, _stems(text)) for term in terms)


def _weights(
    terms: Iterable[text_analysis.Term], rows: Sequence[LibraryItem]
) -> list[tuple[text_analysis.Term, float]]:
    """Return what each word tells: one that is in many definitions tells little."""
    heads = [_stems(_head(row)) for row in rows]
    often = Counter(term.word for term in terms for head in heads if _is_in(term, head))
    return [(term, math.log((len(rows) + 1) / (often[term.word] + 0.5))) for term in terms]


def _fit(
    row: LibraryItem,
    wanted: Wanted,
    weights: Sequence[tuple[text_analysis.Term, float]],
    assigned: Mapping[tuple[str, str], str | None],
) -> Fitting | None:
    if _excluded(row.languages, wanted.language) or _excluded(row.frameworks, wanted.framework):
        return None
    score, why = 0.0, list[str]()
    if (row.kind, row.name) in assigned:
        notes = assigned[row.kind, row.name]
        score += 100
        why.append(f"assigned to this workspace{f': {notes}' if notes else ''}")
    if wanted.path is not None and row.kind == "instruction":
        if glob := globs.covering(row.applies_to, wanted.path, folds_case=wanted.folds_case):
            score += 10
            why.append(f"applies to {wanted.path} ({glob})")
        elif row.applies_to and not why:
            return None
    for what, value, has in (
        ("language", wanted.language, row.languages),
        ("framework", wanted.framework, row.frameworks),
    ):
        if value and _holds(has, value):
            score += 3
            why.append(f"{what} {value}")
    by_words, words = _by_words(row, weights)
    if words:
        score += by_words
        why.append(f"words: {', '.join(words[:MOST_WORDS])}")
    return Fitting(row, score, why) if why else None


def _by_words(row: LibraryItem, weights: Sequence[tuple[text_analysis.Term, float]]) -> tuple[float, list[str]]:
    """Return what the words of a definition are worth, and which they are; nothing if they are too few."""
    places = (
        (IN_NAME, row.name),
        (IN_TAGS, " ".join((*row.tags, row.category or ""))),
        (IN_DESCRIPTION, row.description),
    )
    score, shared, whole = 0.0, 0.0, sum(weight for _, weight in weights)
    words = list[str]()
    is_named = False
    for term, weight in weights:
        there = [factor for factor, text in places if _is_in(term, _stems(text))]
        there += [IN_NAME] if _begins(term, _stems(row.name)) else []
        if there:
            score += weight * max(there)
            shared += weight
            words.append(term.raw)
            is_named = is_named or max(there) > IN_DESCRIPTION
    return (score, words) if words and shared >= whole * (ENOUGH_NAMED if is_named else ENOUGH) else (0.0, [])


def _excluded(has: Sequence[str], value: str | None) -> bool:
    return value is not None and bool(has) and not _holds(has, value)


def _holds(has: Iterable[str], value: str) -> bool:
    return folded(value) in map(folded, has)


def _head(row: LibraryItem) -> str:
    return " ".join((row.name, *row.tags, row.category or "", row.description))


def _is_in(term: text_analysis.Term, stems: frozenset[str]) -> bool:
    return any(stems.issuperset(way) for way in term.ways)


def _begins(term: text_analysis.Term, stems: frozenset[str]) -> bool:
    """Return whether a name comes from a word, as `Reviewer` does from `review`."""
    begun = [stem for way in term.ways for stem in way if len(stem) >= ROOT]
    return any(name.startswith(stem) for stem in begun for name in stems)


@lru_cache(maxsize=1024)
def _stems(text: str) -> frozenset[str]:
    return frozenset(text_analysis.prepare(text).split())
