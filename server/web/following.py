"""Hands events to those who follow them, whichever process committed them: the log is read once for all."""

import asyncio
import logging
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from server.db.access import web_sessions
from server.db.audit import events
from server.db.audit.events import Feed
from server.errors import ProjectMemoryError
from server.models.base import encode
from server.models.events import LoggedEvent
from server.protocol.state import carried
from server.store import Store
from server.web.bodies import one_line

logger = logging.getLogger(__name__)

PAGE = 1000
MOST_WAITING = 10_000  # events that one follower has not taken
QUIET_SECONDS = 60.0
RETRY_SECONDS = 1.0
PAUSE_SECONDS = 0.1  # in which events gather, so that each follower is woken ten times a second at most
EVERYTHING = Feed()


def frame(event: LoggedEvent) -> bytes:
    """Return an event as it travels. The name of its type is in the data: a page hears all types as one."""
    told = one_line(carried(encode(event.model_dump(exclude_none=True))))
    return f"id: {event.event_id}\ndata: {told}\n\n".encode()


@dataclass(eq=False)
class StreamReader:
    """One reader, and what it has not taken yet."""

    wanted: Feed
    most: int
    of: str  # whose it is
    is_cut_off: bool = False
    is_doubted: bool = False  # whether it may be let in no more
    _waiting: deque[tuple[int, bytes]] = field(default_factory=deque[tuple[int, bytes]])
    _has_more: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event_id: int, found: bytes) -> None:
        """Let it have an event, unless it is too far behind: then it is cut off."""
        if len(self._waiting) >= self.most:
            self.is_cut_off = True
            self._waiting.clear()
        elif not self.is_cut_off:
            self._waiting.append((event_id, found))
        self._has_more.set()

    def take(self, after_id: int) -> bytes:
        """Return all that waits, but for what it had already."""
        found = b"".join(told for event_id, told in self._waiting if event_id > after_id)
        self._waiting.clear()
        self._has_more.clear()
        return found

    @property
    def is_idle(self) -> bool:
        """Whether it has all that was handed out."""
        return not self._waiting and not self.is_cut_off

    def wake(self) -> None:
        self._has_more.set()

    async def more(self, seconds: float) -> None:
        """Wait until there is more, or for so long."""
        with anyio.move_on_after(seconds):
            await self._has_more.wait()


class Hub:
    """Reads the log for all followers. `position` is the id of the newest event that was handed out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: set[StreamReader] = set()
        self.position = 0
        self.doubt = asyncio.Event()  # set, and another in its place, when somebody may be let in no more
        self._let_in: frozenset[str] = frozenset()
        self.most_waiting = MOST_WAITING
        self.is_over = False

    @property
    def followers(self) -> int:
        return len(self._followers)

    async def begin(self) -> None:
        self.position = await events.last_id(await self._store.open())

    def followers_of(self, visitor: str) -> int:
        return sum(follower.of == visitor for follower in self._followers)

    @contextmanager
    def follow(self, wanted: Feed, visitor: str) -> Generator[StreamReader]:
        """Yield a follower of what is committed behind `position` from now on."""
        follower = StreamReader(wanted, self.most_waiting, visitor)
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def end(self) -> None:
        """Let every follower come to its end."""
        self.is_over = True
        for follower in self._followers:
            follower.wake()

    async def run(self) -> None:
        """Hand out events for as long as the server lives."""
        told = ""
        while True:
            try:
                db = await self._store.open()
                mark = await db.version()
                told = ""
                self._look_who_is_in(await web_sessions.let_in(db))
                while found := await events.after(db, EVERYTHING, self.position, limit=PAGE):
                    self._hand_out(found)
                await anyio.sleep(PAUSE_SECONDS)
                await db.wait_for_change(mark, QUIET_SECONDS)
            except ProjectMemoryError as error:
                if str(error) != told:  # once, and not each time that it is tried again
                    logger.warning("followers wait: %s", error)
                told = str(error)
                await anyio.sleep(RETRY_SECONDS)

    def _look_who_is_in(self, let_in: frozenset[str]) -> None:
        """Let streams ask whether they may go on, if somebody was let in and is no more."""
        if self._let_in - let_in:
            for follower in self._followers:
                follower.is_doubted = True
                follower.wake()
            self.doubt.set()
            self.doubt = asyncio.Event()
        self._let_in = let_in

    def _hand_out(self, found: Iterable[LoggedEvent]) -> None:
        for event in found:
            told = frame(event)
            for follower in self._followers:
                if follower.wanted.holds(event):
                    follower.offer(event.event_id, told)
            self.position = event.event_id
