"""What is sought and what is found."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.models.base import Described, Flag, Model
from server.models.plans import PlanStatus
from server.models.steps import StepStatus
from server.models.text import Id, Line

Kind = Literal[
    "program", "risk", "plan", "phase", "step", "note", "session", "handoff", "message", "context", "research",
    "decision", "knowledge", "memory", "agent", "instruction", "skill", "action",
]  # fmt: skip
Query = Annotated[str, Field(max_length=20_000)]
PlanKind = Literal["program", "plan", "phase", "step", "note"]
AnyStatus = Literal[PlanStatus, StepStatus]
Trust = Literal["human", "agent", "import"]

# The name of the id of each kind in a result. Actions are named by tool and action, in `read`.
ID_NAMES: dict[str, str] = {
    "program": "program_id",
    "risk": "risk_id",
    "plan": "plan_id",
    "phase": "phase_id",
    "step": "step_id",
    "note": "note_id",
    "session": "session_id",
    "handoff": "lineage_id",
    "message": "message_id",
    "context": "item_id",
    "research": "document_id",
    "decision": "decision_id",
    "knowledge": "knowledge_id",
    "memory": "entry_id",
    "agent": "agent_name",
    "instruction": "instruction_name",
    "skill": "skill_name",
    "action": "action_name",
}


class Match(Model):
    """One thing that was found, with its text as it was stored."""

    kind: Kind
    entity_id: str
    title: str  # as much as a list shows
    whole_title: str
    text: str
    snippet: str
    score: float
    updated_at: str | None = None
    by: str | None = None
    trust: Trust
    archived: Flag = None
    workspace_id: str | None = None
    plan_id: str | None = None
    parent_type: str | None = None
    parent_id: str | None = None
    subtype: str | None = None
    slug: str | None = None
    status: str | None = None
    data: str | None = None  # of a context item, as JSON


class ResultPage(Model):
    """What a query found: a page of the ranking, how many there are, and the query that was meant."""

    matches: list[Match]
    total: int
    counted_to: int = 0  # a larger total means: or more
    did_you_mean: str | None = None


class Hit(Model):
    """A match as a result tells it, with the call that reads it whole."""

    kind: Kind
    title: str
    snippet: str | None = None
    score: float | None = None
    status: str | None = None
    updated_at: str | None = None
    by: str | None = None
    trust: Trust
    archived: Flag = None
    workspace_id: str | None = None
    program_id: str | None = None
    risk_id: str | None = None
    plan_id: str | None = None
    phase_id: str | None = None
    step_id: str | None = None
    note_id: str | None = None
    session_id: str | None = None
    lineage_id: str | None = None
    message_id: str | None = None
    item_id: str | None = None
    document_id: str | None = None
    decision_id: str | None = None
    knowledge_id: str | None = None
    entry_id: str | None = None
    agent_name: str | None = None
    instruction_name: str | None = None
    skill_name: str | None = None
    action_name: str | None = None
    read: dict[str, Any]
    text: str | None = None
    data: dict[str, Any] | None = None


class Selector(Described):
    """One of the things to pull: by its kind and id, or by what it has in common with some of the hits."""

    kind: Kind | None = None
    id: Id | None = None
    index: Annotated[int, Field(ge=0)] | None = None
    type: Line | None = None
    title: Line | None = None
