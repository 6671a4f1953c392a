"""The calls of `bench.py` through the SDK's own client: what a host written with it sees."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

LEGACY = "2025-11-25"
Source = Callable[[], tuple[str, dict[str, Any]]]
Times = dict[str, list[list[float]]]


def measure(
    commands: Sequence[Sequence[str]],
    sources: Mapping[str, Sequence[Source]],
    *,
    cwd: Path,
    root: Path,
    era: str,
    rounds: int,
) -> Times:
    """Return, for each name, the seconds of its calls to each of the servers that `commands` start, by turns.

    `sources` has, by name, one function a server that returns the tool and the arguments of the next call.
    """

    async def run() -> Times:
        took: Times = {name: [[] for _ in commands] for name in sources}
        async with anyio.create_task_group() as tasks:
            clients = [await tasks.start(_connected, _parameters(command, cwd, root), era) for command in commands]
            for _ in range(rounds):
                for name, sources_of in sources.items():
                    for client, source, times in zip(clients, sources_of, took[name], strict=True):
                        times += [await _timed(client, source) for _ in range(rounds)]
            tasks.cancel_scope.cancel()
        return took

    return anyio.run(run)


def _parameters(command: Sequence[str], cwd: Path, root: Path) -> StdioServerParameters:
    return StdioServerParameters(command=command[0], args=list(command[1:]), cwd=cwd, env={"PYTHONPATH": str(root)})


async def _connected(parameters: StdioServerParameters, era: str, *, task_status: anyio.abc.TaskStatus[Client]) -> None:
    async with Client(stdio_client(parameters), mode="legacy" if era == LEGACY else era) as client:
        task_status.started(client)
        await anyio.sleep_forever()


async def _timed(client: Client, source: Source) -> float:
    tool, arguments = source()
    begun = time.perf_counter()
    result = await client.call_tool(tool, arguments)
    took = time.perf_counter() - begun
    if result.is_error:
        raise SystemExit(f"{tool} {arguments} was refused: {result.content}")
    return took
