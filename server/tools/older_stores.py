"""Notice of a store that an import would take in: cheap enough for every start and every new workspace."""

import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

from server.db.storage.connection import Reader
from server.models.workspaces import LegacyStore, Workspace
from server.settings import ASSETS, Settings
from server.tools import identity
from server.tools.commands import command
from server.tools.identity import Identity

META = "workspace.meta.json"
MARKS = ASSETS / "catalog" / "layouts" / "marks.json"  # of stores of other programs, as the layouts say
MOST = 10_000  # folders that are looked at
HEAD = 64 * 1024  # bytes of a file that may be a mark
Progress = Callable[[float, float, str], Awaitable[None]]  # how much is done, of how much, and what


@dataclass(frozen=True)
class OlderStore:
    """A folder that has, or leads to, an older store, and the workspaces of that store; or has those of other programs.

    `has_moved`: its only workspace says that it is in a folder that is not there, so it can be this one only.
    `programs` are the layouts of other programs, each with the file that shows it; they belong to the folder's own
    workspace.
    """

    folder: str
    workspaces: tuple[str, ...]
    has_moved: bool = False
    programs: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def what(self) -> str:
        """Return whose store it is."""
        ours = ["an older store of Project Memory"] if self.workspaces else []
        return " and ".join([*ours, *(f"a store of {name}" for name in self.programs)])

    @property
    def places(self) -> list[str]:
        """Return what tells these stores from those that may come into the folder later."""
        ours = [self.folder] if self.workspaces else []
        return [*ours, *(f"{self.folder}/{mark}" for mark in self.programs.values())]

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
    """Return what a project folder has of older stores, and of those of other programs."""
    programs = dict(_programs(folder))
    ours = _ours(folder)
    return OlderStore(folder, *ours, programs) if ours[0] or programs else None


def _ours(folder: str) -> tuple[tuple[str, ...], bool]:
    """Return the workspaces of the older store that is where the identity file leads, below `data`, or right there; and
    whether it has moved.
    """
    known = identity.read(folder)
    if known.is_here and is_led_away(known):
        meta = Path(known.fields["data_root"]) / str(known.workspace_id) / META
        return (known.fields["workspace_id"],), _is_gone(meta, folder)
    for place in (Path(folder) / "data", Path(folder)):
        if ids := _workspaces(place):
            return ids, len(ids) == 1 and _is_gone(place / ids[0] / META, folder)
    return (), False


def _programs(folder: str) -> Iterator[tuple[str, str]]:
    """Yield each layout that a file of the project shows, with that file."""
    for name, marks in _marks().items():
        shown = next((path for path, sign in marks if _shows(folder, path, sign)), None)
        if shown:
            yield name, shown


@cache
def _marks() -> dict[str, list[tuple[str, str]]]:
    return cast(dict[str, list[tuple[str, str]]], json.loads(MARKS.read_bytes()))


def _shows(folder: str, path: str, sign: str) -> bool:
    """Return whether there is such a file, and no link on the way to it, and it says what it has to say.

    A path that ends in a slash is that of a folder.
    """
    place = Path(folder) / path
    is_folder = path.endswith("/")
    is_there = os.path.isdir(place) if is_folder else _is_file(place)  # noqa: PTH112 - Path.is_dir may raise
    if not is_there or os.path.realpath(place) != str(Path(os.path.realpath(folder)) / path):
        return False
    if is_folder:
        return True
    try:
        with place.open("rb") as file:
            return sign.encode() in file.read(HEAD)
    except OSError:
        return False


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
