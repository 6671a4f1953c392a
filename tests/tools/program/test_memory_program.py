"""memory_program over the wire: programs, from the first plan to the trash."""

from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent, tick
from tests.tools.program.conftest import PROGRAM, MakePlan

pytestmark = pytest.mark.any_transport

Made = dict[str, Any]


async def titles(agent: Agent, program_id: str) -> list[str]:
    return [plan["title"] for plan in (await agent(PROGRAM, "list_plans", program_id=program_id))["plans"]]


async def events(agent: Agent, workspace_id: str, *types: str) -> list[Made]:
    return (await agent("memory_workspace", "events", workspace_id=workspace_id, types=list(types)))["events"]


async def test_a_program_is_made_and_read_with_all_it_was_told(agent: Agent, workspace_id: str) -> None:
    told = {
        "title": "Release 3",
        "description": "All of it",
        "category": "refactor",
        "priority": "high",
        "goals": ["One login"],
        "success_criteria": ["No password left"],
        "owner": "ada",
    }
    made = await agent(PROGRAM, "create", workspace_id=workspace_id, **told)
    found = await agent(PROGRAM, "get", program_id=made["program_id"], detail="full")

    assert {name: found[name] for name in told} == told
    assert (found["status"], found["version"], found["percent"], found["plans_total"]) == ("active", 1, 0, 0)
    [event] = await events(agent, workspace_id, "program_created")
    assert event["entity_id"] == made["program_id"]


async def test_get_tells_how_far_each_plan_is_what_is_blocked_and_open_risks(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    first = await plan_of("First", "done", "pending", "pending", "pending")
    second = await plan_of("Second", "pending", depends_on_plans=[first])
    third = await plan_of("Third", "done", "cancelled")
    await agent("memory_plan", "update", plan_id=third, status="completed")
    for plan_id in (first, second, third):
        await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=plan_id)
    risk = await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Late", severity="high")

    found = await agent(PROGRAM, "get", program_id=program_id)

    assert [(p["plan_id"], p["state"], p["percent"]) for p in found["plans"]] == [
        (first, "ready", 25),
        (second, "waiting", 0),
        (third, "completed", 100),
    ]
    counts = ("plans_done", "plans_total", "steps_done", "steps_total", "percent", "open_risks")
    assert [found[name] for name in counts] == [1, 3, 3, 7, 42, 1]
    assert found["blocked"] == [{"plan_id": second, "title": "Second", "by": {"plan_id": first, "title": "First"}}]
    assert found["risks"] == [{"risk_id": risk["risk_id"], "title": "Late", "severity": "high"}]


