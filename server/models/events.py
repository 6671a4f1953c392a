"""What the logs hold: who did what to which entity."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from server.models.base import JsonObject, Row


@dataclass(frozen=True)
class Origin:
    """Who writes, and through which action. Empty for work that the server does by itself."""

    tool: str | None = None
    action: str | None = None
    session_id: str | None = None
    agent: str | None = None
    session_status: str | None = None
    token: str | None = None  # the name of the one with which it was asked for over HTTP

    @property
    def actor(self) -> str | None:
        """The key that claims carry: the session if there is one, else the agent's name."""
        return self.session_id or self.agent


# Every type of event: the entities it is about, any of whose names stands for it in a filter, and what it means.
TYPES: dict[str, tuple[tuple[str, ...], str]] = {
    "workspace_registered": (("workspace",), "a folder became a workspace"),
    "workspace_updated": (("workspace",), "its name or profile changed"),
    "workspace_moved": (("workspace",), "its folder is another one now; data.from, data.to"),
    "workspace_linked": (("workspace",), "it became parent or child of another workspace"),
    "workspace_unlinked": (("workspace",), "it is parent or child of that workspace no more"),
    "trimmed": (("workspace", "store"), "what outlived its setting was removed for good; data.table, data.rows"),
    "workspace_merged": (("workspace",), "everything of another workspace is here now; data.source, data.path"),
    "files_reserved": (("workspace",), "somebody says on which files they work"),
    "files_released": (("workspace",), "reservations of files ended"),
    "legacy_store_noticed": (("legacy_store", "workspace"), "somebody was told of an older store"),
    "imported": (("import", "workspace"), "files of another store were taken over"),
    "plan_created": (("plan",), "a plan was made, cloned or imported"),
    "plan_updated": (("plan",), "its facts or status changed; data.changed says which"),
    "plan_reopened": (("plan",), "it was completed, and a step of it is open again"),
    "plan_archived": (("plan",), "it was archived"),
    "plans_merged": (("plan",), "the steps of other plans were copied to its end; data.sources names them"),
    "plan_unarchived": (("plan",), "it came back from the archive"),
    "plan_exported": (("plan",), "it was written to a file of the project; data.path says which"),
    "workspace_scope_changed": (("workspace", "plan"), "an editor workspace of a plan was written; data.path"),
    "file_written": (("workspace", "plan"), "a text of the store was written to a file of the project; data.path"),
    "plan_deleted": (("plan",), "it went to the trash"),
    "plan_restored": (("plan",), "it came back from the trash"),
    "build_script_added": (("build_script",), "a command was kept under a name"),
    "build_script_deleted": (("build_script",), "it went to the trash"),
    "build_script_restored": (("build_script",), "it came back from the trash"),
    "note_added": (("note", "plan"), "a note was written on a plan"),
    "note_acknowledged": (("note", "plan"), "an instruction note was read"),
    "phase_added": (("phase",), "a phase was added"),
    "phase_updated": (("phase",), "it was renamed or changed; data.changed says how"),
    "phase_deleted": (("phase", "step"), "it went to the trash, its steps with it or to another phase"),
    "phase_restored": (("phase", "step"), "it came back from the trash"),
    "phases_reordered": (("plan", "phase", "step"), "phases changed places, their steps with them"),
    "phase_confirmed": (("phase",), "later phases may begin"),
    "confirmation_revoked": (("phase", "step"), "a confirmation was taken back, or a new step of the phase ended it"),
    "approval_asked": (("approval",), "something waits for a human's word"),
    "approval_approved": (("approval",), "a human said yes: whoever asked can go on"),
    "approval_rejected": (("approval",), "a human said no; data.note may say why"),
    "approval_outdated": (("approval",), "what it is about changed or went: whoever still wants it asks anew"),
    "approval_used": (("approval",), "the call that a human allowed was made"),
    "steps_added": (("plan", "step"), "steps were added"),
    "steps_reordered": (("plan", "step"), "steps changed places"),
    "steps_replaced": (("plan", "step"), "new steps took the place of old ones"),
    "steps_consolidated": (("plan", "step"), "several steps became one"),
    "steps_deleted": (("plan", "step"), "steps went to the trash"),
    "step_restored": (("step",), "a step came back from the trash"),
    "steps_restored": (("plan", "step"), "steps came back from the trash"),
    "step_updated": (("step",), "status (data.from, data.to), text, notes, ... changed; data.changed says which"),
    "step_claimed": (("step",), "somebody works on it now"),
    "step_reclaimed": (("step",), "it was claimed after the lease of another ran out"),
    "step_taken_over": (("step",), "a live claim was taken away by force"),
    "step_passed": (("step",), "its claim was handed to another agent"),
    "step_released": (("step",), "its claim ended without it being finished"),
    "lease_renewed": (("step",), "its claim lives on; data.had_run_out says that the lease was over"),
    "step_confirmed": (("step",), "it may be worked on or finished"),
    "program_created": (("program",), "a program was made"),
    "program_updated": (("program",), "its facts changed; data.changed says which"),
    "program_archived": (("program",), "it was put away; its plans stay in it"),
    "program_unarchived": (("program",), "it came back from the archive"),
    "program_deleted": (("program",), "it went to the trash; its plans stay"),
    "program_restored": (("program",), "it came back from the trash"),
    "program_plan_added": (("program",), "a plan joined it; data.moved_from says from where"),
    "program_plan_removed": (("program",), "a plan left it"),
    "program_plans_reordered": (("program",), "its plans changed places"),
    "program_linked": (("program",), "another workspace sees it; data.to says which"),
    "program_unlinked": (("program",), "another workspace sees it no more; data.from says which"),
    "risk_added": (("risk", "program"), "something may go wrong in a program"),
    "risk_updated": (("risk",), "its facts or status changed; data.changed says which"),
    "risk_deleted": (("risk",), "it went to the trash"),
    "risk_restored": (("risk",), "it came back from the trash"),
    "risks_detected": (("program", "risk"), "risks were found or are gone; data.added, data.changed, data.resolved"),
    "dependencies_set": (("step", "plan", "phase", "program"), "what it waits for changed"),
    "dependencies_met": (("step", "plan", "phase", "program"), "work on another plan ended what it waited for"),
    "dependencies_unmet": (("step", "plan", "phase", "program"), "work on another plan made it wait again"),
    "file_edited": (("file_edit", "step"), "a file was touched for a step or plan"),
    "file_changed": (("file",), "a file of the project was written or appended to; data.trash_id has what was there"),
    "file_deleted": (("file",), "it went to the trash"),
    "file_moved": (("file",), "a file or folder got another name; data.to says which"),
    "file_copied": (("file",), "a file was copied; data.source says which"),
    "file_restored": (("file",), "it came back from the trash"),
    "run_started": (("run",), "a program was started for an agent; data.vector"),
    "run_finished": (("run",), "it is over; data.exit_code, data.ended_by"),
    "run_killed": (("run",), "somebody ended it"),
    "allowlist_changed": (("allowlist",), "what may run without asking is more, or less"),
    "message_sent": (("message",), "a message waits for an agent"),
    "message_acknowledged": (("message",), "its addressee has read it"),
    "agent_session_started": (("session",), "an agent began to work"),
    "agent_session_completed": (("session",), "it is done; data and summary say with what"),
    "agent_session_recovered": (("session",), "it goes on after a crash"),
    "session_orphaned": (("session",), "nothing was heard of it for long"),
    "handoff": (("lineage", "session"), "an agent handed its work to another"),
    "checkpoint_created": (("checkpoint",), "a snapshot was stored"),
    "decision_made": (("decision",), "it was recorded; data.supersedes names the one whose place it takes"),
    "call_logged": (("call",), "a call of a tool was logged; data.success"),
    "calls_logged": (("plan", "workspace", "call"), "calls of tools were logged; data.calls, data.failed"),
    "gate_recorded": (("gate",), "it passed, failed or was skipped; data.status"),
    "artifact_added": (("artifact",), "work left it behind"),
    "artifact_changed": (("artifact",), "it is another one now; data.changed says how"),
    "artifact_restored": (("artifact",), "it came back from the trash"),
    "metric_recorded": (("point",), "a figure was added to a series"),
    "metrics_recorded": (("plan", "workspace", "point"), "figures were added to series; data.points, data.names"),
    "progress_set": (("progress",), "a long job is so far; data.percent, data.status"),
    "progress_restored": (("progress",), "it came back from the trash"),
    "budget_set": (("budget", "plan"), "what a plan may cost changed"),
    "budget_spent": (("budget", "plan"), "a plan cost more; data.amount, data.spent"),
    "cache_set": (("entry",), "a value was kept for a while"),
    "cache_cleared": (("entry",), "it was dropped"),
    "entry_restored": (("entry",), "it came back from the trash"),
    "agent_set": (("agent",), "what is known of an agent changed; data.changed says what"),
    "agent_restored": (("agent",), "it came back from the trash"),
    "term_added": (("term", "plan"), "a plan is about it"),
    "context_stored": (("context_item",), "a context item was written"),
    "context_deleted": (("context_item",), "it went to the trash"),
    "context_item_restored": (("context_item",), "it came back from the trash"),
    "research_appended": (("research",), "a research document grew"),
    "knowledge_stored": (("knowledge",), "an entry was written"),
    "knowledge_superseded": (("knowledge",), "another entry took its place"),
    "knowledge_deleted": (("knowledge",), "it went to the trash"),
    "knowledge_restored": (("knowledge",), "it came back from the trash"),
    "memory_remembered": (("memory",), "a fact was written"),
    "memory_forgotten": (("memory",), "it went to the trash"),
    "memory_restored": (("memory",), "it came back from the trash"),
    "definition_created": (("definition",), "an agent, instruction or skill was made; data.kind says which"),
    "definition_updated": (("definition",), "its text changed; data.changed says what of it"),
    "definition_deleted": (("definition",), "it went to the trash"),
    "definition_reset": (("definition",), "it is what ships again"),
    "definition_restored": (("definition",), "it came back from the trash"),
    "definition_assigned": (("definition", "workspace"), "the workspace uses it, and briefings name it"),
    "definition_unassigned": (("definition", "workspace"), "the workspace uses it no more"),
    "link_restored": (("link",), "it came back from the trash: the workspace uses a definition as it did"),
    "definitions_deployed": (("definition", "workspace"), "files were written for a client, or removed"),
    "definitions_imported": (("definition", "workspace"), "files of the workspace were taken in"),
}  # fmt: skip
ENTITIES = frozenset(name for entities, _ in TYPES.values() for name in entities)


