"""memory_filesystem: files of the project folder."""

from server.tools.filesystem import finding, reading, writing
from server.tools.filesystem.tool import TOOL

ACTIONS = (reading, finding, writing)

__all__ = ["ACTIONS", "TOOL"]
