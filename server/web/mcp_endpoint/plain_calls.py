"""The calls that clients make all day, answered without the SDK: one in a request, with nothing unusual about it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from server.protocol.front import Asked
from server.protocol.jsonrpc import Refused, encode, message_of
from server.protocol.plain import (
    CALL,
    CAPABILITIES,
    CLIENT,
    ENVELOPE,
    VERSION,
    Answers,
    can_ask,
    is_plain,
    is_plain_client,
)
from server.protocol.state import LaterAsker, State, call
from server.tools.approvals.asking import ClientNeeded, Question
from server.tools.approvals.callers import Caller
from server.web.bodies import one_line

QUICK_SECONDS = 0.1  # that a call may take without anybody looking whether its client is still there
PING_SECONDS = 15  # without a word, after which proxies begin to give a connection up
OWN_HEADERS = "mcp-param-"
JSON, STREAM = "application/json", "text/event-stream"


class PlainCalls:
    """Knows a call that is one to the letter, and answers it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._answers = Answers(tuple(state.tools), read_only=state.store.settings.read_only)

    def call_in(self, headers: Headers, body: bytes) -> Asked | None:
        """Return the call in a request, or None if anything about it is for the SDK to judge."""
        told = _once_each(headers)
        if told is None or not _are_plain(told) or not body.startswith(b"{"):
            return None
        try:
            message = message_of(body)
        except Refused:
            return None
        if message.get("method") != CALL or "id" not in message or not is_plain(message):
            return None
        asked = Asked(message)
        return asked if self._is_agreed(asked, told) else None

    def _is_agreed(self, asked: Asked, told: Mapping[str, str]) -> bool:
        version = told.get("mcp-protocol-version")
        if not asked.is_newer:
            return version is None or version in self._answers.handshakes
        meta = asked.meta
        return (
            version == meta[VERSION] == self._answers.newer
            and (told.get("mcp-method"), told.get("mcp-name")) == (CALL, asked.params["name"])
            and all(key in meta for key in ENVELOPE)
            and is_plain_client(meta[CLIENT], meta[CAPABILITIES])
            and not (can_ask(meta[CAPABILITIES]) and "progressToken" in meta)
        )

    async def answer(self, asked: Asked, caller: Caller, receive: Receive, send: Send) -> bool:
        """Answer a call; return False, with nothing sent, if its client has to be asked something first."""
        answer = CallAnswer(asked, send)
        asker = UnlessBegun(answer) if asked.is_newer and can_ask(asked.meta[CAPABILITIES]) else None
        progress = answer.progress if "progressToken" in asked.meta else None
        name, arguments = asked.params["name"], asked.params.get("arguments", {})
        told = None
        with anyio.CancelScope() as scope:
            async with _accompanied(partial(_accompany, answer, receive, scope)):
                try:
                    told = await call(self._state, name, arguments, progress=progress, asker=asker, caller=caller)
                except ClientNeeded:
                    return False
        if told:
            await answer.end({**self._answers.to(CALL, newer=asked.is_newer), **told.result()})
        return True


class CallAnswer:
    """JSON; or a stream of events, from the first that there is to tell before the result."""

    def __init__(self, asked: Asked, send: Send) -> None:
        self._asked = asked
        self._send = send
        self._turn = asyncio.Lock()  # progress and what keeps the connection open are told by two tasks
        self.has_begun = False

    async def progress(self, done: float, total: float, what: str) -> None:
        token = self._asked.meta["progressToken"]
        params = {"progressToken": token, "progress": done, "total": total, "message": what}
        await self._tell(_event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))

    async def keep_open(self) -> None:
        """Say now and then that the call is under way."""
        while True:
            await anyio.sleep(PING_SECONDS)
            await self._tell(b": ping\r\n\r\n")

    async def end(self, result: Mapping[str, Any]) -> None:
        message = {"jsonrpc": "2.0", "id": self._asked.id, "result": result}
        if self.has_begun:
            await self._send(_part(_event(message)))
            return
        body = encode(message).encode()
        await self._send(_head(JSON, (b"content-length", b"%d" % len(body))))
        await self._send(_part(body))

    async def _tell(self, event: bytes) -> None:
        async with self._turn:
            if not self.has_begun:
                await self._send(_head(STREAM, (b"x-accel-buffering", b"no")))
                self.has_begun = True  # not before: who tells may be cancelled while the client takes nothing
            await self._send(_part(event, more=True))


class UnlessBegun(LaterAsker):
    """Leaves a question to the SDK while nothing is sent; the SDK could not go on with a stream that has begun."""

    def __init__(self, answer: CallAnswer) -> None:
        self._answer = answer

    def begin(self) -> None:
        if not self._answer.has_begun:
            raise ClientNeeded

    async def ask(self, question: Question) -> None:
        """Nobody is asked: what is told says how else a human can answer."""


@asynccontextmanager
async def _accompanied(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Do something beside the body from when it is no quick one any more: most are, and should not pay for it."""
    begun: list[asyncio.Task[None]] = []
    timer = asyncio.get_running_loop().call_later(QUICK_SECONDS, lambda: begun.append(asyncio.create_task(work())))
    try:
        yield
    finally:
        timer.cancel()
        for task in begun:
            task.cancel()
            await asyncio.wait([task])  # so that nothing is sent behind the answer


async def _accompany(answer: CallAnswer, receive: Receive, scope: anyio.CancelScope) -> None:
    """Keep the connection of a call open, and give the call up when nobody waits for it any more."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer.keep_open)
        while (await receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()
    scope.cancel()


def _once_each(headers: Headers) -> Mapping[str, str] | None:
    """Return the headers, or None where one is there twice."""
    told = dict(headers.items())
    return told if len(told) == len(headers.raw) else None


def _are_plain(told: Mapping[str, str]) -> bool:
    accepted = {_kind(part) for part in told.get("accept", "").split(",")}
    return (
        _kind(told.get("content-type", "")) == JSON
        and accepted >= {JSON, STREAM}
        and not any(name.startswith(OWN_HEADERS) for name in told)
    )


def _kind(told: str) -> str:
    return told.partition(";")[0].strip()


def _head(kind: str, more: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode()), more]}


def _part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _event(message: Mapping[str, Any]) -> bytes:
    return b"event: message\r\ndata: " + one_line(encode(message)).encode() + b"\r\n\r\n"
