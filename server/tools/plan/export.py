"""memory_plan: a plan as a document or a page."""

from typing import Annotated, Any, Literal

from pydantic import Field

from server.db.plans import plans
from server.exporters import documents, markdown
from server.models.events import Event
from server.models.text import Id
from server.tools import output_files
from server.tools.common import Call
from server.tools.output_files import JSON, MARKDOWN, OutputPath
from server.tools.plan.tool import TOOL

Format = Annotated[Literal["json", "markdown"], Field(description="json|markdown")]
SUFFIXES = {"json": JSON, "markdown": MARKDOWN}


@TOOL.action(writes_with="output_path", takes=("budget", "force"), then=output_files.carry_out)
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
    summary = f"Exported plan {plan.title}"
    event = Event("plan_exported", "plan", plan_id, workspace_id, plan_id, summary, {"format": format})
    told = await output_files.give(call, workspace_id, text, output_path, ends=SUFFIXES[format], event=event)
    return {"workspace_id": workspace_id, "plan_id": plan_id, "format": format, **told}
