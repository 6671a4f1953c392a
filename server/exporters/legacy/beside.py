"""The files beside a plan's state, and those of a workspace: context, notes, prompts, knowledge, programs."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

from server.exporters.documents import file_name
from server.exporters.folder import File
from server.exporters.legacy import entries, style
from server.exporters.legacy.entries import Change, Entry, Row
from server.importers.legacy.context import TIMES
from server.importers.reading import Content, UnreadableFile, is_object, json_of, object_of

PROMPT, PROMPTS = ".prompt.md", "prompts/"
PLAIN = re.compile(r"[\w.@+ ()\[\]{}=,;&'!~-]+(/[\w.@+ ()\[\]{}=,;&'!~-]+)*")
RESERVED = {"state", "_archived"}

Changer = Callable[[Any], Any]


def rewritten(
    path: str, data: bytes, changed: Changer, *, modified_at: str | None = None, is_plan: bool = False
) -> File:
    """Return a JSON file with its changes: to the byte the one it was, if there are none."""
    try:
        value = json_of(Content(path, "", len(data), b"", "", data))
    except UnreadableFile as error:
        return File(path, data, is_plan, f"it cannot be read ({error}), so it was given back as it came", modified_at)
    now = changed(deepcopy(value))
    same = json.dumps(now) == json.dumps(value)
    return (
        File(path, data, is_plan, None, modified_at)
        if same
        else File(path, style.written(now, style.of(data)), is_plan)
    )


def brand_new(path: str, value: Any, *, is_plan: bool = False, note: str | None = None) -> File:
    return File(path, style.written(value, style.Style()), is_plan, note)


def with_changes(path: str, data: bytes, known: Change, source: str, modified_at: str | None) -> File | None:
    """Return a file that became one context item, document or piece of knowledge, as it is now; None if it is gone."""
    found = known.of_file(source, "context_items", "research_documents", "knowledge")
    if not found:
        return File(path, data, modified_at=modified_at)
    [(table, key), *_] = found
    before, now = known.before[table][key], known.now.get(table, {}).get(key)
    if now is None:
        return None
    if table == "research_documents":
        return _text(path, data, before["content"], now["content"], modified_at)
    if table == "knowledge":
        return _knowledge(path, data, before, now, modified_at)
    return _context_item(path, data, before, now, modified_at)


def _context_item(path: str, data: bytes, before: Row, now: Row, modified_at: str | None) -> File:
    if before["data"] == now["data"]:
        return File(path, data, modified_at=modified_at)
    if before["type"].startswith(PROMPTS) and path.endswith(PROMPT):
        return File(path, _prompt(now["data"]).encode())
    return rewritten(path, data, lambda value: _item(value, before, now), modified_at=modified_at)


def new_files(folder: str, known: Change, workspace_id: str, plan_id: str | None = None) -> Iterator[File]:
    """Yield the files of what was stored since the import, or never imported."""
    parent = plan_id or workspace_id
    for row in known.new("context_items").values():
        if row["parent_id"] == parent:
            yield _new_item(folder, row, workspace_id, plan_id)
    notes = "research_notes" if plan_id else "research"
    for row in known.new("research_documents").values():
        if row["parent_id"] == parent:
            path = f"{folder}{notes}/{_name(row['filename'])}"
            yield File(path, row["content"].encode(), modified_at=row["created_at"])
    for row in known.new("knowledge").values():
        yield brand_new(f"{folder}knowledge/{_name(row['slug'])}.json", entries.fresh("knowledge", row))


def _name(told: str) -> str:
    """Return a relative path for a name that people chose, if it can be one."""
    safe = PLAIN.fullmatch(told) and ".." not in PurePosixPath(told).parts and len(told) < 200
    return told if safe and not told.endswith((".", " ")) else file_name(told)


def _new_item(folder: str, row: Row, workspace_id: str, plan_id: str | None) -> File:
    if row["type"].startswith(PROMPTS) and plan_id and set(row["data"]) == {"front_matter", "body"}:
        return File(f"{folder}{_name(row['type'])}{PROMPT}", _prompt(row["data"]).encode())
    name = _name(row["type"])
    path = f"{folder}{name if name not in RESERVED else file_name(name.upper())}.json"
    where = {"plan_id": plan_id} if plan_id else {}
    head = {"type": row["type"], **where, "workspace_id": workspace_id, "stored_at": row["updated_at"]}
    return brand_new(path, {**head, "data": row["data"]})


def _item(value: Any, before: Row, now: Row) -> Any:
    """Return the JSON of a context file with the data that the item has now."""
    if not is_object(value):
        return now["data"].get("value", now["data"])
    found = object_of(value)
    if found.get("data") == before["data"]:
        found["data"] = now["data"]
    else:
        _merge(found, before["data"], now["data"])
    if stamp := next((name for name in TIMES if isinstance(found.get(name), str)), None):
        found[stamp] = now["updated_at"]
    return found


def _merge(found: Entry, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in before:
        if name not in now:
            found.pop(name, None)
    for name, value in now.items():
        if name not in before or before[name] != value:
            found[name] = value


def _knowledge(path: str, data: bytes, before: Row, now: Row, modified_at: str | None) -> File:
    if not path.endswith(".json"):
        return _text(path, data, before["content"], now["content"], modified_at)
    return rewritten(
        path, data, lambda value: entries.patched(value, "knowledge", before, now), modified_at=modified_at
    )


def _text(path: str, data: bytes, before: str, now: str, modified_at: str | None) -> File:
    return File(path, data, modified_at=modified_at) if before == now else File(path, now.encode())


def _prompt(data: Mapping[str, Any]) -> str:
    front = "".join(f"{name}: {value}\n" for name, value in data["front_matter"].items())
    return (f"---\n{front}---\n" if front else "") + str(data["body"])
