"""Tables `workspaces` and `workspace_aliases`."""

from collections.abc import Sequence

from server.db.connection import Reader
from server.db.near import not_found
from server.models.base import encode
from server.models.workspaces import Workspace


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


async def at(db: Reader, path: str) -> Workspace | None:
    """Return the workspace registered for exactly this directory."""
    row = await db.one("SELECT * FROM workspaces WHERE path = :path", {"path": path})
    return Workspace.of(row) if row else None


async def deepest(db: Reader, paths: Sequence[str]) -> Workspace | None:
    """Return the workspace at the longest of `paths` that has one."""
    row = await db.one(
        """
        SELECT * FROM workspaces WHERE path IN (SELECT value FROM json_each(:paths))
        ORDER BY length(path) DESC LIMIT 1
        """,
        {"paths": encode(list(paths))},
    )
    return Workspace.of(row) if row else None


async def all_(db: Reader) -> list[Workspace]:
    return [Workspace.of(row) for row in await db.all("SELECT * FROM workspaces ORDER BY name, workspace_id")]


async def with_git(db: Reader, git_common_dir: str) -> Workspace | None:
    """Return the workspace whose repository has this shared git directory; the oldest, if several have it."""
    row = await db.one(
        "SELECT * FROM workspaces WHERE git_common_dir = :common ORDER BY created_at LIMIT 1",
        {"common": git_common_dir},
    )
    return Workspace.of(row) if row else None
