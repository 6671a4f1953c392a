"""Where a path of a call is: in which workspace, behind which links, and whether it may be touched."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from server.confined.folder import Parts, place_of
from server.db.plans import plans
from server.db.steps import steps
from server.errors import InvalidArguments, NotAllowed
from server.models.text import Text
from server.settings import Settings
from server.tools.common import Call
from server.tools.project_files import guarded_paths

FilePath = Annotated[Text, Field(max_length=4096, description="relative to the project, or absolute in it")]


@dataclass(frozen=True)
class Root:
    """The folder of a workspace."""

    workspace_id: str
    path: str
    settings: Settings

    def is_own(self, parts: Parts) -> bool:
        return guarded_paths.is_own(self.settings, self.path, parts)

    def place(self, text: str, *, writing: bool = False, follows_last: bool = True) -> Parts:
        """Return where a path leads, or refuse one that leads out or may not be touched."""
        asked, parts = place_of(self.path, text, follows_last=follows_last)
        guarded_paths.refuse(self.settings, self.path, asked, parts, writing=writing)
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
