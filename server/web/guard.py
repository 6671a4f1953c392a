"""What every request passes first: its Host, where it comes from, who sends it, and how much they may ask for."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ProjectMemoryError
from server.models.access import Visitor
from server.web import access, links, rendering
from server.web.bodies import BodyLimit, with_body
from server.web.limits import BODY_BYTES, Limits, TooMany
from server.web.site import Site

LASTING = "/events"  # streams, which have a limit of their own
CODE_BYTES = 4096  # of a form with the code of a link
AWAY = "The database cannot be read at the moment. The log of the server says why."
ALWAYS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
SECURITY = [(name.encode(), value.encode()) for name, value in ALWAYS.items()]  # where an answer says nothing else


def refusal(status: int, code: str, message: str, **headers: str) -> Response:
    """Return an error as tools tell theirs."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)


def unknown(who: Visitor) -> Response:
    """Refuse who did not say who they are, with the reason."""
    return refusal(401, "not_allowed", who.reason, **{"www-authenticate": "Bearer"})


class FrontDoor:
    """Lets through to the routes what may come in, and notes who it is of."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        counted = _counted(app, site.limits)
        self._app = _counted(BodyLimit(app, BODY_BYTES), site.limits)
        self._of_strangers = _unread(counted, BodyLimit(counted, CODE_BYTES))
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is served")
        headers = Headers(scope=scope)
        who = Visitor("nobody")
        try:
            told = self._misplaced(headers)
            if told is None:
                who = await access.visitor(
                    await self._site.state.store.open(), self._site.addresses, scope["method"], headers
                )
        except ProjectMemoryError as error:
            told = self._unreadable(headers, error)
        guarded = _Answer(self._site, who, send)
        if told is not None:
            await told(scope, receive, guarded)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["visitor"] = who
        state["caller"] = access.caller(who, has_host_tools=self._site.has_host_tools)
        await self._let_through(scope, receive, guarded, who)

    def _unreadable(self, headers: Headers, error: ProjectMemoryError) -> Response:
        """Say that nobody can be let in now; where anybody may come from a network, not why: it names files."""
        why = str(error) if self._site.has_host_tools else AWAY
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(rendering.page("outside.html", title="Not now", reason=why, is_away=True), 503)
        return refusal(503, error.code, why)

    async def _let_through(self, scope: Scope, receive: Receive, send: Send, who: Visitor) -> None:
        app = self._of_strangers if who.role == "nobody" else self._app
        try:
            if who.role != "nobody":
                self._site.limits.spend(who.key)
            await app(scope, receive, send)
        except TooMany as error:
            await refusal(error.status, "busy", str(error), **{"retry-after": "1"})(scope, receive, send)

    def _misplaced(self, headers: Headers) -> Response | None:
        """Refuse what calls us by a name that is not ours, and what a page of others sends."""
        places = self._site.addresses
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in places.hosts:
            return refusal(421, "not_allowed", "This server is not called that. See `project-memory serve status`.")
        if (origin := headers.get("origin")) is not None and origin.lower() != places.home:
            return refusal(403, "not_allowed", "A page of another origin may not call this server.")
        return None


def _counted(app: ASGIApp, limits: Limits) -> ASGIApp:
    """Let requests through, no more at a time than are done at a time."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == LASTING:
            await app(scope, receive, send)
            return
        with limits.one_more(scope["state"]["visitor"].key):
            await app(scope, receive, send)

    return answer


def _unread(app: ASGIApp, entering: ASGIApp) -> ASGIApp:
    """Wait for no body of who is not known, so that strangers hold nothing up.

    All that they may send is a code, and while that is on its way it keeps nobody else waiting.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == links.ENTER:
            await entering(scope, receive, send)
        else:
            await app(scope, with_body(b"", receive), send)

    return answer


class _Answer:
    """Sends an answer on, with what keeps a browser from doing more with it than it should."""

    def __init__(self, site: Site, who: Visitor, send: Send) -> None:
        self._site = site
        self._who = who
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            told: list[tuple[bytes, bytes]] = list(message["headers"])
            names = {name for name, _ in told}
            told += [header for header in SECURITY if header[0] not in names]
            if self._who.renewed and b"set-cookie" not in names:
                renewing = Response()
                links.set_cookie(renewing, self._site.addresses, self._who.renewed)
                told.append((b"set-cookie", renewing.headers["set-cookie"].encode()))
            message = {**message, "headers": told}
        await self._send(message)
