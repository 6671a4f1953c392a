"""A refusal for want of a human leaves a row; a person answers; whoever asked is told and goes on."""

from dataclasses import replace
from typing import Any

import pytest
from mcp import Client

from server.db.audit import events
from server.db.gates import approvals
from server.db.storage.connection import Database
from server.errors import Conflict, InvalidArguments, NotFound
from server.models.approvals import Word
from server.protocol.app import build
from server.settings import GATES, Settings, load
from server.tools.approvals import answers
from tests.conftest import Agent, ToolError


async def plan_of(agent: Agent, workspace_id: str, *phases: dict[str, Any], **more: Any) -> str:
    named = [{"name": f"P{number}", **phase} for number, phase in enumerate(phases)]
    made = {"workspace_id": workspace_id, "title": "Vouchers", "category": "quick_task", "phases": named, **more}
    return (await agent("memory_plan", "create", **made))["plan_id"]


def phase(*steps: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"steps": [{"task": step} if isinstance(step, str) else step for step in steps], **more}


async def waiting(agent: Agent, plan_id: str) -> list[dict[str, Any]]:
    return (await agent("memory_workspace", "approvals", plan_id=plan_id))["approvals"]


async def answer(db: Database, approval_id: str, *, yes: bool, note: str | None = None) -> None:
    """What a person says in a terminal."""
    async with db.transaction() as tx:
        row = await approvals.require(tx, approval_id)
        await (answers.approve if yes else answers.reject)(tx, row, Word("terminal", note=note))
        await events.flush(tx)


