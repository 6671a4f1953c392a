"""memory_steps: reading, changing and ordering steps."""

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

Plan = dict[str, Any]


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    """A plan of two phases: Design (a, b), Build (c, d, e); c waits for a."""
    plan = await agent(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="Two phases",
        category="quick_task",
        phases=[
            {"name": "Design", "steps": [{"task": "a"}, {"task": "b"}]},
            {"name": "Build", "steps": [{"task": "c", "depends_on": [0]}, {"task": "d"}, {"task": "e"}]},
        ],
    )
    return plan["plan_id"]


async def tasks(agent: Agent, plan_id: str) -> list[str]:
    listed = await agent("memory_steps", "list", plan_id=plan_id, limit=200)
    assert [step["index"] for step in listed["steps"]] == list(range(listed["total"]))
    return [step["task"] for step in listed["steps"]]


async def at(agent: Agent, plan_id: str, index: int) -> dict[str, Any]:
    return await agent("memory_steps", "get", plan_id=plan_id, step_index=index)


async def test_a_step_is_found_by_id_and_by_index(agent: Agent, plan_id: str) -> None:
    by_index = await at(agent, plan_id, 2)
    by_id = await agent("memory_steps", "get", step_id=by_index["step_id"])
    assert by_index == by_id
    first = await at(agent, plan_id, 0)
    assert by_id == {
        "plan_id": plan_id,
        "step_id": by_id["step_id"],
        "index": 2,
        "phase": "Build",
        "task": "c",
        "status": "pending",
        "depends_on": [first["step_id"]],
        "version": 1,
    }


async def test_an_unknown_step_id_names_near_ones(agent: Agent, plan_id: str) -> None:
    known = (await at(agent, plan_id, 0))["step_id"]
    error = await agent.fails("memory_steps", "get", step_id=known[:-1])
    assert error["code"] == "not_found"
    assert known in [near["step_id"] for near in error["near"]]


async def test_an_index_outside_the_plan_names_the_indices_there_are(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_steps", "get", plan_id=plan_id, step_index=9)
    assert error["code"] == "not_found"
    assert "0 to 4" in error["message"]


async def test_a_step_needs_an_id_or_plan_and_index(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_steps", "get", plan_id=plan_id)
    assert error["code"] == "invalid_arguments"
    assert error["missing"] == ["step_id or plan_id+step_index"]


async def test_an_id_and_an_index_that_disagree_are_a_conflict(agent: Agent, plan_id: str) -> None:
    first = await at(agent, plan_id, 0)
    error = await agent.fails("memory_steps", "update", step_id=first["step_id"], step_index=3, task="x")
    assert error["code"] == "conflict"


async def test_list_filters_by_status_phase_and_assignee(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=3, assignee="Tester", status="blocked")
    blocked = await agent("memory_steps", "list", plan_id=plan_id, status="blocked", phase="Build", assignee="Tester")
    assert [(step["task"], step["status"]) for step in blocked["steps"]] == [("d", "blocked")]
    assert blocked["total"] == 1


async def test_list_pages_through_all_steps(agent: Agent, plan_id: str) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await agent("memory_steps", "list", plan_id=plan_id, limit=2, cursor=cursor)
        seen += [step["task"] for step in page["steps"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert seen == ["a", "b", "c", "d", "e"]


async def test_full_detail_shows_notes_and_dependencies(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=2, notes="look here")
    full = await agent("memory_steps", "list", plan_id=plan_id, phase="Build", detail="full")
    assert full["steps"][0]["notes"] == "look here"
    assert full["steps"][0]["depends_on"]


async def test_added_steps_come_last_and_keep_the_phase_before_them(agent: Agent, plan_id: str) -> None:
    added = await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "f"}, {"task": "g", "phase": "Ship"}])
    assert [(step["index"], step["phase"]) for step in added["added"]] == [(5, "Build"), (6, "Ship")]
    assert added["steps_total"] == 7
    assert await tasks(agent, plan_id) == ["a", "b", "c", "d", "e", "f", "g"]


async def test_steps_may_be_sent_as_json_text(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "add", plan_id=plan_id, steps='[{"task": "f", "depends_on": [0, "1"]}]')
    added = await at(agent, plan_id, 5)
    assert len(added["depends_on"]) == 2


async def test_an_unknown_field_of_a_step_is_named_with_the_nearest_one(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_steps", "add", plan_id=plan_id, steps=[{"task": "f", "asignee": "x"}])
    assert error["invalid"] == [{"param": "steps[0].asignee", "problem": "unknown, did you mean 'assignee'?"}]


async def test_inserted_steps_shift_the_others_and_dependencies_follow(agent: Agent, plan_id: str) -> None:
    first = (await at(agent, plan_id, 0))["step_id"]
    await agent("memory_steps", "insert", plan_id=plan_id, at_index=0, step={"task": "zero"})
    assert await tasks(agent, plan_id) == ["zero", "a", "b", "c", "d", "e"]
    assert (await at(agent, plan_id, 3))["depends_on"] == [first]
    error = await agent.fails("memory_steps", "insert", plan_id=plan_id, at_index=9, step={"task": "x"})
    assert "0 to 6" in error["message"]


async def test_a_step_cannot_be_added_behind_its_own_gate(agent: Agent, plan_id: str) -> None:
    for step in (
        {"task": "x", "type": "confirmation", "status": "done"},
        {"task": "x", "requires_confirmation": True, "status": "done"},
        {"task": "x", "type": "critical", "status": "active"},
    ):
        error = await agent.fails("memory_steps", "add", plan_id=plan_id, steps=[step])
        assert error["code"] == "gated"
    assert len(await tasks(agent, plan_id)) == 5


async def test_done_records_when_and_who_and_reopening_clears_it(agent: Agent, plan_id: str) -> None:
    done = await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="ada")
    assert done["unblocked"] == [{"step_id": (await at(agent, plan_id, 2))["step_id"], "plan_id": plan_id, "index": 2}]
    step = await at(agent, plan_id, 0)
    assert step["completed_by"] == "ada"
    assert step["completed_at"].endswith("Z")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="pending")
    step = await at(agent, plan_id, 0)
    assert "completed_at" not in step
    assert "completed_by" not in step
    ready = await agent("memory_steps", "ready", plan_id=plan_id)
    assert [step["task"] for step in ready["steps"]] == ["a", "b", "d", "e"]


