"""Finds anything by words: one query, one ranking, for all who search.

The index yields documents with the wanted words, a bounded number of them however many there are; of those the best are
chosen roughly in SQL and ranked. FTS5's own bm25 looks at every match of every word, which takes ever longer as the
store grows.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from server.db.plans.plans import IS_SHOWN
from server.db.search import ranking
from server.db.search.indexing import BRIEF, about, also_of, facet, text_of
from server.db.search.ranking import ENOUGH, RARE, REQUIRED, Query, Ranked
from server.db.search.searched_tables import SOURCES
from server.db.storage.connection import Reader
from server.db.storage.driver import Record, Statement
from server.models.base import encode
from server.models.search import Kind, Match, ResultPage
from server.text import snippets, text_analysis
from server.text.text_analysis import Term

WINDOW = 500  # matches that are roughly weighed, the newest of them; `total` counts no further
CANDIDATES = 150  # of them, that are ranked
NAMED = 100  # and those more that bear that very name
TELLING, TELLING_AMONG = 50, 200  # and those more behind the window that are about the words, in each of two ways
PARTIAL = 50  # hits without all words, for each choice of words
SOME = 300  # that are weighed of them
SCANNED = 10_000  # documents that may be looked at, and refused, to find them
FAR = 200_000  # and those more, where that was in vain though all words are common
COMPLETIONS, COMPLETED_FROM = 24, 1_000
NEAR_WORDS, NEAR_AMONG, RESPELLED = 100, 5_000, 4
ALIKE = 0.4  # the share of the pairs of its letters that a word has in common with what was meant by it

TITLE_SHOWN = 160
MOST_PLACES = 500

ANYWHERE = "{title body rest}"
TOLD = ("workspace_id", "plan_id", "parent_type", "parent_id", "subtype", "slug", "status")
RANKED_BY = """
    d.doc, d.kind, d.entity_id, d.title, d.body, d.updated_at, d.archived, d.trust, d.rest IS NOT NULL AS long
"""
STATUS = """CASE d.kind
    WHEN 'step' THEN coalesce((SELECT status FROM steps WHERE step_id = d.entity_id),
        (SELECT status FROM steps_archive WHERE step_id = d.entity_id))
    WHEN 'plan' THEN coalesce((SELECT status FROM plans WHERE plan_id = d.entity_id),
        (SELECT status FROM plans_archive WHERE plan_id = d.entity_id))
    WHEN 'program' THEN (SELECT status FROM programs WHERE program_id = d.entity_id)
    WHEN 'session' THEN coalesce((SELECT status FROM sessions WHERE session_id = d.entity_id),
        (SELECT status FROM sessions_archive WHERE session_id = d.entity_id))
