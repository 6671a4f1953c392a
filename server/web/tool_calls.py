"""`POST /api/tools/{tool}/{action}`: the actions of the tools, for scripts and for pages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.models.approvals import Via
from server.protocol.state import Told, call
from server.tools.approvals.asking import Answer, Question
from server.tools.approvals.callers import Caller
from server.web.guard import refusal, unknown
from server.web.site import Site, site_of, visitor_of

STATUS: Mapping[str, int] = {
    "invalid_arguments": 400,
    "ambiguous": 400,
    "unknown_action": 404,
    "not_found": 404,
    "conflict": 409,
    "gated": 403,
    "not_allowed": 403,
    "too_large": 413,
    "busy": 503,
    "schema_too_new": 503,
}
CONSTANTS = "NaN, Infinity and -Infinity are no JSON"


@dataclass(frozen=True)
class OwnersWord:
    """The owner sends the call from a page of ours: what needs a human's word has it."""

    client: str = "a browser"
    via: Via = "dashboard"

    def begin(self) -> None:
        """It is there already."""

    async def ask(self, question: Question) -> Answer | None:
        return Answer(yes=True)


async def called(site: Site, caller: Caller, tool: str, arguments: Mapping[str, object]) -> Told:
    """Run a call in the name of whoever sent it."""
    return await call(site.state, tool, arguments, asker=OwnersWord() if caller.is_person else None, caller=caller)


async def call_tool(request: Request) -> Response:
    who = visitor_of(request)
    if who.role == "nobody":
        return unknown(who)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return refusal(415, "invalid_arguments", "Send the arguments as JSON, with content-type application/json.")
    if request.url.query:
        return refusal(400, "invalid_arguments", "The arguments go into the body, as JSON. The address takes none.")
    try:
        arguments = _arguments(await request.body())
    except ValueError as error:
        return refusal(400, "invalid_arguments", f"The body is no JSON object with the arguments: {error}.")
    named = {**arguments, "action": request.path_params["action"]}
    told = await called(site_of(request), request.scope["state"]["caller"], request.path_params["tool"], named)
    status = STATUS.get(told.code, 500) if told.is_error else 200
    return Response(told.text, status, media_type="application/json")


def _arguments(body: bytes) -> Mapping[str, Any]:
    def refuse(_: str) -> Any:
        raise ValueError(CONSTANTS)

    try:
        found: object = json.loads(body or b"{}", parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if isinstance(found, dict):
        return cast(dict[str, Any], found)
    raise ValueError("it is something else")


def routes() -> list[Route]:
    return [Route("/api/tools/{tool}/{action}", call_tool, methods=["POST"])]
