"""The ledger as rows, and as callers describe entries of it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from server.models.base import Flag, Json, JsonObject, Row, Strings
from server.models.buckets import bucket

GateStatus = Literal["passed", "failed", "skipped", "unknown"]
TermKind = Literal["concept", "concern", "intent", "tag"]
ProgressStatus = Literal["running", "completed", "failed", "cancelled"]

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Bucket = Annotated[str, Field(max_length=40), AfterValidator(bucket)]


class Evidence(Row):
    """What entries have in common."""

    plan_id: str | None = None
    step_id: str | None = None
    agent: str | None = None
    session_id: str | None = None
    source_system: str | None = None
    external_id: str | None = None


class Decision(Evidence):
    decision_id: str
    decision: str
    decision_type: str
    rationale: str
    alternatives: Strings
    context: JsonObject
    supersedes: str | None = None
    superseded_by: str | None = None
    made_at: str


class ToolCall(Evidence):
    call_id: str
    tool: str
    operation: str | None = Field(None, validation_alias="action")
    args: JsonObject
    result: Json = None
    success: bool
    error: str | None = None
    started_at: str
    duration_ms: float | None = None


class LedgerRun(Evidence):
    run_id: str
    name: str
    kind: str
    phase: str | None = None
    status: str
    success: bool | None = None
    error: str | None = None
    metrics: JsonObject
    started_at: str
    finished_at: str | None = None
    expires_at: str | None = None


class GateEntry(Evidence):
    gate_id: str
    phase_id: str | None = None
    gate_name: str
    status: str
    transition: str | None = None
    severity: str | None = None
    blocking: bool | None = None
    findings: Json
    message: str | None = None
    remediation: str | None = None
    duration_ms: float | None = None
    details: JsonObject
    recorded_at: str


class Artifact(Row):
    artifact_id: str
    plan_id: str | None = None
    parent_type: str
    parent_id: str
    artifact_type: str
    name: str
    path: str | None = None
    ref: str | None = None
    url: str | None = None
    branch: str | None = None
    status: str | None = None
    metadata: JsonObject
    agent: str | None = None
    external_id: str | None = None
    version: int
    created_at: str
    updated_at: str
    history: list[Any] | None = None


class FieldChange(Row):
    """What a field of something was, and when it changed."""

    field: str
    old_value: str | None = None
    new_value: str | None = None
    author: str | None = None
    changed_at: str


class ToldChange(FieldChange):
    """A change by itself, with what it is of."""

    change_id: str
    plan_id: str | None = None
    entity_type: str
    entity_id: str
    field_type: str | None = None
    source_system: str | None = None
    external_id: str | None = None


class Point(Row):
    point_id: str
    plan_id: str | None = None
    parent_type: str
    parent_id: str
    category: str = ""
    name: str
    bucket: str
    value: float | None = None
    unit: str | None = None
    data: JsonObject
    corrected_by: str | None = None
    agent: str | None = None
    external_id: str | None = None
    recorded_at: str


class Progress(Row):
    progress_id: str
    plan_id: str | None = None
    parent_type: str
    parent_id: str
    task_name: str
    percent: float
    status: str
    stale: Flag = None
    message: str | None = None
    state: JsonObject
    agent: str | None = None
    external_id: str | None = None
    started_at: str
    updated_at: str
    version: int


class CacheEntry(Row):
    entry_id: str
    parent_type: str
    parent_id: str
    key: str
    payload: Json
    config_hash: str | None = None
    expires_at: str | None = None
    updated_at: str


class AgentRow(Row):
    """One who works here; `live` has an open session."""

    agent_id: str
    agent: str
    type: str | None = None
    status: str
    worktree: str | None = None
    branch: str | None = None
    capabilities: Strings
    configuration: JsonObject
    current_step_id: str | None = None
    context_usage: float | None = None
    session_id: str | None = None
    external_id: str | None = None
    registered_at: str
    last_activity_at: str
    version: int


class PlanTerm(Row):
    term_id: str
    plan_id: str
    kind: str
    term: str
    position: int | None = None
    confidence: float | None = None
    agent: str | None = None
    created_at: str


class PlanWithTerm(Row):
    plan_id: str
    term_id: str
    updated_at: str
    title: str
    status: str
    kind: str
    term: str
    archived: Flag = None


class ToolStatistics(Row):
    tool: str
    calls: int
    failures: int
    mean_ms: float | None = None
    p95_ms: float | None = None
    max_ms: float | None = None


class BucketSummary(Row):
    """The points of a series in a day or a week."""

    name: str
    category: str = ""
    bucket: str
    count: int
    last: float | None = None
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    unit: str | None = None


# What a list leaves out unless all is asked for: it is long, or of use to few.
BODIES = {
    "decisions": ("context", "alternatives"),
    "calls": ("args", "result"),
    "runs": ("metrics",),
    "gates": ("details", "findings"),
    "artifacts": ("metadata",),
    "points": ("data",),
    "progress": ("state",),
    "agents": ("configuration",),
}
