"""Programs, the plans in them and what may go wrong with them, as rows and as tool results."""

from dataclasses import dataclass
from typing import Literal

from server.models.base import JsonObject, Row, Strings

Likelihood = Literal["low", "medium", "high"]
Severity = Literal["low", "medium", "high", "critical"]
RiskStatus = Literal["identified", "mitigated", "accepted", "resolved"]
RiskType = Literal["functional_conflict", "behavioral_change", "dependency_risk", "schedule_risk"]

PROGRAM_PLANS_LIMIT = 1000


class Program(Row):
    """A row of `programs`. An archived one has the status `archived`."""

    program_id: str
    workspace_id: str
    title: str
    description: str | None = None
    category: str
    priority: str
    status: str
    owner: str | None = None
    goals: Strings
    success_criteria: Strings
    extra: JsonObject
    created_at: str
    updated_at: str
    archived_at: str | None = None
    version: int

    @property
    def is_archived(self) -> bool:
        """Older stores tell it by the status alone, or by the time alone."""
        return self.status == "archived" or self.archived_at is not None


class ProgramBrief(Row):
    """A program in a list; its steps are those of all its plans."""

    program_id: str
    workspace_id: str
    title: str
    status: str
    category: str
    priority: str
    owner: str | None = None
    plans_done: int
    plans_total: int
    steps_done: int
    steps_total: int
    percent: int
    open_risks: int
    updated_at: str


class Risk(Row):
    """A row of `program_risks`; `found_key` is there if it was found, and says what it was found by."""

    risk_id: str
    program_id: str
    title: str
    description: str | None = None
    risk_type: str
    severity: str
    likelihood: str | None = None
    status: str
    mitigation: str | None = None
    detected_by: str
    plan_id: str | None = None
    created_at: str
    updated_at: str
    version: int


@dataclass(frozen=True)
class FoundRisk:
    """What was found to be a risk. The key tells it from every other one of its program."""

    key: str
    title: str
    description: str
    risk_type: RiskType
    severity: Severity
    plan_id: str | None = None


def percent(done: int, total: int) -> int:
    """Return how much of something is done; nothing of nothing is 0."""
    return done * 100 // total if total else 0
