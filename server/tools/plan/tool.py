"""The tool `memory_plan`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_plan", "Plans", "Plans with phases, steps, notes, gates and dependencies.")
