"""Stores of burndown-chart as they are found: folders of profiles, databases, packages, with what they must become."""

import json
import random
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
CATEGORIES = (("To Do", "new"), ("In Progress", "indeterminate"), ("Done", "done"), ("Won't Do", "done"))
EXPECTED = {"To Do": "pending", "In Progress": "active", "Done": "done", "Won't Do": "done"}
TOKEN = "ATATT3xFfGF0" + "aB3" * 12
EIGHT = """
CREATE TABLE profiles (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, created_at TEXT NOT NULL,
    last_used TEXT NOT NULL, jira_config TEXT, field_mappings TEXT, forecast_settings TEXT,
    project_classification TEXT, flow_type_mappings TEXT, show_milestone INTEGER, show_points INTEGER);
CREATE TABLE queries (id TEXT NOT NULL, profile_id TEXT NOT NULL, name TEXT NOT NULL, jql TEXT NOT NULL,
    description TEXT, created_at TEXT NOT NULL, last_used TEXT NOT NULL, PRIMARY KEY (profile_id, id));
CREATE TABLE app_state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE jira_cache (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, cache_key TEXT, response TEXT,
    expires_at TEXT, created_at TEXT);
CREATE TABLE jira_changelog_cache (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, issue_key TEXT,
    changelog TEXT, expires_at TEXT, created_at TEXT);
CREATE TABLE project_data (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, data TEXT, updated_at TEXT);
CREATE TABLE metrics_snapshots (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, snapshot_date TEXT,
    metric_type TEXT, metrics TEXT, forecast TEXT, created_at TEXT);
CREATE TABLE task_progress (task_name TEXT PRIMARY KEY, progress_percent REAL, status TEXT, message TEXT,
    updated_at TEXT);
"""
ELEVEN = """
CREATE TABLE jira_issues (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, issue_key TEXT, summary TEXT,
    status TEXT, assignee TEXT, issue_type TEXT, priority TEXT, resolution TEXT, created TEXT, updated TEXT,
    resolved TEXT, points REAL, project_key TEXT, project_name TEXT, fix_versions TEXT, labels TEXT, components TEXT,
    custom_fields TEXT, cache_key TEXT, expires_at TEXT, fetched_at TEXT);
CREATE TABLE jira_changelog_entries (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, issue_key TEXT,
    change_date TEXT, author TEXT, field_name TEXT, field_type TEXT, old_value TEXT, new_value TEXT, expires_at TEXT);
CREATE TABLE project_statistics (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, stat_date TEXT,
    week_label TEXT, completed_items INTEGER, completed_points REAL, created_items INTEGER, created_points REAL,
    recorded_at TEXT);
CREATE TABLE project_scope (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, scope_data TEXT, updated_at TEXT);
CREATE TABLE metrics_data_points (id INTEGER PRIMARY KEY, profile_id TEXT, query_id TEXT, snapshot_date TEXT,
    metric_category TEXT, metric_name TEXT, metric_value REAL, metric_unit TEXT, excluded_issue_count INTEGER,
    calculation_metadata TEXT, created_at TEXT);
CREATE TABLE surprises (id INTEGER PRIMARY KEY, what TEXT);
"""


@dataclass
class Query:
    """A query, and what it must become."""

    profile: str
    query: str
    head: Json
    issues: list[Json]
    changes: dict[str, list[Json]]
    statistics: list[Json]
    snapshots: Json
    scope: Json

    @property
    def points(self) -> int:
        """How many points its measurements are."""
        days = sum(sum(isinstance(v, int | float) for v in day.values()) for day in self.statistics)
        return days + sum(len(metrics) for week, metrics in self.snapshots.items() if week != "trends")

    @property
    def changed(self) -> int:
        return sum(len(history["items"]) for histories in self.changes.values() for history in histories)


@dataclass
class Store:
    """Profiles by id, and their queries."""

    profiles: dict[str, Json]
    queries: list[Query] = field(default_factory=list[Query])


