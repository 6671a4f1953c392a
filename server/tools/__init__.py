"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import context, memories, step_claims, step_edits, step_order, steps, workspace

# Modules that add their actions to the tool of another one when they are imported.
EXTENSIONS = (memories, step_claims, step_edits, step_order)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (workspace.TOOL, steps.TOOL, context.TOOL)}
