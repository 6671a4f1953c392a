"""What programs for people read: actions, asked for all of their answer, and any one thing by its id."""

from collections.abc import Mapping
from typing import Any

from server import calls
from server.db.search import identities
from server.db.search.identities import Thing
from server.db.storage.connection import Reader
from server.store import Store
from server.tools.approvals.asking import Asker
from server.tools.approvals.callers import Caller

# The call that reads a thing of a kind whole, and the name that its id has there.
CALLS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "workspace": ("memory_workspace", "info", "workspace_id", {}),
    "plan": ("memory_plan", "get", "plan_id", {"detail": "full", "include": ["context"]}),
    "step": ("memory_steps", "get", "step_id", {}),
    "session": ("memory_session", "get_session", "session_id", {}),
    "program": ("memory_program", "get", "program_id", {}),
    "approval": ("memory_workspace", "approvals", "approval_id", {}),
    "message": ("memory_session", "inbox", "message_id", {}),
    "lineage": ("memory_agent", "get_lineage", "lineage_id", {}),
    "context_item": ("memory_context", "get", "item_id", {}),
    "checkpoint": ("memory_session", "list_checkpoints", "checkpoint_id", {}),
    "file_edit": ("memory_steps", "list_edits", "edit_id", {}),
    "run": ("memory_terminal", "read_output", "run_id", {}),
    "told_run": ("memory_ledger", "list_runs", "run_id", {}),  # which no server of ours ran
    "decision": ("memory_ledger", "list_decisions", "decision_id", {}),
    "call": ("memory_ledger", "list_calls", "call_id", {}),
    "change": ("memory_ledger", "list_changes", "change_id", {}),
    "gate": ("memory_ledger", "list_gates", "gate_id", {}),
    "artifact": ("memory_ledger", "list_artifacts", "artifact_id", {}),
    "point": ("memory_ledger", "list_metrics", "point_id", {}),
    "progress": ("memory_ledger", "list_progress", "progress_id", {}),
}
OF_A_WORKSPACE = ("checkpoint", "file_edit")  # whose calls have to name it


async def ask(store: Store, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
    """Return what an action answers to a person: all of it, however long."""
    return await answered(store, tool, {"action": action, **arguments})


async def answered(
    store: Store,
    tool: str,
    sent: Mapping[str, object],
    *,
    caller: Caller | None = None,
    asker: Asker | None = None,
) -> dict[str, Any]:
    """Return all of what a call answers to whoever sends it."""
    return await calls.answer(store, tool, sent, caller=caller, asker=asker, whole=True)


async def whole(store: Store, db: Reader, one: Thing, caller: Caller | None = None) -> dict[str, Any]:
    """Return a thing as the action shows it that reads it, or as it is stored if there is none."""
    row = await identities.row(db, one)
    if one.kind == "budget":
        about = {"action": "budgets", "plan_id": row["plan_id"], "unit": row["unit"]}
        return (await answered(store, "memory_ledger", about, caller=caller))["budgets"][0]
    kind = "told_run" if one.kind == "run" and "server" not in row else one.kind
    if kind not in CALLS:
        return row
    tool, action, name, more = CALLS[kind]
    home = {"workspace_id": row["workspace_id"]} if one.kind in OF_A_WORKSPACE else {}
    return await answered(store, tool, {"action": action, name: one.id, **more, **home}, caller=caller)
