"""Format `json`: every row as it is, in documents that `import` reads back.

project-memory.json                      what the folder is
global.json                              what belongs to no workspace
<workspace>/workspace.json               the workspace and what hangs on it
<workspace>/plans/<plan>.json            a plan and all that belongs to it
<workspace>/programs/<program>.json
<workspace>/logs/<n>.json                the logs, a thousand entries a document; `logs/` for those of no workspace
<workspace>/ledger/<n>.json              what was imported, with the original files
"""

import hashlib
import re
from collections.abc import AsyncGenerator
from typing import Any

from server.db.interchange import exports
from server.db.interchange.exports import Rows
from server.db.plans import plans
from server.db.storage.connection import Reader
from server.exporters.folder import File
from server.models.documents import FORMAT, MANIFEST, VERSION, text_of, wrap

PLAIN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
NOWHERE = None
PAGED = {"logs": exports.logs, "ledger": exports.ledger}


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield the whole database: what belongs to no workspace, then workspace by workspace."""
    yield manifest()
    async for file in everywhere(db):
        yield file
    for kind in PAGED:
        async for file in pages(db, kind, NOWHERE):
            yield file
    for workspace_id in await exports.workspaces(db):
        async for file in _workspace(db, workspace_id):
            yield file


async def everywhere(db: Reader) -> AsyncGenerator[File]:
    """Yield what belongs to no workspace, if there is anything."""
    if rows := await exports.everywhere(db):
        yield _file("global.json", "global", rows, await exports.schema_version(db))


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield a workspace with all that is in it."""
    yield manifest()
    async for file in _workspace(db, workspace_id):
        yield file


async def _workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    async for file in heads(db, workspace_id):
        yield file
    for plan_id in await exports.plans(db, workspace_id):
        yield await plan(db, plan_id)
    for kind in PAGED:
        async for file in pages(db, kind, workspace_id):
            yield file


async def heads(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the workspace itself and its programs."""
    version = await exports.schema_version(db)
    root = file_name(workspace_id)
    rows = await exports.workspace(db, workspace_id)
    yield _file(f"{root}/workspace.json", "workspace", rows, version, workspace_id=workspace_id)
    for program_id in await exports.programs(db, workspace_id):
        rows = await exports.program(db, program_id)
        path = f"{root}/programs/{file_name(program_id)}.json"
        yield _file(path, "program", rows, version, workspace_id=workspace_id, program_id=program_id)


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield a plan alone."""
    yield manifest()
    yield await plan(db, plan_id)


async def plan(db: Reader, plan_id: str) -> File:
    """Return the document of one plan, live or archived."""
    rows = await exports.plan(db, plan_id)
    [head] = [*rows.get("plans", []), *rows.get("plans_archive", [])] or [None]
    if head is None:
        raise await plans.missing(db, plan_id)
    root = file_name(head["workspace_id"])
    about: dict[str, Any] = {
        "plan_id": plan_id,
        "workspace_id": head["workspace_id"],
        "workspace": await exports.workspace_head(db, head["workspace_id"]),
        "title": head["title"],
        "archived": "plans_archive" in rows,
    }
    version = await exports.schema_version(db)
    return _file(f"{root}/plans/{file_name(plan_id)}.json", "plan", rows, version, **about)


def manifest() -> File:
    """Return the file that says what the folder is."""
    return File(MANIFEST, text_of({"format": FORMAT, "format_version": VERSION, "kind": "folder"}).encode())


async def pages(db: Reader, kind: str, workspace_id: str | None) -> AsyncGenerator[File]:
    """Yield the logs or the ledger of a workspace, or those of none."""
    root = f"{file_name(workspace_id)}/" if workspace_id else ""
    version, number = await exports.schema_version(db), 0
    async for rows in PAGED[kind](db, workspace_id):
        number += 1
        yield _file(f"{root}{kind}/{number:05}.json", kind, rows, version, workspace_id=workspace_id)


def _file(path: str, kind: str, rows: Rows, version: int, **about: Any) -> File:
    document = wrap(kind, rows, schema_version=version, **about)
    return File(path, text_of(document).encode(), is_plan=kind == "plan")


def file_name(entity_id: str) -> str:
    """Return a file name for an id. Ids that another program made may be no name, or differ in case alone."""
    if PLAIN.fullmatch(entity_id) and not entity_id.endswith("."):
        return entity_id
    readable = re.sub(r"[^a-z0-9]+", "-", entity_id.lower())[:60].strip("-")
    return f"{readable}-{hashlib.sha256(entity_id.encode()).hexdigest()[:12]}".lstrip("-")
