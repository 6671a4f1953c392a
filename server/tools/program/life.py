"""memory_program: what a program says, where it is put, and how it goes."""

from typing import Any

from server.db.audit import events, trash
from server.db.dependencies import dependencies
from server.db.plans import plans
from server.db.plans.plans import check_version
from server.db.programs import memberships, programs
from server.errors import Conflict, InvalidArguments
from server.models.events import Event
from server.models.plans import Category, Priority
from server.models.programs import Program
from server.models.text import AgentNameOrEmpty, Id, Line, Lines, Text
from server.tools.common import Call
from server.tools.plan_rules import live, unblocked
from server.tools.program.programs import facts
from server.tools.program.tool import TOOL
from server.tools.rules import program_rules

# Of a plan, what the program that is made of it says too.
TAKEN = ("title", "description", "category", "priority", "goals", "success_criteria", "owner")
SHORT = ("title", "category", "priority", "owner")


@TOOL.action(takes=("version",))
async def update(
    call: Call,
    *,
    program_id: Id,
    title: Line | None = None,
    description: Text | None = None,
    category: Category | None = None,
    priority: Priority | None = None,
    goals: Lines | None = None,
    success_criteria: Lines | None = None,
    owner: AgentNameOrEmpty | None = None,
) -> dict[str, Any]:
    """Change fields.

    Only what you give is changed; "" or [] empties a field.

    Example: {"action":"update","program_id":"prog_1rqewqexykb7","priority":"high"}
    """
    given = {
        "title": title,
        "description": description,
        "category": category,
        "priority": priority,
        "goals": goals,
        "success_criteria": success_criteria,
        "owner": owner,
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise InvalidArguments(f"Nothing to change: give at least one of {', '.join(given)}.")
    async with call.write() as tx:
        before = await program_rules.live(call, tx, program_id)
        _check(call, before)
        changes = {name: value if value != "" else None for name, value in wanted.items()}
        names = [name for name, value in changes.items() if getattr(before, name) != value]
        after = await programs.update(tx, program_id, {name: changes[name] for name in names}) if names else before
        if names:
            summary = f"Program {after.title!r}: {', '.join(names)}"
            program_rules.record(tx, after, "program_updated", summary, changed=names)
        previous = {name: old for name in SHORT if name in names and (old := getattr(before, name)) is not None}
        return {**facts(after), "changed": names, "previous": previous}


def _check(call: Call, program: Program) -> None:
    check_version(program.version, call.shared.expected_version, f"The program {program.program_id}")


@TOOL.action(takes=("version",))
async def archive(call: Call, *, program_id: Id) -> dict[str, Any]:
    """Put it away; its plans stay in it as they are.

    It is listed with include_archived, can be read, but not changed. What waits for it still does.

    Example: {"action":"archive","program_id":"prog_1rqewqexykb7"}
    """
    return await _put(call, program_id, "archived")


@TOOL.action(takes=("version",))
async def unarchive(call: Call, *, program_id: Id) -> dict[str, Any]:
    """Bring it back.

    Example: {"action":"unarchive","program_id":"prog_1rqewqexykb7"}
    """
    return await _put(call, program_id, "active")


async def _put(call: Call, program_id: str, status: str) -> dict[str, Any]:
    """Put a program away or bring it back; where it is already, it stays as it is."""
    archiving = status == "archived"
    async with call.write() as tx:
        program = await programs.require(tx, program_id)
        await program_rules.place(call, tx, program_id, program.workspace_id)
        _check(call, program)
        if program.is_archived != archiving:
            changes = {"status": status, "archived_at": tx.now() if archiving else None}
            program = await programs.update(tx, program_id, changes)
            kind, what = ("program_archived", "archived") if archiving else ("program_unarchived", "brought back")
            program_rules.record(tx, program, kind, f"Program {program.title!r} {what}")
        return {**facts(program), "archived_at": program.archived_at}


@TOOL.action(destructive=True, takes=("version",))
async def delete(call: Call, *, program_id: Id, confirm: bool = False) -> dict[str, Any]:
    """To the trash, its plans stay; preview unless confirm.

    Its plans stay, in no program. Risks, links, context of the program, and what it waits for or is waited for go
    with it; memory_workspace restore brings all of it back within 30 days.

    Example: {"action":"delete","program_id":"prog_1rqewqexykb7"}
    """
    async with call.write(is_quick=False) as tx:
        program = await programs.require(tx, program_id)
        workspace_id = await program_rules.place(call, tx, program_id, program.workspace_id)
        _check(call, program)
        rows = await programs.collect(tx, program_id)
        if not confirm:
            return {"workspace_id": workspace_id, "preview": _loss(program, rows)}
        trash_id = await trash.put(
            tx,
            entity_type="program",
            entity_id=program_id,
            title=program.title,
            workspace_id=program.workspace_id,
            plan_id=None,
            rows=rows,
        )
        await programs.delete(tx, program_id)
        program_rules.record(tx, program, "program_deleted", f"Program {program.title!r} deleted", trash_id=trash_id)
        waiting = dependencies.waiting_on(rows.get("dependencies", ()), {("program", program_id)})
        parts = {"program_id": program_id, "workspace_id": workspace_id, "deleted": True, "trash_id": trash_id}
        return {**parts, "unblocked": await unblocked(tx, await dependencies.free_among(tx, waiting))}


def _loss(program: Program, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    counts = {table: len(found) for table, found in rows.items() if table not in ("programs", "program_plans")}
    return {
        "would_delete": {"program_id": program.program_id, "title": program.title, "status": program.status},
        "with_it": counts,
        "plans_that_stay": len(rows.get("program_plans", ())),
        "hint": "send the same call with confirm=true to do it; it goes to the trash for 30 days",
    }


@TOOL.action(takes=("request",), aliases=("upgrade_to_program",))
async def upgrade(
    call: Call, *, plan_id: Id, title: Line | None = None, child_plan_title: Line | None = None
) -> dict[str, Any]:
    """Make a program of a plan, its first.

    It takes over title (unless given), description, category, priority, goals, criteria and owner of the plan, which
    stays as it is, but for its title if child_plan_title gives it another one.

    Example: {"action":"upgrade","plan_id":"plan_1rqewqexykb7","title":"Release 3"}
    """
    async with call.write(is_quick=False) as tx:
        plan, workspace_id = await live(call, tx, plan_id)
        if present := await memberships.program_of(tx, plan_id):
            raise _is_in(await programs.require(tx, present), plan_id)
        columns = {name: getattr(plan, name) for name in TAKEN} | ({"title": title} if title else {})
        program = await programs.insert(tx, workspace_id=workspace_id, **columns)
        summary = f"Program {program.title!r} made of the plan {plan.title!r}"
        program_rules.record(tx, program, "program_created", summary, plan_id)
        if child_plan_title and child_plan_title != plan.title:
            plan = await plans.update(tx, plan_id, {"title": child_plan_title})
            told = f"Plan {plan.title!r}: title, as the first of the program {program.title!r}"
            events.record(tx, Event("plan_updated", "plan", plan_id, None, plan_id, told, {"changed": ["title"]}))
        await program_rules.join(call, tx, program, plan)
        return {**facts(program), "plan_ids": [plan_id]}


def _is_in(present: Program, plan_id: str) -> Conflict:
    return Conflict(
        f"The plan {plan_id} is in the program {present.program_id} ({present.title!r}) already. memory_program "
        f"action='remove_plan' plan_id={plan_id!r} takes it out.",
        program_id=present.program_id,
    )
