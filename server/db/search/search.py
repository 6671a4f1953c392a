"""Finds anything by words: one query, one ranking, for all who search."""

from collections.abc import Iterable, Sequence

from server.db.search import ranking, vocabulary
from server.db.search.candidates import CANDIDATES, RANKED_BY, candidates, unknown
from server.db.search.indexing import SOURCES, also_of, text_of
from server.db.search.ranking import WEIGHED, Query, Ranked
from server.db.search.scope import Scope
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.models.base import encode
from server.models.search import Kind, Match, ResultPage
from server.text import snippets, text_analysis
from server.text.text_analysis import Term

RESPELLED = 4  # words of a query
TITLE_SHOWN = 160
TOLD = ("workspace_id", "plan_id", "parent_type", "parent_id", "subtype", "slug", "status")


async def find(db: Reader, query: str, scope: Scope, *, limit: int, offset: int = 0) -> ResultPage:
    """Return the best matches from `offset` on. `total` counts to one more than `WEIGHED` at the most.

    Where few have all words of the query, those that have some and fit nearly as well are among them.
    """
    terms = await _understood(db, query)
    if not terms:
        return ResultPage(matches=[], total=0)
    meant = None
    asked, found, total = await candidates(db, query, terms, scope)
    if not any(one.whole for one in found) and (other := await _respelled(db, asked)):
        spelled = " ".join(term.raw for term in other)
        better = await candidates(db, spelled, other, scope)
        if any(one.whole for one in better[1]):
            meant, (asked, found, total) = spelled, better
    ranked = ranking.rank(found, asked, db.now())
    matches = await _shown(db, ranked[offset : offset + limit], asked.stems)
    total = total if total > CANDIDATES else len(ranked)
    return ResultPage(matches=matches, total=total, counted_to=WEIGHED, did_you_mean=meant)


async def _understood(db: Reader, text: str) -> list[Term]:
    """Return the terms of a query, the last of them completed."""
    terms = text_analysis.parse(text)
    if terms and (not (begun := terms[-1].word).isascii() or len(begun) > 1):
        terms[-1] = text_analysis.completed(terms[-1], await vocabulary.beginning_with(db, begun))
    return terms


async def _respelled(db: Reader, asked: Query) -> list[Term]:
    """Return the terms of a query with its unknown words replaced by the nearest known ones, if there are any."""
    absent = [term for term in asked.terms if not asked.counts[term.word]][:RESPELLED]
    near = {term.word: await vocabulary.nearest(db, term.word) for term in await unknown(db, absent)}
    if not any(near.values()):
        return []
    return [text_analysis.corrected(term, other) if (other := near.get(term.word)) else term for term in asked.terms]


async def fetch(db: Reader, wanted: Sequence[tuple[Kind, str]]) -> list[Match]:
    """Return things by kind and id, those that can be found, in that order."""
    rows = await db.all(
        f"""
        SELECT {RANKED_BY} FROM json_each(:wanted) w
        JOIN search_documents d ON d.entity_id = w.value ->> 1 AND d.kind = w.value ->> 0
        WHERE d.expires_at IS NULL OR d.expires_at > :now ORDER BY w.key
        """,
        {"wanted": encode([list(one) for one in wanted]), "now": db.now()},
    )
    return await _shown(db, [Ranked(row) for row in rows], frozenset())


async def _shown(db: Reader, page: Sequence[Ranked], stems: frozenset[str]) -> list[Match]:
    """Return a page of the ranking with the texts as they were stored."""
    ids: dict[str, list[str]] = {}
    for one in page:
        ids.setdefault(one.row["kind"], []).append(one.row["entity_id"])
    rows = await db.batch(*((SOURCES[kind].sql, {"ids": encode(some)}) for kind, some in ids.items()))
    found = {(kind, row["entity_id"]): row for kind, some in zip(ids, rows, strict=True) for row in some}
    keys = [(one, (one.row["kind"], one.row["entity_id"])) for one in page]
    return [_match(one, found[key], stems) for one, key in keys if key in found]


def _match(one: Ranked, row: Record, stems: frozenset[str]) -> Match:
    text = text_of(one.row["kind"], row)
    title = snippets.shortened(row["label"], TITLE_SHOWN)
    besides = (snippets.beyond(told, title) for told in (text, row["title"], also_of(one.row["kind"], row)))
    return Match(
        kind=one.row["kind"],
        entity_id=one.row["entity_id"],
        title=title,
        whole_title=row["label"],
        text=text,
        snippet=_snippet(besides, stems),
        score=round(one.score, 3),
        updated_at=row["updated_at"] or None,
        by=row["author"] and snippets.tidy(row["author"]),
        trust=one.row["trust"],
        archived=bool(one.row["archived"]),
        data=row["data0"] if one.row["kind"] == "context" else None,
        **{name: row[name] for name in TOLD},
    )


def _snippet(texts: Iterable[str], stems: frozenset[str]) -> str:
    """Return what answers the query: of the first text that has a wanted word, or else of the first that is any."""
    shown = ""
    for text in texts:
        part = snippets.snippet(text, stems)
        if snippets.OPEN in part:
            return part
        shown = shown or part
    return shown