async def test_update_changes_only_what_is_given(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=1, notes="one", assignee="ada")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=1, append_notes="two", phase="Build", type="test")
    step = await at(agent, plan_id, 1)
    expected = {"task": "b", "notes": "one\ntwo", "assignee": "ada", "phase": "Build", "type": "test"}
    assert {name: step[name] for name in expected} == expected


async def test_an_update_without_a_change_is_refused(agent: Agent, plan_id: str) -> None:
    error = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=1)
    assert error["code"] == "invalid_arguments"
    assert "append_notes" in error["message"]


async def test_a_stale_version_is_a_conflict(agent: Agent, plan_id: str) -> None:
    first = await at(agent, plan_id, 0)
    await agent("memory_steps", "update", step_id=first["step_id"], task="A", expected_version=first["version"])
    error = await agent.fails(
        "memory_steps", "update", step_id=first["step_id"], task="AA", expected_version=first["version"]
    )
    assert error["code"] == "conflict"
    assert error["version"] == 2
    assert (await at(agent, plan_id, 0))["task"] == "A"


async def test_done_before_what_it_waits_for_is_possible_and_said(agent: Agent, plan_id: str) -> None:
    done = await agent("memory_steps", "update", plan_id=plan_id, step_index=2, status="done")
    assert (await at(agent, plan_id, 0))["step_id"] in done["warnings"][0]


async def test_batch_update_is_all_or_nothing_and_names_every_problem(agent: Agent, plan_id: str) -> None:
    error = await agent.fails(
        "memory_steps",
        "batch_update",
        plan_id=plan_id,
        updates=[{"step_index": 0, "status": "done"}, {"step_index": 9, "status": "done"}, {"step_index": 1}],
    )
    assert [(p["step_index"], p["code"]) for p in error["problems"]] == [(9, "not_found"), (1, "invalid_arguments")]
    assert (await at(agent, plan_id, 0))["status"] == "pending"
    done = await agent(
        "memory_steps",
        "batch_update",
        plan_id=plan_id,
        updates=[{"step_index": 0, "status": "done"}, {"step_index": 1, "notes": "n", "status": "cancelled"}],
    )
    assert [step["status"] for step in done["updated"]] == ["done", "cancelled"]
    assert (await at(agent, plan_id, 1))["notes"] == "n"


