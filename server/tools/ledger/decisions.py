"""memory_ledger: what was decided, and why."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.ledger import entries
from server.db.storage.connection import Transaction
from server.errors import Conflict
from server.models.base import as_dict
from server.models.events import Event
from server.models.evidence import ProseData, ProseLines, ProseText
from server.models.ledger import Decision
from server.models.text import Id, Line
from server.tools.common import Agent, Call, Detail
from server.tools.ledger.parameters import Since, between, listed, one, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page

# One whose successor was deleted holds again; what cannot be read is not named.
LINKS = ("supersedes", "superseded_by")
LINKED = {name: entries.there(entries.DECISIONS, f"t.{name}") for name in LINKS}
CURRENT = f"(t.superseded_by IS NULL OR NOT {LINKED['superseded_by']})"
COLUMNS = f"t.*, {', '.join(f'{told} AS has_{name}' for name, told in LINKED.items())}"


@TOOL.action(takes=("request",))
async def decide(
    call: Call,
    *,
    decision: ProseText,
    rationale: ProseText,
    decision_type: Line | None = None,
    alternatives: ProseLines | None = None,
    context: ProseData | None = None,
    supersedes: Annotated[Id, Field(description="decision_id")] | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Record what was decided, and why.

    It is found by search, by words of the decision, its rationale and its alternatives. `supersedes` names the decision
    whose place it takes: that one is hidden from lists and search, stays readable, and both name each other. Without
    plan_id and step_id it is of the plan of your session, or of that decision, else of the workspace.

    Example: {"action":"decide","decision":"Store dates as text","rationale":"They sort, and every tool reads them"}
    """
    async with call.write() as tx:
        row = await entries.require_live(tx, entries.DECISIONS, supersedes) if supersedes else None
        old = Decision.of(row) if row else None
        where = await place(call, tx, plan_id or (old.plan_id if old and not step_id else None), step_id)
        if old and row:
            await _refuse_superseded(tx, old)
            if row["workspace_id"] != where.workspace_id:
                raise Conflict(f"{supersedes} is of the workspace {row['workspace_id']}, not of {where.workspace_id}.")
        made = Decision.of(
            await entries.add(
                tx,
                entries.DECISIONS,
                {
                    **where.ids,
                    "decision": decision,
                    "decision_type": decision_type or "decision",
                    "rationale": rationale,
                    "alternatives": alternatives or [],
                    "context": context or {},
                    "supersedes": supersedes,
                    "made_at": tx.now(),
                },
            )
        )
        if old:
            await entries.change(tx, entries.DECISIONS, old.decision_id, {"superseded_by": made.decision_id})
        data = {"decision_type": made.decision_type, "supersedes": supersedes}
        summary = f"Decided: {decision[:200]}"
        events.record(tx, Event("decision_made", "decision", made.decision_id, None, where.plan_id, summary, data))
        return {"decision_id": made.decision_id, **where.told, "supersedes": supersedes}


async def _refuse_superseded(tx: Transaction, old: Decision) -> None:
    if old.superseded_by and await entries.is_there(tx, entries.DECISIONS, old.superseded_by):
        raise Conflict(
            f"{old.decision_id} was superseded by {old.superseded_by} already. Supersede that one.",
            superseded_by=old.superseded_by,
        )


@TOOL.action(read_only=True, takes=("page",))
async def list_decisions(
    call: Call,
    *,
    decision_id: Id | None = None,
    decision_type: Line | None = None,
    agent: Agent | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    since: Since | None = None,
    until: Since | None = None,
    history: bool = False,
    detail: Detail = "brief",
) -> Page | Decision:
    """Decisions that hold, newest first.

    Of a step, a plan (an archived one too) or the workspace; of a type, by an agent, in a span of time. history=true
    lists superseded ones too. detail=full adds alternatives and context; decision_id gives one whole. memory_context
    search finds them by words.

    Example: {"action":"list_decisions","plan_id":"plan_1rqewqexykb7"}
    """
    if decision_id:
        row = as_dict(await one(call, entries.DECISIONS, decision_id))
        there = {f"has_{name}": await entries.is_there(call.db, entries.DECISIONS, row[name]) for name in LINKS}
        return Decision.of(_linked({**row, **there}))
    found = await wanted(call, plan_id, step_id, decision_type=decision_type, agent=agent)
    found = between(found, "made_at", since, until)
    if not history:
        found.conditions = [*found.conditions, CURRENT]
    return await listed(
        call, "decisions", entries.DECISIONS, Decision, found, full=detail == "full", columns=COLUMNS, made=_linked
    )


def _linked(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: row[name] if row[f"has_{name}"] else None for name in LINKS}}
