"""Profiles and queries out of rows: the values of the files that burndown-chart keeps of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.db.interchange.exports import Rows
from server.exporters.documents import file_name
from server.exporters.legacy.entries import Entry, decoded
from server.importers.reading import object_of

NAME = "burndown-chart"
STATUSES = {
    "pending": ("To Do", "new"),
    "active": ("In Progress", "indeterminate"),
    "blocked": ("Blocked", "indeterminate"),
    "done": ("Done", "done"),
    "failed": ("Failed", "done"),
    "cancelled": ("Cancelled", "done"),
}
PRIORITIES = {"critical": "Highest", "high": "High", "medium": "Medium", "low": "Low"}
Row = Mapping[str, Any]


def status(value: Any) -> Entry:
    """Return a status as Jira has them."""
    name, category = STATUSES[value]
    return {"name": name, "statusCategory": {"key": category, "name": name}}


def person(value: Any) -> Entry | None:
    return {"displayName": value} if value else None


def priority(value: Any) -> Entry | None:
    return {"name": PRIORITIES.get(value, value)} if value else None


def issue(row: Row) -> Entry:
    """Return a step as an issue of Jira; what came with it stands as it came."""
    kept = object_of(object_of(row.get("extra")).get(NAME))
    made: Entry = {
        "summary": row["task"],
        "status": status(row["status"]),
        "issuetype": {"name": row["type"]},
        "priority": priority(row.get("priority")),
        "assignee": person(row.get("assignee")),
        "created": row["created_at"],
        "updated": row["updated_at"],
        "resolutiondate": row.get("completed_at"),
        "labels": row.get("tags") or [],
    }
    outer = {name: value for name, value in kept.items() if name != "fields"}
    return {**outer, "key": row.get("external_id") or row["step_id"], "fields": {**made, **_kept(row, kept)}}


def _kept(row: Row, kept: Entry) -> Entry:
    """Return the fields that came with an issue, but for those that say something else than the step does now."""
    fields = dict(object_of(kept.get("fields")))
    names = object_of(fields.get("status"))
    if names and object_of(names.get("statusCategory")).get("key") != STATUSES[row["status"]][1]:
        del fields["status"]
    if fields.get("assignee") and object_of(fields["assignee"]).get("displayName") != row.get("assignee"):
        del fields["assignee"]
    return fields


@dataclass(frozen=True)
class QueryFiles:
    """A plan as a query."""

    name: str
    rows: Mapping[str, list[dict[str, Any]]]

    def head(self) -> Entry:
        """Return `query.json`."""
        [plan] = self.rows["plans"]
        left = object_of(object_of(plan.get("extra")).get(NAME))
        made = {"name": plan["title"], "jql": "", "description": plan.get("description") or ""}
        return {**made, "created_at": plan["created_at"], **left}

    def files(self) -> dict[str, Any]:
        """Return every file of the query that has something to say."""
        found = {
            "query.json": self.head(),
            "jira_cache.json": self._cache(),
            "jira_changelog_cache.json": self._changelog(),
            "project_data.json": self._data(),
            "metrics_snapshots.json": self._snapshots(),
        }
        return {name: value for name, value in found.items() if value}

    def _cache(self) -> Entry:
        steps = sorted(self.rows.get("steps", []), key=lambda row: row["order_index"])
        heads = [object_of(row["payload"]) for row in self.rows.get("cache_entries", []) if row["key"] == "jira_cache"]
        made = {"cache_version": "2.0", **(heads[0] if heads else {})}
        return {**made, "issues": [issue(row) for row in steps], "total_issues": len(steps)} if steps else {}

    def _changelog(self) -> Entry:
        found: Entry = {}
        for row in self.rows.get("field_changes", []):
            key = row.get("external_id") or row["entity_id"]
            entry = found.setdefault(key, {"key": key, "changelog": {"histories": [], "total": 0}})["changelog"]
            histories = entry["histories"]
            who = {"author": {"displayName": row["author"]}} if row.get("author") else {}
            head = {"created": row["changed_at"], **who}
            if not histories or {k: v for k, v in histories[-1].items() if k != "items"} != head:
                histories.append({**head, "items": []})
                entry["total"] += 1
            change = {"field": row["field"], "fromString": row["old_value"], "toString": row["new_value"]}
            histories[-1]["items"].append(change)
        return found

    def _data(self) -> Entry:
        days: dict[str, Entry] = {}
        for row in self._points("statistics"):
            day = days.setdefault(row["bucket"], {"date": row["bucket"]})
            day.update(object_of(row["data"]))
            if row["value"] is not None:
                day[row["name"]] = row["value"]
        scopes = [
            object_of(row["data"]) for row in self.rows.get("context_items", []) if row["type"] == "project_scope"
        ]
        scope = scopes[0] if scopes else {}
        found = scope if "project_scope" in scope else {"project_scope": scope} if scope else {}
        return {**found, **({"statistics": list(days.values())} if days else {})}

    def _snapshots(self) -> Entry:
        found: Entry = {}
        for row in self.rows.get("metric_points", []):
            if row["category"] != "statistics":
                week = object_of(object_of(row["extra"]).get(NAME)).get("bucket", row["bucket"])
                found.setdefault(week, {})[row["name"]] = row["data"]
        return found

    def _points(self, category: str) -> list[dict[str, Any]]:
        found = [row for row in self.rows.get("metric_points", []) if row["category"] == category]
        return sorted(found, key=lambda row: row["bucket"])


@dataclass(frozen=True)
class ProfileFiles:
    """A workspace as a profile."""

    workspace_id: str
    name: str
    head: Row
    queries: tuple[QueryFiles, ...]
    ids: Mapping[str, str]  # plan -> query

    def query_of(self, plan_id: str) -> str:
        return self.ids[plan_id]

    def summary(self) -> Entry:
        """Return the entry of `profiles.json`."""
        return {"id": self.name, "name": self.head["name"], "created_at": self.head["created_at"]}

    def value(self) -> Entry:
        """Return `profile.json`, without the credentials, which were never kept."""
        left = object_of(object_of(self.head["meta"]).get(NAME))
        head = {name: value for name, value in self.summary().items() if name not in left}
        return {**head, **left, "queries": [query.name for query in self.queries]}


def profile(head: Row, rows: Rows, plans: Mapping[str, Rows]) -> ProfileFiles:
    """Return a workspace as a profile, with a query for each of its plans."""
    del rows
    found = decoded(head)
    ids: dict[str, str] = {}
    queries: list[QueryFiles] = []
    for plan_id, some in plans.items():
        tables = {
            name.removesuffix("_archive"): [decoded(row) for row in listed] for name, listed in some.items() if listed
        }
        external = str(tables["plans"][0].get("external_id") or "")
        ids[plan_id] = external.partition("/")[2] or file_name(plan_id)
        queries.append(QueryFiles(ids[plan_id], tables))
    name = str(found.get("external_id") or file_name(found["workspace_id"]))
    return ProfileFiles(found["workspace_id"], name, found, tuple(queries), ids)