async def test_dependencies_are_replaced_and_cycles_printed(agent: Agent, plan_id: str) -> None:
    ids = [(await at(agent, plan_id, index))["step_id"] for index in range(5)]
    changed = await agent("memory_steps", "set_dependencies", step_id=ids[3], depends_on=["1", ids[2]])
    assert changed["depends_on"] == [ids[1], ids[2]]
    error = await agent.fails("memory_steps", "set_dependencies", step_id=ids[0], depends_on=[ids[3]])
    assert error["code"] == "conflict"
    assert set(error["cycle"]) == {ids[0], ids[2], ids[3]}
    error = await agent.fails("memory_steps", "set_dependencies", step_id=ids[0], depends_on=[ids[0]])
    assert error["code"] == "conflict"
    error = await agent.fails("memory_steps", "set_dependencies", step_id=ids[0], depends_on=["77", "step_nope"])
    assert "77" in error["message"]
    assert "step_nope" in error["message"]
    await agent("memory_steps", "set_dependencies", step_id=ids[3], depends_on=[])
    assert "depends_on" not in await at(agent, plan_id, 3)


async def test_delete_shows_what_would_go_and_restore_brings_it_back(agent: Agent, plan_id: str) -> None:
    before = await agent("memory_steps", "list", plan_id=plan_id, detail="full")
    preview = await agent("memory_steps", "delete", plan_id=plan_id, step_index=0)
    assert preview["preview"]["would_delete"][0]["task"] == "a"
    assert preview["preview"]["with_them"] == {"dependencies": 1}
    assert await agent("memory_steps", "list", plan_id=plan_id, detail="full") == before
    gone = await agent("memory_steps", "delete", plan_id=plan_id, step_index=0, confirm=True)
    assert await tasks(agent, plan_id) == ["b", "c", "d", "e"]
    assert [step["index"] for step in gone["unblocked"]] == [1]
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert await agent("memory_steps", "list", plan_id=plan_id, detail="full") == before


async def test_reorder_move_and_set_order_keep_the_steps_whole(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=4, status="done", notes="kept")
    await agent("memory_steps", "reorder", plan_id=plan_id, step_index=1, direction="up")
    assert await tasks(agent, plan_id) == ["b", "a", "c", "d", "e"]
    await agent("memory_steps", "move", plan_id=plan_id, from_index=4, to_index=0)
    assert await tasks(agent, plan_id) == ["e", "b", "a", "c", "d"]
    moved = await at(agent, plan_id, 0)
    assert (moved["status"], moved["notes"], moved["phase"]) == ("done", "kept", "Build")
    await agent("memory_steps", "set_order", plan_id=plan_id, new_order=[2, 1, 3, 4, 0])
    assert await tasks(agent, plan_id) == ["a", "b", "c", "d", "e"]


async def test_impossible_orders_are_refused_and_change_nothing(agent: Agent, plan_id: str) -> None:
    for action, arguments in (
        ("reorder", {"step_index": 0, "direction": "up"}),
        ("reorder", {"step_index": 4, "direction": "down"}),
        ("move", {"from_index": 2, "to_index": 5}),
        ("set_order", {"new_order": [0, 1, 2, 3]}),
        ("set_order", {"new_order": [0, 1, 2, 3, 3]}),
        ("set_order", {"new_order": [0, 1, 2, 3, 5]}),
    ):
        error = await agent.fails("memory_steps", action, plan_id=plan_id, **arguments)
        assert error["code"] == "invalid_arguments", action
    assert await tasks(agent, plan_id) == ["a", "b", "c", "d", "e"]


async def test_sort_follows_the_phases(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "f", "phase": "Design"}])
    await agent("memory_steps", "sort", plan_id=plan_id)
    assert await tasks(agent, plan_id) == ["a", "b", "f", "c", "d", "e"]
    await agent("memory_steps", "sort", plan_id=plan_id, phase_order=["build"])
    assert await tasks(agent, plan_id) == ["c", "d", "e", "a", "b", "f"]
    plan = await agent("memory_plan", "get", plan_id=plan_id)
    assert [phase["name"] for phase in plan["phases"]] == ["Build", "Design"]


