"""memory_plan: a plan as a document or a page."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from server.db.audit import events
from server.db.plans import plans
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments, NotAllowed, Storage
from server.exporters import documents, markdown
from server.files import drafted
from server.models.events import Event
from server.models.text import Id, Line
from server.tools.common import Call
from server.tools.identity import FOLDER
from server.tools.paths import expanded, normal_path
from server.tools.plan.tool import TOOL

Format = Annotated[Literal["json", "markdown"], Field(description="json|markdown")]
OutputPath = Annotated[Line, Field(description="in the workspace")]
OWN_FOLDERS = (".git", FOLDER)  # whose files mean something to git, and to us
SUFFIXES = {"json": (".json",), "markdown": (".md", ".markdown")}


@TOOL.action(writes_with="output_path", takes=("budget", "force"))
async def export_plan(
    call: Call, *, plan_id: Id, format: Format = "json", output_path: OutputPath | None = None
) -> dict[str, Any]:
    """The whole plan as lossless JSON or as Markdown.

    Everything that belongs to it is in it, archived or not: phases, steps, notes, sessions, context, research. Without
    output_path the text is `content`, in pieces if need be (`next_offset`). With it the text is written to that file,
    relative to the project folder and inside of it, readable by its owner alone; its name ends in .json or .md. A file
    that is there is replaced only with force=true. The command
    line's `import FILE` takes the JSON into another database.

    Example: {"action":"export_plan","plan_id":"plan_1rqewqexykb7","format":"markdown","output_path":"docs/plan.md"}
    """
    db = call.db
    plan = await plans.require(db, plan_id)
    workspace_id = await call.workspace_id(db, plan.workspace_id)
    layout = documents.plan if format == "json" else markdown.plan_page
    text = (await layout(db, plan_id)).content.decode()
    told: dict[str, Any] = {"workspace_id": workspace_id, "plan_id": plan_id, "format": format}
    if output_path is None:
        return {**told, "content": text}
    folder = (await workspaces.require(db, workspace_id)).path
    target = _inside(folder, output_path, format)
    put = call.ending.enter_context(_drafted(target, text, force=call.shared.force))
    async with call.write() as tx:
        data = {"path": str(target), "format": format, "bytes": len(text.encode())}
        summary = f"Exported plan {plan.title} to {target}"
        events.record(tx, Event("plan_exported", "plan", plan_id, workspace_id, plan_id, summary, data))
        await events.flush(tx)
        put()
    return {**told, "output_path": str(target), "bytes": len(text.encode())}


def _inside(folder: str, output_path: str, format: str) -> Path:
    """Return where an export may be written, or refuse."""
    if not Path(folder).is_dir():
        raise InvalidArguments(
            f"The project folder {folder!r} is not there. Leave out output_path: the text is returned then."
        )
    path = Path(folder, expanded(output_path))
    home = Path(os.path.realpath(path.parent))
    if not home.is_relative_to(normal_path(Path(folder))) or path.name in ("", ".", ".."):
        raise NotAllowed(f"output_path {output_path[:200]!r} leads out of the project folder {folder!r}.")
    if not {*OWN_FOLDERS}.isdisjoint(home.parts) or path.suffix.lower() not in SUFFIXES[format]:
        raise NotAllowed(
            f"output_path {output_path[:200]!r} has to end in {SUFFIXES[format][0]}, and be outside of "
            f"{' and '.join(OWN_FOLDERS)}."
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
