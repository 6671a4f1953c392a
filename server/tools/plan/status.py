"""memory_plan: what a plan says, which status it has, and whether it is put away."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import Field

from server.db.plans import plan_archive, plans
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, InvalidArguments
from server.models.base import later
from server.models.plans import Category, OldPlan, PauseReason, Plan, PlanStatus, Priority, WorkflowMode
from server.models.text import AgentNameOrEmpty, Id, Index, Line, Lines, Text
from server.tools.common import Call
from server.tools.plan import drafts
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import edited, unblocked

# Values short enough to be told as they were before a change.
SHORT = ("title", "status", "category", "priority", "workflow_mode", "recommended_next_agent", "owner", "phase_gates")

DAY = 86_400
USUAL_DAYS = 90
AT_ONCE = 50  # plans that one transaction puts away
HINT = "send the same call with confirm=true to do it; unarchive brings each plan back"
Days = Annotated[int, Field(ge=1, le=36_500)]


@TOOL.action(takes=("version", "force"), aliases=("set_plan_priority", "set_goals", "set_workflow_mode"))
async def update(
    call: Call,
    *,
    plan_id: Id,
    title: Line | None = None,
    description: Text | None = None,
    category: Category | None = None,
    priority: Priority | None = None,
    status: PlanStatus | None = None,
    goals: Lines | None = None,
    success_criteria: Lines | None = None,
    workflow_mode: WorkflowMode | None = None,
    recommended_next_agent: AgentNameOrEmpty | None = None,
    owner: AgentNameOrEmpty | None = None,
    phase_gates: bool | None = None,
) -> dict[str, Any]:
    """Change fields or the status of a plan.

    Only what you give is changed; "" or [] empties a field. status: active, paused, blocked, completed, failed,
    archived (which is action=archive). completed with open steps needs force=true; no force passes required_gates. A
    paused plan has to be resumed before it can be completed; completed and failed ones can be made active again.
    phase_gates=true lets no phase start before a human confirmed the one before it. With expected_version the edit
    happens only if nobody changed the plan since.

    Example: {"action":"update","plan_id":"plan_1rqewqexykb7","priority":"high","goals":["Users can log in"]}
    """
    given = {
        "title": title,
        "description": description,
        "category": category,
        "priority": priority,
        "goals": goals,
        "success_criteria": success_criteria,
        "workflow_mode": workflow_mode,
        "recommended_next_agent": recommended_next_agent,
        "owner": owner,
        "phase_gates": phase_gates,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted and status is None:
        raise InvalidArguments(f"Nothing to change: give at least one of {', '.join([*given, 'status'])}.")
    async with call.write(is_quick=status is None) as tx:
        plan, _ = await edited(call, tx, plan_id)
        changes = {name: value if value != "" else None for name, value in wanted.items()}
        if status and status != "archived":
            changes |= await drafts.status_changes(call, tx, plan, status)
        answer = await _changed(tx, plan, changes) if changes or status != "archived" else {}
        return {**answer, **await put_away(call, tx, plan)} if status == "archived" else answer


async def _changed(tx: Transaction, before: Plan, wanted: dict[str, Any]) -> dict[str, Any]:
    """Store changes of a plan and say what they were."""
    names = [name for name, value in wanted.items() if getattr(before, name) != value]
    after = await plans.update(tx, before.plan_id, {name: wanted[name] for name in names}) if names else before
    if names:
        moved = f"{before.status} -> {after.status}" if before.status != after.status else ", ".join(names)
        summary = f"Plan {after.title!r}: {moved}"
        drafts.record(tx, after, "plan_updated", summary, changed=names, status=after.status)
    told = {name: getattr(after, name) for name in SHORT if name in wanted}
    return {
        "plan_id": after.plan_id,
        "workspace_id": after.workspace_id,
        "changed": names,
        **told,
        "previous": {name: old for name in SHORT if name in names and (old := getattr(before, name)) is not None},
        "paused_at_snapshot": after.paused_at_snapshot,
        "version": after.version,
        "updated_at": after.updated_at,
        "completed_at": after.completed_at,
        "unblocked": await unblocked(tx, await drafts.set_free(tx, before, after)),
        "warnings": drafts.missing_goals(after) if {"category", "goals", "success_criteria"} & set(names) else [],
    }


@TOOL.action(takes=("version",))
async def pause_plan(
    call: Call,
    *,
    plan_id: Id,
    pause_reason: PauseReason,
    pause_step_index: Index | None = None,
    pause_user_notes: Text | None = None,
) -> dict[str, Any]:
    """Pause a plan, with why: no step of it is handed out.

    pause_reason: rejected, timeout, deferred. A snapshot of where the plan stood is kept and returned: the step of
    pause_step_index, else the first open one. Claims live on until their leases end. resume_plan goes on. Pausing it
    again changes nothing; for another reason that is a conflict.

    Example: {"action":"pause_plan","plan_id":"plan_1rqewqexykb7","pause_reason":"deferred"}
    """
    async with call.write() as tx:
        plan, _ = await edited(call, tx, plan_id)
        said = {"reason": pause_reason, "user_notes": pause_user_notes}
        if plan.status == "paused":
            _refuse_other_pause(plan, {**said, "step_index": pause_step_index})
            return await _changed(tx, plan, {})
        changes = await drafts.status_changes(call, tx, plan, "paused")
        said["session_id"] = tx.origin.session_id
        changes["paused_at_snapshot"] = await drafts.snapshot(tx, plan_id, pause_step_index, **said)
        return await _changed(tx, plan, changes)


def _refuse_other_pause(plan: Plan, said: Mapping[str, Any]) -> None:
    """Refuse to pause a paused plan for another reason; what the caller leaves out may be anything."""
    known = cast(dict[str, Any], plan.paused_at_snapshot or {})
    if any(value is not None and known.get(name) != value for name, value in said.items()):
        raise Conflict(
            f"The plan {plan.plan_id} is paused since {plan.paused_at}. action='resume_plan' lets it go on.",
            paused_at_snapshot=plan.paused_at_snapshot,
        )


@TOOL.action(takes=("version",))
async def resume_plan(call: Call, *, plan_id: Id) -> dict[str, Any]:
    """Let a paused plan go on; returns where it stood.

    An active one goes on as it is.

    Example: {"action":"resume_plan","plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write() as tx:
        plan, _ = await edited(call, tx, plan_id)
        if plan.status not in ("paused", "active"):
            raise Conflict(f"The plan {plan_id} is {plan.status}, not paused.", status=plan.status)
        changes = await drafts.status_changes(call, tx, plan, "active")
        return {**await _changed(tx, plan, changes), "resumed_from": plan.paused_at_snapshot}


@TOOL.action(takes=("version", "force"))
async def archive(call: Call, *, plan_id: Id) -> dict[str, Any]:
    """Put a plan away with all its rows; unarchive undoes it.

    It can still be read (get, find, list with include_archived), but not changed. Steps that someone works on are a
    conflict, unless force=true releases them. An archived one stays as it is.

    Example: {"action":"archive","plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write(is_quick=False) as tx:
        plan = await plans.require(tx, plan_id)
        await call.workspace_id(tx, plan.workspace_id)
        plans.check_version(plan.version, call.shared.expected_version, f"The plan {plan_id}")
        return _archived(plan) if plan.archived_at else await put_away(call, tx, plan)


async def put_away(call: Call, tx: Transaction, plan: Plan) -> dict[str, Any]:
    """Archive a plan that nobody works on, or by force."""
    await drafts.refuse_claims(call, tx, plan.plan_id, f"The plan {plan.plan_id}")
    released = await plan_archive.archive(tx, plan.plan_id)
    after = await plans.require(tx, plan.plan_id)
    drafts.record(tx, after, "plan_archived", f"Plan {after.title!r} archived", status=after.status)
    return {**_archived(after), "released": [step.step_id for step in released]}


def _archived(after: Plan) -> dict[str, Any]:
    return {
        "plan_id": after.plan_id,
        "workspace_id": after.workspace_id,
        "status": "archived",
        "last_status": after.status,
        "archived_at": after.archived_at,
    }


@TOOL.action()
async def unarchive(call: Call, *, plan_id: Id) -> dict[str, Any]:
    """Bring an archived plan back as it was.

    One that is not archived stays as it is.

    Example: {"action":"unarchive","plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write(is_quick=False) as tx:
        plan = await plans.require(tx, plan_id)
        await call.workspace_id(tx, plan.workspace_id)
        if plan.archived_at:
            await plan_archive.unarchive(tx, plan_id)
            plan = await plans.require(tx, plan_id)
            drafts.record(tx, plan, "plan_unarchived", f"Plan {plan.title!r} brought back", status=plan.status)
        parts = {"plan_id": plan_id, "workspace_id": plan.workspace_id, "status": plan.status}
        return {**parts, "version": plan.version, "updated_at": plan.updated_at}


@TOOL.action(writes_with="confirm", takes=("request",))
async def archive_old(
    call: Call, *, older_than_days: Days = USUAL_DAYS, status: PlanStatus = "completed", confirm: bool = False
) -> dict[str, Any]:
    """Archive old plans; preview unless confirm.

    Those that were completed older_than_days ago or before, 90 unless you say so; with another status those of it that
    nobody touched since. Each goes as with archive, all in one transaction, at most 50 in a call, the oldest first;
    `remaining` tells how many are left. Plans in which somebody works stay. unarchive brings each back.

    Example: {"action":"archive_old","older_than_days":180,"confirm":true}
    """
    if status == "archived":
        raise InvalidArguments("status='archived' names plans that are archived already. Leave it out, or say another.")
    told = {"older_than_days": older_than_days, "status": status}
    if not confirm:
        workspace_id = await call.workspace_id(call.db)
        found, total, held = await _old(call.db, workspace_id, status, older_than_days)
        preview = {"would_archive": total, "at_once": len(found), "plans": found, "hint": HINT}
        return {"workspace_id": workspace_id, **told, "preview": preview, "in_work": held}
    async with call.write(is_quick=False) as tx:
        workspace_id = await call.workspace_id(tx)
        found, total, held = await _old(tx, workspace_id, status, older_than_days)
        for one in found:
            await put_away(call, tx, await plans.require(tx, one.plan_id))
        ids = [one.plan_id for one in found]
        return {"workspace_id": workspace_id, **told, "archived": ids, "remaining": total - len(ids), "in_work": held}


async def _old(db: Reader, workspace_id: str, status: str, days: int) -> tuple[list[OldPlan], int, int]:
    before = later(db.now(), -days * DAY)
    return await plan_archive.old(db, workspace_id, status, before=before, limit=AT_ONCE)