async def test_a_program_that_waits_holds_all_its_plans(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    before = await plan_of("Before", "pending")
    inside = await plan_of("Inside", "pending", program_id=program_id)
    await agent(PROGRAM, "set_dependency", program_id=program_id, target_plan_id=before)

    found = await agent(PROGRAM, "get", program_id=program_id)
    step = await agent("memory_steps", "next", plan_id=inside, agent="ada")

    assert [plan["state"] for plan in found["plans"]] == ["waiting"]
    assert found["blocked"][0]["program_id"] == program_id
    assert step.get("next") is None
    await agent("memory_plan", "update", plan_id=before, status="completed", force=True)
    assert (await agent("memory_steps", "next", plan_id=inside, agent="ada"))["next"]["task"] == "Inside 0"


async def test_a_list_shows_programs_of_the_workspace_last_changed_first_and_archived_ones_when_asked(
    agent: Agent, workspace_id: str
) -> None:
    made = [(await agent(PROGRAM, "create", workspace_id=workspace_id, title=title))["program_id"] for title in "ABC"]
    tick()
    await agent(PROGRAM, "archive", program_id=made[1])
    tick()
    await agent(PROGRAM, "update", program_id=made[0], priority="low")

    async def listed(**more: Any) -> list[str]:
        found = await agent(PROGRAM, "list", workspace_id=workspace_id, **more)
        assert found["total"] == len(found["programs"])
        return [program["title"] for program in found["programs"]]

    assert await listed() == ["A", "C"]
    assert await listed(include_archived=True) == ["A", "B", "C"]
    assert await listed(query="c") == ["C"]


async def test_a_long_list_goes_on_behind_its_cursor(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    for n in range(5):
        await agent(PROGRAM, "create", workspace_id=workspace_id, title=f"P{n}")
        await plan_of(f"Plan {n}", program_id=program_id)
    for action, key, more in (
        ("list", "programs", {"workspace_id": workspace_id}),
        ("list_plans", "plans", {"program_id": program_id}),
    ):
        whole = await agent(PROGRAM, action, **more)
        found: list[Made] = []
        page: Made = {}
        while not found or "next_cursor" in page:
            cursor = {"cursor": page["next_cursor"]} if page else {}
            page = await agent(PROGRAM, action, limit=2, **cursor, **more)
            found += page[key]
        assert found == whole[key]


async def test_an_update_changes_only_what_it_gives_and_tells_what_it_was(agent: Agent, program_id: str) -> None:
    changed = await agent(PROGRAM, "update", program_id=program_id, title="Release 4", owner="ada", goals=["Fast"])
    again = await agent(PROGRAM, "update", program_id=program_id, title="Release 4", owner="ada", goals=["Fast"])

    assert (changed["changed"], changed["previous"]) == (["title", "goals", "owner"], {"title": "Release 3"})
    assert (changed["version"], again["version"], again.get("changed")) == (2, 2, None)
    emptied = await agent(PROGRAM, "update", program_id=program_id, owner="", expected_version=2)
    assert "owner" not in emptied
    error = await agent.fails(PROGRAM, "update", program_id=program_id, title="X", expected_version=2)
    assert (error["code"], error["version"]) == ("conflict", 3)
    assert (await agent.fails(PROGRAM, "update", program_id=program_id))["code"] == "invalid_arguments"


async def test_an_archived_program_keeps_its_plans_and_takes_no_change(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    plan_id = await plan_of("Inside", program_id=program_id)
    archived = await agent(PROGRAM, "archive", program_id=program_id)
    assert await agent(PROGRAM, "archive", program_id=program_id) == archived
    assert (archived["status"], await titles(agent, program_id)) == ("archived", ["Inside"])
    assert (await agent("memory_plan", "get", plan_id=plan_id))["program_id"] == program_id

    free = await plan_of("Free")
    for action, more in (
        ("update", {"title": "X"}),
        ("add_plan", {"plan_id": free}),
        ("remove_plan", {"plan_id": plan_id}),
        ("add_risk", {"risk_title": "X"}),
        ("set_dependency", {"source_plan_id": plan_id, "target_plan_id": free}),
        ("auto_detect_risks", {}),
        ("reorder_plans", {"plan_ids": [plan_id]}),
        ("link_workspace", {"workspace_id": workspace_id}),
    ):
        error = await agent.fails(PROGRAM, action, program_id=program_id, **more)
        assert (error["code"], "unarchive" in error["message"]) == ("conflict", True), action
    error = await agent.fails("memory_plan", "create", workspace_id=workspace_id, title="X", program_id=program_id)
    assert error["code"] == "conflict"

    back = await agent(PROGRAM, "unarchive", program_id=program_id)
    assert (back["status"], "archived_at" in back) == ("active", False)
    assert await agent(PROGRAM, "unarchive", program_id=program_id) == back
    assert [e["type"] for e in await events(agent, workspace_id, "program_archived", "program_unarchived")] == [
        "program_archived",
        "program_unarchived",
    ]


@pytest.mark.parametrize("told", ["status = 'archived'", "archived_at = '2020-01-01T00:00:00.000Z'"])
async def test_a_program_that_came_archived_is_so_however_its_store_told_it(
    agent: Agent, workspace_id: str, db: Database, program_id: str, told: str
) -> None:
    async with db.transaction() as tx:
        await tx.run(f"UPDATE programs SET {told}")

    assert (await agent.fails(PROGRAM, "update", program_id=program_id, title="X"))["code"] == "conflict"
    assert (await agent(PROGRAM, "list", workspace_id=workspace_id))["total"] == 0
    await agent(PROGRAM, "unarchive", program_id=program_id)
    [listed] = (await agent(PROGRAM, "list", workspace_id=workspace_id))["programs"]
    assert listed["status"] == "active"


async def test_deleting_previews_then_goes_to_the_trash_and_comes_back_whole(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    first, second = [await plan_of(title, "pending", program_id=program_id) for title in "AB"]
    away = await plan_of("Away", program_id=program_id)
    await agent("memory_plan", "archive", plan_id=away)
    outside = await plan_of("Outside", "pending")
    await agent(PROGRAM, "set_dependency", program_id=program_id, target_plan_id=outside)
    await agent(PROGRAM, "add_risk", program_id=program_id, risk_title="Late")
    notes = {"parent_type": "program", "parent_id": program_id, "type": "notes"}
    await agent("memory_context", "store", data={"a": 1}, **notes)
    before = await agent(PROGRAM, "get", program_id=program_id, detail="full")

    preview = (await agent(PROGRAM, "delete", program_id=program_id))["preview"]
    assert (preview["would_delete"]["title"], preview["plans_that_stay"]) == ("Release 3", 3)
    assert preview["with_it"] == {"program_risks": 1, "dependencies": 1, "context_items": 1}
    assert await agent(PROGRAM, "get", program_id=program_id, detail="full") == before

    gone = await agent(PROGRAM, "delete", program_id=program_id, confirm=True)
    assert (await agent.fails(PROGRAM, "get", program_id=program_id))["code"] == "not_found"
    assert (await agent.fails(PROGRAM, "delete", program_id=program_id, confirm=True))["code"] == "not_found"
    for plan_id in (first, second, away):
        assert "program_id" not in await agent("memory_plan", "get", plan_id=plan_id)
    assert (await agent("memory_steps", "next", plan_id=first, agent="ada"))["next"]

    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    after = await agent(PROGRAM, "get", program_id=program_id, detail="full")
    assert after == before
    assert (await agent("memory_context", "get", **notes))["data"] == {"a": 1}
    for plan_id in (first, second, away):
        assert (await agent("memory_plan", "get", plan_id=plan_id))["program_id"] == program_id


async def test_a_program_comes_back_without_the_plans_that_are_elsewhere_now(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    stays, moved, lost = [await plan_of(title, program_id=program_id) for title in "ABC"]
    gone = await agent(PROGRAM, "delete", program_id=program_id, confirm=True)
    other = (await agent(PROGRAM, "upgrade", plan_id=moved))["program_id"]
    await agent("memory_plan", "delete", plan_id=lost, confirm=True)

    back = await agent("memory_workspace", "restore", trash_id=gone["trash_id"])

    assert "2 plans were left out" in back["warnings"][0]
    assert await titles(agent, program_id) == ["A"]
    assert (await agent("memory_plan", "get", plan_id=stays))["program_id"] == program_id
    assert (await agent("memory_plan", "get", plan_id=moved))["program_id"] == other


async def test_deleting_frees_what_waited_for_the_program(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    await plan_of("Inside", "pending", program_id=program_id)
    other = await agent(PROGRAM, "create", workspace_id=workspace_id, title="Next")
    await agent(PROGRAM, "set_dependency", program_id=other["program_id"], target_program_id=program_id)

    gone = await agent(PROGRAM, "delete", program_id=program_id, confirm=True)

    assert gone["unblocked"] == [{"program_id": other["program_id"]}]


async def test_a_plan_becomes_the_first_of_a_new_program(agent: Agent, plan_of: MakePlan, workspace_id: str) -> None:
    plan_id = await plan_of("Grown", "pending", goals=["g"], success_criteria=["s"], priority="high", category="bugfix")
    made = await agent(PROGRAM, "upgrade", plan_id=plan_id)
    found = await agent(PROGRAM, "get", program_id=made["program_id"], detail="full")

    assert [found[name] for name in ("title", "goals", "success_criteria", "priority", "category")] == [
        "Grown", ["g"], ["s"], "high", "bugfix",
    ]  # fmt: skip
    assert [plan["plan_id"] for plan in found["plans"]] == [plan_id]
    error = await agent.fails(PROGRAM, "upgrade", plan_id=plan_id)
    assert (error["code"], error["program_id"]) == ("conflict", made["program_id"])
    named = await agent(PROGRAM, "upgrade", plan_id=await plan_of("Small"), title="Large")
    assert named["title"] == "Large"


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("get", {}), ("update", {"title": "X"}), ("archive", {}), ("unarchive", {}), ("delete", {"confirm": True}),
        ("list_plans", {}), ("add_plan", {"plan_id": "plan_x"}), ("reorder_plans", {"plan_ids": ["plan_x"]}),
        ("link_workspace", {}), ("unlink_workspace", {}), ("get_dependencies", {}), ("auto_detect_risks", {}),
        ("set_dependency", {"target_plan_id": "plan_x"}), ("remove_dependency", {"target_plan_id": "plan_x"}),
        ("add_risk", {"risk_title": "X"}), ("list_risks", {}), ("remove_plan", {"plan_id": None}),
    ],
)  # fmt: skip
async def test_a_program_that_does_not_exist_is_named_with_near_ones(
    agent: Agent, plan_of: MakePlan, program_id: str, action: str, more: Made
) -> None:
    if "plan_id" in more and more["plan_id"] is None:
        more = {"plan_id": await plan_of("Free")}
    error = await agent.fails(PROGRAM, action, program_id=program_id[:-1], **more)

    assert error["code"] == "not_found"
    assert error["near"] == [{"program_id": program_id, "title": "Release 3"}]


async def test_a_lost_answer_costs_nothing(agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str) -> None:
    plan_id = await plan_of("Grown")
    for action, more in (
        ("create", {"title": "Once", "workspace_id": workspace_id}),
        ("upgrade", {"plan_id": plan_id}),
        ("add_risk", {"program_id": program_id, "risk_title": "Once"}),
    ):
        call = {**more, "agent": "ada", "request_id": f"id-{action}"}
        assert await agent(PROGRAM, action, **call) == await agent(PROGRAM, action, **call)
        other = {**call, "description" if action != "upgrade" else "title": "other"}
        assert (await agent.fails(PROGRAM, action, **other))["code"] == "conflict"

    assert (await agent(PROGRAM, "list", workspace_id=workspace_id))["total"] == 3
    assert (await agent(PROGRAM, "list_risks", program_id=program_id))["total"] == 1


async def test_the_briefing_names_the_program_of_the_plan(
    agent: Agent, plan_of: MakePlan, workspace_id: str, program_id: str
) -> None:
    plan_id = await plan_of("Inside", "pending", program_id=program_id)
    told = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)

    assert told["plan"]["program"] == {"program_id": program_id, "title": "Release 3"}


async def test_a_program_is_found_by_its_words(agent: Agent, workspace_id: str, program_id: str) -> None:
    await agent(PROGRAM, "update", program_id=program_id, description="migrates the turnstile")

    found = await agent("memory_context", "search", workspace_id=workspace_id, query="turnstile", types=["program"])

    assert [hit["program_id"] for hit in found["hits"]] == [program_id]