async def test_replace_keeps_what_is_unchanged_and_previews_what_goes(agent: Agent, plan_id: str) -> None:
    kept = await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    wanted = [{"task": "new", "phase": "Design"}, {"task": "a", "assignee": "ada"}, {"task": "d", "depends_on": ["0"]}]
    preview = await agent("memory_steps", "replace", plan_id=plan_id, replacement_steps=wanted)
    assert [step["task"] for step in preview["preview"]["would_delete"]] == ["b", "c", "e"]
    assert await tasks(agent, plan_id) == ["a", "b", "c", "d", "e"]
    done = await agent("memory_steps", "replace", plan_id=plan_id, replacement_steps=wanted, confirm=True)
    assert (done["kept"], done["removed"], len(done["added"])) == (2, 3, 1)
    assert await tasks(agent, plan_id) == ["new", "a", "d"]
    step = await at(agent, plan_id, 1)
    assert step["step_id"] == kept["next"]["step_id"]
    assert (step["claimed_by"], step["assignee"], step["phase"]) == ("ada", "ada", "Design")
    assert (await at(agent, plan_id, 2))["depends_on"] == [done["added"][0]["step_id"]]


async def test_replace_leaves_steps_that_others_hold(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    arguments: dict[str, Any] = {"plan_id": plan_id, "replacement_steps": [{"task": "b"}], "confirm": True}
    error = await agent.fails("memory_steps", "replace", **arguments, agent="bob")
    assert error["code"] == "conflict"
    assert error["held_by"] == "ada"
    assert len(await tasks(agent, plan_id)) == 5
    await agent("memory_steps", "replace", **arguments, agent="bob", force=True)
    assert await tasks(agent, plan_id) == ["b"]


async def test_file_edits_are_listed_newest_first_and_follow_renames(agent: Agent, plan_id: str) -> None:
    step_id = (await at(agent, plan_id, 0))["step_id"]
    await agent("memory_steps", "record_edit", step_id=step_id, file_path="a.py", change_type="create", agent="ada")
    await agent(
        "memory_steps",
        "record_edit",
        plan_id=plan_id,
        file_path="b.py",
        change_type="rename",
        previous_path="a.py",
        agent="bob",
    )
    listed = await agent("memory_steps", "list_edits", plan_id=plan_id, file_path="a.py")
    assert [(e["change_type"], e["file_path"], e["agent"]) for e in listed["edits"]] == [
        ("rename", "b.py", "bob"),
        ("create", "a.py", "ada"),
    ]
    assert listed["edits"][1]["step_id"] == step_id
    error = await agent.fails("memory_steps", "record_edit", plan_id=plan_id, file_path="c.py", change_type="rename")
    assert "previous_path" in error["message"]


async def test_a_plan_of_another_workspace_is_a_conflict(agent: Agent, plan_id: str, tmp_path: Any) -> None:
    (tmp_path / "other").mkdir()
    other = await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other"))
    for action, arguments in (("list", {}), ("add", {"steps": [{"task": "x"}]}), ("next", {"agent": "ada"})):
        error = await agent.fails(
            "memory_steps", action, plan_id=plan_id, workspace_id=other["workspace_id"], **arguments
        )
        assert error["code"] == "conflict", action
    assert len(await tasks(agent, plan_id)) == 5


async def test_an_edit_with_the_status_it_has_already_is_logged(agent: Agent, plan_id: str) -> None:
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="pending", notes="look")
    assert (await at(agent, plan_id, 0))["notes"] == "look"
    events = await agent("memory_workspace", "events", plan_id=plan_id, types=["step_updated"])
    assert [event["data"]["changed"] for event in events["events"]] == [["notes"]]


async def test_a_step_that_moves_while_it_is_reopened_reopens_both_phases(agent: Agent, plan_id: str) -> None:
    for index in range(2):
        await agent("memory_steps", "update", plan_id=plan_id, step_index=index, status="done")
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="pending", phase="Build")
    phases = (await agent("memory_plan", "get", plan_id=plan_id))["phases"]
    assert [(phase["name"], phase["status"]) for phase in phases] == [("Design", "done"), ("Build", "pending")]


EDIT = {"change_type": "edit", "agent": "a"}


@pytest.fixture
def elsewhere(project: Path) -> Path:
    """A folder beside the project, with a link to it inside the project."""
    folder = project.parent / "elsewhere"
    folder.mkdir()
    (project / "link").symlink_to(folder)
    return folder


@pytest.mark.parametrize("path", ["src/app.py", "./src/app.py", "src/../src//app.py", "{project}/src/app.py"])
async def test_the_path_of_an_edit_is_kept_relative_to_the_workspace(
    agent: Agent, plan_id: str, project: Path, path: str
) -> None:
    spelled = path.format(project=project)
    made = await agent("memory_steps", "record_edit", plan_id=plan_id, file_path=spelled, **EDIT)
    assert made["file_path"] == "src/app.py"
    for wanted in ("src/app.py", str(project / "src" / "app.py"), spelled):
        [row] = (await agent("memory_steps", "list_edits", plan_id=plan_id, file_path=wanted))["edits"]
        assert row["file_path"] == "src/app.py"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "link/x", "{elsewhere}/x"])
