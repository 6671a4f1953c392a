"""The files of a hive given back: what did not change byte for byte, the others with what changed of them."""

from collections.abc import AsyncGenerator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.exporters import given_back
from server.exporters.agent_hive import backlog
from server.exporters.documents import file_name
from server.exporters.folder import File
from server.exporters.given_back import AS_IT_CAME, PLACELESS, RECORDS, Way, of_another_plan, place_of
from server.exporters.legacy.entries import Change, Field, Row
from server.importers.reading import is_object, object_of

NAME = "agent-hive"
BACKLOG = "BACKLOG.md"
STATUSES = {"done": "completed", "active": "in_progress"}
DATABASES = (".db", ".sqlite", ".db-wal", ".db-shm")
WORK = {"plans": "plans", "steps": "steps"}
KEPT = "a database is given back as it came; what changed since is in this program's alone"


def _status(status: Any) -> Any:
    return STATUSES.get(status, status)


def _values(path: str, value: Any, known: Change) -> Any:
    """Put facts and context that changed into the value of their file."""
    for table in ("memory_entries", "context_items"):
        before, now = known.table(table)
        for key in known.of_file(path, table):
            place = place_of(known.paths[key][1])
            old, new = before[key[1]], now.get(key[1])
            if table == "memory_entries":
                _set(value, place, old.get("value"), new and new.get("value"), is_gone=new is None)
            elif new is not None and not place:
                _merge(value, old.get("data"), new.get("data"))
    return value


def _set(value: Any, place: given_back.Place, before: Any, now: Any, *, is_gone: bool) -> None:
    around = value
    for part in place[:-1]:
        around = around[part]
    if is_gone:
        around.pop(place[-1], None)
    elif before != now:
        around[place[-1]] = now


def _merge(value: Any, before: Any, now: Any) -> None:
    """Set the keys of an object that changed, and take away those that are gone."""
    if not is_object(value):
        return
    old, new = object_of(before), object_of(now)
    for name in {**old, **new}:
        if name not in new:
            value.pop(name, None)
        elif name not in old or old[name] != new[name]:
            value[name] = new[name]


# A path, and which column of a row that was made of such a file is which field of it.
WAYS: tuple[tuple[str, Way], ...] = (
    (
        "*.claude/agents/*.json",
        Way(NAME, {
            "steps": (Field("task", "task"), Field("status", "status", _status), Field("priority", "priority")),
            "agents": (Field("worktree", "worktree_path"), Field("branch", "branch_name"), Field("type", "agent_type")),
        }),
    ),
    (
        "*integration_progress.json",
        Way(NAME, {
            "steps": (Field("task", "title"), Field("status", "status", _status), Field("notes", "description"),
                      Field("due_at", "target_date"), Field("acceptance_criteria", "criteria")),
        }, _values),
    ),
    (
        "*message_bus/inboxes/*.json",
        Way(NAME, {"messages": (Field("content", "content"), Field("priority", "priority"))}),
    ),
)  # fmt: skip
OTHERS = Way(NAME, {}, _values)


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the files of every hive, each in a folder of its own."""
    for workspace_id in await exports.workspaces(db):
        async for file in workspace(db, workspace_id, f"{file_name(workspace_id)}/"):
            yield file


async def workspace(db: Reader, workspace_id: str, root: str = "") -> AsyncGenerator[File]:
    """Yield the files of one hive, as they lay in its project."""
    listed = await exports.imported_by(db, workspace_id, NAME)
    known = await given_back.known_of(db, workspace_id) if listed else Change()
    async for file in _files(db, listed, known, root):
        yield file


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the files that a plan and its steps came from."""
    workspace_id = await exports.workspace_of(db, plan_id) or ""
    known = await given_back.known_of(db, workspace_id)
    paths = {
        known.paths[table, key][0]
        for table in ("plans", "steps")
        for key, row in known.before.get(table, {}).items()
        if row.get("plan_id") == plan_id
    }
    listed = [one for one in await exports.imported_by(db, workspace_id, NAME) if one["path"] in paths]
    async for file in _files(db, listed, known, ""):
        yield file


async def left_out(db: Reader, workspace_id: str | None, plan_id: str | None = None) -> dict[str, int]:
    """Return how many files cannot be given back, and how much of what was made here has no place in any."""
    is_of_another = of_another_plan(plan_id)

    def is_placed(table: str, row: Row, known: Change) -> bool:
        is_theirs = table == "steps" and ("plans", row["plan_id"]) in known.of_file(BACKLOG, "plans")
        return is_theirs or is_of_another(table, row, known)

    lost = await given_back.left_out(db, workspace_id, OTHERS)
    return lost | await given_back.made_here(db, workspace_id, NAME, PLACELESS | RECORDS | WORK, is_placed)


async def _files(db: Reader, listed: list[dict[str, Any]], known: Change, root: str) -> AsyncGenerator[File]:
    for one in listed:
        if (data := await given_back.bytes_of(db, one)) is not None:
            yield _file(one, data, known, root)


def _file(one: Mapping[str, Any], data: bytes, known: Change, root: str) -> File:
    path: str = one["path"]
    if path.endswith(DATABASES):
        is_changed = any(_is_changed(known, table, key) for table, key in known.of_file(path, *known.now))
        return File(f"{root}{path}", data, note=KEPT if is_changed else None, modified_at=one["modified_at"])
    if path.endswith(".md"):
        written = backlog.changed(data, path, known) if path == BACKLOG else _text(data, path, known)
        return File(f"{root}{path}", written, modified_at=one["modified_at"] if written == data else None)
    way = next((way for pattern, way in WAYS if fnmatchcase(path, pattern)), OTHERS)
    return given_back.given_back(one, data, known, way, root)


def _is_changed(known: Change, table: str, key: str) -> bool:
    before, now = known.before[table][key], known.now[table].get(key)
    return now is None or any(now.get(name) != value for name, value in before.items() if name in WATCHED)


WATCHED = ("status", "task", "title", "notes", "priority", "content", "value", "data")


def _text(data: bytes, path: str, known: Change) -> bytes:
    """Return a text as it is now, if it was edited."""
    for table in ("knowledge", "research_documents"):
        before, now = known.table(table)
        for _, key in known.of_file(path, table):
            text = now.get(key, before[key]).get("content")
            if text != before[key].get("content"):
                return str(text).encode()
    return data


__all__ = ["AS_IT_CAME", "left_out", "one_plan", "store", "workspace"]
