"""memory:// resources: hearing of changes in both protocol eras, whichever process makes them."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourceUpdated
from mcp.types import ResourceUpdatedNotification, TextContent

from server.protocol.app import build
from server.settings import Settings


@asynccontextmanager
async def served(settings: Settings, **options: Any) -> AsyncGenerator[Client]:
    async with Client(build(settings), **options) as client:
        yield client


def text_of(block: object) -> str:
    assert isinstance(block, TextContent)
    return block.text


async def call(client: Client, tool: str, **arguments: object) -> dict[str, object]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return json.loads(text_of(result.content[0]))


async def plan_in(client: Client, project: Path) -> tuple[str, str]:
    workspace = await call(client, "memory_workspace", action="register", workspace_path=str(project))
    workspace_id = str(workspace["workspace_id"])
    plan = await call(
        client, "memory_plan", action="create", workspace_id=workspace_id, title="P", steps=[{"task": "a"}]
    )
    return workspace_id, str(plan["plan_id"])


@pytest.mark.parametrize("uri", ["memory://plans/plan_nope", "memory://nothing/x", "file:///etc/passwd"])
async def test_an_unknown_resource_is_an_error_that_names_it(settings: Settings, project: Path, uri: str) -> None:
    async with served(settings) as client:
        await plan_in(client, project)
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
        assert caught.value.error.code == -32602
        assert caught.value.error.data["uri"] == uri


async def test_a_listener_hears_of_writes_by_another_server(settings: Settings, project: Path) -> None:
    async with served(settings) as client, served(settings) as other:
        workspace_id, plan_id = await plan_in(client, project)
        wanted = [f"memory://plans/{plan_id}", f"memory://workspaces/{workspace_id}"]
        with anyio.fail_after(10):
            async with client.listen(resource_subscriptions=wanted) as stream:
                await call(other, "memory_steps", action="update", plan_id=plan_id, step_index=0, notes="n")
                heard: set[str] = set()
                async for event in stream:
                    assert isinstance(event, ResourceUpdated)
                    heard.add(str(event.uri))
                    if heard == set(wanted):
                        break


@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")  # this is what older clients send
async def test_an_older_client_hears_of_writes_by_another_server(settings: Settings, project: Path) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def on_message(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.put_nowait(str(message.params.uri))

    async with served(settings, mode="legacy", message_handler=on_message) as client, served(settings) as other:
        workspace_id, plan_id = await plan_in(client, project)
        plan, workspace = f"memory://plans/{plan_id}", f"memory://workspaces/{workspace_id}"
        await client.subscribe_resource(plan)  # pyright: ignore[reportDeprecated] - older clients send it
        await client.subscribe_resource(workspace)  # pyright: ignore[reportDeprecated] - older clients send it
        with anyio.fail_after(10):
            await call(other, "memory_steps", action="update", plan_id=plan_id, step_index=0, notes="n")
            assert {await heard.get(), await heard.get()} == {plan, workspace}
            await client.unsubscribe_resource(plan)  # pyright: ignore[reportDeprecated] - older clients send it
            for note in ("m", "o"):
                await call(other, "memory_steps", action="update", plan_id=plan_id, step_index=0, notes=note)
                assert await heard.get() == workspace
        assert heard.empty()
