"""memory_workspace: workspaces that are not where they should be."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path, PurePath
from typing import Any

import anyio

from server.db.workspaces import workspaces
from server.models.workspaces import Workspace
from server.tools import identity, paths
from server.tools.common import Call
from server.tools.render import Page
from server.tools.workspace.tool import TOOL

Ghost = dict[str, Any]
WHERE = {"gone": "its folder is gone", "unreachable": "its folder and the one around it are out of reach"}


@TOOL.action(read_only=True, takes=("page",))
async def scan_ghosts(call: Call) -> Page:
    """Workspaces whose folder is gone, or says to be another.

    Nothing is changed. `kind`: gone, unreachable (as a disk that is not mounted), identity (the file in the folder
    disagrees), unlinked (it lies in the folder of another workspace, `around`, and is not linked below it). migrate
    gives one the folder it was moved to, merge puts one into another, link joins nested ones.

    Example: {"action":"scan_ghosts"}
    """
    limit = call.shared.limit
    after = call.after("scan_ghosts", 1)
    known = await workspaces.all_(call.db)
    aliases = await workspaces.all_aliases(call.db)
    found = await anyio.to_thread.run_sync(strange, known, aliases, abandon_on_cancel=True)
    rows = [ghost for ghost in found if after is None or ghost["workspace_id"] > str(after[0])]
    return Page("ghosts", rows[: limit + 1], len(found), limit, lambda row: [row["workspace_id"]], "scan_ghosts")


def strange(known: Sequence[Workspace], aliases: Mapping[str, str]) -> list[Ghost]:
    known = [workspace for workspace in known if workspace.path is not None]  # a folder that is none is not gone
    by_path = {workspace.folder: workspace for workspace in known}
    by_id = {workspace.workspace_id: workspace for workspace in known}
    found: list[Ghost] = []
    for workspace in sorted(known, key=lambda one: one.workspace_id):
        told = _missing(workspace) or _disagreeing(workspace, aliases)
        if told := told or _unlinked(workspace, by_path, by_id):
            name = {"workspace_id": workspace.workspace_id, "name": workspace.label, "path": workspace.path}
            found.append({**name, **told})
    return found


def _missing(workspace: Workspace) -> Ghost | None:
    """Return what is wrong with the place of a folder. A path of another platform is out of reach here."""
    is_ours = Path(workspace.folder).is_absolute()
    where = paths.whereabouts(workspace.folder, workspace.folder) if is_ours else "unreachable"
    return {"kind": where, "problem": WHERE[where]} if where in WHERE else None


def _disagreeing(workspace: Workspace, aliases: Mapping[str, str]) -> Ghost | None:
    """Return what an identity file says other than the database. None is no word against it."""
    known = identity.read(workspace.folder)
    if known.problem:
        return {"kind": "identity", "problem": f"its identity file is of no use: {known.problem}"}
    if known.workspace_id and aliases.get(known.workspace_id, known.workspace_id) != workspace.workspace_id:
        problem = "its identity file names another workspace"
        return {"kind": "identity", "problem": problem, "names": known.workspace_id}
    if known.workspace_id and not known.is_here:
        place = known.fields.get("workspace_path")
        told = {"names": place[:500]} if isinstance(place, str) else {}
        return {"kind": "identity", "problem": "its identity file names another folder", **told}
    return None


def _unlinked(workspace: Workspace, by_path: dict[str, Workspace], by_id: dict[str, Workspace]) -> Ghost | None:
    """Return the nearest workspace around one that is linked below nothing around it."""
    around = [by_path[path] for path in map(str, PurePath(workspace.folder).parents) if path in by_path]
    if not around or _is_below(workspace, {one.workspace_id for one in around}, by_id):
        return None
    problem = "it lies in the folder of another workspace and is not linked below it"
    return {"kind": "unlinked", "problem": problem, "around": around[0].workspace_id}


def _is_below(workspace: Workspace, ids: Set[str], by_id: dict[str, Workspace]) -> bool:
    seen: set[str] = set()
    above = workspace.parent_workspace_id
    while above and above not in seen:
        if above in ids:
            return True
        seen.add(above)
        above = by_id[above].parent_workspace_id if above in by_id else None
    return False
