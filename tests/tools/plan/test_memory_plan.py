"""memory_plan: making, reading, listing and finding plans."""

from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent

BODY = [
    {
        "name": "Design",
        "description": "Think first",
        "approval_required": True,
        "success_criteria": ["one page"],
        "required_agents": ["architect"],
        "steps": [{"task": "sketch", "type": "planning"}, {"task": "decide", "depends_on": [0], "assignee": "lead"}],
    },
    {"name": "Build", "steps": [{"task": "code", "depends_on": ["1", 0]}]},
]


async def make(agent: Agent, workspace_id: str, title: str = "A plan", **more: Any) -> dict[str, Any]:
    return await agent("memory_plan", "create", workspace_id=workspace_id, title=title, **more)


async def full(agent: Agent, plan_id: str) -> dict[str, Any]:
    return await agent("memory_plan", "get", plan_id=plan_id, detail="full", max_bytes=45_000)


async def counts(db: Database) -> dict[str, int]:
    """The number of rows of every table, to see that a failed call wrote nothing."""
    tables = await db.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {row["name"]: await db.value(f"SELECT count(*) FROM {row['name']}") for row in tables}


async def test_one_call_makes_a_whole_plan(agent: Agent, workspace_id: str) -> None:
    made = await make(
        agent,
        workspace_id,
        "Add login",
        description="Users asked for it",
        category="feature",
        priority="high",
        goals=["Users log in"],
        success_criteria=["Tests pass"],
        phases=BODY,
        steps=[{"task": "announce", "phase": "Release"}, {"task": "celebrate"}],
    )
    assert made["workspace_id"] == workspace_id
    assert (made["status"], made["steps_done"], made["steps_total"], made["current_phase"]) == (
        "active",
        0,
        5,
        "Design",
    )
    assert [(p["name"], p["index"], p["steps_total"]) for p in made["phases"]] == [
        ("Design", 0, 2),
        ("Build", 1, 1),
        ("Release", 2, 2),
    ]
    assert "warnings" not in made

    read = await full(agent, made["plan_id"])
    assert read["description"] == "Users asked for it"
    assert (read["goals"], read["success_criteria"]) == (["Users log in"], ["Tests pass"])
    assert [(s["task"], s["phase"], s["index"]) for s in read["steps"]] == [
        ("sketch", "Design", 0),
        ("decide", "Design", 1),
        ("code", "Build", 2),
        ("announce", "Release", 3),
        ("celebrate", "Release", 4),
    ]
    assert [s["step_id"] for s in read["steps"]] == made["step_ids"]
    ids = made["step_ids"]
    assert read["steps"][1]["depends_on"] == [ids[0]]
    assert sorted(read["steps"][2]["depends_on"]) == sorted(ids[:2])
    assert (read["steps"][0]["type"], read["steps"][1]["assignee"]) == ("planning", "lead")
    design = read["phases"][0]
    assert (design["description"], design["approval_required"]) == ("Think first", True)
    assert (design["success_criteria"], design["required_agents"]) == (["one page"], ["architect"])


async def test_a_bare_plan_has_defaults_and_earns_a_warning(agent: Agent, workspace_id: str) -> None:
    made = await make(agent, workspace_id)
    assert (made["category"], made["priority"], made["steps_total"]) == ("feature", "medium", 0)
    assert made["version"] == 1
    assert "goals and success_criteria" in made["warnings"][0]
    assert "current_phase" not in made
    assert "warnings" not in await make(agent, workspace_id, category="advisory")


async def test_a_plan_may_wait_for_others_from_the_start(agent: Agent, workspace_id: str) -> None:
    first = await make(agent, workspace_id, category="quick_task", steps=[{"task": "a"}])
    second = await make(
        agent, workspace_id, steps=[{"task": "b", "depends_on": first["step_ids"]}], depends_on_plans=[first["plan_id"]]
    )
    assert second["depends_on_plans"] == [first["plan_id"]]
    told = await agent("memory_plan", "get_plan_dependencies", plan_id=second["plan_id"])
    assert told["waiting_for"] == [first["plan_id"]]
    assert (await full(agent, second["plan_id"]))["steps"][0]["depends_on"] == first["step_ids"]


