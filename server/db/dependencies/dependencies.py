"""Table `dependencies`: the source waits for the target while the row is pending and of type `blocks`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Record, Statement
from server.errors import Conflict
from server.models.base import Columns, encode, new_id
from server.models.events import Event
from server.models.plans import DependencyType, Plan

Node = tuple[str, str]  # (type, id): ("step", "step_..."), ("phase", ...), ("plan", ...), ("program", ...)
Edge = tuple[Node, Node]  # (source, target)
CYCLE_SHOWN = 40
OF_EDGE = """
    source_type = :source_type AND source_id = :source_id AND target_type = :target_type AND target_id = :target_id
"""

IS_CLOSED = """
    CASE d.target_type
    WHEN 'step' THEN
        EXISTS (SELECT 1 FROM steps WHERE step_id = d.target_id AND status IN ('done', 'cancelled'))
        OR EXISTS (SELECT 1 FROM steps_archive WHERE step_id = d.target_id AND status IN ('done', 'cancelled'))
    WHEN 'phase' THEN
        (EXISTS (SELECT 1 FROM steps WHERE phase_id = d.target_id) AND NOT EXISTS (
            SELECT 1 FROM steps WHERE phase_id = d.target_id AND status NOT IN ('done', 'cancelled')))
        OR (EXISTS (SELECT 1 FROM steps_archive WHERE phase_id = d.target_id) AND NOT EXISTS (
            SELECT 1 FROM steps_archive WHERE phase_id = d.target_id AND status NOT IN ('done', 'cancelled')))
    WHEN 'plan' THEN
        EXISTS (SELECT 1 FROM plans WHERE plan_id = d.target_id AND status = 'completed')
        OR EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = d.target_id AND status = 'completed')
    WHEN 'program' THEN
        EXISTS (SELECT 1 FROM program_plans WHERE program_id = d.target_id) AND NOT EXISTS (
            SELECT 1 FROM program_plans m
            WHERE m.program_id = d.target_id
              AND NOT EXISTS (SELECT 1 FROM plans WHERE plan_id = m.plan_id AND status = 'completed')
              AND NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = m.plan_id AND status = 'completed'))
    END