END = :status"""
PHASE = (
    "("
    + " OR ".join(
        f"""EXISTS (
        SELECT 1 FROM phases{suffix} h WHERE (folded(h.name) = folded(:phase) OR h.phase_id = :phase)
        AND h.phase_id IN (d.entity_id, (SELECT phase_id FROM steps{suffix} WHERE step_id = d.entity_id))
    )"""
        for suffix in ("", "_archive")
    )
    + ")"
)


@dataclass(frozen=True)
class Scope:
    """Where to look. None means anywhere; what belongs to no workspace is found from each of them."""

    workspace_ids: Sequence[str] | None = None
    plan_ids: Sequence[str] | None = None
    program_ids: Sequence[str] = ()
    kinds: Sequence[str] = ()
    types: Sequence[str] = ()  # kinds, or what kind of a kind: the type of a context item, the category of a plan
    subtype: str | None = None
    parent: tuple[str, str | None] | None = None  # its kind, and which one
    tags: Sequence[str] = ()
    since: str | None = None
    until: str | None = None
    status: str | None = None
    phase: str | None = None
    archived: bool = False

    def facets(self) -> list[str]:
        """Return the conditions on `facets`, all of which must hold."""
        found = [_any("k", self.kinds)] if self.kinds else []
        found += [f"({_any('k', self.types)} OR {_any('t', self.types)})"] if self.types else []
        found += [_any("t", [self.subtype])] if self.subtype else []
        if self.workspace_ids is not None:
            found.append(_any("w", [*self.workspace_ids, ""]))
        if self.plan_ids is not None:
            of_program = [f"program {program_id}" for program_id in self.program_ids]
            places = [("p", self.plan_ids), ("x", self.program_ids), ("r", of_program)]
            found.append("(" + " OR ".join(_any(letter, values or ["-"]) for letter, values in places) + ")")
        if self.parent and self.parent[1]:
            found.append(_any("r", [f"{self.parent[0]} {self.parent[1]}"]))
        return found + [_any("g", [tag]) for tag in self.tags]

    def condition(self) -> str:
        """Return the SQL for what the index does not know."""
        told = ["(d.expires_at IS NULL OR d.expires_at > :now)"]
        told += [IS_SHOWN.format("d")]
        told += [] if self.archived or self.status == "archived" else ["d.archived = 0"]
        told += ["d.parent_type = :parent_type"] if self.parent else []
        told += ["d.updated_at >= :since"] if self.since else []
        told += ["d.updated_at <= :until"] if self.until else []
        told += [f"(d.archived = 1 OR {STATUS})" if self.status == "archived" else STATUS] if self.status else []
        told += [PHASE] if self.phase else []
        return " AND ".join(told)

    def params(self, now: str) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("since", "until", "status", "phase")}
        return {**told, "now": now, "parent_type": self.parent[0] if self.parent else None}


async def find(db: Reader, query: str, scope: Scope, *, limit: int, offset: int = 0) -> ResultPage:
    """Return the best matches from `offset` on. `total` counts to one more than `WINDOW` at the most.

    Where few have all words of the query, those that have some and fit nearly as well are among them.
    """
    asked = await _understood(db, query)
    if not asked.terms:
        return ResultPage(matches=[], total=0)
    meant = None
    found, total = await _matching(db, asked, scope)
    if not found and (other := await _respelled(db, asked)):
        found, total = await _matching(db, other, scope)
        if found:
            asked, meant = other, " ".join(term.raw for term in other.terms)
    if sum(not one.is_shipped for one in found) < ENOUGH:
        found += await _matching_some(db, asked, scope, {one.row["doc"] for one in found})
    ranked = ranking.rank(found, asked, db.now())
    page = ranked[offset : offset + limit]
    matches = await _shown(db, page, asked.stems)
    total = total if total > CANDIDATES else len(ranked)
    return ResultPage(matches=matches, total=total, counted_to=WINDOW, did_you_mean=meant)


async def _understood(db: Reader, text: str) -> Query:
    """Return the terms of a query, the last of them completed, with what is known of each."""
    terms = text_analysis.parse(text)
    if not terms:
        return Query(text, ())
    begun = terms[-1].word
    if not begun.isascii() or len(begun) > 1:
        terms[-1] = text_analysis.completed(terms[-1], await _beginning_with(db, begun))
    return await _counted(db, text, terms)


async def _counted(db: Reader, text: str, terms: Sequence[Term]) -> Query:
    rows = await db.batch(
        *(
            (
                "SELECT count(*) FROM (SELECT 1 FROM search_index WHERE search_index MATCH :term LIMIT :most)",
                {"term": f"{ANYWHERE} : ({_of_term(term)})", "most": RARE},
            )
            for term in terms
        )
    )
    return Query(text, terms, {term.word: count[0][0] for term, count in zip(terms, rows, strict=True)})


async def _beginning_with(db: Reader, prefix: str) -> list[str]:
    """Return words of the vocabulary that begin so, the shortest first."""
    rows = await db.all(
        """
        SELECT word FROM (
            SELECT word FROM search_words WHERE word >= :prefix AND word < :end ORDER BY word LIMIT :of
        ) ORDER BY length(word), word LIMIT :most
        """,
        {"prefix": prefix, "end": prefix + chr(0x10FFFF), "of": COMPLETED_FROM, "most": COMPLETIONS},
    )
    return [row["word"] for row in rows]


async def _respelled(db: Reader, asked: Query) -> Query | None:
    """Return the query with its unknown words replaced by the nearest known ones, if there are any."""
    near = {
        term.word: await _nearest(db, term.word)
        for term in [term for term in asked.terms if not asked.counts[term.word]][:RESPELLED]
    }
    if not any(near.values()):
        return None
    terms = [text_analysis.corrected(term, other) if (other := near.get(term.word)) else term for term in asked.terms]
    return await _counted(db, " ".join(term.raw for term in terms), terms)


async def _nearest(db: Reader, word: str) -> str | None:
    """Return the word of the vocabulary that is one slip away, or else the most like this one."""
    pairs = {f"pair{at}": word[at : at + 2] for at in range(len(word) - 1)}
    shared = " + ".join(f"(instr(word, :{name}) > 0)" for name in pairs) or "0"
    slipped, alike = await db.batch(
        (
            "SELECT word FROM search_words WHERE word IN (SELECT value FROM json_each(:slips))",
            {"slips": encode(sorted(text_analysis.slips(word)))},
        ),
        (
            f"""
            SELECT word FROM (
                SELECT word, {shared} AS shared FROM search_words WHERE word >= :start AND word < :end
                AND length(word) BETWEEN :shortest AND :longest LIMIT :among
            ) WHERE shared >= :alike ORDER BY shared DESC, word LIMIT :most
            """,
            {
                "start": word[:2],
                "end": word[:2] + chr(0x10FFFF),
                "shortest": len(word) - 2,
                "longest": len(word) + 2,
                "most": NEAR_WORDS,
                "among": NEAR_AMONG,
                "alike": ALIKE * len(pairs),
                **pairs,
            },
        ),
    )
    near = difflib.get_close_matches(word, [row["word"] for row in slipped or alike], 1, 0.7)
    return near[0] if near else None


async def _matching(db: Reader, asked: Query, scope: Scope) -> tuple[list[Ranked], int]:
    """Return the best candidates that have all terms, and those of that very name; and how many have all terms.

    Where there are more than are weighed, also the best of those behind them that are about the words.
    """
    named = f'facets : ("{facet("x", text_analysis.exact(asked.text))}" OR "{facet("x", asked.text.strip())}")'
    terms = asked.rare_first[:REQUIRED]
    anywhere = f"{ANYWHERE} : ({_all_of(terms)})"
    choice = _Choice(scope, asked, db.now())
    exact, best = await db.batch(choice.of(named, NAMED, NAMED), choice.of(anywhere, CANDIDATES, WINDOW))
    telling, total = list[Record](), best[0]["total"] if best else 0
    if total < ENOUGH and min(asked.counts.values()) >= RARE:
        [older] = await db.batch(choice.of(anywhere, CANDIDATES, WINDOW, among=(FAR, SCANNED)))
        best, total = [*best, *older], total + (older[0]["total"] if older else 0)
    if total > WINDOW:
        telling = await _behind(db, choice, terms, best[-1]["oldest"])
    found = {row["doc"]: Ranked(row) for row in (*telling, *best)}
    found |= {row["doc"]: Ranked(row, named=True) for row in exact}
    return list(found.values()), total


async def _behind(db: Reader, choice: "_Choice", terms: Sequence[Term], oldest: int) -> list[Record]:
    """Return the best of those behind the window: what is about all terms, and what has them all and is about some.

    What is brief may be about each word it has. Where all that are few, there is also what has the words in its title.
    """
    told = _all_of(terms)
    some = f"({ANYWHERE} : ({told})) AND (facets : ({_any_of(terms, about)} OR {BRIEF}))"

    def of(match: str) -> Statement:
        return choice.of(match, TELLING, TELLING_AMONG, before=oldest)

    telling = await db.batch(*map(of, [f"facets : ({_all_of(terms, about)})", some]))
    if sum(map(len, telling)) < ENOUGH:
        telling += await db.batch(of(f"title : ({told})"))
    return [*chain.from_iterable(telling)]


async def _matching_some(db: Reader, asked: Query, scope: Scope, besides: Collection[int]) -> list[Ranked]:
    """Return candidates that have the rarest terms together, or any; `besides` are those that have all.

    Where there are more than are weighed, also the best of those behind them that are about the terms.
    """
    known = [term for term in asked.rare_first if asked.counts[term.word]][:REQUIRED]
    if not known or len(known) == len(asked.terms) == 1:
        return []
    most = len(known) - (len(known) == len(asked.terms))
    together = [known[:count] for count in range(most, 1, -1)][:2]
    choice = _Choice(scope, asked, db.now())

    def of(match: str, behind: Sequence[Record] = ()) -> Statement:
        return choice.of(match, PARTIAL, SOME, before=behind[0]["oldest"] if behind else None)

    matches = [f"{ANYWHERE} : ({terms})" for terms in [*map(_all_of, together), _any_of(known)]]
    told = [*(_all_of(terms, about) for terms in together), _any_of(known, about)]
    rows = await db.batch(*map(of, matches))
    both = zip(told, rows, strict=True)
    more = [of(f"facets : ({terms})", some) for terms, some in both if some and some[0]["total"] > SOME]
    rows += await db.batch(*more) if more else []
    found = {row["doc"]: Ranked(row, whole=False) for some in rows for row in some if row["doc"] not in besides}
    return list(found.values())


class _Choice:
    """Chooses among the documents that match, those that fit a query best."""

    def __init__(self, scope: Scope, asked: Query, now: str) -> None:
        self._fit = ranking.fit(asked, now)
        self._params = scope.params(now) | self._fit.params
        self._condition = scope.condition()
        self._facets = "".join(f" AND facets : ({condition})" for condition in scope.facets())

    def of(
        self, match: str, most: int, window: int, *, before: int | None = None, among: tuple[int, int] | None = None
    ) -> Statement:
        """Return the statement for the best of the newest documents that match, with how many of those there are.

        `window` is how many are weighed; `among` how many, and behind how many, bounds what filters may refuse. Those
        `before` a document were there before it.
        """
        limit, offset = among or (SCANNED, 0)
        older = "AND rowid < :before" if before is not None else ""
        sql = f"""
            WITH matching AS MATERIALIZED (
                SELECT doc, {self._fit.score} AS fit FROM (
                    SELECT d.doc, {self._fit.measured} FROM (
                        SELECT rowid FROM search_index WHERE search_index MATCH :match {older} ORDER BY rowid DESC
                        LIMIT {limit} OFFSET {offset}
                    ) f CROSS JOIN search_documents d ON d.doc = f.rowid
                    WHERE {self._condition} LIMIT :window
                ) LIMIT :window
            )
            SELECT {RANKED_BY}, (SELECT count(*) FROM matching) AS total,
                (SELECT min(doc) FROM matching) AS oldest
            FROM (SELECT doc FROM matching ORDER BY fit DESC, doc DESC LIMIT :most) m
            CROSS JOIN search_documents d ON d.doc = m.doc
        """
        given = {"match": f"({match}){self._facets}", "most": most, "window": window + 1, "before": before}
        return sql, self._params | given


def _any(letter: str, values: Iterable[str]) -> str:
    return "(" + " OR ".join(f'"{facet(letter, value)}"' for value in values) + ")"


def _all_of(terms: Iterable[Term], as_word: Callable[[str], str] = str) -> str:
    return " AND ".join(_of_term(term, as_word) for term in terms)


def _any_of(terms: Iterable[Term], as_word: Callable[[str], str] = str) -> str:
    return " OR ".join(_of_term(term, as_word) for term in terms)


def _of_term(term: Term, as_word: Callable[[str], str] = str) -> str:
    """Return the FTS5 expression for a term. Its words are letters and digits, so nothing in it is syntax."""
    ways = [*term.ways, *((stem,) for stem in term.also)]
    return "(" + " OR ".join("(" + " AND ".join(f'"{as_word(stem)}"' for stem in way) + ")" for way in ways) + ")"


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


async def linked(db: Reader, workspace_id: str) -> list[str]:
    """Return a workspace and those it is linked with: above it, below it, and beside it."""
    rows = await db.all(
        """
        WITH RECURSIVE near (workspace_id) AS (
            SELECT :workspace_id UNION
            SELECT w.workspace_id FROM workspaces w JOIN near n ON w.parent_workspace_id = n.workspace_id UNION
            SELECT w.parent_workspace_id FROM workspaces w JOIN near n ON w.workspace_id = n.workspace_id
            WHERE w.parent_workspace_id IS NOT NULL
        )
        SELECT workspace_id FROM near LIMIT :most
        """,
        {"workspace_id": workspace_id, "most": MOST_PLACES},
    )
    return [row["workspace_id"] for row in rows]


async def plans_of_program(db: Reader, program_id: str) -> list[str]:
    """Return the plans of a program, archived ones too, the latest of many."""
    rows = await db.all(
        """
        SELECT plan_id FROM program_plans WHERE program_id = :program_id
        UNION SELECT plan_id FROM plans WHERE program_id = :program_id
        ORDER BY plan_id DESC LIMIT :most
        """,
        {"program_id": program_id, "most": MOST_PLACES},
    )
    return [row["plan_id"] for row in rows]


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
