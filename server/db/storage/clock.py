"""The time that decides about leases: it never runs backwards, neither in a process nor between processes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

TRUSTED_AHEAD = 3600.0  # seconds that another process may be ahead of our wall clock and still be believed


class Clock:
    """UTC by the wall clock, carried on by the monotonic one when the wall clock is set back.

    `at_least` brings in the last time another process wrote, so that a process that starts after the clock was set
    back gives leases that the others do not see as over. Without a common monotonic clock between processes, that last
    write is the floor: a lease may then end earlier by the time that passed since it, never be revived.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead = wall() - steady()

    def __call__(self) -> datetime:
        steady = self._steady()
        self._ahead = max(self._ahead, self._wall() - steady)
        return datetime.fromtimestamp(self._ahead + steady, UTC)

    def at_least(self, moment: datetime) -> None:
        """Do not fall behind `moment`, unless it is so far ahead that the clock that wrote it must have been wrong."""
        seconds = moment.timestamp()
        if seconds <= self._wall() + TRUSTED_AHEAD:
            self._ahead = max(self._ahead, seconds - self._steady())
