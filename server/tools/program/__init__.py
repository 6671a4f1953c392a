"""memory_program: plans that belong together, what they wait for, and what may go wrong."""

from server.tools.program import dependencies, life, members, programs, risks
from server.tools.program.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    dependencies,
    life,
    members,
    programs,
    risks,
)
