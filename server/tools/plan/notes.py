"""memory_plan: notes on a plan."""

from typing import Any

from server.db.audit import events as event_log
from server.db.plans import plan_notes, plan_overview, plans
from server.models.events import Event
from server.models.plans import NoteType, PlanNote
from server.models.text import AgentName, Id, SomeText
from server.tools.common import Call
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import live
from server.tools.render import Page, reading


@TOOL.action(takes=("request",))
async def add_note(
    call: Call, *, plan_id: Id, note: SomeText, note_type: NoteType = "info", deliver_to: AgentName | None = None
) -> dict[str, Any]:
    """Add a note for people and agents to a plan.

    note_type: info, warning, instruction. An instruction stands in every briefing of the agent named by deliver_to, or
    of all agents, until one of them acknowledges it (memory_session acknowledge).

    Example: {"action":"add_note","plan_id":"plan_1rqewqexykb7","note":"Ask before you touch the schema",
    "note_type":"instruction","deliver_to":"executor"}
    """
    async with call.write() as tx:
        plan, workspace_id = await live(call, tx, plan_id)
        added = await plan_notes.insert(tx, plan_id, note, note_type, deliver_to)
        await plans.touch(tx, plan_id)
        summary = f"{note_type} note on {plan.title!r}: {' '.join(note.split())[:120]}"
        data = {"note_type": note_type, "deliver_to": deliver_to}
        event_log.record(tx, Event("note_added", "note", added.note_id, plan_id=plan_id, summary=summary, data=data))
        return {
            "note_id": added.note_id,
            "plan_id": plan_id,
            "workspace_id": workspace_id,
            "note_type": note_type,
            "deliver_to": deliver_to,
            "created_at": added.created_at,
        }


@TOOL.action(read_only=True, takes=("page",))
async def list_notes(
    call: Call,
    *,
    plan_id: Id,
    note_type: NoteType | None = None,
    deliver_to: AgentName | None = None,
    note_id: Id | None = None,
) -> Page | PlanNote:
    """The notes on a plan, newest first.

    note_id gives one of them whole, in pieces if need be (`next_offset`).

    Example: {"action":"list_notes","plan_id":"plan_1rqewqexykb7","note_type":"instruction"}
    """
    plan = await plans.require(call.db, plan_id)
    workspace_id = await call.workspace_id(call.db, plan.workspace_id)
    if note_id:
        return await plan_notes.require(call.db, plan_id, note_id, suffix=plan_overview.suffix_of(plan))
    rows, total = await plan_notes.page(
        call.db,
        plan_id,
        note_type=note_type,
        deliver_to=deliver_to,
        after=call.after("notes", 2),
        limit=call.shared.limit + 1,
        suffix=plan_overview.suffix_of(plan),
    )
    extra = {"workspace_id": workspace_id}
    whole = reading("memory_plan list_notes", "note_id", plan_id=plan_id)
    return Page("notes", rows, total, call.shared.limit, _position, "notes", extra, whole=whole)


def _position(row: PlanNote) -> list[str | int]:
    return [row.created_at, row.note_id]
