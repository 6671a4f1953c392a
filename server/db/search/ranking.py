"""How well a document fits a query: roughly in SQL, to choose among thousands, and well in Python, to rank the best.

Both count as BM25F does: a word in the title counts more, the same word again and again ever less, in a long text less.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import accumulate
from typing import Any

from server.db.storage.driver import Record
from server.text import text_analysis
from server.text.text_analysis import BODY_LENGTH, LENGTH_SHARE, TITLE_LENGTH, TITLE_WEIGHT, Term

WEIGHED = 500  # documents that are weighed in SQL; a word that more have is common
REQUIRED = 6  # words that must match; more of them only rank
ENOUGH = 10  # hits with all words, besides which no others are looked for

FITTED = 3  # of the rarest words, where it is only roughly told
WORD_SIZE = 6.0  # characters, with the blank behind it
SATURATION = 1.2
COMPLETION_WEIGHT = 0.5
WHOLE_WEIGHT = 2.0  # a name as it is written in the query, not only the words it is made of
TOGETHER = 1.15  # words of a query that stand side by side
ELSEWHERE = 0.2  # a word in the part of a long text that is not ranked by
RECENCY, HALF_LIFE_DAYS = 0.25, 30.0
EXACT = 100.0
NEAR_BEST = 0.35  # the share of the best score from which on a hit without all words is worth its bytes
KIND_WEIGHTS = {
    "plan": 1.15, "session": 0.9, "message": 0.8, "action": 0.8, "agent": 0.5, "instruction": 0.5, "skill": 0.5,
}  # fmt: skip
SHIPPED_SHARE = 0.25  # of a document that ships with the server, where there are too many to rank
BELOW = 0.999


@dataclass(frozen=True)
class Query:
    """A parsed query: its terms, and how many documents of its scope have each, up to one more than are weighed."""

    text: str
    terms: Sequence[Term]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def stems(self) -> frozenset[str]:
        return frozenset[str]().union(*(term.stems for term in self.terms))

    @property
    def is_known(self) -> bool:
        return all(self.counts[term.word] for term in self.terms)

    @property
    def known(self) -> list[Term]:
        """Return the terms that anything has, the rarest first, as many as are asked for."""
        known = (term for term in self.terms if self.counts.get(term.word))
        return sorted(known, key=lambda term: self.counts[term.word])[:REQUIRED]

    @property
    def rare(self) -> list[Term]:
        """Return as many of the known terms as there are documents to weigh that have any of them."""
        known = self.known
        together = accumulate(self.counts[term.word] for term in known)
        return [term for term, count in zip(known, together, strict=True) if count <= WEIGHED]

    def are_common(self, terms: Iterable[Term]) -> bool:
        return all(self.counts[term.word] > WEIGHED for term in terms)

    @property
    def together(self) -> str:
        """Return the words as they stand side by side in a text; nothing for a single one."""
        return f" {' '.join(' '.join(term.ways[0]) for term in self.terms)} " if len(self.terms) > 1 else ""

    def weight(self, term: Term) -> float:
        return 1 + math.log((WEIGHED + 2) / (self.counts[term.word] + 1))


@dataclass(slots=True)
class Ranked:
    """A candidate: whether it has all words of the query, bears its very name, and what it scores."""

    row: Record
    whole: bool = True
    named: bool = False
    score: float = 0.0

    @property
    def is_shipped(self) -> bool:
        return self.row["trust"] == "human"

    @property
    def is_library(self) -> bool:
        return self.is_shipped and self.row["kind"] != "action"


@dataclass(frozen=True)
class Sought:
    """What is counted in the texts of a candidate for one term, and how much it weighs."""

    weight: float
    ways: tuple[tuple[str, ...], ...]
    begun: str  # as the words begin that complete the term
    only: str  # when there is one way, of one word

    def is_in(self, row: Record) -> bool:
        return bool(self.count(f" {row['title']} ") or self.count(f" {row['body']} ") or row["whole"])

    def count(self, text: str) -> float:
        if self.only:
            exact = text.count(self.only)
        else:
            exact, *named = (min(map(text.count, way)) for way in self.ways)
            exact = max(exact, WHOLE_WEIGHT * max(named)) if named else exact
        return exact + COMPLETION_WEIGHT * max(text.count(self.begun) - exact, 0) if self.begun else exact


@dataclass(frozen=True)
class Fit:
    """SQL that tells roughly how well documents `d` fit: what is measured of each, once, and the score it makes."""

    measured: str
    score: str
    params: dict[str, Any]


def fit(asked: Query) -> Fit:
    """Return how well documents fit, by the rarest words, roughly. It is for very many rows, so it costs little."""
    terms = asked.known[:FITTED]
    forms = [max(term.ways[0], key=len) for term in terms]
    measured = ["d.kind, d.trust, length(d.title) AS title_size, length(d.body) AS body_size"]
    measured += [_without(text, number) for number in range(len(forms)) for text in ("title", "body")]
    measured += ["(instr(d.title, :together) > 0) + (instr(d.body, :together) > 0) AS together"]
    title, body = _norm_of("title", TITLE_LENGTH), _norm_of("body", BODY_LENGTH)
    scores = (
        f":weight{number} * (1 - {SATURATION} / ({SATURATION}"
        f" + :titled{number} * coalesce(title_size - title{number}, 0) / {title}"
        f" + :told{number} * coalesce(body_size - body{number}, 0) / {body}))"
        for number in range(len(terms))
    )
    kinds = "".join(f" WHEN '{kind}' THEN {weight}" for kind, weight in KIND_WEIGHTS.items())
    factors = (
        f"({' + '.join(scores) or 1})",
        f"CASE together WHEN 1 THEN {TOGETHER} WHEN 2 THEN {TOGETHER**2} ELSE 1 END",
        f"CASE kind{kinds} ELSE 1 END",
        f"CASE trust WHEN 'human' THEN {SHIPPED_SHARE} ELSE 1 END",
    )
    params: dict[str, Any] = {"together": asked.together.strip() or None}
    for number, (term, form) in enumerate(zip(terms, forms, strict=True)):
        params |= {f"form{number}": form, f"weight{number}": asked.weight(term)}
        params |= {f"titled{number}": TITLE_WEIGHT / len(form), f"told{number}": 1 / len(form)}
    return Fit(", ".join(measured), " * ".join(factors), params)


def _without(text: str, number: int) -> str:
    """Return how long a text is without a word. Where it is a part of other words it counts as well."""
    form = f":form{number}"
    return f"CASE WHEN instr(d.{text}, {form}) THEN length(replace(d.{text}, {form}, '')) END AS {text}{number}"


def _norm_of(text: str, usual: int) -> str:
    return f"({1 - LENGTH_SHARE} + {LENGTH_SHARE / (usual * WORD_SIZE)} * {text}_size)"


def told(rows: Sequence[Record], text: str, terms: Sequence[Term]) -> tuple[Query, list[Ranked]]:
    """Return what there is to rank of all rows that have any of some terms, and the query with how many have each."""
    sought = {term.word: _sought(term, 1.0) for term in terms}
    has = [{word for word, one in sought.items() if one.is_in(row)} for row in rows]
    asked = Query(text, terms, {word: sum(word in some for some in has) for word in sought})
    required = {term.word for term in asked.known} if asked.is_known else set(sought)
    found = (
        Ranked(row, bool(row["whole"] or row["named"] or required <= some), bool(row["named"]))
        for row, some in zip(rows, has, strict=True)
    )
    return asked, list(found)


def rank(found: Sequence[Ranked], asked: Query, now: str) -> list[Ranked]:
    """Score candidates and return those worth showing, the best first.

    What bears the name comes first. What ships with the server stands below what the workspace itself holds.
    """
    sought = [_sought(term, asked.weight(term)) for term in asked.terms]
    freshness: dict[str, float] = {}
    today = datetime.fromisoformat(now)
    for one in found:
        day = one.row["updated_at"][:10]
        if day not in freshness:
            freshness[day] = _freshness(day, today)
        one.score = _relevance(one, sought, asked.together) * freshness[day]
    kept = _near_the_best(sorted(found, key=_place, reverse=True))
    _put_below(kept, asked.stems)
    for one in kept:
        one.score += EXACT * one.named
    return sorted(kept, key=_place, reverse=True)


def _place(one: Ranked) -> tuple[float, int]:
    return one.score, one.row["doc"]


def _near_the_best(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Keep of those without all words as many as it takes to have enough, if they fit nearly as well as the best."""
    best = max((one.score for one in ranked if not one.is_library), default=0.0)
    fitting = [one for one in ranked if not one.whole and one.score >= NEAR_BEST * best]
    kept = {one.row["doc"] for one in fitting[: max(ENOUGH - sum(one.whole for one in ranked), 0)]}
    return [one for one in ranked if one.whole or one.row["doc"] in kept]


