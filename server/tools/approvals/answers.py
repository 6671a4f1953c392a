"""What a human says to what waits: the one place where a confirmation is made, whichever way the word came."""

from server.db.audit import events
from server.db.gates import approvals, confirmations, gates
from server.db.plans import plans
from server.db.storage.connection import Reader, Transaction
from server.db.terminal import allowlist
from server.errors import Conflict
from server.models.approvals import OF_CALLS, Approval, Gate, Word
from server.models.events import Event
from server.models.plans import Confirmation
from server.text import command_rules
from server.tools.approvals import gate_rules


async def confirm(tx: Transaction, gate: Gate, word: Word) -> Confirmation:
    """Confirm a step or phase, and answer what was asked about it."""
    given = await confirmations.confirm(tx, gate.type, gate.id, gate.plan_id, word)
    what = f"step {gate.index}" if gate.type == "step" else f"phase {gate.name!r}"
    said = {"confirmed_by": word.by, **{name: value for name, value in word.columns.items() if value}}
    place = (gate.workspace_id, gate.plan_id)
    summary = f"{what} confirmed: {word.told}"
    events.record(tx, Event(f"{gate.type}_confirmed", gate.type, gate.id, *place, summary=summary, data=said))
    await plans.touch(tx, gate.plan_id)
    await approvals.close_for(tx, gate.id, word)
    return given


async def approve(tx: Transaction, approval: Approval, word: Word) -> Approval:
    """Record a yes: it opens the gate, or lets the call that was refused be repeated once."""
    found = await _still_open(tx, approval)
    if approval.kind == "allowlist":
        return await _allow(tx, approval, word)
    if approval.kind in OF_CALLS:
        return await approvals.answer(tx, approval, word, yes=True)
    await confirm(tx, found[0], word)
    told = await approvals.require(tx, approval.approval_id)
    return told if told.status == "approved" else await approvals.answer(tx, told, word, yes=True)  # it was a no


async def _allow(tx: Transaction, approval: Approval, word: Word) -> Approval:
    """Let rules of the terminal hold from now on."""
    rules = [command_rules.rule(text) for text in approval.arguments["patterns"]]
    await allowlist.add(tx, approval.workspace_id, rules, allowed_by=word.by, via=word.via)
    summary = f"May run without asking: {', '.join(rule.text for rule in rules)[:200]}"
    data = {"added": approval.arguments["patterns"]}
    place = (approval.workspace_id, approval.workspace_id)
    events.record(tx, Event("allowlist_changed", "allowlist", *place, summary=summary, data=data))
    answered = await approvals.answer(tx, approval, word, yes=True)
    await approvals.use(tx, answered)
    return answered


async def reject(tx: Transaction, approval: Approval, word: Word) -> Approval:
    """Record a no."""
    if approval.status != "open":
        raise _answered(approval)
    return await approvals.answer(tx, approval, word, yes=False)


async def _still_open(tx: Transaction, approval: Approval) -> list[Gate]:
    """Return the gates it is about, if it still waits and nothing of it changed; else raise."""
    if approval.status not in ("open", "rejected"):  # who said no may think again
        raise _answered(approval)
    if approval.kind in ("run", "allowlist"):
        return []
    if approval.kind != "write":
        found = await gates.named(tx, [approval.entity_id]) if await approvals.is_current(tx, approval) else []
    else:
        found = await gates.named(tx, approval.versions)
        found = found if {gate.id: gate.version for gate in found} == approval.versions else []
    if not found:
        raise Conflict(
            f"{approval.approval_id} is outdated: what it is about was changed, closed or removed since it was asked. "
            "Whoever asked has to ask anew; nothing was confirmed."
        )
    return found


def _answered(approval: Approval) -> Conflict:
    said = f" by {approval.answered_by}" if approval.answered_by else ""
    return Conflict(f"{approval.approval_id} is {approval.status} already{said}. Nothing was changed.")


async def question(db: Reader, approval: Approval) -> list[str]:
    """Return what a human has to know to answer: a line each for what, why, and who did the work."""
    ids = list(approval.versions) if approval.kind in OF_CALLS else [approval.entity_id]
    names = sorted({name for gate in await gate_rules.named(db, ids) for name in gate.workers})
    lines = [approval.what, f"Why: {approval.why}"]
    lines += [f"Asked by: {approval.asked_by or 'an agent without a name'}"]
    for no in (await approvals.rejections(db, approval.kind, approval.entity_id, approval.arguments))[:1]:
        lines += [f"Rejected at {no.answered_at} by {no.answered_by}{f': {no.note}' if no.note else ''}"]
    return (
        lines
        if approval.kind in ("run", "allowlist")
        else [*lines, f"Worked on by: {', '.join(names) if names else 'nobody so far'}"]
    )
