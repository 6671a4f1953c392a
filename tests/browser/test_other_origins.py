"""What is stored by an agent, or served by another program of this machine, as an attack on the person's browser."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import shown_stores
from playwright.async_api import Page, expect

from tests.browser.conftest import Invite, Person, Start
from tests.browser.test_live_pages import boat
from tests.served import HOST, Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# What a page of another origin tries, with the cookie of the person; each yields what it got to know or do.
READS = """async (address) => {
  const told = [];
  for (const options of [{}, { credentials: "include" }, { mode: "no-cors", credentials: "include" }])
    told.push(await fetch(address, options).then((answer) => answer.text(), () => ""));
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.src = address;
  await new Promise((done) => { frame.onload = frame.onerror = done; });
  try { told.push(frame.contentDocument?.body.innerText ?? ""); } catch { told.push(""); }
  told.push(await new Promise((done) => {
    const stream = new EventSource(new URL("/events?since_id=0", address), { withCredentials: true });
    stream.onmessage = (event) => (stream.close(), done(event.data));
    stream.onerror = () => (stream.close(), done(""));
  }));
  return told;
}"""
WRITES = """async ([address, fields]) => {
  const body = new URLSearchParams(fields);
  for (const mode of ["no-cors", "cors"])
    await fetch(address, { method: "POST", mode, credentials: "include", body }).catch(() => null);
  const plain = { "content-type": "text/plain" };
  await fetch(address, { method: "POST", mode: "no-cors", credentials: "include", body: `${body}`, headers: plain })
    .catch(() => null);
}"""
LINKS = "(links) => links.map((link) => link.href.baseVal ?? link.href)"
FORM = """([address, fields]) => {
  const form = document.body.appendChild(document.createElement("form"));
  Object.assign(form, { method: "post", action: address });
  for (const [name, value] of Object.entries(fields))
    form.append(Object.assign(document.createElement("input"), { name, value }));
  form.submit();
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def other_port() -> AsyncGenerator[int]:
    """The port of another program of this machine, which serves pages of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><title>Free games</title><body>"
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def elsewhere(person: Person, host: str, port: int) -> Page:
    page = await person.context.new_page()
    await page.goto(f"http://{host}:{port}/")
    await expect(page).to_have_title("Free games")
    return page


@pytest.mark.parametrize("host", [HOST, "localhost", "127.0.0.1"])
async def test_a_page_of_another_port_of_this_machine_reads_nothing_and_changes_nothing(
    served: Served, invite: Invite, start: Start, other_port: int, host: str
) -> None:
    agent = await start()
    plan_id = await boat(agent, "Secret boat")
    person = await invite(served, may_lose=True)
    evil = await elsewhere(person, host, other_port)
    note = {"plan_id": plan_id, "note": "forged", "back": "/"}
    address = f"{served.home}/do/memory_plan/add_note"

    read = [await evil.evaluate(READS, f"{served.home}{path}") for path in ("/board", f"/p/{plan_id}")]
    await evil.evaluate(WRITES, [address, note])
    await evil.evaluate(WRITES, [f"{served.home}/api/tools/memory_plan/add_note", note])
    async with evil.expect_navigation():
        await evil.evaluate(FORM, [address, note])
    own = await person.open(f"/p/{plan_id}")

    assert "Secret boat" not in str(read)
    assert "forged" not in str(await agent.reads("memory_plan", "list_notes", plan_id=plan_id))
    await expect(own.get_by_role("heading", level=1)).to_have_text("Secret boat")


async def test_a_name_that_was_made_to_lead_here_leads_to_nothing(served: Served, invite: Invite, start: Start) -> None:
    """A page of a name of others, which its owner makes lead to the loopback, is of one origin with what answers."""
    agent = await start()
    await boat(agent, "Secret boat")
    person = await invite(served, may_lose=True)
    page = await person.context.new_page()
    port = served.site.addresses.port

    answer = await page.goto(f"http://evil.localhost:{port}/board")
    statuses = await page.evaluate(
        """async () => {
          const gets = ["/", "/board", "/events", "/health", "/enter"].map((path) => fetch(path));
          const answers = await Promise.all([...gets, fetch("/api/tools/memory_plan/list", { method: "POST" })]);
          return answers.map((answer) => answer.status);
        }"""
    )

    assert answer is not None
    assert answer.status == 421
    assert statuses == [421] * 6


async def test_nothing_that_an_agent_stores_is_run(served: Served, invite: Invite, start: Start, project: Path) -> None:
    agent = await start("Mallory")

    async def call(tool: str, action: str, **arguments: Any) -> dict[str, Any]:
        return await agent.server(tool, action, **arguments)

    known = await shown_stores.hostile(call, project)
    person = await invite(served)
    home, plan = f"/w/{known['workspace_id']}", f"/p/{known['plan_id']}"
    lists = [
        f"{home}/{name}" for name in ("messages", "knowledge", "programs", "scripts", "history", "events", "timeline")
    ]
    others = [
        f"{plan}/graph",
        f"{plan}/research/a.md",
        f"/e/{known['item_id']}",
        f"/do/memory_plan/update?plan_id={known['plan_id']}",
    ]
    searched = "/search?q=%3Cscript%3Ealert(1)%3C/script%3E"
    page = await person.open()
    for path in ("/", "/board", home, plan, *lists, *others, searched):
        answer = await page.goto(f"{served.home}{path}")
        assert answer is not None
        assert answer.ok, path
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert await page.locator("main img, main script, main iframe, main [onerror], main [onload]").count() == 0
        for link in await page.locator("main a").evaluate_all(LINKS):
            assert re.match("https?:|/", link), path
    assert person.wrong == []
