"""SIGTERM while calls are under way: what was acknowledged is stored, and nobody is left without an answer for long."""

import asyncio
import sqlite3
from pathlib import Path

import anyio
import httpx2

from server.settings import Settings
from tests.e2e.processes import ServerProcess
from tests.e2e.test_stream_of_many import serving, token_of

WRITERS, BEFORE, SECONDS = 6, 60, 120


def stored(settings: Settings) -> set[str]:
    with sqlite3.connect(settings.database) as db:
        found = {kind for (kind,) in db.execute("SELECT type FROM context_items")}
    db.close()
    return found


async def test_what_was_acknowledged_until_the_end_is_stored(settings: Settings, project: Path) -> None:
    token = await token_of(settings, "agent")
    server = await ServerProcess.start(settings.data_root)
    home = (await server("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    plan_id = (await server("memory_plan", "create", title="Busy", workspace_id=home, agent="a"))["plan_id"]
    assert await server.close() == 0
    acknowledged: set[str] = set()
    refused: set[int] = set()
    is_busy = asyncio.Event()

    async def write(port: int, number: int) -> None:
        headers = {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=SECONDS) as http:
            n = 0
            while True:
                kind = f"of {number} {n}"
                sent = {"plan_id": plan_id, "type": kind, "data": {"n": n}, "agent": "a"}
                try:
                    answer = await http.post("/api/tools/memory_context/store", json=sent)
                except httpx2.HTTPError:
                    return
                if answer.status_code == 200:
                    acknowledged.add(kind)
                else:
                    refused.add(answer.status_code)
                n += 1
                if len(acknowledged) > BEFORE:
                    is_busy.set()

    with anyio.fail_after(SECONDS):
        async with serving(settings, 0) as port:
            writing = asyncio.gather(*(write(port, number) for number in range(WRITERS)))
            await is_busy.wait()
        await writing

    assert len(acknowledged) > BEFORE
    assert acknowledged <= stored(settings)
    assert refused <= {503}
