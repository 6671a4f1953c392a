"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import (
    context,
    memories,
    plan,
    plan_copies,
    plan_dependencies,
    plan_gates,
    plan_import,
    plan_notes,
    plan_phases,
    plan_status,
    step_claims,
    step_edits,
    step_order,
    steps,
    workspace,
    workspace_logs,
)

# Modules that add their actions to the tool of another one when they are imported.
EXTENSIONS = (
    memories,
    plan_copies,
    plan_dependencies,
    plan_gates,
    plan_import,
    plan_notes,
    plan_phases,
    plan_status,
    step_claims,
    step_edits,
    step_order,
    workspace_logs,
)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (workspace.TOOL, plan.TOOL, steps.TOOL, context.TOOL)}
