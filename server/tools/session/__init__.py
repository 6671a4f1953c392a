"""memory_session: what agents do for each other."""

from server.tools.session import checkpoints, file_reservations, launch, messages, sessions, timeline
from server.tools.session.tool import TOOL

__all__ = ["ACTIONS", "TOOL"]

# Each adds its actions to the tool when it is imported.
ACTIONS = (
    checkpoints,
    file_reservations,
    launch,
    messages,
    sessions,
    timeline,
)
