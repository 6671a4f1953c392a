"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import workspace

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (workspace.TOOL,)}
