"""Workspaces as rows and as tool results."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

from server.models.base import Json, JsonObject, Model, Row

GIT_PREFIX = "git_prefix"  # in `meta`: where in its working tree a workspace lies


@dataclass(frozen=True)
class Checkout:
    """The git working tree around a folder: its root, the folder's place in it, and the git directory it shares."""

    root: str
    prefix: str  # with "/" between parts, empty at the root
    common_dir: str

    @property
    def prefixes(self) -> list[str]:
        """The folder's place and those above it, deepest first."""
        parts = PurePath(self.prefix).parts
        return ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]

    @property
    def twins(self) -> Mapping[str, str]:
        """The same folder and those above it in the main working tree of the repository: path -> place."""
        main = PurePath(self.common_dir)
        return {str(main.parent / place): place for place in self.prefixes} if main.name == ".git" else {}

    def place_of(self, workspace: "Workspace") -> str | None:
        """Return where in this repository a workspace lies, or None if it does not."""
        if workspace.git_common_dir == self.common_dir:
            return workspace.meta.get(GIT_PREFIX, "")
        return self.twins.get(workspace.path)


class Workspace(Row):
    workspace_id: str
    path: str
    name: str
    display_name: str | None = None
    git_common_dir: str | None = None
    parent_workspace_id: str | None = None
    profile: Json = None
    meta: JsonObject
    created_at: str
    updated_at: str

    @property
    def label(self) -> str:
        """What people call it."""
        return self.display_name or self.name


class WorkspaceBrief(Row):
    """A workspace in a list, with the number of its plans by status."""

    workspace_id: str
    name: str
    path: str
    parent_workspace_id: str | None = None
    plan_counts: JsonObject


class Registered(Model):
    """What `register` answers. `worktree_of` is the path of the workspace that the folder is a git worktree of."""

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"first_time"})

    workspace_id: str
    name: str
    path: str
    plan_counts: dict[str, int]
    first_time: bool
    worktree_of: str | None = None
    warnings: list[str]


class TrashEntry(Row):
    """Something deleted that can still come back. It may go for good from `expires_at` on."""

    trash_id: str
    entity_type: str
    entity_id: str
    title: str
    workspace_id: str | None = None
    plan_id: str | None = None
    deleted_by: str | None = None
    created_at: str
    expires_at: str


class Trashed(TrashEntry):
    """An entry with its rows by table."""

    data: JsonObject