async def test_arrays_sent_as_json_text_and_nulls_are_taken(agent: Agent, workspace_id: str) -> None:
    made = await make(
        agent,
        workspace_id,
        goals='["a goal"]',
        description=None,
        phases='[{"name":"P","steps":[{"task":"t","depends_on":[]}]}]',
    )
    assert made["steps_total"] == 1
    assert (await full(agent, made["plan_id"]))["goals"] == ["a goal"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"title": "  "}, "'title'"),
        ({"title": "a\nb"}, "control characters"),
        ({"title": "x" * 501}, "'title'"),
        ({"titel": "x"}, "did you mean 'title'"),
        ({"title": "x", "category": "bug"}, "'category'"),
        ({"title": "x", "goals": "not a list"}, "'goals'"),
        ({"title": "x", "steps": [{"task": ""}]}, "'steps[0].task'"),
        ({"title": "x", "steps": [{"task": "t", "phaze": "P"}]}, "did you mean 'phase'"),
        ({"title": "x", "steps": [{"task": "t", "status": "finished"}]}, "'steps[0].status'"),
        ({"title": "x", "phases": [{"name": "P", "step": []}]}, "did you mean 'steps'"),
        ({"title": "x", "phases": [{"name": "P"}, {"name": "P"}]}, "two phases are called 'P'"),
        ({"title": "x", "phases": [{"name": "P", "steps": [{"task": "t", "phase": "Q"}]}]}, "says phase 'Q'"),
        ({"title": "x", "steps": [{"task": "t", "depends_on": [7]}]}, "depends_on names 7"),
        ({"title": "x", "steps": [{"task": "t"}] * 2001}, "2000"),
        ({"title": "x", "template": "bugfx"}, "did you mean 'bugfix'"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_written(
    agent: Agent, workspace_id: str, db: Database, arguments: dict[str, Any], said: str
) -> None:
    before = await counts(db)
    error = await agent.fails("memory_plan", "create", workspace_id=workspace_id, **arguments)
    assert error["code"] == "invalid_arguments"
    assert said.lower() in error["message"].lower()
    assert await counts(db) == before


async def test_all_problems_of_a_plan_are_told_at_once(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(
        "memory_plan", "create", workspace_id=workspace_id, goals=5, phases=[{"steps": [{"typ": "code"}]}]
    )
    assert error["missing"] == ["title"]
    told = {problem["param"] for problem in error["invalid"]}
    assert {"goals", "phases[0].name", "phases[0].steps[0].task", "phases[0].steps[0].typ"} <= told


@pytest.mark.parametrize("where", ["description", "notes"])
async def test_a_text_over_a_mebibyte_is_too_large(agent: Agent, workspace_id: str, db: Database, where: str) -> None:
    big = "x" * (1024 * 1024 + 1)
    arguments = {"description": big} if where == "description" else {"steps": [{"task": "t", "notes": big}]}
    before = await counts(db)
    error = await agent.fails("memory_plan", "create", workspace_id=workspace_id, title="x", **arguments)
    assert error["code"] == "too_large"
    assert await counts(db) == before


async def test_a_description_of_a_mebibyte_comes_out_in_pieces(agent: Agent, workspace_id: str) -> None:
    text = "".join(chr(97 + i % 26) for i in range(1024 * 1024))
    plan_id = (await make(agent, workspace_id, description=text))["plan_id"]
    got, offset = "", 0
    while offset is not None:
        piece = await agent(
            "memory_plan",
            "get",
            plan_id=plan_id,
            detail="full",
            max_bytes=45_000,
            **({"offset": offset} if offset else {}),
        )
        assert piece["field"] == "description"
        got += piece["text"]
        offset = piece.get("next_offset")
    assert got == text


async def test_a_cycle_among_new_steps_is_refused_and_printed(agent: Agent, workspace_id: str, db: Database) -> None:
    before = await counts(db)
    circle = [{"task": "a", "depends_on": [1]}, {"task": "b", "depends_on": [0]}]
    error = await agent.fails("memory_plan", "create", workspace_id=workspace_id, title="x", steps=circle)
    assert error["code"] == "conflict"
    assert len(error["cycle"]) == 3
    assert await counts(db) == before


async def test_an_unknown_plan_to_wait_for_leaves_nothing_behind(agent: Agent, workspace_id: str, db: Database) -> None:
    before = await counts(db)
    error = await agent.fails(
        "memory_plan",
        "create",
        workspace_id=workspace_id,
        title="x",
        steps=[{"task": "a"}],
        depends_on_plans=["plan_no"],
    )
    assert (error["code"], error["missing"]) == ("not_found", ["plan_no"])
    assert await counts(db) == before


async def test_a_step_cannot_come_in_behind_its_own_gate(agent: Agent, workspace_id: str) -> None:
    for step in ({"type": "confirmation", "status": "done"}, {"type": "critical", "status": "active"}):
        error = await agent.fails(
            "memory_plan", "create", workspace_id=workspace_id, title="x", steps=[{"task": "t", **step}]
        )
        assert error["code"] == "gated"


async def test_a_thousand_steps_fit_the_answer_and_say_where_the_rest_is(agent: Agent, workspace_id: str) -> None:
    chain = [{"task": f"step {n}", "depends_on": [n - 1] if n else []} for n in range(1000)]
    made = await make(agent, workspace_id, steps=chain)
    assert made["steps_total"] == 1000
    assert made["truncated"]["omitted"] == 1000 - len(made["step_ids"])
    assert "memory_steps action='list'" in made["truncated"]["hint"]
    listed = await agent("memory_steps", "list", plan_id=made["plan_id"], limit=1)
    assert listed["total"] == 1000


async def test_a_plan_needs_a_workspace(agent: Agent) -> None:
    assert (await agent.fails("memory_plan", "create", title="x"))["code"] == "ambiguous"


async def test_templates_make_plans_with_their_steps(agent: Agent, workspace_id: str) -> None:
    listed = (await agent("memory_plan", "list_templates"))["templates"]
    assert {t["template"]: t["steps_total"] for t in listed} == {
        "feature": 10,
        "bugfix": 6,
        "refactor": 6,
        "documentation": 5,
        "analysis": 6,
        "investigation": 7,
        "investigation_workflow": 9,
    }
    for template in listed:
        made = await agent(
            "memory_plan",
            "create_from_template",
            workspace_id=workspace_id,
            title=template["template"],
            template=template["template"],
        )
        assert made["steps_total"] == template["steps_total"]
        assert made["category"] == template["category"]
        assert made["current_phase"] == template["phases"][0]
        assert "warnings" not in made


async def test_a_list_of_templates_in_full_has_their_steps(agent: Agent) -> None:
    told = await agent("memory_plan", "list_templates", detail="full", max_bytes=45_000)
    assert all(len(t["steps"]) == t["steps_total"] and t["goals"] for t in told["templates"])


async def test_a_template_takes_steps_of_ones_own_behind_it(agent: Agent, workspace_id: str) -> None:
    made = await make(
        agent,
        workspace_id,
        template="bugfix",
        category="refactor",
        goals=["Mine"],
        steps=[{"task": "tell everybody", "phase": "Review"}, {"task": "rest", "phase": "After", "depends_on": [0]}],
    )
    assert (made["category"], made["steps_total"]) == ("refactor", 8)
    read = await full(agent, made["plan_id"])
    assert read["goals"] == ["Mine"]
    assert len(read["success_criteria"]) == 3
    assert [s["phase"] for s in read["steps"]][-3:] == ["Review", "Review", "After"]
    assert read["steps"][7]["depends_on"] == [made["step_ids"][0]]


async def test_an_unknown_template_names_those_there_are(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(
        "memory_plan", "create_from_template", workspace_id=workspace_id, title="x", template="nothing"
    )
    assert error["code"] == "invalid_arguments"
    assert "investigation_workflow" in error["message"]


async def test_brief_shows_the_steps_around_the_first_open_one(agent: Agent, workspace_id: str) -> None:
    steps = [{"task": str(n), "status": "done" if n < 5 else "pending"} for n in range(30)]
    plan_id = (await make(agent, workspace_id, steps=steps))["plan_id"]
    got = await agent("memory_plan", "get", plan_id=plan_id)
    assert [s["index"] for s in got["current_steps"]] == list(range(3, 13))
    assert (got["steps_done"], got["steps_total"]) == (5, 30)
    assert [(p["status"], p["steps_done"], p["steps_total"]) for p in got["phases"]] == [("active", 5, 30)]
    assert "steps" not in got


async def test_brief_tells_who_holds_what_until_when(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, steps=[{"task": "a"}, {"task": "b"}]))["plan_id"]
    await agent("memory_steps", "next", plan_id=plan_id, agent="ada")
    got = await agent("memory_plan", "get", plan_id=plan_id)
    [claim] = got["claims"]
    assert (claim["claimed_by"], claim["index"]) == ("ada", 0)
    assert claim["lease_expires_at"] > got["updated_at"]


async def test_a_finished_plan_has_no_current_phase(agent: Agent, workspace_id: str) -> None:
    done = [{"task": "a", "status": "done"}, {"task": "b", "status": "cancelled"}]
    plan_id = (await make(agent, workspace_id, steps=done))["plan_id"]
    got = await agent("memory_plan", "get", plan_id=plan_id)
    assert (got["steps_done"], got["steps_total"]) == (2, 2)
    assert "current_phase" not in got
    assert "current_steps" not in got


async def test_parts_can_be_added_to_brief(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, steps=[{"task": "a"}]))["plan_id"]
    await agent("memory_plan", "add_note", plan_id=plan_id, note="mind the gap")
    await agent("memory_context", "store", plan_id=plan_id, type="findings", data={"x": 1})
    got = await agent("memory_plan", "get", plan_id=plan_id, include=["notes", "context", "steps"])
    assert [n["note"] for n in got["notes"]] == ["mind the gap"]
    assert [c["type"] for c in got["context"]] == ["findings"]
    assert [s["task"] for s in got["steps"]] == ["a"]
    assert "description" not in got
    error = await agent.fails("memory_plan", "get", plan_id=plan_id, include=["nothing"])
    assert error["code"] == "invalid_arguments"


async def test_an_unknown_plan_names_near_ones(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, "Known"))["plan_id"]
    error = await agent.fails("memory_plan", "get", plan_id=plan_id[:-1])
    assert error["code"] == "not_found"
    assert error["near"][0] == {"plan_id": plan_id, "title": "Known"}


