"""memory_ledger: what gates said. Those that a phase or step requires hold it back until they passed."""

from typing import Annotated, Any

from pydantic import AfterValidator

from server.db.audit import events
from server.db.ledger import entries, required_gates
from server.errors import InvalidArguments
from server.models.base import as_dict
from server.models.events import Event
from server.models.evidence import ToldData, ToldLine, ToldLines, ToldText
from server.models.ledger import GateEntry, Positive
from server.models.text import GateName, Id, Line
from server.tools.common import Agent, Call, Detail
from server.tools.ledger.parameters import Since, between, listed, one, one_of, phase_id_of, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

SYNONYMS = {"pass": "passed", "ok": "passed", "success": "passed", "fail": "failed", "skip": "skipped"}


def _plain(text: str) -> str:
    return SYNONYMS.get(text.lower(), text)


Status = Annotated[Line, AfterValidator(_plain), one_of("passed", "failed", "skipped", "unknown")]


@TOOL.action(takes=("request",))
async def record_gate(
    call: Call,
    *,
    gate_name: GateName,
    status: Status,
    transition: ToldLine | None = None,
    severity: Line | None = None,
    blocking: bool | None = None,
    findings: ToldLines | None = None,
    message: ToldText | None = None,
    remediation: ToldText | None = None,
    duration_ms: Positive | None = None,
    data: ToldData | None = None,
    plan_id: Id | None = None,
    phase: Line | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Record what a gate said: passed, failed, skipped, unknown.

    Of a step (step_id), a phase (plan_id and phase), a whole plan or the workspace. A phase or step with required_gates
    is not handed out, claimed or done before the last entry of each of them, of itself or of what is around it, is
    passed; `held` names those that still hold it. Entries are never changed: a newer one counts.

    Example: {"action":"record_gate","plan_id":"plan_1rqewqexykb7","gate_name":"tests","status":"passed"}
    """
    async with call.write() as tx:
        where = await place(call, tx, plan_id, step_id)
        phase_id = await phase_id_of(tx, where, phase)
        values = {
            **where.ids,
            "phase_id": phase_id,
            "gate_name": gate_name,
            "status": status,
            "transition": transition,
            "severity": severity,
            "blocking": blocking,
            "findings": findings or [],
            "message": message,
            "remediation": remediation,
            "duration_ms": duration_ms,
            "details": data or {},
            "recorded_at": tx.now(),
        }
        row = GateEntry.of(await entries.add(tx, entries.GATES, values))
        told = {"gate_name": gate_name, "status": status}
        summary = f"Gate {gate_name!r} {status}" + (f" ({transition})" if transition else "")
        events.record(
            tx, Event("gate_recorded", "gate", row.gate_id, plan_id=where.plan_id, summary=summary, data=told)
        )
        held = await required_gates.of_plan(tx, where.plan_id) if where.plan_id else []
        mine = [one for one in held if step_id is None or one.step_id == step_id]
        return {"gate_id": row.gate_id, **where.told, "phase_id": phase_id, **told, "held": mine[:20]}


@TOOL.action(read_only=True, takes=("page",))
async def list_gates(
    call: Call,
    *,
    gate_id: Id | None = None,
    gate_name: GateName | None = None,
    status: Status | None = None,
    agent: Agent | None = None,
    plan_id: Id | None = None,
    phase: Line | None = None,
    step_id: Id | None = None,
    since: Since | None = None,
    until: Since | None = None,
    detail: Detail = "brief",
) -> Page | GateEntry:
    """What gates said, newest first.

    Of a step, a phase (plan_id and phase), a plan or the workspace; of a gate, with a status. For a plan, `held` names
    the phases and steps that required gates hold back. detail=full adds findings and details; gate_id gives one whole.

    Example: {"action":"list_gates","plan_id":"plan_1rqewqexykb7","status":"failed"}
    """
    if gate_id:
        return GateEntry.of(as_dict(await one(call, entries.GATES, gate_id)))
    if phase and not plan_id:
        raise InvalidArguments("'phase' names a phase of a plan: send plan_id with it.", missing=["plan_id"])
    found = await wanted(call, plan_id, step_id, gate_name=gate_name, status=status, agent=agent)
    if phase and plan_id:
        phase_id = await required_gates.phase_of(call.db, plan_id, phase, suffix=found.suffix)
        found.values = {**found.values, "phase_id": phase_id}
    found = between(found, "recorded_at", since, until)
    page = await listed(call, "gates", entries.GATES, GateEntry, found, full=detail == "full")
    if plan_id and not step_id and not found.suffix:
        page.extra["held"] = (await required_gates.of_plan(call.db, plan_id))[:20]
    return page