def types_of(names: Iterable[str]) -> list[str]:
    """Return types of events: the name of an entity stands for all that are about it, another name for itself."""
    wanted = {name: [type_ for type_, (about, _) in TYPES.items() if name in about] or [name] for name in names}
    return list(dict.fromkeys(type_ for types in wanted.values() for type_ in types))


@dataclass(frozen=True)
class Event:
    """One change, logged in the transaction that makes it. `summary` is for people and goes to the update log."""

    type: str
    entity_type: str
    entity_id: str
    workspace_id: str | None = None
    plan_id: str | None = None
    summary: str | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        about, _ = TYPES.get(self.type, ((), ""))
        if self.entity_type not in about:
            raise ValueError(f"TYPES declares no event {self.type!r} about a {self.entity_type!r}")


RAN_OUT = "had_run_out"  # in the data of a lease that is renewed


class LoggedEvent(Row):
    event_id: int
    timestamp: str
    type: str
    entity_type: str
    entity_id: str
    workspace_id: str | None = None
    plan_id: str | None = None
    session_id: str | None = None
    agent: str | None = None
    tool: str | None = None
    action: str | None = None
    data: JsonObject


class LoggedUpdate(Row):
    log_id: int
    timestamp: str
    summary: str
    workspace_id: str | None = None
    plan_id: str | None = None
    session_id: str | None = None
    agent: str | None = None
    tool: str | None = None
    action: str | None = None
