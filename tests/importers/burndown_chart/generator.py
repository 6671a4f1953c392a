"""A folder of burndown-chart with two profiles, and what has to come of it."""

import json
from pathlib import Path

from tests import burndown_stores
from tests.importers.layouts import Expected


def store(folder: Path, seed: int) -> Expected:
    """Write a store, and count what it has to become."""
    made = burndown_stores.store(seed)
    burndown_stores.put(folder, made)
    query = folder / "profiles" / "default" / "queries" / "q0" / "query.json"
    issues = query.with_name("jira_changelog_cache.json")

    def edit() -> str:
        burndown_stores.dump(query, json.loads(query.read_text("utf-8")) | {"name": "Umbenannt"})
        return "Umbenannt"

    def broken() -> None:
        issues.with_name("task_progress.json").write_text('{"task_name": "cut off', "utf-8")

    queries = len(made.queries)
    rows = {
        "workspaces": len(made.profiles),
        "plans": queries,
        "phases": queries,
        "steps": sum(len(one.issues) for one in made.queries),
        "field_changes": sum(one.changed for one in made.queries),
        "metric_points": sum(one.points for one in made.queries),
        "cache_entries": sum(1 + len(one.changes) for one in made.queries),
        "context_items": 2 * queries,  # the scope of the project, and the trends
        "task_progress": 1,
        "memory_entries": 3,
    }
    files = 1 + len(made.profiles) + 5 * queries + 1
    texts = [
        "Profil default ü→",
        "unknown_setting",
        "customfield_10016",
        "2025-W45",
        "Alles Offene",
        "ORDER BY created",
    ]
    secrets = [burndown_stores.TOKEN]
    return Expected("burndown-chart", folder, rows, files, texts, secrets, is_placeless=True, edit=edit, broken=broken)
