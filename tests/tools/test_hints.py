"""Whatever is cut says how to go on, and that shows the rest."""

import itertools
import re
from typing import Any

from server.models.base import encode
from server.tools import TOOLS
from server.tools.render import MAX_BYTES, MIN_BYTES
from tests.conftest import Agent
from tests.populated_store import VERSION

LONG = "words that fill a line " * 8
MANY = 12
ARGUMENT = re.compile(r"(\w+)='([^']*)'")
BUDGETS = (MIN_BYTES, 1_500, 4_000)
READS = sorted((t.name, a.name) for t in TOOLS.values() for a in t.actions.values() if a.read_only and a.name != "help")
NAMED = re.compile(r"(memory_\w+) action='(\w+)'")
# What the actions need that do without no argument, as names of what `filled` made.
NEEDS: dict[tuple[str, str], dict[str, str]] = {
    ("memory_plan", "get"): {"plan_id": "plan_id", "detail": "full"},
    ("memory_plan", "find"): {"plan_id": "plan_id"},
    ("memory_plan", "get_plan_dependencies"): {"plan_id": "plan_id"},
    ("memory_plan", "list_notes"): {"plan_id": "plan_id"},
    ("memory_plan", "search"): {"query": "words"},
    ("memory_plan", "list_templates"): {"detail": "full"},
    ("memory_steps", "get"): {"step_id": "step_id"},
    ("memory_steps", "list"): {"plan_id": "plan_id"},
    ("memory_context", "get"): {"type": "findings", "plan_id": "plan_id"},
    ("memory_context", "list"): {"plan_id": "plan_id"},
    ("memory_context", "knowledge_get"): {"slug": "entry-0"},
    ("memory_context", "get_research"): {"filename": "notes-0.md", "plan_id": "plan_id"},
    ("memory_context", "list_research"): {"plan_id": "plan_id"},
    ("memory_context", "search"): {"query": "words"},
    ("memory_context", "pull"): {"query": "words"},
    ("memory_context", "generate_instructions"): {"target_agent": "executor", "mission": "words"},
    ("memory_context", "write_prompt"): {
        "prompt_title": "words",
        "prompt_agent": "executor",
        "prompt_description": "words",
    },
    ("memory_context", "dump_context"): {"plan_id": "plan_id"},
    ("memory_agent", "get_lineage"): {"plan_id": "plan_id"},
    ("memory_agent", "get_briefing"): {"plan_id": "plan_id", "agent": "executor"},
    ("memory_agent", "validate"): {"plan_id": "plan_id", "agent": "executor"},
    ("memory_library", "list"): {"kind": "agent"},
    ("memory_library", "get"): {"kind": "agent", "name": "Worker"},
    ("memory_library", "match"): {"query": "work plan step agent"},
    ("memory_program", "get"): {"program_id": "program_id"},
    ("memory_program", "get_dependencies"): {"program_id": "program_id"},
    ("memory_program", "list_plans"): {"program_id": "program_id"},
    ("memory_program", "list_risks"): {"program_id": "program_id"},
    ("memory_session", "get_session"): {"session_id": "session_id"},
    ("memory_session", "list_checkpoints"): {"plan_id": "plan_id"},
    ("memory_filesystem", "discover_codebase"): {"prompt_text": "words"},
    ("memory_filesystem", "search"): {"pattern": "README.md"},
    ("memory_filesystem", "read"): {"path": "README.md"},
    ("memory_filesystem", "exists"): {"path": "README.md"},
    ("memory_terminal", "read_output"): {"run_id": "run_id"},
    ("memory_session", "inbox"): {"agent": "reviewer"},
    ("memory_ledger", "cache_get"): {"key": "key 0"},
    ("memory_ledger", "find_by_term"): {"term": "shared"},
}


async def filled(agent: Agent, workspace_id: str) -> dict[str, str]:
    """Store more of everything than a small budget takes, and return the ids."""
    here = {"workspace_id": workspace_id}
    steps = [{"task": f"{n} {LONG}", "phase": f"Phase {n // 2}"} for n in range(MANY)]
    plan = await agent(
        "memory_plan", "create", **here, title="The plan", steps=steps, goals=[f"{n} {LONG}" for n in "ab"]
    )
    plan_id = plan["plan_id"]
    await agent("memory_filesystem", "write", **here, path="README.md", content=LONG * 30)
    await agent.person_allows(workspace_id, *(f"{VERSION[0]} {n} *" for n in range(MANY)), f"{VERSION[0]} -c *")
    many = f"print({LONG!r} * 50)"
    run = await agent("memory_terminal", "run", **here, command=VERSION[0], args=["-c", many])
    session = await agent("memory_agent", "init", agent="executor", plan_id=plan_id)
    me = {"session_id": session["session_id"]}
    step = await agent("memory_steps", "next", plan_id=plan_id, **me)
    await agent("memory_plan", "add_build_script", **here, script_name="test", script_command="pytest -q")
    await agent("memory_context", "workspace_set", **here, data={f"part {n}": LONG for n in range(MANY)})
    others: list[str] = []
    for n in range(MANY):
        others.append((await agent("memory_plan", "create", **here, title=f"Plan {n}", description=LONG))["plan_id"])
        await agent("memory_plan", "add_note", plan_id=plan_id, note=f"{n} {LONG}", **me)
        await agent("memory_context", "store", plan_id=plan_id, type=f"type-{n}", data={"words": LONG}, **me)
        await agent("memory_context", "append_research", plan_id=plan_id, filename=f"notes-{n}.md", content=LONG * 5)
        await agent(
            "memory_context", "knowledge_store", **here, slug=f"entry-{n}", title=f"Entry {n}", content=LONG * 5
        )
        await agent("memory_context", "remember", **here, key=f"key {n}", value=LONG)
        await agent("memory_session", "send_message", **me, to_agent="reviewer", content=f"{n} {LONG}")
        if n % 3 == 0:  # the log of events has to fit one answer
            await agent("memory_session", "reserve_files", **me, paths=[f"src/file_{n}.py"])
            await agent("memory_session", "checkpoint", **me, name=f"checkpoint {n}", data={"words": LONG})
            await agent("memory_agent", "init", agent=f"agent {n}", plan_id=plan_id)
    await agent("memory_plan", "set_plan_dependencies", plan_id=plan_id, depends_on_plans=others)
    program = await agent("memory_program", "create", **here, title="The program", description=LONG, goals=[LONG])
    on_it = {"program_id": program["program_id"]}
    for n, other in enumerate(others[:4]):
        await agent("memory_program", "add_plan", **on_it, plan_id=other)
        await agent("memory_program", "add_risk", **on_it, risk_title=f"Risk {n} {LONG}", description=LONG)
        await agent("memory_program", "create", **here, title=f"Program {n} {LONG}")
        ends = {"source_plan_id": other, "target_plan_id": others[n - 1]}
        await agent("memory_program", "set_dependency", **on_it, **ends) if n else None
    await agent("memory_context", "store", plan_id=plan_id, type="findings", data={"words": [LONG] * MANY}, **me)
    await fill_ledger(agent, here, plan_id, others)
    return {**here, **me, "plan_id": plan_id, "step_id": step["next"]["step_id"], "run_id": run["run_id"], **on_it}


