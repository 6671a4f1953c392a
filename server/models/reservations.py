"""File reservations and checkpoints as rows and as tool results."""

from server.models.base import Flag, JsonObject, Row


class Reservation(Row):
    """A lease on the files that a glob matches; `agent` is who has the session that holds it, if a session does."""

    path: str
    held_by: str
    agent: str | None = None
    exclusive: bool
    reason: str | None = None
    plan_id: str | None = None
    lease_expires_at: str


class Checkpoint(Row):
    """A snapshot that an agent can come back to: its own `data`, and as `standing` what the store knew then.

    `cut` says that the data was left out, for its length.
    """

    checkpoint_id: str
    workspace_id: str
    plan_id: str | None = None
    name: str
    agent: str | None = None
    session_id: str | None = None
    created_at: str
    data: JsonObject
    standing: JsonObject
    cut: Flag = None


class CheckpointBrief(Row):
    """A checkpoint in a list."""

    checkpoint_id: str
    plan_id: str | None = None
    name: str
    agent: str | None = None
    session_id: str | None = None
    created_at: str
