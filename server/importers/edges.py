"""What waits for what: the columns of a dependency, and which of many may stay so that none closes a circle."""

from collections.abc import Iterable, Iterator
from typing import Any

from server.db.dependencies.dependencies import Edge, Node, find_cycle
from server.importers.values import Object, derived


def edge(source: Node, target: Node, *, closed: bool, at: str, kind: str = "blocks", **more: Any) -> tuple[str, Object]:
    """Return the key and the columns of a dependency: the source waits for the target, which is `closed` or not."""
    key: str = more.pop("dependency_id", None) or derived("dep", *source, *target)
    return key, {
        "dependency_id": key,
        "source_type": source[0],
        "source_id": source[1],
        "target_type": target[0],
        "target_id": target[1],
        "dep_type": kind,
        "dep_status": "satisfied" if closed else "pending",
        "satisfied_at": at if closed else None,
        "extra": {},
        "created_at": at,
        "updated_at": at,
        **more,
    }


def graph_of(edges: Iterable[Edge]) -> dict[Node, list[Node]]:
    graph: dict[Node, list[Node]] = {}
    for source, target in edges:
        graph.setdefault(source, []).append(target)
    return graph


def acyclic(edges: Iterable[Edge]) -> Iterator[tuple[Edge, bool]]:
    """Yield each edge, and whether it may stay: one that would close a cycle with those before it may not."""
    every = list(dict.fromkeys(edges))
    if not find_cycle(graph_of(every)):
        yield from ((edge, True) for edge in every)
        return
    kept: dict[Node, list[Node]] = {}
    for source, target in every:
        fine = not _leads_to(kept, target, source)
        if fine:
            kept.setdefault(source, []).append(target)
        yield (source, target), fine


def _leads_to(graph: dict[Node, list[Node]], start: Node, end: Node) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        if (node := waiting.pop()) == end:
            return True
        fresh = [after for after in graph.get(node, ()) if after not in seen]
        seen.update(fresh)
        waiting += fresh
    return False
