"""Profiles and queries: workspaces without a folder, and plans. Their issues are in a phase of the plan."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.importers.reading import list_of, object_of
from server.importers.rows import RowMaker
from server.importers.values import Fields, moment
from server.models.imports import Finding, ImportedRow

ISSUES = "Issues"
SETTINGS = (
    "jira_config", "field_mappings", "forecast_settings", "project_classification", "flow_type_mappings",
    "show_milestone", "show_points",
)  # fmt: skip


class QueryRows:
    """A query on its way into rows: the ids that its parts have."""

    def __init__(self, make: RowMaker, profile: str, query: str) -> None:
        self.make = make
        self.profile = profile
        self.query = query
        self.plan_id = make.id("plan", query)
        self.phase_id = make.id("phase", query)

    def step_id(self, key: str) -> str:
        return self.make.id("step", self.query, key)

    def row(self, table: str, kind: str, where: str, *parts: object, **named: Any) -> ImportedRow:
        """Return a row of the plan whose id these parts always give."""
        return self.make.row(table, self.make.id(kind, self.query, *parts), where, plan_id=self.plan_id, **named)

    def scoped(self, table: str, kind: str, where: str, *parts: object, **named: Any) -> ImportedRow:
        """Return a row that hangs on the plan as its parent."""
        return self.row(table, kind, where, *parts, parent_type="plan", parent_id=self.plan_id, **named)


def profile_rows(
    make: RowMaker, profile: str, value: Any, where: str, findings: list[Finding]
) -> Iterator[ImportedRow]:
    """Yield the workspace that a profile is. Its settings, without credentials, are in `meta`."""
    found = Fields(object_of(value), where, make.teller(findings))
    found.raw("id")
    title = found.word("name", profile)
    at = found.moment("created_at", make.at)
    used = found.maybe_moment("last_used")
    yield make.workspace(
        None,
        title,
        external_id=profile,
        meta={make.system: found.left} if found.left else {},
        created_at=at,
        updated_at=used or at,
        last_used_at=used,
    )


def query_rows(
    rows: QueryRows, value: Any, where: str, findings: list[Finding], listed: Mapping[str, Any] | None = None
) -> Iterator[ImportedRow]:
    """Yield the plan and the phase that a query is. `listed` is what stands of it elsewhere, for what it lacks."""
    known = object_of(value)
    found = Fields(known or dict(listed or {}), where, rows.make.teller(findings))
    for name in ("id", "profile_id"):
        if name in found and str(found.keep(name)) == (rows.query if name == "id" else rows.profile):
            found.raw(name)
    at = moment(found.keep("created_at")) or rows.make.at
    found.maybe_moment("created_at")
    used = found.maybe_moment("last_used")
    yield rows.make.row(
        "plans",
        rows.plan_id,
        where,
        title=found.word("name", rows.query),
        description=found.text("description"),
        category="feature",
        priority="medium",
        status="active",
        external_id=f"{rows.profile}/{rows.query}",
        created_at=at,
        updated_at=used or at,
        extra=found.extra(rows.make.system),
    )
    yield rows.make.row(
        "phases", rows.phase_id, where, plan_id=rows.plan_id, name=ISSUES, order_index=0, created_at=at, updated_at=at
    )


def listed_queries(value: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the queries of the list from before there were profiles: by id, with their places."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for number, one in enumerate(list_of(value)):
        entry = object_of(one)
        key = str(entry.get("id") or entry.get("name") or number)
        found.setdefault(key, (f"$[{number}]", entry))
    return found
