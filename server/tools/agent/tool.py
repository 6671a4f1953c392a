"""The tool `memory_agent`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_agent", "Agents", "Start with a briefing, hand over, finish, come back after a crash.")