def _put_below(kept: Sequence[Ranked], stems: frozenset[str]) -> None:
    """Lower the scores of what ships, all alike, to those of what does not.

    The library stands below all of it, the actions below what has all words. One that is asked for by its name stays.
    """
    own = [one for one in kept if not one.is_shipped]
    shipped = [one for one in kept if one.is_shipped and not _is_asked_for(one, stems)]
    actions = [one for one in shipped if not one.is_library]
    _lower(actions, [one for one in own if one.whole])
    _lower([one for one in shipped if one.is_library], own)
    for one in shipped:
        one.named = False


def _lower(some: Sequence[Ranked], others: Sequence[Ranked]) -> None:
    best = max((one.score for one in some), default=0.0)
    least = min((one.score for one in others), default=best)
    for one in some:
        one.score *= min(1.0, BELOW * least / best) if best else 1.0


def _is_asked_for(one: Ranked, stems: frozenset[str]) -> bool:
    """Return whether a query has all words of the name of an action; the tools share the first."""
    return not one.is_library and stems.issuperset(
        text_analysis.prepare(one.row["entity_id"].replace("_", " ")).split()[1:]
    )


def _sought(term: Term, weight: float) -> Sought:
    ways = tuple(tuple(f" {stem} " for stem in way) for way in term.ways)
    begun = f" {term.also[0][: _alike(term.also)]}" if term.also else ""
    only = ways[0][0] if len(ways) == len(ways[0]) == 1 else ""
    return Sought(weight, ways, begun, only)


def _alike(some: Sequence[str]) -> int:
    """Return how many characters at the beginning of some words are the same."""
    first, last = min(some), max(some)
    return next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))


def _relevance(candidate: Ranked, sought: Sequence[Sought], together: str) -> float:
    row = candidate.row
    title, body = f" {row['title']} ", f" {row['body']} "
    in_title = TITLE_WEIGHT / text_analysis.norm(title.count(" ") - 1, TITLE_LENGTH)
    in_body = 1 / text_analysis.norm(body.count(" ") - 1, BODY_LENGTH)
    score = 0.0
    for one in sought:
        frequency = in_title * one.count(title) + in_body * one.count(body)
        frequency = frequency or (ELSEWHERE if candidate.whole and row["long"] else 0.0)
        score += one.weight * frequency / (frequency + SATURATION)
    if together:
        score *= TOGETHER ** ((together in title) + (together in body))
    return score * KIND_WEIGHTS.get(row["kind"], 1.0)


def _freshness(day: str, today: datetime) -> float:
    if not day:
        return 1.0
    age = today.date() - date.fromisoformat(day)
    return 1 + RECENCY * 0.5 ** (max(age.days, 0) / HALF_LIFE_DAYS)
