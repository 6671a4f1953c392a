"""The floor of `serve`: the bare server of `bench_echo.py` over HTTP, with the options that `serve` has.

`python bench_echo_http.py ANSWERS` prints where it listens.
"""

import json
import socket
import sys
from pathlib import Path

import uvicorn
from bench_echo import build
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response
from starlette.routing import Route


def serve(answers: dict[str, str]) -> None:
    """Serve as `serve` does: each request by itself, on a port that is free."""

    async def health(_: object) -> Response:
        return Response("{}")

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    where = f"127.0.0.1:{listening.getsockname()[1]}"
    security = TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=[where])
    app = build(answers).streamable_http_app(stateless_http=True, transport_security=security)
    app.router.routes.append(Route("/health", health))
    print(f"http://{where}", flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
