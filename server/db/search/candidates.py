"""Which documents are worth ranking: where they are few, all that have any word of a query, which takes one statement.

Of many, they are weighed in SQL: those that have all words, or a rare one. Where that many have all words that even
these are too many, it is the newest of them, and of what is behind the newest that which is about the words.

FTS5's own bm25 is of no use here. To weigh a word it goes through every document of the whole store that has it, the
facets of a scope included: a millisecond for 15,000 of them, however few the hits. And a hit costs it as much as here,
where its kind and who wrote it count as well.
"""

from collections.abc import Callable, Iterable, Sequence

from server.db.search import ranking
from server.db.search.indexing import BRIEF, about, facet
from server.db.search.ranking import ENOUGH, WEIGHED, Query, Ranked
from server.db.search.scope import Scope
from server.db.storage.connection import Reader
from server.db.storage.driver import Record, Statement
from server.text import text_analysis
from server.text.text_analysis import Term

FEW = 200  # documents that have any of the words, up to which all of them are ranked
CANDIDATES = 150  # of those that are weighed, that are ranked
TELLING, TELLING_AMONG = 50, 200  # and those more behind them that are about the words, in each of some ways
SCANNED = 10_000  # documents that may be looked at, and refused, to find them
FAR = 200_000  # and those more, where that was in vain though all words are common

RANKED_BY = """
    d.doc, d.kind, d.entity_id, d.title, d.body, d.updated_at, d.archived, d.trust, d.rest IS NOT NULL AS long
"""
Found = dict[int, Ranked]


async def unknown(db: Reader, terms: Sequence[Term]) -> list[Term]:
    """Return those of some terms that no document has, wherever it belongs."""
    rows = await db.batch(*(_count(_anywhere(_of_term(term)), 1) for term in terms))
    return [term for term, [[there]] in zip(terms, rows, strict=True) if not there]


async def candidates(db: Reader, text: str, terms: Sequence[Term], scope: Scope) -> tuple[Query, list[Ranked], int]:
    """Return a query with what is known of its terms, what may be worth ranking, and how many have all terms if many.

    Of many documents, those that have all terms; where they are few, also those that have a rare one; then those that
    have the common ones.
    """
    [rows] = await db.batch(_Choice(Query(text, terms), scope, db.now()).few())
    if rows[0]["size"] <= FEW:
        return *ranking.told([row for row in rows if row["doc"] is not None], text, terms), 0
    asked = await _counted(db, text, terms, scope)
    choice, known, rare = _Choice(asked, scope, db.now()), asked.known, asked.rare
    named, found, total = await _all_of(db, choice, known)
    if rare and _are_few(found):
        [rows] = await db.batch(choice.of(_anywhere(_any(rare))))
        found = _ranked(rows, whole=False) | found
    if rare != known and _are_few(found):
        _, others, _ = await _all_of(db, choice, known[len(rare) :] if rare else known[:-1])
        found = others | found
    return asked, list((found | named).values()), total


async def _counted(db: Reader, text: str, terms: Sequence[Term], scope: Scope) -> Query:
    within = scope.facets()
    rows = await db.batch(*(_count(f"({_anywhere(_of_term(term))}){within}", WEIGHED + 1) for term in terms))
    return Query(text, terms, {term.word: count for term, [[count]] in zip(terms, rows, strict=True)})


def _are_few(found: Found) -> bool:
    return sum(not one.is_shipped for one in found.values()) < ENOUGH


def _ranked(rows: Iterable[Record], *, whole: bool, named: bool = False) -> Found:
    return {row["doc"]: Ranked(row, whole, named) for row in rows}


async def _all_of(db: Reader, choice: "_Choice", terms: Sequence[Term]) -> tuple[Found, Found, int]:
    """Return what bears the name, the best of those that have all of some terms, and how many have all of the query."""
    if not terms:
        return {}, {}, 0
    match = _anywhere(_all(terms))
    whole = choice.asked.is_known and terms == choice.asked.known
    named, rows = await db.batch(choice.of(choice.named), choice.of(match))
    total = rows[0]["weighed"] if rows else 0
    if len(rows) < ENOUGH and choice.asked.are_common(terms):
        [older] = await db.batch(choice.of(match, among=(FAR, SCANNED)))
        rows, total = [*rows, *older], total + (older[0]["weighed"] if older else 0)
    if rows and rows[0]["weighed"] > WEIGHED:
        rows += await _behind(db, choice, terms, rows[0]["oldest"])
    return _ranked(named, whole=True, named=True), _ranked(rows, whole=whole), total if whole else 0


