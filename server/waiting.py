"""What waits for something that may never come ends when the server does."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio


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
