"""The call that a hit names works as it stands, for every kind, wherever it is, and gives the whole text."""

import json
from pathlib import Path
from typing import Any

from server.models.search import ID_NAMES
from tests.conftest import Agent

TOOL = "memory_context"
LONG = " ".join(f"word{number}" for number in range(400)) + " the quagga ends here"


async def everything(agent: Agent, workspace_id: str) -> str:
    """Store a long text about a quagga in everything that holds one; return the plan."""
    here = {"workspace_id": workspace_id}
    plan = await agent(
        "memory_plan",
        "create",
        **here,
        title="Quagga",
        description=LONG,
        phases=[{"name": "Quagga phase", "description": LONG, "steps": [{"task": "Quagga step", "notes": LONG}]}],
        category="quick_task",
    )
    plan_id = plan["plan_id"]
    step_id = (await agent("memory_steps", "list", plan_id=plan_id))["steps"][0]["step_id"]
    phase_id = (await agent("memory_plan", "get", plan_id=plan_id))["phases"][0]["phase_id"]
    await agent("memory_plan", "add_note", plan_id=plan_id, note=LONG)
    session = await agent("memory_agent", "init", plan_id=plan_id, agent="Tester")
    parents = {"plan": plan_id, "step": step_id, "phase": phase_id, "session": session["session_id"], "agent": "Tester"}
    for kind, key in parents.items():
        parent = {**here, "parent_type": kind, "parent_id": key}
        await agent(TOOL, "store", **parent, type=f"quagga-{kind}", data={"text": LONG})
        await agent(TOOL, "append_research", **parent, filename=f"quagga {kind}.md", content=LONG)
    await agent("memory_agent", "complete", session_id=session["session_id"], summary=LONG)
    await agent("memory_agent", "handoff", plan_id=plan_id, from_agent="Tester", to_agent="B", reason=LONG)
    await agent("memory_session", "send_message", **here, agent="Tester", to_agent="B", content=LONG)
    await agent(TOOL, "knowledge_store", **here, slug="quagga", title="Quagga", content=LONG)
    for scope, more in {
        "workspace": {},
        "global": {},
        "plan": {"plan_id": plan_id},
        "agent": {"agent": "Tester"},
    }.items():
        await agent(TOOL, "remember", **here, **more, scope=scope, key=f"quagga {scope}", value=LONG, namespace="n s")
    return plan_id


async def follow(agent: Agent, **search: Any) -> set[str]:
    """Make the call that each hit names, by pages; return the kinds that were read."""
    found = await agent(TOOL, "search", query="quagga", limit=100, max_bytes=45_000, **search)
    assert len(found["hits"]) == found["total"]
    for hit in found["hits"]:
        read = dict(hit["read"])
        told = json.dumps(await agent(read.pop("tool"), read.pop("action"), **read, max_bytes=45_000))
        assert "quagga ends here" in told, hit
        assert hit[ID_NAMES[hit["kind"]]] in told or hit["kind"] in ("memory", "action"), hit
    return {hit["kind"] for hit in found["hits"]}


KINDS = {"plan", "phase", "step", "note", "session", "handoff", "message", "context", "research", "knowledge", "memory"}


async def test_the_call_that_a_hit_names_gives_its_whole_text(agent: Agent, workspace_id: str) -> None:
    await everything(agent, workspace_id)

    assert await follow(agent, workspace_id=workspace_id) == KINDS


async def test_what_is_archived_is_read_by_the_call_of_its_hit(agent: Agent, workspace_id: str) -> None:
    plan_id = await everything(agent, workspace_id)
    await agent("memory_plan", "archive", plan_id=plan_id)

    assert await follow(agent, workspace_id=workspace_id, include_archived=True) == KINDS


async def test_what_is_in_another_workspace_is_read_by_the_call_of_its_hit(
    agent: Agent, workspace_id: str, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = await agent("memory_workspace", "register", workspace_path=str(tmp_path / "elsewhere"))
    await everything(agent, other["workspace_id"])

    assert await follow(agent, workspace_id=workspace_id, scope="all") == KINDS
