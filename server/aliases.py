"""Names of the first implementation: where its actions and arguments are now, and those that are nowhere.

None of them is listed. A name that the old tool has today keeps today's meaning. The new tool need not be among those
that are offered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from server.errors import InvalidArguments, UnknownAction
from server.registry import HELP, Tool


@dataclass(frozen=True)
class Formed:
    """An argument that has another name and another form today."""

    name: str
    form: Callable[[object], object]


@dataclass(frozen=True)
class Gone:
    """An argument that was not taken over, and what does its work."""

    instead: str


Arguments = Mapping[str, str | Formed | Gone]  # an old argument -> what it is today


@dataclass(frozen=True)
class Moved:
    """The tool and the action that an old name means, and the arguments that had other names."""

    tool: str
    action: str
    renamed: Arguments = field(default_factory=dict[str, str | Formed | Gone])
    given: Mapping[str, object] = field(default_factory=dict[str, object])  # what the old name itself says


RISK: Arguments = {
    **{f"risk_{name}": name for name in ("description", "severity", "status", "mitigation")},
    "risk_source_plan_id": "plan_id",
    "risk_detected_by": Gone("who adds a risk is recorded, and auto_detect_risks marks what it finds"),
}
# There the source had to be done before the target; here the source waits for the target.
TURNED: Arguments = {
    "source_plan_id": "target_plan_id",
    "source_phase": "target_phase",
    "target_plan_id_dep": "source_plan_id",
    "target_phase": "source_phase",
}
OF_SKILL: Arguments = {"skill_name": "name", "language_targets": "languages", "framework_targets": "frameworks"}
OF_INSTRUCTION: Arguments = {"instruction_filename": "name"}
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
IMPORT = Moved(
    "memory_library",
    "import",
    {
        "relative_path": "path",
        "expected_kind": "kind",
        "confirm": Formed("dry_run", lambda value: value is not True and value != "true"),
    },
    {"dry_run": True},
)
UPGRADE: Arguments = {
    "move_steps_to_child": Gone("the plan itself becomes the first of the program, with its steps; nothing is moved"),
}
# Old tool and old action -> where it is now.
ELSEWHERE: dict[tuple[str, str], Moved] = {
    ("memory_plan", "create_program"): Moved("memory_program", "create"),
    ("memory_plan", "add_plan_to_program"): Moved("memory_program", "add_plan"),
    ("memory_plan", "link_to_program"): Moved("memory_program", "add_plan"),
    ("memory_plan", "unlink_from_program"): Moved("memory_program", "remove_plan"),
    ("memory_plan", "upgrade_to_program"): Moved("memory_program", "upgrade", UPGRADE),
    ("memory_plan", "list_program_plans"): Moved("memory_program", "list_plans"),
    ("memory_plan", "set_dependency"): Moved("memory_program", "set_dependency", TURNED),
    ("memory_plan", "get_dependencies"): Moved("memory_program", "get_dependencies"),
    ("memory_plan", "add_risk"): Moved("memory_program", "add_risk", RISK),
    ("memory_plan", "list_risks"): Moved("memory_program", "list_risks", RISK),
    ("memory_plan", "auto_detect_risks"): Moved("memory_program", "auto_detect_risks"),
    **{("memory_agent", old): moved for old, moved in LIBRARY.items()},
    ("memory_workspace", "check_context_sync"): Moved("memory_library", "check", {"relative_path": "path"}),
    ("memory_workspace", "import_context_file"): IMPORT,
    ("memory_library", "import_context_file"): IMPORT,
}


def _level(value: object) -> object:
    return "full" if value is True else "brief"


def _seconds(value: object) -> object:
    return max(-(-value // 1000), 1) if isinstance(value, int) and not isinstance(value, bool) else value


def _boundaries(value: object) -> object:
    return cast(Mapping[str, object], value).get("scope_boundaries") if isinstance(value, dict) else value


EVERYWHERE: Arguments = {"_session_id": "session_id"}
BY_AGENT: Arguments = {"agent_type": "agent"}
CATEGORIZATION: Arguments = {"categorization": Gone("memory_agent categorize keeps it, once there is the plan")}
SCRIPT: Arguments = {"script_id": "script_name"}
PREP: Arguments = {
    "prep_config": Formed("scope_boundaries", _boundaries),
    "parent_session_id": "session_id",
    "compat_mode": Gone("a launch prompt has one form"),
}
# Tool and action, of the same name as today -> its arguments that are others today.
OLD_ARGUMENTS: dict[tuple[str, str], Arguments] = {
    ("memory_workspace", "list"): {"verbose": Formed("detail", _level)},
    ("memory_plan", "create"): CATEGORIZATION,
    ("memory_plan", "import"): CATEGORIZATION,
    ("memory_plan", "update"): {"steps": Gone("memory_steps replace takes them as replacement_steps")},
    ("memory_plan", "confirm"): {
        "confirm_step_index": "step_index",
        "confirmed_by": Gone("who confirms is recorded, and not said by who calls"),
    },
    ("memory_plan", "add_build_script"): {
        "script_mcp_handle": Gone("no other server is asked; script_command says what is run"),
    },
    ("memory_plan", "run_build_script"): SCRIPT,
    ("memory_plan", "delete_build_script"): SCRIPT,
    ("memory_plan", "pause_plan"): {"pause_session_id": "session_id"},
    ("memory_plan", "search"): {"search_limit": "limit", "search_include_archived": "include_archived"},
    ("memory_steps", "update"): BY_AGENT,
    ("memory_steps", "next"): BY_AGENT,
    ("memory_context", "write_prompt"): {
        "created_by_agent": "agent",
        "prompt_slug": Gone("output_path names the file"),
    },
    ("memory_agent", "init"): {
        "compact": Gone("every briefing is; max_bytes says how long it may be"),
        "context_budget": Gone("max_bytes says how long the briefing may be"),
        "include_workspace_context": Gone("memory_context workspace_get reads it"),
        "validate": Gone("memory_agent validate says whether this agent is the one to go on"),
        "validation_mode": Gone("memory_agent validate says whether this agent is the one to go on"),
        "deployment_context": Gone("context is kept with the session"),
    },
    ("memory_agent", "complete"): {
        "agent_type": "agent",
        "hub_force_close": "force",
        "plan_id": Gone("the session knows its plan"),
    },
    ("memory_agent", "recover"): {"agent_type": "agent", "plan_id": Gone("the session knows its plan")},
    ("memory_agent", "validate"): BY_AGENT,
    ("memory_session", "prep"): PREP,
    ("memory_session", "deploy_and_prep"): PREP,
    ("memory_session", "get_session"): {"plan_id": Gone("session_id alone names it")},
    ("memory_terminal", "run"): {
        "timeout_ms": Formed("timeout_seconds", _seconds),
        "env": Gone("a program gets few variables; `env NAME=value program` as the command sets one"),
        "session_target": Gone("every run is one of its own"),
    },
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
    if not isinstance(named, str):
        return tool, arguments
    if tool.knows(named):
        return tool, arguments if is_help else _as_today(tool, named, arguments)
    moved = ELSEWHERE.get((tool.name, named))
    if moved is None:
        if named in GONE:
            raise UnknownAction(f"{tool.name}: {named!r} was not taken over: {GONE[named].replace('`', '')}")
        return tool, arguments
    if is_help:
        return tools[moved.tool], {**arguments, "topic": moved.action}
    told = _renamed(f"{tool.name} {named}", f"{moved.tool} {moved.action}", moved.renamed, arguments)
    told = {**moved.given, **told, "action": moved.action}
    return tools[moved.tool], _as_today(tools[moved.tool], moved.action, told)


def _as_today(tool: Tool, named: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
    """Return arguments with those that had another name or form once as they are today."""
    action = tool.find(named)
    old = {**EVERYWHERE, **OLD_ARGUMENTS.get((tool.name, action.name), {})}
    old = {name: today for name, today in old.items() if name in arguments and name not in action.params}
    return _renamed(f"{tool.name} {named}", f"{tool.name} {action.name}", old, arguments) if old else arguments


def _renamed(once: str, now: str, old: Arguments, arguments: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        today = old.get(name, name)
        if isinstance(today, Gone):
            raise InvalidArguments(f"{once}: {name!r} was not taken over: {today.instead}. Leave it out.")
        new = today.name if isinstance(today, Formed) else today
        if new in found:
            action = now.rpartition(" ")[2]
            raise InvalidArguments(
                f"{once} takes {name!r} as {new!r} of {now}, and so does another argument. Call "
                f"{now.partition(' ')[0]} action={action!r}: action='help' topic={action!r} explains it."
            )
        found[new] = today.form(value) if isinstance(today, Formed) else value
    return found
