"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import agent, context, filesystem, library, plan, program, session, steps, terminal, workspace

CORE = (workspace.TOOL, plan.TOOL, steps.TOOL, context.TOOL, agent.TOOL, session.TOOL)
FURTHER = (program.TOOL, library.TOOL, filesystem.TOOL, terminal.TOOL)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (*CORE, *FURTHER)}

# What a setting may name instead of single tools.
GROUPS: dict[str, tuple[str, ...]] = {"core": tuple(tool.name for tool in CORE), "all": tuple(TOOLS)}
