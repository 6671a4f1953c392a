"""How much one server does at a time, and one visitor in a second."""

import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

BODY_BYTES = 4 * 1024 * 1024
MOST_REQUESTS = 256  # under way at a time, those that wait for something included
MOST_FOLLOWERS = 1000
SHARE = 0.5  # of these that one visitor may have
PER_SECOND = 200.0  # requests of one token or browser
BURST = 400.0


class TooMany(Exception):
    """The server has as much to do as it does at a time, or this visitor asks too often."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Limits:
    """What is under way, and how many requests each visitor has left."""

    most_requests: int = MOST_REQUESTS
    per_second: float = PER_SECOND
    burst: float = BURST
    under_way: int = 0
    _of: Counter[str] = field(default_factory=Counter[str])  # of each visitor
    _left: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    @contextmanager
    def one_more(self, visitor: str) -> Generator[None]:
        """Count a request while it is under way, or raise TooMany."""
        if self.under_way >= self.most_requests:
            raise TooMany(f"{self.under_way} requests are under way. Try again in a second.", 503)
        if (own := self._of[visitor]) >= max(self.most_requests * SHARE, 1):
            raise TooMany(f"{own} of your requests are under way. Try again when one of them has ended.", 429)
        self.under_way += 1
        self._of[visitor] += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._of[visitor] -= 1
            if not self._of[visitor]:
                del self._of[visitor]

    def spend(self, visitor: str) -> None:
        """Take one of a visitor's requests, or raise TooMany."""
        now = time.monotonic()
        left, at = self._left.get(visitor, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.per_second)
        if left < 1:
            raise TooMany(f"More than {self.per_second:.0f} requests a second. Try again in a second.", 429)
        self._left[visitor] = (left - 1, now)
