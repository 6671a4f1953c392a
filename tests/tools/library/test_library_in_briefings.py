"""Briefings name the skills and instructions that fit, and why; old names of the library's actions are accepted."""

from pathlib import Path

from tests.conftest import Agent

TOOL = "memory_library"


async def plan_of(agent: Agent, workspace_id: str, title: str, task: str) -> str:
    made = await agent("memory_plan", "create", workspace_id=workspace_id, title=title, steps=[{"task": task}])
    return made["plan_id"]


async def test_a_briefing_names_what_fits_the_plan_and_what_is_assigned_with_the_reason(
    agent: Agent, workspace_id: str
) -> None:
    skill = {"kind": "skill", "name": "tune-index", "description": "Find and mend slow queries of a database"}
    await agent(TOOL, "create", content="# Tune", **skill)
    await agent(TOOL, "assign", kind="instruction", name="plan-files", notes="house rule", workspace_id=workspace_id)
    plan_id = await plan_of(agent, workspace_id, "Faster reports", "Mend the slow queries of the index")
    told = await agent("memory_agent", "init", agent="Executor", plan_id=plan_id)

    first, *rest = told["library"]
    assert (first["name"], first["kind"], first["why"]) == (
        "plan-files",
        "instruction",
        "assigned to this workspace: house rule",
    )
    why = {one["name"]: one["why"] for one in rest}
    assert "queries" in why["tune-index"]
    assert len(why) <= 5
    assert "agent" not in {one["kind"] for one in rest}


async def test_a_briefing_without_a_plan_names_only_what_is_assigned(agent: Agent, workspace_id: str) -> None:
    told = await agent("memory_agent", "init", agent="Executor", workspace_id=workspace_id)
    assert "library" not in told
    await agent(TOOL, "assign", kind="agent", name="Reviewer", workspace_id=workspace_id)
    told = await agent("memory_agent", "init", agent="Executor", workspace_id=workspace_id)
    assert [one["name"] for one in told["library"]] == ["Reviewer"]


async def test_a_briefing_with_much_in_the_library_still_fits(agent: Agent, workspace_id: str) -> None:
    for number in range(30):
        named = {"kind": "skill", "name": f"slow-query-{number}", "description": "Mend slow queries " * 20}
        await agent(TOOL, "create", content="Go", **named)
        await agent(TOOL, "assign", kind="skill", name=named["name"], notes="n" * 400, workspace_id=workspace_id)
    plan_id = await plan_of(agent, workspace_id, "Queries", "Mend slow queries")
    told = await agent("memory_agent", "init", agent="Executor", plan_id=plan_id, max_bytes=2_000)

    assert told["plan"]["plan_id"] == plan_id
    assert "memory_library match" in told["omitted"]["library"]


async def test_the_old_names_of_library_actions_do_what_the_new_ones_do(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    here = {"workspace_id": workspace_id}
    assert (await agent("memory_agent", "list"))["total"] == 16
    assert "# Worker" in (await agent("memory_agent", "get_instructions", agent_name="worker"))["content"]
    await agent("memory_agent", "create_skill", skill_name="x", content="Go", description="d", language_targets=["go"])
    found = await agent("memory_agent", "get_skill", skill_name="x")
    assert (found["kind"], found["languages"]) == ("skill", ["go"])
    await agent("memory_agent", "assign_skill", skill_name="x", **here)
    listed = await agent("memory_agent", "list_workspace_skills", **here)
    assert [one["name"] for one in listed["assigned"]] == ["x"]
    assert (await agent("memory_agent", "unassign_skill", skill_name="x", **here))["removed"] is True
    assert "preview" in await agent("memory_agent", "delete_skill", skill_name="x")
    await agent("memory_agent", "create_instruction", instruction_filename="s", content="Go", applies_to=["**"])
    assert (await agent("memory_agent", "get_instruction", instruction_filename="s"))["applies_to"] == ["**"]
    assert (await agent("memory_agent", "list_instructions"))["total"] == 7
    told = await agent("memory_agent", "deploy_for_task", agent_type="Worker", **here)
    assert told["written"] == [".github/agents/worker.agent.md"]
    (project / ".github/agents/mine.agent.md").write_text("---\ndescription: d\n---\nGo", encoding="utf-8")
    one = {"relative_path": ".github/agents/mine.agent.md"}
    checked = await agent("memory_workspace", "check_context_sync", **one, **here)
    assert [row["status"] for row in checked["files"]] == ["unknown"]
    for tool in ("memory_workspace", "memory_library"):
        seen = await agent(tool, "import_context_file", **one, **here)
        assert [row["name"] for row in seen["would_import"]] == ["mine"]
    other = await agent.fails("memory_workspace", "import_context_file", **one, expected_kind="instruction", **here)
    assert other["code"] == "invalid_arguments"
    sure = {**one, "confirm": True, "expected_kind": "agent", **here}
    taken = await agent("memory_workspace", "import_context_file", **sure)
    assert [row["name"] for row in taken["imported"]] == ["mine"]
