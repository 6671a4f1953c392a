"""Tables `workspaces` and `workspace_aliases`."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.db.storage.rows import stored
from server.errors import Busy
from server.models.base import encode, new_id
from server.models.workspaces import Checkout, HeldStep, Relative, Workspace, WorkspaceFull

PLAN_COUNTS = """
    (SELECT json_group_object(status, total) FROM (
        SELECT status, count(*) AS total FROM (
            SELECT status FROM plans WHERE workspace_id = {0}
            UNION ALL
            SELECT 'archived' FROM plans_archive WHERE workspace_id = {0}
        ) AS p GROUP BY status ORDER BY status
    ) AS c) AS plan_counts
"""
FULL = f"""
    SELECT w.workspace_id, coalesce(w.display_name, w.name) AS name, w.display_name, w.path, w.parent_workspace_id,
        w.git_common_dir, w.profile, w.meta, w.created_at, w.updated_at, {PLAN_COUNTS.format("w.workspace_id")}
    FROM workspaces w
"""
NEAR = """
    SELECT w.*, w.path AS place FROM workspaces w
    WHERE w.importing IS NULL
      AND (w.path IN (SELECT value FROM json_each(:paths)) OR w.git_common_dir = :common_dir)
    UNION ALL
    SELECT w.*, a.alias FROM workspace_aliases a JOIN workspaces w ON w.workspace_id = a.workspace_id
    WHERE w.importing IS NULL AND a.kind = 'path' AND a.alias IN (SELECT value FROM json_each(:former))
    ORDER BY created_at, workspace_id
"""
BELOW = """
    WITH RECURSIVE below (workspace_id) AS (
        {start} UNION SELECT c.workspace_id FROM workspaces c JOIN below b ON c.parent_workspace_id = b.workspace_id
    )
    SELECT workspace_id FROM below
"""


async def insert(tx: Transaction, *, path: str, name: str, **columns: Any) -> Workspace:
    """Insert a workspace. `columns` are further columns, `workspace_id` among them if it is known already."""
    values = {"workspace_id": new_id("ws"), "path": path, "name": name, **columns}
    return Workspace.of(await rows.insert(tx, "workspaces", values))


async def refuse_importing(tx: Transaction, path: str, workspace_id: str | None) -> None:
    """Raise Busy if an import still fills the workspace of a path, or of that id."""
    source = await tx.value(
        """
        SELECT r.source_path FROM workspaces w LEFT JOIN import_runs r ON r.run_id = w.importing
        WHERE w.importing IS NOT NULL AND (w.path = :path OR w.workspace_id = :workspace_id) LIMIT 1
        """,
        {"path": path, "workspace_id": workspace_id},
    )
    if source:
        raise Busy(
            f"The workspace of {path!r} is being imported from {source!r}, and shows when all of it is there. Nothing "
            "was written. Try again in a while; if that import was interrupted, importing the same again completes it."
        )


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
        SELECT * FROM workspaces WHERE importing IS NULL AND workspace_id = coalesce(
            (SELECT workspace_id FROM workspaces WHERE workspace_id = :workspace_id),
            (SELECT workspace_id FROM workspace_aliases WHERE alias = :workspace_id AND kind = 'id'))
        """,
        {"workspace_id": workspace_id},
    )
    return Workspace.of(row) if row else None


async def require(db: Reader, workspace_id: str) -> Workspace:
    """Return a workspace by its id or one of its old ids, or raise NotFound."""
    if found := await find(db, workspace_id):
        return found
    raise await not_found(
        db,
        "workspace",
        workspace_id,
        table="workspaces",
        label="path",
        where="importing IS NULL",
    )


async def all_(db: Reader) -> list[Workspace]:
    return [
        Workspace.of(row)
        for row in await db.all("SELECT * FROM workspaces WHERE importing IS NULL ORDER BY name, workspace_id")
    ]


async def with_folders(db: Reader) -> list[Workspace]:
    """Return the workspaces of projects, but not those that were imported from what knew of none."""
    return [workspace for workspace in await all_(db) if workspace.path is not None]


async def at(db: Reader, path: str) -> Workspace | None:
    """Return the workspace whose folder this is."""
    row = await db.one("SELECT * FROM workspaces WHERE path = :path AND importing IS NULL", {"path": path})
    return Workspace.of(row) if row else None


