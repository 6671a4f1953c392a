"""The tool `memory_filesystem`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool(
    "memory_filesystem",
    "Files",
    "Files of the project folder, and of no other: no link out is followed, secrets are left alone, and what is "
    "overwritten or deleted can be restored.",
)
