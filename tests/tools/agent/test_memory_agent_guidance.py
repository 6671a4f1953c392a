"""memory_agent: who should go on, what kind of work a plan is, and the briefing without a session."""

from typing import Any, get_args

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from server.models.plans import Category
from server.tools.agent.guidance import ROLE_OF_TYPE, ROLE_OF_WORDS, ROUTES
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, make

pytestmark = pytest.mark.any_transport


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    steps = [{"task": "write it", "type": "code"}, {"task": "try it", "type": "test", "phase": "Later"}]
    return (await make(agent, workspace_id, "Work", goals=["g"], steps=steps))["plan_id"]


async def verdict(agent: Agent, name: str, plan_id: str) -> tuple[str, str | None, str]:
    told = await agent("memory_agent", "validate", agent=name, plan_id=plan_id)
    return told["verdict"], told.get("switch_to"), told["reasons"][0]


async def test_every_role_that_is_recommended_is_defined(agent: Agent, workspace_id: str, plan_id: str) -> None:
    named = {role for _, roles in ROUTES.values() for role in roles} | {*ROLE_OF_TYPE.values(), *ROLE_OF_WORDS}
    for role in sorted(named):
        told = await agent("memory_agent", "validate", agent=role.lower(), plan_id=plan_id)
        assert (told["agent"], told["boundaries"]["role"] != "") == (role, True)
    assert set(ROUTES) == set(get_args(Category))


async def test_the_type_of_the_next_step_says_who_goes_on(agent: Agent, plan_id: str) -> None:
    assert await verdict(agent, "executor", plan_id) == ("continue", None, "step 0 is of type code")
    assert await verdict(agent, "Tester", plan_id) == ("switch", "Executor", "step 0 is of type code")

    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done")
    assert (await verdict(agent, "Tester", plan_id))[0] == "continue"
    await agent("memory_steps", "update", plan_id=plan_id, step_index=1, status="done")
    assert (await verdict(agent, "Tester", plan_id))[:2] == ("switch", "Archivist")


async def test_what_was_arranged_binds_more_than_what_is_usual(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "update_phase", plan_id=plan_id, phase="Steps", required_agents=["Ada", "Bob"])
    assert (await verdict(agent, "Executor", plan_id))[:2] == ("switch", "Ada")
    assert (await verdict(agent, "bob", plan_id))[0] == "continue"
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, assignee="Cleo")
    assert (await verdict(agent, "bob", plan_id))[:2] == ("switch", "Cleo")
    await agent("memory_steps", "claim", plan_id=plan_id, step_index=0, agent="bob")
    assert (await verdict(agent, "Bob", plan_id))[0] == "continue"
    await agent("memory_agent", "handoff", plan_id=plan_id, from_agent="bob", to_agent="Dora", reason="tired")
    assert (await verdict(agent, "bob", plan_id))[:2] == ("switch", "Dora")
    assert (await verdict(agent, "dora", plan_id))[0] == "continue"


@pytest.mark.parametrize(
    ("phase", "role"),
    [("The latest news", "Researcher"), ("TDD testing", "TDDDriver"), ("Design review", "Architect")],
)
async def test_whole_words_of_the_phase_count(agent: Agent, workspace_id: str, phase: str, role: str) -> None:
    plan = await make(agent, workspace_id, "Words", steps=[{"task": "a", "phase": phase}])
    assert (await verdict(agent, "Worker", plan["plan_id"]))[1] == role


async def test_the_workflow_goes_on_with_who_has_not_finished(agent: Agent, workspace_id: str) -> None:
    plan = await make(agent, workspace_id, "Flow", category="bugfix", steps=[{"task": "a"}])
    assert (await verdict(agent, "x", plan["plan_id"]))[1] == "Architect"
    session = await agent("memory_agent", "init", agent="Architect", plan_id=plan["plan_id"])
    await agent("memory_agent", "complete", session_id=session["session_id"], summary="designed")
    assert (await verdict(agent, "x", plan["plan_id"]))[1] == "Executor"


