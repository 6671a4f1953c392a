"""Workspaces as rows and as tool results."""

from server.models.base import Json, JsonObject, Model, Row


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


class WorkspaceBrief(Model):
    """A workspace in a list, with the number of its plans by status."""

    workspace_id: str
    name: str
    path: str
    parent_workspace_id: str | None = None
    plan_counts: dict[str, int]
