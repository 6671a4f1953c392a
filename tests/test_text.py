"""What texts and values may hold, and how much."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from server.errors import TooLarge
from server.models.text import (
    DATA_DEPTH,
    LINE_LENGTH,
    VALUE_BYTES,
    Data,
    Id,
    Index,
    Line,
    Lines,
    Moment,
    Name,
    Seconds,
    SomeText,
    Task,
    Text,
)


def taken(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refusal(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        taken(kind, value)
    return caught.value.errors()[0]["msg"]


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("kind", [Line, Name, Id])
def test_a_line_is_stripped_and_may_hold_any_letter(kind: Any) -> None:
    assert taken(kind, "  Größe 日本 💥 ") == "Größe 日本 💥"


@pytest.mark.parametrize("kind", [Line, Name, Id])
@pytest.mark.parametrize("text", ["a\nb", "a\tb", "\0", "a\x1b[31m", "a\x7f", "a\r"])
def test_a_line_holds_no_control_characters(kind: Any, text: str) -> None:
    assert "control characters" in refusal(kind, text)


@pytest.mark.parametrize("kind", [Line, Name, Id, SomeText, Task])
@pytest.mark.parametrize("text", ["", " ", "\u2003"])
def test_what_must_say_something_is_not_blank(kind: Any, text: str) -> None:
    assert "must not be empty" in refusal(kind, text)


@pytest.mark.parametrize(("kind", "length"), [(Line, LINE_LENGTH), (Name, 64), (Id, 200), (Task, 10_000)])
def test_lengths_are_limited(kind: Any, length: int) -> None:
    assert taken(kind, "x" * length) == "x" * length
    assert f"at most {length} characters" in refusal(kind, "x" * (length + 1))


@pytest.mark.parametrize("kind", [Text, SomeText, Task])
def test_a_text_keeps_every_character_but_nul(kind: Any) -> None:
    text = " a\n\tb \x1b \u2028 💥 "

    assert taken(kind, text) == text
    assert "NUL" in refusal(kind, "a\0b")


def test_a_text_may_be_empty() -> None:
    assert taken(Text, "") == ""


@pytest.mark.parametrize("kind", [Text, SomeText])
@pytest.mark.parametrize("character", ["x", "é", "𝄞"])
def test_a_text_has_at_most_one_mebibyte(kind: Any, character: str) -> None:
    most = VALUE_BYTES // len(character.encode())

    assert taken(kind, character * most) == character * most
    with pytest.raises(TooLarge, match="1048576 bytes"):
        taken(kind, character * (most + 1))


def test_data_has_at_most_one_mebibyte_as_json() -> None:
    frame = len('{"a":""}')

    assert taken(Data, {"a": "x" * (VALUE_BYTES - frame)})
    with pytest.raises(TooLarge):
        taken(Data, {"a": "x" * (VALUE_BYTES - frame + 1)})


def test_data_is_nested_at_most_100_levels() -> None:
    assert taken(Data, nested(DATA_DEPTH)) == nested(DATA_DEPTH)
    assert "deeper than 100 levels" in refusal(Data, nested(DATA_DEPTH + 1))
    assert "deeper than 100 levels" in refusal(Data, {"a": [[[nested(DATA_DEPTH)]]]})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_data_holds_only_what_json_knows(number: float) -> None:
    assert "NaN and infinity are no numbers of JSON" in refusal(Data, {"a": [{"b": number}]})


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=10,
        ),
        max_size=4,
    )
)
def test_any_json_object_is_taken_as_it_is(value: dict[str, Any]) -> None:
    assert taken(Data, value) == value


@pytest.mark.parametrize("value", [[], "x", 5, None])
def test_data_is_an_object(value: object) -> None:
    assert "dictionary" in refusal(Data, value)


def test_lines_are_at_most_a_thousand() -> None:
    assert len(taken(Lines, ["x"] * 1_000)) == 1_000
    assert "at most 1000 items" in refusal(Lines, ["x"] * 1_001)
    assert "control characters" in refusal(Lines, ["x", "a\nb"])


@pytest.mark.parametrize(("kind", "least", "most"), [(Seconds, 1, 86_400), (Index, 0, 10**9)])
def test_numbers_have_their_bounds(kind: Any, least: int, most: int) -> None:
    assert taken(kind, least) == least
    assert taken(kind, str(most)) == most
    assert "greater than or equal" in refusal(kind, least - 1)


def test_a_lease_lasts_at_most_a_day() -> None:
    assert "less than or equal to 86400" in refusal(Seconds, 86_401)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-04", "2026-03-04T00:00:00.000Z"),
        ("2026-03-04T05:06:07", "2026-03-04T05:06:07.000Z"),
        ("2026-03-04T05:06:07.891Z", "2026-03-04T05:06:07.891Z"),
        ("2026-03-04T05:06:07+02:00", "2026-03-04T03:06:07.000Z"),
    ],
)
def test_a_moment_may_be_written_in_several_ways_and_becomes_one(text: str, moment: str) -> None:
    assert taken(Moment, text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "x" * 100_000])
def test_what_is_no_moment_is_refused_in_few_words(text: str) -> None:
    assert len(refusal(Moment, text)) < 200
