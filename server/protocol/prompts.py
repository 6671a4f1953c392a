"""MCP prompts: ways of working that a person picks, as words with the calls they take."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mcp.types as wire

from server.db.plans import plans
from server.db.search import matching_names
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import Ambiguous, InvalidArguments, NotAllowed, NotFound
from server.registry import nearest

Given = Mapping[str, Any]  # the arguments; a plan as its id, a workspace as the parameter that names it
Words = Callable[[Given], str]

SHOWN = 80
NEAR = 5
GOAL = 500  # what a plan keeps of one
QUERY = 200
READING = "reading"  # among what is given: the server only reads
SESSION = "<session_id>"  # where an earlier answer gives it
MEANING = {
    "agent": "who the agent is, such as Executor",
    "workspace": "id, name or absolute folder of the project",
    "plan": "id or title of the plan",
    "session": "id of the session that was cut off",
    "goal": "what shall be true in the end",
    "to_agent": "who goes on",
    "reason": "why it is handed over",
}


@dataclass(frozen=True)
class Prompt:
    """A prompt: its arguments by name, those it needs first."""

    name: str
    title: str
    description: str
    words: Words
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    reads: bool = False  # what it asks for changes nothing


def shown(tool: str, action: str, /, **arguments: Any) -> str:
    """Return a call as it is made."""
    return f"{tool} {json.dumps({'action': action, **arguments}, ensure_ascii=False)}"


def _plan(given: Given) -> dict[str, str]:
    return {"plan_id": given["plan"]} if "plan" in given else {}


def _place(given: Given) -> dict[str, str]:
    return given.get("workspace", {})


def _start_work(given: Given) -> str:
    own = _plan(given)
    on_plan = {"plan_id": own.get("plan_id", "<plan_id>"), "session_id": SESSION}
    choice = (
        f"2. Choose a plan: {shown('memory_plan', 'list', **_place(given))} lists them. Ask me if more than one fits."
    )
    known = "2. The briefing says where the plan stands and what was handed to you. Read it before you begin."
    return f"""Work with Project Memory as {given["agent"]}.
1. {shown("memory_agent", "init", agent=given["agent"], **own, **_place(given))}
   gives a session_id and a briefing. Pass session_id in every later call.
{known if own else choice}
3. {shown("memory_steps", "next", **on_plan)}
   claims one step for you. Do it, then send the same with its step_id: it is done, and you get the following one.
   If there is none, the answer says why: tell me, and invent no work.
4. Keep what you find out: {shown("memory_context", "store", type="finding", data={"what": "..."}, **on_plan)}
5. At the end: {shown("memory_agent", "complete", session_id=SESSION, summary="...")}
If an answer says gated, a person has to confirm: ask me, and go on with something else."""


def _continue_after_crash(given: Given) -> str:
    session = given.get("session", SESSION)
    search = shown("memory_session", "list_sessions", agent=given["agent"], **_place(given))
    first = "" if "session" in given else f"Find the session that was cut off: {search}\n"
    return f"""Go on with the work of {given["agent"]} that was cut off. Begin nothing anew.
{first}1. {shown("memory_agent", "recover", session_id=session, **_place(given))}
   says what you held, what you hold again, and what others have taken meanwhile.
2. Look at the files: something may be half done, or done and not told. Compare with the steps that you hold.
3. What is done already: {shown("memory_steps", "next", plan_id="<plan_id>", step_id="<step_id>", session_id=session)}
   marks it done, and gives you the following one. What is not: do it first, then send this.
4. A call whose answer was lost may be sent again as it was."""


def _plan_from_goal(given: Given) -> str:
    place, goal = _place(given), " ".join(given["goal"].split())
    step = {"task": "..."}
    phases = [{"name": "...", "steps": [step, {**step, "depends_on": [0]}]}]
    parts = {"title": "...", "goals": [goal[:GOAL]], "success_criteria": ["..."], "phases": phases}
    return f"""Make a plan in Project Memory for this goal: {goal}
