"""A question to the user through the client, in both eras of the protocol."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import mcp.types as wire
import pytest
from mcp import Client

from server.db.gates import approvals
from server.protocol import elicitation
from server.protocol.app import build
from server.settings import Settings
from server.tools.approvals import asking
from tests.conftest import Agent, ToolError

Mode = Literal["auto", "legacy"]
eras = pytest.mark.parametrize("mode", ["auto", "legacy"])
YES = wire.ElicitResult(action="accept", content={"answer": "yes", "note": "fine"})
NO = wire.ElicitResult(action="accept", content={"answer": "no", "note": "not today"})


@dataclass
class User:
    """Who sits before the client: what is asked, and what comes back."""

    answers: list[wire.ElicitResult | None] = field(default_factory=list[wire.ElicitResult | None])
    asked: list[str] = field(default_factory=list[str])
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, context: Any, params: wire.ElicitRequestParams) -> wire.ElicitResult:
        self.asked.append(params.message)
        if self.meanwhile:
            await self.meanwhile()
        if (answer := self.answers.pop(0)) is None:
            await asyncio.Event().wait()
        assert answer
        return answer


@asynccontextmanager
async def connected(settings: Settings, mode: Mode, user: User | None = None) -> AsyncGenerator[Agent]:
    async with Client(build(settings), mode=mode, elicitation_callback=user) as client:
        yield Agent(client, settings)


async def gated_plan(agent: Agent, workspace_id: str, **step: Any) -> dict[str, Any]:
    """A plan of which the first step waits for a word."""
    steps = [{"task": "look \x1b[31m\u202eat it", "type": "confirmation", **step}, {"task": "b"}]
    made = {"title": "Vouchers", "category": "quick_task", "steps": steps}
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, **made)
    return {"plan_id": plan["plan_id"], "step_index": 0}


async def status(agent: Agent, where: dict[str, Any]) -> tuple[str, str | None, str | None]:
    step = await agent("memory_steps", "get", **where)
    return step["status"], step.get("confirmed_by"), step.get("confirmed_via")


@eras
async def test_a_yes_lets_the_same_call_go_on(settings: Settings, agent: Agent, workspace_id: str, mode: Mode) -> None:
    user = User([YES])
    where = await gated_plan(agent, workspace_id)
    async with connected(settings, mode, user) as client:
        await client("memory_steps", "update", **where, status="done", agent="ada")

        assert await status(client, where) == ("done", "human", "elicitation")
    [question] = user.asked
    assert "'Vouchers'" in question
    assert "Asked by: ada" in question
    assert not {"\x1b", "\u202e"} & set(question)
    assert "\\u{1b}" in question or "\\x1b" in question
    told = await agent("memory_workspace", "events", plan_id=where["plan_id"], types=["approval_approved"])
    assert told["events"][0]["data"]["note"] == "fine"


@eras
async def test_a_no_is_a_rejection_and_the_call_changes_nothing(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode
) -> None:
    for answer, word in ((NO, "not today"), (wire.ElicitResult(action="decline"), "said no")):
        where = await gated_plan(agent, workspace_id)
        async with connected(settings, mode, User([answer])) as client:
            error = await client.fails("memory_steps", "update", **where, status="done", agent="ada")
        assert error["code"] == "gated"
        assert error["rejected"] is True
        assert word in error["message"]
        assert await status(agent, where) == ("pending", None, None)
        told = await agent("memory_workspace", "events", plan_id=where["plan_id"], types=["approval_rejected"])
        assert told["total"] == 1


@eras
async def test_who_said_no_is_not_asked_again_at_once(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = await gated_plan(agent, workspace_id)
    done = {**where, "status": "done", "agent": "ada"}
    user = User([NO, NO, YES])
    async with connected(settings, mode, user) as client:
        first = await client.fails("memory_steps", "update", **done)
        for tool, action, call in (
            ("memory_steps", "update", done),
            ("memory_plan", "confirm", {**where, "confirmation_scope": "step", "agent": "bob"}),
        ):
            again = await client.fails(tool, action, **call)
            assert (again["code"], again["rejected"], again["approval_id"]) == ("gated", True, first["approval_id"])
            assert "rejected this at" in again["message"]
            assert "not today" in again["message"]
        assert len(user.asked) == 1
        monkeypatch.setattr(approvals, "REST_SECONDS", 0)
        await client.fails("memory_steps", "update", **done)
        await client("memory_steps", "update", **done)
    assert [("Rejected at" in question, "not today" in question) for question in user.asked] == [
        (False, False), (True, True), (True, True)
    ]  # fmt: skip
    assert await status(agent, where) == ("done", "human", "elicitation")


def test_each_no_makes_the_rest_longer() -> None:
    at = "2030-01-01T00:00:00.000Z"
    row = approvals.Approval.model_construct(answered_at=at)
    ends = [approvals.rests_until([row] * count) for count in (1, 2, 3)]
    assert [end[11:16] for end in ends] == ["00:10", "00:20", "00:40"]


UNANSWERED = {
    "closed": wire.ElicitResult(action="cancel"),
    "without an answer": wire.ElicitResult(action="accept", content={}),
    "with another one": wire.ElicitResult(action="accept", content={"answer": "maybe"}),
}


@eras
@pytest.mark.parametrize("how", UNANSWERED)
async def test_a_question_that_is_closed_leaves_the_row_open(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode, how: str
) -> None:
    where = await gated_plan(agent, workspace_id)
    async with connected(settings, mode, User([UNANSWERED[how]])) as client:
        error = await client.fails("memory_steps", "update", **where, status="done", agent="ada")
    assert error["code"] == "gated"
    assert "rejected" not in error
    [row] = (await agent("memory_workspace", "approvals", plan_id=where["plan_id"]))["approvals"]
    assert row["approval_id"] == error["approval_id"]


async def test_an_answer_that_does_not_come_in_time_is_none(
    settings: Settings, agent: Agent, workspace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elicitation, "ASK_SECONDS", 0.2)
    where = await gated_plan(agent, workspace_id)
    async with connected(settings, "legacy", User([None])) as client:
        error = await client.fails("memory_steps", "update", **where, status="done", agent="ada")
    assert error["code"] == "gated"
    assert asking.ASK_SECONDS == 45


@eras
async def test_nobody_waits_for_the_lock_while_the_user_thinks(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode
) -> None:
    where = await gated_plan(agent, workspace_id)

    async def write() -> None:
        await agent("memory_plan", "add_note", plan_id=where["plan_id"], note="meanwhile")

    async with connected(settings, mode, User([YES], meanwhile=write)) as client:
        await client("memory_steps", "update", **where, status="done", agent="ada")
    notes = await agent("memory_plan", "list_notes", plan_id=where["plan_id"])
    assert notes["total"] == 1


@eras
async def test_what_changed_while_the_user_thought_is_not_confirmed(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode
) -> None:
    where = await gated_plan(agent, workspace_id)
    cancel = {**where, "status": "cancelled", "agent": "ada"}

    async def change() -> None:
        await agent("memory_steps", "update", **where, task="drop all tables")

    async with connected(settings, mode, User([YES, wire.ElicitResult(action="cancel")], meanwhile=change)) as client:
        error = await client.fails("memory_steps", "update", **cancel)
    assert error["code"] == "gated"
    assert (await status(agent, where))[0] == "pending"


@eras
async def test_a_yes_to_another_call_lets_it_be_made_once(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode
) -> None:
    where = await gated_plan(agent, workspace_id)
    user = User([YES])
    async with connected(settings, mode, user) as client:
        await client("memory_steps", "update", **where, status="cancelled", agent="ada")
    assert (await status(agent, where)) == ("cancelled", None, None)
    used = await agent("memory_workspace", "events", plan_id=where["plan_id"], types=["approval_used"])
    assert used["total"] == 1


@eras
async def test_the_one_who_asks_may_not_relay_where_its_client_can_ask(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode
) -> None:
    where = await gated_plan(agent, workspace_id)
    async with connected(settings, mode, User([NO])) as client:
        error = await client.fails("memory_plan", "confirm", confirmation_scope="step", **where, agent="bob")
    assert error["rejected"] is True


class Raw:
    """A client of the newer era that answers by hand."""

    def __init__(self, client: Client, where: dict[str, Any]) -> None:
        self.client = client
        self.call = {"action": "update", "status": "done", "agent": "ada", **where}

    async def send(self, answer: wire.ElicitResult | None = None, state: str | None = None, **more: Any) -> Any:
        responses: wire.InputResponses | None = {elicitation.KEY: answer} if answer else None
        return await self.client.session.call_tool(
            "memory_steps",
            {**self.call, **more},
            input_responses=responses,
            request_state=state,
            allow_input_required=True,
        )


@asynccontextmanager
async def raw(settings: Settings, where: dict[str, Any]) -> AsyncGenerator[Raw]:
    async with Client(build(settings), elicitation_callback=User()) as client:
        yield Raw(client, where)


def text(result: Any) -> dict[str, Any]:
    return json.loads(result.content[0].text)


async def test_an_answer_that_nobody_asked_for_is_ignored(settings: Settings, agent: Agent, workspace_id: str) -> None:
    where = await gated_plan(agent, workspace_id)
    async with raw(settings, where) as client:
        for state in (None, "", "guessed"):
            asked = await client.send(YES, state)
            assert isinstance(asked, wire.InputRequiredResult), state
    assert await status(agent, where) == ("pending", None, None)


async def test_an_answer_counts_once_and_for_its_own_call(settings: Settings, agent: Agent, workspace_id: str) -> None:
    where = await gated_plan(agent, workspace_id)
    other = await gated_plan(agent, workspace_id)
    async with raw(settings, where) as client:
        asked = await client.send()
        changed = await client.send(YES, asked.request_state, status="cancelled")
        assert isinstance(changed, wire.InputRequiredResult)
        again = await client.send(YES, asked.request_state)  # the state was spent on the call that it was not for
        assert isinstance(again, wire.InputRequiredResult)
        elsewhere = await client.send(YES, again.request_state, plan_id=other["plan_id"])
        assert isinstance(elsewhere, wire.InputRequiredResult)
        asked = await client.send()
        assert not (await client.send(YES, asked.request_state)).is_error
        await agent("memory_steps", "update", **where, status="pending")
        twice = await client.send(YES, asked.request_state)
        assert isinstance(twice, wire.InputRequiredResult)
    assert await status(agent, where) == ("pending", None, None)
    assert await status(agent, other) == ("pending", None, None)


async def test_an_answer_after_a_quarter_of_an_hour_is_too_late(
    settings: Settings, agent: Agent, workspace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = await gated_plan(agent, workspace_id)
    assert elicitation.STATE_SECONDS == 900
    async with raw(settings, where) as client:
        monkeypatch.setattr(elicitation, "STATE_SECONDS", -1)
        asked = await client.send()
        assert isinstance(await client.send(YES, asked.request_state), wire.InputRequiredResult)
    assert await status(agent, where) == ("pending", None, None)


async def test_an_answer_to_a_server_that_is_gone_is_asked_for_anew(
    settings: Settings, agent: Agent, workspace_id: str
) -> None:
    where = await gated_plan(agent, workspace_id)
    async with raw(settings, where) as client:
        state = (await client.send()).request_state
    async with raw(settings, where) as client:
        asked = await client.send(YES, state)
        assert isinstance(asked, wire.InputRequiredResult)
        assert not (await client.send(YES, asked.request_state)).is_error
    assert await status(agent, where) == ("done", "human", "elicitation")


@eras
async def test_a_client_that_cannot_ask_is_told_the_other_ways(
    settings: Settings, agent: Agent, workspace_id: str, mode: Mode
) -> None:
    where = await gated_plan(agent, workspace_id)
    async with connected(settings, mode) as client:
        with pytest.raises(ToolError) as caught:
            await client("memory_steps", "update", **where, status="done", agent="ada")
    assert caught.value.code == "gated"
    assert f"confirm {caught.value.error['approval_id']}" in caught.value.error["message"]


@eras
async def test_a_program_is_run_once_its_user_said_yes_to_the_exact_words(
    settings: Settings, workspace_id: str, mode: Mode
) -> None:
    user = User([YES, NO])
    call = {"workspace_id": workspace_id, "command": f"{sys.executable} -c 'print(1)'", "agent": "ada"}
    async with connected(settings, mode, user) as client:
        done = await client("memory_terminal", "run", **call)
        refused = await client.fails("memory_terminal", "run", **call)

    assert (done["stdout"], done["exit_code"]) == ("1\n", 0)
    assert refused["rejected"] is True
    assert [str([sys.executable, "-c", "print(1)"]) in question for question in user.asked] == [True, True]


@eras
async def test_rules_of_the_terminal_hold_once_the_user_said_yes(
    settings: Settings, workspace_id: str, mode: Mode
) -> None:
    user = User([YES])
    where = {"workspace_id": workspace_id}
    async with connected(settings, mode, user) as client:
        told = await client("memory_terminal", "update_allowlist", patterns=["git log *"], **where)
        listed = await client("memory_terminal", "get_allowlist", **where)

    assert told["patterns"] == ["git log *"]
    assert [(rule["pattern"], rule["via"]) for rule in listed["patterns"]] == [("git log *", "elicitation")]
    assert "behind git log * anything may follow" in user.asked[0]
