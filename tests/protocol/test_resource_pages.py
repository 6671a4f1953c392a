"""memory:// addresses: what each shows to a person, how the list goes on, and what a wrong one answers."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, TextResourceContents

from server.protocol.app import build
from server.protocol.state import MOST_LISTED
from server.settings import Settings
from server.tools import TOOLS
from tests.conftest import Agent

every_era = pytest.mark.parametrize("mode", ["auto", "legacy"])
TEMPLATES = [
    "memory://workspaces/{workspace_id}",
    "memory://plans/{plan_id}",
    "memory://plans/{plan_id}/steps/{step_index}",
    "memory://programs/{program_id}",
    "memory://research/{document_id}",
    "memory://knowledge/{workspace_id}/{slug}",
    "memory://library/{kind}/{name}",
    "memory://catalog/{tool}/{action}",
]


@asynccontextmanager
async def connected(settings: Settings, mode: str) -> AsyncGenerator[Agent]:
    async with Client(build(settings), mode=mode) as client:
        yield Agent(client)


async def page(agent: Agent, uri: str) -> str:
    [content] = (await agent.client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "text/markdown")
    return content.text


async def refusal(agent: Agent, uri: str) -> str:
    with pytest.raises(MCPError) as caught:
        await agent.client.read_resource(uri)
    assert caught.value.error.code == INVALID_PARAMS, uri
    assert caught.value.error.data["uri"] == uri
    return caught.value.error.message


async def filled(agent: Agent, project: Path) -> dict[str, Any]:
    """Store one of everything that has an address."""
    home = {"workspace_id": (await agent("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]}
    steps = [{"task": "Dig", "phase": "A"}, {"task": "Lay # bricks", "phase": "B", "depends_on": [0], "notes": "slow"}]
    plan_id = (await agent("memory_plan", "create", title="A | wall", steps=steps, **home))["plan_id"]
    program = await agent("memory_program", "create", title="House", **home)
    await agent("memory_program", "add_plan", program_id=program["program_id"], plan_id=plan_id, **home)
    note = {"filename": "soil.md", "content": "# Clay\n\nMostly."}
    document = await agent("memory_context", "append_research", plan_id=plan_id, agent="ada", **note)
    facts = {"slug": "mortar", "title": "Mortar", "content": "## Three\n\nparts sand.", "agent": "ada"}
    await agent("memory_context", "knowledge_store", **facts, **home)
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    return {**home, "plan_id": plan_id, "program_id": program["program_id"], "document_id": document["document_id"]}


@every_era
async def test_templates_name_every_kind_of_page_and_the_list_leads_to_the_workspaces(
    settings: Settings, project: Path, mode: str
) -> None:
    async with connected(settings, mode) as agent:
        made = await filled(agent, project)
        listed = await agent.client.list_resources()
        templates = await agent.client.list_resource_templates()

    assert [one.uri for one in listed.resources] == [
        "memory://workspaces",
        f"memory://workspaces/{made['workspace_id']}",
    ]
    assert listed.next_cursor is None
    assert [one.uri_template for one in templates.resource_templates] == TEMPLATES
    for one in (*listed.resources, *templates.resource_templates):
        assert one.mime_type == "text/markdown"
        assert one.name
        assert one.description


@every_era
async def test_every_page_shows_what_it_is_about(settings: Settings, project: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        made = await filled(agent, project)
        home, plan = made["workspace_id"], f"memory://plans/{made['plan_id']}"
        whole = await page(agent, "memory://workspaces")
        assert whole.startswith("# Workspaces\n")
        assert f"(memory://workspaces/{home})" in whole
        assert str(project) in whole
        place = await page(agent, f"memory://workspaces/{home}")
        for told in ("A \\| wall", plan, "0 of 2", "memory://programs/", "memory://knowledge/", "Dig", "plan_created"):
            assert told in place
        assert "claimed" in place or "ada until" in place
        assert "- [ ] **2.** Lay # bricks" in await page(agent, plan)
        step = await page(agent, f"{plan}/steps/1")
        assert step.startswith("# Step 2 of A | wall\n")
        for told in ("- phase: B", "- index: 1", "Lay # bricks", "waits for step 1", "notes: slow"):
            assert told in step
        assert "Dig" not in step
        program = await page(agent, f"memory://programs/{made['program_id']}")
        assert program.startswith("# House\n")
        assert f"[A \\| wall]({plan})" in program
        assert (await page(agent, f"memory://research/{made['document_id']}")).endswith("---\n\n# Clay\n\nMostly.\n")
        assert (await page(agent, f"memory://knowledge/{home}/mortar")).endswith("---\n\n## Three\n\nparts sand.\n")


@every_era
@pytest.mark.parametrize("is_archived", [False, True])
async def test_the_page_of_a_step_shows_all_that_is_kept_for_it_and_nothing_of_others(
    settings: Settings, project: Path, mode: str, is_archived: bool
) -> None:
    async with connected(settings, mode) as agent:
        made = await filled(agent, project)
        plan_id = made["plan_id"]
        other = await agent(
            "memory_plan", "create", title="Other", workspace_id=made["workspace_id"], steps=[{"task": "a"}]
        )
        listed = (await agent("memory_steps", "list", plan_id=plan_id))["steps"]
        foreign = (await agent("memory_steps", "list", plan_id=other["plan_id"]))["steps"][0]["step_id"]
        own = {"step_id": listed[1]["step_id"]}
        await agent("memory_steps", "set_dependencies", depends_on=["0", foreign], **own)
        for step in listed:
            about = {"parent_type": "step", "parent_id": step["step_id"], "agent": "ada"}
            await agent("memory_context", "store", type=f"of {step['task']}", data={"a": 1}, **about)
            await agent("memory_context", "append_research", filename=f"{step['index']}.md", content="text", **about)
            edit = {"file_path": f"src/{step['index']}.py", "change_type": "edit"}
            await agent("memory_steps", "record_edit", step_id=step["step_id"], agent="ada", **edit)
        if is_archived:
            await agent("memory_plan", "archive", plan_id=plan_id, force=True)
        step = await page(agent, f"memory://plans/{plan_id}/steps/1")

    for told in ("- phase: B", "waits for step 1 ", f"waits for step {foreign}", "of Lay # bricks", "1.md", "src/1.py"):
        assert told in step, step
    for strange in ("of Dig", "0.md", "src/0.py"):
        assert strange not in step


@every_era
async def test_a_definition_that_a_workspace_owns_has_a_page(settings: Settings, project: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        home = (await agent("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
        own = {"kind": "skill", "name": "own-way", "description": "d", "content": "Go slowly.", "scope": "workspace"}
        await agent("memory_library", "create", workspace_id=home, **own)
        text = await page(agent, "memory://library/skill/Own-Way")

    assert text.startswith("# own-way\n")
    assert home in text
    assert text.endswith("Go slowly.\n")


@every_era
async def test_the_library_and_the_catalog_have_a_page_for_each_of_theirs(settings: Settings, mode: str) -> None:
    async with connected(settings, mode) as agent:
        for kind in ("agent", "instruction", "skill"):
            [first, *_] = (await agent("memory_library", "list", kind=kind))["definitions"]
            text = await page(agent, f"memory://library/{kind}/{first['name']}")
            assert text.startswith(f"# {first['name']}\n")
            assert first["description"] in text
        for tool in TOOLS.values():
            for action in tool.actions.values():
                text = await page(agent, f"memory://catalog/{tool.name}/{action.name}")
                assert text.startswith(f"# {tool.name} {action.name}\n")
                assert action.help_text in text
                assert all(f"| `{name}` |" in text for name in action.params)


@every_era
async def test_every_link_of_a_page_can_be_followed(settings: Settings, project: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        made = await filled(agent, project)
        await agent("memory_library", "create", kind="skill", name="lay-bricks", content="Slowly.", description="How")
        seen: set[str] = set()
        unseen = {"memory://workspaces"}
        while unseen:
            uri = unseen.pop()
            seen.add(uri)
            unseen |= set(re.findall(r"\((memory://[^)]+)\)", await page(agent, uri))) - seen

    assert f"memory://plans/{made['plan_id']}/steps/0" in seen
    assert {uri.split("/")[2] for uri in seen} == {"workspaces", "plans", "programs", "knowledge"}


@every_era
async def test_what_is_not_there_is_told_in_words_with_what_is(settings: Settings, project: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        made = await filled(agent, project)
        home, plan_id = made["workspace_id"], made["plan_id"]
        for uri, words in {
            "memory://plans/plan_nope": "memory_plan action='list'",
            "memory://workspaces/ws_nope": "memory_workspace action='list'",
            f"memory://plans/{plan_id}/steps/7": "steps",
            f"memory://plans/{plan_id}/steps/x": "steps",
            f"memory://plans/{plan_id}/steps/-1": "steps",
            "memory://programs/prog_nope": "memory_program action='list'",
            "memory://research/doc_nope": "memory_context action='list_research'",
            f"memory://knowledge/{home}/nope": "memory_context action='knowledge_list'",
            "memory://library/skill/nope": "memory_library action='list'",
            "memory://library/tool/nope": "agent, instruction, skill",
            "memory://catalog/memory_nope/get": "memory_plan",
            "memory://catalog/memory_plan/creat": "create",
            "memory://nothing": "memory://plans/{plan_id}",
        }.items():
            assert words in await refusal(agent, uri), uri


@every_era
async def test_the_list_goes_on_where_a_page_ends(settings: Settings, tmp_path: Path, mode: str) -> None:
    async with connected(settings, mode) as agent:
        for number in range(MOST_LISTED + 3):
            folder = tmp_path / "many" / f"{number:03}"
            folder.mkdir(parents=True)
            await agent("memory_workspace", "register", workspace_path=str(folder))
        first = await agent.client.list_resources()
        assert first.next_cursor
        second = await agent.client.list_resources(cursor=first.next_cursor)
        with pytest.raises(MCPError) as caught:
            await agent.client.list_resources(cursor="nonsense")

    assert second.next_cursor is None
    assert (len(first.resources), len(second.resources)) == (1 + MOST_LISTED, 3)
    assert len({one.uri for one in (*first.resources, *second.resources)}) == MOST_LISTED + 4
    assert caught.value.error.code == INVALID_PARAMS
    assert "cursor" in caught.value.error.message


async def test_pages_of_archived_things_stay_readable(settings: Settings, project: Path) -> None:
    async with connected(settings, "auto") as agent:
        made = await filled(agent, project)
        await agent("memory_plan", "archive", plan_id=made["plan_id"], force=True)
        plan = f"memory://plans/{made['plan_id']}"
        assert "archived" in await page(agent, plan)
        assert "Lay # bricks" in await page(agent, f"{plan}/steps/1")
        assert "Mostly." in await page(agent, f"memory://research/{made['document_id']}")


@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")  # this is what older clients send
async def test_what_never_tells_of_changes_cannot_be_subscribed_to(settings: Settings, project: Path) -> None:
    async with connected(settings, "legacy") as agent:
        made = await filled(agent, project)
        with pytest.raises(MCPError) as caught:
            await agent.client.subscribe_resource(  # pyright: ignore[reportDeprecated] - older clients send it
                f"memory://programs/{made['program_id']}"
            )

    assert "memory://plans/{plan_id}" in caught.value.error.message
