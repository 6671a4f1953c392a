"""Steps as rows and as tool results."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import AliasChoices, Field

from server.models.base import Described, Json, JsonObject, Model, Row, Strings
from server.models.text import AgentName, AgentNameOrEmpty, GateNames, Id, Index, Line, Task, Text

StepStatus = Literal["pending", "active", "done", "blocked", "failed", "cancelled"]
StepType = Literal[
    "standard", "analysis", "validation", "user_validation", "complex", "critical", "build", "fix", "refactor",
    "confirmation", "research", "planning", "code", "test", "documentation",
]  # fmt: skip
ChangeType = Literal["create", "edit", "delete", "rename"]

USUAL_TYPE = "standard"
MOST_WAITS = 200  # steps that one waits for: each more is counted with all the others
OPEN = ("pending", "active", "blocked", "failed")
CLOSED = ("done", "cancelled")
CONFIRM_BEFORE_DONE = ("confirmation", "user_validation")
CONFIRM_BEFORE_ACTIVE = ("critical",)


class NewStep(Described):
    """One step as a caller describes it."""

    task: Task
    phase: Line | None = None
    type: StepType = USUAL_TYPE
    status: StepStatus = "pending"
    section: Line | None = None
    assignee: AgentName | None = None
    notes: Text | None = None
    depends_on: list[int | str] = Field(default_factory=list[int | str], max_length=MOST_WAITS)
    requires_validation: bool = False
    requires_confirmation: bool = False
    requires_user_confirmation: bool = False
    required_gates: GateNames = Field(default_factory=list[str])

    @property
    def gated(self) -> bool:
        """Whether it claims a status that only a confirmation allows."""
        confirmable = self.requires_confirmation or self.requires_user_confirmation or self.type in CONFIRM_BEFORE_DONE
        critical = self.type in CONFIRM_BEFORE_ACTIVE
        return (self.status == "done" and (confirmable or critical)) or (self.status == "active" and critical)


class StepEdit(Described):
    """What a caller changes of a step. `notes` replaces, `append_notes` adds a line."""

    status: StepStatus | None = None
    task: Task | None = None
    type: StepType | None = None
    assignee: AgentNameOrEmpty | None = None
    notes: Text | None = None
    append_notes: Text | None = None
    phase: Line | None = None
    required_gates: GateNames | None = None


class StepUpdate(StepEdit):
    """One of several edits; `step_id` or `step_index` says of which step."""

    step_id: Id | None = None
    step_index: Index | None = Field(None, validation_alias=AliasChoices("step_index", "index"))  # its name once


class StepRow(Row):
    """A row of `steps`, with the name of its phase as `phase`."""

    step_id: str
    plan_id: str
    phase_id: str
    phase: str
    order_index: int
    section: str | None = None
    task: str
    type: str
    status: str
    assignee: str | None = None
    notes: str | None = None
    priority: str | None = None
    requires_validation: bool
    requires_confirmation: bool
    requires_user_confirmation: bool
    waits_for: int
    claimed_by: str | None = None
    claim_token: int
    lease_expires_at: str | None = None
    completed_at: str | None = None
    completed_by: str | None = None
    extra: JsonObject
    updated_at: str
    version: int
    required_gates: Strings
    external_id: str | None = None
    acceptance_criteria: Json = None
    due_at: str | None = None
    is_awaited: bool = True  # whether anything waits for it or its phase: maybe, if the query does not look

    @property
    def closed(self) -> bool:
        return self.status in CLOSED

    @property
    def confirm_before_done(self) -> bool:
        return self.requires_confirmation or self.requires_user_confirmation or self.type in CONFIRM_BEFORE_DONE

    @property
    def confirm_before_active(self) -> bool:
        return self.type in CONFIRM_BEFORE_ACTIVE

    def held_by(self, now: str) -> str | None:
        """Return who holds a live claim on it at the time `now`."""
        live = self.claimed_by and self.lease_expires_at and self.lease_expires_at > now
        return self.claimed_by if live else None


class StepOrigin(Row):
    """What a step says that came from another program, besides what every step may say."""

    source_system: str | None = None
    parent_step_id: str | None = None
    tags: Json = None
    started_at: str | None = None
    estimated_minutes: float | None = None
    actual_minutes: float | None = None
    confidence: float | None = None
    result: Json = None


class Step(Model):
    """A step in a result; `plan_id` outside its plan, `claim_token` for the one who claims it."""

    plan_id: str | None = None
    step_id: str
    index: int
    phase: str
    task: str
    status: str
    type: str | None = None
    section: str | None = None
    priority: str | None = None
    assignee: str | None = None
    notes: str | None = None
    depends_on: Strings
    claimed_by: str | None = None
    lease_expires_at: str | None = None
    claim_token: int | None = None
    completed_at: str | None = None
    completed_by: str | None = None
    requires_validation: bool | None = None
    requires_confirmation: bool | None = None
    required_gates: Strings
    external_id: str | None = None  # what the program calls it that it came from
    acceptance_criteria: Json = None
    due_at: str | None = None
    origin: StepOrigin | None = None  # what else that one said
    confirmed_by: str | None = None
    confirmed_via: str | None = None
    version: int | None = None


class StepBrief(Model):
    """A step in a list."""

    plan_id: str | None = None
    step_id: str
    index: int
    phase: str
    task: str
    status: str
    type: str | None = None
    assignee: str | None = None
    claimed_by: str | None = None
    lease_expires_at: str | None = None


class FileEdit(Row):
    edit_id: str
    plan_id: str
    step_id: str | None = None
    file_path: str
    previous_path: str | None = None
    change_type: str
    notes: str | None = None
    agent: str | None = None
    session_id: str | None = None
    created_at: str


# What a step shows of its row as it is, if it is not empty.
AS_STORED = tuple(
    name
    for name in Step.model_fields
    if name in StepRow.model_fields and name not in ("plan_id", "claim_token", "version")
)
BRIEF_AS_STORED = tuple(name for name in StepBrief.model_fields if name in AS_STORED)


def view(row: StepRow, *, depends_on: list[str] | None = None, **more: Any) -> Step:
    """Return a step as results show it: what is not set or usual is left out."""
    shown = _shown(row, AS_STORED)
    return Step.model_validate({**shown, "index": row.order_index, "depends_on": depends_on or [], **more})


def brief(row: StepRow, **more: Any) -> StepBrief:
    """Return a step as lists show it."""
    return StepBrief.model_validate({**_shown(row, BRIEF_AS_STORED), "index": row.order_index, **more})


def _shown(row: StepRow, names: Iterable[str]) -> dict[str, Any]:
    values = row.__dict__
    shown = {name: values[name] for name in names if values[name]}
    if row.type == USUAL_TYPE:
        del shown["type"]
    return shown


def still_open(rows: Iterable[StepRow]) -> int:
    """Return how many of these steps are open."""
    return sum(not row.closed for row in rows)
