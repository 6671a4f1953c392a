"""What the SDK answers of `/mcp`. It is loaded when a request first needs it: to load it takes longest of all."""

from importlib import import_module
from typing import TYPE_CHECKING

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from server.protocol.state import State
from server.web.places.addresses import Addresses

if TYPE_CHECKING:
    from server.protocol.resources import Watch

PATH = "/mcp"
APP = "server.web.mcp_endpoint.sdk_app"


class SdkSide:
    """The SDK's own application, on the state that all routes share."""

    def __init__(self, state: State, addresses: Addresses, seal_key: bytes) -> None:
        self._shared = (PATH, state, addresses, seal_key)
        self._wanted, self._ready = anyio.Event(), anyio.Event()
        self._app: ASGIApp | None = None
        self._watch: Watch | None = None

    async def run(self) -> None:
        """Wait until it is wanted, then serve until the end."""
        await self._wanted.wait()
        await anyio.to_thread.run_sync(import_module, APP)  # others are answered meanwhile
        from server.web.mcp_endpoint.sdk_app import serving

        async with serving(*self._shared) as (self._app, self._watch):
            self._ready.set()
            await anyio.sleep_forever()

    def end_streams(self) -> None:
        """Let streams of changes come to their end."""
        if self._watch:
            self._watch.end_streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wanted.set()
        await self._ready.wait()
        assert self._app
        await self._app(scope, receive, send)