async def test_a_refusal_leaves_one_row_however_often_it_is_repeated(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    done = {"plan_id": plan_id, "step_index": 0, "status": "done"}
    first = await agent.fails("memory_steps", "update", **done, agent="ada")
    second = await agent.fails("memory_plan", "confirm", plan_id=plan_id, step_index=0, confirmation_scope="step")

    assert (first["code"], second["code"]) == ("gated", "gated")
    assert first["approval_id"] == second["approval_id"]
    assert f"confirm {first['approval_id']}" in first["message"]
    [row] = await waiting(agent, plan_id)
    assert (row["approval_id"], row["asked_by"], row["kind"]) == (first["approval_id"], "ada", "step")
    asked = await agent("memory_workspace", "events", plan_id=plan_id, types=["approval"])
    assert [event["type"] for event in asked["events"]] == ["approval_asked"]
    step = await agent("memory_steps", "get", plan_id=plan_id, step_index=0)
    assert (step["status"], step["version"]) == ("pending", 1)


async def test_a_gate_that_is_reached_is_listed_before_anybody_asks(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(
        agent,
        workspace_id,
        phase({"task": "a"}, approval_required=True),
        phase({"task": "drop", "type": "critical"}),
    )
    assert await waiting(agent, plan_id) == []
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done")
    assert [(row["kind"], row["name"]) for row in await waiting(agent, plan_id)] == [("phase", "P0")]
    await agent.person_confirms_phase(plan_id, "P0")
    assert [(row["kind"], row["name"]) for row in await waiting(agent, plan_id)] == [("step", "drop")]


async def test_a_yes_opens_the_gate_and_whoever_asked_is_told(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    done = {"plan_id": plan_id, "step_index": 0, "status": "done", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **done)
    await answer(db, refused["approval_id"], yes=True, note="looks fine")

    told = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
    [line] = told["answers"]
    assert (line["status"], line["note"]) == ("approved", "looks fine")
    assert "answers" not in await agent("memory_agent", "init", agent="bob", plan_id=plan_id)
    await agent("memory_steps", "update", **done)
    step = await agent("memory_steps", "get", plan_id=plan_id, step_index=0)
    assert (step["status"], step["confirmed_by"], step["confirmed_via"]) == ("done", "human", "terminal")
    assert await waiting(agent, plan_id) == []


async def test_a_no_is_told_and_nothing_opens(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    done = {"plan_id": plan_id, "step_index": 0, "status": "done", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **done)
    await answer(db, refused["approval_id"], yes=False, note="not yet")

    [line] = (await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["answers"]
    assert (line["status"], line["note"]) == ("rejected", "not yet")
    assert (await agent.fails("memory_steps", "update", **done))["code"] == "gated"


OPENING = {
    "cancel": ("memory_steps", "update", {"step_index": 0, "status": "cancelled"}),
    "delete": ("memory_steps", "delete", {"step_index": 0, "confirm": True}),
    "replace": ("memory_steps", "replace", {"replacement_steps": [{"task": "b"}], "confirm": True}),
    "retype": ("memory_steps", "update", {"step_index": 0, "type": "code"}),
    "weaken": ("memory_steps", "update", {"step_index": 2, "type": "confirmation"}),
    "move a step past": ("memory_steps", "update", {"step_index": 1, "phase": "P0"}),
    "approval": ("memory_plan", "update_phase", {"phase": "P0", "approval_required": False}),
    "reorder": ("memory_plan", "reorder_phases", {"phase_order": ["P1", "P0"]}),
    "sort": ("memory_steps", "sort", {"phase_order": ["P1", "P0"]}),
    "delete phase": ("memory_plan", "delete_phase", {"phase": "P0", "confirm": True}),
    "move its steps": ("memory_plan", "delete_phase", {"phase": "P0", "move_steps_to": "P1", "confirm": True}),
    "force": ("memory_plan", "update", {"status": "completed", "force": True}),
}


@pytest.mark.parametrize("how", OPENING)
async def test_no_action_opens_a_gate_without_a_human(agent: Agent, workspace_id: str, how: str, db: Database) -> None:
    tool, action, arguments = OPENING[how]
    gates = phase({"task": "look", "type": "confirmation"}, approval_required=True)
    plan_id = await plan_of(agent, workspace_id, gates, phase("b", {"task": "drop", "type": "critical"}))
    before = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    call = {"plan_id": plan_id, **arguments}
    refused = await agent.fails(tool, action, **call, agent="ada")

    assert refused["code"] == "gated"
    assert await agent("memory_plan", "get", plan_id=plan_id, detail="full") == before
    [row] = [row for row in await waiting(agent, plan_id) if "approval_id" in row]
    assert row["call"]["action"] == action
    await answer(db, row["approval_id"], yes=True)
    other = {**call, "expected_version": 1} if how in ("cancel", "retype") else call
    await agent(tool, action, **other, agent="ada")
    used = await agent("memory_workspace", "events", plan_id=plan_id, types=["approval_used"])
    assert used["total"] == 1


async def test_whoever_asked_hears_that_the_question_is_outdated(agent: Agent, workspace_id: str, db: Database) -> None:
    gate = {"task": "a", "type": "confirmation"}
    plan_id = await plan_of(agent, workspace_id, phase(gate, gate), phase("b"))
    cancel = {"plan_id": plan_id, "status": "cancelled", "agent": "ada"}
    asked = [(await agent.fails("memory_steps", "update", **cancel, step_index=n))["approval_id"] for n in (0, 1)]
    told = {"plan_id": plan_id, "types": ["approval_outdated"]}
    assert (await agent("memory_workspace", "events", **told))["total"] == 0
    await agent("memory_steps", "update", plan_id=plan_id, step_index=2, task="another")
    assert (await agent("memory_workspace", "events", **told))["total"] == 0

    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, task="other words")
    [event] = (await agent("memory_workspace", "events", **told))["events"]
    assert event["entity_id"] == asked[0]
    assert [row["approval_id"] for row in await waiting(agent, plan_id) if "approval_id" in row] == asked[1:]
    await agent("memory_plan", "update", plan_id=plan_id, title="Other words")
    found = (await agent("memory_workspace", "events", **told))["events"]
    assert sorted(event["entity_id"] for event in found) == sorted(asked)
    [refused] = [await agent.fails("memory_steps", "update", **cancel, step_index=0)]
    assert refused["approval_id"] not in asked
    assert "approval_outdated" in refused["message"]


async def test_a_question_about_a_gate_that_goes_is_outdated(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "a", "type": "confirmation"}, "b"))
    asked = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=0, status="done", agent="ada")
    delete = {"plan_id": plan_id, "step_index": 0, "confirm": True}
    allowed = await agent.fails("memory_steps", "delete", **delete)
    await answer(db, allowed["approval_id"], yes=True)
    await agent("memory_steps", "delete", **delete)

    outdated = await agent("memory_workspace", "events", plan_id=plan_id, types=["approval_outdated"])
    assert [event["entity_id"] for event in outdated["events"]] == [asked["approval_id"]]


async def test_an_approved_call_is_good_once_and_only_as_it_was(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = await plan_of(
        agent, workspace_id, phase({"task": "a", "type": "confirmation"}, {"task": "b", "type": "confirmation"})
    )
    cancel = {"plan_id": plan_id, "step_index": 0, "status": "cancelled", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **cancel)
    await answer(db, refused["approval_id"], yes=True)
    assert (await agent.fails("memory_steps", "update", **cancel | {"step_index": 1}))["code"] == "gated"
    await agent("memory_steps", "update", **cancel)
    await agent("memory_steps", "update", **cancel | {"status": "pending"})
    again = await agent.fails("memory_steps", "update", **cancel)
    assert again["approval_id"] != refused["approval_id"]


async def test_an_approved_call_is_no_longer_good_when_the_plan_changed(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "a", "type": "confirmation"}))
    cancel = {"plan_id": plan_id, "step_index": 0, "status": "cancelled", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **cancel)
    await answer(db, refused["approval_id"], yes=True)
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, task="drop all tables")
    again = await agent.fails("memory_steps", "update", **cancel)
    assert again["approval_id"] != refused["approval_id"]


