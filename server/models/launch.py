"""What a sub-agent is started with."""

from typing import Any

from pydantic import ConfigDict, Field

from server.models.base import Model
from server.models.text import Lines, SomeText


class ScopeBoundaries(Model):
    """Which files and folders a sub-agent may change, and what it does when that is not enough."""

    model_config = ConfigDict(extra="forbid")

    files_allowed: Lines = Field(default_factory=list[str])
    directories_allowed: Lines = Field(default_factory=list[str])
    scope_escalation_instruction: SomeText | None = None

    def told(self) -> dict[str, Any]:
        """Return what is set."""
        return self.model_dump(exclude_defaults=True)
