"""What a server does besides answering calls, imported when it is wanted: most servers never need it."""

import logging
from collections.abc import Awaitable, Callable, Iterator

from server.store import Store

logger = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class Background:
    """The jobs of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def jobs(self) -> Iterator[tuple[str, Job]]:
        """Yield what runs for as long as the server lives, with what it is called."""
        if path := self._store.settings.mirror:
            from server.mirroring import Follower

            yield "the mirror", Follower(self._store, path).run
