"""Real server processes: one spoken to in raw lines, one through the SDK's client."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
import pytest_asyncio
from mcp import Client, StdioServerParameters
from mcp.types import PROTOCOL_VERSION_META_KEY

from tests.e2e import commands
from tests.e2e.processes import QUICK

ROOT = Path(__file__).resolve().parent.parent.parent
LINE_LIMIT = 64 * 1024 * 1024
PATIENCE = 60  # seconds until a test that waits for a process gives up
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
ENVELOPE = {
    PROTOCOL_VERSION_META_KEY: "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

Message = dict[str, Any]


class RawServer:
    """`python -m server` behind raw pipes. Everything it ever wrote to stdout has to be JSON-RPC."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self._ids = 0

    @property
    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def send(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        await self.process.stdin.drain()

    async def receive(self) -> Message:
        assert self.process.stdout
        with anyio.fail_after(PATIENCE):
            line = await self.process.stdout.readline()
        assert line, f"the server ended: {self.logged}"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    async def request(self, method: str, params: object = None) -> Message:
        """Send a request and return its answer, whatever else comes before it."""
        self._ids += 1
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        await self.send(json.dumps({key: value for key, value in message.items() if value is not None}).encode())
        while (answer := await self.receive()).get("id") != self._ids:
            pass
        return answer

    async def initialize(self) -> Message:
        answer = await self.request("initialize", HELLO)
        await self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return answer["result"]

    async def call(self, tool: str, action: str, /, **arguments: Any) -> Message:
        """Return what a tool call answered: the result, or the object with the error in it."""
        answer = await self.request("tools/call", {"name": tool, "arguments": {"action": action, **arguments}})
        [block] = answer["result"]["content"]
        told = json.loads(block["text"])
        assert answer["result"].get("isError", False) is ("error" in told)
        return told

    async def is_alive(self) -> bool:
        return bool((await self.request("tools/list"))["result"]["tools"])

    async def end(self) -> tuple[int, list[Message]]:
        """Close its input; return its exit code and what it still said."""
        assert self.process.stdin
        self.process.stdin.close()
        return await self.wait()

    async def wait(self) -> tuple[int, list[Message]]:
        assert self.process.stdout
        with anyio.fail_after(PATIENCE):
            rest = await self.process.stdout.read()
            return await self.process.wait(), [json.loads(line) for line in rest.splitlines()]


Start = Callable[..., Awaitable[RawServer]]
Connect = Callable[..., Awaitable[Client]]


def environment(**more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PM_")}
    return {**ours, **QUICK, "PYTHONPATH": str(ROOT), **more}


@pytest_asyncio.fixture
async def start(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Start]:
    """Start servers with raw pipes on `tmp_path/data`; what still runs at the end is killed."""
    running: list[asyncio.subprocess.Process] = []
    is_any = request.node.get_closest_marker("any_start") is not None

    async def launch(
        *flags: str,
        greet: bool = True,
        data_root: Path | None = None,
        cwd: Path = tmp_path,
        module: str = "server",
        **options: Any,
    ) -> RawServer:
        log = tmp_path / f"server-{len(running)}.log"
        folder = data_root or tmp_path / "data"
        if is_any:
            commands.furnish(folder)
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(commands.program() if is_any else (sys.executable, "-m", module)),
                *("--data-root", str(folder), *flags),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_LIMIT,
                cwd=cwd,
                env=environment(),
                **options,
            )
        running.append(process)
        server = RawServer(process, log)
        if greet:
            await server.initialize()
        return server

    yield launch
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest_asyncio.fixture
async def connect(tmp_path: Path) -> AsyncGenerator[Connect]:
    """Connect the SDK's client to a server of its own; entered and left in one task, as its scopes demand."""
    wishes: asyncio.Queue[tuple[str, tuple[str, ...], asyncio.Future[Client]] | None] = asyncio.Queue()

    async def hold() -> None:
        async with AsyncExitStack() as stack:
            while wish := await wishes.get():
                mode, flags, answer = wish
                arguments = ["-m", "server", "--data-root", str(tmp_path / "data"), *flags]
                server = StdioServerParameters(
                    command=sys.executable, args=arguments, env={**QUICK, "PYTHONPATH": str(ROOT)}, cwd=tmp_path
                )
                answer.set_result(await stack.enter_async_context(Client(server, mode=mode)))

    async def launch(mode: str = "auto", *flags: str) -> Client:
        answer: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        wishes.put_nowait((mode, flags, answer))
        await asyncio.wait({task, answer}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        return await answer

    task = asyncio.create_task(hold())
    yield launch
    wishes.put_nowait(None)
    await task


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    return tmp_path / "data"
