"""A real server process and a small client of it that a test can kill at any moment."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.conftest import ToolError
from tests.e2e import commands

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
PLAIN = (sys.executable, "-m", "server")  # for what is about the process itself
LINE_LIMIT = 16 * 1024 * 1024
# What a test writes has to survive a kill, but not the loss of power.
QUICK = {"PM_SYNCHRONOUS": "normal"}


class Died(Exception):
    """The server's output ended before it answered."""


class ServerProcess:
    """A server on a data root, spoken to in JSON-RPC lines, one call at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._id = 0

    @classmethod
    async def start(
        cls, data_root: Path, *flags: str, command: Sequence[str] | None = None, hears_errors: bool = False
    ) -> Self:
        server = await cls.launch(data_root, *flags, command=command, hears_errors=hears_errors)
        await server.request("initialize", HELLO)
        await server._send({"method": "notifications/initialized"})
        return server

    @classmethod
    async def launch(
        cls, data_root: Path, *flags: str, command: Sequence[str] | None = None, hears_errors: bool = False
    ) -> Self:
        """Start the process and say nothing yet."""
        if command is None:
            commands.furnish(data_root)
        process = await asyncio.create_subprocess_exec(
            *(command or commands.program()),
            "--data-root",
            str(data_root),
            *flags,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if hears_errors else asyncio.subprocess.DEVNULL,
            limit=LINE_LIMIT,
            env={**os.environ, **QUICK},
        )
        return cls(process)

    async def __call__(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        """Run one tool call and return its parsed result, or raise ToolError."""
        result = await self.request("tools/call", {"name": tool, "arguments": {"action": action, **arguments}})
        payload = json.loads(result["content"][0]["text"])
        if result.get("isError"):
            raise ToolError(payload["error"])
        return payload

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._id += 1
        await self._send({"id": self._id, "method": method, "params": params})
        while True:
            line = await self._stdout.readline()
            if not line:
                raise Died
            answer = json.loads(line)
            if answer.get("id") == self._id:
                return answer["result"]

    async def begin(self, tool: str, action: str, /, **arguments: Any) -> None:
        """Send a call without waiting for its answer."""
        self._id += 1
        params = {"name": tool, "arguments": {"action": action, **arguments}}
        await self._send({"id": self._id, "method": "tools/call", "params": params})

    async def says(self, words: str) -> None:
        """Wait for a line on stderr."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if words in line.decode():
                return
        raise Died

    async def kill(self) -> None:
        """kill -9, and wait until it is gone: nobody holds its output any more."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._stdout.read()

    async def close(self) -> int:
        """End its input and return its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await self.process.wait()

    async def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        try:
            await self.process.stdin.drain()
        except ConnectionError as error:
            raise Died from error

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout
