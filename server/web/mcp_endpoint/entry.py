"""Who may come in at `/mcp`, and who answers: ourselves a plain call, the SDK everything else."""

from typing import cast

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.models.access import Visitor
from server.web.bodies import body_of, with_body
from server.web.guard import refusal
from server.web.mcp_endpoint.plain_calls import PlainCalls
from server.web.mcp_endpoint.sdk_side import PATH
from server.web.site import Site


class McpEndpoint:
    """Lets in who has a token. A browser's cookie is not for programs."""

    def __init__(self, site: Site) -> None:
        self._plain = PlainCalls(site.state)
        self._sdk = site.sdk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = cast(Visitor, scope["state"]["visitor"])
        if who.role not in ("agent", "reader"):
            reason = who.reason or "MCP takes a token, not the cookie of a browser."
            answer: ASGIApp = refusal(401, "not_allowed", reason, **{"www-authenticate": "Bearer"})
        elif scope["method"] != "POST":
            answer = Response(status_code=405, headers={"allow": "POST"})  # a GET would hang open for nothing
        else:
            answer = self._answered
        await answer(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await body_of(receive)
        asked = self._plain.call_in(Headers(scope=scope), body)
        if asked is None or not await self._plain.answer(asked, scope["state"]["caller"], receive, send):
            await self._sdk(scope, with_body(body, receive), send)


def routes(site: Site) -> list[Route]:
    return [Route(PATH, McpEndpoint(site))]
