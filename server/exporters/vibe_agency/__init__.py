"""Format `vibe-agency`: the files that its programs left, with what has changed since; new plans as roadmaps.

A file of which nothing has changed is given back byte for byte. A changed one is the old file with the changes in it:
unknown fields, the order of keys and the byte form stay. Databases are given back as they came.
"""

import json
from collections.abc import AsyncGenerator, Callable
from copy import deepcopy
from typing import Any

from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.errors import NotFound
from server.exporters import given_back
from server.exporters.documents import file_name
from server.exporters.folder import File
from server.exporters.given_back import PLACELESS, Way, bytes_of, known_of, of_another_plan
from server.exporters.legacy import entries, style
from server.exporters.legacy.entries import Change
from server.exporters.vibe_agency import papers, plans
from server.exporters.vibe_agency.patching import ChangedFile
from server.importers.reading import Content, UnreadableFile, json_of, text_of
from server.importers.vibe_agency.places import MISSION, kind_of
from server.importers.vibe_agency.project import NAME
from server.text.editing import yaml

CHANGERS: dict[str, Callable[[ChangedFile], None]] = {
    "manifest": plans.manifest, "backup": plans.manifest, "mission": plans.mission, "roadmap": plans.roadmap,
    "debt": plans.roadmap, "memory": plans.memory, "paper": papers.paper, "index": papers.paper,
}  # fmt: skip
NEW = "docs/roadmap"
SHOWN = 20
AS_IT_CAME = "its tables have changed here: a database is given back as it came"

Imported = dict[str, Any]  # a row of import_files


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the files of every workspace that has some of this layout, each in a folder of its own."""
    for workspace_id in await exports.workspaces(db):
        if await exports.imported_by(db, workspace_id, NAME):
            root = f"{file_name(workspace_id)}/"
            async for file in _files(db, workspace_id, root):
                yield file


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the files of one workspace, as they lie in its project."""
    async for file in _files(db, workspace_id, ""):
        yield file


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the file that a plan came from, or the one that it would be."""
    workspace_id = await exports.workspace_of(db, plan_id) or ""
    known = await known_of(db, workspace_id)
    path = known.paths.get(("plans", plan_id), ("", ""))[0]
    there = [one for one in await exports.imported_by(db, workspace_id, NAME) if one["path"] == path]
    for one in there:
        if file := await _given_back(db, one, known, ""):
            yield file
    if not there:
        yield _new(known.now["plans"][plan_id], known, "")


async def mission(db: Reader, external_id: str | None) -> File:
    """Return the file of a mission, by its own id; without one that of the active mission, or of the only plan."""
    known = await exports.foreign_plans(db, NAME, MISSION)
    chosen = [row for row in known if external_id in (row["external_id"], row["plan_id"])]
    if external_id is None:
        chosen = [row for row in known if row["is_marked"]] or known
    if len(chosen) != 1:
        there = ", ".join(str(row["external_id"] or row["plan_id"]) for row in known[:SHOWN])
        some = f"There are {len(known)} missions" if known else "There are no missions"
        what = some if external_id is None else f"There is no mission {external_id!r}"
        raise NotFound(f"{what}; name one of: {there}." if known else f"{what}.").about("plan")
    plan_id = chosen[0]["plan_id"]
    async for file in one_plan(db, plan_id):
        if file.path.endswith((".json", ".bak")):
            return file
    known_here = await known_of(db, await exports.workspace_of(db, plan_id) or "")
    return _new(known_here.now["plans"][plan_id], known_here, "")


async def left_out(db: Reader, workspace_id: str | None, plan_id: str | None) -> dict[str, int]:
    """Return how many files cannot be given back, and how much of what was made here has no place in any."""
    lost = await given_back.left_out(db, workspace_id, Way(NAME, {}))

    return lost | await given_back.made_here(db, workspace_id, NAME, PLACELESS, of_another_plan(plan_id))


async def _files(db: Reader, workspace_id: str, root: str) -> AsyncGenerator[File]:
    known = await known_of(db, workspace_id)
    listed = await exports.imported_by(db, workspace_id, NAME)
    handed = papers.handoff(known)
    for one in listed:
        if handed and one["path"] == papers.HANDOFF:
            data = await bytes_of(db, one)
            yield File(f"{root}{papers.HANDOFF}", style.written(handed, style.of(data or b"")))
        elif file := await _given_back(db, one, known, root):
            yield file
    if handed and papers.HANDOFF not in {one["path"] for one in listed}:
        yield File(f"{root}{papers.HANDOFF}", style.written(handed, style.Style()))
    for plan_id, row in sorted(known.now.get("plans", {}).items()):
        if plan_id not in known.before.get("plans", {}):
            yield _new(row, known, root)


def _new(row: entries.Row, known: Change, root: str) -> File:
    """Return the file of a plan that no file made."""
    path = f"{root}{NEW}/{file_name(row['plan_id'])}.json"
    return File(path, style.written(papers.roadmap(row, known), style.Style()), is_plan=True)


async def _given_back(db: Reader, one: Imported, known: Change, root: str) -> File | None:
    """Return a file as it is now; None if its bytes were not kept, or the plan that it was is gone."""
    path, kind = one["path"], kind_of(one["path"])
    if (data := await bytes_of(db, one)) is None:
        return None
    made = known.of_file(path, "plans")
    if made and not any(key in known.now.get("plans", {}) for _, key in made):
        return None
    is_plan = bool(made)
    as_it_came = File(f"{root}{path}", data, is_plan, None, one["modified_at"])
    if kind in CHANGERS:
        changed = _changed(path, data, known, CHANGERS[kind])
        return as_it_came if changed is None else File(f"{root}{path}", changed, is_plan)
    if (text := papers.text(known, path)) is not None:
        return File(f"{root}{path}", text.encode())
    if kind == "database" and _has_changed(known, path):
        return File(f"{root}{path}", data, is_plan, AS_IT_CAME, one["modified_at"])
    return as_it_came


def _changed(path: str, data: bytes, known: Change, changer: Callable[[ChangedFile], None]) -> bytes | None:
    """Return a file with its changes, or None if there are none; one that cannot be read has none."""
    content = Content(path, "", len(data), b"", "", data)
    is_yaml = path.endswith((".yaml", ".yml"))
    try:
        value = yaml.parsed(text_of(content)) if is_yaml else json_of(content)
    except (UnreadableFile, yaml.BadYaml):
        return None
    if not isinstance(value, dict):
        return None
    now = deepcopy(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    changer(ChangedFile(path, now, known))  # pyright: ignore[reportUnknownArgumentType]
    if json.dumps(now) == json.dumps(value):
        return None
    if not is_yaml:
        return style.written(now, style.of(data))
    return yaml.changed(text_of(content), lambda found: changer(ChangedFile(path, found, known))).encode()


def _has_changed(known: Change, path: str) -> bool:
    rows = [at for at, (own, _) in known.paths.items() if own == path]
    return any(
        known.before[table][key]
        != {name: known.now.get(table, {}).get(key, {}).get(name) for name in known.before[table][key]}
        for table, key in rows
        if table in known.now
    )