async def test_what_waits_for_a_gate_is_held_through_others(agent: Agent, workspace_id: str) -> None:
    first = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}, "b", "c"))
    ids = [step["step_id"] for step in (await agent("memory_steps", "list", plan_id=first))["steps"]]
    await agent("memory_steps", "set_dependencies", step_id=ids[1], depends_on=[ids[0]])
    await agent("memory_steps", "set_dependencies", step_id=ids[2], depends_on=[ids[1]])
    second = await plan_of(agent, workspace_id, phase("d"))
    await agent("memory_plan", "set_plan_dependencies", plan_id=second, depends_on_plans=[first])

    for tool, action, arguments in (
        ("memory_steps", "update", {"step_id": ids[1], "status": "cancelled"}),
        ("memory_steps", "update", {"step_id": ids[1], "status": "done"}),
        ("memory_steps", "update", {"step_id": ids[2], "status": "done"}),
        ("memory_steps", "set_dependencies", {"step_id": ids[2], "depends_on": []}),
        ("memory_plan", "set_plan_dependencies", {"plan_id": second, "depends_on_plans": []}),
        ("memory_plan", "delete", {"plan_id": first, "confirm": True}),
        ("memory_steps", "update", {"plan_id": second, "step_index": 0, "status": "done"}),
    ):
        refused = await agent.fails(tool, action, **arguments, agent="ada")
        assert refused["code"] == "gated", (action, arguments, refused)
    await agent("memory_steps", "update", step_id=ids[2], status="cancelled")
    await agent("memory_plan", "archive", plan_id=first)
    error = await agent.fails("memory_plan", "set_plan_dependencies", plan_id=second, depends_on_plans=[])
    assert error["code"] == "gated"


async def test_a_plan_that_nobody_waits_for_goes_with_its_gates(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(
        agent, workspace_id, phase({"task": "look", "type": "confirmation"}, approval_required=True), phase("b")
    )
    gone = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    error = await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=1, status="done")
    assert error["code"] == "gated"


