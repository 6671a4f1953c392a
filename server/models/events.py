"""What the logs hold: who did what to which entity."""

from dataclasses import dataclass, field
from typing import Any

from server.models.base import JsonObject, Row


@dataclass(frozen=True)
class Origin:
    """Who writes, and through which action. Empty for work that the server does by itself."""

    tool: str | None = None
    action: str | None = None
    session_id: str | None = None
    agent: str | None = None
    session_status: str | None = None

    @property
    def actor(self) -> str | None:
        """The key that claims carry: the session if there is one, else the agent's name."""
        return self.session_id or self.agent


@dataclass(frozen=True)
class Event:
    """One change, logged in the transaction that makes it. `summary` is for people and goes to the update log."""

    type: str
    entity_type: str
    entity_id: str
    workspace_id: str | None = None
    plan_id: str | None = None
    summary: str | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class LoggedEvent(Row):
    event_id: int
    timestamp: str
    type: str
    entity_type: str
    entity_id: str
    workspace_id: str | None = None
    plan_id: str | None = None
    session_id: str | None = None
    agent: str | None = None
    tool: str | None = None
    action: str | None = None
    data: JsonObject


class LoggedUpdate(Row):
    log_id: int
    timestamp: str
    summary: str
    workspace_id: str | None = None
    plan_id: str | None = None
    session_id: str | None = None
    agent: str | None = None
    tool: str | None = None
    action: str | None = None
