"""Table `deployed_files`: what was written into the folders of workspaces, so that what people changed can be told."""

from typing import Any

from server.db.storage.connection import Reader
from server.models.library import LibraryKind


async def of_definition(db: Reader, kind: LibraryKind, name: str) -> list[dict[str, Any]]:
    """Return where a definition is deployed: workspace, client and path."""
    rows = await db.all(
        """
        SELECT workspace_id, client, path FROM deployed_files WHERE kind = :kind AND name = :name
        ORDER BY workspace_id, client, path
        """,
        {"kind": kind, "name": name},
    )
    return [dict(row) for row in rows]
