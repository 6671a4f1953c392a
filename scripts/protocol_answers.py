"""What the SDK answers to the requests of `server/protocol/plain.py`; part of `catalog.py`, which checks it in."""

import json
import math
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp.types as wire
from mcp.server import NotificationOptions
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION

from server.protocol.app import build
from server.protocol.plain import CAPABILITIES, CLIENT, PARAMS, VERSION
from server.settings import ASSETS, Settings
from server.tools import GROUPS

FILE = ASSETS / "catalog" / "protocol" / "answers.json"
ABOUT = {"name": "catalog", "version": "1"}
HELP = {"name": "memory_plan", "arguments": {"action": "help"}}
OWN = {
    "initialize": ("protocolVersion",),
    "tools/list": ("tools",),
    "tools/call": ("content", "isError"),
    "resources/list": ("resources",),
}

Json = dict[str, Any]


def current() -> str:
    """Return the text that the file should have."""
    older = {version: anyio.run(_answers, version) for version in HANDSHAKE_PROTOCOL_VERSIONS}
    latest = older[HANDSHAKE_PROTOCOL_VERSIONS[-1]]
    newer = anyio.run(_answers, None)
    told = {
        "groups": GROUPS,
        "handshakes": [version for version, answers in older.items() if answers == latest],
        "newer": LATEST_MODERN_VERSION,
        "older era": latest,
        "newer era": newer,
        "reading": {
            "older era": _others(latest, anyio.run(_answers, HANDSHAKE_PROTOCOL_VERSIONS[-1], True)),
            "newer era": _others(newer, anyio.run(_answers, None, True)),
        },
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _others(usual: Json, reading: Json) -> Json:
    """Return what a server that only reads answers otherwise."""
    return {method: answer for method, answer in reading.items() if method in usual and answer != usual[method]}


async def _answers(version: str | None, read_only: bool = False) -> Json:
    """Ask a server of the SDK everything that is plain; without a version as a client of the newer era does."""
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": ABOUT}
    meta = {} if version else {"_meta": {VERSION: LATEST_MODERN_VERSION, CLIENT: ABOUT, CAPABILITIES: {}}}
    methods = [method for method in PARAMS if version or method != "initialize"]
    asked = [(method, {"initialize": hello, "tools/call": HELP}.get(method, {}) | meta) for method in methods]
    found = await _conversation(asked, read_only=read_only)
    return {method: _around(method, answer["result"]) for method, answer in found.items() if "result" in answer}


def _around(method: str, result: Json) -> Json:
    """Return an answer without what is a call's own, or depends on the settings."""
    return {name: value for name, value in result.items() if name not in OWN.get(method, ())}


async def _conversation(asked: list[tuple[str, Json]], *, read_only: bool) -> dict[str, Json]:
    found: dict[str, Json] = {}
    send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](math.inf)
    told, hear = anyio.create_memory_object_stream[SessionMessage](math.inf)
    with tempfile.TemporaryDirectory() as folder:
        server = build(Settings(data_root=Path(folder), read_only=read_only))
        async with server.lifespan(server) as state, anyio.create_task_group() as tasks:
            options = server.create_initialization_options(NotificationOptions())
            loop = partial(serve_dual_era_loop, lifespan_state=state, init_options=options)
            tasks.start_soon(loop, server, receive, told)
            for method, params in asked:
                request = wire.JSONRPCRequest(jsonrpc="2.0", id=method, method=method, params=params)
                send.send_nowait(SessionMessage(request))
                found[method] = (await hear.receive()).message.model_dump(mode="json", by_alias=True)
            tasks.cancel_scope.cancel()
    return found
