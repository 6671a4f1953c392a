"""Where a path of a call is: in which workspace, behind which links, and whether it may be touched."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Annotated

from pydantic import Field

from server.confined.folder import OpenFolder, Parts, place_of
from server.db.plans import plans
from server.db.steps import steps
from server.errors import InvalidArguments, NotAllowed
from server.models.text import Text
from server.settings import Settings
from server.tools.common import Call
from server.tools.project_files import guarded_paths

# Folders in which package managers link files of a store that all projects share (pnpm, uv).
INSTALLED = frozenset(("node_modules", "site-packages", ".venv", "venv"))
FilePath = Annotated[Text, Field(max_length=4096, description="relative to the project, or absolute in it")]


@dataclass(frozen=True)
class Root:
    """The folder of a workspace."""

    workspace_id: str
    path: str
    settings: Settings

    @cached_property
    def own(self) -> Parts | None:
        """Where in it this server keeps its files, if it does."""
        return guarded_paths.own_place(self.settings, self.path)

    def refuse_guarded(self, *ways: Parts, writing: bool) -> None:
        """Refuse what is kept from agents, whichever of its spellings tells."""
        guarded_paths.refuse(self.own, *ways, writing=writing)

    @contextmanager
    def reading(self, parts: Parts) -> Generator[BufferedReader]:
        """Open a file, by one of several names only where package managers link the files of their stores."""
        linked = not INSTALLED.isdisjoint(parts[:-1])
        with OpenFolder.opened(self.path, parts[:-1]) as folder, folder.reading(parts[-1], linked=linked) as file:
            if linked and self._is_ours(os.fstat(file.fileno())):
                raise NotAllowed(f"{'/'.join(parts)!r} is a file of this server by another name.")
            yield file

    def _is_ours(self, found: os.stat_result) -> bool:
        if found.st_nlink == 1:
            return False
        with os.scandir(self.settings.data_root) as entries:
            return any(os.path.samestat(found, Path(entry).stat()) for entry in entries if entry.is_file())

    def place(self, text: str, *, writing: bool = False, follows_last: bool = True) -> Parts:
        """Return where a path leads, or refuse one that leads out or may not be touched."""
        asked, parts = place_of(self.path, text, follows_last=follows_last)
        self.refuse_guarded(asked, parts, writing=writing)
        return parts

    def file(self, text: str, *, writing: bool = True, follows_last: bool = True) -> Parts:
        """Like `place`, of something in the folder and not the folder itself."""
        parts = self.place(text, writing=writing, follows_last=follows_last)
        if not parts:
            raise InvalidArguments(f"{text[:200]!r} is the project folder itself. Name something in it.")
        return parts


async def root_of(call: Call, step_id: str | None = None, *, workspace_id: str | None = None) -> Root:
    """Return the folder of the workspace of a call, or refuse if it has none."""
    named = workspace_id
    if step_id:
        step = await steps.require(call.db, step_id)
        named = (await plans.require_live(call.db, step.plan_id)).workspace_id
    workspace = await call.workspace(call.db, named)
    if not workspace.path or not Path(workspace.path).is_absolute() or not Path(workspace.path).is_dir():
        raise NotAllowed(
            f"The workspace {workspace.workspace_id} has no folder on this machine ({workspace.path!r}). "
            "memory_workspace action='migrate' tells where it is now."
        )
    return Root(workspace.workspace_id, os.path.realpath(workspace.path), call.settings)
