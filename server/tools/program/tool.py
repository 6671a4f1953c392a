"""The tool `memory_program`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_program", "Programs", "Plans that belong together, of any workspaces: order, waits, risks.")
