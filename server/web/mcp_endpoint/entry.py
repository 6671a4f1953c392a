"""Who may come in at `/mcp`, and who answers: ourselves a plain call, the SDK everything else."""

from typing import cast

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.models.access import Visitor
from server.web.bodies import body_of, with_body
from server.web.guard import refusal
from server.web.mcp_endpoint.plain_calls import PlainCalls
from server.web.site import BEAT_SECONDS, Site, is_let_in


class LastingAnswer:
    """Passes an answer on, and ends one that was broken off."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        await self._send(message)
        self._is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))

    async def end(self) -> None:
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b""})


class McpEndpoint:
    """Lets in who has a token. A browser's cookie is not for programs."""

    def __init__(self, site: Site) -> None:
        self._site = site
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
            await self._while_let_in(scope, with_body(body, receive), LastingAnswer(send))

    async def _while_let_in(self, scope: Scope, receive: Receive, answer: LastingAnswer) -> None:
        """Let the SDK answer for as long as who asks is let in: its streams of changes last."""
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                is_in = True
                while is_in:
                    with anyio.move_on_after(BEAT_SECONDS):
                        await self._site.hub.doubt.wait()
                    is_in = await is_let_in(self._site, scope["method"], Headers(scope=scope))
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._sdk(scope, receive, answer)
            tasks.cancel_scope.cancel()
        await answer.end()
