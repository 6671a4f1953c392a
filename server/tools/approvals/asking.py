"""A call that needs a human: the row that waits for an answer, the question to the user, and the call once more."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from server.db.audit import events
from server.db.gates import approvals
from server.db.storage.connection import Transaction
from server.errors import Conflict, Gated
from server.models.approvals import OF_CALLS, Approval, Gate, Via, Word
from server.models.base import encode
from server.text.display import shown
from server.tools.approvals import answers
from server.tools.approvals.gate_rules import NeedsHuman
from server.tools.commands import command
from server.tools.common import Call

ASK_SECONDS = 45
ANSWERS = ("approval_approved", "approval_rejected", "approval_outdated")


@dataclass(frozen=True)
class Question:
    """What is put to a user; an answer counts only for this approval and this call."""

    approval_id: str
    call: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What a user said."""

    yes: bool
    note: str | None = None


class ClientNeeded(Exception):
    """This call goes on where its client can be asked. Nothing of it is stored yet."""


class Asker(Protocol):
    """A client that can put a question to its user."""

    @property
    def client(self) -> str:
        """Its name and version."""
        ...

    @property
    def via(self) -> Via:
        """How its user's word comes here."""
        ...

    def begin(self) -> None:
        """Be told that a question comes, before anything of it is stored; raise ClientNeeded if it cannot be put."""
        ...

    async def ask(self, question: Question) -> Answer | None:
        """Return what the user said, or None: no answer, or none in time."""
        ...


async def supervised(call: Call, asker: Asker | None, attempt: Callable[[], Awaitable[str]]) -> str:
    """Run a call. If it needs a human, ask, with no transaction open, and run it once more after a yes."""
    try:
        return await attempt()
    except NeedsHuman as refused:
        if asker:
            asker.begin()
        approval, mark = await _file(call, refused)
        refusal = refused
    answer = await asker.ask(await _question(call, approval)) if asker else None
    if asker is None or answer is None:
        raise _gated(call, refusal, approval, mark)
    word = Word(asker.via, client=asker.client, note=answer.note)
    await _record(call, approval, word, yes=answer.yes)
    if not answer.yes:
        raise Gated(
            f"The user said no: {approval.what}.{f' {answer.note!r}.' if answer.note else ''} Nothing was changed. Do "
            "not send it again; work on something else, or ask what to do instead.",
            approval_id=approval.approval_id,
            rejected=True,
        )
    try:
        return await attempt()
    except NeedsHuman as refused:
        raise _gated(call, refused, *await _file(call, refused)) from refused


async def _file(call: Call, refused: NeedsHuman) -> tuple[Approval, int]:
    """Store what waits for a human, in a transaction of its own: the one thing that a refused call leaves.

    Return it with the id of an event after which the answer comes. Who said no lately is not asked again.
    """
    need = refused.need
    arguments = need.arguments(call.repeatable)
    async with call.ending, call.write() as tx:
        rejected = await approvals.rejections(tx, need.kind, need.entity_id, arguments)
        if rejected and tx.now() < approvals.rests_until(rejected):
            raise _resting(call, refused, rejected)
        latest = await events.latest(tx, need.workspace_id, limit=1)
        return await approvals.open_(tx, need, arguments), latest[0].event_id if latest else 0


def _resting(call: Call, refused: NeedsHuman, rejected: Sequence[Approval]) -> Gated:
    """Return the refusal of what a human said no to a while ago."""
    no, until = rejected[0], approvals.rests_until(rejected)
    why = f": {no.note!r}" if no.note else ""
    return Gated(
        f"{refused} {no.answered_by} rejected this at {no.answered_at}{why}. Nothing was changed, and nobody is asked "
        f"again before {until}. Do what would change their mind, or work on something else. They can still say yes in "
        f"a terminal: {command(call.settings, 'confirm', no.approval_id)}",
        approval_id=no.approval_id,
        rejected=True,
    )


async def _record(call: Call, approval: Approval, word: Word, *, yes: bool) -> None:
    """Record an answer to what still waits; somebody else may have answered meanwhile."""
    async with call.ending, call.write() as tx:
        now = await approvals.require(tx, approval.approval_id)
        if now.status == "open":
            await _answered(tx, now, word, yes=yes)


async def _answered(tx: Transaction, approval: Approval, word: Word, *, yes: bool) -> None:
    if not yes:
        await answers.reject(tx, approval, word)
        return
    try:
        await answers.approve(tx, approval, word)
    except Conflict:
        await approvals.outdate(tx, approval)


async def _question(call: Call, approval: Approval) -> Question:
    lines = [shown(line) for line in await answers.question(call.db, approval)]
    text = "\n".join([*lines, "Do you allow it?"])
    return Question(approval.approval_id, encode(call.repeatable), text)


def _gated(call: Call, refused: NeedsHuman, approval: Approval, mark: int) -> Gated:
    """Return the refusal: the thing, why, and the ways to a human's word that exist here."""
    need = refused.need
    says = command(call.settings, "confirm", approval.approval_id)
    after = "send the same call again" if need.kind in OF_CALLS else "go on"
    where = f"plan_id={need.plan_id!r}" if need.plan_id else f"workspace_id={need.workspace_id!r}"
    return Gated(
        f"{refused} Nothing was changed. Ask your user to answer in a terminal: {says} . Meanwhile work on something "
        f"else, or wait: memory_workspace action='events' {where} since_id={mark} "
        f"types={list(ANSWERS)} wait_seconds=25, again while it is empty. After approval_approved {after}; never "
        "confirm your own work.",
        approval_id=approval.approval_id,
        confirm=_named(need.gates[0]) if need.kind not in OF_CALLS else None,
        gates=[{f"{one.type}_id": one.id, "name": one.name[:120]} for one in need.gates[:5]],
    )


def _named(gate: Gate) -> dict[str, str]:
    """Return the arguments by which a confirmation names a gate."""
    by_plan = {"plan_id": gate.plan_id, "confirm_phase": gate.name}
    return {"confirmation_scope": gate.type, **({"step_id": gate.id} if gate.type == "step" else by_plan)}
