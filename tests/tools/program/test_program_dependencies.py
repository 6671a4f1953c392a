"""memory_program: what the plans of a program, their phases and the program itself wait for."""

from typing import Any

import pytest

from tests.conftest import Agent
from tests.tools.program.conftest import PROGRAM, MakePlan

Found = dict[str, Any]


@pytest.fixture
async def plans(program_id: str, plan_of: MakePlan) -> list[str]:
    """Three plans of the program, the last of them without steps."""
    return [
        await plan_of("A", "pending", "pending", program_id=program_id),
        await plan_of("B", "pending", program_id=program_id),
        await plan_of("C", program_id=program_id),
    ]


async def phase_id(agent: Agent, plan_id: str) -> str:
    return (await agent("memory_plan", "get", plan_id=plan_id))["phases"][0]["phase_id"]


async def test_the_source_waits_for_the_target(agent: Agent, program_id: str, plans: list[str]) -> None:
    a, b, _ = plans
    edge = {"program_id": program_id, "source_plan_id": b, "target_plan_id": a}
    made = await agent(PROGRAM, "set_dependency", **edge)
    again = await agent(PROGRAM, "set_dependency", **edge)

    assert (made["source"], made["waits_for"], made["created"]) == ({"plan_id": b}, {"plan_id": a}, True)
    assert (made["dep_type"], made["dep_status"]) == ("blocks", "pending")
    assert again == {**made, "created": False}
    assert (await agent("memory_plan", "get_plan_dependencies", plan_id=b))["waiting_for"] == [a]
    assert (await agent("memory_steps", "next", plan_id=b, agent="ada")).get("next") is None
    assert (await agent("memory_steps", "next", plan_id=a, agent="ada"))["next"]


async def test_a_target_that_is_closed_already_holds_nobody(agent: Agent, program_id: str, plans: list[str]) -> None:
    a, b, _ = plans
    await agent("memory_plan", "update", plan_id=a, status="completed", force=True)
    made = await agent(PROGRAM, "set_dependency", program_id=program_id, source_plan_id=b, target_plan_id=a)

    assert made["dep_status"] == "satisfied"
    assert (await agent("memory_steps", "next", plan_id=b, agent="ada"))["next"]


async def test_informs_holds_nobody_and_changing_the_type_tells_what_is_free(
    agent: Agent, program_id: str, plans: list[str]
) -> None:
    a, b, _ = plans
    edge = {"program_id": program_id, "source_plan_id": b, "target_plan_id": a}
    await agent(PROGRAM, "set_dependency", **edge)
    told = await agent(PROGRAM, "set_dependency", dependency_type="informs", **edge)

    assert (told["dep_type"], told["created"], told["unblocked"]) == ("informs", False, [{"plan_id": b}])
    await agent(PROGRAM, "set_dependency", program_id=program_id, source_plan_id=a, target_plan_id=b)
    assert (await agent("memory_steps", "next", plan_id=b, agent="ada"))["next"]


async def test_a_phase_can_wait_and_be_waited_for(agent: Agent, program_id: str, plan_of: MakePlan) -> None:
    phases = [{"name": name, "steps": [{"task": name}]} for name in ("Build", "Ship")]
    a = await plan_of("A", phases=phases, program_id=program_id)
    b = await plan_of("B", phases=phases, program_id=program_id)
    edge = {"program_id": program_id, "source_plan_id": b, "target_plan_id": a, "target_phase": "build"}
    await agent(PROGRAM, "set_dependency", source_phase="Ship", **edge)
    await agent(PROGRAM, "set_dependency", source_phase=await phase_id(agent, b), **edge)

    blocked = (await agent(PROGRAM, "get", program_id=program_id))["blocked"]
    assert sorted((one["phase"], one["by"]["phase"]) for one in blocked) == [("Build", "Build"), ("Ship", "Build")]
    step = (await agent("memory_steps", "next", plan_id=a, agent="ada"))["next"]
    done = await agent("memory_steps", "update", step_id=step["step_id"], status="done", agent="ada")
    assert {"phase_id"} == {key for free in done["unblocked"] for key in free}
    assert "blocked" not in await agent(PROGRAM, "get", program_id=program_id)


