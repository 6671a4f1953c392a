"""Plans, phases, notes and confirmations as rows and as tool results."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field

from server.models.base import Described, Flag, Json, JsonObject, Model, Row, Strings, encode
from server.models.steps import NewStep
from server.models.text import GateNames, Line, Lines, Text

Category = Literal["feature", "bugfix", "refactor", "orchestration", "program", "quick_task", "advisory"]
Priority = Literal["low", "medium", "high", "critical"]
PlanStatus = Literal["active", "paused", "blocked", "completed", "failed", "archived"]
WorkflowMode = Literal["standard", "tdd", "enrichment", "overnight"]
NoteType = Literal["info", "warning", "instruction"]
PauseReason = Literal["rejected", "timeout", "deferred"]
ConfirmationScope = Literal["phase", "step"]
PlanOrder = Literal["updated", "created", "priority", "title"]
PlanPart = Literal["facts", "steps", "sessions", "lineage", "notes", "context", "dependencies"]
DependencyType = Literal["blocks", "informs"]

STEPS_LIMIT = 2000
FORMAL_CATEGORIES = ("feature", "bugfix", "refactor", "orchestration", "program")

# What a plan's status may become; archived plans leave and come back through archive and unarchive.
PLAN_TRANSITIONS: dict[str, tuple[str, ...]] = {
    "active": ("paused", "blocked", "completed", "failed"),
    "paused": ("active", "blocked", "failed"),
    "blocked": ("active", "paused", "completed", "failed"),
    "completed": ("active",),
    "failed": ("active",),
}


class Plan(Row):
    """A row of `plans` or, when `archived_at` is set, of `plans_archive` (where `status` stays the last live one)."""

    plan_id: str
    workspace_id: str
    program_id: str | None = None
    title: str
    description: str | None = None
    category: str
    priority: str
    status: str
    goals: Strings
    success_criteria: Strings
    categorization: Json = None
    deployment_context: Json = None
    paused_at: str | None = None
    paused_at_snapshot: Json = None
    recommended_next_agent: str | None = None
    workflow_mode: str
    owner: str | None = None
    phase_gates: bool
    current_phase: str | None = None
    current_focus: str | None = None
    sub_state: str | None = None
    blockers: Json = None
    completed_phases: Json = None
    source: str | None = None
    source_system: str | None = None
    external_id: str | None = None
    extra: JsonObject
    created_at: str
    updated_at: str
    completed_at: str | None = None
    archived_at: str | None = None
    version: int

    @property
    def in_its_way(self) -> list[str]:
        """The blockers, whatever form the program that the plan came from gave them."""
        told: Any = self.blockers
        items = cast(list[object], told) if isinstance(told, list) else [told] if told else []
        return [one if isinstance(one, str) else encode(one) for one in items]


class Phase(Row):
    phase_id: str
    plan_id: str
    name: str
    description: str | None = None
    order_index: int
    approval_required: bool
    success_criteria: Strings
    required_agents: Strings
    required_gates: Strings
    version: int
    updated_at: str


class OldPlan(Row):
    """A plan that ended, or that nobody touched, long ago."""

    plan_id: str
    title: str
    status: str
    completed_at: str | None = None
    updated_at: str


class PhaseProgress(Row):
    """A phase with the count of its steps: done when it has some and all are closed, active when one is begun."""

    phase_id: str
    name: str
    index: int
    status: Literal["pending", "active", "done"]
    steps_done: int
    steps_total: int
    description: str | None = None
    approval_required: Flag = None
    confirmed_by: str | None = None
    confirmed_via: str | None = None
    success_criteria: Strings
    required_agents: Strings
    required_gates: Strings
    external_id: str | None = None
    objective: str | None = None
    version: int


class NewPhase(Described):
    """One phase as a caller describes it."""

    name: Line
    description: Text | None = None
    approval_required: bool = False
    success_criteria: Lines = Field(default_factory=list[str])
    required_agents: Lines = Field(default_factory=list[str])
    required_gates: GateNames = Field(default_factory=list[str])
    steps: Annotated[list[NewStep], Field(max_length=STEPS_LIMIT)] = Field(default_factory=list[NewStep])


class Template(Model):
    """A plan to start from; `name` is how callers ask for it."""

    name: str
    title: str
    category: Category
    description: str
    goals: list[str]
    success_criteria: list[str]
    phases: list[NewPhase]


class PhaseCounts(Row):
    """A phase of a plan in a list, with the count of its steps."""

    name: str
    steps_done: int
    steps_total: int


class PlanBrief(Row):
    """A plan in a list. An archived one has the status `archived`, and the one it had before as `last_status`."""

    plan_id: str
    workspace_id: str
    title: str
    status: str
    last_status: str | None = None
    category: str
    priority: str
    steps_done: int
    steps_total: int
    current_phase: str | None = None
    phases: list[PhaseCounts] | None = None
    program_id: str | None = None
    updated_at: str


class OpenClaim(Row):
    """A live claim on a step; `agent` is who has the session that claims, if a session does."""

    step_id: str
    index: int
    claimed_by: str
    agent: str | None = None
    lease_expires_at: str


class PlanNote(Row):
    note_id: str
    plan_id: str
    note: str
    note_type: str
    deliver_to: str | None = None
    added_by: str | None = None
    created_at: str
    acknowledged_by: str | None = None
    acknowledged_at: str | None = None


class Confirmation(Row):
    confirmation_id: str
    plan_id: str
    phase_id: str | None = None
    step_id: str | None = None
    confirmed_by: str | None = None
    via: str
    relayed_by: str | None = None
    note: str | None = None
    created_at: str
