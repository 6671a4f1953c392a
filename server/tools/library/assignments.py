"""memory_library: what a workspace uses, and what fits a piece of work."""

import os
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Any

import anyio
from pydantic import Field

from server.db.audit import events
from server.db.library import definitions
from server.db.workspaces import workspaces
from server.errors import InvalidArguments
from server.models.events import Event
from server.models.library import DefinitionBrief, LibraryKind
from server.models.text import Line, SomeText
from server.tools import library_matching
from server.tools.common import Call
from server.tools.library.parameters import DefinitionName, Kind, Words
from server.tools.library.tool import TOOL
from server.tools.library_matching import Wanted
from server.tools.paths import expanded
from server.tools.render import Page

FilePath = Annotated[Line, Field(description="a file of the workspace")]
Notes = Annotated[Line, Field(description="why it is used")]


@TOOL.action()
async def assign(call: Call, *, kind: Kind, name: DefinitionName, notes: Notes | None = None) -> dict[str, Any]:
    """Let the workspace use one.

    Every briefing in it names it, with the notes as the reason.

    Example: {"action":"assign","kind":"skill","name":"review-a-plan","notes":"before each release"}
    """
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx)
        found = await definitions.require(tx, kind, name, workspace_id)
        is_new, is_changed = await definitions.assign(tx, found, workspace_id, notes)
        if is_changed:
            summary = f"{kind} {found.name!r} assigned"
            data = {"kind": kind, "notes": notes}
            events.record(tx, Event("definition_assigned", "definition", found.name, summary=summary, data=data))
        return {"kind": kind, "name": found.name, "workspace_id": workspace_id, "assigned": True, "new": is_new}


@TOOL.action()
async def unassign(call: Call, *, kind: Kind, name: DefinitionName) -> dict[str, Any]:
    """Let the workspace use one no more.

    `removed` says whether it did.

    Example: {"action":"unassign","kind":"skill","name":"review-a-plan"}
    """
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx)
        found = await definitions.require(tx, kind, name, workspace_id)
        removed = await definitions.unassign(tx, found, workspace_id)
        if removed:
            summary = f"{kind} {found.name!r} assigned no more"
            data = {"kind": kind}
            events.record(tx, Event("definition_unassigned", "definition", found.name, summary=summary, data=data))
        return {"kind": kind, "name": found.name, "workspace_id": workspace_id, "assigned": False, "removed": removed}


@TOOL.action(read_only=True, takes=("page",))
async def list_assigned(call: Call, *, kind: Kind | None = None) -> Page:
    """What the workspace uses, and why.

    Example: {"action":"list_assigned"}
    """
    workspace_id = await call.workspace_id(call.db)
    used = await definitions.assigned(call.db, workspace_id, _kinds(kind))
    rows = {(row.kind, row.name): row for row in await definitions.all_(call.db, workspace_id, _kinds(kind))}
    listed = [
        DefinitionBrief.about(rows[one["kind"], one["name"]], notes=one["notes"])
        for one in used
        if (one["kind"], one["name"]) in rows
    ]
    after = call.after("assigned", 2)
    shown = [row for row in sorted(listed, key=_place_of) if after is None or _place_of(row) > after]
    return Page(
        "assigned", shown[: call.shared.limit + 1], len(listed), call.shared.limit, _place_of,
        "assigned",
    )  # fmt: skip


def _place_of(row: DefinitionBrief) -> list[str | int]:
    return [row.kind, row.name]


def _kinds(kind: LibraryKind | None) -> tuple[LibraryKind, ...]:
    return (kind,) if kind else definitions.KINDS


@TOOL.action(read_only=True, takes=("page",), one_of=(("query",), ("path",), ("task",), ("language",), ("framework",)))
async def match(
    call: Call,
    *,
    kind: Kind | None = None,
    query: Words | None = None,
    path: FilePath | None = None,
    language: Line | None = None,
    framework: Line | None = None,
    task: Annotated[SomeText, Field(description="what is to be done")] | None = None,
) -> Page:
    """Which of them fit a task or a file, and why.

    The best first. Instructions whose applyTo covers `path`; all kinds by the words of `task` or `query`; skills by
    language and framework, and none that is for others; what is assigned to the workspace before all.

    Example: {"action":"match","task":"the last session died in the middle of a step"}
    """
    home = await call.some_workspace_id(call.db)
    folder = (await workspaces.require(call.db, home)).path if home else None
    place, folds = await anyio.to_thread.run_sync(partial(_place, path, folder)) if path else (None, False)
    wanted = Wanted(" ".join(filter(None, (task, query))), place, language, framework, folds)
    used = await definitions.assigned(call.db, home, _kinds(kind)) if home else []
    assigned = {(one["kind"], one["name"]): one["notes"] for one in used}
    fitting = library_matching.fitting(await definitions.all_(call.db, home, _kinds(kind)), wanted, assigned)
    offset = int((call.after("match", 1) or [0])[0])
    rows = [DefinitionBrief.about(one.found, why=one.why) for one in fitting[offset:][: call.shared.limit + 1]]
    places = {id(row): number for number, row in enumerate(rows, offset + 1)}
    return Page("matches", rows, len(fitting), call.shared.limit, lambda row: [places[id(row)]], "match")


def _place(path: str, folder: str | None) -> tuple[str, bool]:
    """Return a path relative to the workspace, and whether its file system knows no case."""
    wanted = PurePath(os.path.normpath(expanded(path)))
    if wanted.is_absolute() and folder is not None and wanted.is_relative_to(folder):
        wanted = wanted.relative_to(folder)
    if wanted.is_absolute() or ".." in wanted.parts:
        raise InvalidArguments(f"path {path[:200]!r} is in no folder of the workspace. Send one relative to it.")
    return wanted.as_posix(), _folds_case(folder)


def _folds_case(folder: str | None) -> bool:
    if folder is None:
        return os.path.normcase("A") == "a"
    other = folder.swapcase()
    try:
        return other != folder and Path(other).samefile(folder)
    except OSError:
        return False
