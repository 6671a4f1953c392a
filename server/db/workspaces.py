"""Tables `workspaces` and `workspace_aliases`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from server.db.connection import Reader, Transaction
from server.db.near import not_found
from server.db.plans import stored
from server.models.base import encode, new_id
from server.models.workspaces import Checkout, Workspace


async def insert(tx: Transaction, *, path: str, name: str, **columns: Any) -> Workspace:
    """Insert a workspace. `columns` are further columns, `workspace_id` among them if it is known already."""
    values = {"workspace_id": new_id("ws"), "path": path, "name": name, **columns}
    values |= {"created_at": tx.now(), "updated_at": tx.now()}
    row = await tx.one(
        f"INSERT INTO workspaces ({', '.join(values)}) VALUES ({', '.join(':' + n for n in values)}) RETURNING *",
        stored(values),
    )
    assert row is not None  # RETURNING gives the row
    return Workspace.of(row)


async def update(tx: Transaction, workspace_id: str, changes: Mapping[str, Any]) -> Workspace:
    """Change columns of a workspace and its time."""
    assignments = "".join(f"{name} = :{name}, " for name in changes)
    row = await tx.one(
        f"UPDATE workspaces SET {assignments}updated_at = :updated_at WHERE workspace_id = :workspace_id RETURNING *",
        {**stored(changes), "workspace_id": workspace_id, "updated_at": tx.now()},
    )
    assert row is not None  # the caller required the workspace in this transaction
    return Workspace.of(row)


async def find(db: Reader, workspace_id: str) -> Workspace | None:
    """Return a workspace by its id or one of its old ids."""
    row = await db.one(
        """
        SELECT * FROM workspaces WHERE workspace_id =
            coalesce((SELECT workspace_id FROM workspace_aliases WHERE alias = :workspace_id), :workspace_id)
        """,
        {"workspace_id": workspace_id},
    )
    return Workspace.of(row) if row else None


async def require(db: Reader, workspace_id: str) -> Workspace:
    """Return a workspace by its id or one of its old ids, or raise NotFound."""
    if found := await find(db, workspace_id):
        return found
    raise await not_found(
        db, "workspace", workspace_id, table="workspaces", label="path", lister="memory_workspace action='list'"
    )


async def all_(db: Reader) -> list[Workspace]:
    return [Workspace.of(row) for row in await db.all("SELECT * FROM workspaces ORDER BY name, workspace_id")]


async def holding(db: Reader, folder: str, checkout: Checkout | None) -> Workspace | None:
    """Return the deepest workspace that holds `folder`: in its own working tree, else in another one of the same
    repository, else around it.
    """
    above = [folder, *map(str, PurePath(folder).parents)]
    rows = await db.all(
        """
        SELECT * FROM workspaces
        WHERE path IN (SELECT value FROM json_each(:paths)) OR git_common_dir = :common_dir
        ORDER BY created_at, workspace_id
        """,
        {
            "paths": encode([*above, *(checkout.twins if checkout else ())]),
            "common_dir": checkout.common_dir if checkout else None,
        },
    )
    ranked = [(_rank(w, above, checkout), w) for w in map(Workspace.of, rows)]
    near = [(rank, w) for rank, w in ranked if rank]
    return max(near, key=lambda pair: pair[0])[1] if near else None


def _rank(workspace: Workspace, above: Sequence[str], checkout: Checkout | None) -> tuple[int, int] | None:
    """Return how near a workspace is to the first of the folders `above`, or None if it does not hold it."""
    around = workspace.path in above
    if checkout and around and len(workspace.path) >= len(checkout.root):
        return 2, len(workspace.path)
    if checkout and (place := checkout.place_of(workspace)) in checkout.prefixes:
        return 1, len(place)
    return (0, len(workspace.path)) if around else None


async def below(db: Reader, folder: str) -> list[Workspace]:
    """Return the workspaces in folders below `folder`."""
    start = folder.rstrip(os.sep) + os.sep
    rows = await db.all(
        "SELECT * FROM workspaces WHERE path > :start AND path < :end ORDER BY path",
        {"start": start, "end": start[:-1] + chr(ord(os.sep) + 1)},
    )
    return [Workspace.of(row) for row in rows]


async def plan_counts(db: Reader, workspace_id: str) -> dict[str, int]:
    """Return the number of plans of a workspace by status."""
    rows = await db.all(
        """
        SELECT status, count(*) AS total FROM (
            SELECT status FROM plans WHERE workspace_id = :workspace_id
            UNION ALL
            SELECT 'archived' FROM plans_archive WHERE workspace_id = :workspace_id
        ) AS p GROUP BY status ORDER BY status
        """,
        {"workspace_id": workspace_id},
    )
    return {row["status"]: row["total"] for row in rows}
