"""MCP resources: pages of what is stored, by URI, and notice of changes, whichever process makes them."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp.types as wire
from mcp import MCPError, UriTemplate
from mcp.server import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated

from server import catalog_pages
from server.db.audit import events
from server.db.library import definitions
from server.db.storage.connection import Reader
from server.errors import NotFound, ProjectMemoryError
from server.exporters import pages
from server.protocol.state import RESOURCE_TYPE, WORKSPACES, carried
from server.store import Store
from server.tools import TOOLS

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any]
Page = Callable[..., Awaitable[str]]  # (database, what the address names) -> Markdown


async def _definition(db: Reader, kind: str, name: str) -> str:
    if kind not in definitions.KINDS:
        raise NotFound(f"The library holds no {kind[:40]!r}: a kind is one of {', '.join(definitions.KINDS)}.")
    return await pages.definition(db, kind, name)


async def _action(_: Reader, tool: str, action: str) -> str:
    if tool not in TOOLS:
        raise NotFound(f"There is no tool {tool[:40]!r}: there are {', '.join(TOOLS)}.")
    return catalog_pages.action_page(TOOLS[tool].find(action))


# What a URI names, and its page.
TEMPLATES: dict[str, tuple[str, str, Page]] = {
    "memory://workspaces/{workspace_id}": (
        "Workspace",
        "Its plans, programs and knowledge, who holds what, and its last events",
        pages.workspace,
    ),
    "memory://plans/{plan_id}": ("Plan", "The whole plan, archived or not", pages.plan),
    "memory://plans/{plan_id}/steps/{step_index}": ("Step", "One step of a plan, by its index from 0", pages.step),
    "memory://programs/{program_id}": ("Program", "How far its plans are, and its risks", pages.program),
    "memory://research/{document_id}": ("Research", "A research document, as it was written", pages.document),
    "memory://knowledge/{workspace_id}/{slug}": ("Knowledge", "What a workspace keeps under a slug", pages.entry),
    "memory://library/{kind}/{name}": (
        "Library",
        "An agent, instruction or skill, for every workspace or of one",
        _definition,
    ),
    "memory://catalog/{tool}/{action}": ("Action", "How to call an action of a tool", _action),
}
TOLD = ("memory://workspaces/{workspace_id}", "memory://plans/{plan_id}")  # of their changes subscribers hear
QUIET_SECONDS = 60.0
RETRY_SECONDS = 1.0


def templates() -> wire.ListResourceTemplatesResult:
    return wire.ListResourceTemplatesResult(
        resource_templates=[
            wire.ResourceTemplate(
                uri_template=uri, name=title.lower(), title=title, description=what, mime_type=RESOURCE_TYPE
            )
            for uri, (title, what, _) in TEMPLATES.items()
        ]
    )


async def read(uri: str, store: Store) -> wire.ReadResourceResult:
    """Return what a URI names."""
    page, named = _page_of(uri)
    text = await page(await store.open(), **named)
    contents = wire.TextResourceContents(uri=uri, mime_type=RESOURCE_TYPE, text=carried(text))
    return wire.ReadResourceResult(contents=[contents])


def _page_of(uri: str) -> tuple[Page, dict[str, Any]]:
    if uri == WORKSPACES:
        return pages.all_workspaces, {}
    for template, (_, _, page) in TEMPLATES.items():
        if (named := UriTemplate.parse(template).match(uri)) is not None:
            return page, {**named}
    raise MCPError(
        wire.INVALID_PARAMS,
        f"There is no resource {uri!r}; there are: {', '.join((WORKSPACES, *TEMPLATES))}.",
        {"uri": uri},
    )


def _refuse_untold(uri: str) -> None:
    """Refuse a subscription that would never tell anything."""
    _page_of(uri)
    if not any(UriTemplate.parse(template).match(uri) is not None for template in TOLD):
        raise MCPError(wire.INVALID_PARAMS, f"Changes are told of {' and '.join(TOLD)}, not of {uri!r}.", {"uri": uri})


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
        _refuse_untold(params.uri)
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
