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


class SessionSpan(Row):
    """A session along the time: to its end, to when it was last heard of, or open to now."""

    session_id: str
    agent: str
    status: str
    plan_id: str | None = None
    started_at: str
    until: str | None = None


class ClaimSpan(Row):
    """Who held a step, until when, and why that ended; without `until` it is held now."""

    step_id: str
    plan_id: str | None = None
    index: int | None = None
    task: str | None = None
    holder: str
    agent: str | None = None
    since: str
    until: str | None = None
    ended: str | None = None


class HandOffMoment(Row):
    """When work went from one agent to another; the reason is cut."""

    lineage_id: str
    plan_id: str | None = None
    session_id: str | None = None
    from_agent: str
    to_agent: str
    reason: str
    created_at: str


class Recovery(Row):
    """When a session went on after a crash."""

    session_id: str
    agent: str | None = None
    at: str
