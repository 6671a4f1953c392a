"""Format `burndown-package`: a package for each profile, as JSON and as an archive, which burndown-chart imports.

Credentials are in none of them.
"""

import io
import json
import zipfile
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from server import __version__
from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.exporters import burndown_chart
from server.exporters.burndown_chart.rebuilding import ProfileFiles
from server.exporters.folder import File
from server.exporters.legacy import style
from server.importers.reading import object_of
from server.text import redaction

__all__ = ["left_out", "one_plan", "store", "workspace"]

VERSION = "2.0"
PARTS = {
    "query.json": "query_metadata",
    "jira_cache.json": "jira_cache",
    "jira_changelog_cache.json": "jira_changelog_cache",
    "metrics_snapshots.json": "metrics",
}
KNOWN = ("project_scope", "statistics")  # which a package has beside its parts; of more it has all
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # an archive of the same content has the same bytes
left_out = burndown_chart.left_out


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the packages of all profiles."""
    for workspace_id in await exports.workspaces(db):
        if profile := await burndown_chart.profile_of(db, workspace_id):
            for file in await _packages(db, profile):
                yield file


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the packages of one profile, or of a workspace as one."""
    profile = await burndown_chart.profile_of(db, workspace_id, any_=True)
    assert profile is not None
    for file in await _packages(db, profile):
        yield file


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the packages of the profile that a query is in."""
    async for file in workspace(db, await exports.workspace_of(db, plan_id) or ""):
        yield file


async def _packages(db: Reader, profile: ProfileFiles) -> tuple[File, File]:
    whole = package(profile, await burndown_chart.values_of(db, profile), db.now())
    return (
        File(f"{profile.name}.json", style.written(whole, style.Style())),
        File(f"{profile.name}.zip", _archive(whole)),
    )


def package(profile: ProfileFiles, values: Mapping[str, Mapping[str, Any]], now: str) -> dict[str, Any]:
    """Return a profile as one value. Of a query that came as files the `values` of these stand in it."""
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
        files = {**query.files(), **values.get(query.name, {})}
        data = object_of(files.get("project_data.json"))
        parts = {name: files[file] for file, name in PARTS.items() if file in files}
        known = {name: data[name] for name in KNOWN if name in data}
        queries[query.name] = {**parts, **known, **({"project_data": data} if data != known else {})}
    told, _ = redaction.blanked({"profile_data": profile.value(), "query_data": queries})
    return {"manifest": manifest, **told}


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