async def holding(db: Reader, folder: str, checkout: Checkout | None, *, former: bool = True) -> Workspace | None:
    """Return the deepest workspace that holds `folder`: in its own working tree, else in another one of the same
    repository, else around it. A `former` folder of a workspace stands for it too.
    """
    above = [folder, *map(str, PurePath(folder).parents)]
    rows = await db.all(
        NEAR,
        {
            "paths": encode([*above, *(checkout.twins if checkout else ())]),
            "common_dir": checkout.common_dir if checkout else None,
            "former": encode(above if former else []),
        },
    )
    ranked = [(_rank(w, place, above, checkout), w) for w, place in ((Workspace.of(row), row["place"]) for row in rows)]
    near = [(rank, w) for rank, w in ranked if rank]
    return max(near, key=lambda pair: pair[0])[1] if near else None


def _rank(workspace: Workspace, at: str, above: Sequence[str], checkout: Checkout | None) -> tuple[int, int] | None:
    """Return how near a workspace in the folder `at` is to the first of `above`, or None if it does not hold it."""
    around = at in above
    if checkout and around and len(at) >= len(checkout.root):
        return 2, len(at)
    if checkout and (place := checkout.place_of(workspace)) in checkout.prefixes:
        return 1, len(place)
    return (0, len(at)) if around else None


async def below(db: Reader, folder: str) -> list[Workspace]:
    """Return the workspaces in folders below `folder`."""
    start = folder.rstrip(os.sep) + os.sep
    rows = await db.all(
        "SELECT * FROM workspaces WHERE importing IS NULL AND path > :start AND path < :end ORDER BY path",
        {"start": start, "end": start[:-1] + chr(ord(os.sep) + 1)},
    )
    return [Workspace.of(row) for row in rows]


async def plan_counts(db: Reader, workspace_id: str) -> dict[str, int]:
    """Return the number of plans of a workspace by status."""
    return json.loads(await db.value(f"SELECT {PLAN_COUNTS.format(':workspace_id')}", {"workspace_id": workspace_id}))


async def page(
    db: Reader,
    *,
    under: str | None,
    roots: bool,
    after: Sequence[str | int] | None,
    limit: int,
    query: str | None = None,
) -> tuple[list[WorkspaceFull], int]:
    """Return workspaces by name, and how many there are: all, or those linked below `under`, itself included.

    With `roots` only those at the top of it; with `query` those that have it in their name or path.
    """
    where = f"""
        w.importing IS NULL AND (:under IS NULL OR w.workspace_id IN ({BELOW.format(start="SELECT :under")}))
        AND (NOT :roots OR w.workspace_id = :under OR (:under IS NULL AND w.parent_workspace_id IS NULL))
        AND (:query IS NULL OR instr(
            folded(coalesce(w.display_name, '') || ' ' || w.name || ' ' || coalesce(w.path, '')), folded(:query)) > 0)
    """
    name, workspace_id = after or ("", "")
    params = {"under": under, "roots": roots, "query": query, "name": name, "after": workspace_id, "limit": limit}
    rows = await db.all(
        f"""
        {FULL} WHERE {where} AND (coalesce(w.display_name, w.name), w.workspace_id) > (:name, :after)
        ORDER BY coalesce(w.display_name, w.name), w.workspace_id LIMIT :limit
        """,
        params,
    )
    total = await db.value(f"SELECT count(*) FROM workspaces w WHERE {where}", params)
    return [WorkspaceFull.of(row) for row in rows], total


async def descendants(db: Reader, workspace_ids: Sequence[str]) -> list[WorkspaceFull]:
    """Return all workspaces linked below these, themselves left out, by name."""
    below_them = BELOW.format(start="SELECT value FROM json_each(:ids)")
    rows = await db.all(
        f"""
        {FULL}
        WHERE w.importing IS NULL AND w.workspace_id IN ({below_them})
          AND w.workspace_id NOT IN (SELECT value FROM json_each(:ids))
        ORDER BY coalesce(w.display_name, w.name), w.workspace_id
        """,
        {"ids": encode(list(workspace_ids))},
    )
    return [WorkspaceFull.of(row) for row in rows]


