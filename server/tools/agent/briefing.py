"""What an agent needs to know before it starts, the most useful first, within a number of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.db.gates import approvals
from server.db.library import definitions
from server.db.plans import phases, plan_notes
from server.db.programs import programs
from server.db.sessions import briefing, lineage
from server.db.steps import claims
from server.db.steps.claims import StepFilter
from server.db.storage.connection import Reader
from server.models.approvals import Approval
from server.models.base import Model, encode
from server.models.plans import PhaseProgress, Plan, PlanNote
from server.models.sessions import LineageEntry
from server.models.steps import StepRow
from server.tools import library_matching
from server.tools.render import affordable, lean, length, reading
from server.tools.rules import budget_rules

NEXT_STEPS = 5
MOST_FITTING = 5  # skills and instructions
MOST_NOTES = 50
MOST_ANSWERS = 10
GOALS = 5
# Characters of texts that may be long, at most and of this part of the budget; and bytes of a hand-off's data.
NOTE, TASK, GOAL, REASON = 2000, 300, 200, 1000
TEXT_PART = 8
DATA = 3000

# The share of the room that a part may take before every other part had its turn, and that its first item may take.
# Plans are told when none was named.
SHARES = {
    "plan": 0.14,
    "answers": 0.1,
    "instructions": 0.2,
    "held": 0.14,
    "handoff": 0.18,
    "plans": 0.3,
    "next": 0.14,
    "phases": 0.1,
    "messages": 0.05,
    "context": 0.05,
    "research": 0.05,
    "knowledge": 0.05,
    "library": 0.05,
}
FIRST_SHARE = 0.25

Fields = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A list of a briefing: items, the most useful first, how many there are in all, and the call that shows all.

    A `single` part is one object instead; `smaller` ones stand for it when there is little room. The total of a part
    that is not `counted` only tells whether there are more.
    """

    name: str
    items: Sequence[Fields]
    call: str = ""
    total: int = 0
    single: bool = False
    smaller: Sequence[Fields] = ()
    counted: bool = True

    @property
    def complete(self) -> bool:
        """Whether its items are all there are, and whole."""
        return self.total <= len(self.items) and not any("clipped" in item for item in self.items)

    def note(self, shown: int) -> str:
        """Return how many items are not shown, and the call that shows them."""
        left = max(self.total, len(self.items)) - shown
        many = f"{left} more" if self.counted else "more"
        return self.call if self.single or not left else f"{many}: {self.call}"


async def compose(
    db: Reader,
    *,
    start: Fields,
    workspace_id: str,
    plan: Plan | None,
    agent: str,
    actors: Sequence[str],
    max_bytes: int,
) -> Fields:
    """Return `start` and as much of the briefing as fits; `omitted` names what does not, with the call that shows it.

    `actors` are the names under which the agent may hold claims and get messages.
    """
    plan_id = plan.plan_id if plan else None
    around = await briefing.surroundings(db, workspace_id=workspace_id, plan_id=plan_id, agent=agent, names=actors)
    held = [step for actor in actors for step in await claims.held(db, actor, workspace_id=workspace_id)]
    most = max_bytes // TEXT_PART
    core, instructions, standing = await _of_plan(db, plan, agent, most)
    steps = await _eligible(db, workspace_id, plan, StepFilter(names=actors))
    parts = [
        core,
        Section("answers", await _answers(db, workspace_id, agent), "memory_workspace history"),
        instructions,
        _held(held, most),
        _handoff(await lineage.last_to(db, agent, workspace_id=workspace_id, plan_id=plan_id), most),
        _listed("plans", around.plans, "memory_plan list"),
        _next(plan, steps),
        standing,
        _listed("messages", around.messages, "memory_session inbox"),
        _listed("context", around.context, "memory_context list"),
        _listed("research", around.research, "memory_context list_research"),
        _listed("knowledge", around.knowledge, "memory_context knowledge_list"),
        await _library(db, workspace_id, plan, [*held, *steps]),
    ]
    return fit(start, [part for part in parts if part.items], max_bytes)


def _listed(name: str, found: tuple[Sequence[Model], int], call: str) -> Section:
    rows, total = found
    return Section(name, [lean(row) for row in rows], call, total)