async def test_an_edit_outside_of_the_workspace_is_not_allowed(
    agent: Agent, plan_id: str, elsewhere: Path, path: str
) -> None:
    spelled = path.format(elsewhere=elsewhere)
    error = await agent.fails("memory_steps", "record_edit", plan_id=plan_id, file_path=spelled, **EDIT)
    assert error["code"] == "not_allowed"
    rename = {"file_path": "a", "previous_path": spelled, "change_type": "rename", "agent": "a"}
    assert (await agent.fails("memory_steps", "record_edit", plan_id=plan_id, **rename))["code"] == "not_allowed"
    assert (await agent("memory_steps", "list_edits", plan_id=plan_id, file_path=spelled))["total"] == 0


async def test_the_old_name_of_a_renamed_file_is_kept_relative_too(agent: Agent, plan_id: str, project: Path) -> None:
    rename = {"file_path": "b", "previous_path": str(project / "a"), "change_type": "rename", "agent": "a"}
    assert (await agent("memory_steps", "record_edit", plan_id=plan_id, **rename))["previous_path"] == "a"
    assert (await agent("memory_steps", "list_edits", plan_id=plan_id, file_path="a"))["total"] == 1


async def test_the_project_folder_is_no_file_that_was_edited(agent: Agent, plan_id: str, project: Path) -> None:
    error = await agent.fails("memory_steps", "record_edit", plan_id=plan_id, file_path=str(project), **EDIT)
    assert error["code"] == "invalid_arguments"


async def test_an_edit_that_an_older_store_kept_in_full_is_found(
    agent: Agent, plan_id: str, project: Path, db: Database
) -> None:
    await agent("memory_steps", "record_edit", plan_id=plan_id, file_path="a.py", **EDIT)
    async with db.transaction() as tx:
        await tx.run("UPDATE step_file_edits SET file_path = :path", {"path": str(project / "a.py")})
    for wanted in ("a.py", str(project / "a.py")):
        assert (await agent("memory_steps", "list_edits", plan_id=plan_id, file_path=wanted))["total"] == 1


async def test_all_that_a_step_cannot_wait_for_is_named_at_once(agent: Agent, workspace_id: str) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P", steps=[{"task": "a"}])
    [step_id] = plan["step_ids"]
    error = await agent.fails("memory_steps", "set_dependencies", step_id=step_id, depends_on=[7, "step_no", step_id])

    assert all(name in error["message"] for name in ("7", "step_no", f"{step_id} cannot wait for itself"))


async def test_a_list_a_plan_and_the_step_itself_tell_the_same_of_it(agent: Agent, workspace_id: str) -> None:
    rich = {
        "task": "b", "type": "validation", "section": "2", "assignee": "ada", "notes": "[]", "depends_on": [0],
        "requires_validation": True, "requires_confirmation": True, "required_gates": ["lint"],
    }  # fmt: skip
    made = await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="P", agent="ada",
        phases=[{"name": "One", "steps": [{"task": "[]"}, rich]}],
    )  # fmt: skip
    plan_id = made["plan_id"]
    await agent("memory_steps", "claim", plan_id=plan_id, step_index=0, agent="ada")

    listed = (await agent("memory_steps", "list", plan_id=plan_id, detail="full"))["steps"]
    brief = (await agent("memory_steps", "list", plan_id=plan_id))["steps"]
    of_plan = (await agent("memory_plan", "get", plan_id=plan_id, detail="full"))["steps"]
    one_by_one = [await agent("memory_steps", "get", plan_id=plan_id, step_index=index) for index in (0, 1)]

    assert listed == of_plan
    for one, short, itself in zip(listed, brief, one_by_one, strict=True):
        own = itself.get("step", itself)
        assert one == {name: own[name] for name in one}
        assert short == {name: one[name] for name in short}
    assert (listed[0]["task"], listed[0]["claimed_by"]) == ("[]", "ada")
    assert (listed[1]["requires_validation"], listed[1]["requires_confirmation"]) == (True, True)
    assert (listed[1]["notes"], listed[1]["required_gates"]) == ("[]", ["lint"])
    assert listed[1]["depends_on"] == [listed[0]["step_id"]]
