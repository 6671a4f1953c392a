"""A real HTTP server on a free port of the loopback, in the loop of the test."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from server.models.access import TokenRole
from server.models.approvals import Word
from server.settings import Settings
from server.web import serving
from server.web.access import add_token
from server.web.links import new_link
from server.web.places import listening
from server.web.places.addresses import LOOPBACK, ServeOptions, addresses
from server.web.site import Site

HOST = "pm-test.localhost"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: a client that makes its own reads all roots
T = TypeVar("T")


@dataclass
class Served:
    """What a test needs to know of a server."""

    site: Site
    url: str
    stop: Callable[[], Awaitable[None]]
    browsers: list[httpx2.AsyncClient] = field(default_factory=list)

    @property
    def home(self) -> str:
        return self.site.addresses.home

    async def token(self, name: str = "tester", role: TokenRole = "agent") -> str:
        return await add_token(await self.site.state.store.open(), name, role, Word("terminal"))

    async def link(self) -> str:
        return await new_link(await self.site.state.store.open(), self.home)

    def http(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """Return a client of the bare address."""
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(base_url=self.url, headers={**bearer, **headers}, timeout=60, verify=NO_TLS)

    def browser(self) -> httpx2.AsyncClient:
        """Return a client that calls the dashboard by its name, from pages of its own."""
        headers = {"host": self.site.addresses.home_host, "origin": self.home, "sec-fetch-site": "same-origin"}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=60, verify=NO_TLS)

    async def owner(self) -> httpx2.AsyncClient:
        """Return a browser that was let in."""
        client = self.browser()
        self.browsers.append(client)
        await let_in(client, await self.link())
        return client


async def let_in(client: httpx2.AsyncClient, link: str) -> httpx2.Response:
    """Press the button of a link. The cookie goes with every request from then on: a test calls no name of its own."""
    answer = await client.post("/enter", data={"code": link.partition("code=")[2]})
    if cookie := answer.headers.get("set-cookie"):
        client.headers["cookie"] = cookie.partition(";")[0]
    return answer


async def call(client: httpx2.AsyncClient, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.post(f"/api/tools/{tool}/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


@asynccontextmanager
async def serve(settings: Settings, options: ServeOptions | None = None) -> AsyncGenerator[Served]:
    """Serve a data root while the body runs."""
    options = options or ServeOptions(port=0)
    sockets = listening.listen(LOOPBACK, options.port or 0)
    port = sockets[0].getsockname()[1]
    place = serving.Place(options, addresses(options, HOST, port), sockets, b"k" * 32)
    started = asyncio.Event()

    async def ready(_: Site) -> None:
        started.set()

    async with serving.served(settings, place, ready) as (server, site):
        task = asyncio.create_task(server.serve(sockets))
        await asyncio.wait({task, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)

        async def stop() -> None:
            site.end()
            server.end()
            await task

        found = Served(site, f"http://{LOOPBACK}:{port}", stop)
        try:
            yield found
        finally:
            for browser in found.browsers:
                await browser.aclose()
            await stop()


@asynccontextmanager
async def held(context: AbstractAsyncContextManager[T]) -> AsyncGenerator[T]:
    """Enter and leave a context in one task, as anyio's cancel scopes demand and a fixture does not."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def hold() -> None:
        async with context as found:
            entered.set_result(found)
            await done.wait()

    task = asyncio.create_task(hold())
    await asyncio.wait({task, entered}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield await entered
    finally:
        done.set()
        await task


@asynccontextmanager
async def mcp_client(url: str, token: str, **options: object) -> AsyncGenerator[Client]:
    """Connect the SDK's client over HTTP."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60, verify=NO_TLS) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, **options) as client:  # pyright: ignore[reportArgumentType]
            yield client