"""


def exists(end: str, suffix: str = "") -> str:
    """Return the condition that the source or target of the row `d` is there, live or in the archive."""
    kinds = ("plan", "phase", "step") if suffix else ("plan", "phase", "step", "program")
    arms = (f"WHEN '{k}' THEN EXISTS (SELECT 1 FROM {k}s{suffix} WHERE {k}_id = d.{end}_id)" for k in kinds)
    return f"CASE d.{end}_type {' '.join(arms)} ELSE 0 END"


TARGET_EXISTS = f"({exists('target')} OR {exists('target', '_archive')})"


def _links(edge: str = "", step: str = "") -> tuple[str, ...]:
    """Return what a node that was reached leads to: what it waits for itself, what the phase, plan or program around
    it waits for (marked with a star), and the members without which a plan, phase or program is not finished.

    `edge` and `step` are further conditions of the edges and of the members that are steps.
    """
    return (
        f"""d.target_type, d.target_id FROM reached w
            JOIN dependencies d ON d.source_type = w.type AND d.source_id = w.id AND d.dep_type = 'blocks' {edge}""",
        "'phase*', s.phase_id FROM reached w JOIN steps s ON w.type = 'step' AND s.step_id = w.id",
        "'plan*', p.plan_id FROM reached w JOIN phases p ON w.type IN ('phase', 'phase*') AND p.phase_id = w.id",
        """'program*', p.program_id FROM reached w
            JOIN plans p ON w.type IN ('plan', 'plan*') AND p.plan_id = w.id AND p.program_id IS NOT NULL""",
        f"""d.target_type, d.target_id FROM reached w
            JOIN dependencies d ON w.type IN ('phase*', 'plan*', 'program*')
                AND d.source_type = rtrim(w.type, '*') AND d.source_id = w.id AND d.dep_type = 'blocks' {edge}""",
        f"'step', s.step_id FROM reached w JOIN steps s ON w.type = 'phase' AND s.phase_id = w.id {step}",
        f"'step', s.step_id FROM reached w JOIN steps s ON w.type = 'plan' AND s.plan_id = w.id {step}",
        "'plan', m.plan_id FROM reached w JOIN program_plans m ON w.type = 'program' AND m.program_id = w.id",
    )


def _reachable(links: Sequence[str]) -> str:
    """Return the query for all that must close before `:targets` can. A node is reached once, whatever leads to it."""
    return f"""
        WITH RECURSIVE reached (type, id) AS (
            SELECT value ->> 0, value ->> 1 FROM json_each(:targets)
            {"".join(f" UNION SELECT {link}" for link in links)}
        )
        {" UNION ALL ".join(f"SELECT w.type AS from_type, w.id AS from_id, {link}" for link in links)}
    """


REACHABLE = _reachable(_links())
STILL_REACHABLE = _reachable(_links("AND d.dep_status = 'pending'", "AND s.status NOT IN ('done', 'cancelled')"))

PENDING_NAMED = """
    SELECT d.source_type, d.source_id, d.target_type, d.target_id,
        CASE d.target_type
        WHEN 'plan' THEN coalesce(
            (SELECT title FROM plans WHERE plan_id = d.target_id),
            (SELECT title FROM plans_archive WHERE plan_id = d.target_id))
        WHEN 'phase' THEN coalesce(
            (SELECT name FROM phases WHERE phase_id = d.target_id),
            (SELECT name FROM phases_archive WHERE phase_id = d.target_id))
        WHEN 'program' THEN (SELECT title FROM programs WHERE program_id = d.target_id)
        END AS name
    FROM dependencies d
    WHERE (d.source_type, d.source_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:sources))
      AND d.dep_type = 'blocks' AND d.dep_status = 'pending'
    ORDER BY d.dependency_id
"""

# Nodes with the plans that wait as they do: what a program waits for, all of its plans wait for.
WITH_PLANS = """
    SELECT n.type, n.id, p.plan_id, p.workspace_id,
        EXISTS (SELECT 1 FROM dependencies d WHERE d.source_type = n.type AND d.source_id = n.id
            AND d.dep_type = 'blocks' AND d.dep_status = 'pending') AS waits
    FROM (SELECT key, value ->> 0 AS type, value ->> 1 AS id FROM json_each(:nodes)) AS n
    LEFT JOIN steps s ON n.type = 'step' AND s.step_id = n.id
    LEFT JOIN phases h ON n.type = 'phase' AND h.phase_id = n.id
    LEFT JOIN program_plans m ON n.type = 'program' AND m.program_id = n.id
    LEFT JOIN plans p
        ON p.plan_id = coalesce(s.plan_id, h.plan_id, m.plan_id, CASE n.type WHEN 'plan' THEN n.id END)
    ORDER BY n.key, m.order_index
