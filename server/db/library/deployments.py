"""Table `deployed_files`: what was written into the folders of workspaces, so that what people changed can be told."""

from collections.abc import Iterable, Sequence
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.models.library import DeployedFile, LibraryKind
from server.text.client_files import CLIENTS


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


async def of_workspace(db: Reader, workspace_id: str) -> list[DeployedFile]:
    """Return all that was written into the folder of a workspace."""
    rows = await db.all(
        "SELECT * FROM deployed_files WHERE workspace_id = :workspace_id ORDER BY path, block, client",
        {"workspace_id": workspace_id},
    )
    return [DeployedFile.of(row) for row in rows]


async def put(tx: Transaction, rows: Iterable[DeployedFile]) -> None:
    """Remember what is written. The same file may be read by several clients: its hash is that of all of them."""
    told = [{**row.model_dump(), "now": tx.now()} for row in rows]
    await tx.many(
        """
        INSERT INTO deployed_files (workspace_id, client, path, block, kind, name, hash, previous_hash, source,
            created_at, updated_at)
        VALUES (:workspace_id, :client, :path, :block, :kind, :name, :hash, :previous_hash, :source, :now, :now)
        ON CONFLICT (workspace_id, client, path, block) DO UPDATE SET kind = excluded.kind, name = excluded.name,
            hash = excluded.hash, previous_hash = excluded.previous_hash, source = excluded.source,
            updated_at = excluded.updated_at
        """,
        told,
    )
    # With the names of the clients the primary key leads to each row.
    await tx.many(
        """
        UPDATE deployed_files SET hash = :hash, previous_hash = :previous_hash, source = :source
        WHERE workspace_id = :workspace_id AND client = :other AND path = :path AND block = :block
        """,
        [{**row, "other": client} for row in told for client in CLIENTS if client != row["client"]],
    )


async def forget(tx: Transaction, rows: Sequence[DeployedFile]) -> None:
    """Forget what was written: it is gone, or somebody's own now."""
    await tx.many(
        """
        DELETE FROM deployed_files
        WHERE workspace_id = :workspace_id AND client = :client AND path = :path AND block = :block
        """,
        [row.model_dump() for row in rows],
    )
