"""memory_session: messages between agents."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client

from server.db.storage.connection import Database
from server.protocol.app import build
from server.settings import Settings
from tests.conftest import Agent

TOOL = "memory_session"


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Search", category="quick_task")
    return plan["plan_id"]


async def send(server: Agent, workspace_id: str, to: str, content: str, /, **more: Any) -> dict[str, Any]:
    return await server(
        TOOL, "send_message", **{"workspace_id": workspace_id, "agent": "ada", **more}, **_to(to, content)
    )


def _to(to: str, content: str) -> dict[str, str]:
    return {"to_agent": to, "content": content}


async def inbox(server: Agent, workspace_id: str, /, **arguments: Any) -> list[str]:
    page = await server(TOOL, "inbox", workspace_id=workspace_id, **arguments)
    assert page["total"] == len(page["messages"])
    return [message["content"] for message in page["messages"]]


async def start(agent: Agent, workspace_id: str, name: str, **more: Any) -> str:
    return (await agent(TOOL, "session_start", workspace_id=workspace_id, agent=name, **more))["session_id"]


async def count(db: Database) -> int:
    return await db.value("SELECT count(*) FROM messages")


async def test_a_message_waits_until_its_addressee_acknowledges_it(agent: Agent, workspace_id: str) -> None:
    sent = await send(agent, workspace_id, "Bob", "hello")
    assert (sent["to_agent"], sent["priority"], sent["workspace_id"]) == ("Bob", "medium", workspace_id)
    assert sent["thread_id"] == sent["message_id"]

    for _ in range(2):
        [message] = (await agent(TOOL, "inbox", agent="bob", workspace_id=workspace_id))["messages"]
        assert message == {
            "message_id": sent["message_id"],
            "thread_id": sent["thread_id"],
            "from_agent": "ada",
            "to_agent": "Bob",
            "priority": "medium",
            "content": "hello",
            "created_at": sent["created_at"],
        }
    done = await agent(TOOL, "acknowledge", message_ids=[sent["message_id"]], agent="bob")
    assert done == {"workspace_id": workspace_id, "acknowledged": [sent["message_id"]]}
    assert await inbox(agent, workspace_id, agent="bob") == []


async def test_acknowledging_again_changes_nothing(agent: Agent, workspace_id: str, db: Database) -> None:
    sent = await send(agent, workspace_id, "bob", "hello")
    new = await send(agent, workspace_id, "bob", "again")
    await agent(TOOL, "acknowledge", message_ids=[sent["message_id"]], agent="bob")
    [before] = await db.all("SELECT * FROM messages WHERE message_id = :id", {"id": sent["message_id"]})
    done = await agent(TOOL, "acknowledge", message_ids=[sent["message_id"], new["message_id"]] * 2, agent="bob")
    assert (done["already"], done["acknowledged"]) == ([sent["message_id"]], [new["message_id"]])
    [after] = await db.all("SELECT * FROM messages WHERE message_id = :id", {"id": sent["message_id"]})
    assert dict(after) == dict(before)
    logged = await db.value("SELECT count(*) FROM event_log WHERE type = 'message_acknowledged'")
    assert logged == 2


async def test_the_urgent_come_first_and_then_the_oldest(agent: Agent, workspace_id: str) -> None:
    for number, priority in enumerate(["low", "medium", "critical", "high", "medium", "critical"]):
        await send(agent, workspace_id, "bob", str(number), priority=priority)
    assert await inbox(agent, workspace_id, agent="bob") == ["2", "5", "3", "1", "4", "0"]


async def test_an_inbox_comes_in_pages_that_stay_steady(agent: Agent, workspace_id: str) -> None:
    for number in range(7):
        await send(agent, workspace_id, "bob", str(number))
    page = await agent(TOOL, "inbox", agent="bob", workspace_id=workspace_id, limit=3)
    seen = [message["content"] for message in page["messages"]]
    await send(agent, workspace_id, "bob", "urgent", priority="critical")
    while cursor := page.get("next_cursor"):
        page = await agent(TOOL, "inbox", agent="bob", workspace_id=workspace_id, limit=3, cursor=cursor)
        seen += [message["content"] for message in page["messages"]]
    assert seen == list("0123456")
    assert page["total"] == 8


async def test_a_message_to_a_session_reaches_that_session_alone(agent: Agent, workspace_id: str) -> None:
    first, second = [await start(agent, workspace_id, "Worker") for _ in range(2)]
    await send(agent, workspace_id, first, "only you")
    await send(agent, workspace_id, "worker", "all of you")

    assert await inbox(agent, workspace_id, agent="Worker") == ["all of you"]
    assert await inbox(agent, workspace_id, session_id=second) == ["all of you"]
    assert await inbox(agent, workspace_id, session_id=first) == ["only you", "all of you"]
    assert await inbox(agent, workspace_id, agent="other", session_id=first) == ["only you"]

    ids = [m["message_id"] for m in (await agent(TOOL, "inbox", session_id=first))["messages"]]
    error = await agent.fails(TOOL, "acknowledge", message_ids=ids, session_id=second)
    assert (error["code"], error["not_yours"]) == ("not_allowed", ids[:1])
    assert await inbox(agent, workspace_id, session_id=second) == ["all of you"]
    done = await agent(TOOL, "acknowledge", message_ids=ids, session_id=first)
    assert done["acknowledged"] == ids


async def test_a_session_that_does_not_exist_or_is_over_gets_no_message(agent: Agent, workspace_id: str) -> None:
    known = await start(agent, workspace_id, "Worker")
    await agent("memory_agent", "complete", session_id=known, summary="done")
    error = await agent.fails(TOOL, "send_message", agent="ada", **_to(known[:-1], "hello"))
    assert (error["code"], error["near"][0]["session_id"]) == ("not_found", known)
    error = await agent.fails(TOOL, "send_message", agent="ada", **_to(known, "hello"))
    assert error["code"] == "conflict"
    assert "'Worker'" in error["message"]


async def test_an_answer_stays_in_the_thread(agent: Agent, workspace_id: str) -> None:
    question = await send(agent, workspace_id, "bob", "may I?")
    thread_id = question["thread_id"]
    answer = await send(agent, workspace_id, "ada", "yes", agent="bob", thread_id=question["message_id"])
    later = await send(agent, workspace_id, "bob", "thanks", thread_id=answer["message_id"])
    await send(agent, workspace_id, "bob", "something else")
    assert answer["thread_id"] == later["thread_id"] == thread_id
    await agent(TOOL, "acknowledge", message_ids=[question["message_id"]], agent="bob")

    page = await agent(TOOL, "inbox", thread_id=answer["message_id"], agent="bob")
    assert (page["thread_id"], page["total"]) == (thread_id, 3)
    assert [message["content"] for message in page["messages"]] == ["may I?", "yes", "thanks"]
    assert [message.get("waiting") for message in page["messages"]] == [None, None, True]
    assert page["messages"][0]["acknowledged_by"] == "bob"
    alone = await agent(TOOL, "inbox", thread_id=thread_id, limit=2)
    rest = await agent(TOOL, "inbox", thread_id=thread_id, limit=2, cursor=alone["next_cursor"])
    assert [m["content"] for m in [*alone["messages"], *rest["messages"]]] == ["may I?", "yes", "thanks"]

    error = await agent.fails(TOOL, "inbox", thread_id="msg_000000000000", agent="bob")
    assert error["code"] == "not_found"
    error = await agent.fails(TOOL, "send_message", agent="ada", thread_id="msg_000000000000", **_to("bob", "x"))
    assert error["code"] == "not_found"


async def test_a_message_that_is_sent_again_after_a_lost_answer_arrives_once(
    agent: Agent, workspace_id: str, plan_id: str, db: Database
) -> None:
    first = await send(agent, workspace_id, "bob", "hello", plan_id=plan_id)
    again = await send(agent, workspace_id, "bob", "hello", plan_id=plan_id)
    assert again == {**first, "repeated": True}
    assert await inbox(agent, workspace_id, agent="bob") == ["hello"]
    logged = await db.value("SELECT count(*) FROM event_log WHERE type = 'message_sent'")
    assert logged == 1

    for other in (
        {"priority": "high"},
        {"plan_id": None},
        {"agent": "eve"},
        {"thread_id": (await send(agent, workspace_id, "eve", "other thread"))["thread_id"]},
    ):
        sent = await send(agent, workspace_id, "bob", "hello", **{"plan_id": plan_id, **other})
        assert "repeated" not in sent, other
    await agent(TOOL, "acknowledge", message_ids=[first["message_id"]], agent="bob")
    fresh = await send(agent, workspace_id, "bob", "hello", plan_id=plan_id)
    assert fresh["message_id"] != first["message_id"]


async def test_a_long_message_is_cut_in_the_list_and_whole_in_pieces(agent: Agent, workspace_id: str) -> None:
    text = 'line é "quoted"\n' * 20_000
    sent = await send(agent, workspace_id, "bob", text)
    [row] = (await agent(TOOL, "inbox", agent="bob", workspace_id=workspace_id))["messages"]
    assert (row["content"], row["cut"]) == (text[:2000], True)

    read, offset = "", 0
    while offset is not None:
        part = await agent(TOOL, "inbox", message_id=sent["message_id"], agent="bob", offset=offset, max_bytes=45_000)
        assert (part["field"], part["waiting"]) == ("content", True)
        read, offset = read + part["text"], part.get("next_offset")
    assert read == text


async def test_what_is_too_large_or_empty_is_refused(agent: Agent, workspace_id: str, db: Database) -> None:
    for content, code in (("x" * (1024 * 1024 + 1), "too_large"), ("  \n", "invalid_arguments")):
        error = await agent.fails(TOOL, "send_message", workspace_id=workspace_id, agent="ada", **_to("bob", content))
        assert error["code"] == code
    await send(agent, workspace_id, "bob", "x" * 1024 * 1024)
    assert await count(db) == 1


async def test_who_sends_or_acknowledges_must_say_who_it_is(agent: Agent, workspace_id: str) -> None:
    for action, arguments in (("send_message", _to("bob", "x")), ("acknowledge", {"message_ids": ["msg_1"]})):
        error = await agent.fails(TOOL, action, workspace_id=workspace_id, **arguments)
        assert (error["code"], error["missing"]) == ("invalid_arguments", ["session_id or agent"])


async def test_unknown_ids_are_all_named_and_nothing_is_marked(agent: Agent, workspace_id: str) -> None:
    sent = await send(agent, workspace_id, "bob", "hello")
    error = await agent.fails(
        TOOL, "acknowledge", message_ids=[sent["message_id"], "msg_x"], note_ids=["note_x", "note_y"], agent="bob"
    )
    assert (error["code"], error["unknown"]) == ("not_found", ["msg_x", "note_x", "note_y"])
    assert error["near"] == [{"message_id": sent["message_id"], "from_agent": "ada", "created_at": sent["created_at"]}]
    assert await inbox(agent, workspace_id, agent="bob") == ["hello"]
    error = await agent.fails(TOOL, "inbox", message_id=sent["message_id"][:-1])
    assert (error["code"], error["near"][0]["message_id"]) == ("not_found", sent["message_id"])


async def test_an_instruction_leaves_the_briefing_when_one_of_its_addressees_acknowledges_it(
    agent: Agent, workspace_id: str, plan_id: str
) -> None:
    async def add(note: str, **more: Any) -> str:
        return (await agent("memory_plan", "add_note", plan_id=plan_id, note=note, **more))["note_id"]

    async def told(name: str) -> list[str]:
        briefing = await agent("memory_agent", "init", agent=name, plan_id=plan_id)
        return [note["note"] for note in briefing.get("instructions", [])]

    for_bob = await add("bob: no schema", note_type="instruction", deliver_to="Bob")
    for_all = await add("all: small commits", note_type="instruction")
    remark = await add("just a remark")
    assert await told("bob") == ["bob: no schema", "all: small commits"]

    error = await agent.fails(TOOL, "acknowledge", note_ids=[for_all, for_bob], agent="ada")
    assert (error["code"], error["not_yours"]) == ("not_allowed", [for_bob])
    error = await agent.fails(TOOL, "acknowledge", note_ids=[remark], agent="ada")
    assert error["code"] == "invalid_arguments"
    session_id = await start(agent, workspace_id, "BOB")
    done = await agent(TOOL, "acknowledge", note_ids=[for_bob, for_all], session_id=session_id)
    assert done["acknowledged"] == [for_bob, for_all]
    assert await told("bob") == await told("ada") == []
    notes = (await agent("memory_plan", "list_notes", plan_id=plan_id, note_type="instruction"))["notes"]
    assert {note["acknowledged_by"] for note in notes} == {session_id}

    again = await agent(TOOL, "acknowledge", note_ids=[for_bob], agent="bob")
    assert again["already"] == [for_bob]
    await agent("memory_plan", "archive", plan_id=plan_id)
    error = await agent.fails(TOOL, "acknowledge", note_ids=[for_bob], agent="bob")
    assert (error["code"], "archived" in error["message"]) == ("conflict", True)


async def test_a_briefing_shows_what_waits_like_the_inbox_does(agent: Agent, workspace_id: str) -> None:
    session_id = await start(agent, workspace_id, "bob")
    await send(agent, workspace_id, "Bob", "by name")
    await send(agent, workspace_id, "eve", "not for you")
    await send(agent, workspace_id, session_id, "by session", priority="critical")
    fresh = await agent("memory_agent", "init", agent="bob", workspace_id=workspace_id)
    assert [message["content"] for message in fresh["messages"]] == ["by name"]
    back = await agent("memory_agent", "recover", session_id=session_id)
    assert [message["content"] for message in back["messages"]] == ["by session", "by name"]
    assert [m["message_id"] for m in back["messages"]] == [
        m["message_id"] for m in (await agent(TOOL, "inbox", session_id=session_id))["messages"]
    ]


async def test_a_message_belongs_to_the_workspace_of_what_it_names(
    agent: Agent, workspace_id: str, plan_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
    there = await start(agent, other, "Worker")
    here = await start(agent, workspace_id, "Coordinator")

    sent = await agent(TOOL, "send_message", session_id=here, **_to(there, "over there"))
    assert sent["workspace_id"] == other
    assert await inbox(agent, other, session_id=there) == ["over there"]
    for more in (
        {"plan_id": plan_id, "workspace_id": other, **_to("bob", "x")},
        {"plan_id": plan_id, **_to(there, "x")},
        {"thread_id": sent["thread_id"], "workspace_id": workspace_id, **_to("bob", "x")},
    ):
        assert (await agent.fails(TOOL, "send_message", agent="ada", **more))["code"] == "conflict"
    for action, named in (
        ("inbox", {"message_id": sent["message_id"]}),
        ("inbox", {"thread_id": sent["thread_id"]}),
        ("inbox", {"session_id": there}),
        ("acknowledge", {"message_ids": [sent["message_id"]], "session_id": there}),
    ):
        assert (await agent.fails(TOOL, action, workspace_id=workspace_id, **named))["code"] == "conflict"
    mine = await send(agent, workspace_id, "worker", "here")
    error = await agent.fails(
        TOOL, "acknowledge", message_ids=[sent["message_id"], mine["message_id"]], session_id=there
    )
    assert error["code"] == "conflict"
    error = await agent.fails(TOOL, "send_message", plan_id="plan_000000000000", agent="ada", **_to("bob", "x"))
    assert error["code"] == "not_found"


async def test_a_reply_about_an_archived_plan_can_be_sent(agent: Agent, workspace_id: str, plan_id: str) -> None:
    await agent("memory_plan", "archive", plan_id=plan_id)
    sent = await send(agent, workspace_id, "bob", "it is in the archive", plan_id=plan_id)
    assert sent["plan_id"] == plan_id
    await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    assert await inbox(agent, workspace_id, agent="bob") == ["it is in the archive"]


async def test_people_can_read_who_wrote_to_whom(agent: Agent, workspace_id: str) -> None:
    await send(agent, workspace_id, "bob", "first line\nsecond line")
    [entry] = (await agent("memory_workspace", "history", workspace_id=workspace_id, agent="ada"))["history"]
    assert entry["summary"] == "ada to bob: first line second line"


async def test_messages_of_two_servers_are_all_there_in_order(
    agent: Agent, workspace_id: str, settings: Settings
) -> None:
    async with Client(build(settings), raise_exceptions=True) as client:
        other = Agent(client)

        async def write(server: Agent, name: str) -> list[str]:
            sent = [await send(server, workspace_id, "bob", f"{name} {n}", agent=name) for n in range(15)]
            return [message["message_id"] for message in sent]

        sent = await asyncio.gather(write(agent, "ada"), write(other, "eve"))
        page = await other(TOOL, "inbox", agent="bob", workspace_id=workspace_id, limit=200, max_bytes=45_000)
        assert page["total"] == 30
        for name, ids in zip(("ada", "eve"), sent, strict=True):
            assert [m["message_id"] for m in page["messages"] if m["from_agent"] == name] == ids
        acknowledged = await asyncio.gather(
            *(server(TOOL, "acknowledge", message_ids=sent[0], agent="bob") for server in (agent, other))
        )
        assert sorted(len(done.get("acknowledged", [])) for done in acknowledged) == [0, 15]


@pytest.mark.parametrize("action", ["send_message", "acknowledge"])
async def test_a_read_only_server_lets_messages_be_read_alone(
    agent: Agent, workspace_id: str, settings: Settings, action: str
) -> None:
    sent = await send(agent, workspace_id, "bob", "hello")
    arguments = _to("bob", "x") if action == "send_message" else {"message_ids": [sent["message_id"]]}
    async with Client(build(Settings(data_root=settings.data_root, read_only=True)), raise_exceptions=True) as client:
        reader = Agent(client)
        error = await reader.fails(TOOL, action, workspace_id=workspace_id, agent="bob", **arguments)
        assert error["code"] == "not_allowed"
        assert await inbox(reader, workspace_id, agent="bob") == ["hello"]