"""


async def add(tx: Transaction, edges: Sequence[Edge], dep_type: DependencyType = "blocks") -> None:
    """Add edges, or change the type of those that exist. A cycle over `blocks` raises Conflict and prints it.

    The caller has checked that sources and targets exist.
    """
    if not edges:
        return
    await tx.many(
        f"""
        INSERT INTO dependencies (dependency_id, source_type, source_id, target_type, target_id, dep_type, dep_status,
            satisfied_at, created_at, updated_at)
        SELECT :dependency_id, :source_type, :source_id, d.target_type, d.target_id, :dep_type,
            CASE WHEN d.closed THEN 'satisfied' ELSE 'pending' END, CASE WHEN d.closed THEN :now END, :now, :now
        FROM (SELECT *, ({IS_CLOSED}) AS closed FROM (SELECT :target_type AS target_type, :target_id AS target_id) d) d
        WHERE true
        ON CONFLICT (source_type, source_id, target_type, target_id)
        DO UPDATE SET dep_type = excluded.dep_type, updated_at = excluded.updated_at
        """,
        [_row(edge, dep_type, tx.now()) for edge in dict.fromkeys(edges)],
    )
    if dep_type == "blocks":
        await refuse_cycle(tx, edges)
        await _turned(tx, [source for source, _ in edges if source[0] != "step"], is_free=False)


def _row(edge: Edge, dep_type: str, now: str) -> dict[str, Any]:
    return {"dependency_id": new_id("dep"), **_ends(edge), "dep_type": dep_type, "now": now}


async def put_back(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert whole rows that were deleted, where their source is now, and return those of which both ends exist."""
    ends = {row["dependency_id"]: row for row in rows}
    found = await tx.all(
        f"""
        SELECT d.id, {exists("source")} AS live FROM (
            SELECT value ->> 'dependency_id' AS id, value ->> 'source_type' AS source_type,
                value ->> 'source_id' AS source_id, value ->> 'target_type' AS target_type,
                value ->> 'target_id' AS target_id
            FROM json_each(:rows)
        ) AS d
        WHERE {TARGET_EXISTS} AND ({exists("source")} OR {exists("source", "_archive")})
        """,
        {"rows": encode(list(rows))},
    )
    for suffix, live in (("", 1), ("_archive", 0)):
        there = [ends[row["id"]] for row in found if row["live"] == live]
        if there:
            names = ", ".join(there[0])
            values = ", ".join(f":{name}" for name in there[0])
            await tx.many(f"INSERT INTO dependencies{suffix} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING", there)
    back = [ends[row["id"]] for row in found]
    blocking = [edge_of(row) for row in back if row["dep_type"] == "blocks"]
    await refuse_cycle(tx, blocking)
    await _turned(tx, [source for source, _ in blocking], is_free=False)
    return back


def edge_of(row: Mapping[str, Any] | Record) -> Edge:
    return (row["source_type"], row["source_id"]), (row["target_type"], row["target_id"])


def of_plan(plan: Plan) -> list[Node]:
    """Return what opens and closes with a plan: itself, and its program if it has one."""
    return [("plan", plan.plan_id), *([("program", plan.program_id)] if plan.program_id else [])]


async def find(db: Reader, edge: Edge) -> Columns | None:
    """Return the row of an edge."""
    return await db.one(f"SELECT * FROM dependencies WHERE {OF_EDGE}", _ends(edge))


async def remove(tx: Transaction, edge: Edge) -> None:
    await tx.run(f"DELETE FROM dependencies WHERE {OF_EDGE}", _ends(edge))


def _ends(edge: Edge) -> dict[str, str]:
    (source_type, source_id), (target_type, target_id) = edge
    return {"source_type": source_type, "source_id": source_id, "target_type": target_type, "target_id": target_id}


async def clear(tx: Transaction, sources: Iterable[Node], target_type: str) -> None:
    """Remove what `sources` wait for among targets of one type."""
    await tx.run(
        """
        DELETE FROM dependencies
        WHERE (source_type, source_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:sources))
          AND target_type = :target_type AND dep_type = 'blocks'
        """,
        {"sources": encode([list(source) for source in sources]), "target_type": target_type},
    )


async def join(tx: Transaction, gone: Sequence[Node], kept: Node) -> None:
    """Let `kept` wait for what `gone` wait for, and let what waits for them wait for it. A cycle raises Conflict."""
    rows = await tx.all(
        """
        SELECT * FROM dependencies
        WHERE (source_type, source_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:gone))
           OR (target_type, target_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:gone))
        ORDER BY dependency_id
        """,
        {"gone": encode([list(node) for node in [*gone, kept]])},
    )
    ends = dict.fromkeys(gone, kept)
    edges: dict[DependencyType, list[Edge]] = {"informs": [], "blocks": []}
    for row in rows:
        source, target = edge_of(row)
        edge = ends.get(source, source), ends.get(target, target)
        if edge[0] != edge[1]:
            edges[row["dep_type"]].append(edge)
    for dep_type, found in edges.items():  # what blocks once, blocks
        await add(tx, found, dep_type)