def store(seed: int, profiles: int = 2, issues: int = 8) -> Store:
    """Return a store; of the same seed always the same."""
    chance = random.Random(seed)
    names = ["default", *(f"p_{chance.getrandbits(48):012x}" for _ in range(profiles - 1))]
    made = Store({name: profile(chance, name) for name in names})
    for name in names:
        for number in range(chance.randint(1, 2)):
            made.queries.append(query(chance, name, f"q{number}", issues))
        made.profiles[name]["queries"] = [one.query for one in made.queries if one.profile == name]
    return made


def profile(chance: random.Random, name: str) -> Json:
    return {
        "id": name,
        "name": f"Profil {name} ü→",
        "description": chance.choice(["", "Zwölf Leute 🚀"]),
        "created_at": "2025-03-01T10:00:00.123456",
        "last_used": "2025-11-02 08:09:10",
        "jira_config": {
            "base_url": "https://jira.example.org",
            "token": TOKEN,
            "points_field": "customfield_10016",
            "cache_size_mb": 100,
            "max_results_per_call": 1000,
            "configured": True,
        },
        "field_mappings": {"deployment": {}, "flow": {"effort": "customfield_10017"}},
        "forecast_settings": {"pert_factor": 1.2, "deadline": None, "data_points_count": 12.0},
        "project_classification": {"devops": [], "development": ["DEV"]},
        "flow_type_mappings": {},
        "show_milestone": chance.choice([True, ["show"], []]),
        "show_points": [],
        "unknown_setting": {"b": 1, "a": [None, ""]},
    }


