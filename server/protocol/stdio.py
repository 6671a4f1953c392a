"""MCP over stdio: a line is a message, each protocol era has a loop of the SDK, and whatever was read is answered."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
import threading
from collections import defaultdict
from functools import partial
from types import TracebackType

import anyio
import mcp.types as wire
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream
from anyio.to_thread import run_sync
from mcp.server import NotificationOptions, Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import ServerMessageMetadata, SessionMessage

from server.errors import Ending, InvalidArguments
from server.protocol.app import State, build, failure, protocol_error
from server.protocol.jsonrpc import Refused, explained, message_of
from server.settings import Settings

logger = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
PENDING_INPUT_SECONDS = 0.05  # for what was sent before a signal and is not read yet
FINISH_SECONDS = 1.5  # for what is under way when the input ends
ROLLBACK_SECONDS = 0.2
END_SECONDS = 1.85  # then the process is gone, whatever hangs
SIGNALS = (signal.SIGINT, signal.SIGTERM)

Answer = wire.JSONRPCResponse | wire.JSONRPCError
Frame = SessionMessage | Exception


async def serve(settings: Settings) -> int:
    """Serve until stdin ends or a signal asks to end, and return the exit code."""
    logger.info("process %d serves %s", os.getpid(), settings.database)
    server = build(settings)
    reading, writing = _claimed()
    code = 1  # unless it comes to an orderly end
    async with server.lifespan(server) as state, anyio.create_task_group() as tasks:
        connection = ClientConnection(server, state, writing, tasks)
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            signal.signal(number, partial(_end_soon, loop, connection))
        code = await connection.serve(Input(reading))
        tasks.cancel_scope.cancel()
    return code


def _end_soon(loop: asyncio.AbstractEventLoop, connection: "ClientConnection", number: int, _: object) -> None:
    loop.call_soon_threadsafe(loop.call_later, PENDING_INPUT_SECONDS, connection.end, 128 + number)


def _claimed() -> tuple[int, int]:
    """Take stdin and stdout for the protocol: what else reads finds nothing, what else prints does so on stderr."""
    if sys.stdin is None or sys.stdout is None:
        raise InvalidArguments("stdin or stdout is closed. An MCP client starts this server with pipes on both.")
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing if sys.stderr is None else 2, 1)
    os.close(nothing)
    return reading, writing


class Input:
    """The lines of stdin, read by a thread that holds up neither the loop nor the end of the process."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = bytearray()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            with contextlib.suppress(OSError):  # a pipe that breaks has ended
                while chunk := os.read(self._handle, CHUNK_BYTES):
                    self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, b"")

    async def lines(self) -> list[bytes]:
        """Return the next lines, none at the end."""
        while chunk := await self._chunks.get():
            self._rest += chunk
            if b"\n" in chunk:
                *lines, rest = bytes(self._rest).split(b"\n")
                self._rest = bytearray(rest)
                return lines
        self._chunks.put_nowait(b"")
        last, self._rest = bytes(self._rest), bytearray()
        return [last] if last else []


