"""The tool `memory_ledger`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool("memory_ledger", "Ledger", "Evidence about work, and what it cost. Of a plan, a step or the workspace.")
