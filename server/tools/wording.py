"""What to call next: `db/` tells which kind of thing an error is about, and the calls are named here."""

from server.errors import ProjectMemoryError

# The call that lists what there is of a kind.
LISTERS = {
    "approval": "memory_workspace action='approvals'",
    "artifact": "memory_ledger action='list_artifacts'",
    "call": "memory_ledger action='list_calls'",
    "change": "memory_ledger action='list_changes'",
    "checkpoint": "memory_session action='list_checkpoints'",
    "decision": "memory_ledger action='list_decisions'",
    "edit": "memory_steps action='list_edits'",
    "gate": "memory_ledger action='list_gates'",
    "item": "memory_context action='list'",
    "lineage": "memory_agent action='get_lineage' plan_id=...",
    "message": "memory_session action='inbox'",
    "note": "memory_plan action='list_notes' plan_id={plan_id!r}",
    "phase": "memory_plan action='get' plan_id=...",
    "plan": "memory_plan action='list'",
    "point": "memory_ledger action='list_metrics'",
    "program": "memory_program action='list'",
    "progress": "memory_ledger action='list_progress'",
    "risk": "memory_program action='list_risks' program_id=...",
    "run": "memory_ledger action='list_runs'",
    "session": "memory_session action='list_sessions'",
    "step": "memory_steps action='list' plan_id=...",
    "trash": "memory_workspace action='trash'",
    "workspace": "memory_workspace action='list'",
}
# What helps with the other kinds.
WAYS = {
    "archived home": "memory_plan action='unarchive' brings its plan back; then restore.",
    "archived parent": "memory_plan action='unarchive' plan_id={plan_id!r} brings it back; what is stored on it can be "
    "read as it is.",
    "archived plan": "memory_plan action='unarchive' plan_id={plan_id!r} brings it back.",
    "archived program": "memory_program action='unarchive' program_id={program_id!r} brings it back.",
    "archived session": "memory_agent action='init' opens a new one.",
    "context type": "memory_context action='list' shows what there is.",
    "event": "memory_workspace action='events' lists it.",
    "fact": "memory_context action='recall' without key lists what is.",
    "definition": "memory_library action='list' kind={of!r} shows them.",
    "knowledge": "memory_context action='knowledge_list' shows what there is.",
    "research": "memory_context action='list_research' shows what there is.",
    "update": "memory_workspace action='history' lists it.",
}


def completed(error: ProjectMemoryError) -> ProjectMemoryError:
    """Add what to call next to the message of an error, once, and return it."""
    if error.kind:
        way = WAYS.get(error.kind) or f"{LISTERS[error.kind]} lists what exists."
        error.args = (f"{error} {way.format(**error.facts)}",)
        error.kind = None
    return error
