"""Messages between agents as rows and as tool results."""

from typing import Any

from server.models.base import Flag, Model, Row


class Message(Row):
    """A message; `cut` says that its content is longer than shown, `waiting` that the reader has to acknowledge it."""

    message_id: str
    thread_id: str
    plan_id: str | None = None
    from_agent: str | None = None
    from_session_id: str | None = None
    to_agent: str
    priority: str
    content: str
    cut: Flag = None
    waiting: Flag = None
    created_at: str
    acknowledged_by: str | None = None
    acknowledged_at: str | None = None


class NewMessage(Model):
    """A message as it is sent. Without a thread it starts one."""

    workspace_id: str
    plan_id: str | None
    thread_id: str | None
    to_agent: str
    priority: str
    content: str


class Sent(Row):
    """What the sender is told; `repeated` says that the message was sent before and still waits."""

    message_id: str
    thread_id: str
    workspace_id: str
    plan_id: str | None = None
    to_agent: str
    priority: str
    created_at: str
    repeated: Flag = None


class Thread(Row):
    thread_id: str
    workspace_id: str


class Mail(Row):
    """What can be acknowledged: a message or an instruction on a plan. `mine` says that it is for the one who asks."""

    kind: str
    entity_id: str
    workspace_id: str
    plan_id: str | None = None
    to_agent: str | None = None
    note_type: str | None = None
    mine: bool
    archived: bool
    acknowledged_at: str | None = None

    def named(self) -> dict[str, Any]:
        """Return how a caller names it."""
        return {f"{self.kind}_id": self.entity_id}
