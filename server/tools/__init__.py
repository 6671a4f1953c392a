"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import step_claims, step_edits, steps, workspace

# Modules that add their actions to the tool of another one when they are imported.
EXTENSIONS = (step_claims, step_edits)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (workspace.TOOL, steps.TOOL)}
