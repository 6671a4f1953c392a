"""`message` and `messages`: what people and agents write to each other."""

import sys
from dataclasses import dataclass
from typing import Any

import anyio

from server.cli import person
from server.cli.app import PROGRAM
from server.cli.screen import QUIET, Column, Screen, Styled
from server.cli.views import store
from server.cli.views.plan_status import plan_named
from server.db.audit import events
from server.db.sessions import messages
from server.db.storage.connection import Transaction
from server.errors import Ambiguous, InvalidArguments, NotFound
from server.models.approvals import HUMAN, Word
from server.models.events import Event, Origin
from server.models.messages import Message
from server.models.workspaces import Workspace
from server.settings import Flags, Settings, load_existing
from server.store import Store, open_store
from server.text.names import RESERVED
from server.tools.commands import command
from server.tools.paths import fallback
from server.tools.render import lean
from server.tools.session import messages as letters

CLI = "cli"
SENDERS = (HUMAN, CLI)
MOST = 200
QUESTION = 400  # characters of a message in the question
COLUMNS = (
    Column("ID"), Column("WHEN"), Column("PRIORITY"), Column("FROM"), Column("PLAN"), Column("TEXT", is_wide=True),
)  # fmt: skip


@dataclass(frozen=True)
class Letter:
    """A message as it is asked for: to whom, what, in whose name, and what it answers."""

    agent: str
    text: str
    sender: str | None = None
    reply_to: str | None = None
    plan: str | None = None


def send(flags: Flags, letter: Letter) -> int:
    """Send a message as the person, who types a code back, or as cli; return the exit code."""
    chosen = load_existing(flags)
    if letter.sender not in (None, *SENDERS):
        raise InvalidArguments(f"--as takes one of: {', '.join(SENDERS)}.")
    text = sys.stdin.read() if letter.text == "-" else letter.text
    if not text.strip():
        raise InvalidArguments("There is nothing to say. Write the text behind the name of the agent.")
    word = _word(letter, text)
    sent = anyio.run(_send, chosen, letter, text, word)
    again = ", which it has not read yet" if sent.get("repeated") else ""
    Screen().line(f"{sent['message_id']} waits for {sent['to_agent']}{again}.")
    return 0


def _word(letter: Letter, text: str) -> Word | None:
    """Return the word of the person who says it, or None if nobody has to be asked: it is sent as cli."""
    is_person = letter.text != "-" and person.refusal("write as human") is None
    if letter.sender == CLI or (letter.sender is None and not is_person):
        return None
    lines = [f"Write to {letter.agent}, as human and with high priority:", text[:QUESTION]]
    return person.ask(lines, "send it")


async def _send(chosen: Settings, letter: Letter, text: str, word: Word | None) -> dict[str, Any]:
    store_ = Store(chosen)
    try:
        db = await store_.open()
        plan = {"plan_id": await plan_named(db, letter.plan)} if letter.plan else {}
        thread = {"thread_id": letter.reply_to} if letter.reply_to else {}
        named = {"to_agent": letter.agent, "content": text, **plan, **thread}
        if word is None:
            from server.protocol.reading import ask  # with all tools

            return await ask(store_, "memory_session", "send_message", agent=CLI, **named)
        home = await fallback(db, chosen.workspace)
        async with db.transaction() as tx:
            tx.origin = Origin(PROGRAM, "message", None, HUMAN)
            return await _send_as_human(tx, chosen, named, home, word)
    finally:
        await store_.close()


async def _send_as_human(
    tx: Transaction, chosen: Settings, named: dict[str, Any], home: Workspace | None, word: Word
) -> dict[str, Any]:
    """Send it with high priority, and note that what it answers is answered."""
    letter = await letters.addressed(tx, chosen.session_timeout, priority="high", **named)
    place = letter.workspace_id or (home.workspace_id if home else None)
    if place is None:
        raise Ambiguous("In which workspace is that agent? Go into its folder, or name it with --workspace.")
    tx.workspace_id = place
    sent = await letters.send(tx, letter.to(place), via=word.via, client=word.client)
    if thread := named.get("thread_id"):
        await _mark(tx, [thread])
    await events.flush(tx)
    return sent.model_dump(exclude_none=True)


