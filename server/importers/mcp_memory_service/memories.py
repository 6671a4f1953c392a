"""Memories on their way into facts: the key is the hash, the value all that is told but the embedding."""

from typing import Any

from server.importers.reading import is_object, object_of
from server.importers.taking import Taken
from server.importers.values import Fields, derived, fields, text

NAMESPACE = "memories"
NOT_KEPT = ("embedding", "embeddings")  # numbers that a model makes anew of the content
EXPORT = "export"  # the fact that holds what the newest export says of itself


def add(taken: Taken, seen: dict[str, str]) -> None:
    """Add the memories of an export. `seen` has the hashes that stand in newer ones, with their place."""
    whole = fields(taken.value, "$", taken.teller)
    if whole is None:
        taken.mark("failed", "no object")
        return
    for where, value in whole.objects("memories"):
        if not is_object(value):
            taken.teller.tell("error", where, "no memory", value)
            continue
        _memory(taken, Fields(object_of(value), where, taken.teller), seen)
    if "memories" in whole.left:
        taken.teller.tell("error", "$.memories", "no list of memories")
    if EXPORT not in seen:
        seen[EXPORT] = taken.content.path
        taken.add(taken.make.fact(taken.make.system, EXPORT, whole.left))


def _memory(taken: Taken, memory: Fields, seen: dict[str, str]) -> None:
    for name in NOT_KEPT:
        memory.left.pop(name, None)
    content = memory.keep("content")
    key = _key(memory.keep("content_hash"), content)
    if key is None:
        taken.teller.tell("error", memory.at, "no memory: it has neither content nor a hash", memory.left)
        return
    where = f"{taken.content.path} {memory.at}"
    if key in seen:
        taken.teller.info(memory.at, f"the same memory stands in {seen[key]}, which counts", key)
        return
    seen[key] = where
    value: dict[str, Any] = dict(memory.left)
    created_at = _moment(memory, "created_at") or taken.make.at
    updated_at = _moment(memory, "updated_at") or created_at
    times = {"created_at": created_at, "updated_at": max(created_at, updated_at)}
    taken.add(taken.make.fact(NAMESPACE, key, value, memory.at, created_by=_author(memory), **times))


def _key(told: Any, content: Any) -> str | None:
    if isinstance(told, str) and told.strip():
        return told.strip()
    return derived("unhashed", text(content)) if content not in (None, "") else None


def _moment(memory: Fields, name: str) -> str | None:
    """Return a time, of seconds since 1970 or in ISO 8601, as the exporter writes one of them or both."""
    for spelled in (name, f"{name}_iso"):
        if memory.keep(spelled) is not None and (found := memory.maybe_moment(spelled)):
            return found
    return None


def _author(memory: Fields) -> str | None:
    """Return the agent that a memory names as its source."""
    told = object_of(memory.keep("metadata")).get("agent_id")
    return told if isinstance(told, str) and told else None
