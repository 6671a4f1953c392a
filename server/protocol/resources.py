"""MCP resources: plans and workspaces by URI, and notice of their changes, whichever process makes them."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp.types as wire
from mcp import MCPError, UriTemplate
from mcp.server import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated

from server.db.audit import events
from server.errors import ProjectMemoryError
from server.protocol.state import RESOURCE_TYPE
from server.store import Store

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any]
Read = Callable[[str, dict[str, object]], Awaitable[str]]  # (tool, arguments) -> the text of the result

# What a URI names, and the call that reads it.
TEMPLATES = {
    "memory://plans/{plan_id}": ("A plan: where it stands and who holds what", "memory_plan", "get"),
    "memory://workspaces/{workspace_id}": (
        "A workspace: its plans, claims and last events",
        "memory_workspace",
        "info",
    ),
}
QUIET_SECONDS = 60.0
RETRY_SECONDS = 1.0


def templates() -> wire.ListResourceTemplatesResult:
    return wire.ListResourceTemplatesResult(
        resource_templates=[
            wire.ResourceTemplate(uri_template=uri, name=uri.split("/")[2], description=what, mime_type=RESOURCE_TYPE)
            for uri, (what, _, _) in TEMPLATES.items()
        ]
    )


async def read(uri: str, call: Read) -> wire.ReadResourceResult:
    """Return what a URI names."""
    tool, arguments = _call_for(uri)
    text = await call(tool, arguments)
    return wire.ReadResourceResult(contents=[wire.TextResourceContents(uri=uri, mime_type=RESOURCE_TYPE, text=text)])


def _call_for(uri: str) -> tuple[str, dict[str, object]]:
    for template, (_, tool, action) in TEMPLATES.items():
        if (named := UriTemplate.parse(template).match(uri)) is not None:
            return tool, {"action": action, **named}
    raise MCPError(
        wire.INVALID_PARAMS, f"There is no resource {uri!r}; there are: {', '.join(TEMPLATES)}.", {"uri": uri}
    )


class Watch:
    """Tells subscribers of both protocol eras which resources changed; asleep while there are none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bus = InMemorySubscriptionBus()
        self._serve = ListenHandler(self._bus)
        self._streams = 0
        self._sessions: dict[str, Any] = {}  # the state of a server is that of one connection: one session a URI
        self._seen: int | None = None
        self._wanted = anyio.Event()

    async def listen(
        self, ctx: Context, params: wire.SubscriptionsListenRequestParams
    ) -> wire.SubscriptionsListenResult:
        """Serve one stream of a 2026-07-28 client."""
        await self._start()
        self._streams += 1
        try:
            return await self._serve(ctx, params)
        finally:
            self._streams -= 1

    async def subscribe(self, ctx: Context, params: wire.SubscribeRequestParams) -> wire.EmptyResult:
        """Add a URI for a client of an older protocol."""
        _call_for(params.uri)
        await self._start()
        self._sessions[params.uri] = ctx.session
        return wire.EmptyResult()

    async def unsubscribe(self, params: wire.UnsubscribeRequestParams) -> wire.EmptyResult:
        self._sessions.pop(params.uri, None)
        return wire.EmptyResult()

    def end_streams(self) -> None:
        """Let every stream end with its result, the way a client is told that a server stops."""
        self._serve.close()

    async def _start(self) -> None:
        """Note the newest event before the subscription is answered, so that nothing after it is missed."""
        if self._seen is None:
            self._seen = await events.last_id(await self._store.open())
        self._wanted.set()

    async def run(self) -> None:
        """Publish changes for as long as the server lives."""
        while True:
            await self._wanted.wait()
            try:
                await self._follow()
            except ProjectMemoryError as error:
                logger.warning("subscribers wait: %s", error)
                await anyio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        while self._streams or self._sessions:
            db = await self._store.open()
            mark = await db.version()
            touched, self._seen = await events.touched(db, self._seen or 0)
            for uri in touched:
                await self._publish(uri)
            await db.wait_for_change(mark, QUIET_SECONDS)
        self._wanted, self._seen = anyio.Event(), None

    async def _publish(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))
        if session := self._sessions.get(uri):
            await session.send_resource_updated(uri)
