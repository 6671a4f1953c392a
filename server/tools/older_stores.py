"""Notice of a store of the file-based Project Memory: cheap enough for every start and every new workspace."""

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from server.db.storage.connection import Reader
from server.models.workspaces import MISSION, LegacyStore, Workspace
from server.settings import Settings
from server.tools import identity
from server.tools.commands import command
from server.tools.identity import Identity

META = "workspace.meta.json"
MOST = 10_000  # folders that are looked at
Progress = Callable[[float, float, str], Awaitable[None]]  # how much is done, of how much, and what


@dataclass(frozen=True)
class OlderStore:
    """A folder that has, or leads to, an older store, and the workspaces of that store.

    `has_moved`: its only workspace says that it is in a folder that is not there, so it can be this one only. `mark` is
    the file that tells a store of another program, which belongs to the folder's own workspace.
    """

    folder: str
    workspaces: tuple[str, ...]
    has_moved: bool = False
    mark: str | None = None

    @property
    def what(self) -> str:
        """Return whose store it is."""
        return "a store of vibe-agency" if self.mark else "an older store of Project Memory"

    def command(self, settings: Settings) -> str:
        """Return what imports it into the database of this server."""
        here = ["--workspace-path", self.folder] if self.has_moved else []
        return command(settings, "import", self.folder, *here)


class Older(Protocol):
    """What a server knows of older stores, and does later."""

    async def seen(self, db: Reader, workspace: Workspace) -> LegacyStore | None:
        """Return the store of a workspace's folder that is not imported."""
        ...

    async def greet(self, workspace_id: str, progress: Progress | None) -> LegacyStore | None:
        """Return it for an agent that arrives, once; import it first if the settings want that."""
        ...

    def index_later(self, workspace_id: str) -> None:
        """Look at the folder of a new workspace as soon as there is time, and keep its profile."""
        ...


def find(folder: str) -> OlderStore | None:
    """Return the store that a project folder has: where its identity file leads, below `data`, or right there; else
    that of vibe-agency, whose mission is in a folder of the project.
    """
    known = identity.read(folder)
    if known.is_here and is_led_away(known):
        meta = Path(known.fields["data_root"]) / str(known.workspace_id) / META
        return OlderStore(folder, (known.fields["workspace_id"],), has_moved=_is_gone(meta, folder))
    for place in (Path(folder) / "data", Path(folder)):
        if ids := _workspaces(place):
            return OlderStore(folder, ids, has_moved=len(ids) == 1 and _is_gone(place / ids[0] / META, folder))
    return OlderStore(folder, (), mark=MISSION) if _is_file(Path(folder) / MISSION) else None


def _is_gone(meta: Path, folder: str) -> bool:
    """Return whether a workspace says that it is in a folder that is not there; a store's own folder is no project."""
    try:
        found: Any = json.loads(meta.read_bytes())
        told = [found.get(name) for name in ("workspace_path", "path")]
        paths = [path for path in told if isinstance(path, str) and path]
        return bool(paths) and not any(Path(path).is_dir() for path in paths) and meta.parent.parent != Path(folder)
    except (OSError, ValueError, RecursionError, AttributeError):
        return False


def is_led_away(known: Identity) -> bool:
    """Return whether an identity file names a data root that has files of its workspace."""
    root = known.fields.get("data_root")
    if not isinstance(root, str) or "\0" in root or not Path(root).is_absolute():
        return False
    return _is_file(Path(root) / str(known.workspace_id) / META)


def _workspaces(place: Path) -> tuple[str, ...]:
    try:
        with os.scandir(place) as entries:
            names = [entry.name for entry in islice(entries, MOST) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return ()
    return tuple(sorted(name for name in names if _is_file(place / name / META)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
