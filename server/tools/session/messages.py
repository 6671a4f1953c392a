"""memory_session: messages between agents, and the inbox they wait in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.plans import plans
from server.db.sessions import messages, sessions
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, InvalidArguments, NotAllowed, NotFound
from server.models.base import Model
from server.models.events import Event
from server.models.messages import Mail, Message, NewMessage, Sent
from server.models.plans import Priority
from server.models.sessions import Session
from server.models.text import AgentName, Id, SomeText
from server.tools.common import Agent, Call, require_actor
from server.tools.render import Page, reading
from server.tools.session.tool import TOOL

MOST = 200
NEAR = 5
SESSION_PREFIX = "sess_"
WHOLE = reading("memory_session inbox", "message_id")
Addressee = Annotated[AgentName, Field(description="agent or session_id")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST)]


@TOOL.action(takes=("request",))
async def send_message(
    call: Call,
    *,
    to_agent: Addressee,
    content: SomeText,
    plan_id: Id | None = None,
    priority: Priority = "medium",
    thread_id: Id | None = None,
) -> Sent:
    """Write to an agent or to one session of it.

    to_agent is an agent's name, or a session_id if only that session is meant. The message waits in its inbox, and
    stands in its briefing, until it acknowledges it. thread_id (or the message_id you answer) makes it a part of that
    thread; without one it starts its own. priority: low, medium, high, critical. Needs session_id or agent, to answer
    to. Repeating a message that still waits sends nothing: you get the first one, with `repeated`.

    Example: {"action":"send_message","to_agent":"Reviewer","content":"May I rename the field?","agent":"Executor"}
    """
    async with call.write() as tx:
        require_actor(tx)
        letter = await addressed(
            tx,
            call.settings.session_timeout,
            to_agent=to_agent,
            content=content,
            plan_id=plan_id,
            priority=priority,
            thread_id=thread_id,
        )
        return await send(tx, letter.to(await call.workspace_id(tx, letter.workspace_id)))


@dataclass(frozen=True)
class Addressed:
    """A message whose addressee, plan and thread are there, and the workspace they are in, if they say."""

    workspace_id: str | None
    message: dict[str, Any]

    def to(self, workspace_id: str) -> NewMessage:
        return NewMessage(workspace_id=workspace_id, **self.message)


async def addressed(
    tx: Transaction,
    silence: int,
    *,
    to_agent: str,
    content: str,
    priority: str,
    plan_id: str | None = None,
    thread_id: str | None = None,
) -> Addressed:
    """Look for what a message names, or raise."""
    plan = await plans.require(tx, plan_id) if plan_id else None
    recipient = await _session(tx, to_agent, silence)
    thread = await messages.require_thread(tx, thread_id) if thread_id else None
    homes = {named.workspace_id for named in (plan, recipient, thread) if named}
    told = {"plan_id": plan_id, "to_agent": to_agent, "priority": priority, "content": content}
    return Addressed(_only(homes), {**told, "thread_id": thread.thread_id if thread else None})


async def send(tx: Transaction, message: NewMessage, **said: str | None) -> Sent:
    """Send a message in the name of who writes, unless the same one still waits; its event tells what was `said`."""
    if twin := await messages.waiting_twin(tx, message):
        return twin
    sent = await messages.insert(tx, message)
    told = f"{tx.origin.agent} to {message.to_agent}: {' '.join(message.content.split())[:120]}"
    data = {"to_agent": message.to_agent, "priority": message.priority, "thread_id": sent.thread_id}
    data |= {name: value for name, value in said.items() if value}
    events.record(
        tx, Event("message_sent", "message", sent.message_id, plan_id=message.plan_id, summary=told, data=data)
    )
    return sent


async def _session(tx: Transaction, to_agent: str, silence: int) -> Session | None:
    """Return the session that an address names, or None if it is the name of an agent."""
    if not to_agent.startswith(SESSION_PREFIX):
        return None
    session = await sessions.get(tx, to_agent, silence)
    if session.status == "completed":
        raise Conflict(
            f"The session {to_agent} was completed at {session.completed_at}; nobody reads in it any more. "
            f"Send it to_agent={session.agent!r}, to whoever goes on under that name."
        )
    return session


def _only(homes: Iterable[str]) -> str | None:
    """Return the one workspace that all named things are in, None if nothing was named."""
    first, *others = sorted(set(homes)) or [None]
    if others:
        raise Conflict(
            f"What the call names is in several workspaces: {first}, {', '.join(map(str, others))}. Name one of them."
        )
    return first


@TOOL.action(read_only=True, takes=("page",), one_of=(("agent",), ("session_id",), ("thread_id",), ("message_id",)))
async def inbox(
    call: Call, *, agent: Agent | None = None, thread_id: Id | None = None, message_id: Id | None = None
) -> Page | Model:
    """What waits for you: messages not acknowledged.

    The most urgent first, of these the oldest. With session_id also what was sent to that session; its agent need not
    be named. Reading marks nothing: acknowledge does, and until then a message stays. thread_id shows that whole
    thread instead, oldest first, acknowledged ones included. Long messages are cut (`cut`): message_id gives one whole,
    in pieces if need be (`next_offset`). In both, `waiting` marks what you have to acknowledge. To answer, send_message
    with the thread_id to from_session_id or from_agent.

    Example: {"action":"inbox","agent":"Reviewer"}
    """
    session_id = call.shared.session_id
    session = await sessions.get(call.db, session_id, call.settings.session_timeout) if session_id else None
    names = [name for name in (agent or (session.agent if session else None), session_id) if name]
    if message_id:
        return await _message(call, message_id, thread_id, names)
    if thread_id:
        return await _thread(call, thread_id, names)
    workspace_id = await call.workspace_id(call.db, session.workspace_id if session else None)
    found, total = await messages.inbox(
        call.db,
        workspace_id=workspace_id,
        names=names,
        after=call.after("inbox", 3),
        limit=call.shared.limit + 1,
    )
    return _page(call, found, total, "inbox", workspace_id=workspace_id)


async def _thread(call: Call, thread_id: str, names: Sequence[str]) -> Page:
    thread = await messages.require_thread(call.db, thread_id)
    workspace_id = await call.workspace_id(call.db, thread.workspace_id)
    found, total = await messages.of_thread(
        call.db, thread.thread_id, names=names, after=call.after("thread", 3), limit=call.shared.limit + 1
    )
    return _page(call, found, total, "thread", workspace_id=workspace_id, thread_id=thread.thread_id)


def _page(call: Call, found: Sequence[tuple[Message, list[str | int]]], total: int, order: str, **extra: str) -> Page:
    places = {message.message_id: place for message, place in found}
    rows = [message for message, _ in found]
    return Page(
        "messages", rows, total, call.shared.limit, lambda row: places[row.message_id], order, extra, whole=WHOLE
    )


async def _message(call: Call, message_id: str, thread_id: str | None, names: Sequence[str]) -> Message:
    if call.shared.cursor:
        raise InvalidArguments("'message_id' names one message; 'cursor' belongs to the list. Send one of them.")
    message, home = await messages.require(call.db, message_id, names)
    await call.workspace_id(call.db, home)
    if thread_id not in (None, message.thread_id):
        raise Conflict(f"{message_id!r} is in thread {message.thread_id!r}, not {thread_id!r}. Send one of them.")
    return message


@TOOL.action(one_of=(("message_ids",), ("note_ids",)))
async def acknowledge(call: Call, *, message_ids: Ids | None = None, note_ids: Ids | None = None) -> dict[str, Any]:
    """Mark messages, or instruction notes, as read.

    They leave your inbox and briefings. Only the addressee may: session_id or agent has to match to_agent (deliver_to
    of a note; a note for everybody may be acknowledged by anyone). All or nothing; repeating it changes nothing.
    note_ids are instruction notes of plans (memory_plan list_notes).

    Example: {"action":"acknowledge","message_ids":["msg_1rqewqexykb7"],"agent":"Reviewer"}
    """
    async with call.write() as tx:
        require_actor(tx)
        names = [name for name in (tx.origin.agent, tx.origin.session_id) if name]
        wanted = [*dict.fromkeys([*(message_ids or ()), *(note_ids or ())])]
        found = await messages.mail(tx, message_ids=message_ids or (), note_ids=note_ids or (), names=names)
        await _check(tx, wanted, found, names)
        workspace_id = await call.workspace_id(tx, _only(mail.workspace_id for mail in found))
        fresh = [mail for mail in found if mail.acknowledged_at is None]
        await messages.acknowledge(tx, fresh)
        for mail in fresh:
            events.record(tx, Event(f"{mail.kind}_acknowledged", mail.kind, mail.entity_id, plan_id=mail.plan_id))
        for plan_id in {mail.plan_id for mail in fresh if mail.kind == "note" and mail.plan_id}:
            await plans.touch(tx, plan_id)
        read = {mail.entity_id for mail in fresh}
        return {
            "workspace_id": workspace_id,
            "acknowledged": [name for name in wanted if name in read],
            "already": [name for name in wanted if name not in read],
        }


async def _check(db: Reader, wanted: Sequence[str], found: Sequence[Mail], names: Sequence[str]) -> None:
    """Refuse to acknowledge what does not exist, is no instruction, is archived, or is for someone else."""
    known = {mail.entity_id for mail in found}
    if unknown := [name for name in wanted if name not in known]:
        raise NotFound(
            f"There is nothing to acknowledge with the ids {', '.join(map(repr, unknown[:20]))}; nothing was marked. "
            "memory_session action='inbox' lists messages, memory_plan action='list_notes' notes.",
            unknown=unknown,
            near=await messages.recent(db, names, NEAR),
        )
    for mail in found:
        if mail.note_type not in (None, "instruction"):
            raise InvalidArguments(f"The note {mail.entity_id} is of type {mail.note_type}; only instructions wait.")
        if mail.archived and mail.plan_id:
            raise plans.archived(mail.plan_id)
    if others := [mail for mail in found if not mail.mine]:
        told = ", ".join(f"{mail.entity_id} (for {mail.to_agent})" for mail in others[:5])
        raise NotAllowed(
            f"You are {' in session '.join(names)}, and only the addressee acknowledges: {told}; nothing was marked.",
            not_yours=[mail.entity_id for mail in others],
        )
