"""memory_context: research files, notes in Markdown that agents append to and nobody overwrites."""

from typing import Any

from server.db.audit import events
from server.db.context import context_items, research
from server.models.events import Event
from server.models.research import Filename, ResearchBrief, ResearchDocument
from server.models.text import Id, SomeText
from server.tools import context_rules
from server.tools.common import Call
from server.tools.context.items import Kind
from server.tools.context.research_digest import condense, is_condensed
from server.tools.context.tool import TOOL
from server.tools.render import Page, size_of


@TOOL.action(takes=("request",))
async def append_research(
    call: Call,
    *,
    filename: Filename,
    content: SomeText,
    parent_type: Kind = "plan",
    parent_id: Id | None = None,
    plan_id: Id | None = None,
) -> dict[str, Any]:
    """Add text to a research file, made when new.

    The text goes on new lines at the end; begin it with a `##` heading, so that each finding is a section. The parent
    is named as in store: a plan, unless parent_type says otherwise. In a filename (at most 200 bytes) everything but
    letters, digits, `_`, `.` and `-` becomes `-`; the answer tells it as it is kept. A file holds at most 1 MiB. Over
    50,000 bytes get_research condenses the oldest sections (`trimmed`); nothing is lost.

    Example: {"action":"append_research","plan_id":"plan_1rqewqexykb7","filename":"auth.md","content":"## Tokens\\n..."}
    """
    async with call.write() as tx:
        parent = await context_rules.named_parent(call, tx, (parent_type, parent_id, plan_id))
        place = await context_rules.place(call, tx, parent, plan_id)
        if place.archived:
            raise await context_items.why_absent(tx, parent)
        found = await research.append(tx, parent, filename, content, workspace_id=place.workspace_id)
        size, added = size_of(found.content), size_of(content)
        trimmed = is_condensed(found.content, research.SHOWN_BYTES)
        data = {"filename": found.filename, **parent.model_dump(), "bytes": added}
        events.record(tx, Event("research_appended", "research", found.document_id, plan_id=place.plan_id, data=data))
        told = found.model_dump(include={"filename", "document_id", "workspace_id", "parent_type", "parent_id"})
        change = {"version": found.version, "created" if found.version == 1 else "updated": True, "bytes": size}
        return {**told, **change, "trimmed": trimmed}


@TOOL.action(read_only=True)
async def get_research(
    call: Call,
    *,
    filename: Filename,
    parent_type: Kind = "plan",
    parent_id: Id | None = None,
    plan_id: Id | None = None,
    full: bool = False,
) -> dict[str, Any]:
    """A research file; full=true: not condensed.

    The parent is named as in store, and may be archived. Of a file over 50,000 bytes the oldest `##` sections are
    condensed to their headings and a line `[Summarized] N lines condensed`; the newest section stays, and full=true
    gives every word. Text over max_bytes comes in pieces: `text`, and next_offset where the next one begins.

    Example: {"action":"get_research","plan_id":"plan_1rqewqexykb7","filename":"auth.md"}
    """
    db = call.db
    parent = await context_rules.named_parent(call, db, (parent_type, parent_id, plan_id))
    workspace_id = (await context_rules.place(call, db, parent, plan_id)).workspace_id
    found = await research.find(db, parent, filename, workspace_id=workspace_id)
    if found is None:
        raise await research.no_such_file(db, parent, filename, workspace_id=workspace_id)
    return _shown(found, full=full)


def _shown(found: ResearchDocument, *, full: bool) -> dict[str, Any]:
    shown = found.content if full else condense(found.content, research.SHOWN_BYTES)
    fields = found.model_dump(exclude={"content"}, exclude_none=True)
    trimmed = {"trimmed": True} if shown != found.content else {}
    return {**fields, "bytes": size_of(found.content), **trimmed, "content": shown}


@TOOL.action(read_only=True, takes=("page",))
async def list_research(
    call: Call, *, parent_type: Kind | None = None, parent_id: Id | None = None, plan_id: Id | None = None
) -> Page:
    """Research files of a parent, or of the workspace.

    Without their text. A parent (plan_id, or parent_type and parent_id) may be archived; without one, all files of the
    workspace are listed but those of archived plans. `condensed` marks those over 50,000 bytes, of which get_research
    condenses what it can.

    Example: {"action":"list_research","plan_id":"plan_1rqewqexykb7"}
    """
    db, parent = call.db, None
    if parent_type or parent_id or plan_id:
        parent = await context_rules.named_parent(call, db, (parent_type or "plan", parent_id, plan_id))
        workspace_id = (await context_rules.place(call, db, parent, plan_id)).workspace_id
    else:
        workspace_id = await call.workspace_id(db)
    rows, total = await research.list_(
        db, workspace_id=workspace_id, parent=parent, after=call.after("research", 3), limit=call.shared.limit + 1
    )
    return Page("research", rows, total, call.shared.limit, _position, "research")


def _position(row: ResearchBrief) -> list[str | int]:
    return [row.parent_type, row.parent_id, row.filename]
