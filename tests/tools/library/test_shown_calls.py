"""Every call that the agents, instructions and skills show exists, is valid, and works in a store of its own."""

import json
import re
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from server.settings import ASSETS
from server.tools import TOOLS
from tests.populated_store import PopulatedStore, answer, connected

CONTENT = sorted(path for folder in ("agents", "instructions", "skills") for path in (ASSETS / folder).rglob("*.md"))
WRITTEN_OUT = re.compile(r"(memory_[a-z]+) ([a-z_]+) (?=\{)")
MENTIONED = re.compile(r"`(memory_[a-z]+) ([a-z_]+)`")
GIVEN = re.compile(r"`([a-z_]+)=([^`]+)`")
PLACEHOLDER = re.compile(r"[a-z]+_…")
LAST = (("memory_agent", "complete"), ("memory_plan", "archive"))


def named(path: Path) -> str:
    return path.relative_to(ASSETS).as_posix()


def written_out(text: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The calls with their arguments: `memory_plan get {"plan_id":"plan_…"}`."""
    for found in WRITTEN_OUT.finditer(text):
        arguments, _ = json.JSONDecoder().raw_decode(text, found.end())
        yield found[1], found[2], arguments


def mentioned(text: str) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """The calls by name, with the values that the same sentence gives to their parameters: (`name=value`, ...)."""
    calls = list(MENTIONED.finditer(text))
    for call, after in zip_longest(calls, calls[1:]):
        rest = text[call.end() : after.start() if after else None]
        sentence = re.split(r"[.;:] |\.\n|\n\n|\n- |\n\d\. ", rest)[0]
        action = TOOLS[call[1]].find(call[2])
        yield (
            call[1],
            action.name,
            tuple((name, value) for name, value in GIVEN.findall(sentence) if name in action.params),
        )


def filled(value: Any, name: str, known: dict[str, Any]) -> Any:
    """Put what exists in the place of what only shows where something belongs: `plan_…`."""
    if isinstance(value, dict):
        return {key: filled(item, key, known) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, name.removesuffix("s"), known) for item in value]
    return known[name] if isinstance(value, str) and PLACEHOLDER.fullmatch(value) else value


@pytest.mark.parametrize("path", [path for path in CONTENT if WRITTEN_OUT.search(path.read_text("utf-8"))], ids=named)
async def test_the_calls_of_a_file_work_one_after_the_other(path: Path, copy: PopulatedStore) -> None:
    known = dict(copy.arguments)
    async with connected(copy.data_root) as client:
        _, session, _ = await answer(
            client, "memory_agent", {"action": "init", "agent": "Ada", "plan_id": known["plan_id"]}
        )
        known["session_id"] = session["session_id"]
        more = {"action": "add", "plan_id": known["plan_id"], "steps": [{"task": f"Step {n}"} for n in range(4)]}
        await answer(client, "memory_steps", {**more, "session_id": known["session_id"]})
        _, claimed, _ = await answer(
            client, "memory_steps", {"action": "next", "plan_id": known["plan_id"], "session_id": known["session_id"]}
        )
        known |= {"step_id": claimed["next"]["step_id"], "claim_token": claimed["next"]["claim_token"]}
        for tool, action, arguments in written_out(path.read_text(encoding="utf-8")):
            call = {"action": action, **filled(arguments, "", known)}
            if (
                "workspace_id" in TOOLS[tool].find(action).params
                and not {"plan_id", "session_id", "step_id"} & call.keys()
            ):
                call["workspace_id"] = known["workspace_id"]
            failed, told, _ = await answer(client, tool, call)
            assert not failed, (call, told)
            known |= {name: told[name] for name in ("session_id",) if name in told and action == "init"}
            if isinstance(told.get("next"), dict):
                known |= {name: told["next"][name] for name in ("step_id", "claim_token")}


def distinct() -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
    found = {call for path in CONTENT for call in mentioned(path.read_text(encoding="utf-8"))}
    return sorted(found)


# What a call needs beside what is said in its sentence, to have something to do here.
NEEDS: dict[str, dict[str, Any]] = {
    "memory_plan archive": {"force": True},
    "memory_plan confirm": {"confirm_phase": "Two", "step_id": None},
    "memory_plan import": {"plan_file_path": None, "content": "# A\n- [ ] b"},
    "memory_plan update": {"force": True},
    "memory_steps claim": {"step_id": None, "plan_id": "plan_…", "step_index": 1},
    "memory_steps reorder": {"step_id": None, "plan_id": "plan_…", "step_index": 2},
    "memory_steps set_dependencies": {"step_id": None, "plan_id": "plan_…", "step_index": 2, "depends_on": [1]},
}


def prepared(call: str, given: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """What has to be there before a call."""
    if call == "memory_context get" and "type" in given:
        return [("memory_context", "store", {"type": given["type"]})]
    return []


async def test_each_call_that_is_named_works_with_the_values_that_are_given(
    world: PopulatedStore, tmp_path: Path
) -> None:
    problems: list[str] = []
    for number, (tool, name, given) in enumerate(distinct()):
        if name == "help":
            continue
        action = TOOLS[tool].actions[name]
        folder = tmp_path / str(number)
        shutil.copytree(world.data_root, folder)
        told = {key: json.loads(value) for key, value in given}
        arguments = {**world.plausible(action), **NEEDS.get(f"{tool} {name}", {}), **told, "action": name}
        arguments = filled(arguments, "", world.arguments)
        if told.get("parent_type", "plan") != "plan":
            arguments["plan_id"] = None
        async with connected(folder) as client:
            for other, other_action, more in prepared(f"{tool} {name}", told):
                await answer(client, other, {**world.plausible(TOOLS[other].actions[other_action]), **more})
            failed, said, _ = await answer(client, tool, arguments)
        if failed:
            problems.append(f"{tool} {name} {told}: {said['error']['code']}: {said['error']['message']}")
        shutil.rmtree(folder)

    assert not problems, "\n".join(problems)


def test_the_content_names_and_shows_calls() -> None:
    shown = sum(len(list(written_out(path.read_text(encoding="utf-8")))) for path in CONTENT)

    assert (len(distinct()) > 60, shown > 15) == (True, True)


def test_nobody_is_told_to_close_a_session_that_went_to_the_archive_with_its_plan() -> None:
    closing = [
        [f"{tool} {action}" for tool, action, _ in mentioned(text) if (tool, action) in LAST]
        for text in (path.read_text(encoding="utf-8") for path in CONTENT)
    ]
    both = [calls for calls in closing if len(set(calls)) == 2]

    assert both
    assert all(calls.index("memory_agent complete") < calls.index("memory_plan archive") for calls in both)
