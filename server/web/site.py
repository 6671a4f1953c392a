"""What all routes of one server share, for as long as it serves."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from mcp.server import Server
from starlette.requests import HTTPConnection

from server.models.access import Visitor
from server.protocol.app import SdkState, joined, server_of, shared
from server.protocol.elicitation import SealedQuestions
from server.protocol.state import State, running
from server.settings import Settings
from server.web.addresses import Addresses
from server.web.limits import Limits
from server.web.measures import Measures


@dataclass
class Site:
    """One server: its database and jobs, its names, who may be let in, and whether it ends."""

    state: State
    own: SdkState
    mcp: Server[SdkState]
    addresses: Addresses
    has_host_tools: bool = True
    nonce: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    limits: Limits = field(default_factory=Limits)
    measures: Measures = field(default_factory=Measures)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Let everything that waits or stays open come to its end."""
        self.ending.set()
        self.own.watch.end_streams()
        self.state.store.waits.end()


@asynccontextmanager
async def opened(
    settings: Settings, addresses: Addresses, *, seal_key: bytes, has_host_tools: bool = True
) -> AsyncGenerator[Site]:
    """Open the database and keep its jobs going for a server that is reached under `addresses`."""
    async with running(settings) as state:
        await state.store.open()
        measures = Measures()
        state.on_called = measures.called
        own = joined(state, SealedQuestions(seal_key))
        yield Site(
            state,
            own,
            server_of(settings, shared(own), is_connected=False),
            addresses,
            has_host_tools,
            measures=measures,
        )


def site_of(request: HTTPConnection) -> Site:
    return cast(Site, request.app.state.site)


def visitor_of(request: HTTPConnection) -> Visitor:
    return cast(Visitor, request.scope["state"]["visitor"])
