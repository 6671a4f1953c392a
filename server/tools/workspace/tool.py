"""The tool `memory_workspace`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_workspace", "Workspaces", "The projects that own plans and memory.")
