"""Notice of a store of the file-based Project Memory: cheap enough for every start and every new workspace."""

import os
import shlex
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from server.db.connection import Reader
from server.models.workspaces import LegacyStore, Workspace
from server.settings import Settings, default_root
from server.tools import identity
from server.tools.identity import Identity

META = "workspace.meta.json"
MOST = 10_000  # folders that are looked at
Progress = Callable[[float, float, str], Awaitable[None]]  # how much is done, of how much, and what


@dataclass(frozen=True)
class Found:
    """A folder that has, or leads to, an older store, and the workspaces of that store."""

    folder: str
    workspaces: tuple[str, ...]

    def command(self, settings: Settings) -> str:
        """Return what imports it into the database of this server."""
        elsewhere = str(settings.data_root) != default_root()
        words = ["python", "-m", "server", "import", self.folder]
        words += ["--data-root", str(settings.data_root)] if elsewhere else []
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


class Older(Protocol):
    """What a server knows of older stores."""

    async def seen(self, db: Reader, workspace: Workspace) -> LegacyStore | None:
        """Return the store of a workspace's folder that is not imported."""
        ...

    async def greet(self, workspace_id: str, progress: Progress | None) -> LegacyStore | None:
        """Return it for an agent that arrives, once; import it first if the settings want that."""
        ...


def find(folder: str) -> Found | None:
    """Return the store that a project folder has: where its identity file leads, below `data`, or right there."""
    known = identity.read(folder)
    if known.is_here and is_led_away(known):
        return Found(folder, (known.fields["workspace_id"],))
    for place in (Path(folder) / "data", Path(folder)):
        if ids := _workspaces(place):
            return Found(folder, ids)
    return None


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
