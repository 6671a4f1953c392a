"""Words of a command line become values as the schema of a parameter wants them."""

from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from server.cli.calling import values
from server.errors import InvalidArguments
from server.models.text import Id, Line
from server.registry import Param
from server.tools import TOOLS
from server.tools.common import SHARED

Text = Annotated[str, Field(max_length=100)]


@pytest.mark.parametrize(
    ("annotation", "texts", "wanted"),
    [
        (str, ["a=b=c"], "a=b=c"),
        (str, [""], ""),
        (str, ["5"], "5"),
        (str, ["true"], "true"),
        (str, ['{"a": 1}'], '{"a": 1}'),
        (str | None, ["null"], "null"),
        (int, ["-7"], -7),
        (int, [" 12 "], 12),
        (int, ["twelve"], "twelve"),
        (int | None, ["3"], 3),
        (float, ["-0.5"], -0.5),
        (bool, ["true"], True),
        (bool, ["No"], False),
        (bool, ["maybe"], "maybe"),
        (list[str], ["a,b"], ["a,b"]),
        (list[str], ["a", "b"], ["a", "b"]),
        (list[str], ['["a", "b"]'], ["a", "b"]),
        (list[str], [""], []),
        (list[str], ["5"], ["5"]),
        (list[int], ["2", "-1"], [2, -1]),
        (list[str | int], ["step_1", "4"], ["step_1", 4]),
        (dict[str, Any], ['{"a": [1]}'], {"a": [1]}),
        (list[dict[str, Any]], ['{"a": 1}', '{"a": 2}'], [{"a": 1}, {"a": 2}]),
    ],
)
def test_a_text_is_read_as_the_schema_says(annotation: Any, texts: list[str], wanted: object) -> None:
    found = values.value(Param("x", annotation), texts)

    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("annotation", "texts", "said"),
    [
        (str, ["a", "b"], "2 times"),
        (dict[str, Any], ["{a: 1}"], "no JSON"),
        (list[int], ["[1, 2"], "no JSON"),
        (list[Any], ["[" * 100_000], "no JSON"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_name(annotation: Any, texts: list[str], said: str) -> None:
    with pytest.raises(InvalidArguments, match=f"x.*{said}"):
        values.value(Param("x", annotation), texts)


def test_a_line_end_of_a_file_is_left_out_only_where_it_cannot_be() -> None:
    assert values.value(Param("x", str), ["text\n"]) == "text\n"
    assert values.value(Param("x", Line), ["text\n"]) == "text"
    assert values.value(Param("x", Id), ["text\r\n"]) == "text"
    assert values.value(Param("x", Line), ["two\nlines\n"]) == "two\nlines"  # which the check refuses


@pytest.mark.parametrize("word", ["x", "=x", "", "--plan-id", "--plan-id=3", "-x"])
def test_what_is_no_pair_is_refused(word: str) -> None:
    with pytest.raises(InvalidArguments, match=r"name=value|plan_id=|x=VALUE"):
        values.split(["a=1", word])


def test_files_and_texts_that_begin_with_an_at_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "long text"
    file.write_bytes(b"caf\xc3\xa9\n")
    found = values.read({"a": [f"@{file}"], "b": ["@@ada"], "c": ["x@y"], "d": ["@@@"], "e": [""]})

    assert found == {"a": ["café\n"], "b": ["@ada"], "c": ["x@y"], "d": ["@@"], "e": [""]}


def test_a_file_that_is_not_to_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path, said in ((tmp_path / "none", "No such file"), (tmp_path, "director"), (tmp_path / "binary", "UTF-8")):
        with pytest.raises(InvalidArguments, match=f"notes: .*{said}"):
            values.read({"notes": [f"@{path}"]})
    with pytest.raises(InvalidArguments, match="more than 16777216 bytes"):
        values.read({"notes": ["@/dev/zero"]})


def test_stdin_is_read_for_one_value_only() -> None:
    with pytest.raises(InvalidArguments, match="a and b cannot both"):
        values.read({"a": ["-"], "b": ["@-"]})


def test_an_agent_that_a_list_is_narrowed_to_is_nobody_who_calls() -> None:
    mistaken = [
        f"{tool.name} {action.name}"
        for tool in TOOLS.values()
        for action in tool.actions.values()
        if action.params.get("agent") == SHARED["agent"] and "agent" in signature(action.handler).parameters
    ]
    assert mistaken == []  # a terminal would narrow them to its own agent
