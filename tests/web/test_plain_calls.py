"""Calls that `/mcp` answers without the SDK: as the SDK would, whatever is odd left to it."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from server.protocol.front import Asked
from server.tools.approvals.callers import Caller
from server.web.mcp_endpoint import plain_calls
from server.web.mcp_endpoint.plain_calls import CallAnswer, PlainCalls
from server.web.mcp_endpoint.sdk_app import serving
from tests.populated_store import allow_programs
from tests.served import Served
from tests.waiting import until

NEWER, OLDER = "2026-07-28", "2025-11-25"
SLOW = "import time; time.sleep(0.5)"
RESERVED = "io.modelcontextprotocol/"
ENVELOPE: Mapping[str, Any] = {
    f"{RESERVED}protocolVersion": NEWER,
    f"{RESERVED}clientInfo": {"name": "t", "version": "1"},
    f"{RESERVED}clientCapabilities": {},
}
KINDS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
LIST = {"name": "memory_workspace", "arguments": {"action": "list"}}
AGENT = Caller("tester", only_reads=False, has_host=True)
Sent = tuple[dict[str, str | None], Any]


def older(params: object = LIST, headers: Mapping[str, str | None] | None = None, **more: Any) -> Sent:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params, **more}
    return {**KINDS, "mcp-protocol-version": OLDER, **(headers or {})}, message


def newer(
    params: Mapping[str, Any] = LIST,
    headers: Mapping[str, str | None] | None = None,
    meta: Mapping[str, Any] | None = None,
    **more: Any,
) -> Sent:
    told, message = older({**params, "_meta": {**ENVELOPE, **(meta or {})}}, headers, **more)
    named = {"mcp-protocol-version": NEWER, "mcp-method": "tools/call", "mcp-name": str(params.get("name"))}
    return {**told, **named, **(headers or {})}, message


PLAIN: Mapping[str, Sent] = {
    "older": older(),
    "older, of no version": older(headers={"mcp-protocol-version": None}),
    "older, of an early version": older(headers={"mcp-protocol-version": "2025-03-26"}),
    "older, with an empty _meta": older({**LIST, "_meta": {}}),
    "older, with a token and nothing to tell": older({**LIST, "_meta": {"progressToken": 7, "claudecode/x": "y"}}),
    "older, with the id of a session": older(headers={"mcp-session-id": "of-before-a-restart", "last-event-id": "7"}),
    "older, with a charset": older(headers={"content-type": "application/json; charset=utf-8"}),
    "older, with weights": older(headers={"accept": "text/event-stream;q=0.5,application/json ; q=0.9, */*;q=0.1"}),
    "older, with an id of many digits": older(id=2**80),
    "newer": newer(),
    "newer, with an id of nothing": newer(id=""),
    "newer, with an id below zero": newer(id=-1),
    "newer, with an id that is a text": newer(id="a b"),
    "newer, with a client that can be asked": newer(meta={f"{RESERVED}clientCapabilities": {"elicitation": {}}}),
    "without arguments": newer({"name": "memory_workspace"}),
    "an unknown tool": newer({"name": "memory_nothing", "arguments": {}}),
    "an unknown action": older({"name": "memory_plan", "arguments": {"action": "nothing"}}),
    "an error": newer({"name": "memory_plan", "arguments": {"action": "get", "plan_id": "plan_1rqewqexykb7"}}),
    "texts of every kind": older({"name": "memory_context", "arguments": {"action": "help", "topic": "Ä日\u2028\n\0"}}),
}
ODD: Mapping[str, Sent] = {
    "no JSON": ({**KINDS, "mcp-protocol-version": OLDER}, "{"),
    "a batch": ({**KINDS, "mcp-protocol-version": OLDER}, [older()[1]]),
    "a notification": older(method="notifications/initialized", params={}, id=None),
    "an answer": ({**KINDS, "mcp-protocol-version": OLDER}, {"jsonrpc": "2.0", "id": 1, "result": {}}),
    "an id that is null": older(id=None),
    "an id that is a fraction": newer(id=1.5),
    "another method": older({}, method="tools/list"),
    "arguments that are none": newer({"name": "memory_plan", "arguments": [1]}),
    "no name": older({"arguments": {}}),
    "another version of the envelope": newer(headers={"mcp-protocol-version": "2099-01-01"}),
    "an older version with an envelope": newer(headers={"mcp-protocol-version": OLDER}),
    "another name in the header": newer(headers={"mcp-name": "memory_steps"}),
    "no name in the header": newer(headers={"mcp-name": None}),
    "another method in the header": newer(headers={"mcp-method": "tools/list"}),
    "a parameter in a header": newer(headers={"mcp-param-x": "y"}),
    "half an envelope": newer(meta={f"{RESERVED}clientCapabilities": None}),
    "an envelope with more": newer(meta={f"{RESERVED}logLevel": "info"}),
    "an answer to a question": newer({**LIST, "inputResponses": {}, "requestState": "x"}),
    "no stream accepted": older(headers={"accept": "application/json"}),
    "no JSON accepted": newer(headers={"accept": "text/event-stream"}),
    "everything accepted": newer(headers={"accept": "*/*"}),
    "no JSON sent": newer(headers={"content-type": "text/plain"}),
    "what only begins like JSON sent": older(headers={"content-type": "application/json-seq"}),
    "two kinds sent": older(headers={"content-type": "application/json, text/plain"}),
    "what only looks like it accepted": newer(headers={"accept": "application/json-seq, text/event-stream"}),
    "what only looks like it accepted, older": older(headers={"accept": "application/json, text/event-streams"}),
    "no kind sent": older(headers={"content-type": None}),
    "a mark of UTF-8 before it": ({**KINDS, "mcp-protocol-version": OLDER}, "\ufeff" + json.dumps(older()[1])),
    "an empty body": ({**KINDS, "mcp-protocol-version": OLDER}, ""),
    "an envelope without its header": newer(headers={"mcp-protocol-version": None}),
    "a header of the newer era and no envelope": older(headers={"mcp-protocol-version": NEWER}),
    "a task": older({**LIST, "task": {"ttl": 1}}),
    "an id that is true": newer(id=True),
    "another jsonrpc": older(jsonrpc="1.0"),
    "more than a message has": older(more=1),
    "a token for progress that is a fraction": older({**LIST, "_meta": {"progressToken": 1.5}}),
}


@asynccontextmanager
async def the_sdk(served: Served) -> AsyncGenerator[httpx2.AsyncClient]:
    """Ask the SDK alone, on the same state."""
    site = served.site
    async with serving("/mcp", site.state, site.addresses, b"k" * 32) as (app, _):

        async def as_agent(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = {"caller": AGENT}
            await app(scope, receive, send)

        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=as_agent), base_url=served.url) as http:
            yield http


def request(sent: Sent) -> tuple[dict[str, str], bytes]:
    headers, body = sent
    text = body if isinstance(body, str) else json.dumps(body)
    return {name: value for name, value in headers.items() if value is not None}, text.encode()


async def asked(http: httpx2.AsyncClient, sent: Sent) -> tuple[int, Any]:
    headers, body = request(sent)
    answer = await http.post("/mcp", content=body, headers=headers)
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return answer.status_code, answer.json() if answer.text.startswith("{") else answer.text
    [data] = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return answer.status_code, json.loads(data)


async def test_every_request_is_answered_as_the_sdk_answers_it(served: Served) -> None:
    plain = PlainCalls(served.site.state)
    told: dict[str, Any] = {}
    async with the_sdk(served) as alone, served.http(await served.token()) as ours:
        for name, sent in {**PLAIN, **ODD}.items():
            headers, body = request(sent)
            is_taken = plain.call_in(Headers(headers), body) is not None
            told[name] = is_taken, await asked(ours, sent), await asked(alone, sent)

    assert {name: one for name, one in told.items() if one[1] != one[2]} == {}
    assert {name for name, one in told.items() if one[0]} == PLAIN.keys()


async def test_broken_text_in_an_argument_is_told_as_over_stdio(served: Served) -> None:
    async with served.http(await served.token()) as http:
        status, answer = await asked(http, older({"name": "memory_plan", "arguments": {"action": "\ud800"}}))

    assert status == 200
    assert json.loads(answer["result"]["content"][0]["text"])["error"]["code"] == "unknown_action"


async def test_a_header_that_is_there_twice_is_for_the_sdk(served: Served) -> None:
    headers, message = newer()
    async with served.http(await served.token()) as http:
        twice = [(name, str(value)) for name, value in headers.items()] + [("mcp-name", "memory_plan")]
        answer = await http.post("/mcp", content=json.dumps(message), headers=twice)

    assert answer.status_code == 400
    assert "more than once" in answer.text


async def home_of(served: Served, project: Path) -> str:
    """Register a workspace and return its id."""
    async with served.http(await served.token("maker")) as http:
        made = await http.post("/api/tools/memory_workspace/register", json={"workspace_path": str(project)})
    return made.json()["workspace_id"]


async def test_progress_is_told_on_the_way_in_both_eras(
    served: Served, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.tools.running.execution.TELL_SECONDS", 0.05)
    home = await home_of(served, project)
    await allow_programs(served.site.state.store.settings, home, f"{sys.executable} *")
    arguments = {"action": "run", "workspace_id": home, "command": sys.executable, "args": ["-c", SLOW]}
    params = {"name": "memory_terminal", "arguments": arguments, "_meta": {"progressToken": "t1"}}
    async with served.http(await served.token()) as http:
        for headers, message in (older(params), newer(params, meta={"progressToken": "t1"})):
            answer = await http.post("/mcp", json=message, headers={k: str(v) for k, v in headers.items()})
            *steps, last = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]

            assert answer.headers["content-type"].startswith("text/event-stream")
            assert {one["method"] for one in steps} == {"notifications/progress"}
            assert {one["params"]["progressToken"] for one in steps} == {"t1"}
            assert last["id"] == 1
            assert not last["result"]["isError"], last


def call_of(served: Served, sent: Sent) -> tuple[PlainCalls, Asked]:
    plain = PlainCalls(served.site.state)
    headers, body = request(sent)
    asked = plain.call_in(Headers(headers), body)
    assert asked
    return plain, asked


async def nobody_goes() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every call accompanied from its first moment on."""
    monkeypatch.setattr(plain_calls, "QUICK_SECONDS", 0)
    monkeypatch.setattr(plain_calls, "PING_SECONDS", 0)


