"""Whatever is stored can be read whole, by following what the answers themselves name."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from server.tools import TOOLS
from tests.conftest import Agent

TEXT = "".join(f'{number:05} äöü \\ "q"\n' for number in range(3_400))[:60_000]
LINES = [f"{number:04} " + "x" * 480 for number in range(120)]
DATA = {"deep": {"text": TEXT}}
HINT = re.compile(r"(memory_\w+) action='(\w+)'((?: \w+='[^']*')*)")
MOST_CALLS = 60

Call = tuple[str, dict[str, Any]]


@dataclass
class Case:
    """How a text is stored, which call one would read it with, and the text."""

    store: list[Call]
    read: Call
    text: str = TEXT


def call(name: str, /, **arguments: Any) -> Call:
    return name, arguments


STEP: Any = {"plan_id": "{plan_id}", "step_index": 0}
PLAN: Any = {"plan_id": "{plan_id}"}
ME: Any = {"agent": "me", "workspace_id": "{workspace_id}"}
NAMED = {"title": "t" * 500, "task": (TEXT * 2)[:10_000].strip()}
GOALS = json.dumps(LINES)[1:-1].replace(", ", ",")

CASES: dict[str, Case] = {
    "step task in a list": Case(
        [call("memory_steps.update", **STEP, task=NAMED["task"])],
        call("memory_steps.list", **PLAN, max_bytes=5_000),
        NAMED["task"],
    ),
    "step notes": Case(
        [call("memory_steps.update", **STEP, notes=TEXT)], call("memory_steps.list", **PLAN, detail="full")
    ),
    "step notes in the plan": Case(
        [call("memory_steps.update", **STEP, notes=TEXT)], call("memory_plan.get", **PLAN, detail="full")
    ),
    "step notes in next": Case(
        [call("memory_steps.update", **STEP, notes=TEXT)], call("memory_steps.next", **PLAN, agent="me")
    ),
    "release reason": Case(
        [call("memory_steps.claim", **STEP, agent="me"), call("memory_steps.release", **STEP, agent="me", reason=TEXT)],
        call("memory_steps.list", **PLAN, detail="full"),
    ),
    "release reason in the log": Case(
        [call("memory_steps.claim", **STEP, agent="me"), call("memory_steps.release", **STEP, agent="me", reason=TEXT)],
        call("memory_workspace.events", **PLAN, types=["step_released"]),
    ),
    "plan title": Case(
        [call("memory_plan.update", **PLAN, title=NAMED["title"])],
        call("memory_plan.list", workspace_id="{workspace_id}", max_bytes=500),
        NAMED["title"],
    ),
    "plan description": Case(
        [call("memory_plan.update", **PLAN, description=TEXT)], call("memory_plan.get", **PLAN, detail="full")
    ),
    "plan goals": Case(
        [call("memory_plan.update", **PLAN, goals=LINES)], call("memory_plan.get", **PLAN, detail="full"), GOALS
    ),
    "plan criteria": Case(
        [call("memory_plan.update", **PLAN, success_criteria=LINES)],
        call("memory_plan.get", **PLAN, detail="full"),
        GOALS,
    ),
    "pause notes": Case(
        [call("memory_plan.pause_plan", **PLAN, pause_reason="deferred", pause_user_notes=TEXT)],
        call("memory_plan.get", **PLAN),
    ),
    "phase description": Case(
        [call("memory_plan.update_phase", **PLAN, phase="One", description=TEXT)],
        call("memory_plan.get", **PLAN, detail="full"),
    ),
    "phase criteria": Case(
        [call("memory_plan.update_phase", **PLAN, phase="One", success_criteria=LINES)],
        call("memory_plan.get", **PLAN, detail="full"),
        GOALS,
    ),
    "plan note": Case([call("memory_plan.add_note", **PLAN, note=TEXT)], call("memory_plan.list_notes", **PLAN)),
    "plan note in the plan": Case(
        [call("memory_plan.add_note", **PLAN, note=TEXT)], call("memory_plan.get", **PLAN, include=["notes"])
    ),
    "instruction in a briefing": Case(
        [call("memory_plan.add_note", **PLAN, note=TEXT, note_type="instruction")],
        call("memory_agent.init", agent="me", **PLAN),
    ),
    "message": Case(
        [call("memory_session.send_message", to_agent="me", content=TEXT, agent="you", workspace_id="{workspace_id}")],
        call("memory_session.inbox", **ME),
    ),
    "session summary": Case(
        [call("memory_agent.complete", session_id="{session_id}", summary=TEXT)],
        call("memory_session.list_sessions", workspace_id="{workspace_id}", status_filter="all"),
    ),
    "session in the plan": Case(
        [call("memory_agent.complete", session_id="{session_id}", summary=TEXT)],
        call("memory_plan.get", **PLAN, include=["sessions"]),
    ),
    "hand-off reason": Case(
        [call("memory_agent.handoff", session_id="{session_id}", to_agent="me", reason=TEXT)],
        call("memory_agent.get_lineage", **PLAN),
    ),
    "hand-off reason in the plan": Case(
        [call("memory_agent.handoff", session_id="{session_id}", to_agent="me", reason=TEXT)],
        call("memory_plan.get", **PLAN, include=["lineage"]),
    ),
    "hand-off reason in a briefing": Case(
        [call("memory_agent.handoff", session_id="{session_id}", to_agent="me", reason=TEXT)],
        call("memory_agent.init", agent="me", **PLAN),
    ),
    "hand-off data": Case(
        [call("memory_agent.handoff", session_id="{session_id}", to_agent="me", reason="r", data=DATA)],
        call("memory_agent.get_lineage", **PLAN),
    ),
    "checkpoint data": Case(
        [call("memory_session.checkpoint", session_id="{session_id}", name="c", data=DATA)],
        call("memory_session.list_checkpoints", **PLAN, detail="full"),
    ),
    "context item": Case(
        [call("memory_context.store", **PLAN, type="t", data=DATA, agent="me")],
        call("memory_context.get", **PLAN, type="t"),
    ),
    "research": Case(
        [call("memory_context.append_research", **PLAN, filename="a.md", content=TEXT, agent="me")],
        call("memory_context.get_research", **PLAN, filename="a.md"),
    ),
    "knowledge": Case(
        [call("memory_context.knowledge_store", **ME, slug="s", title="t", content=TEXT)],
        call("memory_context.knowledge_get", workspace_id="{workspace_id}", slug="s"),
    ),
    "fact": Case([call("memory_context.remember", **ME, key="k", value=TEXT)], call("memory_context.recall", **ME)),
    "fact by key": Case(
        [call("memory_context.remember", **ME, key="k", value=TEXT)], call("memory_context.recall", **ME, key="k")
    ),
    "search": Case(
        [call("memory_context.knowledge_store", **ME, slug="s", title="zebra", content=TEXT)],
        call("memory_context.search", workspace_id="{workspace_id}", query="zebra"),
    ),
    "reservation reason": Case(
        [call("memory_session.reserve_files", **ME, paths=["a"], reason="ü" * 500)],
        call("memory_session.list_reservations", workspace_id="{workspace_id}", max_bytes=500),
        "ü" * 500,
    ),
    "notes of a file edit": Case(
        [call("memory_steps.record_edit", **STEP, file_path="a", change_type="edit", notes=TEXT)],
        call("memory_steps.list_edits", **PLAN),
    ),
    "history": Case(
        [call("memory_plan.update", **PLAN, title=NAMED["title"])],
        call("memory_workspace.history", **PLAN, max_bytes=500),
        NAMED["title"],
    ),
}


def filled(arguments: Any, known: dict[str, str]) -> Any:
    if isinstance(arguments, dict):
        return {name: filled(value, known) for name, value in arguments.items()}
    return known.get(arguments, arguments) if isinstance(arguments, str) else arguments


def strings(value: Any) -> Iterator[str]:
    """Yield every text in an answer, and every list and object as the JSON text that it would come in pieces as."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for child in value.values() if isinstance(value, dict) else value:
            yield from strings(child)


