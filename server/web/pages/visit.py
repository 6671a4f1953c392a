"""A request of the owner's browser: what it may ask for, and the page that answers it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from server import __version__
from server.db.search import identities
from server.db.storage.connection import Database
from server.errors import ProjectMemoryError
from server.protocol import reading
from server.tools.approvals.callers import Caller
from server.web import rendering
from server.web.pages import notices
from server.web.site import Site, site_of, visitor_of
from server.web.tool_calls import STATUS, OwnersWord

HOME = "back"  # the field of a form with the page that it was on
REQUEST = "request_id"  # which scripts add, so that what is sent again is not done again
UNSEEN = frozenset({HOME, REQUEST})
WAS = "was-"  # before the name of a hidden field: what stood in that field
MOST = 200  # rows of a page
NOT_FOUND = 404


@dataclass(frozen=True)
class Visit:
    """What a page works with."""

    request: Request
    newest: int  # event that what the page shows has for certain

    @property
    def site(self) -> Site:
        return site_of(self.request)

    @property
    def here(self) -> str:
        """The address of this page, with its filters."""
        query = self.request.url.query
        return notices.without(f"{self.request.url.path}?{query}" if query else self.request.url.path)

    @property
    def caller(self) -> Caller:
        """Who asks, and what they may."""
        return self.request.scope["state"]["caller"]

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "").strip()

    async def database(self) -> Database:
        return await self.site.state.store.open()

    async def call(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        """Run an action in the name of the person before the screen; what needs a human's word has it."""
        return await self.send(tool, action, {name: value for name, value in arguments.items() if value != ""})

    async def send(self, tool: str, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run an action with exactly these arguments: an empty one empties what it is about."""
        sent = {"action": action, **{name: value for name, value in arguments.items() if value is not None}}
        return await reading.answered(self.site.state.store, tool, sent, caller=self.caller, asker=OwnersWord())

    async def labels(self, wanted: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return what is still there of some things, by kind and id, with what it is called.

        This reads the database itself: an action for each of the hundred things that a page links to would take longer
        than all the rest of it.
        """
        found = await identities.labels(await self.database(), wanted)
        return {one: label for (_, one), label in found.items()}

    async def name_of(self, workspace_id: str) -> str:
        return (await self.labels([("workspace", workspace_id)])).get(workspace_id) or "workspace"

    async def form(self) -> dict[str, str]:
        body = (await self.request.body()).decode("utf-8", "replace")
        sent = defaultdict[str, list[str]](list)
        for name, value in parse_qsl(body, keep_blank_values=True):  # of what is chosen from a list there are several
            sent[name].append(value)
        return {name: "\n".join(values) for name, values in sent.items()}

    def page(self, template: str, /, status: int = 200, **values: Any) -> Response:
        """Return a page. An answer to something that was sent stays as it is: asked for anew, it is another page."""
        told: dict[str, Any] = {
            "here": self.here,
            "version": __version__,
            "newest": self.newest,
            "is_still": self.request.method != "GET",
            "notice": notices.of(self.request.query_params),
            "shows": {},
        }
        return HTMLResponse(rendering.page(template, **told | values), status)

    def done(self, sent: Mapping[str, str], tool: str, action: str, found: Mapping[str, Any] | None = None) -> Response:
        """Lead back to the page that a form was on, which says what was done."""
        return back_to(notices.added(local(sent.get(HOME, "/")), notices.told(tool, action, sent, found or {})))


Handler = Callable[[Visit], Awaitable[Response]]


def route(path: str, handler: Handler, *methods: str) -> Route:
    """Return the route of a page, which the owner alone sees. What goes wrong is told on a page too."""

    async def answered(request: Request) -> Response:
        visit = Visit(request, site_of(request).hub.position)
        who = visitor_of(request)
        if who.role != "owner":
            return visit.page("outside.html", 401, title="This browser is not let in", reason=who.reason)
        try:
            return await handler(visit)
        except ProjectMemoryError as error:
            sent = await visit.form() if request.method == "POST" else {}
            kept = {name: value for name, value in sent.items() if name not in UNSEEN and not name.startswith(WAS)}
            return failed(request, STATUS.get(error.code, 500), str(error), kept, local(sent.get(HOME, "/")))

    return Route(path, answered, methods=list(methods) or ["GET"])


def failed(
    request: Request, status: int, message: str, kept: Mapping[str, str] | None = None, back: str = "/"
) -> Response:
    """Return a page that says what did not work, with what was sent."""
    visit = Visit(request, site_of(request).hub.position)
    title = "Nothing is here" if status == NOT_FOUND and request.method == "GET" else "That did not work"
    return visit.page("failed.html", status, title=title, message=message, kept=kept, back=back)


def local(path: str) -> str:
    """Return a path of this server, and never one that a browser takes for another server's."""
    is_path = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_path else "/"


def back_to(path: str) -> Response:
    return RedirectResponse(local(path), status_code=303)
