"""What waits for what: the steps of a plan, the plans of a program; as a drawing, and as a list."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from server.models.steps import CLOSED
from server.tools import TOOLS
from server.web import charts
from server.web.charts import Edges
from server.web.pages import live
from server.web.pages.visit import Visit
from server.web.rendering import path_of

OVER = ("completed", "archived")
KINDS = ("plan", "program")


@dataclass(frozen=True)
class Waiting:
    """Who waits, and for what. `said` tells more of an edge; what is `told` is no edge between two of the nodes."""

    nodes: Sequence[Mapping[str, Any]]
    edges: Edges
    said: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def shown(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        waits, unblocks = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        for before, after in self.edges:
            waits[after].append(before)
            unblocks[before].append(after)
        return {
            "nodes": [node for node in self.nodes if node["id"] in waits or node["id"] in unblocks],
            "names": {node["id"]: node for node in self.nodes},
            "waits": waits,
            "unblocks": unblocks,
            "edges": self.edges,
            "said": self.said,
            "drawing": charts.graph(self.nodes, self.edges),
            "critical": charts.critical(self.nodes, self.edges),
        }


async def of_plan(visit: Visit) -> Response:
    """Show what the steps of a plan wait for."""
    plan_id = visit.path("plan")
    found = await visit.call("memory_plan", "get", plan_id=plan_id, detail="full")
    steps: list[dict[str, Any]] = found.get("steps", [])
    known = {step["step_id"] for step in steps}
    edges = [(before, step["step_id"]) for step in steps for before in step.get("depends_on", ()) if before in known]
    nodes = [
        {
            "id": step["step_id"],
            "index": step["index"],
            "name": f"{step['index']} {step['task']}",
            "status": step["status"],
            "is_over": step["status"] in CLOSED,
            "weight": 1,
            "href": f"{path_of('p', plan_id)}#{step['step_id']}",
        }
        for step in steps
    ]
    shows = live.plans(found["workspace_id"], [plan_id])
    return visit.page("graph.html", plan=found, shows=shows, **Waiting(nodes, edges).shown())


async def of_program(visit: Visit) -> Response:
    """Show a program: what its plans wait for, what may go wrong, how far it is."""
    program_id = visit.path("program")
    found = await visit.call("memory_program", "get", program_id=program_id, detail="full")
    graph = await visit.call("memory_program", "get_dependencies", program_id=program_id)
    risks = await visit.call("memory_program", "list_risks", program_id=program_id, limit=200)
    burndown = await visit.call("memory_plan", "burndown", program_id=program_id)
    waiting = _waiting(program_id, graph)
    return visit.page(
        "program.html",
        shows=live.plans(found["workspace_id"], [node["id"] for node in waiting.nodes], program_id),
        program=found,
        plans=graph.get("plans", []),
        cycle=graph.get("cycle", []),
        risks=risks["risks"],
        burndown=burndown,
        burn=charts.burn(burndown, (await visit.database()).now()[:10]),
        actions=_actions(),
        home_name=await visit.name_of(found["workspace_id"]),
        is_archived=found.get("status") == "archived",
        **waiting.shown(),
    )


def _waiting(program_id: str, graph: Mapping[str, Any]) -> Waiting:
    """Return the plans of a program, and what is outside of it but waits or is waited for, and the edges between."""
    members: list[dict[str, Any]] = graph.get("plans", [])
    nodes = {plan["plan_id"]: _member(place, plan) for place, plan in enumerate(members, 1)}
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    whole: list[tuple[str, str, str]] = []
    for edge in graph.get("dependencies", ()):
        if edge["type"] != "blocks":
            continue
        ends = [_end(edge[name]) for name in ("waits_for", "source")]
        for kind, node_id, title, _ in ends:
            if node_id != program_id and node_id not in nodes:
                nodes[node_id] = _outside(kind, node_id, title, len(nodes) + 1, edge["status"])
        (_, before, _, first), (_, after, _, then) = ends
        if program_id in (before, after):
            whole.append((before, after, edge["status"]))
        else:
            said[before, after] += [words for words in (_phases(first, then),) if words]
    edges = _with_program(program_id, list(said), [plan["plan_id"] for plan in members], whole)
    return Waiting(list(nodes.values()), edges, {edge: "; ".join(words) for edge, words in said.items()})


def _member(place: int, plan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": plan["plan_id"],
        "index": place,
        "name": plan["title"],
        "status": plan["state"],
        "is_over": plan["status"] in OVER,
        "weight": max(1, plan["steps_total"] - plan["steps_done"]),
        "href": path_of("p", plan["plan_id"]),
    }


def _outside(kind: str, node_id: str, title: str, place: int, status: str) -> dict[str, Any]:
    """Return what is no plan of the program, but waits for one or is waited for."""
    return {
        "id": node_id,
        "index": place,
        "name": title,
        "status": f"another {kind}" if kind == "program" else "outside",
        "is_over": status != "pending",
        "weight": 1,
        "href": path_of("g" if kind == "program" else "p", node_id),
    }


def _end(end: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return of an end of a dependency its kind and id, its title, and the phase of the plan that it is, if any."""
    kind = next(kind for kind in KINDS if f"{kind}_id" in end)
    return kind, end[f"{kind}_id"], end.get("title", ""), end.get("phase", "")


def _phases(first: str, then: str) -> str:
    return ", ".join(
        f"{words} {phase}" for words, phase in (("done with the phase", first), ("before the phase", then)) if phase
    )


def _with_program(
    program_id: str, edges: Edges, members: Sequence[str], whole: Iterable[tuple[str, str, str]]
) -> list[tuple[str, str]]:
    """Return the edges; all of the program waits with its first plans, and is waited for with its last ones."""
    starts = [plan for plan in members if plan not in {after for _, after in edges}]
    ends = [plan for plan in members if plan not in {before for before, _ in edges}]
    found = list(edges)
    for before, after, _ in whole:
        found += [(before, plan) for plan in starts] if after == program_id else [(plan, after) for plan in ends]
    return list(dict.fromkeys(found))


def _actions() -> list[tuple[str, str]]:
    """Return what can be done to a program, with what each means."""
    return [
        (name, action.summary)
        for name, action in sorted(TOOLS["memory_program"].actions.items())
        if not action.read_only and "program_id" in action.params
    ]
