"""Who may open a gate: what a transaction did to gates is compared once, at its end, whatever action it was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from server.db.audit import events
from server.db.gates import approvals, confirmations, gates
from server.db.gates.gates import Opened
from server.db.shared_state import shared_settings
from server.db.steps import step_workers
from server.db.storage.connection import Database, Reader, Transaction
from server.errors import Gated
from server.models.approvals import Gate, Need, relayed
from server.models.events import Event
from server.text.names import look

HOW = {
    "done": "be done",
    "begun": "begin",
    "dropped": "be given up",
    "passed": "let go of what it holds",
    "completed": "be passed over by completing its plan",
}
MOST_NAMED = 10
STRICT = "human"  # of the values of the setting `gates`


class NeedsHuman(Gated):
    """What the caller wants needs a human's word; the runner of the call asks for it."""

    def __init__(self, need: Need) -> None:
        super().__init__(f"{need.what}: {need.why}.")
        self.need = need


async def settle(db: Database, tx: Transaction, *, request: Mapping[str, Any], relays: bool) -> None:
    """Refuse a transaction that opens a gate which no human confirmed; `request` is the call as it may be repeated.

    `relays` tells whether who calls may pass a human's word on.
    """
    noted = await gates.touched(tx)
    if not noted:
        return
    await gates.forget(tx)
    verdict = await gates.judge(db, tx, noted)
    for phase_id in verdict.joined:
        await _end_confirmation(tx, phase_id)
    found = await named(db, [opened.gate for opened in verdict.opened])
    if verdict.opened:
        await _permit(tx, verdict.opened, found, request=request, relays=relays)
    for plan_id in {gate.plan_id for gate in found} | {plan_id for kind, plan_id in noted if kind == "asked"}:
        await approvals.close_outdated(tx, plan_id)


async def _end_confirmation(tx: Transaction, phase_id: str) -> None:
    """Drop the confirmation of a phase that got a new open step: nobody has seen that one."""
    if given := await confirmations.of_phase(tx, phase_id):
        await confirmations.revoke(tx, given.confirmation_id)
        summary = "the phase has a new step, so it needs its confirmation again"
        event = Event("confirmation_revoked", "phase", phase_id, plan_id=given.plan_id, summary=summary)
        events.record(tx, event)


async def _permit(
    tx: Transaction,
    opened: Sequence[Opened],
    found: Sequence[Gate],
    *,
    request: Mapping[str, Any],
    relays: bool,
) -> None:
    entering = [one for one in opened if one.how in ("done", "begun")]
    if len(entering) == len(opened):
        raise NeedsHuman(entry(next(gate for gate in found if gate.id == opened[0].gate), opened[0].how))
    need = _of_call(opened, found, request)
    if approved := await approvals.answered_of(tx, need.kind, need.entity_id, request):
        if approved.versions == need.versions:
            await approvals.use(tx, approved)
            return
        await approvals.outdate(tx, approved)
    if not relays or not await may_relay(tx, found):
        raise NeedsHuman(need)
    row = await approvals.open_(tx, need, request)
    row = await approvals.answer(tx, row, relayed(tx.origin.agent or ""), yes=True)
    await approvals.use(tx, row)


def entry(gate: Gate, how: str) -> Need:
    """Return the need for a word on a step or phase, without which something cannot begin or be done."""
    why = f"nothing behind it can {HOW[how]} before a human confirms it"
    if gate.type == "step":
        why = f"it cannot {HOW[how]} before a human confirms it"
    return Need(gate.type, (gate,), f"Confirm {gate.label}", _worked(why, [gate]))


def _of_call(opened: Sequence[Opened], found: Sequence[Gate], request: Mapping[str, Any]) -> Need:
    """Return the need for a word on a whole call, after which gates no longer hold what they held."""
    hows = {one.gate: HOW[one.how] for one in opened}
    labels = [f"{gate.label} would {hows[gate.id]}" for gate in found[:MOST_NAMED]]
    what = f"Allow {request.get('tool')} {request.get('action')} on {found[0].plan!r}"
    why = f"without a human's confirmation {'; '.join(labels)}"
    return Need("write", tuple(found), what, _worked(why, found), {gate.id: gate.version for gate in found})


def _worked(why: str, found: Iterable[Gate]) -> str:
    names = sorted({name for gate in found for name in gate.workers})
    return f"{why} (worked on by {', '.join(names)})" if names else why


async def named(db: Reader, ids: Iterable[str]) -> list[Gate]:
    """Return gates with who worked on them."""
    if not (wanted := list(dict.fromkeys(ids))):
        return []
    workers = await step_workers.of_gates(db, wanted)
    return [replace(gate, workers=tuple(workers.get(gate.id, ()))) for gate in await gates.named(db, wanted)]


async def may_relay(tx: Transaction, found: Iterable[Gate]) -> bool:
    """Return whether who acts may pass its user's word on: the setting lets it, it has a name, and it did no work."""
    agent = tx.origin.agent
    if not agent or await shared_settings.get(tx, "gates") != "relayed":
        return False
    return look(agent) not in {look(name) for gate in found for name in gate.workers}