async def test_naming_another_workspace_than_the_plans_is_a_conflict(
    agent: Agent, workspace_id: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    second = (await agent("memory_workspace", "register", workspace_path=str(other)))["workspace_id"]
    plan_id = (await make(agent, workspace_id))["plan_id"]
    error = await agent.fails("memory_plan", "get", plan_id=plan_id, workspace_id=second)
    assert error["code"] == "conflict"
    error = await agent.fails("memory_plan", "update", plan_id=plan_id, workspace_path=str(other), title="x")
    assert error["code"] == "conflict"


async def test_list_filters_and_orders(agent: Agent, workspace_id: str) -> None:
    for title, priority, category in (
        ("beta", "low", "bugfix"),
        ("Alpha", "critical", "feature"),
        ("gamma", "high", "bugfix"),
    ):
        await make(agent, workspace_id, title, priority=priority, category=category)

    async def titles(**arguments: Any) -> list[str]:
        listed = await agent("memory_plan", "list", workspace_id=workspace_id, **arguments)
        assert listed["total"] == len(listed["plans"])
        return [plan["title"] for plan in listed["plans"]]

    assert await titles() == ["gamma", "Alpha", "beta"]
    assert await titles(order="title") == ["Alpha", "beta", "gamma"]
    assert await titles(order="priority") == ["Alpha", "gamma", "beta"]
    assert await titles(order="created") == ["gamma", "Alpha", "beta"]
    assert await titles(category="bugfix", priority="high") == ["gamma"]
    assert await titles(query="ALPH") == ["Alpha"]
    assert await titles(query="%") == []
    assert await titles(status="completed") == []


async def test_a_list_row_has_the_brief_shape(agent: Agent, workspace_id: str) -> None:
    made = await make(agent, workspace_id, steps=[{"task": "a", "phase": "P", "status": "done"}, {"task": "b"}])
    [row] = (await agent("memory_plan", "list", workspace_id=workspace_id))["plans"]
    assert row == {
        "plan_id": made["plan_id"],
        "workspace_id": workspace_id,
        "title": "A plan",
        "status": "active",
        "category": "feature",
        "priority": "medium",
        "steps_done": 1,
        "steps_total": 2,
        "current_phase": "P",
        "updated_at": made["updated_at"],
    }


@pytest.mark.parametrize("order", ["updated", "created", "priority", "title"])
async def test_pages_show_every_plan_once_while_others_arrive(agent: Agent, workspace_id: str, order: str) -> None:
    known = [
        (await make(agent, workspace_id, f"Ä plan {n % 3} {'x' * 400}", priority="high"))["plan_id"] for n in range(7)
    ]
    seen: list[str] = []
    page = await agent("memory_plan", "list", workspace_id=workspace_id, order=order, limit=3)
    while True:
        seen += [plan["plan_id"] for plan in page["plans"]]
        if "next_cursor" not in page:
            break
        await make(agent, workspace_id, "newcomer", priority="critical")
        page = await agent(
            "memory_plan", "list", workspace_id=workspace_id, order=order, limit=3, cursor=page["next_cursor"]
        )
    assert sorted(plan_id for plan_id in seen if plan_id in known) == sorted(known)


async def test_a_list_in_full_counts_the_steps_of_each_phase(agent: Agent, workspace_id: str) -> None:
    made = {"workspace_id": workspace_id, "category": "quick_task"}
    parted = await agent(
        "memory_plan",
        "create",
        title="A boat",
        phases=[
            {"name": "Hull", "steps": [{"task": "a"}, {"task": "b"}]},
            {"name": "Rig"},
            {"name": "Paint", "steps": [{"task": "c"}]},
        ],
        **made,
    )
    plain = await agent("memory_plan", "create", title="A raft", steps=[{"task": "a"}], **made)
    await agent("memory_steps", "update", plan_id=parted["plan_id"], step_index=0, status="done", agent="ada")
    await agent("memory_plan", "archive", plan_id=parted["plan_id"])

    wanted = {"workspace_id": workspace_id, "include_archived": True, "order": "title"}
    full = await agent("memory_plan", "list", detail="full", **wanted)
    brief = await agent("memory_plan", "list", **wanted)

    boat, raft = full["plans"]
    assert boat["phases"] == [
        {"name": "Hull", "steps_done": 1, "steps_total": 2},
        {"name": "Rig", "steps_done": 0, "steps_total": 0},
        {"name": "Paint", "steps_done": 0, "steps_total": 1},
    ]
    assert (raft["plan_id"], [phase["steps_total"] for phase in raft["phases"]]) == (plain["plan_id"], [1])
    assert brief["plans"] == [{k: v for k, v in row.items() if k != "phases"} for row in full["plans"]]


async def test_a_cursor_of_another_list_is_refused(agent: Agent, workspace_id: str) -> None:
    for n in range(3):
        await make(agent, workspace_id, str(n))
    cursor = (await agent("memory_plan", "list", workspace_id=workspace_id, limit=1))["next_cursor"]
    error = await agent.fails("memory_plan", "list", workspace_id=workspace_id, order="title", cursor=cursor)
    assert error["code"] == "invalid_arguments"


async def test_find_takes_the_start_of_an_id_in_any_workspace(
    agent: Agent, workspace_id: str, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = await make(agent, workspace_id, "Wanted", steps=[{"task": "a"}])
    found = await agent("memory_plan", "find", plan_id=made["plan_id"][:-1])
    assert (found["plan_id"], found["workspace_id"], found["steps_total"]) == (made["plan_id"], workspace_id, 1)
    assert found["workspace_path"] == str(project)

    other = tmp_path_factory.mktemp("other")
    second = (await agent("memory_workspace", "register", workspace_path=str(other)))["workspace_id"]
    twin = await make(agent, second, "Twin")
    error = await agent.fails("memory_plan", "find", plan_id="plan_")
    assert error["code"] == "ambiguous"
    assert [c["plan_id"] for c in error["candidates"]] == sorted([made["plan_id"], twin["plan_id"]])
    assert (await agent("memory_plan", "find", plan_id=twin["plan_id"]))["workspace_id"] == second
    error = await agent.fails("memory_plan", "find", plan_id="plan_zzz")
    assert error["code"] == "not_found"


async def test_update_changes_only_what_is_given(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, goals=["g"], description="old"))["plan_id"]
    before = await full(agent, plan_id)
    told = await agent(
        "memory_plan", "update", plan_id=plan_id, title="New", owner="ada", phase_gates=True, success_criteria=["c"]
    )
    assert told["workspace_id"] == workspace_id
    assert sorted(told["changed"]) == ["owner", "phase_gates", "success_criteria", "title"]
    assert told["previous"]["title"] == "A plan"
    after = await full(agent, plan_id)
    changed = {"title", "owner", "phase_gates", "success_criteria", "version", "updated_at"}
    assert {k: v for k, v in after.items() if k not in changed} == {k: v for k, v in before.items() if k not in changed}
    assert (after["title"], after["owner"], after["phase_gates"], after["version"]) == ("New", "ada", True, 2)


async def test_update_empties_fields(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, goals=["g"], description="old"))["plan_id"]
    await agent("memory_plan", "update", plan_id=plan_id, owner="ada")
    await agent("memory_plan", "update", plan_id=plan_id, owner="", description="", goals=[])
    assert not {"owner", "description", "goals"} & (await full(agent, plan_id)).keys()


