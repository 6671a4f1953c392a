"""The tool `memory_context`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_context", "Context", "What agents found out, kept with the plan, phase, step, ... it is about.")
