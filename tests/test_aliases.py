"""Names that stood under another tool once are accepted there too, and listed nowhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.aliases import ELSEWHERE, GONE, OLD_ARGUMENTS, Arguments, Formed, Gone, Moved, addressed
from server.calls import offered, run
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from tests.conftest import Agent


@pytest.mark.parametrize(("tool", "old"), ELSEWHERE, ids=str)
def test_an_old_name_means_an_action_that_exists_and_shadows_none(tool: str, old: str) -> None:
    moved = ELSEWHERE[tool, old]

    assert not TOOLS[tool].knows(old)
    assert moved.tool != tool or moved.given
    known = {name for action in TOOLS[moved.tool].actions.values() for name in action.params}
    assert set(new_names(moved.renamed)) <= known
    assert moved.action in TOOLS[moved.tool].actions
    assert old not in json.dumps(TOOLS[tool].input_schema()) + TOOLS[tool].description()


def new_names(old: Arguments) -> list[str]:
    return [one.name if isinstance(one, Formed) else one for one in old.values() if not isinstance(one, Gone)]


@pytest.mark.parametrize(("tool", "action"), OLD_ARGUMENTS, ids=str)
def test_an_old_argument_is_one_of_its_action_today_and_shadows_none(tool: str, action: str) -> None:
    params, old = TOOLS[tool].actions[action].params, OLD_ARGUMENTS[tool, action]

    assert set(new_names(old)) <= set(params)
    assert not set(old) & set(params)


async def test_old_arguments_of_an_action_that_kept_its_name_are_understood(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    here = {"workspace_id": workspace_id}
    made = await agent("memory_plan", "create", title="P", steps=[{"task": "a"}, {"task": "b"}], **here)
    on_plan = {"plan_id": made["plan_id"]}
    session = await agent("memory_agent", "init", agent_type="Executor", **on_plan)
    me = {"_session_id": session["session_id"]}
    script = await agent("memory_plan", "add_build_script", script_name="t", script_command="make", **here)
    for action in ("run_build_script", "delete_build_script"):
        told = await agent("memory_plan", action, script_id=script["script_id"], **here)
        assert "make" in json.dumps(told)
    listed = await agent("memory_workspace", "list", verbose=True)
    assert "created_at" in listed["workspaces"][0]
    found = await agent("memory_plan", "search", query="P", search_limit=1, search_include_archived=True, **here)
    assert found["hits"]
    done = {"updates": [{"index": 1, "status": "done"}]}
    await agent("memory_steps", "batch_update", **done, **on_plan, **me)
    listed = await agent("memory_steps", "list", **on_plan)
    assert [step["status"] for step in listed["steps"]] == ["pending", "done"]
    await agent("memory_steps", "update", step_index=0, status="active", agent_type="Executor", **on_plan)
    boundaries = {"scope_boundaries": {"files_allowed": ["a.py"]}}
    prep = await agent("memory_session", "prep", agent_name="Worker", prompt="Go", prep_config=boundaries, **on_plan)
    assert "a.py" in prep["prompt"]
    asked = await agent.fails("memory_terminal", "run", command="ls", timeout_ms=1500, **here)
    assert "at most 2 s" in asked["message"]
    paused = await agent(
        "memory_plan", "pause_plan", pause_reason="deferred", pause_session_id=me["_session_id"], **on_plan
    )
    assert paused["status"] == "paused"
    assert await agent("memory_agent", "validate", agent_type="Executor", **on_plan)
    ended = await agent("memory_agent", "complete", summary="done", agent_type="Executor", hub_force_close=True, **me)
    assert ended["session_id"] == me["_session_id"]


async def test_an_argument_that_was_not_taken_over_says_what_does_its_work(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    made = await agent("memory_plan", "create", title="P", **here)
    error = await agent.fails("memory_plan", "update", plan_id=made["plan_id"], steps=[{"task": "a"}])
    assert "memory_steps replace" in error["message"]
    error = await agent.fails("memory_agent", "init", agent_type="Hub", compact=True, **here)
    assert (error["code"], "max_bytes" in error["message"]) == ("invalid_arguments", True)
    both = {"index": 0, "step_index": 0, "status": "done"}
    error = await agent.fails("memory_steps", "batch_update", plan_id=made["plan_id"], updates=[both])
    assert error["code"] == "invalid_arguments"


async def test_the_child_of_a_plan_that_became_a_program_may_get_another_title(agent: Agent, workspace_id: str) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Release")
    on_plan = {"plan_id": plan["plan_id"]}
    error = await agent.fails("memory_plan", "upgrade_to_program", move_steps_to_child=True, **on_plan)
    assert "with its steps" in error["message"]

    program = await agent("memory_plan", "upgrade_to_program", child_plan_title="First part", **on_plan)

    assert program["title"] == "Release"
    listed = await agent("memory_program", "list_plans", program_id=program["program_id"])
    assert [one["title"] for one in listed["plans"]] == ["First part"]


async def test_the_old_names_of_program_actions_do_what_the_new_ones_do(agent: Agent, workspace_id: str) -> None:
    async def plan(action: str, **arguments: Any) -> dict[str, Any]:
        return await agent("memory_plan", action, **arguments)

    here = {"workspace_id": workspace_id}
    program = await plan("create_program", title="P", description="d", priority="high", category="feature", **here)
    program_id = program["program_id"]
    first, second = [(await plan("create", title=title, steps=[{"task": title}], **here))["plan_id"] for title in "AB"]
    on_it = {"program_id": program_id, **here}
    await plan("add_plan_to_program", plan_id=first, **on_it)
    await plan("link_to_program", plan_id=second, **on_it)
    assert [one["plan_id"] for one in (await plan("list_program_plans", **on_it))["plans"]] == [first, second]
    ends = {"source_plan_id": first, "target_plan_id_dep": second, "target_phase": None}
    edge = await plan("set_dependency", dependency_type="blocks", **ends, **on_it)
    assert (edge["source"], edge["waits_for"]) == ({"plan_id": second}, {"plan_id": first})
    assert (await plan("get_dependencies", **on_it))["ready"] == [first]
    told = {"risk_title": "Late", "risk_severity": "high", "risk_status": "accepted", "risk_type": "behavioral_change"}
    await plan("add_risk", risk_source_plan_id=first, risk_description="d", risk_mitigation="m", **told, **on_it)
    [risk] = (await plan("list_risks", risk_severity="high", risk_status="accepted", **on_it))["risks"]
    assert (risk["plan_id"], risk["description"], risk["mitigation"]) == (first, "d", "m")
    assert (await plan("auto_detect_risks", **on_it))["plans_scanned"] == 2
    assert (await plan("unlink_from_program", plan_id=first, **here))["removed"] is True
    assert (await plan("upgrade_to_program", plan_id=first, **here))["title"] == "A"


async def test_an_argument_by_its_old_and_its_new_name_is_refused(agent: Agent, workspace_id: str) -> None:
    made = await agent("memory_program", "create", workspace_id=workspace_id, title="P")
    both = {"risk_severity": "high", "severity": "low", "risk_title": "Late"}
    error = await agent.fails("memory_plan", "add_risk", program_id=made["program_id"], **both)

    assert error["code"] == "invalid_arguments"
    assert "memory_program action='add_risk'" in error["message"]


async def test_help_on_an_old_name_is_help_on_the_new_one(agent: Agent) -> None:
    told = await agent("memory_plan", "help", topic="create_program")

    assert (told["tool"], told["action"]) == ("memory_program", "create")


async def test_an_old_name_works_where_the_new_tool_is_not_offered(settings: Settings, tmp_path: Any) -> None:
    chosen = Settings(data_root=settings.data_root, tools=("core",), synchronous="off")
    tools, store = offered(chosen), Store(chosen)
    (tmp_path / "code").mkdir()
    try:
        assert "memory_program" not in tools
        where = {"workspace_path": str(tmp_path / "code")}
        await run(store, tools, "memory_workspace", {"action": "register", **where})
        made = json.loads(await run(store, tools, "memory_plan", {"action": "create_program", "title": "P", **where}))
        assert made["program_id"].startswith("prog_")
    finally:
        await store.close()


def test_a_name_that_the_old_tool_has_today_keeps_todays_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ELSEWHERE, ("memory_plan", "create"), Moved("memory_program", "create"))
    monkeypatch.setitem(ELSEWHERE, ("memory_plan", "set_goals"), Moved("memory_program", "update"))

    for action in ("create", "set_goals"):
        call = {"action": action, "title": "A"}
        assert addressed(TOOLS, TOOLS["memory_plan"], call) == (TOOLS["memory_plan"], call)


async def test_a_name_that_nothing_ever_had_is_unknown(agent: Agent) -> None:
    assert (await agent.fails("memory_plan", "create_programme", title="X"))["code"] == "unknown_action"


@pytest.mark.parametrize("name", GONE)
def test_a_name_that_was_not_taken_over_is_no_name_of_today(name: str) -> None:
    assert name not in TOOLS
    assert not any(tool.knows(name) for tool in TOOLS.values())


async def test_a_call_of_what_was_not_taken_over_says_why_and_what_to_call(agent: Agent) -> None:
    error = await agent.fails("memory_plan", "summon_approval", plan_id="plan_1")
    assert error["code"] == "unknown_action"
    assert "memory_workspace approvals" in error["message"]
    error = await agent.fails("memory_plan", "help", topic="get_workflow_mode")
    assert "memory_plan get" in error["message"]
