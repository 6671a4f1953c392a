"""The SDK's application for `/mcp`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from server.protocol.app import joined, server_of, shared
from server.protocol.elicitation import SealedQuestions
from server.protocol.resources import Watch
from server.protocol.state import State
from server.web.limits import BODY_BYTES
from server.web.places.addresses import Addresses


@asynccontextmanager
async def serving(
    path: str, state: State, addresses: Addresses, seal_key: bytes
) -> AsyncGenerator[tuple[ASGIApp, Watch]]:
    """Have it serve on a state that all routes share; with the watch whose streams have to be ended."""
    own = joined(state, SealedQuestions(seal_key))
    server = server_of(state.store.settings, shared(own), is_connected=False)
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=sorted(addresses.hosts),
        allowed_origins=[addresses.home],
    )
    app = server.streamable_http_app(
        streamable_http_path=path,
        stateless_http=True,
        max_request_body_size=BODY_BYTES,
        transport_security=security,
    )
    async with server.session_manager.run():
        yield app, own.watch
