"""`/mcp`: MCP over streamable HTTP, both protocol eras, each request by itself: a restart breaks no client."""

from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.models.access import Visitor
from server.web.guard import refusal
from server.web.limits import BODY_BYTES
from server.web.site import Site

PATH = "/mcp"


class McpEndpoint:
    """Lets in who has a token, and has the SDK answer. A browser's cookie is not for programs."""

    def __init__(self, sdk: ASGIApp) -> None:
        self._sdk = sdk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who: Visitor = scope["state"]["visitor"]
        if who.role not in ("agent", "reader"):
            reason = who.reason or "MCP takes a token, not the cookie of a browser."
            answer: ASGIApp = refusal(401, "not_allowed", reason, **{"www-authenticate": "Bearer"})
        elif scope["method"] != "POST":
            answer = Response(status_code=405, headers={"allow": "POST"})  # a GET would hang open for nothing
        else:
            answer = self._sdk
        await answer(scope, receive, send)


def routes(site: Site) -> list[Route]:
    """Return the route; the SDK's manager has to run while it is served."""
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=sorted(site.addresses.hosts),
        allowed_origins=[site.addresses.home],
    )
    sdk = site.mcp.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=BODY_BYTES,
        transport_security=security,
    )
    return [Route(PATH, McpEndpoint(sdk))]
