"""Where a workspace stands: what in it needs a person or does not go on by itself, its plans, who holds what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.db.gates import approvals
from server.db.plans import plans
from server.db.sessions import messages, sessions
from server.db.steps import claims
from server.db.storage.connection import Reader
from server.db.storage.list_totals import COUNTED, counting
from server.db.workspaces import workspaces
from server.models.approvals import Approval, ReachedGate
from server.models.base import encode
from server.models.messages import Message
from server.models.plans import PlanBrief
from server.models.steps import StepRow
from server.models.workspaces import HeldStep, LostLease, SilentSession, StuckStep, Workspace
from server.text.names import RESERVED

TAIL = 300  # characters of notes
GOING = ("active", "blocked", "paused")  # plans that are not over, in the order of a list

OF_STEPS = """
    FROM plans l JOIN steps s ON s.plan_id = l.plan_id AND s.status {status}
    WHERE l.workspace_id = :workspace_id AND l.status IN ('active', 'blocked')
      AND (:plan_id IS NULL OR l.plan_id = :plan_id)
"""
STUCK = OF_STEPS.format(status="IN ('blocked', 'failed')")
ACTIVE = OF_STEPS.format(status="= 'active'")
LOST = f"{ACTIVE} AND s.claimed_by IS NOT NULL AND s.lease_expires_at <= :now"
SILENT = f"""
    FROM sessions s
    WHERE s.workspace_id = :workspace_id AND (:plan_id IS NULL OR s.plan_id = :plan_id) AND {sessions.ORPHANED}
"""
COUNTS = {"stuck_steps": STUCK, "lost_leases": LOST, "silent_sessions": SILENT}
STUCK_STEPS = f"""
    SELECT s.step_id, s.plan_id, l.title AS plan, s.order_index AS "index", s.task, s.status, s.assignee,
        substr(s.notes, -{TAIL}) AS note, s.updated_at AS since
    {STUCK} ORDER BY s.updated_at DESC, s.step_id DESC LIMIT :limit
"""
LOST_LEASES = f"""
    SELECT s.step_id, s.plan_id, l.title AS plan, s.order_index AS "index", s.task, s.claimed_by, s.lease_expires_at,
        (SELECT agent FROM sessions h WHERE h.session_id = s.claimed_by) AS agent
    {LOST} ORDER BY s.lease_expires_at DESC, s.step_id DESC LIMIT :limit
"""
SILENT_SESSIONS = f"""
    SELECT s.session_id, s.agent, s.plan_id, s.last_seen_at,
        (SELECT title FROM plans l WHERE l.plan_id = s.plan_id) AS plan
    {SILENT} ORDER BY s.last_seen_at DESC, s.session_id DESC LIMIT :limit
"""
LISTS = {"stuck_steps": STUCK_STEPS, "lost_leases": LOST_LEASES, "silent_sessions": SILENT_SESSIONS}


@dataclass(frozen=True)
class Attention:
    """What in a workspace needs a person, or somebody who looks after it, and how much there is of each.

    Nobody asked yet about the gates that were `reached`. Numbers go no further than one more than `limit` (approvals)
    or COUNTED.
    """

    approvals: Sequence[Approval]
    reached: Sequence[ReachedGate]
    lost_leases: Sequence[LostLease]
    stuck_steps: Sequence[StuckStep]
    silent_sessions: Sequence[SilentSession]
    messages: Sequence[Message]
    totals: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.totals.values())


@dataclass(frozen=True)
class Standing:
    """A workspace with its plans that are not over, and how many there are; who holds what, and what is free."""

    workspace: Workspace
    plans: Sequence[PlanBrief]
    plans_total: int
    held: Sequence[HeldStep]
    free: Sequence[StepRow]
    free_total: int
    titles: Mapping[str, str]  # of the plans of these steps, by id


async def in_need(db: Reader, silence: int, *, limit: int) -> tuple[list[Workspace], int]:
    """Return the workspaces in which something needs somebody, last changed first, and how many these are."""
    sources = [
        *COUNTS.values(),
        f"FROM messages WHERE {messages.waiting_for(RESERVED)}",
        f"FROM approvals a WHERE {approvals.IS_OPEN}",
        f"FROM ({approvals.REACHED_STEPS})",
        f"FROM ({approvals.REACHED_PHASES})",
    ]
    some = " OR ".join(f"EXISTS (SELECT 1 {source})" for source in sources).replace(":workspace_id", "w.workspace_id")
    rows = await db.all(
        f"""
        SELECT w.*, count(*) OVER () AS total FROM workspaces w WHERE w.importing IS NULL AND ({some})
        ORDER BY w.updated_at DESC, w.workspace_id DESC LIMIT :limit
        """,
        {"plan_id": None, "limit": limit, "names": encode(list(RESERVED)), **sessions.moments(db, silence)},
    )
    return [Workspace.of(row) for row in rows], rows[0]["total"] if rows else 0


async def attention(
    db: Reader, workspace_id: str, silence: int, *, limit: int, plan_id: str | None = None
) -> Attention:
    """Return what does not go on by itself in a workspace, or in one plan of it."""
    params = {"workspace_id": workspace_id, "plan_id": plan_id, "limit": limit, **sessions.moments(db, silence)}
    asked, reached = await approvals.waiting(db, workspace_id, plan_id, limit=limit + 1)
    most = limit if plan_id is None else COUNTED
    mail, waiting = await messages.inbox(db, workspace_id=workspace_id, names=RESERVED, after=None, limit=most)
    letters = [message for message, _ in mail if plan_id in (None, message.plan_id)]
    rows = dict(zip(LISTS, await db.batch(*((sql, params) for sql in LISTS.values())), strict=True))
    cut = [name for name, some in rows.items() if len(some) == limit]
    counts = await db.batch(*((counting(COUNTS[name]), params) for name in cut)) if cut else []
    return Attention(
        asked[:limit],
        reached[: limit - len(asked[:limit])],
        [LostLease.of(row) for row in rows["lost_leases"]],
        [StuckStep.of(row) for row in rows["stuck_steps"]],
        [SilentSession.of(row) for row in rows["silent_sessions"]],
        letters[:limit],
        {
            "approvals": len(asked) + len(reached),
            "messages": waiting if plan_id is None else len(letters),
            **{name: len(some) for name, some in rows.items()},
            **{name: number for name, [[number]] in zip(cut, counts, strict=True)},
        },
    )


async def of_workspace(db: Reader, workspace: Workspace, *, plans_limit: int, steps_limit: int) -> Standing:
    """Return where a workspace stands: its plans by status and priority, those that run out first of what is held."""
    home = workspace.workspace_id
    found: list[PlanBrief] = []
    total = 0
    for status in GOING:
        rows, number = await plans.page(
            db, plans.Filter(home, status=status), order="priority", after=None, limit=plans_limit
        )
        found, total = [*found, *(plan for plan, _ in rows)], total + number
    held = await workspaces.held_steps(db, home, limit=steps_limit)
    free, free_total = await claims.ready(db, home, after=None, limit=steps_limit)
    named = await plans.statuses(db, {step.plan_id for step in (*held, *(step for step, _ in free))})
    titles = {plan_id: plan["title"] for plan_id, plan in named.items()}
    return Standing(workspace, found[:plans_limit], total, held, [step for step, _ in free], free_total, titles)
