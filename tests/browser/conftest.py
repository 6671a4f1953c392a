"""Fixtures: the system's Chromium, let in by links, and a watch over what no page may ever do.

All tests here run in one loop, since one browser serves them all. They wait for what a page shows, never for a time.
"""

import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from chromium import executable, launch
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from server.settings import Settings
from server.web.places.addresses import ServeOptions
from tests.e2e.processes import ServerProcess
from tests.served import Served, held, serve

IN_CI = os.environ.get("CI", "") not in ("", "0", "false")
PATIENCE = 30_000  # milliseconds until a page that does not change has failed
WATCH = """document.addEventListener("securitypolicyviolation",
  (event) => tellTest(`${event.violatedDirective} ${event.blockedURI}`));"""

# In CI `scripts/test` names what could not be installed; elsewhere it is an error.
collect_ignore_glob = ["test_*.py"] if IN_CI and not executable() else []

expect.set_options(timeout=PATIENCE)


@dataclass
class Person:
    """Somebody before a browser of their own, and what went wrong on the pages that they saw."""

    context: BrowserContext
    home: str
    wrong: list[str] = field(default_factory=list[str])
    may_lose: bool = False  # whether the server goes away, or refuses, in this test

    async def open(self, path: str = "/") -> Page:
        page = await self.context.new_page()
        await page.goto(f"{self.home}{path}")
        return page

    async def watch(self) -> None:
        """Note scripts that were refused or failed, errors, and dialogs, none of which may be."""
        await self.context.expose_binding("tellTest", lambda source, told: self._note(source["page"], told))
        await self.context.add_init_script(WATCH)
        self.context.on("page", self._listen)

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._note(page, str(error)))
        page.on("console", lambda told: self._hear(page, told))
        page.on("dialog", self._refuse)

    def _note(self, page: Page, what: str) -> None:
        """Note what went wrong on a page of ours; what others may not do is told on theirs."""
        if page.url.startswith(self.home):
            self.wrong.append(what)

    def _hear(self, page: Page, told: ConsoleMessage) -> None:
        is_lost = re.search(r"Failed to load resource|net::ERR_", told.text)
        if told.type == "error" and not (self.may_lose and is_lost):
            self._note(page, told.text)

    async def _refuse(self, dialog: Any) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()


@dataclass(frozen=True)
class Agent:
    """A server as an editor starts it, a process that knows nothing of the one over HTTP, and who calls it."""

    server: ServerProcess
    home: str
    name: str = "Builder"

    async def __call__(self, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
        return await self.reads(tool, action, **{"agent": self.name, **arguments})

    async def reads(self, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
        """Call what takes no name."""
        return await self.server(tool, action, **{"workspace_path": self.home, **arguments})


Invite = Callable[..., Awaitable[Person]]
Start = Callable[..., Awaitable[Agent]]
Again = Callable[[Served], Awaitable[Served]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        found = await launch(playwright)
        yield found
        await found.close()


@pytest_asyncio.fixture(loop_scope="session")
async def invite(chromium: Browser) -> AsyncGenerator[Invite]:
    """Invites people: each has a browser that shares nothing with the others, and was let in unless told otherwise."""
    people: list[Person] = []

    async def new(served: Served, *, is_let_in: bool = True, may_lose: bool = False, **options: Any) -> Person:
        context = await chromium.new_context(**options)
        context.set_default_timeout(PATIENCE)
        person = Person(context, served.home, may_lose=may_lose)
        people.append(person)
        await person.watch()
        if is_let_in:
            page = await person.context.new_page()
            await page.goto(await served.link())
            await page.get_by_role("button").click()
            await page.wait_for_url(f"{served.home}/")
            await page.close()
        return person

    yield new
    for person in people:
        await person.context.close()
    assert [person.wrong for person in people if person.wrong] == []


@pytest_asyncio.fixture(loop_scope="session")
async def served(settings: Settings) -> AsyncGenerator[Served]:
    async with held(serve(settings)) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def start(settings: Settings, project: Path) -> AsyncGenerator[Start]:
    """Starts agents, each with a server of its own over stdio."""
    async with AsyncExitStack() as stack:

        async def new(name: str = "Builder") -> Agent:
            server = await ServerProcess.start(settings.data_root)
            stack.push_async_callback(server.kill)
            await server("memory_workspace", "register", workspace_path=str(project))
            return Agent(server, str(project), name)

        yield new


@pytest_asyncio.fixture(loop_scope="session")
async def again(settings: Settings) -> AsyncGenerator[Again]:
    """Ends a server and starts another in its place."""
    async with AsyncExitStack() as stack:

        async def restart(served: Served) -> Served:
            await served.stop()
            port = served.site.addresses.port
            return await stack.enter_async_context(held(serve(settings, ServeOptions(port=port))))

        yield restart