async def test_a_role_hears_what_it_may_not_do_and_a_stranger_that_nothing_is_known(agent: Agent, plan_id: str) -> None:
    reviewer = await agent("memory_agent", "validate", agent="Reviewer", plan_id=plan_id)
    assert reviewer["boundaries"]["can_implement"] is False
    assert "edit code" in reviewer["boundaries"]["forbidden"]
    assert "does not change code" in reviewer["warnings"][0]
    stranger = await agent("memory_agent", "validate", agent="Zoe", plan_id=plan_id)
    assert "no definition" in stranger["warnings"][0]
    assert "boundaries" not in stranger


async def test_an_unknown_plan_is_named_with_near_ones(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_agent", "validate", agent="Executor", plan_id=f"{plan_id}x")
    assert error["code"] == "not_found"


async def test_a_category_is_kept_with_its_reasons(agent: Agent, plan_id: str, db: Database) -> None:
    said = {"category": "bugfix", "confidence": 0.9, "reasoning": "it crashes", "skip_agents": ["tester"]}
    told = await agent("memory_agent", "categorize", plan_id=plan_id, categorization_result=said)

    assert (told["category"], told["previous_category"], told["planning_depth"]) == ("bugfix", "feature", "branching")
    assert told["workflow"] == ["Architect", "Executor", "Reviewer", "Archivist"]
    plan = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    assert (plan["category"], plan["categorization"]) == ("bugfix", said)
    before = await counts(db)
    again = await agent("memory_agent", "categorize", plan_id=plan_id, categorization_result=said)
    assert again["version"] == told["version"]
    assert await counts(db) == before


async def test_a_suggested_workflow_is_the_one_that_validate_follows(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, "Own", steps=[{"task": "a"}]))["plan_id"]
    said = {"category": "feature", "suggested_workflow": ["Painter", "Printer"]}
    told = await agent("memory_agent", "categorize", plan_id=plan_id, categorization_result=said)
    assert told["workflow"] == ["Painter", "Printer"]
    assert (await verdict(agent, "x", plan_id))[1] == "Painter"


@pytest.mark.parametrize(
    "said",
    [{"category": "bug"}, {"category": "bugfix", "confidence": 2}, {"reasoning": "x"}, {"category": "x", "y": 1}],
)
async def test_a_malformed_category_is_refused(agent: Agent, plan_id: str, said: dict[str, Any]) -> None:
    error = await agent.fails("memory_agent", "categorize", plan_id=plan_id, categorization_result=said)
    assert error["code"] == "invalid_arguments"


async def test_the_briefing_can_be_had_without_a_session(agent: Agent, plan_id: str, db: Database) -> None:
    begun = await agent("memory_agent", "init", agent="Ada", plan_id=plan_id)
    await agent("memory_steps", "next", plan_id=plan_id, session_id=begun["session_id"])
    before = await counts(db)
    by_session = await agent("memory_agent", "get_briefing", plan_id=plan_id, session_id=begun["session_id"])
    by_name = await agent("memory_agent", "get_briefing", plan_id=plan_id, agent="Bob")
    for_all = await agent("memory_agent", "get_briefing", plan_id=plan_id)

    assert [step["task"] for step in by_session["held"]] == ["write it"]
    assert "held" not in by_name | for_all
    assert [step["task"] for step in by_name["next"]] == ["try it"]
    assert for_all["plan"]["title"] == "Work"
    assert await counts(db) == before


async def test_a_step_that_is_assigned_to_a_session_is_that_of_its_agent(agent: Agent, plan_id: str) -> None:
    session = await agent("memory_agent", "init", agent="Cleo", plan_id=plan_id)
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, assignee=session["session_id"])

    assert await verdict(agent, "cleo", plan_id) == ("continue", None, "step 0 is assigned to Cleo")
    assert (await verdict(agent, "Executor", plan_id))[:2] == ("switch", "Cleo")


async def test_a_plan_that_rests_is_told_to_an_agent_without_a_definition_too(agent: Agent, plan_id: str) -> None:
    await agent("memory_plan", "pause_plan", plan_id=plan_id, pause_reason="deferred")
    told = await agent("memory_agent", "validate", agent="Nobody", plan_id=plan_id)
    assert told["warnings"][1:] == ["The plan is paused."]
