"""The tool `memory_library`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool(
    "memory_library",
    "Library",
    "Agents (roles), instructions and skills: what ships, what was made or imported, and their files in a workspace.",
)
