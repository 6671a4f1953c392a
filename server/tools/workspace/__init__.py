"""memory_workspace: the projects that own plans and memory, what happened in them, what waits for a human."""

from server.tools.workspace import approvals, attention, focused, ghosts, indexing, logs, merge, pending, workspaces
from server.tools.workspace.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    approvals,
    attention,
    focused,
    ghosts,
    indexing,
    logs,
    merge,
    pending,
    workspaces,
)