async def test_a_new_step_ends_the_confirmation_of_its_phase(agent: Agent, workspace_id: str) -> None:
    plan_id = await plan_of(agent, workspace_id, phase("a", approval_required=True), phase("b"))
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, status="done")
    await agent.person_confirms_phase(plan_id, "P0")
    await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "late", "phase": "P0"}])
    error = await agent.fails("memory_steps", "claim", plan_id=plan_id, step_index=1, agent="ada")
    assert error["code"] == "gated"
    told = await agent("memory_workspace", "events", plan_id=plan_id, types=["confirmation_revoked"])
    assert told["total"] == 1


# Cyrillic, Greek and Armenian letters, and characters that show nothing.
TWINS = [
    "us\u0435r", "US\u0395R", "U\u0405ER", "\u043ewner", "\u03bfwn\u0435r",
    "\u04bbum\u0430n", "hum\u0391n", "\u054dser", "user\ufe0f", "user\u3164", "hu\u034fman",
]  # fmt: skip


@pytest.mark.parametrize("name", ["human", "User", "OWNER", "ｈｕｍａｎ", "hu\u200bman", "ｏwner", *TWINS])
async def test_no_agent_takes_the_name_of_a_person(agent: Agent, workspace_id: str, name: str) -> None:
    for tool, action, arguments in (
        ("memory_agent", "init", {"agent": name}),
        ("memory_session", "session_start", {"agent": name}),
        ("memory_session", "prep", {"agent_name": name, "prompt": "x", "agent": "ada"}),
        ("memory_plan", "create", {"title": "P", "agent": name}),
        ("memory_agent", "handoff", {"to_agent": "x", "reason": "y", "from_agent": name}),
    ):
        error = await agent.fails(tool, action, workspace_id=workspace_id, **arguments)
        assert error["code"] == "invalid_arguments", action
        assert "stands for a person" in error["message"]


async def relaying(db: Database) -> None:
    from server.db.shared_state import shared_settings

    async with db.transaction() as tx:
        await shared_settings.put(tx, "gates", "relayed", Word("terminal"))


async def test_a_relayed_word_is_shown_as_such_everywhere(agent: Agent, workspace_id: str, db: Database) -> None:
    await relaying(db)
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}), phase("b"))
    step_id = (await agent("memory_steps", "next", plan_id=plan_id, agent="ada"))["next"]["step_id"]
    confirm = {"step_id": step_id, "confirmation_scope": "step"}
    for who in ({"agent": "ada"}, {"agent": "ADA"}, {}):
        assert (await agent.fails("memory_plan", "confirm", **confirm, **who))["code"] == "gated", who
    given = await agent("memory_plan", "confirm", **confirm, agent="bob", note="Mia said yes")

    assert (given["confirmed_by"], given["confirmed_via"]) == ("relayed by bob", "relayed")
    plan = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    assert plan["steps"][0]["confirmed_by"] == "relayed by bob"
    history = await agent("memory_workspace", "history", plan_id=plan_id)
    assert any("relayed by bob" in row["summary"] for row in history["history"])
    text = await agent("memory_plan", "export_plan", plan_id=plan_id, format="markdown")
    assert "relayed by bob" in text["content"]


async def test_whoever_ever_worked_on_it_relays_nothing(agent: Agent, workspace_id: str, db: Database) -> None:
    await relaying(db)
    plan_id = await plan_of(agent, workspace_id, phase("a", "b", approval_required=True), phase("c"))
    first = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
    step = (await agent("memory_steps", "next", plan_id=plan_id, session_id=first["session_id"]))["next"]
    await agent("memory_steps", "release", step_id=step["step_id"], session_id=first["session_id"])
    where = {"plan_id": plan_id, "file_path": "a.py", "change_type": "edit", "step_index": 1}
    await agent("memory_steps", "record_edit", **where, agent="eve")
    second = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
    confirm = {"plan_id": plan_id, "confirmation_scope": "phase", "confirm_phase": "P0"}
    for who in ({"session_id": second["session_id"]}, {"agent": "eve"}):
        assert (await agent.fails("memory_plan", "confirm", **confirm, **who))["code"] == "gated"
    assert (await agent("memory_plan", "confirm", **confirm, agent="bob"))["confirmed"]


