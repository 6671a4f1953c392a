"""Nested values as people write them: what is written is read as the same, or is not written so at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.web.pages.forms import outlines

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NAMES = st.text() | st.text("ab :-#", max_size=4)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=10)

BOAT = {
    "wood": "oak",
    "planks": 40,
    "is afloat": False,
    "crew": ["Ada", "5", 5],
    "sail": {"cloth": "canvas: heavy", "rings": [{"size": 3}, {"size": 4}], "spare": []},
    "motto": "two\nlines",
}
WRITTEN = """\
wood: oak
planks: 40
is afloat: false
crew:
  - Ada
  - "5"
  - 5
sail:
  cloth: canvas: heavy
  rings:
    -
      size: 3
    -
      size: 4
  spare: []
motto: "two\\nlines\""""


def test_a_nested_value_is_lines_that_a_person_reads() -> None:
    assert outlines.written(BOAT) == WRITTEN
    assert outlines.read(WRITTEN) == BOAT


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_written_is_read_as_the_same(value: dict[str, Any]) -> None:
    text = outlines.written(value)

    assert text is None or json.dumps(outlines.read(text)) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no colon", "no name"),
        (": x", "no name"),
        ("- a", "no outline"),
        ("a: 1\n  b: 2", "below nothing"),
        ("a:\n    b: 1\n  c: 2", "below nothing"),
        ("a: 1\na: 2", "twice"),
        ("a:\n  - b: 1", "might mean"),
        ("a:\n  - 1\n  b: 1", "among the lines"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(3000)), "too deeply"),
    ],
)
def test_what_is_no_outline_is_not_guessed_at(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        outlines.read(text)


def test_json_that_is_nested_too_deeply_is_a_text() -> None:
    assert outlines.read("a: " + "[" * 5000) == {"a": "[" * 5000}


def test_indentation_may_be_of_any_width() -> None:
    assert outlines.read("a:\n        - 1\n        - b\n") == {"a": [1, "b"]}