async def above(db: Reader, workspace_id: str) -> list[str]:
    """Return the ids of the workspaces above one, the nearest first."""
    rows = await db.all(
        """
        WITH RECURSIVE line (workspace_id, distance) AS (
            SELECT parent_workspace_id, 1 FROM workspaces WHERE workspace_id = :workspace_id
            UNION
            SELECT w.parent_workspace_id, l.distance + 1 FROM workspaces w JOIN line l USING (workspace_id)
        )
        SELECT workspace_id FROM line WHERE workspace_id IS NOT NULL ORDER BY distance
        """,
        {"workspace_id": workspace_id},
    )
    return [row["workspace_id"] for row in rows]


async def relatives(db: Reader, workspace: Workspace) -> tuple[Relative | None, list[Relative]]:
    """Return the parent of a workspace and its children, by name."""
    rows = await db.all(
        """
        SELECT workspace_id, coalesce(display_name, name) AS name, path FROM workspaces
        WHERE importing IS NULL AND (workspace_id = :parent OR parent_workspace_id = :workspace_id) ORDER BY 2, 1
        """,
        {"parent": workspace.parent_workspace_id, "workspace_id": workspace.workspace_id},
    )
    found = [Relative.of(row) for row in rows]
    parent = next((r for r in found if r.workspace_id == workspace.parent_workspace_id), None)
    return parent, [r for r in found if r is not parent]


async def aliases(db: Reader, workspace_id: str) -> list[str]:
    """Return the old ids of a workspace."""
    return await _aliases(db, workspace_id, "id")


async def all_aliases(db: Reader) -> dict[str, str]:
    """Return the old ids of all workspaces, each with the one that stands for it now."""
    rows = await db.all("SELECT alias, workspace_id FROM workspace_aliases WHERE kind = 'id'")
    return {row["alias"]: row["workspace_id"] for row in rows}


async def former_paths(db: Reader, workspace_id: str) -> list[str]:
    """Return the folders that a workspace was moved from, and that no other has taken since."""
    return await _aliases(db, workspace_id, "path")


async def _aliases(db: Reader, workspace_id: str, kind: str) -> list[str]:
    rows = await db.all(
        "SELECT alias FROM workspace_aliases WHERE workspace_id = :workspace_id AND kind = :kind ORDER BY alias",
        {"workspace_id": workspace_id, "kind": kind},
    )
    return [row["alias"] for row in rows]


async def remember_path(tx: Transaction, workspace_id: str, path: str, *, new: str | None) -> None:
    """Let the folder that a workspace leaves stand for it, until another takes it; the `new` one stands for itself."""
    if new is not None:
        await forget_path(tx, new)
    await tx.run(
        """
        INSERT INTO workspace_aliases (alias, workspace_id, kind, created_at)
        VALUES (:path, :workspace_id, 'path', :now)
        ON CONFLICT (alias) DO UPDATE SET workspace_id = excluded.workspace_id, created_at = excluded.created_at
        """,
        {"path": path, "workspace_id": workspace_id, "now": tx.now()},
    )


async def forget_path(tx: Transaction, path: str) -> None:
    """Let a folder stand for no workspace that was moved from it."""
    await tx.run("DELETE FROM workspace_aliases WHERE alias = :path AND kind = 'path'", {"path": path})


async def held_steps(db: Reader, workspace_id: str, *, limit: int) -> list[HeldStep]:
    """Return the steps of a workspace that someone holds now, those that run out first before the others."""
    rows = await db.all(
        """
        SELECT s.plan_id, s.step_id, s.order_index AS "index", s.task, s.claimed_by, s.lease_expires_at,
            (SELECT agent FROM sessions WHERE session_id = s.claimed_by) AS agent
        FROM plans p JOIN steps s ON s.plan_id = p.plan_id AND s.status = 'active'
        WHERE p.workspace_id = :workspace_id AND s.lease_expires_at > :now AND s.claimed_by IS NOT NULL
        ORDER BY s.lease_expires_at, s.step_id LIMIT :limit
        """,
        {"workspace_id": workspace_id, "now": db.now(), "limit": limit},
    )
    return [HeldStep.of(row) for row in rows]