async def test_a_long_answer_of_a_human_can_be_read_whole(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    done = {"plan_id": plan_id, "step_index": 0, "status": "done", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **done)
    said = "".join(f"{number:05} because\n" for number in range(3_000))
    await answer(db, refused["approval_id"], yes=False, note=said)

    [line] = (await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["answers"]
    assert "note" in line["clipped"]
    call = line["read"]
    where = {name: value for name, value in call.items() if name not in ("tool", "action")}
    found = await agent(call["tool"], call["action"], **where)
    text = found["text"]
    while "next_offset" in found:
        found = await agent(call["tool"], call["action"], **where, offset=found["next_offset"])
        text += found["text"]
    assert text == said


async def test_a_refusal_after_a_no_says_who_when_and_why_and_asks_nobody(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    done = {"plan_id": plan_id, "step_index": 0, "status": "done", "agent": "ada"}
    asked = await agent.fails("memory_steps", "update", **done)
    await answer(db, asked["approval_id"], yes=False, note="tests first")

    refused = await agent.fails("memory_steps", "update", **done)
    assert (refused["code"], refused["rejected"]) == ("gated", True)
    assert "human rejected this at 2" in refused["message"]
    assert "'tests first'" in refused["message"]
    assert [row for row in await waiting(agent, plan_id) if "approval_id" in row] == []
    events_ = await agent("memory_workspace", "events", plan_id=plan_id, types=["approval_asked"])
    assert events_["total"] == 1


@pytest.mark.parametrize("kind", ["step", "write"])
async def test_whoever_said_no_may_think_again(agent: Agent, workspace_id: str, db: Database, kind: str) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    status = {"step": "done", "write": "cancelled"}[kind]
    call = {"plan_id": plan_id, "step_index": 0, "status": status, "agent": "ada"}
    asked = await agent.fails("memory_steps", "update", **call)
    await answer(db, asked["approval_id"], yes=False)
    again = await agent.fails("memory_steps", "update", **call)
    assert f"confirm {asked['approval_id']}" in again["message"]
    await answer(db, again["approval_id"], yes=True)
    told = await agent("memory_workspace", "events", types=["approval_approved"], workspace_id=workspace_id)
    assert [event["entity_id"] for event in told["events"]] == [asked["approval_id"]]
    assert await db.value("SELECT status FROM approvals") == "approved"
    await agent("memory_steps", "update", **call)


async def open_rows(agent: Agent, workspace_id: str) -> list[str]:
    found = await agent("memory_workspace", "approvals", workspace_id=workspace_id)
    return [row["approval_id"] for row in found["approvals"] if "approval_id" in row]


@pytest.mark.parametrize("way", ["delete", "archive"])
async def test_what_waits_goes_with_its_plan_and_comes_back_with_it(
    agent: Agent, workspace_id: str, way: str, db: Database
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    asked = await agent.fails("memory_plan", "confirm", plan_id=plan_id, step_index=0, confirmation_scope="step")
    sure = {"confirm": True} if way == "delete" else {}
    gone = await agent("memory_plan", way, plan_id=plan_id, **sure)
    assert await open_rows(agent, workspace_id) == []
    with pytest.raises(NotFound):
        await answer(db, asked["approval_id"], yes=True)
    if way == "delete":
        await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    else:
        await agent("memory_plan", "unarchive", plan_id=plan_id)
    assert await open_rows(agent, workspace_id) == [asked["approval_id"]]
    await answer(db, asked["approval_id"], yes=True)


async def test_a_row_closes_when_its_step_is_settled_otherwise(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id = await plan_of(
        agent, workspace_id, phase({"task": "a", "type": "confirmation"}, {"task": "b", "type": "confirmation"})
    )
    asked = [
        await agent.fails("memory_steps", "update", plan_id=plan_id, step_index=at, status="done", agent="ada")
        for at in (0, 1)
    ]
    cancel = {"plan_id": plan_id, "step_index": 0, "status": "cancelled", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **cancel)
    await answer(db, refused["approval_id"], yes=True)
    await agent("memory_steps", "update", **cancel)
    await agent.person_confirms((await agent("memory_steps", "get", plan_id=plan_id, step_index=1))["step_id"])

    assert await open_rows(agent, workspace_id) == []
    for row in asked:
        with pytest.raises(Conflict):
            await answer(db, row["approval_id"], yes=True)
    assert (await agent("memory_steps", "get", plan_id=plan_id, step_index=0)).get("confirmed_by") is None


async def test_a_call_that_waits_is_listed_only_while_nothing_it_is_about_changed(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "a", "type": "confirmation"}))
    cancel = {"plan_id": plan_id, "step_index": 0, "status": "cancelled", "agent": "ada"}
    refused = await agent.fails("memory_steps", "update", **cancel)
    assert await open_rows(agent, workspace_id) == [refused["approval_id"]]
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, task="drop all tables")
    assert await open_rows(agent, workspace_id) == []
    with pytest.raises(Conflict):
        await answer(db, refused["approval_id"], yes=True)

    again = await agent.fails("memory_steps", "update", **cancel)
    await answer(db, again["approval_id"], yes=True)
    assert len((await agent("memory_agent", "init", agent="ada", plan_id=plan_id))["answers"]) == 1
    await agent("memory_steps", "update", plan_id=plan_id, step_index=0, task="drop some tables")
    assert "answers" not in await agent("memory_agent", "init", agent="ada", plan_id=plan_id)


async def test_a_person_may_be_written_to_and_handed_to(agent: Agent, workspace_id: str) -> None:
    where = {"workspace_id": workspace_id, "agent": "ada"}
    await agent("memory_session", "send_message", to_agent="human", content="May I?", **where)
    plan_id = await plan_of(agent, workspace_id, phase("a"))
    session = await agent("memory_agent", "init", agent="ada", plan_id=plan_id)
    who = {"session_id": session["session_id"], "to_agent": "human", "reason": "which colour?"}
    await agent("memory_agent", "handoff", **who)
    refused = await agent.fails("memory_agent", "handoff", **who, pass_claims=True)
    assert "is a person" in refused["message"]


async def confirmed_by_bob(settings: Settings, plan_id: str) -> str:
    """What a server with these settings says to an agent that passes its user's word on."""
    async with Client(build(settings)) as client:
        confirm = {"plan_id": plan_id, "step_index": 0, "confirmation_scope": "step", "agent": "bob"}
        try:
            return (await Agent(client)("memory_plan", "confirm", **confirm))["confirmed_by"]
        except ToolError as error:
            return error.code


async def test_an_environment_only_tightens_what_all_servers_share(
    agent: Agent, workspace_id: str, db: Database, settings: Settings
) -> None:
    plan_id = await plan_of(agent, workspace_id, phase({"task": "look", "type": "confirmation"}))
    loosest = replace(settings, gates=GATES[0])
    assert await confirmed_by_bob(loosest, plan_id) == "gated"
    await relaying(db)
    assert await confirmed_by_bob(replace(settings, gates="human"), plan_id) == "gated"
    assert await confirmed_by_bob(loosest, plan_id) == "relayed by bob"


@pytest.mark.parametrize("value", ["relayed", "none", "off", "agent"])
@pytest.mark.parametrize("as_flag", [False, True])
def test_no_environment_and_no_flag_loosens_a_gate(value: str, as_flag: bool) -> None:
    given = {"gates": value} if as_flag else {}
    with pytest.raises(InvalidArguments, match="takes one of: shared, human"):
        load(given, {} if as_flag else {"PM_GATES": value})
