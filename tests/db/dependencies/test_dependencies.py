"""Who waits for whom: cycles through every kind of container, and a state that is always true."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Edge, Node, find_cycle
from server.db.plans import phases, plans
from server.db.steps import steps
from server.db.storage.connection import Database, Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict
from server.models.base import new_id
from server.models.steps import NewStep
from tests.thoroughness import often

CLOSED = ("done", "cancelled")
STEP_STATUS = ("pending", "active", "done", "blocked", "failed", "cancelled")
PLAN_STATUS = ("active", "completed", "failed")


@dataclass
class World:
    """A small world in the database, and what a reader of the specification would say about it."""

    parents: dict[Node, Node] = field(default_factory=dict[Node, Node])
    status: dict[Node, str] = field(default_factory=dict[Node, str])
    edges: dict[Edge, str] = field(default_factory=dict[Edge, str])
    nodes: list[Node] = field(default_factory=list[Node])

    def of(self, kind: str) -> list[Node]:
        return [node for node in self.nodes if node[0] == kind]

    def members(self, node: Node) -> list[Node]:
        return [child for child, parent in self.parents.items() if parent == node]

    def is_closed(self, node: Node) -> bool:
        if node[0] == "step":
            return self.status[node] in CLOSED
        if node[0] == "plan":
            return self.status[node] == "completed"
        return bool(self.members(node)) and all(map(self.is_closed, self.members(node)))

    def pending(self, node: Node) -> set[Node]:
        return {t for (s, t), kind in self.edges.items() if s == node and kind == "blocks" and not self.is_closed(t)}

    def blocks(self) -> list[Edge]:
        return [edge for edge, kind in self.edges.items() if kind == "blocks"]

    def deadlocks_with(self, more: Iterable[Edge]) -> bool:
        """Whether something could never start: a thing ends after its start and the end of its members, a member
        starts after what it is in, and what waits starts after the end of what it waits for.
        """
        graph = TopologicalSorter[tuple[str, Node]]()
        for node in self.nodes:
            graph.add(("end", node), ("start", node))
        for child, parent in self.parents.items():
            graph.add(("start", child), ("start", parent))
            graph.add(("end", parent), ("end", child))
        for source, target in (*self.blocks(), *more):
            graph.add(("start", source), ("end", target))
        try:
            graph.prepare()
        except CycleError:
            return True
        return False


async def insert_program(tx: Transaction, workspace_id: str) -> str:
    program_id = new_id("prog")
    await tx.run(
        """
        INSERT INTO programs (program_id, workspace_id, title, created_at, updated_at)
        VALUES (:program_id, :workspace_id, 'Program', :now, :now)
        """,
        {"program_id": program_id, "workspace_id": workspace_id, "now": tx.now()},
    )
    return program_id


async def insert_plan(tx: Transaction, world: World, workspace_id: str, program: Node | None) -> Node:
    """A plan of two phases, the first with two steps."""
    plan = await plans.insert(tx, workspace_id=workspace_id, title="Plan", program_id=program[1] if program else None)
    node = ("plan", plan.plan_id)
    if program:
        world.parents[node] = program
        await tx.run(
            """
            INSERT INTO program_plans (program_id, plan_id, order_index, created_at)
            VALUES (:program, :plan, 0, :now)
            """,
            {"program": program[1], "plan": plan.plan_id, "now": tx.now()},
        )
    found = [NewStep(task="a", phase="One"), NewStep(task="b", phase="One"), NewStep(task="c", phase="Two")]
    rows = await steps.insert_many(tx, plan.plan_id, found)
    world.nodes.append(node)
    world.status[node] = "active"
    for phase in await phases.of_plan(tx, plan.plan_id):
        world.nodes.append(("phase", phase.phase_id))
        world.parents["phase", phase.phase_id] = node
    for row in rows:
        world.nodes.append(("step", row.step_id))
        world.status["step", row.step_id] = "pending"
        world.parents["step", row.step_id] = ("phase", row.phase_id)
    return node


async def build(db: Database) -> World:
    """A program of two plans, and a plan of its own."""
    world = World()
    async with db.transaction() as tx:
        workspace = await workspaces.insert(tx, path=f"/{new_id('path')}", name="Project")
        program = ("program", await insert_program(tx, workspace.workspace_id))
        world.nodes.append(program)
        for around in (program, program, None):
            await insert_plan(tx, world, workspace.workspace_id, around)
    return world


async def add(db: Database, world: World, *edges: Edge, dep_type: Any = "blocks") -> None:
    async with db.transaction() as tx:
        await dependencies.add(tx, edges, dep_type)
    world.edges.update((edge, dep_type) for edge in edges)


async def set_step(db: Database, world: World, step: Node, status: str) -> list[Node]:
    """Change a step as the tools do, and return what became free."""
    async with db.transaction() as tx:
        await steps.update(tx, step[1], {"status": status})
        world.status[step] = status
        return await dependencies.refresh(tx, [step, world.parents[step]])


async def set_plan(db: Database, world: World, plan: Node, status: str) -> list[Node]:
    program = [world.parents[plan]] if plan in world.parents else []
    async with db.transaction() as tx:
        await plans.update(tx, plan[1], {"status": status})
        world.status[plan] = status
        return await dependencies.refresh(tx, [plan, *program])


async def rows(db: Database, world: World) -> dict[Edge, tuple[str, str, bool]]:
    known = {node_id for _, node_id in world.nodes}
    found = await db.all("SELECT * FROM dependencies")
    return {
        dependencies.edge_of(row): (row["dep_type"], row["dep_status"], row["satisfied_at"] is not None)
        for row in found
        if row["source_id"] in known
    }


async def check(db: Database, world: World) -> None:
    """The database says of every edge and of every step what the model says."""
    wanted = {
        edge: (kind, "satisfied" if world.is_closed(edge[1]) else "pending", world.is_closed(edge[1]))
        for edge, kind in world.edges.items()
    }
    counts = {row["step_id"]: row["waits_for"] for row in await db.all("SELECT step_id, waits_for FROM steps")}

    assert await rows(db, world) == wanted
    assert {step: counts[step[1]] for step in world.of("step")} == {
        step: len(world.pending(step)) for step in world.of("step")
    }


def free_after(before: dict[Node, set[Node]], world: World) -> set[Node]:
    """Those that waited for something, and wait for nothing any more."""
    return {node for node, waited in before.items() if waited and not world.pending(node)}


INDEX = st.integers(0, 99)
OPERATION = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(INDEX, INDEX), min_size=1, max_size=3), st.just("blocks")),
    st.tuples(st.just("add"), st.lists(st.tuples(INDEX, INDEX), min_size=1, max_size=3), st.just("informs")),
    st.tuples(st.just("clear"), INDEX, st.sampled_from(["step", "phase", "plan", "program"])),
    st.tuples(st.just("step"), INDEX, st.sampled_from(STEP_STATUS)),
    st.tuples(st.just("plan"), INDEX, st.sampled_from(PLAN_STATUS)),
)


async def apply(db: Database, world: World, operation: tuple[str, Any, Any]) -> None:
    kind, what, how = operation
    before = {node: world.pending(node) for node in world.nodes}
    if kind == "add":
        chosen = [(world.nodes[s % len(world.nodes)], world.nodes[t % len(world.nodes)]) for s, t in what]
        if how == "blocks" and world.deadlocks_with(chosen):
            with pytest.raises(Conflict):
                await add(db, world, *chosen, dep_type=how)
        else:
            await add(db, world, *chosen, dep_type=how)
    elif kind == "clear":
        source = world.nodes[what % len(world.nodes)]
        async with db.transaction() as tx:
            await dependencies.clear(tx, [source], how)
        gone = [edge for edge in world.blocks() if edge[0] == source and edge[1][0] == how]
        for edge in gone:
            del world.edges[edge]
    else:
        found = world.of(kind)
        change = set_step if kind == "step" else set_plan
        free = await change(db, world, found[what % len(found)], how)
        assert set(free) == free_after(before, world)


@settings(max_examples=often(60, usual=20))
@given(operations=st.lists(OPERATION, max_size=25))
async def test_whatever_happens_the_state_is_what_the_model_says(
    db: Database, operations: list[tuple[str, Any, Any]]
) -> None:
    world = await build(db)
    for operation in operations:
        await apply(db, world, operation)

    await check(db, world)
    async with db.transaction() as tx:
        free = await dependencies.free_among(tx, world.nodes)
    assert free == [node for node in world.nodes if not world.pending(node)]
    for node in world.nodes:
        assert set(await dependencies.pending_of(db, node)) == {node_id for _, node_id in world.pending(node)}


async def test_a_cycle_is_refused_printed_and_leaves_nothing_behind(db: Database) -> None:
    world = await build(db)
    one, two, three = world.of("step")[:3]
    await add(db, world, (one, two), (two, three))

    with pytest.raises(Conflict) as caught:
        await add(db, world, (three, one))

    cycle: Any = caught.value.details["cycle"]
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {one[1], two[1], three[1]}
    assert " waits for ".join(cycle) in re.sub(r" \(index \d+\)", "", str(caught.value))
    await check(db, world)


async def test_what_only_informs_may_go_in_circles(db: Database) -> None:
    world = await build(db)
    one, two = world.of("step")[:2]
    await add(db, world, (one, two), (two, one), (one, one), dep_type="informs")

    with pytest.raises(Conflict):
        await add(db, world, (one, two), (two, one))
    await check(db, world)


@pytest.mark.parametrize("kind", ["step", "phase", "plan", "program"])
async def test_nothing_waits_for_itself(db: Database, kind: str) -> None:
    world = await build(db)
    node = world.of(kind)[0]

    with pytest.raises(Conflict, match="cycle"):
        await add(db, world, (node, node))


async def test_nothing_waits_for_what_is_around_it_or_in_it(db: Database) -> None:
    world = await build(db)
    step = world.of("step")[0]
    around = [world.parents[step]]
    while around[-1] in world.parents:
        around.append(world.parents[around[-1]])

    assert [kind for kind, _ in around] == ["phase", "plan", "program"]
    for inner, outer in itertools.combinations([step, *around], 2):
        for edge in ((inner, outer), (outer, inner)):
            with pytest.raises(Conflict):
                await add(db, world, edge)


async def test_a_cycle_through_containers_is_seen(db: Database) -> None:
    world = await build(db)
    first, second = world.of("plan")[:2]
    in_first = next(s for s in world.of("step") if world.parents[world.parents[s]] == first)
    in_second = next(s for s in world.of("step") if world.parents[world.parents[s]] == second)
    await add(db, world, (first, second))

    with pytest.raises(Conflict) as caught:
        await add(db, world, (in_second, in_first))
    assert {in_first[1], second[1], in_second[1]} <= set(caught.value.details["cycle"])  # pyright: ignore[reportArgumentType]
    await add(db, world, (in_first, in_second))
    await check(db, world)


async def test_two_edges_of_one_call_that_make_a_cycle_are_refused_together(db: Database) -> None:
    world = await build(db)
    one, two, three = world.of("step")[:3]

    with pytest.raises(Conflict):
        await add(db, world, (one, three), (one, two), (two, one))
    assert await rows(db, world) == {}


async def test_an_edge_is_kept_once_and_its_type_can_change(db: Database) -> None:
    world = await build(db)
    one, two = world.of("step")[:2]
    await add(db, world, (one, two), (one, two))
    await add(db, world, (one, two), dep_type="informs")
    await check(db, world)
    await add(db, world, (one, two))
    await check(db, world)

    assert len(await rows(db, world)) == 1


async def test_a_target_that_is_closed_already_is_satisfied_at_once(db: Database) -> None:
    world = await build(db)
    one, two = world.of("step")[:2]
    await set_step(db, world, two, "done")
    await add(db, world, (one, two))

    await check(db, world)


async def test_reopening_makes_others_wait_again(db: Database) -> None:
    world = await build(db)
    one, two = world.of("step")[:2]
    await add(db, world, (one, two))
    freed = await set_step(db, world, two, "done")
    again = await set_step(db, world, two, "pending")

    assert (freed, again) == ([one], [])
    await check(db, world)


async def test_a_failed_step_satisfies_nobody(db: Database) -> None:
    world = await build(db)
    one, two = world.of("step")[:2]
    await add(db, world, (one, two))

    assert await set_step(db, world, two, "failed") == []
    await check(db, world)


async def test_steps_are_told_what_they_wait_for(db: Database) -> None:
    world = await build(db)
    one, two, three = world.of("step")[:3]
    await add(db, world, (one, two), (two, three))

    assert await dependencies.waits_of(db, "step", [one[1], two[1], three[1]], target_type="step") == {
        one[1]: [two[1]],
        two[1]: [three[1]],
    }


async def test_a_deleted_step_takes_its_dependencies_along(db: Database) -> None:
    world = await build(db)
    one, two, three = world.of("step")[:3]
    await add(db, world, (one, two), (two, three))
    async with db.transaction() as tx:
        await tx.run("DELETE FROM steps WHERE step_id = :id", {"id": two[1]})

    assert await rows(db, world) == {}
    assert await db.value("SELECT waits_for FROM steps WHERE step_id = :id", {"id": one[1]}) == 0


async def test_a_chain_of_five_thousand_is_checked_and_its_cycle_is_told_in_short(db: Database) -> None:
    async with db.transaction() as tx:
        workspace = await workspaces.insert(tx, path="/long", name="Project")
        plan = await plans.insert(tx, workspace_id=workspace.workspace_id, title="Plan")
        made = await steps.insert_many(tx, plan.plan_id, [NewStep(task="a", phase="One") for _ in range(5_000)])
    nodes = [("step", step.step_id) for step in made]
    async with db.transaction() as tx:
        await dependencies.add(tx, list(itertools.pairwise(nodes)))

    with pytest.raises(Conflict) as caught:
        await add(db, World(), (nodes[-1], nodes[0]))
    cycle: Any = caught.value.details["cycle"]
    assert (cycle[0], cycle[-1], len(cycle)) == (cycle[-1], cycle[0], 41)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_a_cycle_is_found_exactly_when_there_is_one(pairs: list[tuple[int, int]]) -> None:
    graph: dict[Node, list[Node]] = {}
    for source, target in pairs:
        graph.setdefault(("step", str(source)), []).append(("step", str(target)))
    found = find_cycle(graph)
    sorter = TopologicalSorter(graph)

    if found is None:
        sorter.prepare()
    else:
        assert found[0] == found[-1]
        assert all(target in graph[source] for source, target in itertools.pairwise(found))
