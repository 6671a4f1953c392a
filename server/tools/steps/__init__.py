"""memory_steps: the steps of a plan and who works on them."""

from server.tools.steps import claims, file_edits, order, steps
from server.tools.steps.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    claims,
    file_edits,
    order,
    steps,
)
