"""The tool `memory_steps`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_steps", "Steps", "The steps of a plan: read, change, claim, finish.")