async def _behind(db: Reader, choice: "_Choice", terms: Sequence[Term], oldest: int) -> list[Record]:
    """Return the best of those before a document that are about some terms, or, where they are few, have them as title.

    What is brief may be about each word it has.
    """

    def of(match: str) -> Statement:
        return choice.of(match, most=TELLING, window=TELLING_AMONG, before=oldest)

    some = f"({_anywhere(_all(terms))}) AND (facets : ({_any(terms, about)} OR {BRIEF}))"
    telling = await db.batch(of(f"facets : ({_all(terms, about)})"), of(some))
    if sum(map(len, telling)) < ENOUGH:
        telling += await db.batch(of(f"title : ({_all(terms)})"))
    return [row for rows in telling for row in rows]


class _Choice:
    """Chooses among the documents of a scope that match, those that fit a query best."""

    def __init__(self, asked: Query, scope: Scope, now: str) -> None:
        self.asked = asked
        self._fit = ranking.fit(asked)
        self._within, self._condition = scope.facets(), scope.condition()
        self._names = {"name": facet("x", text_analysis.exact(asked.text)), "key": facet("x", asked.text.strip())}
        self.named = 'facets : ("{name}" OR "{key}")'.format_map(self._names)
        self._params = scope.params(now) | self._fit.params

    def few(self) -> Statement:
        """Return the statement for all that bear the name or have any of the terms, or for one row if they are many.

        Of a long text that is ranked by its beginning, it tells whether all of it has all terms.
        """
        sql = f"""
            WITH hits AS MATERIALIZED (
                SELECT rowid AS doc FROM search_index WHERE search_index MATCH :match LIMIT :few + 1
            )
            SELECT s.size, {RANKED_BY}, instr(d.facets, :name) OR instr(d.facets, :key) AS named,
                CASE WHEN d.rest IS NULL THEN 0
                ELSE d.doc IN (SELECT rowid FROM search_index WHERE search_index MATCH :all) END AS whole
            FROM (SELECT count(*) AS size FROM hits) s LEFT JOIN hits h ON s.size <= :few
            LEFT JOIN search_documents d ON d.doc = h.doc AND {self._condition}
        """
        terms = self.asked.terms
        match, whole = f"({self.named}) OR ({_anywhere(_any(terms))})", _anywhere(_all(terms))
        given = {"match": f"({match}){self._within}", "all": f"({whole}){self._within}", "few": FEW}
        return sql, self._params | self._names | given

    def of(
        self,
        match: str,
        *,
        most: int = CANDIDATES,
        window: int = WEIGHED,
        before: int | None = None,
        among: tuple[int, int] = (SCANNED, 0),
    ) -> Statement:
        """Return the statement for the best of the newest documents that match, with how many of those there are.

        `window` is how many are weighed; `among` how many, and behind how many, bounds what filters may refuse. Those
        `before` a document were there before it.
        """
        limit, offset = among
        older = "AND rowid < :before" if before is not None else ""
        sql = f"""
            WITH hits AS MATERIALIZED (
                SELECT doc, {self._fit.score} AS fit FROM (
                    SELECT d.doc, {self._fit.measured} FROM (
                        SELECT rowid FROM search_index WHERE search_index MATCH :match {older} ORDER BY rowid DESC
                        LIMIT {limit} OFFSET {offset}
                    ) f CROSS JOIN search_documents d ON d.doc = f.rowid
                    WHERE {self._condition} LIMIT :window
                ) LIMIT :window
            )
            SELECT {RANKED_BY}, (SELECT count(*) FROM hits) AS weighed, (SELECT min(doc) FROM hits) AS oldest
            FROM (SELECT doc FROM hits ORDER BY fit DESC, doc DESC LIMIT :most) h
            CROSS JOIN search_documents d ON d.doc = h.doc
        """
        given = {"match": f"({match}){self._within}", "most": most, "window": window + 1, "before": before}
        return sql, self._params | given


def _count(match: str, most: int) -> Statement:
    sql = "SELECT count(*) FROM (SELECT 1 FROM search_index WHERE search_index MATCH :match LIMIT :most)"
    return sql, {"match": match, "most": most}


def _anywhere(match: str) -> str:
    return f"{{title body rest}} : ({match})"


def _all(terms: Iterable[Term], as_word: Callable[[str], str] = str) -> str:
    return " AND ".join(_of_term(term, as_word) for term in terms)


def _any(terms: Iterable[Term], as_word: Callable[[str], str] = str) -> str:
    return " OR ".join(_of_term(term, as_word) for term in terms)


def _of_term(term: Term, as_word: Callable[[str], str] = str) -> str:
    """Return the FTS5 expression for a term. Its words are letters and digits, so nothing in it is syntax."""
    ways = [*term.ways, *((stem,) for stem in term.also)]
    return "(" + " OR ".join("(" + " AND ".join(f'"{as_word(stem)}"' for stem in way) + ")" for way in ways) + ")"