async def _of_plan(db: Reader, plan: Plan | None, agent: str, most: int) -> tuple[Section, Section, Section]:
    """Return the core of the plan, the instructions in it for the agent, and its phases, the open ones first."""
    if plan is None:
        return Section("plan", ()), Section("instructions", ()), Section("phases", ())
    rows = await phases.progress(db, plan.plan_id)
    waiting = await plan_notes.waiting(db, plan.plan_id, agent)
    told = [_note(note, most) for note in waiting[:MOST_NOTES]]
    standing = [_phase(phase) for phase in sorted(rows, key=lambda phase: (phase.status == "done", phase.index))]
    program = await programs.title(db, plan.program_id) if plan.program_id else None
    budgets = await budget_rules.of_plan(db, plan.plan_id)
    return (
        _core(plan, rows, program, budgets),
        Section("instructions", told, "memory_plan list_notes", len(waiting)),
        Section("phases", standing, "memory_plan get"),
    )


def _core(plan: Plan, rows: Sequence[PhaseProgress], program: str | None, budgets: Sequence[str]) -> Section:
    current = next((phase.name for phase in rows if phase.status != "done" and phase.steps_total), None)
    small = _kept({"plan_id": plan.plan_id, "status": plan.status, "budget": list(budgets)})
    fields = {
        **small,
        "title": plan.title,
        "program": {"program_id": plan.program_id, "title": program} if program else None,
        "category": plan.category,
        "priority": plan.priority,
        "steps_done": sum(phase.steps_done for phase in rows),
        "steps_total": sum(phase.steps_total for phase in rows),
        "current_phase": current or plan.current_phase,
        "current_focus": plan.current_focus and plan.current_focus[:GOAL],
        "blockers": [one[:GOAL] for one in plan.in_its_way[:GOALS]],
        "goals": [goal[:GOAL] for goal in plan.goals[:GOALS]],
        "version": plan.version,
    }
    cut = {"clipped": ["goals"]} if fields["goals"] != plan.goals else {}
    return Section("plan", [_kept({**fields, **cut})], "memory_plan get", single=True, smaller=[small])


async def _answers(db: Reader, workspace_id: str, agent: str) -> list[Fields]:
    """Return what humans said to what the agent asked."""
    found = await approvals.answered(db, workspace_id, agent, limit=MOST_ANSWERS)
    shown = {"approval_id", "what", "status", "answered_by", "answered_at", "note", "plan_id"}
    repeat = {"next": "send the call again: it is allowed once"}
    whole = reading("memory_workspace approvals", "approval_id")
    return [
        _clipped(row.model_dump(include=shown) | (repeat if _may_repeat(row) else {}), whole(row), what=TASK, note=GOAL)
        for row in found
    ]


def _may_repeat(row: Approval) -> bool:
    return row.kind == "write" and row.status == "approved"


def _note(note: PlanNote, most: int) -> Fields:
    fields = note.model_dump(include={"note_id", "note", "deliver_to", "added_by", "created_at"})
    whole = reading("memory_plan list_notes", "plan_id", "note_id")(note)
    return _clipped(fields, whole, note=min(NOTE, most))


def _phase(phase: PhaseProgress) -> Fields:
    shown = {
        "name",
        "index",
        "status",
        "steps_done",
        "steps_total",
        "approval_required",
        "confirmed_by",
        "confirmed_via",
    }
    return _kept(phase.model_dump(include=shown))