async def test_update_has_the_old_names_as_aliases(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, category="quick_task"))["plan_id"]
    told = await agent("memory_plan", "set_plan_priority", plan_id=plan_id, priority="critical")
    assert (told["previous"], told["priority"]) == ({"priority": "medium"}, "critical")
    await agent("memory_plan", "set_goals", plan_id=plan_id, goals=["g"])
    await agent("memory_plan", "set_workflow_mode", plan_id=plan_id, workflow_mode="tdd")
    read = await full(agent, plan_id)
    assert (read["priority"], read["goals"], read["workflow_mode"]) == ("critical", ["g"], "tdd")
    error = await agent.fails("memory_plan", "set_plan_priority", plan_id=plan_id, priority="urgent")
    assert "critical" in error["message"]


async def test_update_of_nothing_is_refused(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id))["plan_id"]
    error = await agent.fails("memory_plan", "update", plan_id=plan_id)
    assert error["code"] == "invalid_arguments"
    assert "goals" in error["message"]


async def test_a_stale_version_changes_nothing(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id))["plan_id"]
    await agent("memory_plan", "update", plan_id=plan_id, title="First", expected_version=1)
    error = await agent.fails("memory_plan", "update", plan_id=plan_id, title="Second", expected_version=1)
    assert (error["code"], error["version"]) == ("conflict", 2)
    assert (await full(agent, plan_id))["title"] == "First"


async def test_every_write_leaves_an_event_with_its_author(agent: Agent, workspace_id: str) -> None:
    made = await agent("memory_plan", "create", workspace_id=workspace_id, title="x", agent="ada")
    plan_id = made["plan_id"]
    await agent("memory_plan", "update", plan_id=plan_id, title="New", agent="bob")
    events = (await agent("memory_workspace", "events", workspace_id=workspace_id, plan_id=plan_id))["events"]
    assert [(e["type"], e["agent"]) for e in events] == [("plan_created", "ada"), ("plan_updated", "bob")]
