"""memory_agent: the life of an agent in a session."""

from server.tools.agent import guidance, life
from server.tools.agent.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (guidance, life)
