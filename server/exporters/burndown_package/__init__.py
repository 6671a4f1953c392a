"""Format `burndown-package`: a package for each profile, as JSON and as an archive, which burndown-chart imports.

Credentials are in none of them.
"""

import io
import json
import zipfile
from collections.abc import AsyncGenerator
from typing import Any

from server import __version__
from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.exporters import burndown_chart
from server.exporters.burndown_chart.rebuilding import ProfileFiles
from server.exporters.folder import File
from server.exporters.legacy import style

__all__ = ["left_out", "one_plan", "store", "workspace"]

VERSION = "2.0"
PARTS = {
    "query.json": "query_metadata",
    "jira_cache.json": "jira_cache",
    "jira_changelog_cache.json": "jira_changelog_cache",
    "metrics_snapshots.json": "metrics",
}
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # an archive of the same content has the same bytes
left_out = burndown_chart.left_out


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the packages of all profiles."""
    for workspace_id in await exports.workspaces(db):
        if profile := await burndown_chart.profile_of(db, workspace_id):
            for file in _packages(profile, db.now()):
                yield file


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the packages of one profile, or of a workspace as one."""
    profile = await burndown_chart.profile_of(db, workspace_id, any_=True)
    assert profile is not None
    for file in _packages(profile, db.now()):
        yield file


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the packages of the profile that a query is in."""
    async for file in workspace(db, await exports.workspace_of(db, plan_id) or ""):
        yield file


def _packages(profile: ProfileFiles, now: str) -> tuple[File, File]:
    whole = package(profile, now)
    return (
        File(f"{profile.name}.json", style.written(whole, style.Style())),
        File(f"{profile.name}.zip", _archive(whole)),
    )


def package(profile: ProfileFiles, now: str) -> dict[str, Any]:
    """Return a profile as one value."""
    manifest = {
        "version": VERSION,
        "created_at": now,
        "created_by": f"project-memory {__version__}",
        "export_type": "backup",
        "profiles": [profile.name],
        "includes_cache": True,
        "includes_queries": True,
        "includes_setup_status": True,
        "includes_token": False,
        "includes_changelog": True,
        "export_mode": "FULL_DATA",
    }
    queries: dict[str, Any] = {}
    for query in profile.queries:
        files = query.files()
        data = files.get("project_data.json", {})
        parts = {name: files[file] for file, name in PARTS.items() if file in files}
        queries[query.name] = {**parts, **{k: v for k, v in data.items() if k in ("project_scope", "statistics")}}
    return {"manifest": manifest, "profile_data": profile.value(), "query_data": queries}


def _archive(whole: dict[str, Any]) -> bytes:
    members: dict[str, Any] = {"manifest.json": whole["manifest"], "profile.json": whole["profile_data"]}
    for name, query in whole["query_data"].items():
        members[f"queries/{name}.json"] = query
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for name, value in members.items():
            entry = zipfile.ZipInfo(name, FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(value, ensure_ascii=False, indent=2))
    return found.getvalue()
