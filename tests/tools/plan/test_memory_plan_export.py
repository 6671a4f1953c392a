"""memory_plan export_plan: the text of a plan, or a file in the project."""

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client

from server.models.documents import digest
from server.protocol.app import build
from server.settings import Settings
from tests.conftest import Agent

HOSTILE = "```\n# not a heading\n[x](y) | <b> ````"


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    """A plan with something of everything that an agent can add."""
    plan = await agent(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="Größe | 計画",
        description="Why",
        category="quick_task",
        goals=["goal one"],
        success_criteria=["it is done"],
        phases=[
            {"name": "Design", "steps": [{"task": "draw", "notes": "with a pen"}, {"task": "ask"}]},
            {"name": "Build", "steps": [{"task": "make\nit", "depends_on": [0]}]},
        ],
    )
    made: str = plan["plan_id"]
    await agent("memory_plan", "add_note", plan_id=made, note="mind the gap", note_type="warning")
    await agent("memory_context", "store", plan_id=made, type="findings", data={"text": HOSTILE})
    session = await agent("memory_agent", "init", plan_id=made, agent_type="Executor")
    await agent(
        "memory_agent",
        "handoff",
        session_id=session["session_id"],
        to_agent="Reviewer",
        reason="look at it",
        data={"n": 7},
    )
    return made


async def text_of(agent: Agent, **arguments: Any) -> str:
    """The text that an export returns, put together from its pieces."""
    answer = await agent("memory_plan", "export_plan", max_bytes=900, **arguments)
    pieces = [answer["text"]]
    while "next_offset" in answer:
        answer = await agent("memory_plan", "export_plan", max_bytes=900, offset=answer["next_offset"], **arguments)
        pieces.append(answer["text"])
    return "".join(pieces)


async def test_json_comes_in_pieces_and_is_the_whole_document(agent: Agent, plan_id: str) -> None:
    document = json.loads(await text_of(agent, plan_id=plan_id))

    assert document["sha256"] == digest(document)
    assert [step["task"] for step in document["tables"]["steps"]] == ["draw", "ask", "make\nit"]
    parts = {"plans", "phases", "steps", "plan_notes", "context_items", "sessions", "lineage", "dependencies"}
    assert set(document["tables"]) == parts | {"step_counts"}


async def test_markdown_shows_everything_that_a_plan_has(agent: Agent, plan_id: str) -> None:
    text = await text_of(agent, plan_id=plan_id, format="markdown")

    assert text.startswith("# Größe | 計画\n")
    for said in ("goal one", "it is done", "## Design", "## Build", "**1.** draw", "with a pen", "waits for step 1"):
        assert said in text
    for said in ("**warning**", "mind the gap", "Executor → Reviewer", "look at it", '"n": 7', "0 of 3 steps done"):
        assert said in text
    headings = [line for line in text.split("\n") if line.startswith("# ")]
    assert headings == ["# Größe | 計画"]


async def test_an_archived_plan_is_exported_as_well(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "archive", plan_id=plan_id)

    document = json.loads(await text_of(agent, plan_id=plan_id))
    assert document["archived"] is True
    assert len(document["tables"]["steps_archive"]) == 3


async def test_a_file_is_written_into_the_project(agent: Agent, plan_id: str, project: Path) -> None:
    told = await agent("memory_plan", "export_plan", plan_id=plan_id, output_path="out/plan.json")

    written = project / "out" / "plan.json"
    assert told["output_path"] == str(written)
    assert told["bytes"] == written.stat().st_size
    assert written.read_text(encoding="utf-8") == await text_of(agent, plan_id=plan_id)
    assert [path.name for path in written.parent.iterdir()] == ["plan.json"]


async def test_a_file_that_is_there_is_replaced_only_by_force(agent: Agent, plan_id: str, project: Path) -> None:
    (project / "plan.md").write_text("mine", encoding="utf-8")
    arguments = {"plan_id": plan_id, "format": "markdown", "output_path": "plan.md"}
    error = await agent.fails("memory_plan", "export_plan", **arguments)
    assert error["code"] == "conflict"
    assert (project / "plan.md").read_text(encoding="utf-8") == "mine"

    forced = await agent("memory_plan", "export_plan", force=True, **arguments)
    assert (project / "plan.md").read_text(encoding="utf-8").startswith("# Größe")
    await agent("memory_workspace", "restore", trash_id=forced["trash_id"])
    assert (project / "plan.md").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "path",
    ["../out.json", "/tmp/out.json", "link/out.json", ".git/x.json", "plan.py", "..", "~/out.json", "x/../../y.json",
     ".projectmemory/identity.json", ".GIT/x.json", ".Git/../.git/x.json", ".mcp.json", ".vscode/mcp.json",
     ".claude/settings.local.json", "deep/.vscode/tasks.json", "settings-link.json"],
)  # fmt: skip
async def test_nothing_is_written_outside_of_the_project(
    agent: Agent, plan_id: str, project: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "link").symlink_to(tmp_path / "elsewhere")
    (project / ".mcp.json").write_text("{}", encoding="utf-8")
    (project / "settings-link.json").symlink_to(".mcp.json")
    for force in (False, True):
        error = await agent.fails("memory_plan", "export_plan", plan_id=plan_id, output_path=path, force=force)
        assert error["code"] == "not_allowed"

    assert (project / ".mcp.json").read_text(encoding="utf-8") == "{}"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "out.json").exists()


async def test_a_server_that_refuses_writes_returns_the_text_but_writes_no_file(
    agent: Agent, plan_id: str, settings: Settings, project: Path
) -> None:
    async with Client(build(Settings(data_root=settings.data_root, read_only=True)), raise_exceptions=True) as client:
        reader = Agent(client)
        assert json.loads(await text_of(reader, plan_id=plan_id))["plan_id"] == plan_id
        error = await reader.fails("memory_plan", "export_plan", plan_id=plan_id, output_path="plan.json")
    assert error["code"] == "not_allowed"
    assert not (project / "plan.json").exists()


async def test_an_unknown_plan_names_near_ones(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_plan", "export_plan", plan_id=plan_id[:-1])

    assert error["code"] == "not_found"
    assert plan_id in json.dumps(error)


async def test_a_file_leaves_an_event_with_who_wrote_it(agent: Agent, plan_id: str, workspace_id: str) -> None:
    before = await agent("memory_workspace", "events", workspace_id=workspace_id, limit=1)
    await agent("memory_plan", "export_plan", plan_id=plan_id, agent="Scribe")
    assert await agent("memory_workspace", "events", workspace_id=workspace_id, limit=1) == before

    written = await agent("memory_plan", "export_plan", plan_id=plan_id, output_path="plan.json", agent="Scribe")
    refused = await agent.fails("memory_plan", "export_plan", plan_id=plan_id, output_path="plan.json", agent="Scribe")

    found = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["plan_exported"])
    [event] = found["events"]
    assert (event["agent"], event["plan_id"], event["data"]["path"]) == ("Scribe", plan_id, written["output_path"])
    assert refused["code"] == "conflict"


async def test_a_file_that_cannot_be_written_leaves_no_event(
    agent: Agent, plan_id: str, workspace_id: str, project: Path
) -> None:
    (project / "docs.json").mkdir()
    refused = await agent.fails("memory_plan", "export_plan", plan_id=plan_id, output_path="docs.json", force=True)

    found = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["plan_exported"])
    assert (refused["code"], found["events"]) == ("invalid_arguments", [])
    assert sorted(path.name for path in project.iterdir()) == [".projectmemory", "docs.json"]
