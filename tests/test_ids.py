"""Ids sort by time and never repeat; timestamps sort like the time they name."""

import re
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.models import base
from server.models.base import ALPHABET, encode, later, new_id, timestamp

SHAPE = re.compile(r"plan_[0-9abcdefghjkmnpqrstvwxyz]{12}")
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def test_an_id_has_its_prefix_and_twelve_characters_that_cannot_be_confused() -> None:
    assert all(SHAPE.fullmatch(new_id("plan")) for _ in range(1_000))
    assert len(set(ALPHABET)) == 32
    assert list(ALPHABET) == sorted(ALPHABET)
    assert not set("ilou") & set(ALPHABET)


def test_ids_of_one_process_grow() -> None:
    ids = [new_id("step") for _ in range(20_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_of_several_threads_differ() -> None:
    found: list[list[str]] = []

    def draw() -> None:
        found.append([new_id("step") for _ in range(5_000)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({step_id for ids in found for step_id in ids}) == 20_000


def test_ids_sort_by_the_second_they_were_made_in(monkeypatch: pytest.MonkeyPatch) -> None:
    source = base._IdSource()
    numbers: list[int] = []
    for moment in (1_800_000_000, 1_800_000_001, 1_900_000_000):
        monkeypatch.setattr(base.time, "time", lambda moment=moment: moment)
        numbers += [source.next(), source.next()]

    assert numbers == sorted(numbers)
    assert numbers[-1] < 32**12


def test_ids_grow_even_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = base._IdSource()
    numbers: list[int] = []
    for moment in (1_900_000_000, 1_800_000_000, 1_900_000_001):
        monkeypatch.setattr(base.time, "time", lambda moment=moment: moment)
        numbers += [source.next() for _ in range(100)]

    assert numbers == sorted(set(numbers))


def test_a_timestamp_is_utc_with_milliseconds_and_a_z() -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 891_999, timezone(timedelta(hours=2)))

    assert timestamp(moment) == "2026-03-04T03:06:07.891Z"
    assert timestamp(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


@given(one=MOMENTS, other=MOMENTS)
def test_timestamps_sort_like_the_time_they_name(one: datetime, other: datetime) -> None:
    if one <= other:
        assert timestamp(one) <= timestamp(other)
    assert datetime.fromisoformat(timestamp(one)) <= one


@given(moment=MOMENTS, seconds=st.integers(0, 86_400 * 365))
def test_later_adds_seconds_to_a_timestamp(moment: datetime, seconds: int) -> None:
    text = timestamp(moment)

    assert datetime.fromisoformat(later(text, seconds)) - datetime.fromisoformat(text) == timedelta(seconds=seconds)


def test_json_is_compact_readable_and_strict() -> None:
    assert encode({"a": ["é", None, 1.5]}) == '{"a":["é",null,1.5]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"a": float("nan")})
