"""What a briefing is made of, besides steps and phases."""

from server.models.base import Row


class PlanLine(Row):
    """A plan in one line, to choose from."""

    plan_id: str
    title: str
    priority: str
    category: str
    steps_done: int
    steps_total: int
    recommended_next_agent: str | None = None


class MessageLine(Row):
    """A message that waits for the agent; `content` is how it begins."""

    message_id: str
    from_agent: str | None = None
    priority: str
    content: str
    created_at: str


class ContextLine(Row):
    """A context item that the agent may want to read."""

    type: str
    parent_type: str
    parent_id: str
    bytes: int
    updated_at: str


class ResearchLine(Row):
    """A research file that the agent may want to read."""

    filename: str
    parent_type: str
    parent_id: str
    updated_at: str


class KnowledgeLine(Row):
    """A knowledge entry of the workspace."""

    slug: str
    title: str
    updated_at: str
