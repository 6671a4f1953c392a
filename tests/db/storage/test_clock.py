"""The clock that leases go by: it follows the wall clock forward, never back."""

from datetime import UTC, datetime, timedelta

from server.db.storage.clock import TRUSTED_AHEAD, Clock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Machine:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall = START.timestamp()
        self.steady = 1000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.steady)


def since_start(clock: Clock) -> float:
    return (clock() - START).total_seconds()


def test_it_follows_the_wall_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_(60)
    assert since_start(clock) == 60


def test_a_clock_set_back_neither_stops_nor_reverses_it() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_(60)
    clock()
    machine.wall -= 3600
    assert since_start(clock) == 60
    machine.pass_(10)
    assert since_start(clock) == 70


def test_a_clock_set_forward_is_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 3600
    assert since_start(clock) == 3600


def test_a_process_started_after_the_clock_was_set_back_does_not_fall_behind_the_last_write() -> None:
    machine = Machine()
    machine.wall -= 1800
    late = machine.clock()
    assert since_start(late) == -1800
    late.at_least(START)
    machine.pass_(5)
    assert since_start(late) == 5


def test_a_write_from_the_far_future_is_not_believed() -> None:
    clock = Machine().clock()
    clock.at_least(START + timedelta(seconds=TRUSTED_AHEAD + 1))
    assert since_start(clock) == 0
