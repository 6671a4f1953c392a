"""The two pipes to a client. Neither reading nor writing waits, so one loop sees to both without a thread.

Where nobody can tell whether a pipe is ready (Windows, a file instead of a pipe), a thread reads and another writes.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING

from server.errors import InvalidArguments
from server.protocol.jsonrpc import LONGEST_LINE

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop  # slow to import: the first answers go without a loop

Heard = Callable[[list[bytes]], None]

CHUNK_BYTES = 64 * 1024
SLICE_BYTES: int = getattr(select, "PIPE_BUF", 512)  # as much as a pipe takes at once when it takes anything


def claimed() -> tuple[int, int]:
    """Take stdin and stdout for the protocol: what else reads finds nothing, what else prints does so on stderr."""
    if sys.stdin is None or sys.stdout is None:
        raise InvalidArguments("stdin or stdout is closed. An MCP client starts this server with pipes on both.")
    reading, writing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing if sys.stderr is None else 2, 1)
    os.close(nothing)
    return reading, writing


def can_poll(handle: int) -> bool:
    mode = os.fstat(handle).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(handle))


class Lines:
    """Puts lines together. Of one that is too long the beginning is kept, and refused by whoever reads it."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def of(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in a chunk; the empty one ends the last line."""
        if chunk and b"\n" not in chunk:
            self._rest += chunk[: LONGEST_LINE + 1 - len(self._rest)]
            return []
        first, *others = chunk.split(b"\n")
        lines = [bytes(self._rest + first[: LONGEST_LINE + 1 - len(self._rest)]), *others]
        self._rest = bytearray(lines.pop()) if chunk else bytearray()
        return [line for line in lines if line.strip()]


class Input:
    """The lines of a pipe that says when there is something to read."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._lines = Lines()
        self._loop: AbstractEventLoop | None = None
        self._heard: Heard
        self.goes_on = True

    def is_ready(self, seconds: float) -> bool:
        return bool(select.select([self._handle], [], [], seconds)[0])

    def read(self) -> list[bytes]:
        """Return the lines that came; `goes_on` says whether more may."""
        try:
            chunk = os.read(self._handle, CHUNK_BYTES)
        except OSError:  # a pipe that breaks has ended
            chunk = b""
        self.goes_on = bool(chunk)
        return self._lines.of(chunk)

    def listen(self, loop: AbstractEventLoop, heard: Heard) -> None:
        """Call `heard` with the lines that come, until `goes_on` says that none will."""
        self._loop, self._heard = loop, heard
        self.resume()

    def pause(self) -> None:
        if self._loop:
            self._loop.remove_reader(self._handle)

    def resume(self) -> None:
        if self._loop and self.goes_on:
            self._loop.add_reader(self._handle, self._read)

    def _read(self) -> None:
        lines = self.read()
        if not self.goes_on:
            self.pause()
        self._heard(lines)


class ThreadedInput(Input):
    """The same for a handle of another kind: a thread reads, and holds up neither the loop nor the end."""

    def listen(self, loop: AbstractEventLoop, heard: Heard) -> None:
        self._may_read = threading.Event()
        threading.Thread(target=self._follow, args=(loop, heard), name="stdin", daemon=True).start()
        self.resume()

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    def _follow(self, loop: AbstractEventLoop, heard: Heard) -> None:
        is_heard = threading.Event()

        def take(lines: list[bytes]) -> None:
            heard(lines)
            is_heard.set()

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while self.goes_on:
                self._may_read.wait()
                lines = self.read()
                is_heard.clear()
                loop.call_soon_threadsafe(take, lines)
                is_heard.wait()  # else it reads ahead of whoever says that it shall pause


class Output:
    """Writes lines without waiting. What the client does not take yet is kept; `queued` says how much that is."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._lines: deque[memoryview] = deque()
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll:
            self._poll.register(handle, select.POLLOUT)
        self._loop: AbstractEventLoop | None = None
        self._moved: Callable[[], None] = lambda: None
        self.queued = 0
        self.failure: OSError | None = None

    def attach(self, loop: AbstractEventLoop, moved: Callable[[], None]) -> None:
        """Go on writing whenever the client reads, and call `moved` when it did, or is gone."""
        self._loop, self._moved = loop, moved
        if self.queued:
            loop.add_writer(self._handle, self._go_on)

    def write(self, line: bytes) -> None:
        if self.failure:
            return
        was_empty = not self._lines
        self._lines.append(memoryview(line))
        self.queued += len(line)
        if was_empty:
            self._flush()
            if self._loop and self.queued:
                self._loop.add_writer(self._handle, self._go_on)
            elif self._loop and self.failure:
                self._loop.call_soon(self._moved)

    def _go_on(self) -> None:
        self._flush()
        if self._loop and not self.queued:
            self._loop.remove_writer(self._handle)
        self._moved()

    def _flush(self) -> None:
        try:
            while self._lines and self._takes_more():
                self._write_slice()
        except OSError as error:
            self._fail(error)

    def _takes_more(self) -> bool:
        # The pipe may be shared with others, who would be surprised by O_NONBLOCK: so one look a slice.
        return self._poll is None or bool(self._poll.poll(0))

    def _write_slice(self) -> None:
        line = self._lines[0]
        written = os.write(self._handle, line[:SLICE_BYTES])
        self.queued -= written
        if written < len(line):
            self._lines[0] = line[written:]
        else:
            self._lines.popleft()

    def _fail(self, error: OSError) -> None:
        self.failure = error
        self._lines.clear()
        self.queued = 0


class ThreadedOutput(Output):
    """The same for a handle of another kind: a thread writes, and may wait for the client."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle)
        self._wanted: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=self._follow, name="stdout", daemon=True).start()

    def attach(self, loop: AbstractEventLoop, moved: Callable[[], None]) -> None:
        self._loop, self._moved = loop, moved

    def write(self, line: bytes) -> None:
        if not self.failure:
            self.queued += len(line)
            self._wanted.put(line)

    def _follow(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while True:
                line = self._wanted.get()
                failure = self._written(line)
                if self._loop:
                    self._loop.call_soon_threadsafe(self._told, len(line), failure)

    def _written(self, line: bytes) -> OSError | None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            return error
        return None

    def _told(self, written: int, failure: OSError | None) -> None:
        self.queued -= written
        if failure:
            self._fail(failure)
        self._moved()