def read(flags: Flags, *, everywhere: bool, limit: int, as_json: bool) -> int:
    """Print what agents wrote to the person, whole; return the exit code."""
    chosen = load_existing(flags)
    found, total = anyio.run(_read, chosen, everywhere, limit)
    screen = Screen()
    if as_json:
        screen.json({"messages": lean(found), "total": total})
        return 0
    if not found:
        screen.line("No message waits for you.")
    for one in found:
        _draw(screen, chosen, one)
    screen.more(total - len(found), "messages", command(chosen, "messages", "--limit", str(total)))
    if found and not screen.is_plain:
        screen.heading("")
        screen.unbroken(Styled("answer: ", QUIET), command(chosen, "message", "AGENT", "TEXT", "--reply-to", "ID"))
        screen.unbroken(Styled("or mark as read: ", QUIET), command(chosen, "messages", "--done", "ID"))
    return 0


def _draw(screen: Screen, chosen: Settings, one: Message) -> None:
    sender = one.from_agent or "somebody"
    if screen.is_plain:
        row = (one.message_id, one.created_at, one.priority, sender, one.plan_id or "", one.content)
        screen.table(COLUMNS, [row])
        return
    urgent = one.priority in ("high", "critical")
    screen.heading(
        sender, "  ", Styled(one.priority) if urgent else "", Styled(f"  {screen.when(one.created_at)}", QUIET)
    )
    screen.block(one.content)
    about = [one.message_id, *([one.plan_id] if one.plan_id else [])]
    screen.line(Styled("  ".join(about), QUIET), indent=2)
    screen.more(int(bool(one.cut)), "part", command(chosen, "show", one.message_id))


async def _read(chosen: Settings, everywhere: bool, limit: int) -> tuple[list[Message], int]:
    """Return what waits for the person, the most urgent first, in the workspaces one after the other."""
    found: list[Message] = []
    total = 0
    async with store.reading(chosen) as opened:
        db = await opened.open()
        for workspace in await store.scope(db, chosen, everywhere=everywhere):
            rows, number = await messages.inbox(
                db, workspace_id=workspace.workspace_id, names=RESERVED, after=None, limit=limit
            )
            found, total = [*found, *(message for message, _ in rows)], total + number
    return found[:limit], total


def acknowledge(flags: Flags, wanted: tuple[str, ...], *, everywhere: bool) -> int:
    """Mark messages to the person as read, all that wait if none is named, once the code is typed back."""
    chosen = load_existing(flags)
    person.refuse_agents("mark messages as read")
    waiting, _ = anyio.run(_read, chosen, everywhere, MOST)
    chosen_ids = [one.message_id for one in waiting if not wanted or one.message_id in wanted]
    if unknown := [name for name in wanted if name not in chosen_ids]:
        raise NotFound(f"No message that waits for you has the id {', '.join(unknown)[:200]!r}. `messages` lists them.")
    if not chosen_ids:
        Screen().line("No message waits for you.")
        return 0
    told = [f"{one.message_id} from {one.from_agent}" for one in waiting if one.message_id in chosen_ids]
    word = person.ask([f"Mark as read: {len(told)}", *told], "mark them")
    anyio.run(_acknowledge, chosen, chosen_ids, word)
    Screen().line(f"Marked as read: {len(told)}.")
    return 0


async def _acknowledge(chosen: Settings, ids: list[str], word: Word) -> None:
    db = await open_store(chosen)
    try:
        async with db.transaction() as tx:
            tx.origin = Origin(PROGRAM, "messages", None, HUMAN)
            await _mark(tx, ids, via=word.via)
            await events.flush(tx)
    finally:
        await db.close()


async def _mark(tx: Transaction, ids: list[str], **said: Any) -> None:
    """Note that messages to the person were read, of those that are."""
    found = await messages.mail(tx, message_ids=ids, note_ids=(), names=RESERVED)
    fresh = [mail for mail in found if mail.mine and mail.acknowledged_at is None]
    await messages.acknowledge(tx, fresh)
    for mail in fresh:
        about = Event("message_acknowledged", "message", mail.entity_id, mail.workspace_id, mail.plan_id, data=said)
        events.record(tx, about)
