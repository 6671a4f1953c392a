"""`move OLD NEW`: the workspaces of a folder that was moved or renamed get their new place."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

import anyio

from server import calls
from server.cli.person import agree
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments, NotFound
from server.models.workspaces import Workspace
from server.settings import Flags, Settings, load_existing
from server.store import Store
from server.text.display import shown
from server.tools import paths
from server.tools.commands import joined

AGENT = "cli"


@dataclass(frozen=True)
class Move:
    """A workspace, and the folder it is in now."""

    workspace: Workspace
    folder: str


def run(old: str, new: str, flags: Flags, *, dry_run: bool, yes: bool) -> int:
    """Show what is moved, ask, do it, and return the exit code."""
    chosen = load_existing(flags)
    moves = anyio.run(_planned, chosen, old, new)
    for move in moves:
        print(shown(f"{move.workspace.workspace_id}  {move.workspace.label}: {move.workspace.path} -> {move.folder}"))
    print("Ids, plans and memory stay; the old folder goes on to mean the same workspace. No file of yours is changed.")
    if dry_run:
        print("Nothing was changed: without --dry-run it is.")
        return 0
    agree(yes=yes)
    for line in anyio.run(_moved, chosen, moves):
        print(shown(line))
    return 0


async def _planned(chosen: Settings, old: str, new: str) -> list[Move]:
    store = Store(chosen)
    try:
        db = await store.open()
        found, base = await _named(db, old)
        folder = paths.project_folder(str(paths.expanded(new).absolute()))
        moves = [Move(one, str(Path(folder) / PurePath(one.folder).relative_to(base))) for one in found]
        for move in moves:
            await _check(db, move, folder)
        return moves
    finally:
        await store.close()


async def _named(db: Reader, old: str) -> tuple[list[Workspace], str]:
    """Return the workspaces that lay in a folder, the outer ones first, and that folder as they know it."""
    if by_id := await workspaces.find(db, old):
        return [by_id, *await workspaces.below(db, by_id.folder)], by_id.folder
    written = str(paths.expanded(old).absolute())
    for base in dict.fromkeys((os.path.normpath(written), os.path.realpath(written))):
        at = await workspaces.at(db, base)
        if found := [*([at] if at else []), *await workspaces.below(db, base)]:
            return found, base
    known = await workspaces.holding(db, os.path.realpath(written), None)
    where = f" It is in {known.workspace_id}, whose folder is {known.path!r}." if known else ""
    raise NotFound(
        f"No workspace has the folder {old[:200]!r}.{where} `project-memory call workspace list` shows all of them."
    )


async def _check(db: Reader, move: Move, folder: str) -> None:
    """Refuse what was not moved, or not to there."""
    old, now = move.workspace.folder, move.folder
    where = paths.whereabouts(old, now)
    if old == now:
        raise Conflict(f"{now!r} is the folder of {move.workspace.workspace_id} already. Nothing is to be done.")
    if where == "there":
        raise Conflict(
            f"{old!r} is still there: this command only tells of a folder that was moved. Move it first "
            f"({joined('mv', old, now)}), then run this again."
        )
    if not Path(now).is_dir():
        raise InvalidArguments(
            f"{now!r} is not there, so the folder was not moved to {folder!r}. Name where it is now."
        )
    if (there := await workspaces.at(db, paths.normal_path(Path(now)))) and there != move.workspace:
        raise Conflict(
            f"{now!r} is the workspace {there.workspace_id} already. To make one of both: "
            f"project-memory call workspace merge source_workspace_id={move.workspace.workspace_id} "
            f"target_workspace_id={there.workspace_id}"
        )


async def _moved(chosen: Settings, moves: list[Move]) -> list[str]:
    """Move one after the other; an outer one brings those along whose own files tell that they are inside of it."""
    store = Store(chosen)
    told: list[str] = []
    try:
        db = await store.open()
        for move in moves:
            if (await workspaces.require(db, move.workspace.workspace_id)).path != move.workspace.path:
                continue
            given = {"workspace_id": move.workspace.workspace_id, "workspace_path": move.folder}
            call = {"action": "migrate", **given, "agent": AGENT, "force": len(moves) > 1}
            answer = await calls.answer(store, "memory_workspace", call)
            told += [f"{answer['workspace_id']} is in {answer['path']} now."]
            told += [f"{one['workspace_id']} is in {one['path']} now." for one in answer.get("moved_with", [])]
            told += [f"Note: {warning}" for warning in answer.get("warnings", [])]
        return told
    finally:
        await store.close()
