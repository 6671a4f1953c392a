"""What all routes of one server share, for as long as it serves."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import anyio
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from server.errors import ProjectMemoryError
from server.models.access import Visitor
from server.protocol.state import State, persist, running
from server.settings import Settings
from server.web import access
from server.web.following import Hub
from server.web.limits import Limits
from server.web.mcp_endpoint.sdk_side import SdkSide
from server.web.measures import Measures
from server.web.places.addresses import Addresses

BEAT_SECONDS = 15.0  # between two looks whether who has a stream is let in still


@dataclass
class Site:
    """One server: its database and jobs, its names, who may be let in, and whether it ends."""

    state: State
    sdk: SdkSide
    hub: Hub
    addresses: Addresses
    has_host_tools: bool = True
    nonce: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    limits: Limits = field(default_factory=Limits)
    measures: Measures = field(default_factory=Measures)

    def end(self) -> None:
        """Let everything that waits or stays open come to its end."""
        self.hub.end()
        self.sdk.end_streams()
        self.state.store.waits.end()


@asynccontextmanager
async def opened(
    settings: Settings, addresses: Addresses, *, seal_key: bytes, has_host_tools: bool = True
) -> AsyncGenerator[Site]:
    """Open the database and keep its jobs going for a server that is reached under `addresses`."""
    async with running(settings) as state, anyio.create_task_group() as tasks:
        hub = Hub(state.store)
        await hub.begin()
        measures = Measures()
        state.on_called = measures.called
        sdk = SdkSide(state, addresses, seal_key)
        tasks.start_soon(persist, "the stream of events", hub.run)
        tasks.start_soon(persist, "the SDK", sdk.run)
        yield Site(state, sdk, hub, addresses, has_host_tools, measures=measures)
        tasks.cancel_scope.cancel()


async def is_let_in(site: Site, method: str, headers: Headers) -> bool:
    """Return whether who sent a request would still be let in: a token may have been revoked, a browser left.

    Where the database cannot be read nobody is: who comes again is told why.
    """
    try:
        who = await access.visitor(await site.state.store.open(), site.addresses, method, headers)
    except ProjectMemoryError:
        return False
    return who.role != "nobody"


def site_of(request: HTTPConnection) -> Site:
    return cast(Site, request.app.state.site)


def visitor_of(request: HTTPConnection) -> Visitor:
    return cast(Visitor, request.scope["state"]["visitor"])
