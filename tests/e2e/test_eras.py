"""Which protocol era a connection is served in, over real pipes."""

import json
from typing import Any

import mcp.client.session
import pytest
from mcp.types import PROTOCOL_VERSION_META_KEY, UNSUPPORTED_PROTOCOL_VERSION

from tests.e2e.conftest import ENVELOPE, HELLO, Connect, RawServer, Start

pytestmark = pytest.mark.any_start

INVALID_REQUEST = -32600


def line(request_id: int, method: str, params: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).encode()


DISCOVER = line(1, "server/discover", {"_meta": ENVELOPE})


async def greeted(server: RawServer, request_id: int) -> None:
    """Read until the handshake is answered, then use the connection as an older client does."""
    while (answer := await server.receive())["id"] != request_id or "protocolVersion" not in answer["result"]:
        assert "supportedVersions" in answer["result"], answer
    assert answer["result"]["protocolVersion"] == HELLO["protocolVersion"]
    await server.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert (await server.call("memory_workspace", "list"))["total"] == 0


async def test_a_client_that_gave_up_its_probe_may_shake_hands(start: Start) -> None:
    server = await start(greet=False)
    await server.send(DISCOVER + b"\n" + line(2, "initialize", HELLO))

    await greeted(server, 2)


async def test_a_client_that_was_answered_its_probe_may_shake_hands(start: Start) -> None:
    server = await start(greet=False)
    await server.send(DISCOVER)
    assert (await server.receive())["id"] == 1
    await server.send(line(2, "initialize", HELLO))

    await greeted(server, 2)


async def test_an_id_that_a_late_probe_had_is_answered_for_the_handshake_alone(start: Start) -> None:
    server = await start(greet=False)
    await server.send(DISCOVER + b"\n" + line(1, "initialize", HELLO))
    answer = await server.receive()

    assert answer["result"]["protocolVersion"] == HELLO["protocolVersion"]
    assert await server.is_alive()
    assert await server.end() == (0, [])


async def test_a_call_of_the_newer_era_settles_it(start: Start) -> None:
    server = await start(greet=False)
    await server.send(DISCOVER)
    await server.receive()
    await server.send(line(2, "tools/list", {"_meta": ENVELOPE}))
    await server.receive()
    await server.send(line(3, "initialize", HELLO))
    refused = await server.receive()
    await server.send(line(4, "tools/list", {"_meta": ENVELOPE}))

    assert refused["error"]["code"] == UNSUPPORTED_PROTOCOL_VERSION
    assert (await server.receive())["result"]["tools"]


async def test_a_handshake_settles_the_older_era(start: Start) -> None:
    server = await start()
    await server.send(line(90, "tools/list", {"_meta": ENVELOPE}))

    assert (await server.receive())["error"]["code"] == INVALID_REQUEST
    assert await server.is_alive()


async def test_a_probe_of_an_unknown_version_settles_nothing(start: Start) -> None:
    server = await start(greet=False)
    future = {**ENVELOPE, PROTOCOL_VERSION_META_KEY: "2099-01-01"}
    await server.send(line(1, "tools/list", {"_meta": future}))
    assert (await server.receive())["error"]["code"] == UNSUPPORTED_PROTOCOL_VERSION
    await server.send(line(2, "initialize", HELLO))

    await greeted(server, 2)


async def test_the_sdk_s_client_falls_back_when_its_probe_takes_too_long(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp.client.session, "DISCOVER_TIMEOUT_SECONDS", 0.01)
    client = await connect("auto")

    assert client.protocol_version == "2025-11-25"
    assert (await client.list_tools()).tools
