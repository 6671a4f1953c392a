"""`status PLAN`: the phases of a plan, its steps, who holds them, what they wait for, and the notes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from server.cli.screen import QUIET, Cell, Column, Screen, Styled
from server.cli.views import standing
from server.db.ledger import overview
from server.db.ledger.overview import LedgerOverview
from server.db.plans import plan_overview, plans, step_counts
from server.db.plans.plan_overview import Overview
from server.db.plans.step_counts import DAY, StepScope
from server.db.search import identities, matching_names
from server.db.steps import claims
from server.db.storage.connection import Reader
from server.db.workspaces import standing as places
from server.db.workspaces import workspaces
from server.db.workspaces.standing import Attention
from server.errors import Ambiguous, NotFound
from server.models.plans import PhaseProgress
from server.models.steps import CLOSED, OPEN, Step
from server.models.workspaces import Workspace
from server.settings import Settings
from server.text.display import figure
from server.text.names import folded
from server.tools.commands import command
from server.tools.render import lean
from server.tools.rules import forecasts
from server.tools.rules.forecasts import Burndown

STEPS, NOTES = 25, 5
BEFORE = 3  # steps above the first open one
PHASES = (
    Column("PHASE", is_wide=True), Column(""), Column("DONE", is_number=True), Column("STATUS"), Column("GATE"),
)  # fmt: skip
STEP_COLUMNS = (
    Column("STEP", is_number=True), Column("STATUS"), Column("TASK", is_wide=True), Column("WHO"), Column("UNTIL"),
    Column("WAITS FOR", is_wide=True),
)  # fmt: skip
NOTE_COLUMNS = (Column("NOTE"), Column("WHEN"), Column("TYPE"), Column("TEXT", is_wide=True), Column("WHO"))
# Why an open step cannot be claimed, in few words; what is held says who holds it.
REASONS = {
    "dependency": "",
    "held": "",
    "blocked": "",
    "failed": "",
    "plan_dependency": "another plan",
    "phase_dependency": "what its phase waits for",
    "phase_confirmation": "the approval of a phase",
    "confirmation": "a person's yes",
    "phase_gates": "gates of its phase",
    "gates": "gates that have not passed",
    "budget": "a budget that is spent",
}


@dataclass(frozen=True)
class PlanView:
    """A plan, what in it needs somebody, and why its open steps cannot be claimed."""

    workspace: Workspace
    overview: Overview
    attention: Attention
    reasons: Mapping[str, str]
    burndown: Burndown
    ledger: LedgerOverview
    limit: int | None = None

    def draw(self, screen: Screen, chosen: Settings) -> None:
        plan = self.overview.plan
        done, total = _progress(self.overview.phases)
        status = "archived" if plan.archived_at else plan.status
        screen.heading(plan.title, Styled(f"  {plan.plan_id}", QUIET))
        bar = screen.bar(done, total)
        screen.facts(
            [
                ("status", status if status == "active" else Styled(status)),
                ("done", f"{bar} {done}/{total}".strip()),
                ("expected", expected(self.burndown.open, self.burndown.forecast)),
                ("focus", plan.current_focus or ""),
                ("blockers", Styled(", ".join(plan.in_its_way))),
                ("workspace", f"{self.workspace.label} ({self.workspace.path or 'no folder'})"),
                ("priority", "" if plan.priority == "medium" else plan.priority),
                ("waits for", Styled(", ".join(self.overview.waiting_for))),
                ("spent", _spent(self.ledger)),
                ("gates", Styled(_missing(self.ledger))),
                ("runs", ", ".join(f"{total} {status}" for status, total in self.ledger.runs.items())),
            ]
        )
        standing.draw_needs(screen, chosen, [(self.workspace, self.attention)], self.limit)
        screen.heading("Phases")
        screen.table(PHASES, (_phase_row(screen, phase) for phase in self.overview.phases), indent=2)
        self._draw_steps(screen, chosen)
        self._draw_notes(screen, chosen)

    def _draw_steps(self, screen: Screen, chosen: Settings) -> None:
        every, limit = [Step.model_validate(step) for step in self.overview.every], self.limit or STEPS
        first = next((place for place, step in enumerate(every) if step.status in OPEN), 0)
        start = max(min(first - BEFORE, len(every) - limit), 0)
        shown = every[start : start + limit]
        screen.heading("Steps")
        places = {step.step_id: step for step in every}
        screen.table(STEP_COLUMNS, (self._step_row(screen, step, places) for step in shown), indent=2)
        again = command(chosen, "status", self.overview.plan.plan_id, "--limit", str(len(every)))
        screen.more(len(every) - len(shown), "steps", again)

    def _step_row(self, screen: Screen, step: Step, every: Mapping[str, Step]) -> tuple[Cell, ...]:
        targets = (every.get(target) for target in step.depends_on)
        waits = [f"#{target.index}" for target in targets if target and target.status not in CLOSED]
        reason = REASONS.get(self.reasons.get(step.step_id, ""), "")
        who = step.claimed_by if step.status == "active" else step.completed_by or step.assignee
        status: Cell = Styled(step.status) if step.status in ("blocked", "failed") else step.status
        until = screen.when(step.lease_expires_at) if step.status == "active" else ""
        return f"#{step.index}", status, step.task, who or "", until, ", ".join([*waits, *([reason] if reason else [])])

    def _draw_notes(self, screen: Screen, chosen: Settings) -> None:
        notes = self.overview.parts["notes"]
        limit = self.limit or NOTES
        if notes:
            screen.heading("Notes")
            screen.table(NOTE_COLUMNS, _note_rows(screen, notes[:limit]), indent=2)
            again = command(chosen, "status", self.overview.plan.plan_id, "--limit", str(len(notes)))
            screen.more(len(notes) - min(limit, len(notes)), "notes", again)

    def told(self) -> dict[str, Any]:
        found = self.overview
        return {
            **lean(found.plan),
            "waiting_for": found.waiting_for,
            "phases": lean(list(found.phases)),
            "steps": [
                {**step, **({"reason": reason} if (reason := self.reasons.get(step["step_id"])) else {})}
                for step in found.every
            ],
            "notes": found.parts["notes"],
            "attention": self.attention.totals,
            "forecast": self.burndown.forecast,
            "budgets": [{**lean(one), "over": one.over} for one in self.ledger.budgets],
            "held_by_gates": lean(self.ledger.held),
            "runs": self.ledger.runs,
        }


async def look(db: Reader, chosen: Settings, name: str, limit: int | None) -> PlanView:
    """Read a plan that is named by its id, the end of that, or its title."""
    plan_id = await plan_named(db, name)
    found = await plan_overview.read(db, plan_id, {"steps", "notes"})
    if found is None:
        raise await plans.missing(db, plan_id)
    home = found.plan.workspace_id
    needs = await places.attention(db, home, chosen.session_timeout, limit=limit or standing.MOST, plan_id=plan_id)
    waiting = await claims.waiting(db, plan_id, first=limit or STEPS)
    reasons = {step.step_id: reason for step, reason in waiting.first}
    history = await step_counts.history(db, StepScope(plan_id))
    burndown = forecasts.burndown(history, date.fromisoformat(db.now()[:DAY]), weeks=1, seed=plan_id)
    ledger = await overview.of_plan(db, plan_id, suffix=plan_overview.suffix_of(found.plan))
    return PlanView(await workspaces.require(db, home), found, needs, reasons, burndown, ledger, limit)


async def plan_named(db: Reader, name: str) -> str:
    """Return the id of the plan that is named by its id, the end of that, or its title."""
    try:
        return (await identities.named(db, name, ["plan"])).id
    except NotFound:
        near = await matching_names.matching(db, "plan", name, limit=identities.NEAR + 1)
    same = [plan_id for plan_id, title in near if folded(title) == folded(name)] or [plan_id for plan_id, _ in near]
    if len(same) == 1:
        return same[0]
    if same:
        told = ", ".join(f"{plan_id} ({title[:60]!r})" for plan_id, title in near[: identities.NEAR])
        raise Ambiguous(f"More than one plan is {name[:80]!r}: {told}. Give the id of one.")
    raise NotFound(
        f"No plan has the id or title {name[:80]!r}. `search` finds what there is, `status --all` lists plans."
    )


def _spent(ledger: LedgerOverview) -> Cell:
    """Return what is spent of each budget; one that is nearly spent stands out."""
    told = [
        f"{figure(one.spent)}{f' of {figure(one.max)}' if one.max is not None else ''} {one.unit}"
        for one in ledger.budgets
    ]
    text = ", ".join(told)
    return Styled(text) if any(one.alert for one in ledger.budgets) else text


def _missing(ledger: LedgerOverview) -> str:
    """Return which required gates have not passed, and what each holds back."""
    names = dict.fromkeys(gate for one in ledger.held for gate in one.gates)
    held = [f"#{one.index}" if one.index is not None else one.phase for one in ledger.held]
    return (
        f"{', '.join(names)} not passed (holds back {', '.join(held[:5])}{', ...' if held[5:] else ''})" if held else ""
    )


def expected(still_open: int, told: Mapping[str, Any]) -> str:
    """Return when the last step may be done; nothing if that cannot be told."""
    if "finished_a_week" not in told:
        return ""
    end = f"around {told['likely']} ({told['early']} to {told['late']})" if "likely" in told else told["unknown"]
    return f"{end}: {still_open} open, {told['finished_a_week']} done a week"


def _progress(phases: list[PhaseProgress]) -> tuple[int, int]:
    return sum(phase.steps_done for phase in phases), sum(phase.steps_total for phase in phases)


def _phase_row(screen: Screen, phase: PhaseProgress) -> tuple[Cell, ...]:
    bar = screen.bar(phase.steps_done, phase.steps_total)
    by = f"confirmed by {phase.confirmed_by or 'somebody'}" if phase.confirmed_via or phase.confirmed_by else ""
    gate: Cell = by or (Styled("awaits your yes") if phase.approval_required else "")
    return phase.name, bar, f"{phase.steps_done}/{phase.steps_total}", phase.status, gate


def _note_rows(screen: Screen, notes: list[dict[str, Any]]) -> Iterator[tuple[Cell, ...]]:
    for note in notes:
        kind: Cell = Styled(note["note_type"]) if note["note_type"] == "warning" else note["note_type"]
        yield note["note_id"], screen.when(note["created_at"]), kind, note["note"], note.get("added_by", "")