@pytest.mark.usefixtures("at_once")
async def test_who_takes_nothing_until_the_call_is_over_gets_a_whole_answer(served: Served, project: Path) -> None:
    """What keeps the connection open is held up at its first part, and then cancelled there."""
    plain, call = call_of(served, older(await waiting(served, project, 1)))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        if dict(message.get("headers", ())).get(b"content-type") == b"text/event-stream":
            await asyncio.Event().wait()
        sent.append(message)

    assert await plain.answer(call, AGENT, nobody_goes, send)
    assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/json"


@pytest.mark.usefixtures("at_once")
async def test_nothing_is_sent_behind_the_answer(served: Served, project: Path) -> None:
    plain, call = call_of(served, older(await waiting(served, project, 1)))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await plain.answer(call, AGENT, nobody_goes, send)
    others = asyncio.all_tasks()
    count = len(sent)
    for _ in range(20):
        await asyncio.sleep(0)

    assert count == len(sent) > 2
    assert [one.get("more_body") for one in sent[1:]] == [True] * (count - 2) + [False]
    assert not any("_accompany" in repr(task.get_coro()) for task in others)


@pytest.mark.usefixtures("at_once")
async def test_a_question_that_comes_when_a_stream_has_begun_is_told_as_gated(served: Served, project: Path) -> None:
    """The SDK could put the question to the user, but not go on with what is sent already."""
    home = await home_of(served, project)
    async with served.http(await served.token()) as http:
        steps = [{"task": "Ship", "requires_confirmation": True}]
        told = {"title": "Gated", "workspace_id": home, "agent": "worker", "steps": steps}
        plan = (await http.post("/api/tools/memory_plan/create", json=told)).json()
    arguments = {"action": "confirm", "plan_id": plan["plan_id"], "confirmation_scope": "step", "step_index": 0}
    meta = {f"{RESERVED}clientCapabilities": {"elicitation": {"form": {}}}}
    sent = newer({"name": "memory_plan", "arguments": {**arguments, "agent": "worker"}}, meta=meta)
    plain, call = call_of(served, sent)
    heard: list[bytes] = []

    async def send(message: Message) -> None:
        heard.append(message.get("body", b""))

    settings = served.site.state.store.settings
    with sqlite3.connect(settings.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answering = asyncio.create_task(plain.answer(call, AGENT, nobody_goes, send))
        await until(lambda: bool(heard))
        other.execute("ROLLBACK")
    other.close()

    assert await answering
    [data] = [line for line in b"".join(heard).splitlines() if line.startswith(b"data: ")]
    result = json.loads(data.removeprefix(b"data: "))["result"]
    assert json.loads(result["content"][0]["text"])["error"]["code"] == "gated"


async def test_a_part_of_a_stream_is_one_line_to_every_reader(served: Served) -> None:
    """Some clients end a line wherever Unicode does."""
    sent: list[bytes] = []

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    text = "a\u2028b\u2029c\u0085d\x0be\x1cf"
    _, call = call_of(served, older({**LIST, "_meta": {"progressToken": 7}}))
    answer = CallAnswer(call, send)
    await answer.progress(1, 2, text)
    await answer.end({"text": text})
    events = b"".join(sent).decode().split("\r\n\r\n")[:-1]

    assert [len(event.splitlines()) for event in events] == [2, 2]
    told = [json.loads(event.splitlines()[1].removeprefix("data: ")) for event in events]
    assert [told[0]["params"]["message"], told[1]["result"]["text"]] == [text, text]


async def waiting(served: Served, project: Path, seconds: int) -> dict[str, Any]:
    """Return a call that waits for what nobody does."""
    home = await home_of(served, project)
    async with served.http(await served.token("reader", "reader")) as http:
        told = await http.post("/api/tools/memory_workspace/events", json={"workspace_id": home})
    arguments = {"workspace_id": home, "since_id": told.json()["latest_id"], "wait_seconds": seconds}
    return {"name": "memory_workspace", "arguments": {"action": "events", **arguments}}


async def test_a_call_whose_client_goes_away_is_given_up(served: Served, project: Path) -> None:
    headers, message = older(await waiting(served, project, 25))
    limits = served.site.limits
    async with served.http(await served.token(), **{k: str(v) for k, v in headers.items()}) as http:
        request = asyncio.create_task(http.post("/mcp", json=message))
        await until(lambda: limits.under_way > 0)
        request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await until(lambda: limits.under_way == 0)


async def test_a_call_that_takes_long_keeps_its_connection_busy(
    served: Served, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_calls, "QUICK_SECONDS", 0.01)
    monkeypatch.setattr(plain_calls, "PING_SECONDS", 0.05)
    headers, message = newer(await waiting(served, project, 1))
    async with served.http(await served.token(), **{k: str(v) for k, v in headers.items()}) as http:
        answer = await http.post("/mcp", json=message)

    assert answer.text.startswith(": ping\r\n\r\n")
    assert json.loads(answer.text.splitlines()[-2].removeprefix("data: "))["id"] == 1


async def test_what_was_written_is_committed_before_it_is_answered(served: Served, project: Path) -> None:
    params = {"name": "memory_workspace", "arguments": {"action": "register", "workspace_path": str(project)}}
    headers, message = older(params)
    async with served.http(await served.token(), **{k: str(v) for k, v in headers.items()}) as http:
        answer = await http.post("/mcp", json=message)
    made = json.loads(answer.json()["result"]["content"][0]["text"])
    with sqlite3.connect(served.site.state.store.settings.database) as db:
        rows = db.execute("SELECT path FROM workspaces WHERE workspace_id = ?", [made["workspace_id"]]).fetchall()
    db.close()

    assert rows == [(str(project),)]


def test_serve_and_plain_calls_load_nothing_of_the_sdk() -> None:
    script = (
        "import sys, server.cli.serving.foreground; print([name for name in sys.modules if name.startswith('mcp')])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
