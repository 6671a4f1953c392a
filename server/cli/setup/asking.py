"""A server that an entry reaches, asked for its tools as a client would."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from server.cli.setup.reaching import BEARER, Reach

PROTOCOL = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": PROTOCOL,
    "io.modelcontextprotocol/clientInfo": {"name": "project-memory setup", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
ASK_SECONDS = 30
MOST_BYTES = 1024 * 1024


class NotReached(Exception):
    """A server did not answer as one of ours does; the message says why, for people."""


def tools_at(reach: Reach, environ: Mapping[str, str]) -> list[str]:
    """Ask a server for its tools, as a client with an entry would, or raise NotReached."""
    token = environ.get(reach.variable) if reach.variable else reach.token
    if not token:
        raise NotReached(f"{reach.variable} is not set here, so there is no token to send")
    place = urlsplit(reach.url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}})
    sent = {
        "authorization": BEARER + token, "content-type": "application/json", "mcp-method": "tools/list",
        "accept": "application/json, text/event-stream", "mcp-protocol-version": PROTOCOL,
    }  # fmt: skip
    try:
        connection = kind(place.hostname or "", place.port, timeout=ASK_SECONDS)
        connection.request("POST", place.path, body, sent)
        answer = connection.getresponse()
        told: Any = json.loads(answer.read(MOST_BYTES))
        connection.close()
        if answer.status != http.client.OK:
            raise NotReached(f"{reach.url} refuses it: {told['error']['message']}"[:300])
        return [tool["name"] for tool in told["result"]["tools"]]
    except (OSError, http.client.HTTPException) as error:
        raise NotReached(f"{reach.url} is not reached: {error}. Does `serve` run?") from error
    except (ValueError, KeyError, TypeError, UnicodeError) as error:
        raise NotReached(f"{reach.url} does not answer as this server does") from error
