"""Real processes write while `serve` streams: what a follower has is the log, in its order, across a restart."""

import asyncio
import itertools
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2

from server.models.access import TokenRole
from server.models.approvals import Word
from server.settings import Settings
from server.store import open_store
from server.web.access import add_token
from tests.e2e.processes import ServerProcess
from tests.e2e.terminals import environment

WRITERS, WRITES = 3, 40  # at least: they write until it is served again
KINDS = 40  # of context, of which a plan has no more than it may
SECONDS = 120
EVENT = re.compile(r"id: (\d+)\ndata: ")


@asynccontextmanager
async def serving(settings: Settings, port: int) -> AsyncGenerator[int]:
    """Serve in a process of its own until SIGTERM; yield the port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "server", "--data-root", str(settings.data_root), "serve", "--port", str(port),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    assert process.stdout
    await process.stdout.readline()
    found = re.search(r":(\d+)/mcp", (await process.stdout.readline()).decode())
    assert found
    try:
        yield int(found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def token_of(settings: Settings, role: TokenRole = "reader") -> str:
    db = await open_store(settings)
    try:
        return await add_token(db, "tester", role, Word("terminal"))
    finally:
        await db.close()


def logged(settings: Settings, after: int) -> list[int]:
    """Return the events of the log as another program reads it."""
    with sqlite3.connect(settings.database) as db:
        query = "SELECT event_id FROM event_log WHERE event_id > ? ORDER BY event_id"
        found = [event_id for (event_id,) in db.execute(query, (after,))]
    db.close()
    return found


class Follower:
    """Reads the stream until it breaks off, and goes on from its last event when told to."""

    def __init__(self, token: str, after: int) -> None:
        self.heard = [after]
        self._token = token
        self._more = asyncio.Event()

    async def read(self, port: int) -> None:
        headers = {"authorization": f"Bearer {self._token}", "last-event-id": str(self.heard[-1])}
        url = f"http://127.0.0.1:{port}/events"
        async with httpx2.AsyncClient(timeout=SECONDS) as http, http.stream("GET", url, headers=headers) as answer:
            text = ""
            async for part in answer.aiter_text():
                whole, _, text = (text + part).rpartition("\n\n")
                self.heard += [int(found[1]) for found in EVENT.finditer(f"{whole}\n\n")]
                self._more.set()

    async def until(self, count: int) -> None:
        """Wait until it heard so many events."""
        while len(self.heard) <= count:
            self._more.clear()
            await self._more.wait()


async def write(settings: Settings, plan_id: str, number: int, enough: asyncio.Event) -> None:
    """Write as an agent does whose editor started a server over stdio, which knows nothing of `serve`."""
    server = await ServerProcess.start(settings.data_root)
    for n in itertools.takewhile(lambda n: n < WRITES or not enough.is_set(), itertools.count()):
        kind = {"type": f"of {number} {n % KINDS}", "data": {"n": n}, "agent": f"agent {number}"}
        await server("memory_context", "store", plan_id=plan_id, **kind)
    assert await server.close() == 0


async def test_a_follower_has_what_many_processes_wrote_in_the_order_of_the_log_across_a_restart(
    settings: Settings, project: Path
) -> None:
    token = await token_of(settings)
    server = await ServerProcess.start(settings.data_root)
    home = (await server("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    plan_id = (await server("memory_plan", "create", title="Busy", workspace_id=home, agent="a"))["plan_id"]
    assert await server.close() == 0
    first = logged(settings, 0)[-1]
    follower, enough = Follower(token, first), asyncio.Event()
    with anyio.fail_after(SECONDS):
        async with serving(settings, 0) as port:
            reading = asyncio.create_task(follower.read(port))
            writing = asyncio.gather(*(write(settings, plan_id, number, enough) for number in range(WRITERS)))
            await follower.until(WRITERS * WRITES // 4)
        await reading
        before = len(follower.heard)
        async with serving(settings, port):
            reading = asyncio.create_task(follower.read(port))
            enough.set()
            await writing
            wanted = logged(settings, first)
            await follower.until(len(wanted))
        await reading

    assert before <= len(wanted), "it was restarted when all was written"
    assert len(wanted) >= WRITERS * WRITES
    assert follower.heard[1:] == wanted
