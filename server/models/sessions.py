"""Sessions and lineage as rows and as tool results."""

from typing import Literal

from server.models.base import JsonObject, Row, Strings

SessionStatus = Literal["active", "completed", "orphaned"]


class Session(Row):
    session_id: str
    workspace_id: str
    plan_id: str | None = None
    agent: str
    parent_session_id: str | None = None
    status: str
    summary: str | None = None
    artifacts: Strings
    context: JsonObject
    started_at: str
    last_seen_at: str
    completed_at: str | None = None
    version: int


class LineageEntry(Row):
    lineage_id: str
    plan_id: str | None = None
    session_id: str | None = None
    from_agent: str
    to_agent: str
    reason: str
    data: JsonObject
    created_at: str
