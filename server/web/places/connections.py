"""Connections of clients: what is sent over one has to be short and to come soon, and its answers have to be taken."""

import asyncio
from math import inf

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES = 64 * 1024  # of a request that are not its body
HEAD_SECONDS = 30.0  # in which a head has to come, and what is left of a request that was answered
STALL_SECONDS = 20.0  # in which who is answered has to take something
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """Uvicorn's protocol, which would keep a head of any length, and wait for its client for ever."""

    _is_head = True  # whether what comes next is a head
    _taken = 0  # bytes of a request that are not its body
    _waits_since = inf  # when the client began to keep us waiting
    _patience: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None  # the request that is under way; `cycle` is the one that came last

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._patience = self.loop.call_later(HEAD_SECONDS, self._look_for_more)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._patience, self._stall):
            if timer:
                timer.cancel()
        if self._answered and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._taken += len(data)
        super().data_received(data)
        if self._taken > HEAD_BYTES and not self.transport.is_closing():
            if self._is_head and self._waits_since < inf:
                self.transport.write(TOO_LARGE)
            self._close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_head, self._taken = True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        self._is_head, self._waits_since = False, inf
        super().on_headers_complete()
        self._answered = self._answered if self.pipeline else self.cycle
        self.headers = []  # not those of the request: what comes behind its body is none of them

    def on_body(self, body: bytes) -> None:
        self._taken -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._wait()

    def on_response_complete(self) -> None:
        behind = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        self._answered = behind
        if behind is None:
            self._waits_since = self.loop.time()
        if self.transport.is_closing():
            self._watch_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall and not self.transport.is_closing():
            self._stall.cancel()
            self._stall = None

    def _wait(self) -> None:
        """Be patient from now on, unless the client waits for us."""
        if self._waits_since < inf:
            self._waits_since = self.loop.time()

    def _look_for_more(self) -> None:
        """Close the connection if its client keeps us waiting for too long, or look again when it might."""
        left = min(self._waits_since - self.loop.time(), 0) + HEAD_SECONDS
        if left > 0:
            self._patience = self.loop.call_later(left, self._look_for_more)
        else:
            self._close()

    def _close(self) -> None:
        self.transport.close()
        self._watch_reader()

    def _watch_reader(self) -> None:
        """See to it that what is written is taken, or dropped. A connection that is closed waits for that, too."""
        if self._stall is None and (size := self.transport.get_write_buffer_size()):
            self._stall = self.loop.call_later(STALL_SECONDS, self._look_for_less, size)

    def _look_for_less(self, before: int) -> None:
        self._stall = None
        if self.transport.get_write_buffer_size() < before:
            self._watch_reader()
        else:
            self.transport.abort()