def named_calls(value: Any) -> Iterator[Call]:
    """Yield the calls that an answer names, as objects or in words."""
    if isinstance(value, dict):
        if isinstance(read := value.get("read"), dict):
            more = {name: argument for name, argument in read.items() if name not in ("tool", "action")}
            yield f"{read['tool']}.{read['action']}", more
        for child in value.values():
            yield from named_calls(child)
    elif isinstance(value, list):
        for child in value:
            yield from named_calls(child)
    elif isinstance(value, str) and len(value) < 5_000:
        for tool, action, arguments in HINT.findall(value):
            found = dict(re.findall(r"(\w+)='([^']*)'", arguments))
            yield f"{tool}.{action}", found


async def read_whole(agent: Agent, first: Call, text: str) -> bool:
    """Follow an answer by its cursors, offsets and calls, until the text was seen."""
    waiting, made = [first], set[str]()
    while waiting and len(made) < MOST_CALLS:
        name, arguments = waiting.pop(0)
        tool, action = name.split(".")
        if (key := json.dumps([name, arguments], sort_keys=True)) in made or (made and is_write(name)):
            continue
        made.add(key)
        answer = await agent(tool, action, **arguments)
        pieces = [answer.get("text", "")]
        while "next_offset" in answer:
            answer = await agent(tool, action, **arguments, offset=answer["next_offset"])
            pieces.append(answer["text"])
        whole = "".join(pieces)
        decoded = json.loads(whole) if whole[:1] in ("[", "{") else whole
        if any(text in found for part in (answer, whole, decoded) for found in strings(part)):
            return True
        waiting += [(found, {**more}) for found, more in named_calls(answer)]
        if "next_cursor" in answer:
            waiting.append((name, {**arguments, "cursor": answer["next_cursor"]}))
    return False


def is_write(name: str) -> bool:
    tool, action = name.split(".")
    return not TOOLS[tool].actions[action].read_only


@pytest.mark.parametrize("case", CASES)
async def test_every_text_can_be_read_whole(agent: Agent, workspace_id: str, case: str) -> None:
    phases = [{"name": "One", "steps": [{"task": "a"}, {"task": "b"}]}]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P", phases=phases)
    session = await agent("memory_agent", "init", plan_id=plan["plan_id"], agent="first")
    known = {
        "{plan_id}": plan["plan_id"],
        "{workspace_id}": workspace_id,
        "{session_id}": session["session_id"],
    }
    wanted = CASES[case]
    for name, arguments in wanted.store:
        tool, action = name.split(".")
        await agent(tool, action, **filled(arguments, known))
    name, arguments = wanted.read
    assert await read_whole(agent, (name, filled(arguments, known)), wanted.text)
