"""memory_library: agent definitions, instructions and skills."""

from server.tools.library import assignments, comparison, definitions, deployment
from server.tools.library.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    assignments,
    comparison,
    definitions,
    deployment,
)
