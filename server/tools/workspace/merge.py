"""memory_workspace: two workspaces made one."""

from collections.abc import Sequence
from typing import Any

from server.db.audit import events
from server.db.workspaces import merging, workspaces
from server.db.workspaces.giving_way import Displaced
from server.errors import Conflict, InvalidArguments
from server.models.events import Event
from server.models.text import Id
from server.models.workspaces import Workspace
from server.tools.common import Call
from server.tools.project_files import file_changes
from server.tools.workspace.tool import TOOL

MOST_CLASHES = 50
MOST_SHOWN = 100  # characters of a name
HINT = "send the same call with dry_run=false to do it; only a backup brings two workspaces back"
RESOLVED = "Of each pair, delete or rename one first; then send the same call again."


@TOOL.action(destructive=True)
async def merge(
    call: Call, *, source_workspace_id: Id, target_workspace_id: Id, dry_run: bool = True
) -> dict[str, Any]:
    """Make one workspace part of another; preview if dry_run.

    Plans, archived ones too, context, knowledge, memories, sessions, logs, trash. The source is no workspace of its own
    any more: its id and its folder mean the target. No file is touched; what a person allowed agents to run in its
    folder ends. What both have under one name (knowledge slugs, memory keys, context types, research files, build
    scripts) is a conflict: all of it is named, nothing is moved. Of agents, artifacts, progress, cached values and
    figures of one name that counts which was told of last; the other is named, and goes to the trash (a figure stays,
    as one that was corrected).

    Example: {"action":"merge","source_workspace_id":"ws_1rqewqexykb7","target_workspace_id":"ws_1rqewr02mdzk"}
    """
    async with call.write(is_quick=False) as tx:
        target = await workspaces.require(tx, target_workspace_id)
        source = await workspaces.require(tx, source_workspace_id)
        workspace_id = await call.workspace_id(tx, target.workspace_id)
        ids = {"workspace_id": workspace_id, "source_workspace_id": source_workspace_id}
        if source.workspace_id == target.workspace_id:
            return _merged_already(ids, source_workspace_id)
        clashes = await merging.clashes(tx, source.workspace_id, target.workspace_id, limit=MOST_CLASHES)
        moved = await merging.counts(tx, source.workspace_id, target.workspace_id)
        if dry_run:
            would = {"would_move": moved, **_named("would_give_way", await merging.displaced(tx, source, target))}
            return {**ids, "preview": {**would, "path": source.path, "clashes": clashes, "hint": HINT}}
        if clashes:
            raise _clash(source, target, clashes)
        await file_changes.catch_up(tx)  # what is decided about files is about the folder of the source
        gave_way = _named("gave_way", await merging.move(tx, source, target))
        summary = f"Merged workspace {source.label} ({source.path}) into {target.label}"
        data = {"source": source.workspace_id, "path": source.path, "moved": moved, **gave_way}
        events.record(
            tx, Event("workspace_merged", "workspace", target.workspace_id, target.workspace_id, None, summary, data)
        )
        return {**ids, "moved": moved, **gave_way, "path": source.path}


def _named(name: str, found: Sequence[Displaced]) -> dict[str, Any]:
    """Return what gives way: the first of it, and how much it is in all."""
    listed = [
        {
            "kind": one.kind,
            "name": one.name[:MOST_SHOWN],
            "id": one.id,
            "instead": one.instead,
            **({"trash_id": one.trash_id} if one.trash_id else {}),
        }
        for one in found[:MOST_CLASHES]
    ]
    return {name: listed, f"{name}_total": len(found)} if found else {}


def _merged_already(ids: dict[str, str], named: str) -> dict[str, Any]:
    if named == ids["workspace_id"]:
        raise InvalidArguments("source_workspace_id and target_workspace_id are the same workspace. Name two.")
    return {**ids, "already_merged": True}


def _clash(source: Workspace, target: Workspace, clashes: list[dict[str, str]]) -> Conflict:
    many = f"{len(clashes)}{'+' if len(clashes) == MOST_CLASHES else ''}"
    named = "; ".join(f"{one['kind']} {one['name'][:100]!r}" for one in clashes[:5])
    return Conflict(
        f"{source.workspace_id} and {target.workspace_id} both have {many} of one name: {named}. Nothing was moved. "
        f"{RESOLVED}",
        clashes=clashes,
    )