async def fill_ledger(agent: Agent, here: dict[str, str], plan_id: str, others: list[str]) -> None:
    """Leave more of each kind than the smallest budget takes."""
    on_plan, ledger = {"plan_id": plan_id, "agent": "executor"}, "memory_ledger"
    calls = [{"tool": f"tool {n}", "args": {}, "error": LONG, "duration_ms": n} for n in range(MANY)]
    await agent(ledger, "log_calls", calls=calls, **on_plan)
    points = [{"name": f"{n} {LONG}"[:190], "value": n} for n in range(MANY)]
    await agent(ledger, "record_metrics", points=points, **on_plan)
    for n in range(2):
        await agent(ledger, "decide", decision=f"{n} {LONG}", rationale=LONG, **on_plan)
        await agent(ledger, "start_run", name=f"{n} {LONG}"[:190], **on_plan)
        await agent(ledger, "record_gate", gate_name=f"gate {n}", status="failed", message=LONG, **on_plan)
        await agent(ledger, "add_artifact", artifact_type="code", name=f"{n} {LONG}"[:190], **on_plan)
        await agent(ledger, "set_progress", task_name=f"job {n}", percent=n, message=LONG, **on_plan)
        await agent(ledger, "add_term", plan_id=others[n], term="shared", kind="tag", agent="executor")
        await agent(ledger, "set_budget", plan_id=others[n], max=1, unit=f"{n} {LONG}"[:190], agent="executor")
    await agent(ledger, "cache_set", **here, key="key 0", payload={"words": [LONG] * MANY})


async def test_a_cut_result_names_calls_that_show_the_rest(agent: Agent, workspace_id: str) -> None:
    ids = await filled(agent, workspace_id)
    cut: set[tuple[str, str]] = set()
    for (tool, action), max_bytes in itertools.product(READS, BUDGETS):
        params = TOOLS[tool].actions[action].params
        given = {name: ids.get(value, value) for name, value in NEEDS.get((tool, action), {}).items()}
        given |= {"workspace_id": workspace_id} if "workspace_id" in params else {}
        answer = await agent(tool, action, **given, max_bytes=max_bytes)
        if "truncated" in answer:
            cut.add((tool, action))
            hint = answer["truncated"]["hint"]
            assert "max_bytes" not in hint
            if "cursor" in params:
                assert (hint, "next_cursor" in answer) == ("pass next_cursor", True)
            else:
                whole = await agent(tool, action, **given, max_bytes=MAX_BYTES)
                await follow(agent, hint, ids_of(whole) - ids_of(answer), ids)

    assert {("memory_plan", "get"), ("memory_workspace", "info")} <= cut
    assert {("memory_steps", "list"), ("memory_context", "list"), ("memory_workspace", "events")} <= cut


def ids_of(payload: object) -> set[str]:
    """The ids that entities in a result have: what each of its lists shows first of an item."""
    lists = [value for value in payload.values() if isinstance(value, list)] if isinstance(payload, dict) else []
    return {str(next(iter(item.values()))) for items in lists for item in items if isinstance(item, dict)}


async def follow(agent: Agent, hint: str, missing: set[str], ids: dict[str, str]) -> None:
    """Make the calls that a hint names, and look for what was left out."""
    calls = list(NAMED.finditer(hint))
    assert calls, hint
    found = ""
    for call, after in itertools.zip_longest(calls, calls[1:]):
        text = hint[call.end() : after.start() if after else None]
        arguments: dict[str, Any] = dict(ARGUMENT.findall(text))
        action = TOOLS[call[1]].actions[call[2]]
        params = action.params
        here = {name: ids[name] for name in ("workspace_id", *action.required) if name in params and name in ids}
        arguments = {**here, **arguments}
        more = {"limit": 200} if "limit" in params else {}
        found += encode(await agent(call[1], call[2], **arguments, **more, max_bytes=MAX_BYTES))
    one_at_a_time = {one for one in missing if one.startswith("phase_")}
    assert {one for one in missing - one_at_a_time if one not in found} == set(), hint
    assert not one_at_a_time or any(one in found for one in one_at_a_time)
