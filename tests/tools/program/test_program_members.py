"""memory_program: which plans a program holds, in which order, and who sees it."""

from typing import Any

from tests.conftest import Agent
from tests.tools.program.conftest import PROGRAM, MakePlan


async def members(agent: Agent, program_id: str) -> list[str]:
    return [plan["plan_id"] for plan in (await agent(PROGRAM, "list_plans", program_id=program_id))["plans"]]


async def test_a_plan_is_added_once_however_often_it_is_sent(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    first, second = await plan_of("First"), await plan_of("Second")
    added = await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=first)
    await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=second)
    again = await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=first)

    assert (added["plans_total"], again["plans_total"]) == (1, 2)
    assert await members(agent, program_id) == [first, second]
    assert (await agent("memory_plan", "get", plan_id=first))["program_id"] == program_id
    log = await agent("memory_workspace", "events", workspace_id=workspace_id, types=["program_plan_added"])
    assert [event["plan_id"] for event in log["events"]] == [first, second]


async def test_a_plan_of_another_program_is_moved_by_force_alone_and_says_from_where(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("Wanted", "pending", program_id=program_id)
    other = (await agent(PROGRAM, "create", workspace_id=workspace_id, title="Other"))["program_id"]

    error = await agent.fails(PROGRAM, "add_plan", program_id=other, plan_id=plan_id)
    assert (error["code"], error["program_id"]) == ("conflict", program_id)
    assert "'Release 3'" in error["message"]
    assert await members(agent, program_id) == [plan_id]

    moved = await agent(PROGRAM, "add_plan", program_id=other, plan_id=plan_id, force=True)
    assert moved["moved_from"] == {"program_id": program_id, "title": "Release 3"}
    assert (await members(agent, program_id), await members(agent, other)) == ([], [plan_id])
    assert (await agent("memory_plan", "get", plan_id=plan_id))["program_id"] == other


async def test_a_plan_that_does_not_exist_or_is_archived_cannot_be_added(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("Away")
    await agent("memory_plan", "archive", plan_id=plan_id)
    for wrong, code in ((plan_id, "conflict"), ("plan_nothing", "not_found")):
        assert (await agent.fails(PROGRAM, "add_plan", program_id=program_id, plan_id=wrong))["code"] == code
    assert await members(agent, program_id) == []


async def test_a_plan_leaves_its_program_once(agent: Agent, program_id: str, plan_of: MakePlan) -> None:
    first, second = [await plan_of(title, "pending", program_id=program_id) for title in ("A", "B")]
    left = await agent(PROGRAM, "remove_plan", plan_id=first)
    again = await agent(PROGRAM, "remove_plan", plan_id=first)

    assert (left["removed"], left["program_id"], again["removed"]) == (True, program_id, False)
    assert "program_id" not in await agent("memory_plan", "get", plan_id=first)
    assert await members(agent, program_id) == [second]


async def test_an_archived_plan_can_leave_and_comes_back_free(agent: Agent, program_id: str, plan_of: MakePlan) -> None:
    plan_id = await plan_of("Away", "pending", program_id=program_id)
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert await members(agent, program_id) == [plan_id]

    assert (await agent(PROGRAM, "remove_plan", plan_id=plan_id, program_id=program_id))["removed"] is True
    await agent("memory_plan", "unarchive", plan_id=plan_id)

    assert "program_id" not in await agent("memory_plan", "get", plan_id=plan_id)


async def test_a_plan_is_not_taken_out_of_another_program_than_the_one_named(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    other = (await agent(PROGRAM, "create", workspace_id=workspace_id, title="Other"))["program_id"]
    plan_id = await plan_of("Mine", program_id=program_id)
    error = await agent.fails(PROGRAM, "remove_plan", program_id=other, plan_id=plan_id)

    assert (error["code"], error["program_id"]) == ("conflict", program_id)
    assert await members(agent, program_id) == [plan_id]


async def test_what_waits_for_a_program_is_free_when_its_last_open_plan_leaves(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    done, open_ = await plan_of("Done", "done", program_id=program_id), await plan_of("Open", "pending")
    await agent("memory_plan", "update", plan_id=done, status="completed")
    await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=open_)
    after = (await agent(PROGRAM, "create", workspace_id=workspace_id, title="After"))["program_id"]
    await agent(PROGRAM, "set_dependency", program_id=after, target_program_id=program_id)

    left = await agent(PROGRAM, "remove_plan", plan_id=open_)
    assert left["unblocked"] == [{"program_id": after}]

    await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=open_)
    [edge] = (await agent(PROGRAM, "get", program_id=after))["blocked"]
    assert edge["by"] == {"program_id": program_id, "title": "Release 3"}


async def test_plans_named_first_come_first_and_the_others_follow(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    a, b, c = [await plan_of(title, program_id=program_id) for title in "ABC"]
    for _ in "12":
        answer = await agent(PROGRAM, "reorder_plans", program_id=program_id, plan_ids=[c])
        assert answer["plan_ids"] == await members(agent, program_id) == [c, a, b]
    assert await members(agent, program_id) == [c, a, b]
    other = await plan_of("Other")
    error = await agent.fails(PROGRAM, "reorder_plans", program_id=program_id, plan_ids=[a, a, other])
    assert error["code"] == "invalid_arguments"
    assert f"{a!r} is named twice" in error["message"]
    assert f"{other!r} is not in the program" in error["message"]
    assert (await agent.fails(PROGRAM, "reorder_plans", program_id=program_id, plan_ids=[]))["code"] == (
        "invalid_arguments"
    )


async def test_a_plan_of_another_workspace_links_that_workspace(
    agent: Agent, workspace_id: str, elsewhere: str, program_id: str, plan_of: MakePlan
) -> None:
    theirs = await plan_of("Theirs", "pending", workspace_id=elsewhere)
    added = await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=theirs)
    found = await agent(PROGRAM, "get", program_id=program_id)

    assert added["linked_workspace"] == elsewhere
    assert (found["linked_workspaces"], found["plans"][0]["workspace_id"]) == ([elsewhere], elsewhere)
    for here in (workspace_id, elsewhere):
        assert (await agent(PROGRAM, "list", workspace_id=here))["programs"][0]["program_id"] == program_id
    made = await agent("memory_plan", "create", workspace_id=elsewhere, title="More", program_id=program_id)
    assert await members(agent, program_id) == [theirs, made["plan_id"]]


async def test_a_workspace_sees_a_program_as_long_as_it_is_linked(
    agent: Agent, workspace_id: str, elsewhere: str, program_id: str, plan_of: MakePlan
) -> None:
    there = {"workspace_id": elsewhere, "program_id": program_id}
    assert (await agent.fails(PROGRAM, "get", **there))["code"] == "conflict"
    for _ in "12":
        assert (await agent(PROGRAM, "link_workspace", **there))["linked_workspaces"] == [elsewhere]
    on_it: dict[str, Any] = {"parent_type": "program", "parent_id": program_id, "workspace_id": elsewhere}
    await agent("memory_context", "store", type="notes", data={"a": 1}, **on_it)
    await agent("memory_context", "append_research", filename="a.md", content="## seldom\nwords", **on_it)
    assert (await agent("memory_context", "get", type="notes", **on_it))["data"] == {"a": 1}
    assert (await agent("memory_context", "list", **on_it))["total"] == 1
    sought = await agent("memory_context", "search", query="seldom", scope="program", **on_it)
    assert [hit["kind"] for hit in sought["hits"]] == ["research"]
    await agent("memory_context", "delete", type="notes", confirm=True, **on_it)
    await agent(PROGRAM, "update", title="Seen", **there)
    for action in ("get", "list_plans", "get_dependencies", "list_risks"):
        assert (await agent(PROGRAM, action, **there))["program_id"] == program_id
    kept = await agent(PROGRAM, "add_risk", risk_title="Late", agent="ada", request_id="1", **there)
    assert await agent(PROGRAM, "add_risk", risk_title="Late", agent="ada", request_id="1", **there) == kept

    for _ in "12":
        assert "linked_workspaces" not in await agent(PROGRAM, "unlink_workspace", **there)
    assert (await agent.fails(PROGRAM, "get", **there))["code"] == "conflict"
    assert (await agent(PROGRAM, "list", workspace_id=elsewhere))["total"] == 0


async def test_a_workspace_whose_plans_are_in_a_program_stays_linked_and_its_own_always_sees_it(
    agent: Agent, workspace_id: str, elsewhere: str, program_id: str, plan_of: MakePlan
) -> None:
    theirs = await plan_of("Theirs", workspace_id=elsewhere)
    await agent(PROGRAM, "add_plan", program_id=program_id, plan_id=theirs)

    error = await agent.fails(PROGRAM, "unlink_workspace", program_id=program_id, workspace_id=elsewhere)
    assert (error["code"], error["plan_ids"]) == ("conflict", [theirs])
    error = await agent.fails(PROGRAM, "unlink_workspace", program_id=program_id, workspace_id=workspace_id)
    assert error["code"] == "conflict"
    error = await agent.fails(PROGRAM, "link_workspace", program_id=program_id)
    assert (error["code"], len(error["workspaces"])) == ("ambiguous", 2)
    error = await agent.fails(PROGRAM, "link_workspace", program_id=program_id, workspace_id="ws_nothing")
    assert error["code"] == "not_found"
    own = await agent(PROGRAM, "link_workspace", program_id=program_id, workspace_id=workspace_id)
    assert own["linked_workspaces"] == [elsewhere]


async def test_a_list_of_plans_can_be_that_of_a_program(
    agent: Agent, workspace_id: str, program_id: str, plan_of: MakePlan
) -> None:
    inside = await plan_of("Inside", program_id=program_id)
    await plan_of("Outside")
    found = await agent("memory_plan", "list", workspace_id=workspace_id, program_id=program_id)

    assert [plan["plan_id"] for plan in found["plans"]] == [inside]
    wrong = {"workspace_id": workspace_id, "program_id": "prog_nothing"}
    assert (await agent.fails("memory_plan", "list", **wrong))["code"] == "not_found"
    assert (await agent.fails("memory_plan", "create", title="X", **wrong))["code"] == "not_found"
    assert (await agent("memory_plan", "list", workspace_id=workspace_id))["total"] == 2


async def test_a_copy_of_a_plan_is_in_its_program_if_that_is_asked_for(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("Original", "done", program_id=program_id)
    alone = await agent("memory_plan", "clone_plan", plan_id=plan_id)
    together = await agent("memory_plan", "clone_plan", plan_id=plan_id, link_to_same_program=True)

    assert "program_id" not in alone
    assert together["program_id"] == program_id
    assert await members(agent, program_id) == [plan_id, together["plan_id"]]


async def test_a_deleted_plan_comes_back_into_its_program_unless_that_is_gone(
    agent: Agent, program_id: str, plan_of: MakePlan
) -> None:
    plan_id = await plan_of("Inside", program_id=program_id)
    first = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    assert await members(agent, program_id) == []
    await agent("memory_workspace", "restore", trash_id=first["trash_id"])
    assert await members(agent, program_id) == [plan_id]

    second = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    await agent(PROGRAM, "delete", program_id=program_id, confirm=True)
    await agent("memory_workspace", "restore", trash_id=second["trash_id"])
    assert "program_id" not in await agent("memory_plan", "get", plan_id=plan_id)
