"""Sessions and lineage as rows and as tool results."""

from typing import Literal

from server.models.base import Flag, JsonObject, Row, Strings

StatusFilter = Literal["active", "completed", "orphaned", "all"]


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
    archived: Flag = None
    version: int


class SessionBrief(Row):
    """A session in a list; `cut` says that its summary is longer than what is shown."""

    session_id: str
    agent: str
    plan_id: str | None = None
    parent_session_id: str | None = None
    status: str
    started_at: str
    last_seen_at: str
    completed_at: str | None = None
    summary: str | None = None
    cut: Flag = None


class LineageEntry(Row):
    lineage_id: str
    workspace_id: str
    plan_id: str | None = None
    session_id: str | None = None
    from_agent: str
    to_agent: str
    reason: str
    data: JsonObject
    created_at: str


class LineageBrief(Row):
    """A hand-off in a list: long reasons are cut, long data is left out; `cut` names what."""

    lineage_id: str
    plan_id: str | None = None
    session_id: str | None = None
    from_agent: str
    to_agent: str
    reason: str
    data: JsonObject
    cut: Strings
    created_at: str