class Era:
    """One loop of the SDK: it serves the protocol era of its first request. This is the stream that it writes to."""

    def __init__(self, connection: "ClientConnection", inbox: MemoryObjectSendStream[Frame]) -> None:
        self._connection = connection
        self.inbox = inbox
        self.is_modern: bool | None = None  # None before the first request
        self.has_served = False  # more than `server/discover`
        self.withdrawn: str | int | None = None

    async def send(self, frame: SessionMessage) -> None:
        message = frame.message
        if not isinstance(message, wire.JSONRPCResponse | wire.JSONRPCError):
            await self._connection.write(message)
        elif message.id != self.withdrawn:
            await self._connection.answer(message, self)

    async def aclose(self) -> None:
        """Leave stdout open: it is not this loop's alone."""

    async def __aenter__(self) -> "Era":
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class ClientConnection:
    """What goes on with the one client: what it asked, what is answered, and how that ends."""

    def __init__(self, server: Server[State], state: State, writing: int, tasks: TaskGroup) -> None:
        self._server = server
        self._state = state
        self._handle = writing
        self._tasks = tasks
        self._pen = anyio.Lock()
        self._eras: list[Era] = []
        self._asked: defaultdict[str | int, list[wire.JSONRPCRequest]] = defaultdict(list)
        self._unwritten = 0
        self._moved = anyio.Event()
        self._ends = anyio.Event()
        self._code = 0

    def end(self, code: int = 0) -> None:
        """Begin to end; a thread sees to it that the process does, whatever hangs."""
        self._code = self._code or code
        if not self._ends.is_set():
            last = threading.Timer(END_SECONDS, os._exit, (self._code,))
            last.daemon = True
            last.start()
            self._ends.set()

    async def serve(self, source: Input) -> int:
        """Answer what comes until the end, then what is left, and return the exit code."""
        self._tasks.start_soon(self._follow, source)
        await self._ends.wait()
        self._state.store.waits.end()
        self._state.watch.end_streams()
        if not await self._is_all_told(FINISH_SECONDS):
            self._state.store.stop()
            await self._is_all_told(ROLLBACK_SECONDS)
        if not self._state.store.is_committing:  # else nobody knows whether something was written
            await self._tell_of_the_end()
        return self._code

    async def _tell_of_the_end(self) -> None:
        for request in [request for asked in self._asked.values() for request in asked]:
            await self._forget(request)
            await self.write(_told_of_the_end(request))

    async def _follow(self, source: Input) -> None:
        while lines := await source.lines():
            for line in lines:
                if line.strip():
                    self._take(line)
        self.end()

    def _take(self, line: bytes) -> None:
        try:
            message = message_of(line)
        except Refused as refused:
            self._tasks.start_soon(self.write, refused.answer)
            return
        if not isinstance(message, wire.JSONRPCRequest):
            self._era().inbox.send_nowait(SessionMessage(message))
            return
        era = self._era_of(message)
        self._asked[message.id].append(message)
        unanswered = ServerMessageMetadata(on_request_unanswered=partial(self._forget, message))
        era.inbox.send_nowait(SessionMessage(message, unanswered))

    def _era_of(self, request: wire.JSONRPCRequest) -> Era:
        """Return the loop for a request: a new one for the handshake of a client that has only probed the newer era.

        The SDK would refuse it for good. The client has given up on its probe and may use the id again, so an answer
        to that must not come any more.
        """
        era = self._era()
        if request.method == "initialize" and era.is_modern and not era.has_served:
            if self._asked.pop(request.id, None):
                era.withdrawn = request.id
            era = self._open_era()
        if era.is_modern is None:
            era.is_modern = request.method != "initialize" and _is_modern(request)
        return era

    def _era(self) -> Era:
        return self._eras[-1] if self._eras else self._open_era()

    def _open_era(self) -> Era:
        send, receive = anyio.create_memory_object_stream[Frame](math.inf)
        era = Era(self, send)
        self._eras.append(era)
        options = self._server.create_initialization_options(NotificationOptions())
        loop = partial(serve_dual_era_loop, lifespan_state=self._state, init_options=options)
        self._tasks.start_soon(loop, self._server, receive, era)
        return era

    async def answer(self, message: Answer, era: Era) -> None:
        """Write an answer of the SDK, unless the request was answered at the end already."""
        asked = self._asked.get(message.id) if message.id is not None else None
        if not asked:
            return
        request = asked[0]
        self._settle(request)
        if isinstance(message, wire.JSONRPCError):
            message = message.model_copy(update={"error": explained(request, message.error)})
        elif request.method != "server/discover":
            era.has_served = True
        await self.write(message)

    async def write(self, message: wire.JSONRPCMessage) -> None:
        """Write one line, whole even if whoever asked for it is cancelled."""
        line = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        self._unwritten += 1
        try:
            with anyio.CancelScope(shield=True):
                async with self._pen:
                    await run_sync(_write, self._handle, line)
        except OSError as error:
            logger.info("the client reads no more: %s", error)
            self.end()
        finally:
            self._unwritten -= 1
            self._moved.set()

    async def _forget(self, request: wire.JSONRPCRequest) -> None:
        """Expect no answer to a request that the client has cancelled."""
        if request in self._asked.get(request.id, ()):
            self._settle(request)
            self._moved.set()

    def _settle(self, request: wire.JSONRPCRequest) -> None:
        """Keep nothing of a request that needs no answer any more; another one may have the same id."""
        asked = self._asked[request.id]
        asked.remove(request)
        if not asked:
            del self._asked[request.id]

    async def _is_all_told(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            while self._unwritten or self._asked:
                self._moved = anyio.Event()
                await self._moved.wait()
            return True
        return False


def _told_of_the_end(request: wire.JSONRPCRequest) -> Answer:
    error = Ending()
    if request.method != "tools/call":
        return wire.JSONRPCError(jsonrpc="2.0", id=request.id, error=protocol_error(error).error)
    not_yet = None if _is_modern(request) else {"result_type"}
    result = failure(error).model_dump(by_alias=True, mode="json", exclude_none=True, exclude=not_yet)
    return wire.JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result)


def _is_modern(request: wire.JSONRPCRequest) -> bool:
    meta = (request.params or {}).get("_meta")
    return isinstance(meta, dict) and wire.PROTOCOL_VERSION_META_KEY in meta


def _write(handle: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(handle, rest) :]
