"""memory_workspace: the projects that own plans and memory."""

from server.db import workspaces
from server.tools.common import Call, tool
from server.tools.render import Page

TOOL = tool("memory_workspace", "Workspaces", "The projects that own plans and memory.")


@TOOL.action(read_only=True, takes=("page",))
async def list_(call: Call) -> Page:
    """Registered workspaces with their plan counts.

    Example: {"action":"list"}
    """
    found = await workspaces.all_(call.db)
    return Page("workspaces", found, len(found), call.shared.limit, lambda w: [w.name, w.workspace_id])
