"""The text a sub-agent is started with: where it is, how it works with the store, its limits, its task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from server.models.base import encode
from server.models.launch import ScopeBoundaries
from server.models.library import LibraryItem
from server.models.plans import PlanNote
from server.models.sessions import Session
from server.models.workspaces import Workspace

MOST_NOTES = 5
NOTE = 500  # characters of an instruction
ESCALATION = (
    "When the task needs more than that, stop: say what is missing and why in a hand-off, and do not work around it."
)
WORK = (
    "claims a step for you. Do it, then call next with its step_id: it is done, and you get the following one. Nothing "
    "free: the answer says why; do not invent work. A step that your task names you claim with memory_steps claim."
)
LONG_WORK = (
    "- Long work: memory_steps heartbeat with step_id and claim_token before lease_expires_at. Cannot go on: "
    "memory_steps release with the reason."
)
NO_SPAWNING = "- Start no further agents. What you cannot do yourself goes into your hand-off."
GIT = (
    "- Others work in the same tree. Commit or change only files of yours, by name; never reset, check out, restore, "
    "stash or clean what is not yours, and never rewrite history or force a push."
)


@dataclass(frozen=True)
class LaunchFacts:
    """What a launch prompt tells: `plan` is where the plan stands, `notes` are instructions in it for the agent."""

    session: Session
    parent: Session | None
    workspace: Workspace
    role: LibraryItem | None
    plan: dict[str, Any] | None
    notes: Sequence[PlanNote]
    boundaries: ScopeBoundaries
    task: str

    @property
    def report_to(self) -> str | None:
        """Who the agent hands over to: the one who starts it, else the first that its definition names."""
        following = self.role.texts("handoff_to") if self.role else []
        return self.parent.agent if self.parent else next(iter(following), None)


def compose(launch: LaunchFacts) -> str:
    """Return the launch prompt. It ends with the task, as the caller wrote it."""
    sections = {
        f"You are {_line(launch.session.agent)}": _role(launch),
        "Where you are": _context(launch),
        "Instructions on the plan": _notes(launch),
        "How you work with Project Memory": _protocol(launch),
        "Your limits": _limits(launch.boundaries),
        "Rules": [*([] if launch.role and launch.role.starts_agents else [NO_SPAWNING]), GIT],
    }
    told = [f"# {title}\n" + "\n".join(lines) for title, lines in sections.items() if lines]
    return "\n\n".join([*told, f"# Your task\n{launch.task}"])


def _role(launch: LaunchFacts) -> list[str]:
    by = f", started by {_line(launch.parent.agent)} for one task" if launch.parent else ", started for one task"
    if launch.role is None:
        return [f"An agent{by}."]
    forbidden = launch.role.texts("forbidden")
    limits = [f"Not your part: {_line(', '.join(forbidden))}."] if forbidden else []
    return [f"An agent{by}. Your role: {_line(launch.role.description)}", *limits]


def _context(launch: LaunchFacts) -> list[str]:
    path = launch.workspace.folder
    lines = [
        f"- Workspace: {path if path.isprintable() else encode(path)} (workspace_id {launch.workspace.workspace_id})"
    ]
    if plan := launch.plan:
        phase = f"; current phase: {_line(plan['current_phase'])}" if "current_phase" in plan else ""
        lines += [
            f"- Plan: {_line(plan['title'])} (plan_id {plan['plan_id']}), {plan['status']}",
            f"- It stands at {plan['steps_done']} of {plan['steps_total']} steps done{phase}",
        ]
    return lines


def _notes(launch: LaunchFacts) -> list[str]:
    lines = [f"- {_short(note.note)} ({note.note_id})" for note in launch.notes[:MOST_NOTES]]
    more = len(launch.notes) - len(lines)
    return [*lines, f"- {more} more: memory_plan list_notes"] if more > 0 else lines


def _short(text: str) -> str:
    line = _line(text)
    return line if len(line) <= NOTE else f"{line[:NOTE]}... (cut)"


def _line(text: str) -> str:
    """Return a text that somebody stored as one line, so that it ends where the prompt goes on."""
    return " ".join(text.split())


def _protocol(launch: LaunchFacts) -> list[str]:
    session_id = launch.session.session_id
    plan_id = launch.session.plan_id
    parent = {"plan_id": plan_id} if plan_id else {"parent_type": "session", "parent_id": session_id}
    found = {**parent, "type": "findings", "data": {"what": "..."}}
    return [
        f"- Your session_id is {encode(session_id)}. Send it in every call of a memory_* tool; it is yours alone.",
        "- memory_agent recover gives you a briefing, now or after a crash; memory_session inbox what was sent to you.",
        *([f"- Work: memory_steps next {encode({'plan_id': plan_id})} {WORK}", LONG_WORK] if plan_id else []),
        "- Files: memory_session reserve_files with the paths you are about to change; a clash names who has them.",
        f"- Findings: memory_context store {encode(found)}: what others need to know.",
        _report(launch),
    ]


def _report(launch: LaunchFacts) -> str:
    done = "memory_agent complete with a summary: what you did, how it was checked, what is open"
    if launch.report_to is None:
        return f"- End: {done}."
    told = {"to_agent": launch.report_to, "reason": "...", "data": {"what": "..."}}
    return f"- End: memory_agent handoff {encode(told)}, then {done}."


def _limits(boundaries: ScopeBoundaries) -> list[str]:
    if not boundaries.told():
        return []
    return [
        *_allowed("files", boundaries.files_allowed),
        *_allowed("directories", boundaries.directories_allowed),
        boundaries.scope_escalation_instruction or ESCALATION,
    ]


def _allowed(kind: str, names: Iterable[str]) -> list[str]:
    listed = [f"- {name}" for name in names]
    return [f"Create and change only these {kind}:", *listed] if listed else []
