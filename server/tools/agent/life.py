"""memory_agent: the life of an agent in a session, from its briefing to its hand-off."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.plans import plans
from server.db.sessions import file_reservations, lineage, sessions
from server.db.shared_state import size_limit
from server.db.steps import claims, steps
from server.db.storage.connection import Transaction
from server.errors import Conflict, InvalidArguments
from server.models.base import Model
from server.models.events import Event
from server.models.plans import Plan
from server.models.sessions import LineageBrief, LineageEntry, Session
from server.models.steps import StepRow
from server.models.text import AgentName, Data, Id, OwnName, SomeText
from server.text.names import folded, is_reserved
from server.tools.agent import briefing
from server.tools.agent.tool import TOOL
from server.tools.common import Call, SessionId
from server.tools.plan_rules import plan_of
from server.tools.render import Page, lean, reading
from server.tools.step_rules import LEASE_SECONDS

MOST_LOST = 20
Texts = Annotated[list[SomeText], Field(max_length=1000)]
WARNING = "No hand-off was recorded in this session. memory_agent action='handoff' tells the next agent what to do."


async def _briefed(call: Call, start: dict[str, Any]) -> dict[str, Any]:
    """Return the start of a session with the briefing for it."""
    told = {name: value for name, value in start.items() if name != "plan_id"}
    plan = await plans.find(call.db, start["plan_id"]) if start["plan_id"] else None
    return await briefing.compose(
        call.db,
        start=told,
        workspace_id=start["workspace_id"],
        plan=plan if plan and not plan.archived_at else None,
        agent=start["agent"],
        actors=(start["session_id"], start["agent"]),
        max_bytes=call.shared.max_bytes,
    )


async def _greeted(call: Call, start: dict[str, Any]) -> dict[str, Any]:
    legacy = await call.greeting(start["workspace_id"])
    warnings = await size_limit.warnings(call.db)
    told = {"legacy_store": lean(legacy)} if legacy else {}
    return await _briefed(call, start | told | ({"warnings": warnings} if warnings else {}))


@TOOL.action(takes=("briefing", "request"), one_of=(("agent",), ("agent_type",)), then=_greeted)
async def init(
    call: Call,
    *,
    agent_type: OwnName | None = None,
    plan_id: Id | None = None,
    context: Data | None = None,
) -> dict[str, Any]:
    """Open a session and get your briefing.

    Call it first, and pass the session_id that comes back in every later call. `agent` (or agent_type) is your role or
    name. The briefing tells, the most useful first: the plan, instructions for you, what you hold, the last hand-off to
    you, the steps that can be claimed next, the phases, messages, and by name what context, research files and
    knowledge there are, and which skills and instructions fit (`library`, with the reason: memory_library get reads
    them); without plan_id, the active plans of the workspace. It fits max_bytes (default 8,000);
    what is left out stands in `omitted` with the call that shows it, and cut texts in `clipped`. Claims that a hand-off
    passed to your name become those of the session; claims on the plan whose lease ran out are free again; live
    work of others is left alone. `context` is kept with the session.

    Example: {"action":"init","agent":"Executor","plan_id":"plan_1rqewqexykb7"}
    """
    agent = _name(call.shared.agent, agent_type, "agent", "agent_type")
    async with call.write() as tx:
        plan = await plans.require_live(tx, plan_id) if plan_id else None
        workspace_id = await call.workspace_id(tx, plan.workspace_id if plan else None)
        await sessions.close_orphans(tx, workspace_id, call.settings.session_timeout)
        session = await sessions.insert(
            tx,
            workspace_id=workspace_id,
            agent=agent,
            plan_id=plan_id,
            parent_session_id=call.shared.session_id,
            context=context,
        )
        tx.origin = replace(tx.origin, session_id=session.session_id, agent=agent)
        passed = await lineage.passed_to(tx, agent, workspace_id=workspace_id, plan_id=plan_id)
        if passed:
            await claims.hand_over(tx, passed, session.session_id, LEASE_SECONDS)
        reclaimed = await _arrive(tx, plan, agent) if plan else []
        summary = f"{agent} started{f' on {plan.title}' if plan else ''}"
        events.record(
            tx, Event("agent_session_started", "session", session.session_id, plan_id=plan_id, summary=summary)
        )
        return _start(session, plan) | _named("reclaimed", reclaimed)


async def _arrive(tx: Transaction, plan: Plan, agent: str) -> list[StepRow]:
    """Free the claims of a plan that ran out, and take the recommendation of the one who arrives as followed."""
    if plan.recommended_next_agent and folded(plan.recommended_next_agent) == folded(agent):
        await plans.update(tx, plan.plan_id, {"recommended_next_agent": None})
    return await claims.reclaim_expired(tx, plan.plan_id)


def _start(session: Session, plan: Plan | None) -> dict[str, Any]:
    told = {"session_id": session.session_id, "workspace_id": session.workspace_id, "agent": session.agent}
    return {**told, "plan_id": plan.plan_id if plan else None}


def _name(one: str | None, other: str | None, first: str, second: str) -> str:
    """Return the name that `first` and `second` may give, of which one is enough."""
    if one and other and one != other:
        raise InvalidArguments(f"{first} says {one!r}, {second} says {other!r}: two names. Send one of them.")
    if found := one or other:
        return found
    raise InvalidArguments(f"Say who: send {first} or {second}.", missing=[f"{first} or {second}"])


def _named(name: str, found: Sequence[StepRow]) -> dict[str, list[str]]:
    return {name: [step.step_id for step in found[:MOST_LOST]]} if found else {}


@TOOL.action(takes=("force",))
async def complete(
    call: Call, *, session_id: SessionId, summary: SomeText, artifacts: Texts | None = None
) -> dict[str, Any]:
    """Close your session; its claims are released.

    `summary` says what was done, `artifacts` what came out: files, links. File reservations end with the session, too.
    Without a hand-off in it there is a warning. A session that is completed already is a conflict; force=true writes
    summary and artifacts anew.

    Example: {"action":"complete","session_id":"sess_1rqewqexykb8","summary":"Indexing works and is tested"}
    """
    async with call.write() as tx:
        session = await sessions.require(tx, session_id)
        workspace_id = await call.workspace_id(tx, session.workspace_id)
        if session.status == "completed" and not call.shared.force:
            raise Conflict(
                f"The session {session_id} was completed at {session.completed_at}. "
                "memory_session action='get_session' shows its summary; force=true replaces it."
            )
        released = await _release(tx, session_id, f"the session {session_id} was completed")
        files = await file_reservations.release(tx, session_id)
        done = await sessions.complete(tx, session_id, summary, artifacts or ())
        told = f"{session.agent} completed: {summary[:200]}"
        events.record(
            tx, Event("agent_session_completed", "session", session_id, plan_id=session.plan_id, summary=told)
        )
        return {
            "session_id": session_id,
            "workspace_id": workspace_id,
            "status": done.status,
            "completed_at": done.completed_at,
            "released": [step.step_id for step in released],
            "released_files": files,
            "warnings": [] if await lineage.has_handed_off(tx, session) else [WARNING],
        }


async def _release(tx: Transaction, actor: str, reason: str) -> list[StepRow]:
    released = await claims.release(tx, await claims.held(tx, actor), reason=reason)
    await _touch(tx, released)
    return released


async def _touch(tx: Transaction, changed: Sequence[StepRow]) -> None:
    for plan_id in dict.fromkeys(step.plan_id for step in changed):
        await plans.touch(tx, plan_id)


@TOOL.action(takes=("request",))
async def handoff(
    call: Call,
    *,
    to_agent: AgentName,
    reason: SomeText,
    from_agent: OwnName | None = None,
    plan_id: Id | None = None,
    data: Data | None = None,
    pass_claims: bool = False,
) -> dict[str, Any]:
    """Record that another agent goes on.

    From your session, or from_agent. `reason` says what to do and why, `data` is an object with whatever else it needs,
    kept as it is. Both stand in the briefing of to_agent, whom the plan then recommends. The plan is plan_id, else that
    of the session. Your claims and file reservations are released; with pass_claims=true to_agent gets the claims, with
    a fresh lease of 900 s and new tokens: its next init takes them over.

    Example: {"action":"handoff","session_id":"sess_1rqewqexykb8","to_agent":"Reviewer","reason":"Ready for review"}
    """
    if pass_claims and is_reserved(to_agent):
        raise InvalidArguments(f"{to_agent!r} is a person, who holds no claims. Send it without pass_claims.")
    async with call.write() as tx:
        session = await sessions.require(tx, call.shared.session_id) if call.shared.session_id else None
        said = "agent" if call.shared.agent and not session else "session_id"
        name = _name(session.agent if session else call.shared.agent, from_agent, said, "from_agent")
        plan = await plan_of(tx, plan_id, session)
        workspace_id = await call.workspace_id(tx, plan.workspace_id if plan else None)
        actor = session.session_id if session else name
        held = await claims.held(tx, actor, workspace_id=workspace_id)
        files = await file_reservations.release(tx, actor, workspace_id=workspace_id)
        passed = await claims.hand_over(tx, held, to_agent, LEASE_SECONDS) if held and pass_claims else []
        released = [] if pass_claims else await claims.release(tx, held, reason=f"handed off to {to_agent}")
        entry = await lineage.insert(
            tx,
            workspace_id=workspace_id,
            plan_id=plan.plan_id if plan else None,
            session_id=session.session_id if session else None,
            from_agent=name,
            to_agent=to_agent,
            reason=reason,
            data=data,
            passed=[step.step_id for step in passed],
        )
        if plan:
            await plans.update(tx, plan.plan_id, {"recommended_next_agent": to_agent})
        await _touch(tx, [*passed, *released])
        summary = f"{name} handed off to {to_agent}: {reason[:200]}"
        events.record(tx, Event("handoff", "lineage", entry.lineage_id, plan_id=entry.plan_id, summary=summary))
        return {
            "lineage_id": entry.lineage_id,
            "workspace_id": workspace_id,
            "plan_id": entry.plan_id,
            "from_agent": name,
            "to_agent": to_agent,
            "released": [step.step_id for step in released],
            "passed": [step.step_id for step in passed],
            "released_files": files,
        }


@TOOL.action(takes=("briefing",), then=_briefed)
async def recover(call: Call, *, session_id: SessionId) -> dict[str, Any]:
    """Go on in a session after a crash.

    Its claims are renewed, claims that ran out and are free are taken again, and `lost` names those that others took.
    The briefing is that of init. A completed session is a conflict: init opens a new one.

    Example: {"action":"recover","session_id":"sess_1rqewqexykb8"}
    """
    # All that happened since the session began is looked through, so others should not have to wait for it.
    missing = [step.step_id for step in await lineage.lost_by(call.db, await sessions.require(call.db, session_id))]
    async with call.write() as tx:
        session = await sessions.require(tx, session_id)
        await call.workspace_id(tx, session.workspace_id)
        if session.status == "completed":
            raise Conflict(
                f"The session {session_id} was completed at {session.completed_at}. "
                "memory_agent action='init' opens a new one."
            )
        session = await sessions.revive(tx, session_id)
        renewed = [await claims.renew(tx, step, LEASE_SECONDS) for step in await claims.held(tx, session_id)]
        taken, lost = await _take_again(tx, session, missing)
        plan = await plan_of(tx, None, session)
        summary = f"{session.agent} came back to {session_id}"
        events.record(
            tx, Event("agent_session_recovered", "session", session_id, plan_id=session.plan_id, summary=summary)
        )
        return {
            **_start(session, plan),
            **_named("renewed", renewed),
            **_named("taken_again", taken),
            **({"lost": [_fate(step) for step in lost[:MOST_LOST]]} if lost else {}),
        }


async def _take_again(tx: Transaction, session: Session, missing: Sequence[str]) -> tuple[list[StepRow], list[StepRow]]:
    """Claim what the session lost and nobody else has; return that, and what others have."""
    taken: list[StepRow] = []
    lost: list[StepRow] = []
    found = await steps.by_ids(tx, missing)
    for step in (found[step_id] for step_id in missing if step_id in found):
        if step.claimed_by == session.session_id:
            continue
        free = not step.closed and await claims.reason(tx, step) is None
        if free:
            taken.append(await claims.take(tx, step, session.session_id, LEASE_SECONDS))
        else:
            lost.append(step)
    return taken, lost


def _fate(step: StepRow) -> dict[str, Any]:
    told = {
        "step_id": step.step_id,
        "index": step.order_index,
        "status": step.status,
        "claimed_by": step.claimed_by,
        "lease_expires_at": step.lease_expires_at,
        "completed_by": step.completed_by,
    }
    return {name: value for name, value in told.items() if value is not None}


@TOOL.action(read_only=True, takes=("page",), one_of=(("plan_id",), ("lineage_id",)))
async def get_lineage(call: Call, *, plan_id: Id | None = None, lineage_id: Id | None = None) -> Page | Model:
    """Who handed over to whom, newest first.

    The hand-offs of a plan, archived or not; in the list long reasons and data are cut (`cut`). With lineage_id one of
    them whole, a long one in pieces (`next_offset`).

    Example: {"action":"get_lineage","plan_id":"plan_1rqewqexykb7"}
    """
    after = call.after("lineage", 2)
    if lineage_id:
        if after:
            raise InvalidArguments("'lineage_id' names one hand-off; 'cursor' belongs to the list. Send one of them.")
        return await _one(call, lineage_id, plan_id)
    plan = await plans.require(call.db, plan_id or "")
    await call.workspace_id(call.db, plan.workspace_id)
    rows, total = await lineage.page(
        call.db,
        plan.plan_id,
        after=after,
        limit=call.shared.limit + 1,
        suffix="_archive" if plan.archived_at else "",
    )
    return Page(
        "lineage",
        rows,
        total,
        call.shared.limit,
        _position,
        "lineage",
        whole=reading("memory_agent get_lineage", "lineage_id"),
    )


async def _one(call: Call, lineage_id: str, plan_id: str | None) -> LineageEntry:
    entry = await lineage.require(call.db, lineage_id)
    await call.workspace_id(call.db, entry.workspace_id)
    if plan_id not in (None, entry.plan_id):
        raise Conflict(f"{lineage_id!r} is a hand-off of plan {entry.plan_id!r}, not of {plan_id!r}. Send one of them.")
    return entry


def _position(row: LineageBrief) -> list[str | int]:
    return [row.created_at, row.lineage_id]
