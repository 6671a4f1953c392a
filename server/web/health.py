"""Whether a server is there, which it is, and, for a challenge, that it is the one that wrote the nonce."""

import hmac
import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server import __version__
from server.web.guard import refusal
from server.web.site import site_of

NAME = "project-memory"
CHALLENGE = re.compile(r"[0-9a-f]{32,128}")


def proof(nonce: str, challenge: str) -> str:
    """Return what only who knows the nonce can answer to a challenge."""
    return hmac.new(nonce.encode(), challenge.encode(), "sha256").hexdigest()


async def health(request: Request) -> Response:
    site = site_of(request)
    db = await site.state.store.open()
    told: dict[str, object] = {"name": NAME, "version": __version__, "schema": db.schema_version}
    challenge = request.query_params.get("challenge")
    if challenge is not None:
        if not CHALLENGE.fullmatch(challenge):
            return refusal(400, "invalid_arguments", "challenge takes 32 to 128 digits from 0 to f.")
        told["proof"] = proof(site.nonce, challenge)
    return JSONResponse(told)


def routes() -> list[Route]:
    return [Route("/health", health, methods=["GET"])]
