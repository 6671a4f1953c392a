"""Results fit the caller's budget, whole items only, and what was cut can be had."""

import base64
import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from server.errors import InvalidArguments
from server.models.base import Model, encode, told
from server.tools.render import (
    DEFAULT_BYTES,
    MAX_BYTES,
    MIN_BYTES,
    Budget,
    Page,
    Result,
    decode_cursor,
    encode_cursor,
    lean,
    render,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
BUDGET = st.integers(MIN_BYTES, MAX_BYTES)


class Item(Model):
    ALWAYS: ClassVar[frozenset[str]] = frozenset({"count"})
    item_id: str
    count: int | None = None
    notes: str | None = None
    tags: list[str] = Field(default_factory=list[str])
    part: "Item | None" = None


def page(rows: Sequence[dict[str, Any]], *, limit: int = 20, total: int | None = None) -> Page:
    return Page("rows", rows, len(rows) if total is None else total, limit, lambda row: [row["n"]], "by-n")


def size(text: str) -> int:
    return len(text.encode())


def walk(rows: list[dict[str, Any]], limit: int, max_bytes: int) -> tuple[list[dict[str, Any]], int]:
    """Read a list page by page, as an agent does with next_cursor, and return the rows and the longest answer."""
    seen: list[dict[str, Any]] = []
    cursor, longest = None, 0
    for _ in range(len(rows) + 1):
        after = decode_cursor(cursor, "by-n", 1)
        found = [row for row in rows if after is None or row["n"] > after[0]][: limit + 1]
        text = render(page(found, limit=limit, total=len(rows)), Budget(max_bytes))
        answer = json.loads(text)
        longest = max(longest, size(text))
        seen += answer["rows"]
        cursor = answer.get("next_cursor")
        if cursor is None:
            return seen, longest
    raise AssertionError("the list does not end")


def joined(parts: dict[str, Any], max_bytes: int) -> tuple[str, str, int]:
    """Read a cut value piece by piece and return the name of the field, its text and the longest answer."""
    text, offset, longest, named = "", 0, 0, set[str]()
    while True:
        answer_text = render(parts, Budget(max_bytes, offset, has_pieces=True))
        answer = json.loads(answer_text)
        longest = max(longest, size(answer_text))
        named.add(answer["field"])
        text += answer["text"]
        if "next_offset" not in answer:
            assert answer["length"] == len(text)
            return named.pop(), text, longest
        assert answer["next_offset"] == len(text) > offset
        offset = answer["next_offset"]


def test_a_result_is_one_compact_json_object_with_an_item_a_line() -> None:
    text = render({"title": "Grüße", "steps": [{"a": [1, 2]}, {"b": "x\ny"}], "tags": []}, Budget())

    assert text == '{"title":"Grüße","steps":[\n{"a":[1,2]},\n{"b":"x\\ny"}\n]}'


def test_null_and_empty_fields_of_models_are_left_out_but_for_those_that_always_stand() -> None:
    item = Item(item_id="a", notes="", part=Item(item_id="b", tags=["x"]))

    assert lean(item) == {"item_id": "a", "count": None, "part": {"item_id": "b", "count": None, "tags": ["x"]}}
    assert json.loads(render(item, Budget())) == lean(item)


def test_nothing_is_left_out_of_the_data_of_users() -> None:
    data = {"a": None, "b": "", "c": [], "d": {}, "e": [None, {"f": None}]}

    assert json.loads(render({"data": data}, Budget())) == {"data": data}


def test_a_part_that_is_absent_is_left_out() -> None:
    assert (
        render({"next": None, "steps": [], "remaining": 0, "done": False}, Budget()) == '{"remaining":0,"done":false}'
    )


def test_the_default_is_9000_bytes_and_the_limit_45000() -> None:
    assert (DEFAULT_BYTES, MAX_BYTES) == (9_000, 45_000)
    assert Budget().max_bytes == DEFAULT_BYTES


def test_a_result_that_fits_to_the_byte_is_whole() -> None:
    exact = {"text": "x" * 1000, "items": [{"n": 1}, {"n": 2}]}
    length = size(render(exact, Budget(MAX_BYTES)))

    assert json.loads(render(exact, Budget(length))) == exact
    cut = json.loads(render(exact, Budget(length - 1)))
    assert (cut["field"], cut["items"]) == ("text", exact["items"])
    assert cut["next_offset"] < 1000


def test_a_list_is_cut_between_its_items_and_says_how_many_are_left_out() -> None:
    items = [{"n": n, "text": "x" * 90} for n in range(500)]
    answer = json.loads(render(Result({"plan_id": "p", "items": items}, hint="ask for less"), Budget(2_000)))
    shown = len(answer["items"])

    assert 0 < shown < 500
    assert answer["items"] == items[:shown]
    assert answer["truncated"] == {"omitted": 500 - shown, "hint": "ask for less"}
    assert answer["plan_id"] == "p"


def test_a_list_that_nothing_else_shows_comes_in_pieces_where_it_can() -> None:
    parts = {"plan_id": "p", "items": ["x" * 90] * 500}
    piece = json.loads(render(parts, Budget(has_pieces=True)))
    name, text, longest = joined(parts, DEFAULT_BYTES)
    written = json.loads(render(parts, Budget()))

    assert (piece["field"], "truncated" in piece, longest <= DEFAULT_BYTES) == ("items", False, True)
    assert (name, json.loads(text)) == ("items", parts["items"])
    assert "all of it was done" in written["truncated"]["hint"]


def test_the_longest_list_is_cut_first() -> None:
    parts = {"few": [{"n": n} for n in range(5)], "many": [{"n": n} for n in range(5000)]}
    answer = json.loads(render(parts, Budget(2_000)))

    assert answer["few"] == parts["few"]
    assert answer["truncated"]["omitted"] == 5000 - len(answer["many"])


def test_a_long_text_comes_in_pieces_beside_the_facts() -> None:
    answer = json.loads(render({"item_id": "i", "version": 3, "content": "é" * 20_000}, Budget()))

    assert (answer["item_id"], answer["version"], answer["field"], answer["length"]) == ("i", 3, "content", 20_000)
    assert answer["text"] == "é" * answer["next_offset"]


def test_an_offset_gives_the_rest_even_when_the_whole_would_fit() -> None:
    answer = json.loads(render({"item_id": "i", "content": "abcdefgh" * 3}, Budget(offset=20)))

    assert answer == {"item_id": "i", "field": "content", "text": "efgh", "length": 24}


@pytest.mark.parametrize("offset", [24, 25, 10**12])
def test_an_offset_behind_the_end_gives_an_empty_rest(offset: int) -> None:
    answer = json.loads(render({"content": "abcdefgh" * 3}, Budget(offset=offset)))

    assert answer == {"field": "content", "text": "", "length": 24}


def test_two_long_values_come_as_the_json_text_of_the_whole_result() -> None:
    parts = {"description": "d" * 100_000, "notes": "n" * 100_000}
    name, text, longest = joined(parts, 9_000)

    assert name == "result"
    assert json.loads(text) == parts
    assert longest <= 9_000


@pytest.mark.parametrize("size_", [10, 1024 * 1024])
@pytest.mark.parametrize("character", ["x", "é", "𝄞", '"', "\n", "\0", "\u2028"])
def test_nothing_exceeds_the_largest_budget(character: str, size_: int) -> None:
    value = character * size_

    for result in ({"value": value}, {"value": {"a": value}}, {"values": [value, value]}, {"a": value, "b": value}):
        assert size(render(result, Budget(MAX_BYTES))) <= MAX_BYTES
    assert size(render(page([{"n": 1, "value": value}]), Budget(MAX_BYTES))) <= MAX_BYTES


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(2**62, 2**70)


@given(
    value=st.recursive(
        NUMBERS | st.text() | st.booleans() | st.none(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    )
)
def test_a_value_that_is_told_is_the_value(value: Any) -> None:
    assert json.loads(told(value)) == value


def test_what_has_no_text_of_its_own_is_told_all_the_same() -> None:
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]

    assert told("half \ud800") == encode("half \ud800")
    assert told(deep) == encode(deep)
    assert told({"sum": 1e308 * 10}) == '{"sum":null}'


@given(value=VALUE.filter(lambda value: len(encode(value)) > 2), max_bytes=st.integers(MIN_BYTES, 1_500))
def test_the_pieces_of_a_value_make_the_value(value: Any, max_bytes: int) -> None:
    whole = {"item_id": "item_1", "data": {"value": value, "much": ["𝄞\n\0"] * 300}}
    name, text, longest = joined(whole, max_bytes)

    assert name == "data"
    assert json.loads(text) == whole["data"]
    assert longest <= max_bytes


@given(text=st.text(st.sampled_from('aé𝄞"\\\n\0\u2028'), min_size=2_000, max_size=4_000), max_bytes=BUDGET)
def test_the_pieces_of_a_text_make_the_text(text: str, max_bytes: int) -> None:
    answer = render({"item_id": "item_1", "content": text}, Budget(max_bytes))
    if "content" in json.loads(answer):
        assert json.loads(answer)["content"] == text
        return
    name, found, longest = joined({"item_id": "item_1", "content": text}, max_bytes)

    assert (name, found) == ("content", text)
    assert longest <= max_bytes


@given(
    parts=st.dictionaries(st.text("abc", min_size=1, max_size=8), VALUE | st.lists(VALUE, max_size=200), max_size=5),
    copies=st.integers(1, 60),
    max_bytes=BUDGET,
    offset=st.just(0) | st.integers(1, 5_000),
)
def test_any_result_is_an_object_within_its_budget(
    parts: dict[str, Any], copies: int, max_bytes: int, offset: int
) -> None:
    grown = {name: value * copies if isinstance(value, str | list) else value for name, value in parts.items()}
    text = render(grown, Budget(max_bytes, offset))

    assert isinstance(json.loads(text), dict)
    assert size(text) <= max_bytes


@given(
    sizes=st.lists(st.integers(0, 3_000), max_size=60),
    limit=st.integers(1, 25),
    max_bytes=st.sampled_from([MIN_BYTES, 1_000, DEFAULT_BYTES, MAX_BYTES]),
)
def test_a_list_read_to_its_end_loses_and_repeats_nothing(sizes: list[int], limit: int, max_bytes: int) -> None:
    rows: list[dict[str, Any]] = [
        {"n": n, "row_id": f"row_{n:012}", "text": "é" * length} for n, length in enumerate(sizes)
    ]
    seen, longest = walk(rows, limit, max_bytes)

    assert [row["n"] for row in seen] == list(range(len(rows)))
    assert longest <= max_bytes
    for row, shown in zip(rows, seen, strict=True):
        assert shown == row or (shown["clipped"] == ["text"] and row["text"].startswith(shown["text"]))


def test_a_page_is_full_and_tells_the_total_and_where_to_go_on() -> None:
    rows = [{"n": n} for n in range(4)]

    assert json.loads(render(page(rows, limit=3, total=9), Budget())) == {
        "rows": [{"n": 0}, {"n": 1}, {"n": 2}],
        "total": 9,
        "next_cursor": encode_cursor("by-n", [2]),
    }
    assert "next_cursor" not in json.loads(render(page(rows[:3], limit=3, total=3), Budget()))


def test_an_offset_into_a_list_is_refused_rather_than_ignored() -> None:
    with pytest.raises(InvalidArguments, match="next_cursor"):
        render(page([{"n": 0}]), Budget(offset=20))


def test_an_empty_list_is_told_as_such() -> None:
    assert json.loads(render(page([]), Budget())) == {"rows": [], "total": 0}


def test_a_page_that_was_cut_says_so_and_goes_on_behind_its_last_row() -> None:
    rows = [{"n": n, "text": "x" * 400} for n in range(20)]
    answer = json.loads(render(page(rows, limit=20), Budget(2_000)))
    shown = len(answer["rows"])

    assert 0 < shown < 20
    assert answer["truncated"]["omitted"] == 20 - shown
    assert decode_cursor(answer["next_cursor"], "by-n", 1) == [shown - 1]


def test_a_row_that_is_too_long_alone_is_clipped_and_says_where() -> None:
    rows: list[dict[str, Any]] = [{"n": 0, "row_id": "row_0", "data": {"a": "x" * 50_000}, "notes": "y" * 50_000}]
    [row] = json.loads(render(page(rows), Budget(1_000)))["rows"]

    assert (row["n"], row["row_id"], row["clipped"]) == (0, "row_0", ["data", "notes"])
    assert encode(rows[0]["data"]).startswith(row["data"])
    assert rows[0]["notes"].startswith(row["notes"])


@given(position=st.lists(TEXT | st.integers(), max_size=5), order=TEXT)
def test_a_cursor_carries_any_position_and_looks_like_nothing(position: list[str | int], order: str) -> None:
    cursor = encode_cursor(order, position)

    assert decode_cursor(cursor, order, len(position)) == position
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def wrapped(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "abcde",
        "é",
        "not a cursor",
        wrapped("5"),
        wrapped("null"),
        wrapped("{}"),
        wrapped("[]"),
        wrapped("[" * 100_000),
        wrapped('["by-n"]'),
        wrapped('["by-n",1,2]'),
        wrapped('["other",1]'),
        wrapped('["by-n",null]'),
        wrapped('["by-n",true]'),
        wrapped('["by-n",1.5]'),
        wrapped('["by-n",{"a":1}]'),
        wrapped('["by-n",NaN]'),
        encode_cursor("by-title", [1]),
    ],
)
def test_a_cursor_of_another_list_or_of_nobody_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidArguments, match="'cursor' is not one that this list gave"):
        decode_cursor(cursor, "by-n", 1)