async def test_a_circle_of_plans_is_refused_and_printed(agent: Agent, program_id: str, plans: list[str]) -> None:
    a, b, c = plans
    for source, target in ((b, a), (c, b)):
        await agent(PROGRAM, "set_dependency", program_id=program_id, source_plan_id=source, target_plan_id=target)

    error = await agent.fails(PROGRAM, "set_dependency", program_id=program_id, source_plan_id=a, target_plan_id=c)

    assert (error["code"], error["cycle"][0], set(error["cycle"])) == ("conflict", error["cycle"][-1], {a, b, c})
    assert (await agent("memory_plan", "get_plan_dependencies", plan_id=a)).get("waiting_for") is None


async def test_a_program_cannot_wait_for_its_own_plans_however_they_came_in(
    agent: Agent, program_id: str, plans: list[str], plan_of: MakePlan
) -> None:
    error = await agent.fails(PROGRAM, "set_dependency", program_id=program_id, target_plan_id=plans[0])
    assert error["code"] == "conflict"
    assert "cycle" in error

    outside = await plan_of("Outside", "pending")
    await agent(PROGRAM, "set_dependency", program_id=program_id, target_plan_id=outside)
    error = await agent.fails(PROGRAM, "add_plan", program_id=program_id, plan_id=outside)
    assert (error["code"], outside in error["cycle"]) == ("conflict", True)
    other = (await agent(PROGRAM, "upgrade", plan_id=outside))["program_id"]
    later = await plan_of("Later", "pending", program_id=other)
    await agent(PROGRAM, "set_dependency", program_id=other, source_plan_id=later, target_program_id=program_id)
    error = await agent.fails(PROGRAM, "add_plan", program_id=program_id, plan_id=later, force=True)
    assert (error["code"], set(error["cycle"])) == ("conflict", {program_id, later})
    assert (await agent("memory_plan", "get", plan_id=later))["program_id"] == other


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ({"source_plan_id": "A", "target_plan_id": "A"}, "conflict", "cannot wait for itself"),
        ({"target_program_id": "own"}, "conflict", "cannot wait for itself"),
        ({"source_plan_id": "outside", "target_plan_id": "A"}, "conflict", "is not in the program"),
        ({"source_plan_id": "B", "target_plan_id": "plan_nothing"}, "not_found", "There is no plan"),
        ({"source_plan_id": "B", "target_plan_id": "A", "target_phase": "X"}, "not_found", "no phase"),
        ({"source_phase": "X", "target_plan_id": "A"}, "invalid_arguments", "source_phase needs source_plan_id"),
        ({"target_phase": "X", "target_program_id": "own"}, "invalid_arguments", "needs target_plan_id"),
        ({"target_plan_id": "A", "target_program_id": "own"}, "invalid_arguments", "two targets"),
        ({"source_plan_id": "B"}, "invalid_arguments", "target_plan_id or target_program_id"),
        ({"target_program_id": "prog_nothing"}, "not_found", "There is no program"),
    ],
)
async def test_ends_that_make_no_sense_are_refused(
    agent: Agent, plans: list[str], more: Found, code: str, told: str
) -> None:
    program_id = (await agent("memory_plan", "get", plan_id=plans[0]))["program_id"]
    free = await agent("memory_plan", "clone_plan", plan_id=plans[0])
    names = {"A": plans[0], "B": plans[1], "own": program_id, "outside": free["plan_id"]}
    given = {name: names.get(value, value) for name, value in more.items()}
    error = await agent.fails(PROGRAM, "set_dependency", program_id=program_id, **given)

    assert error["code"] == code
    assert told in error["message"]


async def test_a_dependency_goes_once_and_tells_what_is_free(agent: Agent, program_id: str, plans: list[str]) -> None:
    a, b, _ = plans
    edge = {"program_id": program_id, "source_plan_id": b, "target_plan_id": a}
    await agent(PROGRAM, "set_dependency", **edge)
    gone = await agent(PROGRAM, "remove_dependency", **edge)
    again = await agent(PROGRAM, "remove_dependency", **edge)

    assert (gone["removed"], gone["unblocked"]) == (True, [{"plan_id": b}])
    assert (again["removed"], "unblocked" in again) == (False, False)
    assert (await agent("memory_steps", "next", plan_id=b, agent="ada"))["next"]


