"""Who worked in a hive: what all its files together say of an agent is one row of the registry."""

from collections.abc import Iterator

from server.importers.agent_hive import plans
from server.importers.agent_hive.hive import Hive, HivePart, figure, first_text, first_time, rest, texts_in, where_of
from server.importers.reading import is_object, object_of
from server.importers.rows import RowMaker
from server.importers.values import Object, plain_word
from server.models.imports import ImportBatch

STATUSES = ("active", "idle", "crashed", "sleeping")
STATUS_NAMES = {
    "working": "active", "running": "active", "busy": "active", "in_progress": "active", "spawned": "active",
    "completed": "idle", "available": "idle", "done": "idle", "offline": "sleeping", "stopped": "sleeping",
    "failed": "crashed", "error": "crashed", "dead": "crashed",
}  # fmt: skip
SEEN = ("last_activity", "last_update", "completion_time", "timestamp", "spawn_time", "created_at")
TAKEN = ("agent_id", "agent_type", "status", "worktree_path", "branch_name", "capabilities", "configuration",
         "context_usage")  # fmt: skip
BEGUN = ("created_at", "registered_at", "spawn_time")


def note(part: HivePart, name: str, value: Object, where: str, **told: object) -> None:
    """Take what a file says of an agent; what an earlier one said of the same stays."""
    known = part.hive.agents.setdefault(name, {"make": part.make, "where": where, "times": [], "begun": []})
    known["times"] += [part.hive.past(at, part.at)] if (at := first_time(value, *SEEN)) else []
    known["begun"] += [at] if (at := first_time(value, *BEGUN)) else []
    for column, item in told.items():
        if item not in (None, "", [], {}):
            known.setdefault(column, item)


def read_agent(part: HivePart, text: str) -> None:
    """Read the file of an agent: who it is goes to the registry, its task to a plan."""
    found = part.values(text)
    for item in found:
        value, where = object_of(item.value), where_of(item, found)
        name = first_text(value, "agent_id", "agent_name") or part.stem
        if part.is_copy or not is_object(item.value) or not part.is_new("agent's task", name):
            part.context(f"{part.path}{'' if where == '$' else f'#{item.line}'}", item.value, where)
            continue
        spawned(part, name, value, where)
        plans.agent_task(part, value, where)


def spawned(part: HivePart, name: str, value: Object, where: str) -> None:
    note(
        part,
        name,
        value,
        where,
        type=first_text(value, "agent_type"),
        status=first_text(value, "status"),
        worktree=first_text(value, "worktree_path"),
        branch=first_text(value, "branch_name", "branch"),
        capabilities=texts_in(value.get("capabilities")),
        configuration=object_of(value.get("configuration")),
    )


def finished(hive: Hive) -> Iterator[ImportBatch]:
    """Yield the agents, of which all files are read now."""
    for name, known in hive.agents.items():
        make: RowMaker = known.pop("make")
        where, times, begun = (known.pop(part) for part in ("where", "times", "begun"))
        raw = known.pop("status", None)
        told: Object = {**known.pop("more", {}), **({"status": raw} if raw and status_of(raw) != raw else {})}
        registered_at = min([*begun, *times], default=make.at)
        columns: Object = {
            "agent": name,
            "status": status_of(raw),
            "registered_at": registered_at,
            "last_activity_at": max([*times, registered_at]),
            "external_id": name,
            "extra": rest(told),
            **known,
        }
        row = make.row("agents", make.id("agent", name), where, **columns)
        yield ImportBatch(hive.workspace_id, rows=[row])


def status_of(raw: object) -> str:
    plain = plain_word(raw or "")
    return plain if plain in STATUSES else STATUS_NAMES.get(plain, "idle")


def row(part: HivePart, value: Object, where: str) -> bool:
    """Take what a database says of an agent."""
    name = first_text(value, "agent_id")
    if name is None:
        return False
    known = part.hive.agents.get(name)
    spawned(part, name, value, where)
    found = part.fields({key: item for key, item in value.items() if key not in TAKEN[:-1]}, where)
    note(part, name, value, where, context_usage=figure(found, TAKEN[-1]), more=found.left)
    return known is None
