"""memory_program: what the plans of a program, their phases, and the program itself wait for."""

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Edge, Node
from server.db.plans import phases, plans
from server.db.programs import memberships, overview, programs
from server.db.storage.connection import Transaction
from server.errors import Conflict, InvalidArguments
from server.models.events import Event
from server.models.plans import DependencyType, Plan, PlanBrief
from server.models.programs import Program
from server.models.text import Id, Line
from server.tools.common import Call
from server.tools.plan_rules import unblocked
from server.tools.program.programs import end_of, standing
from server.tools.program.tool import TOOL
from server.tools.render import Result
from server.tools.rules import program_rules

TARGET = (("target_plan_id",), ("target_program_id",))
Graph = dict[Node, set[Node]]


@TOOL.action(one_of=TARGET)
async def set_dependency(
    call: Call,
    *,
    program_id: Id,
    source_plan_id: Id | None = None,
    source_phase: Line | None = None,
    target_plan_id: Id | None = None,
    target_phase: Line | None = None,
    target_program_id: Id | None = None,
    dependency_type: DependencyType = "blocks",
) -> dict[str, Any]:
    """The source waits for the target.

    The source is a plan of the program. source_phase and target_phase (names or ids) narrow an end to a phase of the
    plan. Without source_plan_id all of the program waits; target_program_id waits for a whole program. The target may
    be outside. blocks gates, informs only tells. Setting it again changes the type. A cycle over blocks is refused and
    printed.

    Example: {"action":"set_dependency","program_id":"prog_1rqewqexykb7","source_plan_id":"plan_1rqewqexykb8",
    "target_plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write(is_quick=False) as tx:
        program = await program_rules.live(call, tx, program_id)
        source = await _source(tx, program, source_plan_id, source_phase)
        edge = (source, await _target(tx, target_plan_id, target_phase, target_program_id))
        if edge[0] == edge[1]:
            raise Conflict(f"The {source[0]} {source[1]} cannot wait for itself.")
        known = await dependencies.find(tx, edge)
        if not known or known["dep_type"] != dependency_type:
            await dependencies.add(tx, [edge], dependency_type)
            await _record(tx, program, edge, source_plan_id, dependency_type)
        stored = await dependencies.find(tx, edge)
        assert stored is not None  # it was there, or was added
        was_blocking = known is not None and known["dep_type"] == "blocks"
        free = await dependencies.free_among(tx, [source]) if was_blocking and dependency_type != "blocks" else []
        told = {name: stored[name] for name in ("dependency_id", "dep_type", "dep_status")}
        return {**_edge(program, edge), **told, "created": known is None, "unblocked": await unblocked(tx, free)}


@TOOL.action(one_of=TARGET)
async def remove_dependency(
    call: Call,
    *,
    program_id: Id,
    source_plan_id: Id | None = None,
    source_phase: Line | None = None,
    target_plan_id: Id | None = None,
    target_phase: Line | None = None,
    target_program_id: Id | None = None,
) -> dict[str, Any]:
    """The source waits for it no more.

    Named as in set_dependency. One that is not there is left alone (`removed` is false).

    Example: {"action":"remove_dependency","program_id":"prog_1rqewqexykb7","source_plan_id":"plan_1rqewqexykb8",
    "target_plan_id":"plan_1rqewqexykb7"}
    """
    async with call.write() as tx:
        program = await program_rules.live(call, tx, program_id)
        source = await _source(tx, program, source_plan_id, source_phase)
        edge = (source, await _target(tx, target_plan_id, target_phase, target_program_id))
        known = await dependencies.find(tx, edge)
        if known:
            await dependencies.remove(tx, edge)
            await _record(tx, program, edge, source_plan_id, None)
        was_blocking = known is not None and (known["dep_type"], known["dep_status"]) == ("blocks", "pending")
        free = await dependencies.free_among(tx, [source]) if was_blocking else []
        return {**_edge(program, edge), "removed": known is not None, "unblocked": await unblocked(tx, free)}


async def _source(tx: Transaction, program: Program, plan_id: str | None, phase: str | None) -> Node:
    """Return who is to wait: a live plan of the program, a phase of it, or the program."""
    if plan_id is None:
        _refuse_phase(phase, "source")
        return "program", program.program_id
    plan = await plans.require_live(tx, plan_id)
    if await memberships.program_of(tx, plan_id) != program.program_id:
        raise Conflict(
            f"The plan {plan_id} is not in the program {program.program_id}. memory_program action='add_plan' puts it "
            "there; memory_plan action='set_plan_dependencies' is for plans of no program."
        )
    return await _node(tx, plan, phase)


async def _target(tx: Transaction, plan_id: str | None, phase: str | None, program_id: str | None) -> Node:
    """Return what is to be waited for."""
    if plan_id and program_id:
        raise InvalidArguments("target_plan_id and target_program_id name two targets. Send one of them.")
    if plan_id:
        return await _node(tx, await plans.require(tx, plan_id), phase)
    _refuse_phase(phase, "target")
    return "program", (await programs.require(tx, program_id or "")).program_id


def _refuse_phase(phase: str | None, end: str) -> None:
    if phase:
        raise InvalidArguments(f"{end}_phase needs {end}_plan_id: of which plan is it?", missing=[f"{end}_plan_id"])


async def _node(tx: Transaction, plan: Plan, phase: str | None) -> Node:
    if not phase:
        return "plan", plan.plan_id
    found = await phases.require(tx, plan.plan_id, phase, suffix="_archive" if plan.archived_at else "")
    return "phase", found.phase_id


async def _record(tx: Transaction, program: Program, edge: Edge, plan_id: str | None, dep_type: str | None) -> None:
    (kind, node_id), (target_kind, target_id) = edge
    waits = f"waits for the {target_kind} {target_id}" + (f" ({dep_type})" if dep_type else " no more")
    data = {"waits_for": target_id, "type": target_kind, "dep_type": dep_type}
    summary = f"The {kind} {node_id} {waits}"
    events.record(tx, Event("dependencies_set", kind, node_id, program.workspace_id, plan_id, summary, data))
    await programs.touch(tx, program.program_id)


def _edge(program: Program, edge: Edge) -> dict[str, Any]:
    (kind, node_id), (target_kind, target_id) = edge
    parts = {"program_id": program.program_id, "workspace_id": program.workspace_id}
    return {**parts, "source": {f"{kind}_id": node_id}, "waits_for": {f"{target_kind}_id": target_id}}


@TOOL.action(read_only=True)
async def get_dependencies(call: Call, *, program_id: Id) -> Result:
    """What waits for what, in an order that works; what is ready.

    plans: those of the program, each behind what it waits for, with its state; ready: those that can go on now;
    dependencies: every one of them, of their phases and of the program, and on them; cycle: ids that wait for each
    other, if some do.

    Example: {"action":"get_dependencies","program_id":"prog_1rqewqexykb7"}
    """
    program = await program_rules.read(call, program_id)
    members, edges = await overview.graph(call.db, program_id)
    order, cycle = ordered(program_id, members, edges)
    pending = [edge for edge in edges if (edge["dep_type"], edge["dep_status"]) == ("blocks", "pending")]
    waiting = {edge["source_id"] for edge in pending if edge["source_type"] != "phase"}
    shown = [standing(plan, waiting, program) for plan in order]
    return Result(
        {
            "program_id": program_id,
            "workspace_id": program.workspace_id,
            "ready": [plan["plan_id"] for plan in shown if plan["state"] == "ready"],
            "cycle": cycle,
            "plans": shown,
            "dependencies": [_told(edge) for edge in edges],
        }
    )


def _told(edge: Mapping[str, Any]) -> dict[str, Any]:
    ends = {"source": end_of(edge, "source"), "waits_for": end_of(edge, "target")}
    return {"dependency_id": edge["dependency_id"], **ends, "type": edge["dep_type"], "status": edge["dep_status"]}


def ordered(
    program_id: str, members: Sequence[PlanBrief], edges: Sequence[Mapping[str, Any]]
) -> tuple[list[PlanBrief], list[str]]:
    """Return plans behind what they wait for, else in their order, and the ids of a cycle, if there is one."""
    graph = _graph(program_id, [plan.plan_id for plan in members], edges)
    places = {("begin", plan.plan_id): place for place, plan in enumerate(members)}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        return list(members), list(dict.fromkeys(node_id for _, node_id in reversed(error.args[1])))
    found: list[PlanBrief] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found += [members[place] for place in sorted(places[node] for node in ready if node in places)]
        sorter.done(*ready)
    return found, []


def _graph(program_id: str, plan_ids: Collection[str], edges: Sequence[Mapping[str, Any]]) -> Graph:
    """Return what has to be before what: a plan begins before its phases, and ends behind them."""
    graph: Graph = {("end", plan_id): {("begin", plan_id)} for plan_id in plan_ids}
    graph[("end", program_id)] = {("end", plan_id) for plan_id in plan_ids}
    for plan_id in plan_ids:
        graph[("begin", plan_id)] = {("begin", program_id)}
    for edge in edges:
        if edge["dep_type"] == "blocks":
            begins, ends = _moment(edge, "source", "begin"), _moment(edge, "target", "end")
            graph.setdefault(begins, set()).add(ends)
            for end, node in (("source", begins), ("target", ends)):
                if edge[f"{end}_type"] == "phase":
                    graph.setdefault(node, set()).add(("begin", edge[f"{end}_plan_id"]))
                    graph.setdefault(("end", edge[f"{end}_plan_id"]), set()).add(node)
    return graph


def _moment(edge: Mapping[str, Any], end: str, moment: str) -> Node:
    """Return the node for the begin or the end of one end of an edge; a phase is one node."""
    return ("phase" if edge[f"{end}_type"] == "phase" else moment), edge[f"{end}_id"]
