"""The tool `memory_terminal`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool(
    "memory_terminal",
    "Terminal",
    "Run programs in the project folder: what a human allowed, and nothing else. No shell, and no sandbox either.",
)
