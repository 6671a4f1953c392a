"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import agent, context, plan, session, steps, workspace

OFFERED = (workspace.TOOL, plan.TOOL, steps.TOOL, context.TOOL, agent.TOOL, session.TOOL)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in OFFERED}

# What a setting may name instead of single tools.
GROUPS: dict[str, tuple[str, ...]] = {"core": tuple(tool.name for tool in OFFERED), "all": tuple(TOOLS)}
