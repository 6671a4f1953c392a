"""The tools this server offers, by name."""

from server.registry import Tool
from server.tools import (
    agent,
    context,
    knowledge,
    memories,
    plan,
    plan_copies,
    plan_dependencies,
    plan_export,
    plan_gates,
    plan_import,
    plan_notes,
    plan_phases,
    plan_search,
    plan_status,
    research,
    search,
    session,
    session_checkpoints,
    session_files,
    session_messages,
    session_prep,
    step_claims,
    step_edits,
    step_order,
    steps,
    workspace,
    workspace_approvals,
    workspace_logs,
)

# Modules that add their actions to the tool of another one when they are imported.
EXTENSIONS = (
    knowledge,
    memories,
    plan_copies,
    plan_dependencies,
    plan_export,
    plan_gates,
    plan_import,
    plan_notes,
    plan_phases,
    plan_search,
    plan_status,
    research,
    search,
    session_checkpoints,
    session_files,
    session_messages,
    session_prep,
    step_claims,
    step_edits,
    step_order,
    workspace_approvals,
    workspace_logs,
)

OFFERED = (workspace.TOOL, plan.TOOL, steps.TOOL, context.TOOL, agent.TOOL, session.TOOL)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in OFFERED}

# What a setting may name instead of single tools.
GROUPS: dict[str, tuple[str, ...]] = {"core": tuple(tool.name for tool in OFFERED), "all": tuple(TOOLS)}
