"""memory_context: instructions, prompts and dumps, as text or in a file of the project."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, make

MISSION = {"target_agent": "Executor", "mission": "Make it fast\nand small"}
PROMPT = {"prompt_title": "Look", "prompt_agent": "Reviewer", "prompt_description": 'Find: "faults"'}


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    return (await make(agent, workspace_id, "Work", steps=[{"task": "a"}]))["plan_id"]


async def home(agent: Agent, workspace_id: str) -> Path:
    return Path((await agent("memory_workspace", "info", workspace_id=workspace_id))["path"])


async def test_instructions_have_a_section_for_each_thing_given(agent: Agent, plan_id: str) -> None:
    told = await agent(
        "memory_context",
        "generate_instructions",
        plan_id=plan_id,
        **MISSION,
        context=["It is slow\nsince May"],
        files_to_read=["a.py", "b.py"],
    )
    assert told["content"] == (
        "# Instructions for Executor\n\n## Mission\n\nMake it fast\nand small\n\n"
        "## Context\n\n- It is slow\n  since May\n\n## Files to read\n\n- a.py\n- b.py\n\n"
        f"Plan: Work ({plan_id})\n"
    )


async def test_a_prompt_has_a_front_matter_that_no_text_breaks(agent: Agent, plan_id: str) -> None:
    sections = [{"title": "First", "content": "one\n---\ntwo"}]
    told = await agent(
        "memory_context",
        "write_prompt",
        plan_id=plan_id,
        **PROMPT,
        prompt_sections=sections,
        prompt_variables=["file"],
        prompt_step_indices=[0],
        agent="ada",
        tags=["x: y"],
    )
    _, head, body = told["content"].split("---\n", 2)
    fields = {name: json.loads(value) for name, _, value in (line.partition(": ") for line in head.splitlines())}
    assert list(fields)[:5] == ["agent", "description", "mode", "version", "created_by"]
    assert (fields["agent"], fields["description"], fields["tags"]) == ("Reviewer", 'Find: "faults"', ["x: y"])
    assert (fields["plan_id"], fields["step_indices"], fields["created_by"]) == (plan_id, [0], "ada")
    assert body.startswith("\n# Look\n")
    assert "## First\n\none\n---\ntwo\n" in body
    assert body.endswith("- {{file}}\n")


async def test_a_raw_body_takes_the_place_of_sections(agent: Agent, plan_id: str) -> None:
    more = {"prompt_raw_body": "Do it.", "prompt_sections": [{"title": "No", "content": "no"}]}
    told = await agent("memory_context", "write_prompt", plan_id=plan_id, **PROMPT, **more)
    assert told["content"].endswith("\n\nDo it.\n")
    assert "## No" not in told["content"]


async def test_a_dump_holds_the_plan_its_context_and_the_sections(
    agent: Agent, plan_id: str, workspace_id: str
) -> None:
    await agent("memory_context", "store", plan_id=plan_id, type="findings", data={"a": 1})
    await agent("memory_context", "workspace_set", workspace_id=workspace_id, data={"purpose": "Sells boats"})
    told = await agent("memory_context", "dump_context", plan_id=plan_id, max_bytes=45_000)

    whole = json.loads(told["content"])
    assert told["sections"] == ["plan", "workspace_context"]
    assert [row["task"] for row in whole["plan"]["tables"]["steps"]] == ["a"]
    assert [row["type"] for row in whole["plan"]["tables"]["context_items"]] == ["findings"]
    assert whole["workspace_context"] == {"sections": {"purpose": {"summary": "Sells boats"}}}


@pytest.mark.parametrize(
    ("action", "given", "path"),
    [
        ("generate_instructions", MISSION, "docs/go.md"),
        ("write_prompt", PROMPT, "docs/go.prompt.md"),
        ("dump_context", {}, "docs/all.json"),
    ],
)
async def test_with_a_path_it_is_a_file_of_the_project(
    agent: Agent, plan_id: str, action: str, given: dict[str, Any], path: str
) -> None:
    workspace_id = (await agent("memory_plan", "get", plan_id=plan_id))["workspace_id"]
    text = (await agent("memory_context", action, plan_id=plan_id, **given, max_bytes=45_000))["content"]
    told = await agent("memory_context", action, plan_id=plan_id, **given, output_path=path)

    file = await home(agent, workspace_id) / path
    assert (told["output_path"], told["bytes"]) == (str(file), len(text.encode()))
    assert file.read_text(encoding="utf-8") == text
    again = {"plan_id": plan_id, **given, "output_path": path}
    assert (await agent.fails("memory_context", action, **again))["code"] == "conflict"
    await agent("memory_context", action, **again, force=True)
    logged = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["file_written"])
    assert [event["data"]["path"] for event in logged["events"]] == [str(file)]


@pytest.mark.parametrize("path", ["../out.md", "/tmp/out.md", ".git/x.md", "out.txt", ".projectmemory/x.md"])
async def test_no_file_is_written_anywhere_else(
    agent: Agent, plan_id: str, workspace_id: str, db: Database, path: str
) -> None:
    before = await counts(db), sorted((await home(agent, workspace_id)).rglob("*"))
    error = await agent.fails("memory_context", "generate_instructions", plan_id=plan_id, **MISSION, output_path=path)
    assert error["code"] == "not_allowed"
    assert (await counts(db), sorted((await home(agent, workspace_id)).rglob("*"))) == before


async def test_a_prompt_in_the_place_of_another_has_the_next_version_or_the_one_that_is_wanted(
    agent: Agent, plan_id: str, workspace_id: str
) -> None:
    file = await home(agent, workspace_id) / "go.md"

    async def written(title: str = "Go on", **more: Any) -> str:
        asked = {**PROMPT, "prompt_title": title, "output_path": "go.md", "force": True, **more}
        told = await agent("memory_context", "write_prompt", plan_id=plan_id, **asked)
        assert f'version: "{told["version"]}"' in file.read_text(encoding="utf-8")
        return told["version"]

    assert [await written(title) for title in ("Go on", "Go on", "Begin", "Begin")] == ["1.0.0"] * 2 + ["1.0.1"] * 2
    assert await written(prompt_version="2.3.9") == "2.3.9"
    assert await written("Begin", prompt_version="2.3.9") == "2.3.10"
    assert await written(prompt_version="1.0.0") == "1.0.0"
    for other in ("no front matter", "---\nversion: newest\n---\n", "---\nversion: [1, 2]\n---\n", "\udcff"):
        file.write_bytes(other.encode("utf-8", "surrogateescape"))
        assert await written() == "1.0.0"
    asked = {"plan_id": plan_id, **PROMPT, "prompt_version": "two"}
    error = await agent.fails("memory_context", "write_prompt", **asked)
    assert [problem["param"] for problem in error["invalid"]] == ["prompt_version"]
    assert (await agent("memory_context", "write_prompt", plan_id=plan_id, **PROMPT))["version"] == "1.0.0"


async def test_a_prompt_names_the_agent_of_the_session_that_wrote_it(agent: Agent, plan_id: str) -> None:
    session = await agent("memory_agent", "init", agent="Cleo", plan_id=plan_id)
    wanted = {"plan_id": plan_id, **PROMPT, "agent": None, "session_id": session["session_id"]}
    told = await agent("memory_context", "write_prompt", **wanted)
    assert 'created_by: "Cleo"\n' in told["content"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"prompt_phase": "Nowhere"}, "no phase 'Nowhere'"),
        ({"prompt_step_indices": [0, 99, 98]}, "no step at index 98, 99"),
        ({"prompt_expires_after": "banana"}, "plan_completion, phase_completion or a time"),
    ],
)
async def test_a_prompt_for_what_is_not_in_its_plan_is_refused(
    agent: Agent, plan_id: str, given: dict[str, object], problem: str
) -> None:
    refused = await agent.fails("memory_context", "write_prompt", plan_id=plan_id, **PROMPT, **given)
    assert problem in refused["message"]


async def test_a_file_that_holds_the_text_already_is_no_event(agent: Agent, workspace_id: str) -> None:
    wanted = {"target_agent": "Ada", "mission": "Go", "output_path": "docs/go.md", "workspace_id": workspace_id}
    await agent("memory_context", "generate_instructions", **wanted)
    again = await agent("memory_context", "generate_instructions", **wanted, force=True)

    assert again["unchanged"] is True
    written = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["file_written"])
    assert len(written["events"]) == 1