1. Look at what is known: {shown("memory_context", "search", query=goal[:QUERY], **place)}
   and whether there is such a plan: {shown("memory_plan", "list", **place)}
2. Read the code that it is about. Ask me what you cannot find out.
3. Templates that may fit: {shown("memory_plan", "list_templates", **place)}
4. One call makes all of it: {shown("memory_plan", "create", **parts, agent="planner", **place)}
   A step is one piece of work that somebody can check. depends_on says what has to be done before. A step that I
   should confirm has "requires_confirmation": true.
5. Show me the plan, and begin no step before I say so."""


def _hand_off(given: Given) -> str:
    data = {"done": ["..."], "open": ["..."], "watch_out": ["..."]}
    to_whom = {"to_agent": given["to_agent"], "reason": given["reason"]}
    on_plan = {"plan_id": "<plan_id>", "session_id": SESSION}
    on_step = {"step_id": "<step_id>", "append_notes": "...", "session_id": SESSION}
    return f"""Hand your work over to {given["to_agent"]}. Who goes on knows only what you store.
1. Notes on the step that you hold: {shown("memory_steps", "update", **on_step)}
2. What you found out: {shown("memory_context", "store", type="finding", data={"what": "..."}, **on_plan)}
3. {shown("memory_agent", "handoff", **to_whom, data=data, session_id=SESSION)}
4. {shown("memory_agent", "complete", session_id=SESSION, summary="...")}
   releases your claims."""


def _review_plan(given: Given) -> str:
    plan = _plan(given)
    keeping = shown("memory_plan", "add_note", note="...", note_type="warning", agent="reviewer", **plan)
    keep = "" if given.get(READING) else f" If I say so, keep it:\n   {keeping}"
    return f"""Review a plan in Project Memory. Change nothing in it.
1. {shown("memory_plan", "get", detail="full", **plan)}
   and, for what it waits for, {shown("memory_plan", "get_plan_dependencies", **plan)}
2. Say of each success criterion which step brings it about, and which has none.
3. Say which steps are too big to check, wait for the wrong thing or for nothing, repeat another one, or are risky and
   not confirmed by anybody.
4. Compare what is marked done with the code.
5. Tell me what you found, the worst first.{keep}"""


def _what_needs_me(given: Given) -> str:
    place = _place(given)
    return f"""Tell me what needs me. Confirm nothing yourself.
1. What waits for a person's word, what is stuck, who wrote to me: {shown("memory_workspace", "attention", **place)}
2. Plans that do not go on: {shown("memory_plan", "list", status="blocked", **place)}
   and {shown("memory_plan", "list", status="paused", **place)}
