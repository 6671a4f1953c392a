"""What answers at `/health` of an address, which may be anybody's."""

import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

MOST_BYTES = 10_000


def health_at(url: str, query: str = "", *, seconds: float) -> dict[str, Any]:
    """Return what answers there, nothing if that takes longer than so many seconds, however it goes about it."""
    found = urlsplit(url)
    connection = _connection(found.scheme, found.hostname or "", found.port, seconds)
    try:
        connection.connect()
        cut = threading.Timer(seconds, _cut, (connection.sock,))  # a timeout is of each read: there may be many
        cut.start()
        try:
            connection.request("GET", f"/health{query}", headers={"host": found.netloc})
            told: object = json.loads(connection.getresponse().read(MOST_BYTES))
        finally:
            cut.cancel()
        return cast(dict[str, Any], told) if isinstance(told, dict) else {}
    except (OSError, ValueError, RecursionError, http.client.HTTPException):
        return {}
    finally:
        connection.close()


def _cut(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _connection(scheme: str, host: str, port: int | None, seconds: float) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=seconds)
    context = ssl.create_default_context()
    context.check_hostname = False  # a challenge says whose it is: nothing secret is sent
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
