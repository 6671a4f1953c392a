"""What waits for something that may never come ends when the server does; nobody waits for the long work of others."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import anyio

LONG = 20_000  # characters, or values
T = TypeVar("T")
R = TypeVar("R")


class Waits:
    """The waits of one server."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()
        self._at_end: list[Callable[[], None]] = []
        self.are_over = False

    @contextmanager
    def at_most(self, seconds: float) -> Generator[None]:
        """Run the body for so long at the most; it is left at once when the server ends."""
        with anyio.move_on_after(0 if self.are_over else seconds) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)

    def at_end(self, work: Callable[[], None]) -> None:
        """Have something done when the waits end."""
        self._at_end.append(work)

    def end(self) -> None:
        """End all that wait now, and whoever would begin to."""
        self.are_over = True
        for work in self._at_end:
            work()
        for scope in self._scopes:
            scope.cancel()


async def apart(work: Callable[[T], R], value: T) -> R:
    """Do work on a JSON value: on a thread if it is long, so that others are answered meanwhile."""
    return await anyio.to_thread.run_sync(work, value) if is_long(value) else work(value)


def is_long(value: object) -> bool:
    """Return whether work on a JSON value takes so long that others should not wait for it."""
    return _left(value, LONG) < 0


def _left(value: object, room: int) -> int:
    """Return how much room a value leaves, counted until it leaves none."""
    if isinstance(value, str):
        return room - len(value)
    items: object = cast(Mapping[str, Any], value).values() if isinstance(value, Mapping) else value
    for item in cast(list[Any], items) if isinstance(value, Mapping | list | tuple) else ():
        room = _left(item, room)
        if room < 0:
            break
    return room - 1
