"""Names that stood under another tool once: where they are now. They are accepted there too, and listed nowhere.

A name that the old tool has today keeps today's meaning. The new tool need not be among those that are offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.errors import InvalidArguments
from server.registry import HELP, Tool


@dataclass(frozen=True)
class Moved:
    """The tool and the action that an old name means, and the arguments that had other names."""

    tool: str
    action: str
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    given: Mapping[str, object] = field(default_factory=dict[str, object])  # what the old name itself says


RISK = {
    **{f"risk_{name}": name for name in ("description", "severity", "status", "mitigation")},
    "risk_source_plan_id": "plan_id",
}
# There the source had to be done before the target; here the source waits for the target.
TURNED = {
    "source_plan_id": "target_plan_id",
    "source_phase": "target_phase",
    "target_plan_id_dep": "source_plan_id",
    "target_phase": "source_phase",
}
OF_SKILL = {"skill_name": "name", "language_targets": "languages", "framework_targets": "frameworks"}
OF_INSTRUCTION = {"instruction_filename": "name"}
ON_ONE = ("get", "create", "delete", "assign", "unassign")
SKILL, INSTRUCTION = {"kind": "skill"}, {"kind": "instruction"}
DEPLOY = Moved("memory_library", "deploy", {"agents": "names", "agent_type": "names"}, {"target": "github"})
LIBRARY = {
    "list": Moved("memory_library", "list", given={"kind": "agent"}),
    "get_instructions": Moved("memory_library", "get", {"agent_name": "name"}, {"kind": "agent"}),
    **{f"{name}_skill": Moved("memory_library", name, OF_SKILL, SKILL) for name in ON_ONE},
    **{f"{name}_instruction": Moved("memory_library", name, OF_INSTRUCTION, INSTRUCTION) for name in ON_ONE},
    "list_skills": Moved("memory_library", "list", given=SKILL),
    "list_instructions": Moved("memory_library", "list", given=INSTRUCTION),
    "list_workspace_skills": Moved("memory_library", "list_assigned", given=SKILL),
    "list_workspace_instructions": Moved("memory_library", "list_assigned", given=INSTRUCTION),
    "deploy": DEPLOY,
    "deploy_for_task": DEPLOY,
    "deploy_agent_to_workspace": DEPLOY,
}
# Old tool and old action -> where it is now.
ELSEWHERE: dict[tuple[str, str], Moved] = {
    ("memory_plan", "create_program"): Moved("memory_program", "create"),
    ("memory_plan", "add_plan_to_program"): Moved("memory_program", "add_plan"),
    ("memory_plan", "link_to_program"): Moved("memory_program", "add_plan"),
    ("memory_plan", "unlink_from_program"): Moved("memory_program", "remove_plan"),
    ("memory_plan", "upgrade_to_program"): Moved("memory_program", "upgrade"),
    ("memory_plan", "list_program_plans"): Moved("memory_program", "list_plans"),
    ("memory_plan", "set_dependency"): Moved("memory_program", "set_dependency", TURNED),
    ("memory_plan", "get_dependencies"): Moved("memory_program", "get_dependencies"),
    ("memory_plan", "add_risk"): Moved("memory_program", "add_risk", RISK),
    ("memory_plan", "list_risks"): Moved("memory_program", "list_risks", RISK),
    ("memory_plan", "auto_detect_risks"): Moved("memory_program", "auto_detect_risks"),
    **{("memory_agent", old): moved for old, moved in LIBRARY.items()},
    ("memory_workspace", "check_context_sync"): Moved("memory_library", "check", {"relative_path": "path"}),
    ("memory_workspace", "import_context_file"): Moved("memory_library", "import", {"relative_path": "path"}),
}


def addressed(
    tools: Mapping[str, Tool], tool: Tool, arguments: Mapping[str, object]
) -> tuple[Tool, Mapping[str, object]]:
    """Return the tool, among all there are, and the arguments that a call of `tool` means."""
    action = arguments.get("action")
    is_help = action == HELP
    named = arguments.get("topic") if is_help else action
    moved = ELSEWHERE.get((tool.name, named)) if isinstance(named, str) and not tool.knows(named) else None
    if moved is None:
        return tool, arguments
    if is_help:
        return tools[moved.tool], {**arguments, "topic": moved.action}
    return tools[moved.tool], {
        **moved.given,
        **_renamed(f"{tool.name} {named}", moved, arguments),
        "action": moved.action,
    }


def _renamed(old: str, moved: Moved, arguments: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in arguments.items():
        if value is not None:
            new = moved.renamed.get(name, name)
            if new in found:
                raise InvalidArguments(
                    f"{old} takes {name!r} as {new!r} of {moved.tool} {moved.action}, and so does another argument. "
                    f"Call {moved.tool} action={moved.action!r}: action='help' topic={moved.action!r} explains it."
                )
            found[new] = value
    return found