async def test_the_graph_is_told_in_an_order_that_works_with_what_is_ready(
    agent: Agent, program_id: str, plans: list[str], plan_of: MakePlan
) -> None:
    a, b, c = plans
    outside = await plan_of("Outside", "pending")
    for source, target in ((a, c), (b, a), (c, outside)):
        await agent(PROGRAM, "set_dependency", program_id=program_id, source_plan_id=source, target_plan_id=target)
    free = await plan_of("Free", "pending", program_id=program_id)

    found = await agent(PROGRAM, "get_dependencies", program_id=program_id)

    assert [plan["plan_id"] for plan in found["plans"]] == [c, free, a, b]
    assert found["ready"] == [free]
    assert [
        (d["source"]["plan_id"], d["waits_for"]["plan_id"], d["type"], d["status"]) for d in found["dependencies"]
    ] == [
        (a, c, "blocks", "pending"),
        (b, a, "blocks", "pending"),
        (c, outside, "blocks", "pending"),
    ]
    assert found["dependencies"][2]["waits_for"]["title"] == "Outside"
    await agent("memory_plan", "update", plan_id=outside, status="completed", force=True)
    assert (await agent(PROGRAM, "get_dependencies", program_id=program_id))["ready"] == [c, free]


async def test_phases_that_wait_for_each_other_in_turn_are_no_circle(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    phases = [{"name": name, "steps": [{"task": name}]} for name in ("One", "Two")]
    a, b = [await plan_of(title, phases=phases, program_id=program_id) for title in "AB"]
    for (source, own), (target, other) in (((a, "Two"), (b, "One")), ((b, "Two"), (a, "Two"))):
        await agent(
            PROGRAM, "set_dependency", program_id=program_id, source_plan_id=source, source_phase=own,
            target_plan_id=target, target_phase=other,
        )  # fmt: skip

    found = await agent(PROGRAM, "get_dependencies", program_id=program_id)

    assert (found["ready"], "cycle" in found) == ([a, b], False)
    assert [(d["source"]["phase"], d["waits_for"]["phase"]) for d in found["dependencies"]] == [
        ("Two", "One"),
        ("Two", "Two"),
    ]


async def test_a_finished_phase_frees_what_waits_for_it_and_nothing_that_waits_for_more(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    phases = [{"name": name, "steps": [{"task": name}]} for name in ("Build", "Ship")]
    a = await plan_of("A", phases=phases, program_id=program_id)
    b, c, d = [await plan_of(title, "pending", program_id=program_id) for title in "BCD"]
    for source, phase, kind in (
        (b, "Build", "blocks"),
        (b, "Ship", "blocks"),
        (c, "Build", "blocks"),
        (d, "Ship", "informs"),
    ):
        await agent(
            PROGRAM, "set_dependency", program_id=program_id, source_plan_id=source, target_plan_id=a,
            target_phase=phase, dependency_type=kind,
        )  # fmt: skip

    async def states() -> list[tuple[str, str, str]]:
        found = (await agent(PROGRAM, "get_dependencies", program_id=program_id))["dependencies"]
        return sorted((d["source"]["title"], d["waits_for"]["phase"], d["status"]) for d in found)

    built = await agent("memory_steps", "update", plan_id=a, step_index=0, status="done")
    assert built["unblocked"] == [{"plan_id": c}]
    between = await states()
    assert between == [
        ("B", "Build", "satisfied"), ("B", "Ship", "pending"), ("C", "Build", "satisfied"), ("D", "Ship", "pending"),
    ]  # fmt: skip
    for later in ({"notes": "kept"}, {"status": "done"}, {"assignee": "ada"}):
        await agent("memory_steps", "update", plan_id=a, step_index=0, **later)
    assert await states() == between
    shipped = await agent("memory_steps", "update", plan_id=a, step_index=1, status="done")
    assert shipped["unblocked"] == [{"plan_id": b}]


async def test_a_plan_that_its_program_would_wait_for_is_told_with_the_program(agent: Agent, workspace_id: str) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="First", steps=[{"task": "a"}])
    program = await agent("memory_program", "create", workspace_id=workspace_id, title="All")
    ids = {"program_id": program["program_id"]}
    await agent("memory_program", "set_dependency", **ids, target_plan_id=plan["plan_id"])
    refused = await agent.fails("memory_program", "add_plan", **ids, plan_id=plan["plan_id"])

    assert refused["cycle"] == [plan["plan_id"], program["program_id"], plan["plan_id"]]
