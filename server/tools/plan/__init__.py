"""memory_plan: plans with phases, notes, gates and dependencies."""

from server.tools.plan import (
    build_scripts,
    burndown,
    copies,
    dependencies,
    export,
    gates,
    markdown_import,
    merging,
    notes,
    phases,
    plans,
    search,
    status,
)
from server.tools.plan.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    build_scripts,
    burndown,
    copies,
    dependencies,
    export,
    gates,
    markdown_import,
    merging,
    notes,
    phases,
    plans,
    search,
    status,
)