async def waits_of(
    db: Reader, source_type: str, ids: Iterable[str], *, target_type: str, suffix: str = ""
) -> dict[str, list[str]]:
    """Return what each source waits for over `blocks`: ids of targets of one type, oldest first."""
    rows = await db.all(
        f"""
        SELECT source_id, target_id FROM dependencies{suffix}
        WHERE source_type = :type AND source_id IN (SELECT value FROM json_each(:ids))
          AND target_type = :target_type AND dep_type = 'blocks'
        ORDER BY dependency_id
        """,
        {"type": source_type, "ids": encode(list(ids)), "target_type": target_type},
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["source_id"], []).append(row["target_id"])
    return found


async def pending_of(db: Reader, node: Node) -> list[str]:
    """Return the ids of what `node` still waits for over `blocks`."""
    rows = await db.all(
        """
        SELECT target_id FROM dependencies
        WHERE source_type = :type AND source_id = :id AND dep_type = 'blocks' AND dep_status = 'pending'
        ORDER BY dependency_id
        """,
        {"type": node[0], "id": node[1]},
    )
    return [row["target_id"] for row in rows]


async def pending_named(db: Reader, sources: Sequence[Node]) -> dict[Node, list[str]]:
    """Return what each of `sources` still waits for over `blocks`: steps by id, others by kind, name and id."""
    if not sources:
        return {}
    rows = await db.all(PENDING_NAMED, {"sources": encode([list(source) for source in dict.fromkeys(sources)])})
    found: dict[Node, list[str]] = {}
    for row in rows:
        name = f"{row['target_type']} {row['name']!r} ({row['target_id']})" if row["name"] else row["target_id"]
        found.setdefault((row["source_type"], row["source_id"]), []).append(name)
    return found


async def refresh(tx: Transaction, targets: Iterable[Node]) -> list[Node]:
    """Bring the state of everything that waits for `targets` up to date; return the sources that became free."""
    nodes = list(targets)
    return await freed(tx, (await tx.batch(refreshing(tx, nodes)))[0]) if nodes else []


def refreshing(tx: Transaction, targets: Iterable[Node]) -> Statement:
    """Return the statement of `refresh`, for a batch; `freed` takes its rows."""
    return (
        f"""
        UPDATE dependencies AS d
        SET dep_status = CASE WHEN {IS_CLOSED} THEN 'satisfied' ELSE 'pending' END,
            satisfied_at = CASE WHEN {IS_CLOSED} THEN :now END, updated_at = :now
        WHERE (target_type, target_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:targets))
          AND (dep_status = 'satisfied') <> ({IS_CLOSED})
        RETURNING source_type, source_id, dep_status, dep_type
        """,
        {"targets": encode([list(target) for target in dict.fromkeys(targets)]), "now": tx.now()},
    )


async def freed(tx: Transaction, changed: Sequence[Columns]) -> list[Node]:
    """Return the sources that became free by a refresh, from the rows it changed."""
    sources: dict[str, list[Node]] = {"satisfied": [], "pending": []}
    for row in changed:
        if row["dep_type"] == "blocks":
            sources[row["dep_status"]].append((row["source_type"], row["source_id"]))
    await _turned(tx, sources["pending"], is_free=False)
    return await free_among(tx, sources["satisfied"])


def waiting_on(rows: Iterable[Mapping[str, Any]], gone: Collection[Node]) -> list[Node]:
    """Return what waits for things that go, by their rows of `dependencies`; it may be free without them."""
    sources = [
        (row["source_type"], row["source_id"])
        for row in rows
        if row["dep_type"] == "blocks" and row["dep_status"] == "pending"
    ]
    return [node for node in sources if node not in gone]


async def free_among(tx: Transaction, nodes: Sequence[Node]) -> list[Node]:
    """Return those of `nodes` that wait for nothing any more; all of them waited until now."""
    return await _turned(tx, nodes, is_free=True)


