"""Configuration of a hive into facts: each file is a namespace, each of its first keys a fact."""

from typing import Any

from server.importers.agent_hive.hive import HivePart, first_time, text_in, where_of
from server.importers.reading import is_object, object_of
from server.importers.values import Object, place
from server.importers.values import text as as_text

WHOLE = "value"  # the key of what is no object


def read(part: HivePart, text: str) -> None:
    """Make facts of a JSON file."""
    found = part.values(text)
    for item in found:
        facts(part, item.value, where_of(item, found), part.path if len(found) == 1 else f"{part.path}#{item.line}")


def read_yaml(part: HivePart, value: Any) -> None:
    """Make facts of a YAML file, which has no secrets any more."""
    facts(part, value, "$", part.path)
    part.mark()


def facts(part: HivePart, value: Any, where: str, namespace: str) -> None:
    listed = object_of(value) if is_object(value) else {WHOLE: value} if value is not None else {}
    for key, item in listed.items():
        fact(part, namespace, key, item, place(where, key))


def fact(
    part: HivePart, namespace: str, key: str, value: Any, where: str, *, agent: str | None = None, **told: Any
) -> None:
    """Add a fact of the workspace, or of one agent in it."""
    owner = part.hive.workspace_id
    entry_id = part.make.id("mem", agent or "", namespace, key)
    scope = {"scope": "agent", "scope_id": agent} if agent else {"scope": "workspace", "scope_id": owner}
    columns = {"workspace_id": owner, **scope, "namespace": namespace, "key": key, "value": value, **told}
    part.add("memory_entries", entry_id, where, **columns)


def row(part: HivePart, value: Object, where: str) -> bool:
    """Make a fact of a row. One without an agent is for all of the hive; several of a key leave the last."""
    agent = text_in(value.get("agent_id"))
    namespace, key = as_text(value["category"]), as_text(value["key"])
    if not part.is_new("configuration", f"{agent} {namespace} {key}"):
        return False
    at = part.hive.past(first_time(value, "updated_at"), part.at)
    by = text_in(value.get("updated_by"))
    fact(part, namespace, key, value.get("value"), where, agent=agent, created_by=by, created_at=at, updated_at=at)
    return set(value) <= {"agent_id", "category", "key", "value"}
