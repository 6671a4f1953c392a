"""Processes take turns in line, and none waits for one that does not move."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.db.line import LINGER_SECONDS, Line

LONG = 5.0


@contextmanager
def standing(line: Line) -> Generator[None]:
    line.enter(LONG)
    try:
        yield
    finally:
        line.leave()


def has_turn_soon(line: Line) -> threading.Event:
    """Let a thread stand in line; the event is set when its turn has come."""
    came = threading.Event()

    def run() -> None:
        with standing(line):
            came.set()

    threading.Thread(target=run, daemon=True).start()
    return came


def test_the_next_one_has_its_turn_when_the_first_leaves(tmp_path: Path) -> None:
    first, second = Line(tmp_path / "db"), Line(tmp_path / "db")
    with standing(first):
        came = has_turn_soon(second)
        assert not came.wait(0.05)
    assert came.wait(LONG)
    first.close()
    second.close()


def keep_a_turn(line: Line) -> None:
    """Write twice without a pause: the turn of the second write is kept."""
    for _ in range(20):  # the machine may take a break between the two
        line.enter(LONG)
        if line.leave(linger=True):
            return
    raise AssertionError("no turn was kept")


@pytest.mark.parametrize("end", [Line.give_way, Line.close])
def test_a_turn_that_was_kept_ends_when_the_process_gives_way(tmp_path: Path, end: Callable[[Line], None]) -> None:
    first, second = Line(tmp_path / "db"), Line(tmp_path / "db")
    keep_a_turn(first)
    came = has_turn_soon(second)
    assert not came.wait(0.05)
    end(first)
    assert came.wait(LONG)


def test_a_process_with_a_kept_turn_need_not_wait_for_another(tmp_path: Path) -> None:
    first, second = Line(tmp_path / "db"), Line(tmp_path / "db")
    keep_a_turn(first)
    came = has_turn_soon(second)
    first.enter(LONG)
    first.give_way()  # comes too late: the next write has begun
    assert not came.is_set()
    first.leave()
    assert came.wait(LONG)


def test_who_pauses_between_two_writes_keeps_nothing(tmp_path: Path) -> None:
    line = Line(tmp_path / "db")
    line.enter(LONG)
    line.leave()
    left = time.monotonic()
    while time.monotonic() < left + LINGER_SECONDS:
        pass
    line.enter(LONG)
    assert not line.leave(linger=True)


def test_a_line_that_does_not_move_is_given_up_and_not_waited_for_again(tmp_path: Path) -> None:
    stuck, line = Line(tmp_path / "db"), Line(tmp_path / "db")
    stuck.enter(LONG)
    line.enter(0.02)  # its turn did not come
    before = threading.active_count()
    for _ in range(3):
        with standing(line):
            assert threading.active_count() <= before  # nobody waits in it
    assert not line.leave(linger=True)