def _held(held: Sequence[StepRow], most: int) -> Section:
    """Return the steps the agent holds, with the token that writes to them under any name."""
    rows = [
        _clipped(
            {
                **_step(step),
                "plan_id": step.plan_id,
                "notes": step.notes,
                "claimed_by": step.claimed_by,
                "claim_token": step.claim_token,
                "lease_expires_at": step.lease_expires_at,
            },
            reading("memory_steps get", "step_id")(step),
            task=min(REASON, most // 2),
            notes=min(REASON, most // 2),
        )
        for step in held
    ]
    return Section("held", rows, "memory_steps list status=active")


def _handoff(entry: LineageEntry | None, most: int) -> Section:
    if entry is None:
        return Section("handoff", ())
    small = {"lineage_id": entry.lineage_id, "from_agent": entry.from_agent}
    whole_entry = reading("memory_agent get_lineage", "lineage_id")(entry)
    fields = {**small, "reason": entry.reason, "created_at": entry.created_at}
    told = _clipped(fields, whole_entry, reason=min(REASON, most))
    without = {**told, "clipped": [*told.get("clipped", ()), "data"], "read": whole_entry}
    whole = told | {"data": entry.data} if entry.data else told
    fitting = [whole] if len(encode(entry.data).encode()) <= DATA else []
    first, *others = [*fitting, without, small]
    return Section("handoff", [first], "memory_agent get_lineage lineage_id", single=True, smaller=others)


async def _library(db: Reader, workspace_id: str, plan: Plan | None, steps: Sequence[StepRow]) -> Section:
    """Return the skills and instructions that fit the plan and its steps, those that are assigned first, and why."""
    used = {(one["kind"], one["name"]): one["notes"] for one in await definitions.assigned(db, workspace_id)}
    words = " ".join((plan.title, *(step.task[:TASK] for step in steps[:NEXT_STEPS]))) if plan else ""
    rows = await definitions.all_(db, workspace_id) if used or words else []
    wanted = [row for row in rows if row.kind != "agent" or (row.kind, row.name) in used]
    found = library_matching.fitting(wanted, library_matching.Wanted(words), used)
    most = max(len(used), MOST_FITTING)
    items = [{"name": one.found.name, "kind": one.found.kind, "why": "; ".join(one.why)[:GOAL]} for one in found[:most]]
    return Section("library", items, "memory_library match", len(items))


async def _eligible(db: Reader, workspace_id: str, plan: Plan | None, wanted: StepFilter) -> Sequence[StepRow]:
    """Return the steps that the agent can be given first, of the plan or of the whole workspace, and one more."""
    most = NEXT_STEPS + 1
    if plan:
        return await claims.eligible_in_plan(db, plan.plan_id, limit=most, wanted=wanted)
    return await claims.first_ready(db, workspace_id, limit=most, wanted=wanted)


def _next(plan: Plan | None, found: Sequence[StepRow]) -> Section:
    where = [{} if plan else {"plan_id": step.plan_id} for step in found]
    whole = reading("memory_steps get", "step_id")
    rows = [
        _clipped({**_step(step), **place}, whole(step), task=TASK) for step, place in zip(found, where, strict=True)
    ]
    return Section("next", rows[:NEXT_STEPS], "memory_steps ready", len(found), counted=False)


def _step(step: StepRow) -> Fields:
    kind = None if step.type == "standard" else step.type
    fields = {"step_id": step.step_id, "index": step.order_index, "phase": step.phase, "task": step.task, "type": kind}
    return {**fields, "assignee": step.assignee}


def _kept(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _clipped(fields: Fields, whole: Fields, **limits: int) -> Fields:
    """Return fields without the empty ones; texts over their limit are cut, and `read` tells the `whole`."""
    kept = _kept(fields)
    cut = [name for name, limit in limits.items() if len(kept.get(name, "")) > limit]
    kept |= {name: kept[name][: limits[name]] for name in cut}
    return {**kept, "clipped": cut, "read": whole} if cut else kept


def fit(start: Fields, parts: Sequence[Section], max_bytes: int) -> Fields:
    """Return `start` and what fits of `parts` into `max_bytes`, and in `omitted` what does not fit.

    Every part gets its first item, then its share, and what is left goes to the most useful ones.
    """
    whole = {part.name: part.items[0] if part.single else part.items for part in parts}
    omitted: Fields = {part.name: part.note(len(part.items)) for part in parts if not part.complete}
    everything = {**start, **whole, **({"omitted": omitted} if omitted else {})}
    if length(everything) <= max_bytes:
        return everything
    omitted = {part.name: part.note(0) for part in parts}
    if length({**start, "omitted": omitted}) > max_bytes:
        return {**start, "omitted": {part.name: len(part.items) for part in parts}}
    shown: Fields = {}
    for turn in ("first", "share", "rest"):
        for part in parts:
            others = {name: value for name, value in shown.items() if name != part.name}
            room = max_bytes - length({**start, **others, "omitted": omitted, part.name: []})
            share = {"first": FIRST_SHARE, "share": SHARES[part.name], "rest": 1}[turn]
            count = 1 if turn == "first" else len(part.items)
            _show(part, shown, omitted, min(room, round(max_bytes * share)), count)
    ordered = {part.name: shown[part.name] for part in parts if part.name in shown}
    return {**start, **ordered, **({"omitted": omitted} if omitted else {})}


def _show(part: Section, shown: Fields, omitted: Fields, room: int, most: int) -> None:
    """Put into `shown` what `room` bytes take of the first `most` items, and into `omitted` what is missing."""
    if part.single:
        rows = [one for one in (*part.items, *part.smaller) if length(one) <= room][:1]
    else:
        rows = part.items[: min(affordable(part.items, room), most)]
    now = shown.get(part.name, [])
    if length({part.name: rows}) <= length({part.name: [now] if part.single and now else now}):
        return
    shown[part.name] = rows[0] if part.single else rows
    if part.complete and len(rows) == len(part.items) and rows[0] is part.items[0]:
        omitted.pop(part.name, None)
    else:
        omitted[part.name] = part.note(len(rows))
