"""Bodies of requests: whole and within a limit before anything looks at them. And JSON in one line of a stream."""

import anyio
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 30.0  # in which all of a body has to come
LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"}


class NotTaken(Exception):
    """The body is too large, or too slow."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class BodyLimit:
    """Refuses a body that is too large or too slow, and gives the others on when all of it is there."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(Headers(scope=scope), receive)
        except NotTaken as error:
            await Response(str(error), error.status, media_type="text/plain")(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, with_body(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """Return the body, or None if its sender went."""
        declared = headers.get("content-length", "")
        self._measure(int(declared) if declared.isdecimal() else 0)
        body = bytearray()
        with anyio.move_on_after(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                self._measure(len(body))
                if not message.get("more_body", False):
                    return bytes(body)
        raise NotTaken(f"The body of a request has to come within {BODY_SECONDS:.0f} seconds.", 408)

    def _measure(self, count: int) -> None:
        if count > self._most:
            raise NotTaken(f"The body of a request takes at most {self._most} bytes.", 413)


async def body_of(receive: Receive) -> bytes:
    """Return a body that is there already."""
    return (await receive())["body"]


def with_body(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body, and then whatever comes behind it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def one_line(text: str) -> str:
    """Return JSON without what ends a line elsewhere: some readers of streams know more of them than CR and LF."""
    return text.translate(LINE_ENDS)
