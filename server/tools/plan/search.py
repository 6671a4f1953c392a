"""memory_plan: find plans and what is in them."""

from dataclasses import replace

from server.models.search import AnyStatus, PlanKind, Query
from server.models.text import Id, Line
from server.tools import search_rules
from server.tools.common import Call
from server.tools.plan.tool import TOOL
from server.tools.render import Page

PLAN_KINDS: tuple[PlanKind, ...] = ("program", "plan", "phase", "step", "note")


@TOOL.action(read_only=True, takes=("page",))
async def search(
    call: Call,
    *,
    query: Query,
    plan_id: Id | None = None,
    search_entity_type: PlanKind | None = None,
    search_status: AnyStatus | None = None,
    search_phase: Line | None = None,
    include_archived: bool = False,
) -> Page:
    """Find programs, plans, phases, steps and notes by words.

    The query is words, nothing in it is syntax; memory_context search finds everything else too. search_entity_type:
    one of program, plan, phase, step, note; search_status: the status that a step, plan or program has, or archived;
    search_phase: the name or id of a phase, of which it and its steps are found.

    Example: {"action":"search","query":"cache invalidation","search_status":"pending"}
    """
    where = await search_rules.scope_of(call, "workspace", plan_id, (None, None))
    kinds = (search_entity_type,) if search_entity_type else PLAN_KINDS
    asked = replace(where, kinds=kinds, status=search_status, phase=search_phase, archived=include_archived)
    return await search_rules.hits(call, query, asked)