def query(chance: random.Random, profile_id: str, name: str, issues: int) -> Query:
    made = [issue(chance, f"DEV-{number + 1}") for number in range(issues)]
    changes = {one["key"]: histories(chance) for one in made[: issues // 2]}
    statistics = [
        {"date": f"2025-10-{day:02}", "completed_items": day % 3, "completed_points": day * 1.5, "created_items": 1,
         "created_points": 0.0, "velocity_items": None, "week_label": "2025-W41"}
        for day in range(1, 5)
    ]  # fmt: skip
    snapshots: Json = {
        "2025-W44": {"flow_velocity": {"overall_value": 4.5, "timestamp": "2025-11-01T00:00:00"}},
        "2025-45": {"deployment_frequency": {"value": None, "error_state": "no_data"}, "mttr": {"value": 0}},
        "trends": {"flow_velocity": "up"},
    }
    head = {"name": f"Offen {name}", "jql": "project = DEV ORDER BY created", "description": "Alles Offene",
            "created_at": "2025-03-02T00:00:00Z"}  # fmt: skip
    scope = {
        "total_items": issues,
        "status_breakdown": {"Done": {"items": 1, "points": 2.0}},
        "calculation_metadata": {},
    }
    return Query(profile_id, name, head, made, changes, statistics, snapshots, scope)


def issue(chance: random.Random, key: str) -> Json:
    status, category = chance.choice(CATEGORIES)
    done = category == "done"
    return {
        "id": str(chance.randint(1, 10**6)),
        "key": key,
        "self": "https://jira.example.org/rest/api/2/issue/1",
        "fields": {
            "summary": f"Tu etwas {key} → {'x' * chance.choice([0, 300])}",
            "status": {"name": status, "statusCategory": {"key": category, "name": status}},
            "issuetype": {"name": chance.choice(["Bug", "Story", "Task", "Spike"])},
            "priority": {"name": chance.choice(["Highest", "Medium", "Low"])},
            "assignee": chance.choice([None, {"displayName": "Ada", "accountId": "1"}]),
            "created": "2025-01-02T03:04:05.678+0100",
            "updated": "2025-02-02T03:04:05.000+0000",
            "resolutiondate": "2025-02-01T00:00:00.000+0000" if done else None,
            "labels": ["a", "b"],
            "fixVersions": [{"name": "1.0"}],
            "customfield_10016": chance.choice([None, 3.0, 5]),
            "project": {"key": "DEV", "name": "Entwicklung"},
        },
    }


def histories(chance: random.Random) -> list[Json]:
    twice = {"field": "status", "fieldtype": "jira", "fromString": "To Do", "toString": "In Progress", "from": "1"}
    return [
        {"id": "7", "created": "2025-01-05T00:00:00.000+0000", "author": {"displayName": "Grace"},
         "items": [twice, {**twice, "fromString": "In Progress", "toString": "Done"}]},
        {"created": "2025-01-06T00:00:00.000+0000",
         "items": [{"field": "assignee", "fromString": None, "toString": f"Ada {chance.random()}"}]},
    ]  # fmt: skip


def dump(path: Path, value: Any, **style: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, **style), encoding="utf-8")


def put(root: Path, made: Store) -> Path:
    """Write a store as files."""
    listed = {name: {key: one[key] for key in ("id", "name", "created_at")} for name, one in made.profiles.items()}
    first = made.queries[0]
    active = {"active_profile_id": first.profile, "active_query_id": first.query}
    dump(root / "profiles" / "profiles.json", {"version": "3.0", **active, "profiles": listed})
    for name, one in made.profiles.items():
        dump(root / "profiles" / name / "profile.json", one)
    for one in made.queries:
        folder = root / "profiles" / one.profile / "queries" / one.query
        dump(folder / "query.json", one.head)
        dump(folder / "jira_cache.json", cache(one))
        dump(folder / "jira_changelog_cache.json", changelog(one))
        dump(folder / "project_data.json", project_data(one))
        dump(folder / "metrics_snapshots.json", one.snapshots)
    dump(root / "task_progress.json", progress())
    return root


def cache(one: Query) -> Json:
    return {"cache_version": "2.0", "timestamp": "2025-11-01T12:00:00", "jql_query": one.head["jql"],
            "fields_requested": "key,summary", "issues": one.issues, "total_issues": len(one.issues),
            "config_hash": "abc123"}  # fmt: skip


def changelog(one: Query) -> Json:
    return {
        key: {"key": key, "fields": {"created": "2025-01-01"}, "changelog": {"histories": found, "total": len(found)},
              "last_updated": "2025-11-01T12:00:00"}
        for key, found in one.changes.items()
    }  # fmt: skip


def project_data(one: Query) -> Json:
    return {"project_scope": one.scope, "statistics": one.statistics,
            "metadata": {"source": "jira", "last_updated": "2025-11-01T12:00:00", "version": "2.0"}}  # fmt: skip


def progress() -> Json:
    return {"task_id": "update_data", "task_name": "Update Data", "status": "in_progress",
            "start_time": "2025-11-01T12:00:00", "cancelled": False, "metadata": {}, "ui_state": {},
            "fetch_progress": {"current": 5, "total": 10, "percent": 50, "message": "half"},
            "report_progress": {}}  # fmt: skip


def put_database(path: Path, made: Store, *, tables: int = 8, complete: bool = True) -> Path:
    """Write a store as a database of eight tables, or with those of the normalised form."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(EIGHT + (ELEVEN if tables == 11 else ""))
        for name, one in made.profiles.items():
            settings = [json.dumps(one[key]) for key in list(one)[5:10]]
            head = [name, one["name"], one["description"], one["created_at"], one["last_used"]]
            db.execute(f"INSERT INTO profiles VALUES ({', '.join('?' * 12)})", [*head, *settings, 1, 0])
        for one in made.queries:
            head = [one.query, one.profile, *(one.head[key] for key in ("name", "jql", "description", "created_at"))]
            db.execute("INSERT INTO queries VALUES (?, ?, ?, ?, ?, ?, '2025-11-01')", head)
            (_normalised if tables == 11 else _blobs)(db, one)
        db.execute("INSERT INTO app_state VALUES ('schema_version', '1.0')")
        db.execute("INSERT INTO app_state VALUES ('migration_complete', ?)", ["true" if complete else "false"])
        db.execute("INSERT INTO task_progress VALUES ('update_data', 40.5, 'running', 'x', '2025-11-01T00:00:00')")
        db.commit()
    return path


def _blobs(db: sqlite3.Connection, one: Query) -> None:
    def add(table: str, *values: Any) -> None:
        db.execute(f"INSERT INTO {table} VALUES (NULL, ?, ?{', ?' * len(values)})", [one.profile, one.query, *values])

    add("jira_cache", "key", json.dumps({"issues": one.issues}), "2031-01-01T00:00:00Z", "2025-11-01T00:00:00Z")
    for key, found in one.changes.items():
        add("jira_changelog_cache", key, json.dumps({"histories": found}), "2031-01-01", "2025-11-01")
    add("project_data", json.dumps(project_data(one)), "2025-11-01")
    add("metrics_snapshots", "2025-W44", "flow", json.dumps({"velocity": 3}), None, "2025-11-01")


def _normalised(db: sqlite3.Connection, one: Query) -> None:
    def add(table: str, *values: Any) -> None:
        db.execute(f"INSERT INTO {table} VALUES (NULL, ?, ?{', ?' * len(values)})", [one.profile, one.query, *values])

    for found in one.issues:
        fields = found["fields"]
        named = [fields[key] and fields[key].get("name", fields[key].get("displayName"))
                 for key in ("status", "assignee", "issuetype", "priority")]  # fmt: skip
        add("jira_issues", found["key"], fields["summary"], *named, None, fields["created"], fields["updated"],
            fields["resolutiondate"], fields["customfield_10016"], "DEV", "Entwicklung", '[{"name": "1.0"}]',
            '["a", "b"]', "[]", '{"customfield_1": 2}', "key", "2031-01-01", "2025-11-01")  # fmt: skip
    for key, found in one.changes.items():
        for history in found:
            for item in history["items"]:
                add("jira_changelog_entries", key, history["created"], "Grace", item["field"], item.get("fieldtype"),
                    item["fromString"], item["toString"], "2031-01-01")  # fmt: skip
    for day in one.statistics:
        add("project_statistics", day["date"], day["week_label"], day["completed_items"], day["completed_points"],
            day["created_items"], day["created_points"], "2025-11-01")  # fmt: skip
    add("project_scope", json.dumps(one.scope), "2025-11-01")
    add("metrics_data_points", "2025-W44", "flow", "velocity", None, "items", 2, "{}", "2025-11-01")
    db.execute("INSERT INTO surprises (what) VALUES ('nobody knows')")


def package(made: Store, profile_id: str) -> Json:
    """Return a package of one profile."""
    return {
        "manifest": {"version": "2.0", "created_at": "2025-11-01", "created_by": "app 2", "export_type": "backup",
                     "profiles": [profile_id], "includes_cache": True, "export_mode": "FULL_DATA"},
        "profile_data": made.profiles[profile_id],
        "query_data": {
            one.query: {"query_metadata": one.head, "jira_cache": cache(one), "statistics": one.statistics,
                        "project_scope": one.scope, "metrics": one.snapshots, "jira_changelog_cache": changelog(one)}
            for one in made.queries
            if one.profile == profile_id
        },
    }  # fmt: skip


def put_package(path: Path, made: Store, profile_id: str) -> Path:
    """Write a package: a JSON file, or a zip."""
    whole = package(made, profile_id)
    if path.suffix == ".json":
        dump(path, whole)
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(whole["manifest"]))
        archive.writestr("profile.json", json.dumps(whole["profile_data"]))
        for name, one in whole["query_data"].items():
            archive.writestr(f"queries/{name}.json", json.dumps(one["query_metadata"]))
            archive.writestr(f"cache/{name}_jira_cache.json", json.dumps(one["jira_cache"]))
            archive.writestr(f"cache/{name}_project_data.json", json.dumps({"statistics": one["statistics"]}))
    return path


def put_older(root: Path) -> Path:
    """Write what there was before there were profiles."""
    dump(root / "app_settings.json", {"pert_factor": 3, "jira_config": {"token": TOKEN}, "deadline": "2026-01-01"})
    listed = [
        {"id": "a", "name": "Old", "jql": "x", "description": "d", "created_at": "2024-01-01", "is_default": False},
        {"id": "b", "name": "New", "jql": "y", "created_at": "2024-01-02", "is_default": True},
    ]
    dump(root / "jira_query_profiles.json", listed)
    dump(root / "project_data.json", {"total_items": 10, "total_points": 20.0, "metadata": {}})
    (root / "statistics.csv").write_text("date;no_items;no_points\n2024-01-01;3;4.5\n2024-01-02;0;\n", "utf-8")
    return root
