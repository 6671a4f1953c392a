"""What frees steps of another plan or workspace is told there, so that who waits for its events goes on."""

from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio

from server.models.events import TYPES
from tests.conftest import Agent

MET, UNMET = "dependencies_met", "dependencies_unmet"


@pytest_asyncio.fixture
async def elsewhere(agent: Agent, tmp_path: Path) -> str:
    """The id of another workspace."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]


async def plan(agent: Agent, home: str, *tasks: str) -> tuple[str, list[str]]:
    """Make a plan and return its id and those of its steps."""
    steps = [{"task": task} for task in tasks]
    made = await agent("memory_plan", "create", workspace_id=home, title=tasks[0], steps=steps, agent="tester")
    listed = await agent("memory_steps", "list", plan_id=made["plan_id"])
    return made["plan_id"], [step["step_id"] for step in listed["steps"]]


async def finish(agent: Agent, step_id: str, status: str = "done") -> None:
    await agent("memory_steps", "update", step_id=step_id, status=status, agent="tester")


async def told(agent: Agent, home: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the events of a workspace that tell what became of waiting."""
    found = await agent("memory_workspace", "events", workspace_id=home, types=[MET, UNMET], **wanted)
    return [{name: one.get(name) for name in ("type", "entity_id", "plan_id")} for one in found["events"]]


async def test_who_waits_in_another_workspace_is_woken_when_a_step_is_free(
    agent: Agent, workspace_id: str, elsewhere: str
) -> None:
    _, [keel] = await plan(agent, elsewhere, "Lay the keel")
    then, [mast] = await plan(agent, workspace_id, "Step the mast")
    await agent("memory_steps", "set_dependencies", step_id=mast, depends_on=[keel], agent="tester")
    since = (await agent("memory_workspace", "events", workspace_id=workspace_id, limit=1))["latest_id"]
    heard: list[dict[str, Any]] = []

    async def wait() -> None:
        wanted = {"since_id": since, "types": ["step"], "plan_id": then, "wait_seconds": 25}
        heard.extend((await agent("memory_workspace", "events", workspace_id=workspace_id, **wanted))["events"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await finish(agent, keel)
    assert [(one["type"], one["entity_id"], one["agent"]) for one in heard] == [(MET, mast, "tester")]


async def test_a_step_that_waits_anew_is_told_too(agent: Agent, workspace_id: str, elsewhere: str) -> None:
    _, [keel, planks] = await plan(agent, elsewhere, "Lay the keel", "Saw planks")
    then, [mast] = await plan(agent, workspace_id, "Step the mast")
    await agent("memory_steps", "set_dependencies", step_id=mast, depends_on=[keel, planks], agent="tester")
    await finish(agent, keel)
    assert await told(agent, workspace_id) == []  # it waits for the other one still

    await finish(agent, planks)
    await finish(agent, keel, "pending")
    gone = await agent("memory_steps", "delete", step_id=keel, confirm=True, agent="tester")
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"], agent="tester")

    met = {"type": MET, "entity_id": mast, "plan_id": then}
    assert await told(agent, workspace_id) == [met, met | {"type": UNMET}, met, met | {"type": UNMET}]
    assert await told(agent, elsewhere) == []


async def test_another_plan_of_the_workspace_is_told_and_the_own_one_is_not(agent: Agent, workspace_id: str) -> None:
    _, [keel, planks] = await plan(agent, workspace_id, "Lay the keel", "Plank it")
    then, [mast] = await plan(agent, workspace_id, "Step the mast")
    await agent("memory_steps", "set_dependencies", step_id=planks, depends_on=[keel], agent="tester")
    await agent("memory_steps", "set_dependencies", step_id=mast, depends_on=[keel], agent="tester")
    await finish(agent, keel)
    assert await told(agent, workspace_id) == [{"type": MET, "entity_id": mast, "plan_id": then}]


async def test_a_plan_that_waited_for_a_plan_is_told(agent: Agent, workspace_id: str, elsewhere: str) -> None:
    first, [keel] = await plan(agent, elsewhere, "Lay the keel")
    then, _ = await plan(agent, workspace_id, "Step the mast")
    await agent("memory_plan", "set_plan_dependencies", plan_id=then, depends_on_plans=[first], agent="tester")
    await finish(agent, keel)
    await agent("memory_plan", "update", plan_id=first, status="completed", agent="tester")
    assert await told(agent, workspace_id) == [{"type": MET, "entity_id": then, "plan_id": then}]


async def test_every_plan_of_a_program_that_waited_is_told(agent: Agent, workspace_id: str, elsewhere: str) -> None:
    first, [keel] = await plan(agent, elsewhere, "Lay the keel")
    then = [(await plan(agent, workspace_id, task))[0] for task in ("Step the mast", "Sew a sail")]
    program = await agent("memory_program", "create", workspace_id=workspace_id, title="Sailing", agent="tester")
    for plan_id in then:
        await agent("memory_program", "add_plan", program_id=program["program_id"], plan_id=plan_id, agent="tester")
    await agent(
        "memory_program", "set_dependency", program_id=program["program_id"], target_plan_id=first, agent="tester"
    )
    await finish(agent, keel)
    await agent("memory_plan", "update", plan_id=first, status="completed", agent="tester")
    assert await told(agent, workspace_id) == [
        {"type": name, "entity_id": program["program_id"], "plan_id": plan_id}
        for name in (UNMET, MET)
        for plan_id in then
    ]


@pytest.mark.parametrize("name", [MET, UNMET])
def test_such_an_event_is_about_whatever_can_wait(name: str) -> None:
    assert set(TYPES[name][0]) == {"step", "phase", "plan", "program"}
