"""memory_context: what agents found out, kept and found again."""

from server.tools.context import handouts, items, knowledge, memories, research, search, sections
from server.tools.context.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (handouts, items, knowledge, memories, research, search, sections)
