"""Names that stood under another tool once: where they are now, and those that are nowhere. None of them is listed.

A name that the old tool has today keeps today's meaning. The new tool need not be among those that are offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.errors import InvalidArguments, UnknownAction
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

# What the first implementation had and this one has not: why, and what does its work.
GONE: dict[str, str] = {
    "summon_approval": "no window is opened: the client asks its user, or a person answers in a terminal "
    "(`project-memory approvals`); `memory_workspace approvals` lists what waits.",
    "summon_cleanup_approval": "as `summon_approval`; what removes something shows a preview until `confirm` is true.",
    "inject_cli_mcp": "no server writes the configuration of an editor; `project-memory demo` prints it.",
    "spawn_cli_session": "no agent is started from here; `memory_session prep` writes what a client starts one with.",
    "prep_claude": "`memory_session prep` writes a launch prompt for any client.",
    "migrate_programs": "an import of a store brings its programs along; `memory_program upgrade` makes one of a plan.",
    "get_workflow_mode": "`memory_plan get` tells it, `memory_plan update` changes it.",
    "memory_brainstorm": "it asked a person through a window; a client asks its user itself.",
    "memory_cartographer": "maps of code are the work of editors and language servers.",
    "memory_instructions": "`memory_library` keeps instructions, and finds those that fit a file or a task.",
    "memory_task": "`memory_steps next` hands out one step after another, and marks the last one done.",
    "memory_sprint": "goals stand in a plan, and `memory_program` joins plans.",
    "webhooks": "`memory_workspace events` waits for what happens, with `wait_seconds`; no data leaves the machine.",
    "important_context": "notes of the type `instruction` stand in every briefing until somebody acknowledges them.",
    "lanes": "leases say who works on what: `memory_steps claim`, and `memory_session reserve_files` for files.",
    "the sanitiser": "text is stored as it was sent, and handed out as what others wrote, never as an instruction.",
    "tool logs": "`memory_workspace events` and `memory_workspace history` say what was changed, when and by whom.",
    "session statistics": "they were counted by agents themselves; `memory_session list_sessions` tells what is known.",
    "its windows": "a person has the terminal (`project-memory --help`) and the resources `memory://` of an editor.",
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
        if isinstance(named, str) and named in GONE:
            raise UnknownAction(f"{tool.name}: {named!r} was not taken over: {GONE[named].replace('`', '')}")
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
