"""Prompts and completions: words whose calls exist, and values that are really there."""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceTemplateReference, TextContent

from server.protocol.app import build
from server.protocol.completions import MOST, SOURCES
from server.protocol.prompts import PROMPTS
from server.protocol.resources import TEMPLATES
from server.settings import Settings
from server.tools import TOOLS
from tests.conftest import Agent, tick

every_era = pytest.mark.parametrize("mode", ["auto", "legacy"])
NAMES = [
    "start_work",
    "continue_after_crash",
    "plan_from_goal",
    "hand_off",
    "review_plan",
    "what_needs_me",
]
GIVEN = {
    "agent": 'ada "the" first',
    "goal": "No \\ loss\nof {data}" + " at all" * 200,
    "to_agent": "bob",
    "reason": "lunch",
}


@asynccontextmanager
async def connected(settings: Settings, mode: str = "auto") -> AsyncGenerator[Agent]:
    async with Client(build(settings), mode=mode) as client:
        yield Agent(client)


async def words(agent: Agent, name: str, /, **arguments: str) -> str:
    [message] = (await agent.client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


def calls(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for found in re.finditer(r"\b(memory_[a-z]+) (?=\{)", text):
        yield found[1], json.JSONDecoder().raw_decode(text, found.end())[0]


async def refused(agent: Agent, name: str, /, **arguments: str) -> str:
    with pytest.raises(MCPError) as caught:
        await agent.client.get_prompt(name, arguments)
    assert caught.value.error.code == INVALID_PARAMS
    return caught.value.error.message


async def values(agent: Agent, of: str, name: str, value: str = "", /, **others: str) -> list[str]:
    ref = (
        ResourceTemplateReference(type="ref/resource", uri=of)
        if "://" in of
        else PromptReference(type="ref/prompt", name=of)
    )
    found = await agent.client.complete(ref, {"name": name, "value": value}, context_arguments=others or None)
    assert len(found.completion.values) <= MOST
    return found.completion.values


async def planned(agent: Agent, project: Path, *titles: str) -> tuple[str, list[str]]:
    home = (await agent("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    steps = [{"task": "one"}, {"task": "two"}]
    made: list[str] = []
    for title in titles:
        tick()
        made.append((await agent("memory_plan", "create", title=title, steps=steps, workspace_id=home))["plan_id"])
    return home, made


@every_era
async def test_every_prompt_is_listed_with_its_arguments(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as agent:
        listed = (await agent.client.list_prompts()).prompts

    assert [prompt.name for prompt in listed] == NAMES
    for prompt in listed:
        assert prompt.title
        assert prompt.description
        for argument in prompt.arguments or ():
            assert argument.description
            assert argument.required is (argument.name in PROMPTS[prompt.name].needs)


@every_era
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("all_of_them", [False, True], ids=["needed arguments", "all arguments"])
async def test_every_call_that_a_prompt_shows_exists(
    settings: Settings, project: Path, mode: str, name: str, all_of_them: bool
) -> None:
    async with connected(settings, mode) as agent:
        home, [plan_id] = await planned(agent, project, "Wall")
        known = {**GIVEN, "plan": plan_id, "workspace": home, "session": "sess_1"}
        prompt = PROMPTS[name]
        wanted = (*prompt.needs, *(prompt.takes if all_of_them else ()))
        text = await words(agent, name, **{key: known[key] for key in wanted})

    shown = list(calls(text))
    assert len(shown) == text.count("memory_") >= 2
    for tool, arguments in shown:
        TOOLS[tool].bind(arguments)
    for key in wanted:
        assert " ".join(known[key].split()) in text, key


@every_era
async def test_a_server_that_only_reads_offers_only_what_reads(settings: Settings, project: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        _, [plan_id] = await planned(agent, project, "Wall")
    async with connected(replace(settings, read_only=True), mode) as agent:
        listed = [prompt.name for prompt in (await agent.client.list_prompts()).prompts]
        texts = [await words(agent, "review_plan", plan=plan_id), await words(agent, "what_needs_me")]
        shown = [call for text in texts for call in calls(text)]
        refusal = await refused(agent, "start_work", agent="a")
        told = agent.client.instructions or ""

    assert listed == ["review_plan", "what_needs_me"]
    assert shown
    assert all(not TOOLS[tool].bind(arguments).action.writes(arguments) for tool, arguments in shown)
    assert "review_plan" in refusal
    named = re.findall(r"(memory_[a-z]+) ([a-z_]+)", told)
    assert len(named) >= 6
    assert all(not TOOLS[tool].find(action).writes({}) for tool, action in named)
    assert "claims one step" not in told


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=NAMES)
def test_every_argument_of_a_prompt_is_used(prompt: Any) -> None:
    for name in (*prompt.needs, *prompt.takes):
        given = {key: {"workspace_id": "own:x"} if key == "workspace" else "own:x" for key in (*prompt.needs, name)}
        other = {**given, name: {"workspace_id": "other:y"} if name == "workspace" else "other:y"}
        assert prompt.words(given) != prompt.words(other), name


@every_era
async def test_a_plan_is_named_by_its_title_and_a_workspace_by_its_name_or_folder(
    settings: Settings, project: Path, tmp_path: Path, mode: str
) -> None:
    async with connected(settings, mode) as agent:
        home, [wall, roof, _] = await planned(agent, project, "Wall", "Roof of tiles", "Roof of tiles and slate")
        assert wall in await words(agent, "review_plan", plan="wall")
        assert roof in await words(agent, "review_plan", plan="Roof of tiles")
        for place in (home, project.name, str(project)):
            assert f'"workspace_id": "{home}"' in await words(agent, "what_needs_me", workspace=place)
        new = str(tmp_path / "new")
        assert f'"workspace_path": {json.dumps(new)}' in await words(agent, "start_work", agent="a", workspace=new)
        ambiguous = await refused(agent, "review_plan", plan="Roof")
        missing = await refused(agent, "review_plan", plan="Cellar")
        nowhere = await refused(agent, "what_needs_me", workspace="nowhere")

    assert roof in ambiguous
    assert "memory_plan action='list'" in missing
    assert "memory_workspace action='list'" in nowhere


@every_era
async def test_what_a_prompt_does_not_take_is_told_in_words(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as agent:
        assert "start_work" in await refused(agent, "start_wrk")
        assert "'agent' is required" in await refused(agent, "start_work")
        assert "'agent' is required" in await refused(agent, "start_work", agent=" ")
        assert "'plans' is no argument" in await refused(agent, "start_work", agent="a", plans="x")


def test_every_part_of_an_address_and_every_argument_that_names_something_is_completed() -> None:
    parts = {part for uri in TEMPLATES for part in re.findall(r"\{(\w+)\}", uri)}
    arguments = {name for prompt in PROMPTS.values() for name in (*prompt.needs, *prompt.takes)}

    assert parts | arguments - {"goal", "reason"} == SOURCES.keys()


@every_era
async def test_addresses_are_completed_by_ids_and_titles(settings: Settings, project: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        home, [wall, roof] = await planned(agent, project, "Größe Wall", "Roof")
        program = await agent("memory_program", "create", title="House", workspace_id=home)
        text = {"filename": "soil.md", "content": "clay"}
        document = await agent("memory_context", "append_research", plan_id=wall, agent="a", **text)
        fact = {"slug": "mortar", "title": "Sand", "content": "3", "workspace_id": home}
        await agent("memory_context", "knowledge_store", agent="a", **fact)
        plan, step = "memory://plans/{plan_id}", "memory://plans/{plan_id}/steps/{step_index}"
        assert await values(agent, plan, "plan_id") == [roof, wall]
        assert await values(agent, plan, "plan_id", "grösse"[:4].upper()) == [wall]
        assert await values(agent, plan, "plan_id", roof[:-1]) == [roof]
        assert await values(agent, plan, "plan_id", "100%_") == []
        assert await values(agent, step, "step_index", "", plan_id=wall) == ["0", "1"]
        assert await values(agent, step, "step_index", "1", plan_id=wall) == ["1"]
        places = "memory://workspaces/{workspace_id}"
        assert await values(agent, places, "workspace_id", project.name[:4]) == [home]
        assert await values(agent, "memory://programs/{program_id}", "program_id", "hou") == [program["program_id"]]
        research = "memory://research/{document_id}"
        assert await values(agent, research, "document_id", "soil") == [document["document_id"]]
        knowledge = "memory://knowledge/{workspace_id}/{slug}"
        assert await values(agent, knowledge, "slug", "mor", workspace_id=home) == ["mortar"]
        assert await values(agent, knowledge, "slug", "mor", workspace_id="ws_other") == []
        library, catalog = "memory://library/{kind}/{name}", "memory://catalog/{tool}/{action}"
        assert await values(agent, library, "kind", "s") == ["skill"]
        assert "Executor" in await values(agent, library, "name", "exec", kind="agent")
        assert "Executor" not in await values(agent, library, "name", "exec", kind="skill")
        assert await values(agent, catalog, "tool", "memory_pl") == ["memory_plan"]
        assert await values(agent, catalog, "action", "clone", tool="memory_plan") == ["clone_plan"]


@every_era
async def test_arguments_of_prompts_are_completed_by_what_is_there(
    settings: Settings, project: Path, mode: str
) -> None:
    async with connected(settings, mode) as agent:
        home, [wall, one, two] = await planned(agent, project, "Wall", "Roof", "Roof")
        session = await agent("memory_agent", "init", agent="ada lovelace", workspace_id=home)
        assert await values(agent, "review_plan", "plan", "wa") == ["Wall"]
        assert await values(agent, "review_plan", "plan", wall) == [wall]
        assert set(await values(agent, "review_plan", "plan", "roof")) == {one, two}
        assert await values(agent, "start_work", "agent", "ada") == ["ada lovelace"]
        assert "Reviewer" in await values(agent, "hand_off", "to_agent", "rev")
        assert await values(agent, "what_needs_me", "workspace", project.name) == [home]
        crashed = await values(agent, "continue_after_crash", "session", "ada")
        assert crashed == [session["session_id"]]
        assert await values(agent, "plan_from_goal", "goal", "x") == []


@every_era
async def test_a_completion_of_what_does_not_exist_is_told_in_words(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as agent:
        for of, name, told in (
            ("start_wrk", "agent", "start_work"),
            ("start_work", "agnt", "agent"),
            ("memory://nothing/{x}", "x", "memory://plans/{plan_id}"),
            ("memory://plans/{plan_id}", "x", "plan_id"),
        ):
            with pytest.raises(MCPError) as caught:
                await values(agent, of, name)
            assert caught.value.error.code == INVALID_PARAMS
            assert told in caught.value.error.message


async def test_more_than_fits_says_that_there_is_more(settings: Settings, project: Path) -> None:
    async with connected(settings) as agent:
        await planned(agent, project, *(f"Plan {number}" for number in range(MOST + 1)))
        ref = ResourceTemplateReference(type="ref/resource", uri="memory://plans/{plan_id}")
        found = (await agent.client.complete(ref, {"name": "plan_id", "value": "plan"})).completion

    assert (len(found.values), found.has_more) == (MOST, True)
