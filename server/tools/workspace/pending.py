"""memory_workspace: all that is still to be done, as a page."""

from typing import Any

from server.db.workspaces import pending
from server.exporters import markdown
from server.models.events import Event
from server.models.text import Line
from server.tools import output_files
from server.tools.common import Call
from server.tools.output_files import MARKDOWN
from server.tools.workspace.tool import TOOL


@TOOL.action(writes_with="output_filename", takes=("budget", "force"), then=output_files.carry_out)
async def export_pending(call: Call, *, output_filename: Line | None = None) -> dict[str, Any]:
    """All open steps of the workspace, by plan and phase.

    As Markdown, archived plans left out. Without output_filename the text is `content`, in pieces if need be
    (`next_offset`); with it the text is written to that file of the project, which ends in .md. A file that is there is
    replaced only with force=true.

    Example: {"action":"export_pending","output_filename":"pending-steps.md"}
    """
    workspace = await call.workspace(call.db)
    workspace_id = workspace.workspace_id
    steps = await pending.steps(call.db, workspace_id)
    waits = await pending.waits(call.db, workspace_id)
    text = markdown.pending_page(workspace.label, [dict(row) for row in steps], [dict(row) for row in waits])
    told = {
        "workspace_id": workspace_id,
        "plans_included": len({row["plan_id"] for row in steps}),
        "total_pending_steps": len(steps),
    }
    summary = f"Open steps of {workspace.label} written"
    event = Event("file_written", "workspace", workspace_id, workspace_id, None, summary)
    return {**told, **await output_files.give(call, workspace_id, text, output_filename, ends=MARKDOWN, event=event)}
