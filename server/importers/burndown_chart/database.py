"""The databases of burndown-chart: of eight tables, and of the eleven that came after them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from server.db.storage import foreign
from server.db.storage.foreign import BadDatabase, ForeignDatabase
from server.importers.burndown_chart import issues, measures
from server.importers.burndown_chart.profiles import QueryRows, profile_rows, query_rows
from server.importers.reading import Entry, list_of, object_of
from server.importers.rows import RowMaker
from server.importers.taking import Taker
from server.importers.values import Object, moment
from server.models.imports import Finding, ImportBatch, ImportedRow

JSON_COLUMNS = (
    "jira_config", "field_mappings", "forecast_settings", "project_classification", "flow_type_mappings", "response",
    "changelog", "data", "metrics", "forecast", "fix_versions", "labels", "components", "custom_fields", "scope_data",
    "calculation_metadata", "show_milestone", "show_points",
)  # fmt: skip
BY_QUERY = (
    "jira_cache", "jira_changelog_cache", "project_data", "metrics_snapshots", "jira_issues", "jira_changelog_entries",
    "project_statistics", "project_scope", "metrics_data_points",
)  # fmt: skip
KNOWN = ("profiles", "queries", "app_state", "task_progress", *BY_QUERY)
OF_A_QUERY = ("id", "profile_id", "query_id")
STATE = "burndown-chart"  # the namespace of what a database or a registry says of itself
UNKNOWN_ROWS = 500  # of a table that nobody knows, in one item
Part = tuple[str | None, Iterable[ImportedRow]]  # a workspace, None for the store as a whole, and rows of it


def has_taken_over(path: Path) -> bool:
    """Return whether a database says that it holds all that files held before it."""
    try:
        with foreign.opened(path) as db:
            return any(row["key"] == "migration_complete" and _is_true(row["value"]) for row in db.rows("app_state"))
    except (OSError, BadDatabase):
        return False


def _is_true(value: object) -> bool:
    return str(value).strip().strip('"').lower() in ("true", "1")


def state_row(make: RowMaker, key: str, value: Any, where: str) -> ImportedRow:
    """Return a fact of all workspaces: what the program remembered of itself."""
    return make.row(
        "memory_entries",
        make.id("entry", STATE, key),
        where,
        workspace_id=None,
        scope="global",
        scope_id="",
        namespace=STATE,
        key=key,
        value=value,
    )


def rows_by_profile(
    db: ForeignDatabase, takers: Mapping[str, Taker], entry: Entry, account: ImportBatch
) -> Iterator[Part]:
    """Yield the rows of each profile, then those of none. What is read, and what is not, is told in `account`."""
    at = next(iter(takers.values())).known.now
    makers = {profile: taker.maker(entry.path, at) for profile, taker in takers.items()}
    reader = _BurndownTables(db, takers, entry, account, makers)
    for table in ("profiles", "queries", *BY_QUERY):
        if table in reader.columns:
            for profile, rows in groupby(reader.rows(table), lambda one: str(one.get("profile_id") or one.get("id"))):
                if profile in makers:
                    yield makers[profile].workspace_id, reader.mapped(table, profile, rows)
                elif number := sum(1 for _ in rows):
                    told = f"{number} rows of a profile that is not there; left out"
                    account.findings.append(Finding("warning", entry.path, table, told, profile))
    yield from reader.loose()


class _BurndownTables:
    """The tables of one database."""

    def __init__(
        self,
        db: ForeignDatabase,
        takers: Mapping[str, Taker],
        entry: Entry,
        account: ImportBatch,
        makers: Mapping[str, RowMaker],
    ) -> None:
        self.db = db
        self.takers = takers
        self.entry = entry
        self.account = account
        self.makers = makers
        self.columns = db.tables()

    def rows(self, table: str) -> Iterator[Object]:
        """Yield the rows of a table by profile and query, their JSON read, without secrets."""
        order = "profile_id" if "profile_id" in self.columns[table] else None
        taker = next(iter(self.takers.values()))
        for number, row in enumerate(self.db.rows(table, order)):
            where = f"{table}[{number}]"
            values = {name: self._value(name, value, f"{where}.{name}") for name, value in row.items()}
            yield taker.clean(values, self.account, self.entry.path, where)

    def _value(self, name: str, value: Any, where: str) -> Any:
        if name not in JSON_COLUMNS or not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            told = Finding("warning", self.entry.path, where, "no JSON; kept as text", value[:200])
            self.account.findings.append(told)
            return value

    def mapped(self, table: str, profile: str, rows: Iterator[Object]) -> Iterator[ImportedRow]:
        make, findings = self.makers[profile], self.account.findings
        if table == "profiles":
            for row in rows:
                yield from profile_rows(make, profile, row, f"profiles {profile}", findings)
            return
        if table == "queries":
            for row in rows:
                query = QueryRows(make, profile, str(row["id"]))
                yield from query_rows(query, row, f"queries {query.query}", findings)
            return
        for key, some in groupby(sorted(rows, key=_query_of), _query_of):
            query = QueryRows(make, profile, key)
            yield from self._of_query(table, query, some)

    def _of_query(self, table: str, query: QueryRows, rows: Iterator[Object]) -> Iterator[ImportedRow]:
        findings = self.account.findings
        if table == "jira_issues":
            yield from issues.row_issues(query, map(_without_ids, rows), findings)
        elif table == "jira_changelog_entries":
            yield from issues.row_changes(query, map(_without_ids, rows))
        else:
            for number, row in enumerate(rows):
                yield from _one(table, query, row, f"{table} {query.query} {number}", findings)

    def loose(self) -> Iterator[Part]:
        """Yield what belongs to no query: what the program remembered, its jobs, and tables that nobody knows."""
        first = next(iter(self.makers.values()))
        store = Taker(next(iter(self.takers.values())).known, first.system, None).maker(self.entry.path, first.at)
        if "app_state" in self.columns:
            yield (
                None,
                [
                    state_row(store, row["key"], row["value"], f"app_state {row['key']}")
                    for row in self.rows("app_state")
                ],
            )
        parent = ("workspace", first.workspace_id)
        if "task_progress" in self.columns:
            jobs = self.rows("task_progress")
            yield (
                first.workspace_id,
                [measures.progress_row(first, parent, row, f"task_progress {row['task_name']}") for row in jobs],
            )
        for table in sorted(self.columns.keys() - set(KNOWN)):
            yield first.workspace_id, self._unknown(table, first)

    def _unknown(self, table: str, make: RowMaker) -> Iterator[ImportedRow]:
        listed = list(self.rows(table))
        told = f"a table that is not known: its {len(listed)} rows are kept as context"
        self.account.findings.append(Finding("warning", self.entry.path, table, told))
        for start in range(0, len(listed), UNKNOWN_ROWS):
            kind = f"table_{table}" + (f"_{start // UNKNOWN_ROWS + 1}" if start else "")
            yield make.row(
                "context_items",
                make.id("item", kind),
                table,
                parent_type="workspace",
                parent_id=make.workspace_id,
                type=kind,
                data={"table": table, "rows": listed[start : start + UNKNOWN_ROWS]},
            )


def _query_of(row: Object) -> str:
    return str(row.get("query_id") or "")


def _without_ids(row: Object) -> Object:
    return {name: value for name, value in row.items() if name not in OF_A_QUERY}


def _one(table: str, query: QueryRows, row: Object, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    if table == "jira_cache":
        yield measures.entry_row(query, str(row["cache_key"]), row["response"], where, row)
        answer = row["response"]
        raw = object_of(answer).get("issues", answer)
        yield from issues.issue_rows(query, raw, f"{where}.response", findings) if list_of(raw) else ()
    elif table == "jira_changelog_cache":
        key = str(row["issue_key"])
        yield measures.entry_row(query, f"changelog/{key}", {}, where, row)
        changes = row["changelog"]
        inner = changes if "histories" in object_of(changes) else object_of(changes).get("changelog", changes)
        yield from issues.change_rows(query, key, inner, f"{where}.changelog", findings)
    elif table == "project_data":
        yield from measures.data_rows(query, row["data"], f"{where}.data", findings)
    elif table == "project_scope":
        at = moment(row.get("updated_at"))
        yield measures.context_row(query, "project_scope", row["scope_data"], where, at)
    elif table == "project_statistics":
        yield from measures.statistics_rows(query, [_without_ids(row)], where, findings)
    elif table == "metrics_snapshots":
        data = {"metrics": row["metrics"], "forecast": row.get("forecast"), "timestamp": row.get("created_at")}
        bucket = str(row["snapshot_date"])
        yield measures.point_row(query, ("snapshot", str(row["metric_type"])), bucket, data, where)
    elif table == "metrics_data_points":
        data = _without_ids(row)
        series = (str(row["metric_category"]), str(row["metric_name"]))
        unit = {"unit": row["metric_unit"]} if row.get("metric_unit") else {}
        told = {**data, **unit, "timestamp": row.get("created_at")}
        yield measures.point_row(query, series, str(row["snapshot_date"]), told, where)
