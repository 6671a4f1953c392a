"""What a sub-agent is started with."""

from typing import Any

from pydantic import Field

from server.models.base import Described
from server.models.text import Lines, SomeText


class ScopeBoundaries(Described):
    """Which files and folders a sub-agent may change, and what it does when that is not enough."""

    files_allowed: Lines = Field(default_factory=list[str])
    directories_allowed: Lines = Field(default_factory=list[str])
    scope_escalation_instruction: SomeText | None = None

    def told(self) -> dict[str, Any]:
        """Return what is set."""
        return self.model_dump(exclude_defaults=True)
