"""The tool `memory_session`: its actions are in the modules beside this one."""

from server.tools.common import tool

TOOL = tool(
    "memory_session", "Sessions", "Work together: sessions, messages, file reservations, checkpoints, sub-agents."
)
