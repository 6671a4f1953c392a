"""The files of a workspace that say what it is, and the registry that says where workspaces are."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.exporters.documents import file_name
from server.exporters.folder import File
from server.exporters.legacy import entries
from server.exporters.legacy.beside import brand_new, rewritten
from server.exporters.legacy.entries import Change, Entry
from server.importers.reading import Content, UnreadableFile, is_object, json_of, list_of, object_of

META = "workspace.meta.json"


async def folder(db: Reader, workspace_id: str) -> str:
    """Return the name of a workspace's folder: the id that it had in the store it came from, else the one it has."""
    for one in await exports.imported(db, workspace_id):
        if one["path"] == META:
            raw = await exports.raw(db, one["file_id"])
            told = _meta(zlib.decompress(raw or b"")).get("workspace_id")
            if isinstance(told, str) and told:
                return file_name(told) if "/" in told or "\\" in told or told.startswith(".") else told
    return file_name(workspace_id)


def _meta(data: bytes) -> dict[str, Any]:
    try:
        return object_of(json_of(Content(META, "", len(data), b"", "", data)))
    except UnreadableFile:
        return {}


async def changed_meta(db: Reader, workspace_id: str, root: str, data: bytes, known: Change) -> File:
    """Return the file that says what a workspace is, with what has changed since it was imported."""
    now_archived = await exports.plan_places(db, workspace_id)
    imported = await exports.plan_bases(db, workspace_id)

    def changed(value: Any) -> Any:
        if not is_object(value):
            return value
        found = object_of(value)
        before, now = known.before.get("workspaces", {}), known.now["workspaces"]
        if workspace_id in before:
            entries.patch(found, "workspaces", before[workspace_id], now[workspace_id])
        entries.listed(found, "workspace_build_scripts", "build_scripts", known)
        _list_plans(found, imported, now_archived)
        if aliases := known.new("workspace_aliases"):
            older = list_of(found.get("legacy_workspace_ids"))
            found["legacy_workspace_ids"] = [*older, *(alias for alias in aliases if alias not in older)]
        return found

    return rewritten(f"{root}{META}", data, changed)


def _list_plans(found: Entry, before: Mapping[str, bool], now: Mapping[str, bool]) -> None:
    """Move plans between the lists of a workspace as they were archived, brought back, added or deleted since."""
    for name, is_archive in (("active_plans", False), ("archived_plans", True)):
        left = {plan_id for plan_id, was in before.items() if was == is_archive and now.get(plan_id) != is_archive}
        came = [
            plan_id for plan_id, is_now in now.items() if is_now == is_archive and before.get(plan_id) != is_archive
        ]
        if left or came:
            kept = [plan_id for plan_id in list_of(found.get(name)) if plan_id not in left]
            found[name] = [*kept, *(plan_id for plan_id in came if plan_id not in kept)]


async def new_meta(db: Reader, workspace_id: str, root: str) -> File:
    """Return the file that says what a workspace is that was never imported."""
    rows = await exports.workspace(db, workspace_id)
    [row] = map(entries.decoded, rows["workspaces"])
    places = await exports.plan_places(db, workspace_id)
    aliases = [alias["alias"] for alias in rows.get("workspace_aliases", []) if alias["kind"] == "id"]
    scripts = [script for script in rows.get("build_scripts", []) if script["plan_id"] is None]
    found: Entry = {
        "schema_version": "1.0.0",
        "workspace_id": workspace_id,
        "workspace_path": row["path"],
        "path": row["path"],
        "name": row["name"],
        **{name: row[name] for name in ("display_name", "profile", "parent_workspace_id") if row[name]},
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "registered_at": row["created_at"],
        "legacy_workspace_ids": aliases,
        "active_plans": [plan_id for plan_id, is_archived in places.items() if not is_archived],
        "archived_plans": [plan_id for plan_id, is_archived in places.items() if is_archived],
        "workspace_build_scripts": [entries.fresh("build_scripts", script) for script in scripts],
    }
    return brand_new(f"{root}{META}", found)


async def registry(db: Reader, old: File | None = None) -> File | None:
    """Return the list of workspaces by path: the imported one with those that came since, or a new one of those."""
    paths = await exports.workspace_paths(db)
    ours = [one for one in await exports.workspaces(db) if not await exports.imported(db, one)]
    placed = [one for one in ours if one in paths]
    wanted = {_normal(paths[workspace_id]): await folder(db, workspace_id) for workspace_id in placed}
    if not wanted:
        return old
    if old is None:
        return brand_new(
            "workspace-registry.json", {"schema_version": "1.0.0", "entries": wanted, "updated_at": db.now()}
        )

    def changed(value: Any) -> Any:
        listed = object_of(object_of(value).get("entries"))
        known = set(map(json.dumps, listed.values()))
        listed.update({path: root for path, root in wanted.items() if json.dumps(root) not in known})
        return value

    return rewritten(old.path, old.content, changed, modified_at=old.modified_at)


def _normal(path: str) -> str:
    return path.replace("\\", "/").lower().rstrip("/")
