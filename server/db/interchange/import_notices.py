"""Older stores: whether something of them was imported, and whether somebody was told of them."""

from collections.abc import Iterable

from server.db.audit import events
from server.db.storage.connection import Database, Reader
from server.models.base import encode
from server.models.events import Event

NOTICED = "legacy_store_noticed"


async def is_imported(db: Reader, ids: Iterable[str]) -> bool:
    """Return whether one of these workspaces, by their ids of old, was imported, and not only in part."""
    query = """
        WITH known AS (
            SELECT value AS workspace_id FROM json_each(:ids)
            UNION SELECT workspace_id FROM workspace_aliases WHERE alias IN (SELECT value FROM json_each(:ids))
        )
        SELECT 1 FROM import_files f WHERE workspace_id IN (SELECT workspace_id FROM known)
          AND NOT EXISTS (SELECT 1 FROM import_runs r WHERE r.workspace_id = f.workspace_id AND r.status = 'running')
        LIMIT 1
    """
    return bool(await db.value(query, {"ids": encode(list(ids))}))


async def imported(db: Reader, folder: str, paths: Iterable[str]) -> set[str]:
    """Return which of these files of a folder its workspace has imported, and not only in part."""
    query = """
        SELECT f.path FROM import_files f JOIN workspaces w ON w.workspace_id = f.workspace_id
        WHERE w.path = :folder AND f.path IN (SELECT value FROM json_each(:paths))
          AND NOT EXISTS (SELECT 1 FROM import_runs r WHERE r.workspace_id = f.workspace_id AND r.status = 'running')
    """
    return {row["path"] for row in await db.all(query, {"folder": folder, "paths": encode(list(paths))})}


async def is_noticed(db: Reader, path: str, workspace_id: str | None) -> bool:
    """Return whether the agents of a workspace, or without one who reads the log, were told of a store."""
    query = """
        SELECT 1 FROM event_log WHERE workspace_id IS :workspace_id AND type = :type AND entity_id = :path LIMIT 1
    """
    return bool(await db.value(query, {"workspace_id": workspace_id, "type": NOTICED, "path": path}))


async def note(db: Database, paths: Iterable[str], workspace_id: str | None) -> None:
    """Remember that somebody was told of stores."""
    async with db.transaction() as tx:
        for path in paths:
            events.record(tx, Event(NOTICED, "legacy_store", path, workspace_id=workspace_id))
        await events.flush(tx)
