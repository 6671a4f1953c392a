"""The application: every route behind the one guard."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import ProjectMemoryError
from server.settings import Settings
from server.web import event_stream, health, links, metrics, tool_calls
from server.web.guard import FrontDoor, refusal
from server.web.mcp_endpoint import entry
from server.web.mcp_endpoint.sdk_side import PATH
from server.web.pages import routes as pages
from server.web.pages.visit import failed
from server.web.places.addresses import Addresses
from server.web.site import Site, opened, visitor_of


def build(site: Site) -> ASGIApp:
    """Return the application of a site. What programs call all day has no routes to go through."""
    routes = [
        *health.routes(),
        *metrics.routes(),
        *links.routes(),
        *tool_calls.routes(),
        *event_stream.routes(),
        *pages.routes(),
    ]
    others = Starlette(routes=routes, exception_handlers={404: _not_found, ProjectMemoryError: _failed})
    others.router.redirect_slashes = False
    others.state.site = site
    endpoint = entry.McpEndpoint(site)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        await (endpoint if scope["path"] == PATH else others)(scope, receive, send)

    return FrontDoor(routed, site)


@asynccontextmanager
async def application(
    settings: Settings, addresses: Addresses, *, seal_key: bytes, has_host_tools: bool = True
) -> AsyncGenerator[tuple[ASGIApp, Site]]:
    """Have everything ready that requests need, for as long as the body runs."""
    async with opened(settings, addresses, seal_key=seal_key, has_host_tools=has_host_tools) as site:
        yield build(site), site


async def _not_found(request: Request, _: Exception) -> Response:
    told = f"Nothing is at {request.url.path[:200]!r}."
    if visitor_of(request).role == "owner" and "text/html" in request.headers.get("accept", ""):
        return failed(request, 404, told)
    return refusal(404, "not_found", told)


async def _failed(_: Request, error: Exception) -> Response:
    code = error.code if isinstance(error, ProjectMemoryError) else "internal"
    return refusal(503 if code in ("busy", "storage", "schema_too_new") else 500, code, str(error))
