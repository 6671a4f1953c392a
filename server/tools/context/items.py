"""memory_context: what agents found out, kept with the thing it is about."""

from collections.abc import Sequence
from typing import Annotated, Any, cast

from pydantic import Field

from server.db.audit import events, trash
from server.db.context import context_items
from server.db.plans.plans import check_version
from server.db.storage.connection import Transaction
from server.db.storage.list_totals import COUNTED
from server.models.base import encode
from server.models.context import (
    ContextItem,
    ItemBrief,
    ItemType,
    Lifetime,
    NewItem,
    Parent,
    ParentType,
    Stored,
    StoreMode,
)
from server.models.events import Event
from server.models.text import Data, Id, Line, Lines, SomeText, Text
from server.tools import context_rules
from server.tools.common import CONFIRM, Call
from server.tools.context.tool import TOOL
from server.tools.context_rules import Told
from server.tools.render import Page, reading

Kind = Annotated[ParentType, Field(description="program|workspace|plan|phase|step|session|agent")]
Mode = Annotated[StoreMode, Field(description="replace|merge|append")]
Items = Annotated[list[NewItem], Field(min_length=1, max_length=200, description="[{type, data, ...}]")]
Prefix = Annotated[Line, Field(description="how the type or key begins")]
Texts = Annotated[list[SomeText], Field(max_length=1000)]
ONE = (("item_id",), ("type",))
INITIAL = "original_request"


@TOOL.action(takes=("version", "request"))
async def store(
    call: Call,
    *,
    type: ItemType,
    data: Data,
    parent_type: Kind = "plan",
    parent_id: Id | None = None,
    plan_id: Id | None = None,
    mode: Mode = "replace",
    tags: Lines | None = None,
    expires_in: Lifetime | None = None,
) -> Stored:
    """Keep an object; one a type and parent.

    `type` is a line of at most 200 characters, `data` an object of at most 1 MiB that comes back exactly as sent. The
    parent is a plan unless parent_type says program, workspace, phase, step, session or agent; name it by parent_id (a
    plan also by plan_id). Left out, it is the plan of your session, the workspace, your session, or you. An agent is
    named freely within the workspace.
    What is there already: mode=replace (default) puts data in its place; mode=merge sets the top-level keys given and
    keeps the others (null is a value like any other); mode=append adds lists at the end of lists, joins objects by the
    same rule at every depth, and replaces any other value. Keys that are new come last.
    `tags` replace the old ones; left out, those stay. expires_in (seconds) lets it vanish; left out, replace makes it
    stay for good, merge and append keep its old end. What expired does not exist.
    With expected_version nothing is stored unless the item has that version: conflict.

    Example: {"action":"store","plan_id":"plan_1rqewqexykb7","type":"research_findings","data":{"cache":"is stale"}}
    """
    item = NewItem.model_construct(type=type, data=data, tags=tags, mode=mode, expires_in=expires_in)
    async with call.write() as tx:
        told = (parent_type, parent_id, plan_id)
        return (await context_rules.put(call, tx, [(told, item)], call.shared.expected_version))[0]


@TOOL.action(takes=("request",))
async def batch_store(
    call: Call,
    *,
    items: Items,
    parent_type: Kind = "plan",
    parent_id: Id | None = None,
    plan_id: Id | None = None,
) -> dict[str, Any]:
    """Store several items, all or none.

    `items`: [{type, data, parent_type?, parent_id?, plan_id?, tags?, mode?, expires_in?}], at most 200, each as in
    store. An item that names no parent takes the one of the call. Two items of one type on one parent are refused. If
    anything is wrong, everything that is wrong is told and nothing is stored.

    Example: {"action":"batch_store","plan_id":"plan_1rqewqexykb7","items":[{"type":"audit","data":{"files":3}}]}
    """
    told = (parent_type, parent_id, plan_id)
    async with call.write() as tx:
        stored = await context_rules.put(call, tx, [(_told(item) or told, item) for item in items])
        return {"workspace_id": stored[0].workspace_id, "stored": stored}


def _told(item: NewItem) -> Told | None:
    """Return what an item of a batch says of its parent, if anything."""
    if item.parent_type or item.parent_id or item.plan_id:
        return item.parent_type or "plan", item.parent_id, item.plan_id
    return None


