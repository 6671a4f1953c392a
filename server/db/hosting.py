"""Running part of a coroutine on the thread of a connection: its statements then need no hop to that thread each."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import coroutine
from typing import Any, Protocol, TypeVar

import anyio

T = TypeVar("T")


class Host(Protocol):
    """What has a thread of its own."""

    def submit(self, future: asyncio.Future[Any], function: Callable[[], Any]) -> None:
        """Call `function` on the thread and set `future` to what it returns."""
        ...


@dataclass(frozen=True)
class Move:
    """What a coroutine yields to go on elsewhere: on the thread of a host or, without one, on the event loop."""

    to: Host | None


class _Steady(asyncio.Future[Any]):
    """A future that no cancellation ends: the task that awaits it is told of one when the thread has done its part."""

    def cancel(self, msg: Any = None) -> bool:
        del msg
        return False


_is_movable: ContextVar[bool] = ContextVar("is_movable", default=False)


@asynccontextmanager
async def on(host: Host) -> AsyncGenerator[None]:
    """Run the body on the thread of `host`, if this is awaited under `movable`; else where we are.

    On the thread the body may await nothing but what answers at once. A cancellation waits until it is left.
    """
    movable_here = _is_movable.get()
    if movable_here:
        await _move(host)
    try:
        yield
    finally:
        if movable_here:
            await _move(None)


async def movable(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, parts of which may run `on` the thread of a connection."""
    token = _is_movable.set(True)
    try:
        return await _drive(work)
    finally:
        _is_movable.reset(token)


@coroutine
def _move(to: Host | None) -> Generator[Move]:
    yield Move(to)


class _Stretch(Generator[Any, Any, Any]):
    """A part of some work, which ends where the work wants to move or has its result."""

    def __init__(self, work: Coroutine[Any, Any, Any], stopped: BaseException | None = None) -> None:
        self._work = work
        self._stopped = stopped

    def send(self, value: Any, /) -> Any:
        if self._stopped:
            stopped, self._stopped = self._stopped, None
            return self.throw(stopped)
        return self._asked(self._work.send(value))

    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Any:
        return self._asked(self._work.throw(error, value, traceback) if value else self._work.throw(error))

    def _asked(self, asked: Any) -> Any:
        if isinstance(asked, Move):
            raise StopIteration(asked)
        return asked


@coroutine
def _drive(work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    found, stopped = (yield from _Stretch(work)), None
    while isinstance(found, Move):
        if found.to:
            found, stopped = yield from _advance_on(found.to, work)
        else:
            found, stopped = (yield from _Stretch(work, stopped)), None
    return found


def _advance_on(host: Host, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, tuple[Any, BaseException | None]]:
    """Run a stretch on the thread; return how it ended, and the cancellation that came meanwhile."""
    future, stopped = _Steady(), None
    host.submit(future, partial(_advance, _Stretch(work)))
    try:
        yield from _until_done(future).__await__()
    except asyncio.CancelledError as error:
        stopped = error
    return future.result(), stopped


async def _until_done(future: _Steady) -> None:
    with anyio.CancelScope(shield=True):  # else its scope would send the cancellation again and again
        await future


def _advance(stretch: _Stretch) -> Any:
    """Run a stretch to its end. What it awaits meanwhile but the connection is an error to it: no loop would answer."""
    step: Callable[[], Any] = partial(next, stretch)
    while True:
        try:
            asked = step()
        except StopIteration as end:
            return end.value
        step = partial(stretch.throw, RuntimeError(f"{asked!r} was awaited on the thread of a connection"))
