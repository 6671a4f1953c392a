"""`/events`: what changes, as server-sent events that go on where they were broken off."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from server.db.audit import events
from server.db.audit.events import Feed
from server.db.upkeep import outlived
from server.errors import ProjectMemoryError
from server.models.access import Visitor
from server.models.events import ENTITIES, TYPES, types_of
from server.web.following import Hub, StreamReader, frame
from server.web.guard import LASTING, refusal, unknown
from server.web.limits import MOST_FOLLOWERS, SHARE
from server.web.site import BEAT_SECONDS, Site, is_let_in, site_of, visitor_of

RETRY_MS = 1000
PAGE = 500
LONGEST_ID = 18
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]


async def follow(request: Request) -> Response:
    """Stream the events that a reader asks for."""
    who, site = visitor_of(request), site_of(request)
    if who.role == "nobody":
        return unknown(who)
    told = request.query_params
    types = [name for name in told.get("types", "").split(",") if name]
    if strange := [name for name in types if name not in TYPES and name not in ENTITIES]:
        known = ", ".join(sorted(ENTITIES))
        return refusal(400, "invalid_arguments", f"No event is called {strange[0][:80]!r}; kinds are: {known}.")
    since = request.headers.get("last-event-id") or told.get("since_id")
    if since is not None and not (since.isascii() and since.isdigit() and len(since) <= LONGEST_ID):
        return refusal(400, "invalid_arguments", "Last-Event-ID (or since_id) is the id of an event, a whole number.")
    if full := _full(site, who):
        return full
    if request.method == "HEAD":  # which has no body, and so no end
        return Response(media_type="text/event-stream")
    wanted = Feed(told.get("workspace"), told.get("plan"), types_of(types))
    frames = _frames(
        site,
        wanted,
        who.key,
        int(since) if since is not None else None,
        partial(is_let_in, site, request.method, request.headers),
    )
    return EventStream(frames)


def _full(site: Site, who: Visitor) -> Response | None:
    """Refuse one reader more than there may be, or than this visitor may have."""
    if site.hub.followers >= MOST_FOLLOWERS:
        return refusal(503, "busy", f"{MOST_FOLLOWERS} readers follow already.", **{"retry-after": "5"})
    if (own := site.hub.followers_of(who.key)) >= MOST_FOLLOWERS * SHARE:
        return refusal(429, "busy", f"{own} readers of yours follow already.", **{"retry-after": "5"})
    return None


async def _frames(
    site: Site, wanted: Feed, visitor: str, since: int | None, is_let_in: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes]:
    """Yield what goes over the line: follow first, then read the log up to there, so that nothing falls between.

    It ends where the log cannot be read: who comes again is told why.
    """
    hub = site.hub
    with hub.follow(wanted, visitor) as follower, suppress(ProjectMemoryError):
        start = hub.position
        db = await site.state.store.open()
        newest = await events.last_id(db)
        sent = start if since is None else since
        if sent > newest or sent < await outlived.newest_trimmed(db, wanted.workspace_id):
            yield _reset(newest)
            sent = newest
        yield f"retry: {RETRY_MS}\nid: {sent}\n\n".encode()
        while sent < start:
            found = await events.after(db, wanted, sent, limit=PAGE)
            yield b"".join(map(frame, found))
            sent = found[-1].event_id if len(found) == PAGE else max(start, found[-1].event_id if found else 0)
        async for told in _live(hub, follower, sent, is_let_in):
            yield told


async def _live(
    hub: Hub, follower: StreamReader, sent: int, is_let_in: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    asked_at = anyio.current_time()
    while not hub.is_over:
        if follower.is_doubted or anyio.current_time() - asked_at >= BEAT_SECONDS:
            follower.is_doubted = False
            if not await is_let_in():
                return
            asked_at = anyio.current_time()
        if follower.is_cut_off:
            yield _reset(hub.position)
            return
        if found := follower.take(sent):
            yield found
            continue
        await follower.more(BEAT_SECONDS)
        if follower.is_idle:
            yield f"id: {max(sent, hub.position)}\n\n".encode()


def _reset(newest: int) -> bytes:
    """Tell a reader that it missed something: what it shows has to be fetched anew."""
    return f'event: reset\nid: {newest}\ndata: {{"newest":{newest}}}\n\n'.encode()


class EventStream(Response):
    """Sends what comes until the reader goes or the server ends."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__()
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._frames) as frames, anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            async for told in frames:
                await send({"type": "http.response.body", "body": told, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            tasks.cancel_scope.cancel()


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def routes() -> list[Route]:
    return [Route(LASTING, follow, methods=["GET"])]
