"""Files of another program given back: byte for byte where nothing changed, else the old file with the changes in it.

A layout states which column is which field (`Way.fields`). What a row was made of is known by its place in the file.
"""

import ast
import json
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from server.db.interchange import exports
from server.db.interchange.exports import Rows
from server.db.storage.connection import Reader
from server.exporters.documents import file_name
from server.exporters.folder import File
from server.exporters.legacy import entries, style
from server.exporters.legacy.entries import Change, Field
from server.importers.reading import Content, UnreadableFile, json_of, text_of
from server.text.editing import yaml

LINE = re.compile(r"line (\d+)(.*)")
PART = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\[('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]""")
AS_IT_CAME = "it could not be read, so it is given back as it came"
Place = tuple[str | int, ...]
Placed = Callable[[str, entries.Row, Change], bool]  # whether a file has a place for a row of a table
# What most of those programs have no file for that could take in more of it.
PLACELESS = {
    "plan_notes": "notes on plans", "decisions": "decisions", "tool_calls": "calls of tools", "runs": "runs",
    "memory_entries": "facts", "messages": "messages", "knowledge": "pieces of knowledge", "checkpoints": "checkpoints",
    "research_documents": "documents",
}  # fmt: skip
RECORDS = {
    "sessions": "sessions", "lineage": "hand-offs", "quality_gates": "quality gates", "artifacts": "artifacts",
}  # fmt: skip
Edit = tuple[Place, str, entries.Row, entries.Row | None]  # where, table, before, now


def _unchanged(path: str, value: Any, known: Change) -> Any:
    del path, known
    return value


def _none(known: Change) -> Iterator[File]:
    del known
    yield from ()


def of_another_plan(plan_id: str | None) -> Placed:
    """Return what leaves rows of other plans out of account; of all plans none."""

    def is_placed(table: str, row: entries.Row, known: Change) -> bool:
        del table, known
        return plan_id not in (None, row.get("plan_id"))

    return is_placed


@dataclass(frozen=True)
class Way:
    """How a layout goes back. `fields`: table -> which column is which field. `added` puts rows that were made here
    into a file's value; `new_files` writes what no file came from.
    """

    system: str
    fields: Mapping[str, tuple[Field, ...]]
    added: Callable[[str, Any, Change], Any] = _unchanged
    new_files: Callable[[Change], Iterator[File]] = _none


async def store(db: Reader, way: Way) -> AsyncGenerator[File]:
    """Yield the files of every workspace that has some of this layout, each in a folder of its own."""
    for workspace_id in await exports.workspaces(db):
        if await exports.imported_by(db, workspace_id, way.system):
            async for file in workspace(db, workspace_id, way, f"{file_name(workspace_id)}/"):
                yield file


async def workspace(db: Reader, workspace_id: str, way: Way, root: str = "") -> AsyncGenerator[File]:
    """Yield the files of one workspace, as they lay in its project."""
    known = await known_of(db, workspace_id)
    for one in await exports.imported_by(db, workspace_id, way.system):
        if (data := await bytes_of(db, one)) is not None:
            yield given_back(one, data, known, way, root)
    for file in way.new_files(known):
        yield file


async def bytes_of(db: Reader, one: Mapping[str, Any]) -> bytes | None:
    """Return the bytes of an imported file, if they were kept."""
    raw = await exports.raw(db, one["file_id"])
    return zlib.decompress(raw) if raw else None


async def left_out(db: Reader, workspace_id: str | None, way: Way) -> dict[str, int]:
    """Return how many files cannot be given back: of those that held secrets the bytes were not kept."""
    listed = [workspace_id] if workspace_id else await exports.workspaces(db)
    found = [one for each in listed for one in await exports.imported_by(db, each, way.system)]
    lost = sum(not one["is_kept"] for one in found)
    return {"files whose bytes were not kept: they held secrets, or were too large": lost} if lost else {}


async def made_here(
    db: Reader, workspace_id: str | None, system: str, what: Mapping[str, str], is_placed: Placed
) -> dict[str, int]:
    """Return how much of what was made here has no place in the files: by what each table holds."""
    found: dict[str, int] = {}
    for each in [workspace_id] if workspace_id else await exports.workspaces(db):
        if not await exports.imported_by(db, each, system):
            continue
        known = await known_of(db, each)
        for table, name in what.items():
            new = sum(not is_placed(table, row, known) for row in known.new(table).values())
            if new:
                found[name] = found.get(name, 0) + new
    return found


async def known_of(db: Reader, workspace_id: str) -> Change:
    """Return what imports made of the files of a workspace, and what it is now."""
    rows: Rows = await exports.workspace(db, workspace_id)
    for plan_id in await exports.plans(db, workspace_id):
        for table, more in (await exports.plan(db, plan_id)).items():
            rows.setdefault(table, []).extend(more)
    return entries.change(await exports.origins(db, workspace_id), rows)


def given_back(one: Mapping[str, Any], data: bytes, known: Change, way: Way, root: str = "") -> File:
    """Return a file with what changed of it since."""
    path: str = one["path"]
    edits = list(_edits(path, known, way))
    target = f"{root}{path}"
    try:
        if path.endswith((".jsonl", ".ndjson")):
            written = _lines(data, edits, way)
        elif path.endswith((".yaml", ".yml")):
            written = _yaml(data, edits, path, known, way)
        else:
            written = _json(data, edits, path, known, way)
    except (UnreadableFile, yaml.BadYaml, LookupError, ValueError):
        return File(target, data, note=AS_IT_CAME if edits else None, modified_at=one["modified_at"])
    return File(target, written, modified_at=one["modified_at"] if written == data else None)


def _edits(path: str, known: Change, way: Way) -> Iterator[Edit]:
    """Yield what changed of the rows that a file became."""
    for table, key in known.of_file(path, *way.fields):
        before, now = known.before[table][key], known.now.get(table, {}).get(key)
        if now is None or any(_differs(one, before, now) for one in way.fields[table]):
            yield place_of(known.paths[table, key][1]), table, before, now


def _differs(one: Field, before: entries.Row, now: entries.Row) -> bool:
    return one.column in before and one.shown(before.get(one.column)) != one.shown(now.get(one.column))


def place_of(json_path: str) -> Place:
    """Return the keys and indices that lead to a place: `$.a[3]['b c']`, or `line 12.a`, whose line comes first."""
    found: list[str | int] = []
    if line := LINE.fullmatch(json_path):
        found.append(int(line[1]))
        json_path = line[2]
    parts = PART.finditer(json_path)
    found += [int(part[2]) if part[2] else part[1] or ast.literal_eval(part[3]) for part in parts]
    return tuple(found)


def _json(data: bytes, edits: list[Edit], path: str, known: Change, way: Way) -> bytes:
    content = Content(path, "", 0, b"", "", data)
    before = json_of(content)
    value = _patched(json_of(content), edits, way)
    value = way.added(path, value, known)
    return data if value == before else style.written(value, style.of(data))


def _yaml(data: bytes, edits: list[Edit], path: str, known: Change, way: Way) -> bytes:
    text = text_of(Content(path, "", 0, b"", "", data))
    if not edits and way.added is _unchanged:
        return data
    before = yaml.parsed(text)
    after = way.added(path, _patched(yaml.parsed(text), edits, way), known)
    if before == after:
        return data

    def change(value: Any) -> None:
        _patched(value, edits, way)
        way.added(path, value, known)

    return yaml.changed(text, change).encode()


def _lines(data: bytes, edits: list[Edit], way: Way) -> bytes:
    lines: list[bytes | None] = [*data.split(b"\n")]
    for (number, *place), table, before, now in edits:
        line = lines[int(number) - 1] if isinstance(number, int) else None
        if line is None:
            continue
        value = json_of(Content("", "", 0, b"", "", line))
        if not place and now is None:
            lines[int(number) - 1] = None
        else:
            value = _patched(value, [(tuple(place), table, before, now)], way)
            lines[int(number) - 1] = style.written(value, style.of(line))
    return b"\n".join(line for line in lines if line is not None)


def _patched(value: Any, edits: list[Edit], way: Way) -> Any:
    """Return a value with every edit in it; what is gone leaves its list last, so that places stay what they were."""
    for place, table, before, now in edits:
        if now is not None:
            _patch(_at(value, place), way.fields[table], before, now)
    gone = [place for place, _, _, now in edits if now is None and place]
    for place in sorted(gone, key=str, reverse=True):
        around = _at(value, place[:-1])
        if isinstance(around, list):
            cast(list[Any], around)[cast(int, place[-1])] = GONE
        else:
            around.pop(place[-1], None)
    return _without_gone(value) if gone else value


GONE = object()


def _without_gone(value: Any) -> Any:
    if isinstance(value, dict):
        for item in cast(dict[str, Any], value).values():
            _without_gone(item)
    elif isinstance(value, list):
        listed = cast(list[Any], value)
        listed[:] = [_without_gone(item) for item in listed if item is not GONE]
    return cast(Any, value)


def _at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def _patch(entry: Any, fields: tuple[Field, ...], before: entries.Row, now: entries.Row) -> None:
    """Set what changed. A field may stand deeper: `fields.summary`."""
    for one in fields:
        if not _differs(one, before, now):
            continue
        *around, name = one.name.split(".")
        inner = _at(entry, tuple(around))
        value = one.shown(now.get(one.column))
        if value is None and not one.always:
            inner.pop(name, None)
        else:
            inner[name] = json.loads(json.dumps(value))