async def _turned(tx: Transaction, nodes: Sequence[Node], *, is_free: bool) -> list[Node]:
    """Return those of `nodes` that are free now, or are not, and tell of it where their plans are."""
    if not nodes:
        return []
    rows = await tx.all(WITH_PLANS, {"nodes": encode([list(node) for node in dict.fromkeys(nodes)])})
    found = [row for row in rows if bool(row["waits"]) != is_free]
    type_ = "dependencies_met" if is_free else "dependencies_unmet"
    tx.elsewhere += [
        Event(type_, row["type"], row["id"], row["workspace_id"], row["plan_id"]) for row in found if row["plan_id"]
    ]
    return list(dict.fromkeys((row["type"], row["id"]) for row in found))


async def refuse_cycle(tx: Transaction, edges: Sequence[Edge]) -> None:
    """Raise Conflict if one of these edges, which exist already, closes a cycle over `blocks`."""
    graph: dict[Node, list[Node]] = {}  # what is new comes first: a cycle is told from there
    for source, target in edges:
        graph.setdefault(source, []).append(target)
    for source, targets in (await _graph(tx, REACHABLE, [target for _, target in edges])).items():
        graph.setdefault(source, []).extend(targets)
    if cycle := find_cycle(graph):
        ids = [node_id for _, node_id in told(cycle)]
        if len(ids) > CYCLE_SHOWN:
            ids = [*ids[: CYCLE_SHOWN // 2], "...", *ids[-CYCLE_SHOWN // 2 :]]
        raise Conflict(
            f"That would be a cycle, so nothing of it could ever start: {' waits for '.join(await _placed(tx, ids))}. "
            "Leave out one of these dependencies, or take one of them away first.",
            cycle=ids,
        )


def told(cycle: Sequence[Node]) -> list[Node]:
    """Return what of a cycle is to be told: not that something is inside something else, if there is more to it."""
    plain = [node for node in cycle if not node[0].endswith("*")]
    return plain if len({*plain}) > 1 else [(kind.removesuffix("*"), node_id) for kind, node_id in cycle]


async def _graph(db: Reader, query: str, starts: Sequence[Node]) -> dict[Node, list[Node]]:
    rows = await db.all(query, {"targets": encode([list(start) for start in dict.fromkeys(starts)])})
    graph: dict[Node, list[Node]] = {}
    for row in rows:
        graph.setdefault((row[0], row[1]), []).append((row[2], row[3]))
    return graph


async def cycles(db: Reader, starts: Sequence[Node], *, most: int) -> list[list[Node]]:
    """Return cycles among what `starts` still wait for, so that none of it can ever go on; one of each tangle."""
    graph = await _graph(db, STILL_REACHABLE, starts)
    found: list[list[Node]] = []
    while len(found) < most and (cycle := find_cycle(graph)):
        found.append(told(cycle))
        for node in cycle:
            graph.pop(node, None)
    return found


async def _placed(tx: Transaction, ids: Sequence[str]) -> list[str]:
    """Return ids with the index of those that are steps: who makes new ones knows no ids yet."""
    rows = await tx.all(
        "SELECT step_id, order_index FROM steps WHERE step_id IN (SELECT value FROM json_each(:ids))",
        {"ids": encode(list(ids))},
    )
    at = {row["step_id"]: row["order_index"] for row in rows}
    return [f"{node_id} (index {at[node_id]})" if node_id in at else node_id for node_id in ids]


def find_cycle(graph: dict[Node, list[Node]]) -> list[Node] | None:
    """Return the nodes of one cycle, the first again at the end, or None."""
    finished: set[Node] = set()
    for start in graph:
        path: dict[Node, None] = {}
        stack = [(start, iter(graph.get(start, ())))] if start not in finished else []
        if stack:
            path[start] = None
        while stack:
            node, children = stack[-1]
            child = next((c for c in children if c not in finished), None)
            if child is None:
                stack.pop()
                path.pop(node)
                finished.add(node)
            elif child in path:
                nodes = list(path)
                return [*nodes[nodes.index(child) :], child]
            else:
                path[child] = None
                stack.append((child, iter(graph.get(child, ()))))
    return None
