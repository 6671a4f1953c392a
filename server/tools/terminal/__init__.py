"""memory_terminal: programs that are run for an agent."""

from server.tools.terminal import allowlist, running
from server.tools.terminal.tool import TOOL

ACTIONS = (allowlist, running)

__all__ = ["ACTIONS", "TOOL"]
