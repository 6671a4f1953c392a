"""memory_context: knowledge, what is true of a workspace beyond its plans, each entry under a slug."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events, trash
from server.db.context import knowledge
from server.db.plans import plans
from server.db.plans.plans import check_version
from server.db.sessions import sessions
from server.db.storage.connection import Transaction
from server.errors import Conflict, InvalidArguments, TooLarge
from server.models.events import Event
from server.models.knowledge import CONTENT_BYTES, MOST, Category, Knowledge, KnowledgeBrief, KnowledgeStored, Slug
from server.models.text import AgentName, Id, Line, Lines, SomeText
from server.tools.common import CONFIRM, Call
from server.tools.context.items import Prefix
from server.tools.context.tool import TOOL
from server.tools.render import Page, size_of

Older = Annotated[Line, Field(description="slug of the older entry")]


@TOOL.action(takes=("version",))
async def knowledge_store(
    call: Call,
    *,
    slug: Slug,
    title: Line,
    content: SomeText,
    category: Category | None = None,
    tags: Lines | None = None,
    supersedes: Older | None = None,
    created_by_agent: AgentName | None = None,
    created_by_plan: Id | None = None,
) -> KnowledgeStored:
    """Keep what is true of the workspace under a slug.

    In place of what has the slug already; category and tags left out stay as they are. A slug is lower-case letters,
    digits and `-` between them, at most 100; content has at most 256 KiB, and a workspace at most 100 current entries,
    beside those that an import brought.
    `category`: schema, config, limitation, plan-summary, reference (default), convention, difficulty-profile or
    skill-recommendation. `supersedes` is the slug of an entry that this one takes the place of: it stays, linked both
    ways, but search and knowledge_list leave it out. created_by_agent is you and created_by_plan the plan of your
    session, unless given. With expected_version nothing is stored unless the entry has that version: conflict.

    Example: {"action":"knowledge_store","slug":"retry-policy","title":"Retries","content":"Three, then the queue."}
    """
    values = {"title": title, "content": content, "category": category, "tags": tags}
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx)
        old = await knowledge.find(tx, workspace_id, slug)
        older = await knowledge.require(tx, workspace_id, supersedes) if supersedes else None
        _check(old, slug, call.shared.expected_version)
        _check_older(old, older, slug)
        _check_size(content)
        values |= await _author(call, tx, workspace_id, created_by_agent, created_by_plan, new=old is None)
        if old is None and not (older and await knowledge.counts(tx, older)):
            await _check_room(tx, workspace_id)
        if old is None:
            values |= {"workspace_id": workspace_id, "slug": slug}
        knowledge_id, version = await knowledge.put(tx, old, values)
        _record(tx, "knowledge_stored", knowledge_id, f"knowledge {slug!r} stored", slug=slug, version=version)
        if older and older.superseded_by is None:
            await knowledge.link(tx, older.knowledge_id, knowledge_id)
            told = f"knowledge {older.slug!r} superseded by {slug!r}"
            _record(tx, "knowledge_superseded", older.knowledge_id, told, slug=older.slug, superseded_by=slug)
    return KnowledgeStored(
        slug=slug,
        knowledge_id=knowledge_id,
        workspace_id=workspace_id,
        version=version,
        created=old is None,
        updated=old is not None,
        supersedes=older.slug if older else old and old.supersedes,
        bytes=size_of(content),
    )


def _check(old: Knowledge | None, slug: str, expected: int | None) -> None:
    if old and old.superseded_by:
        raise Conflict(
            f"The knowledge {slug!r} was superseded by {old.superseded_by!r}. Store under that slug, or a new one.",
            superseded_by=old.superseded_by,
        )
    if old:
        check_version(old.version, expected, f"The knowledge {slug!r}")
    elif expected is not None:
        raise Conflict(
            f"There is no knowledge {slug!r} yet, so none of version {expected}. "
            "Leave out expected_version to store the first one."
        )


def _check_older(old: Knowledge | None, older: Knowledge | None, slug: str) -> None:
    """Refuse what would make of a line of versions anything but a line."""
    if older is None:
        return
    if older.slug == slug:
        raise InvalidArguments(
            "An entry cannot supersede itself. Without 'supersedes' it is stored over what is there."
        )
    if older.superseded_by not in (None, slug):
        raise Conflict(
            f"The knowledge {older.slug!r} was superseded by {older.superseded_by!r} already. Supersede that one.",
            superseded_by=older.superseded_by,
        )
    if old and old.supersedes not in (None, older.slug):
        raise Conflict(
            f"The knowledge {slug!r} supersedes {old.supersedes!r} already, and an entry supersedes one. "
            "Store under a new slug.",
            supersedes=old.supersedes,
        )


def _check_size(content: str) -> None:
    if size_of(content) > CONTENT_BYTES:
        raise TooLarge(
            f"The content of an entry has at most {CONTENT_BYTES} bytes (256 KiB), and this one {size_of(content)}. "
            "Split it into several, or keep it as a research file (append_research)."
        )


async def _check_room(tx: Transaction, workspace_id: str) -> None:
    if await knowledge.count(tx, workspace_id) >= MOST:
        raise Conflict(
            f"The workspace has {MOST} current entries, which is the most. Store over one of them, supersede one, or "
            "remove one with knowledge_delete; memory_context action='knowledge_list' shows them."
        )


async def _author(
    call: Call, tx: Transaction, workspace_id: str, agent: str | None, plan_id: str | None, *, new: bool
) -> dict[str, Any]:
    """Return who made an entry and for which plan; an old entry keeps what is not given."""
    if plan_id:
        await call.workspace_id(tx, (await plans.require(tx, plan_id)).workspace_id)
    elif new and call.shared.session_id:
        session = await sessions.require(tx, call.shared.session_id)
        plan_id = session.plan_id if session.workspace_id == workspace_id else None
    return {"created_by_agent": agent or (tx.origin.agent if new else None), "created_by_plan": plan_id}


@TOOL.action(read_only=True)
async def knowledge_get(call: Call, *, slug: Line) -> Knowledge:
    """A knowledge entry, whole.

    superseded_by names the entry that took its place. Content over max_bytes comes in pieces: `text`, and next_offset
    where the next one begins.

    Example: {"action":"knowledge_get","slug":"retry-policy"}
    """
    return await knowledge.require(call.db, await call.workspace_id(call.db), slug)


@TOOL.action(read_only=True, takes=("page",))
async def knowledge_list(
    call: Call,
    *,
    category: Category | None = None,
    tags: Lines | None = None,
    prefix: Prefix | None = None,
    include_superseded: bool = False,
) -> Page:
    """Knowledge entries without content, newest first.

    `prefix` is how the slug begins; of `tags` an entry must have all. Superseded ones only with
    include_superseded=true.

    Example: {"action":"knowledge_list","category":"convention"}
    """
    rows, total = await knowledge.list_(
        call.db,
        workspace_id=await call.workspace_id(call.db),
        category=category,
        tags=tags or (),
        prefix=prefix or "",
        superseded=include_superseded,
        after=call.after("knowledge", 2),
        limit=call.shared.limit + 1,
    )
    return Page("knowledge", rows, total, call.shared.limit, _position, "knowledge")


def _position(row: KnowledgeBrief) -> list[str | int]:
    return [row.updated_at, row.knowledge_id]


@TOOL.action(destructive=True, takes=("version",))
async def knowledge_delete(call: Call, *, slug: Line, confirm: bool = False) -> dict[str, Any]:
    """Remove an entry to the trash; preview unless confirm.

    What it superseded is current again, or superseded by what superseded this one. memory_workspace restore brings it
    back.

    Example: {"action":"knowledge_delete","slug":"retry-policy"}
    """
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx)
        found = await knowledge.require(tx, workspace_id, slug)
        check_version(found.version, call.shared.expected_version, f"The knowledge {slug!r}")
        back = None if found.superseded_by else found.supersedes
        if not confirm:
            kept = found.model_dump(include={"slug", "title", "category", "version", "updated_at"})
            gone = {**kept, "bytes": size_of(found.content)} | ({"current_again": back} if back else {})
            return {"workspace_id": workspace_id, "preview": {"would_delete": gone, "hint": CONFIRM}}
        trash_id = await trash.put(
            tx,
            entity_type="knowledge",
            entity_id=found.knowledge_id,
            title=f"{slug}: {found.title}",
            workspace_id=workspace_id,
            plan_id=None,
            rows={"knowledge": [await knowledge.delete(tx, found.knowledge_id)]},
        )
        summary = f"knowledge {slug!r} deleted"
        _record(tx, "knowledge_deleted", found.knowledge_id, summary, slug=slug, trash_id=trash_id)
        told = {"slug": slug, "workspace_id": workspace_id, "deleted": True, "trash_id": trash_id}
        return {**told, "current_again": back}


def _record(tx: Transaction, kind: str, knowledge_id: str, summary: str, **data: Any) -> None:
    events.record(tx, Event(kind, "knowledge", knowledge_id, summary=summary, data=data))