@TOOL.action()
async def store_initial(
    call: Call,
    *,
    user_request: SomeText,
    plan_id: Id | None = None,
    files_mentioned: Texts | None = None,
    file_contents: Data | None = None,
    requirements: Texts | None = None,
    constraints: Texts | None = None,
    examples: Texts | None = None,
    conversation_context: Text | None = None,
    additional_notes: Text | None = None,
) -> dict[str, Any]:
    """Keep the user's request with the plan, word for word.

    Stored as the plan's item of type original_request: {"user_request": ..., "context": {what else was given}}. The
    plan is that of your session unless plan_id names one. file_contents is {path: text}. A second call replaces the
    first; at most 1 MiB together.

    Example: {"action":"store_initial","plan_id":"plan_1rqewqexykb7","user_request":"Make the build fast"}
    """
    given = {
        "files_mentioned": files_mentioned,
        "file_contents": file_contents,
        "requirements": requirements,
        "constraints": constraints,
        "examples": examples,
        "conversation_context": conversation_context,
        "additional_notes": additional_notes,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    item = NewItem.model_construct(type=INITIAL, data={"user_request": user_request, "context": kept})
    async with call.write() as tx:
        [stored] = await context_rules.put(call, tx, [(("plan", None, plan_id), item)])
    counts = {name: len(cast(Sequence[object], value)) for name, value in kept.items()}
    return {**stored.model_dump(exclude_none=True), "context_summary": counts}


@TOOL.action(read_only=True, one_of=ONE)
async def get(
    call: Call,
    *,
    type: ItemType | None = None,
    parent_type: Kind = "plan",
    parent_id: Id | None = None,
    plan_id: Id | None = None,
    item_id: Id | None = None,
) -> ContextItem:
    """An item with its data, exactly as stored.

    By item_id, or by type and parent (as in store). Items of archived plans can be read. Data over max_bytes comes in
    pieces: `text` is JSON text from `offset` on, `next_offset` where the next piece begins; joined they are the data.

    Example: {"action":"get","plan_id":"plan_1rqewqexykb7","type":"research_findings"}
    """
    return await context_rules.chosen(call, call.db, item_id, type, (parent_type, parent_id, plan_id))


@TOOL.action(read_only=True, takes=("page",))
async def list_(
    call: Call,
    *,
    parent_type: Kind | None = None,
    parent_id: Id | None = None,
    plan_id: Id | None = None,
    prefix: Prefix | None = None,
    tags: Lines | None = None,
) -> Page:
    """Items without their data.

    Those of one parent (plan_id, or parent_type and parent_id), those of one parent_type, or all of the workspace. A
    parent may be archived. `prefix` is how the type begins; of `tags` an item must have all.

    Example: {"action":"list","plan_id":"plan_1rqewqexykb7"}
    """
    db, parent = call.db, None
    if parent_id or plan_id:
        parent = await context_rules.named_parent(call, db, (parent_type or "plan", parent_id, plan_id))
        workspace_id = (await context_rules.place(call, db, parent, plan_id)).workspace_id
    else:
        workspace_id = await call.workspace_id(db)
    rows, total = await context_items.list_(
        db,
        workspace_id=workspace_id,
        parent=parent,
        parent_type=parent_type,
        prefix=prefix or "",
        tags=tags or (),
        after=call.after("context", 3),
        limit=call.shared.limit + 1,
    )
    return Page(
        "items",
        rows,
        total,
        call.shared.limit,
        _position,
        "context",
        most=COUNTED,
        whole=reading("memory_context get", "item_id"),
    )


def _position(row: ItemBrief) -> list[str | int]:
    return [row.parent_type, row.parent_id, row.type]


@TOOL.action(destructive=True, takes=("version",), one_of=ONE)
async def delete(
    call: Call,
    *,
    type: ItemType | None = None,
    parent_type: Kind = "plan",
    parent_id: Id | None = None,
    plan_id: Id | None = None,
    item_id: Id | None = None,
    confirm: bool = False,
) -> dict[str, Any]:
    """Remove an item to the trash; preview unless confirm.

    By item_id, or by type and parent (as in store). memory_workspace restore brings it back.

    Example: {"action":"delete","plan_id":"plan_1rqewqexykb7","type":"research_findings"}
    """
    async with call.write() as tx:
        item = await context_rules.chosen(call, tx, item_id, type, (parent_type, parent_id, plan_id))
        await context_rules.seen(call, tx, item, item.workspace_id)
        if item.archived:
            raise await context_items.why_absent(tx, Parent(parent_type=item.parent_type, parent_id=item.parent_id))
        check_version(item.version, call.shared.expected_version, f"The context item {item.item_id}")
        if not confirm:
            kept = item.model_dump(exclude={"data", "tags", "archived"}, exclude_none=True)
            gone = {**kept, "bytes": len(encode(item.data).encode())}
            return {"workspace_id": item.workspace_id, "preview": {"would_delete": gone, "hint": CONFIRM}}
        return await remove(tx, item)


async def remove(tx: Transaction, item: ContextItem) -> dict[str, Any]:
    """Move an item to the trash."""
    plan_id = await context_items.plan_of(tx, item)
    row = await context_items.delete(tx, item.item_id)
    trash_id = await trash.put(
        tx,
        entity_type="context_item",
        entity_id=item.item_id,
        title=f"{item.type} of {item.parent_type} {item.parent_id}",
        workspace_id=item.workspace_id,
        plan_id=plan_id,
        rows={"context_items": [row]},
    )
    summary = f"context {item.type!r} of {item.parent_type} {item.parent_id} deleted"
    data = {"trash_id": trash_id}
    events.record(
        tx, Event("context_deleted", "context_item", item.item_id, plan_id=plan_id, summary=summary, data=data)
    )
    return {
        "item_id": item.item_id,
        "workspace_id": item.workspace_id,
        "type": item.type,
        "deleted": True,
        "trash_id": trash_id,
    }
