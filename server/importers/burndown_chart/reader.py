"""Reads one file after the other: each becomes rows of its profile, a thousand at a time, and one account."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from server.importers.burndown_chart import database, measures, packages
from server.importers.burndown_chart.places import DEFAULT, BurndownFile, BurndownFiles
from server.importers.burndown_chart.profiles import QueryRows, listed_queries, profile_rows, query_rows
from server.importers.layout import Known
from server.importers.reading import object_of, objects_of
from server.importers.rows import RowMaker
from server.importers.taking import Sink, Taken, Taker
from server.importers.values import derived
from server.models.imports import Finding, ImportBatch, ImportedRow

NAME: str = "burndown-chart"
ROWS = 1000  # of a batch
SETTINGS = "settings"
FIRST = {"profiles": 0, "query_list": 0, "profile": 1, "query": 2}  # before the files that only belong to them
OWN = ("profiles", "database", "copy")  # files that belong to no profile
Mapper = Callable[[QueryRows, Any, str, list[Finding]], Iterator[ImportedRow]]
MAPPERS: Mapping[str, Mapper] = {
    "jira_cache": measures.cache_rows,
    "changelog": measures.changelog_rows,
    "project_data": measures.data_rows,
    "snapshots": measures.snapshot_rows,
}


def owner(profile: str) -> str:
    """Return the id of the workspace that a profile is."""
    return derived("ws", NAME, profile)


def owner_of(place: BurndownFile) -> str | None:
    return None if place.kind in OWN or place.profile is None else owner(place.profile)


class BurndownReader:
    """The files of a source on their way into rows. What stands in two of them comes from the first."""

    def __init__(self, found: BurndownFiles, known: Known) -> None:
        self.found = found
        self.known = known
        self.made: set[tuple[str, str]] = set()
        self.listed: dict[str, dict[str, Any]] = {}  # profiles as profiles.json has them
        self.queries: dict[str, tuple[str, dict[str, Any]]] = {}  # those of the list from before there were profiles

    def all(self) -> Iterator[ImportBatch]:
        """Yield what every file becomes; a database that took the files' place comes before them."""
        databases = [place for place in self.found.places if place.kind == "database"]
        first = [place for place in databases if database.has_taken_over(place.entry.location)]
        rest = [place for place in self.found.places if place not in first]
        for place in [*first, *sorted(rest, key=lambda one: FIRST.get(one.kind, len(FIRST)))]:
            yield from self._of(place)

    def taker(self, place: BurndownFile) -> Taker:
        return Taker(self.known, NAME, owner_of(place))

    def _of(self, place: BurndownFile) -> Iterator[ImportBatch]:
        taker = self.taker(place)
        if place.kind == "copy":
            yield taker.skipped(place.entry, "a copy that the program made before it migrated")
        elif place.kind == "log":
            yield taker.skipped(place.entry, "read with the database", keep=False)
        elif place.kind == "other":
            yield taker.skipped(place.entry, "not known; its bytes are kept")
        elif place.kind == "database":
            yield from self._database(taker, place)
        elif place.kind == "package":
            yield from self._rows_of(*packages.opened(taker, place.entry), place, self._package)
        elif place.kind == "statistics":
            yield from self._rows_of(*taker.text(place.entry), place, self._statistics)
        else:
            yield from self._rows_of(*taker.json(place.entry), place, self._json)
        if place.kind in ("query", "profile") and not self._has(place):
            yield from self._stand_in(taker, place)

    def _rows_of(
        self,
        batch: ImportBatch,
        taken: Taken | None,
        place: BurndownFile,
        rows: Callable[[BurndownFile, Taken], Iterable[ImportedRow]],
    ) -> Iterator[ImportBatch]:
        """Yield the rows of a file in batches; its account, and what there is to tell, are in the last."""
        if taken is None:
            yield batch
            return
        fresh = self._fresh(rows(place, taken))
        while len(found := list(islice(fresh, ROWS))) == ROWS:
            yield ImportBatch(batch.workspace_id, found)
        taken.add(*found)
        yield batch

    def _fresh(self, rows: Iterable[ImportedRow]) -> Iterator[ImportedRow]:
        for row in rows:
            if (row.table, row.key) not in self.made:
                self.made.add((row.table, row.key))
                yield row

    def _has(self, place: BurndownFile) -> bool:
        make = self.taker(place).maker(place.entry.path, "")
        if place.query is None:
            return ("workspaces", make.workspace_id) in self.made
        return ("plans", make.id("plan", place.query)) in self.made

    def _stand_in(self, taker: Taker, place: BurndownFile) -> Iterator[ImportBatch]:
        """Yield what a profile or query is without its own file, which could not be read."""
        batch = ImportBatch(taker.workspace_id)
        make = taker.maker(place.entry.path, self.known.now)
        batch.rows += self._fresh(self._heads(make, place, None, "$", batch.findings))
        yield batch

    def _heads(
        self, make: RowMaker, place: BurndownFile, value: Any, where: str, findings: list[Finding]
    ) -> Iterator[ImportedRow]:
        """Yield the workspace, and for a file of a query its plan, unless they were made before."""
        profile = place.profile or DEFAULT
        listed = self.listed.get(profile, {})
        if place.kind == "profile":
            yield from profile_rows(make, profile, value or listed, where, findings)
            return
        yield from profile_rows(make, profile, listed, where, [])
        if place.query is not None:
            yield from query_rows(QueryRows(make, profile, place.query), value, where, findings)

    def _json(self, place: BurndownFile, taken: Taken) -> Iterator[ImportedRow]:
        make, value, findings = taken.make, taken.value, taken.batch.findings
        if place.kind == "profiles":
            yield from self._registry(taken)
        elif place.kind in ("profile", "query"):
            yield from self._heads(make, place, value, "$", findings)
        elif place.kind == "query_list":
            self.queries = listed_queries(value)
            yield from self._heads(make, place, None, "$", [])
            for query, (where, entry) in self.queries.items():
                yield from query_rows(QueryRows(make, DEFAULT, query), entry, where, findings)
        elif place.kind == "settings":
            yield from self._heads(make, place, None, "$", [])
            yield _context(make, place.entry.path.rpartition("/")[2].removesuffix(".json"), value)
        elif place.kind == "progress":
            yield from self._progress(place, taken)
        else:
            rows = self._query(make, place)
            yield from self._heads(make, self._with_query(place), None, "$", [])
            yield from MAPPERS[place.kind](rows, value, "$", findings)

    def _with_query(self, place: BurndownFile) -> BurndownFile:
        """Return a file of no query as one of the only query that it can be of: the default one."""
        if place.query is not None:
            return place
        default = next((key for key, (_, one) in self.queries.items() if one.get("is_default")), None)
        chosen = default or next(iter(self.queries), DEFAULT)
        return BurndownFile(place.kind, place.entry, place.profile or DEFAULT, chosen)

    def _query(self, make: RowMaker, place: BurndownFile) -> QueryRows:
        chosen = self._with_query(place)
        return QueryRows(make, chosen.profile or DEFAULT, chosen.query or DEFAULT)

    def _registry(self, taken: Taken) -> Iterator[ImportedRow]:
        """Take the list of profiles, a map or a list, and yield what else it says as facts of all workspaces."""
        found = object_of(taken.value)
        listed = found.get("profiles")
        entries = object_of(listed) or {str(one.get("id")): one for one in objects_of(listed)}
        self.listed = {key: object_of(one) for key, one in entries.items()}
        for name, value in found.items():
            if name != "profiles" and value is not None:
                yield database.state_row(taken.make, name, value, f"$.{name}")

    def _progress(self, place: BurndownFile, taken: Taken) -> Iterator[ImportedRow]:
        make = taken.make
        yield from self._heads(make, place, None, "$", [])
        if place.query is None:
            yield measures.progress_row(make, ("workspace", make.workspace_id), taken.value, "$")
            return
        plan_id = self._query(make, place).plan_id
        yield measures.progress_row(make, ("plan", plan_id), taken.value, "$", plan_id)

    def _statistics(self, place: BurndownFile, taken: Taken) -> Iterator[ImportedRow]:
        yield from self._heads(taken.make, self._with_query(place), None, "$", [])
        yield from measures.csv_rows(self._query(taken.make, place), taken.value, taken.batch.findings)

    def _package(self, place: BurndownFile, taken: Taken) -> Iterator[ImportedRow]:
        yield from packages.rows(taken.make, place.profile or DEFAULT, taken.value, taken.batch.findings)

    def _database(self, taker: Taker, place: BurndownFile) -> Iterator[ImportBatch]:
        """Yield the rows of a database, by profile, and its account at the end."""
        account = Sink(None)
        with taker.database(place.entry, account) as db:
            if db is not None:
                takers = {profile: Taker(self.known, NAME, owner(profile)) for profile in self.found.profiles}
                for workspace_id, rows in database.rows_by_profile(db, takers, place.entry, account.batch):
                    fresh = self._fresh(rows)
                    while found := list(islice(fresh, ROWS)):
                        yield ImportBatch(workspace_id, found)
        yield account.batch


def _context(make: RowMaker, kind: str, value: Any) -> ImportedRow:
    return make.row(
        "context_items",
        make.id("item", kind),
        parent_type="workspace",
        parent_id=make.workspace_id,
        type=kind,
        data=value,
    )
