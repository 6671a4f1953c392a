"""A client session in memory, twice: as it is, and with everything left to the SDK, which is the truth."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from server.protocol.front import Asked, Front
from server.protocol.jsonrpc import Message
from server.protocol.loop import ClientSession
from server.protocol.pipes import Input, Output
from server.protocol.plain import CAPABILITIES, CLIENT, VERSION, Answers
from server.protocol.state import running
from server.settings import Settings

PATIENCE = 60
ABOUT = {"name": "test", "version": "1"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": ABOUT}
ENVELOPE = {VERSION: "2026-07-28", CLIENT: ABOUT, CAPABILITIES: {}}
ERAS = ("2025-11-25", "2026-07-28")

# What differs between two stores that were told the same.
VARYING = (
    (re.compile(r"\b([a-z]+)_[0-9a-hjkmnp-tv-z]{12}\b"), r"\1_*"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"log has it as [0-9a-f]{8}"), "log has it"),
    (re.compile(r'"requestState": "[^"]+"'), '"requestState": "STATE"'),
)


class Heard(Output):
    """What a client would read."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.moved = asyncio.Event()
        self.queued = 0
        self.failure = None

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.messages.append(json.loads(line))
        self.moved.set()


class SdkFront(Front):
    """Knows nothing itself."""

    def _is_plain(self, asked: Asked) -> bool:
        return False


class Session:
    """One client of one server."""

    def __init__(self, front: Front, heard: Heard, data_root: Path) -> None:
        self.front = front
        self.heard = heard
        self._data_root = data_root

    def send(self, *messages: Message | bytes) -> None:
        """Let it read some lines at once."""
        lines = [m if isinstance(m, bytes) else json.dumps({"jsonrpc": "2.0", **m}).encode() for m in messages]
        self.front.hear([line for line in lines if line.strip()])

    async def settled(self) -> None:
        """Wait until everything is answered."""
        while self.front.under_way:
            await self.moved()

    async def moved(self) -> None:
        """Wait until something is said, or nobody waits for an answer any more."""
        self.heard.moved.clear()
        with anyio.fail_after(PATIENCE):
            await self.heard.moved.wait()

    async def ask(self, *messages: Message | bytes) -> list[Any]:
        """Send lines, and return everything that was said until all of them were answered."""
        before = len(self.heard.messages)
        self.send(*messages)
        await self.settled()
        return self.told(self.heard.messages[before:])

    def told(self, messages: Iterable[Message]) -> list[Any]:
        """Return messages without what differs between two stores, in an order that says nothing."""
        found = [self._alike(message) for message in messages]
        return sorted(found, key=lambda message: json.dumps(message, sort_keys=True))

    def _alike(self, message: Message) -> Any:
        text = json.dumps(message, ensure_ascii=False).replace(str(self._data_root), "DATA")
        for pattern, word in VARYING:
            text = pattern.sub(word, text)
        return json.loads(text)


@asynccontextmanager
async def session(data_root: Path, kind: type[Front] = Front, **more: Any) -> AsyncGenerator[Session]:
    settings, heard = Settings(data_root=data_root, synchronous="off", **more), Heard()
    front = kind(Answers(settings.tools, read_only=settings.read_only), heard)
    front.on_settled = heard.moved.set
    async with running(settings) as state, anyio.create_task_group() as tasks:
        front.employ(ClientSession(front, Input(-1), state, tasks))
        yield Session(front, heard, data_root)
        tasks.cancel_scope.cancel()


def opening(era: str, capabilities: Message | None = None) -> Sequence[Message]:
    """What a client of an era says first."""
    if era == ERAS[1]:
        return [request("first", "server/discover", {}, era, capabilities)]
    hello = {**HELLO, "capabilities": capabilities or {}}
    return [request("first", "initialize", hello, era), {"method": "notifications/initialized"}]


def request(
    request_id: str | int, method: str, params: Message, era: str, capabilities: Message | None = None
) -> Message:
    meta = {} if era == ERAS[0] else {"_meta": {**ENVELOPE, CAPABILITIES: capabilities or {}}}
    told = params.get("_meta", {})
    both = {**meta.get("_meta", {}), **told} if isinstance(told, dict) else told
    return {"id": request_id, "method": method, "params": {**params, **({"_meta": both} if both else {})}}


def call(request_id: str | int, tool: str, arguments: Message, era: str) -> Message:
    return request(request_id, "tools/call", {"name": tool, "arguments": arguments}, era)
