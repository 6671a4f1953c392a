"""memory_ledger: evidence about work."""

from server.tools.ledger import (
    agents,
    artifacts,
    budgets,
    caches,
    calls,
    changes,
    decisions,
    gates,
    metrics,
    progress,
    runs,
    terms,
)
from server.tools.ledger.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    agents,
    artifacts,
    budgets,
    caches,
    calls,
    changes,
    decisions,
    gates,
    metrics,
    progress,
    runs,
    terms,
)
