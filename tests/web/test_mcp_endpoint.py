"""MCP over HTTP, by the SDK's client in both protocol eras, and by hand."""

import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult

from server.db.access import tokens
from server.settings import Settings
from server.web.places.addresses import ServeOptions
from tests.conftest import Agent
from tests.served import Served, held, mcp_client, serve
from tests.waiting import until

NEWER, OLDER = "2026-07-28", "2025-11-25"
STEPS = [{"task": "Ship", "requires_confirmation": True}]
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@pytest_asyncio.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, served: Served) -> AsyncGenerator[Client]:
    async with held(mcp_client(served.url, await served.token("robot"), mode=request.param)) as found:
        yield found


async def test_both_eras_list_and_call_the_same_tools(client: Client, served: Served, project: Path) -> None:
    agent = Agent(client, served.site.state.store.settings)
    listed = await client.list_tools()
    home = (await agent("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    plan = await agent("memory_plan", "create", title="Over HTTP", workspace_id=home, agent="worker", steps=STEPS)
    told = await agent("memory_workspace", "events", workspace_id=home)
    error = await agent.fails("memory_plan", "get", plan_id="plan_1rqewqexykb7")
    page = await client.read_resource(f"memory://plans/{plan['plan_id']}")

    assert {tool.name for tool in listed.tools} == set(served.site.state.tools)
    assert {event["data"]["token"] for event in told["events"]} == {"robot"}
    assert error["code"] == "not_found"
    assert "Over HTTP" in str(page)


async def test_a_reader_over_mcp_writes_nothing(served: Served, project: Path) -> None:
    async with mcp_client(served.url, await served.token("viewer", "reader")) as client:
        agent = Agent(client)
        read = await agent("memory_workspace", "list")
        error = await agent.fails("memory_workspace", "register", workspace_path=str(project))

    assert read["workspaces"] == []
    assert error["code"] == "not_allowed"


async def gated_plan(agent: Agent, project: Path) -> dict[str, Any]:
    home = (await agent("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    plan = await agent("memory_plan", "create", title="Gated", workspace_id=home, agent="worker", steps=STEPS)
    return {"plan_id": plan["plan_id"], "confirmation_scope": "step", "step_index": 0, "agent": "worker"}


async def test_the_user_is_asked_in_the_newer_era_and_the_answer_counts(served: Served, project: Path) -> None:
    asked: list[str] = []

    async def answer(_: object, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"answer": "yes"})

    token = await served.token()
    async with mcp_client(served.url, token, mode="auto", elicitation_callback=answer) as client:
        agent = Agent(client)
        confirmed = await agent("memory_plan", "confirm", **await gated_plan(agent, project))

    assert len(asked) == 1
    assert confirmed["confirmed_via"] == "elicitation"


async def test_the_older_era_is_told_that_a_human_is_needed(served: Served, project: Path) -> None:
    async def answer(_: object, __: ElicitRequestParams) -> ElicitResult:
        raise AssertionError("a server over HTTP cannot ask here")

    token = await served.token()
    async with mcp_client(served.url, token, mode="legacy", elicitation_callback=answer) as client:
        agent = Agent(client)
        error = await agent.fails("memory_plan", "confirm", **await gated_plan(agent, project))

    assert error["code"] == "gated"


async def test_a_question_outlives_a_restart_and_its_answer_counts_once(settings: Settings, project: Path) -> None:
    async with serve(settings) as first:
        token = await first.token()
        async with mcp_client(first.url, token) as client:
            call = await gated_plan(Agent(client), project)
        asked = await by_hand(first, token, call)
    answer = {"approval": {"action": "accept", "content": {"answer": "yes"}}}
    async with serve(settings) as second:
        state = asked["requestState"]
        forged = await by_hand(second, token, call, inputResponses=answer, requestState=f"9{state}")
        confirmed = await by_hand(second, token, call, inputResponses=answer, requestState=state)
        await by_hand(second, token, {**call, "revoke": True})
        again = await by_hand(second, token, call, inputResponses=answer, requestState=state)

    assert forged["resultType"] == again["resultType"] == "input_required"
    assert json.loads(confirmed["content"][0]["text"])["confirmed_via"] == "elicitation"


async def by_hand(served: Served, token: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Send a call of the newer era as it stands on the wire."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": NEWER,
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    params = {"name": "memory_plan", "arguments": {"action": "confirm", **arguments}, "_meta": meta, **more}
    headers = {"mcp-protocol-version": NEWER, "mcp-method": "tools/call", "mcp-name": "memory_plan", **JSON}
    async with served.http(token, **headers) as http:
        answer = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def test_a_client_goes_on_after_a_restart(settings: Settings) -> None:
    async with serve(settings) as first:
        token, port = await first.token(), first.site.addresses.port
        async with held(mcp_client(first.url, token, mode="legacy")) as client:
            agent = Agent(client)
            before = await agent("memory_workspace", "list")
            await first.stop()
            async with serve(settings, ServeOptions(port=port)):
                after = await agent("memory_workspace", "list")

    assert before == after


async def test_what_would_hang_open_is_refused(served: Served) -> None:
    async with served.http(await served.token(), accept="text/event-stream") as http:
        answers = [await http.request(method, "/mcp") for method in ("GET", "DELETE", "PUT")]

    assert [answer.status_code for answer in answers] == [405] * 3
    assert {answer.headers["allow"] for answer in answers} == {"POST"}


async def test_the_older_era_is_not_promised_what_needs_a_line_that_stays(served: Served) -> None:
    async with served.http(await served.token(), **JSON) as http:
        answer = await http.post("/mcp", json=HELLO)
    [data] = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    result = json.loads(data)["result"]

    assert "mcp-session-id" not in answer.headers
    assert not result["capabilities"]["resources"].get("subscribe")


async def test_changes_are_told_to_who_listens_in_the_newer_era(served: Served, project: Path) -> None:
    async with served.http(await served.token("writer")) as http:
        path = "/api/tools/memory_workspace/register"
        home = (await http.post(path, json={"workspace_path": str(project)})).json()["workspace_id"]
        uri = f"memory://workspaces/{home}"
        async with (
            mcp_client(served.url, await served.token(), mode="auto") as client,
            client.listen(resource_subscriptions=[uri]) as stream,
        ):
            plan = {"title": "New", "workspace_id": home, "agent": "a"}
            await http.post("/api/tools/memory_plan/create", json=plan)
            event = await anext(aiter(stream))

    assert uri in str(event)


async def test_changes_are_told_to_nobody_whose_token_was_revoked(served: Served) -> None:
    db = await served.site.state.store.open()
    async with (
        mcp_client(served.url, await served.token("gone"), mode="auto") as client,
        client.listen(resource_subscriptions=["memory://workspaces"]) as stream,
    ):
        async with db.transaction() as tx:
            await tokens.revoke(tx, "gone")
        with anyio.fail_after(30), suppress(Exception):
            assert [event async for event in stream] == []
        await until(lambda: served.site.limits.under_way == 0)