3. What happened last: {shown("memory_workspace", "history", **place)}
Tell me each thing in a line: what it is, who asked and since when, what depends on it, and how I answer. I answer in
a terminal: project-memory status."""


PROMPTS = {
    prompt.name: prompt
    for prompt in (
        Prompt(
            "start_work",
            "Start work",
            "Open a session, read the briefing, take one step after another",
            _start_work,
            ("agent",),
            ("plan", "workspace"),
        ),
        Prompt(
            "continue_after_crash",
            "Continue after a crash",
            "Take a session up again that was cut off",
            _continue_after_crash,
            ("agent",),
            ("session", "workspace"),
        ),
        Prompt(
            "plan_from_goal",
            "Plan from a goal",
            "Turn a goal into a plan with phases and steps",
            _plan_from_goal,
            ("goal",),
            ("workspace",),
        ),
        Prompt("hand_off", "Hand off", "Store what the next agent needs, and end", _hand_off, ("to_agent", "reason")),
        Prompt(
            "review_plan",
            "Review a plan",
            "Look for gaps in a plan, and change nothing",
            _review_plan,
            ("plan",),
            reads=True,
        ),
        Prompt(
            "what_needs_me",
            "What needs me",
            "What waits for a person, and what is stuck",
            _what_needs_me,
            (),
            ("workspace",),
            reads=True,
        ),
    )
}


def listed(*, read_only: bool) -> wire.ListPromptsResult:
    return wire.ListPromptsResult(
        prompts=[_wire(prompt) for prompt in PROMPTS.values() if prompt.reads or not read_only]
    )


def _wire(prompt: Prompt) -> wire.Prompt:
    arguments = [
        wire.PromptArgument(name=name, description=MEANING[name], required=name in prompt.needs)
        for name in (*prompt.needs, *prompt.takes)
    ]
    return wire.Prompt(name=prompt.name, title=prompt.title, description=prompt.description, arguments=arguments)


def find(name: str) -> Prompt:
    """Return a prompt, or raise with those that there are."""
    if name not in PROMPTS:
        near = nearest(name, PROMPTS)
        mean = f" Did you mean {near!r}?" if near else ""
        raise NotFound(f"There is no prompt {name[:SHOWN]!r}.{mean} Prompts: {', '.join(PROMPTS)}.")
    return PROMPTS[name]


async def told(db: Reader, name: str, arguments: Mapping[str, str], *, read_only: bool) -> wire.GetPromptResult:
    """Return the words of a prompt, with a plan and a workspace that exist."""
    prompt = find(name)
    if read_only and not prompt.reads:
        there_are = ", ".join(one.name for one in PROMPTS.values() if one.reads)
        raise NotAllowed(f"The prompt {name} writes, and this server only reads. Prompts: {there_are}.")
    given: dict[str, Any] = {key: value for key, value in arguments.items() if value.strip()}
    _check(prompt, given)
    if "plan" in given:
        given["plan"] = await _plan_id(db, given["plan"])
    if "workspace" in given:
        given["workspace"] = await _workspace(db, given["workspace"])
    content = wire.TextContent(type="text", text=prompt.words({**given, READING: read_only}))
    messages = [wire.PromptMessage(role="user", content=content)]
    return wire.GetPromptResult(description=prompt.description, messages=messages)


def _check(prompt: Prompt, given: Mapping[str, str]) -> None:
    known = (*prompt.needs, *prompt.takes)
    problems = [f"{name!r} is required ({MEANING[name]})" for name in prompt.needs if name not in given]
    problems += [f"{name[:SHOWN]!r} is no argument of it" for name in given if name not in known]
    if problems:
        takes = f"It takes: {', '.join(known)}."
        raise InvalidArguments(f"The prompt {prompt.name}: {'; '.join(problems)}. {takes}")


async def _plan_id(db: Reader, told: str) -> str:
    if found := await plans.find(db, told):
        return found.plan_id
    near = await matching_names.matching(db, "plan", told, limit=NEAR + 1)
    same = [plan_id for plan_id, title in near if title.casefold() == told.casefold()] or [one for one, _ in near]
    if len(same) == 1:
        return same[0]
    if same:
        listed = ", ".join(f"{plan_id} ({title[:SHOWN]})" for plan_id, title in near[:NEAR])
        raise Ambiguous(f"More than one plan is {told[:SHOWN]!r}: {listed}. Give the id of one.")
    raise NotFound(f"There is no plan {told[:SHOWN]!r}.").about("plan")


async def _workspace(db: Reader, told: str) -> dict[str, str]:
    """Return the parameter that names a workspace: an id, or a folder that may be no workspace yet."""
    everyone = await workspaces.all_(db)
    named = [one for one in everyone if told in (one.workspace_id, one.path)]
    named = named or [one for one in everyone if told.casefold() in (one.label.casefold(), one.name.casefold())]
    if len(named) == 1:
        return {"workspace_id": named[0].workspace_id}
    if named:
        listed = ", ".join(f"{one.workspace_id} ({one.path})" for one in named[:NEAR])
        raise Ambiguous(f"More than one workspace is called {told[:SHOWN]!r}: {listed}. Give the id of one.")
    if told.startswith(("/", "~", "\\")) or told[1:2] == ":":
        return {"workspace_path": told}
    raise NotFound(f"There is no workspace {told[:SHOWN]!r}.").about("workspace")
