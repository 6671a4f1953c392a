"""Texts that an action writes to a file of the project, with the transaction that tells of it, or returns."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments, NotAllowed, Storage
from server.files import drafted
from server.models.events import Event
from server.models.text import Line
from server.tools.common import Call
from server.tools.identity import FOLDER
from server.tools.paths import expanded, normal_path

OutputPath = Annotated[Line, Field(description="in the workspace")]
OWN_FOLDERS = (".git", FOLDER)  # whose files mean something to git, and to us
MARKDOWN = (".md", ".markdown")
JSON = (".json",)


async def give(
    call: Call, workspace_id: str, text: str, output_path: str | None, *, ends: Sequence[str], event: Event
) -> dict[str, Any]:
    """Return a text as `content`; with a path, write it there and return where it is.

    The name of the file has to end in one of `ends`; `event` is what the log says of it. What is there already is
    replaced only by force.
    """
    if output_path is None:
        return {"content": text}
    target = _inside((await workspaces.require(call.db, workspace_id)).path, output_path, ends)
    put = call.ending.enter_context(_drafted(target, text, force=call.shared.force))
    size = len(text.encode())
    async with call.write() as tx:
        data = {**event.data, "path": str(target), "bytes": size}
        events.record(tx, replace(event, summary=f"{event.summary} to {target}", data=data))
        await events.flush(tx)
        put()
    return {"output_path": str(target), "bytes": size}


def _inside(folder: str, output_path: str, ends: Sequence[str]) -> Path:
    """Return where a file may be written, or refuse."""
    if not Path(folder).is_dir():
        raise InvalidArguments(
            f"The project folder {folder!r} is not there. Leave out output_path: the text is returned then."
        )
    path = Path(folder, expanded(output_path))
    home = Path(os.path.realpath(path.parent))
    if not home.is_relative_to(normal_path(Path(folder))) or path.name in ("", ".", ".."):
        raise NotAllowed(f"output_path {output_path[:200]!r} leads out of the project folder {folder!r}.")
    if not {*OWN_FOLDERS}.isdisjoint(home.parts) or path.suffix.lower() not in ends:
        raise NotAllowed(
            f"output_path {output_path[:200]!r} has to end in {ends[0]}, and be outside of {' and '.join(OWN_FOLDERS)}."
        )
    return home / path.name


@contextmanager
def _drafted(path: Path, text: str, *, force: bool) -> Generator[Callable[[], None]]:
    """Yield what gives the file its name; what is there already needs force."""
    if os.path.lexists(path) and not force:
        raise Conflict(f"{str(path)!r} is there already. Nothing was written. Name another file, or send force=true.")
    try:
        with drafted(path, text) as put:
            yield put
    except OSError as error:
        raise Storage(f"{str(path)!r} cannot be written: {error.strerror}. Nothing was written.") from error
