"""What is wrong with an argument is said in words for people, with its place, whatever the argument."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from server.argument_problems import USELESS
from server.errors import ProjectMemoryError
from server.models.base import Described
from server.registry import Param
from server.tools import TOOLS

PARAMS = {
    f"{tool.name}.{action.name}.{param.name}": param
    for tool in TOOLS.values()
    for action in tool.actions.values()
    for param in action.params.values()
}
KINDS = {repr(param.annotation): param for param in PARAMS.values()}
BAD: list[Any] = [
    *(5, -1, 10**30, 1.5, float("nan"), True, "x", "", " ", "\0", "\ud800", "seven", "[1,", '{"a":1}', "x" * 20_000),
    *([], [None], [5], [[]], [{}], ["x"] * 3000, [True], [1.5], {}, {"a": 1}, {"a": {"b": [1]}}, [{"nmae": "x"}]),
]
FORBIDDEN = re.compile(
    r"input should|pydantic|valid (?:string|integer|number|boolean|dictionary|list)|value error|assertion|function-|"
    r"constrained|instance of|NoneType|\bdict\b|\bstr\b|\bint\b|\bbool\b|\bmodel\b|validat(?:or|ion error)|isoformat|"
    r"NewStep|StepUpdate|NewPhase|NewItem|Annotated|Traceback|\{\w+\}",
    re.IGNORECASE,
)


def nested(param: Param) -> Iterator[Any]:
    """Yield lists of two objects whose second has one field that is bad, for parameters that take such."""
    fields = param.describe().get("items", {}).get("fields", {})
    for name in fields:
        plain = name.rstrip("*")
        fine = {other.rstrip("*"): "x" for other in fields if other.endswith("*") and other != name}
        yield from ([fine, {**fine, plain: value}] for value in BAD)
        yield [fine, {**fine, f"{plain}x": 1}]
        yield [fine, {plain: "x"}]


def problems(param: Param, value: Any) -> list[dict[str, str]]:
    try:
        return param.validate(value)[1]
    except ProjectMemoryError as error:
        return [{"param": param.name, "problem": str(error)}]


@pytest.mark.parametrize("kind", KINDS, ids=[param.name for param in KINDS.values()])
def test_no_problem_is_worded_for_programmers(kind: str) -> None:
    param = KINDS[kind]
    for value in (*BAD, *nested(param)):
        for problem in problems(param, value):
            assert not FORBIDDEN.search(problem["problem"]), (value, problem)
            assert problem["problem"] != USELESS, value
            assert re.match(rf"{param.name}(\[\d+\]|\.[^.\[]|$)", problem["param"]), problem


def step_list() -> Param:
    return PARAMS["memory_steps.add.steps"]


@given(st.lists(st.sampled_from([{"task": "a"}, {"task": 5}, {}, {"task": "a", "phase": 1}, "x"]), min_size=1))
def test_every_bad_item_is_told_with_its_place(items: list[Any]) -> None:
    wanted = {
        str({}): (".task", "is required"),
        str({"task": 5}): (".task", "must be text"),
        str({"task": "a", "phase": 1}): (".phase", "must be text"),
        "x": ("", "must be an object"),
    }
    expected = [
        {"param": f"steps[{place}]{wanted[str(item)][0]}", "problem": wanted[str(item)][1]}
        for place, item in enumerate(items)
        if str(item) in wanted
    ]
    assert problems(step_list(), items) == expected


def test_a_value_that_may_be_of_several_kinds_says_all_of_them_once() -> None:
    found = problems(step_list(), [{"task": "a", "depends_on": [[], 1.5]}])
    assert found == [
        {"param": "steps[0].depends_on[0]", "problem": "must be a whole number or text"},
        {"param": "steps[0].depends_on[1]", "problem": "must be a whole number or text"},
    ]


def test_limits_are_said_as_people_say_them() -> None:
    limit = PARAMS["memory_steps.list.limit"]
    assert problems(limit, 0) == [{"param": "limit", "problem": "must be at least 1"}]
    assert problems(limit, "many") == [{"param": "limit", "problem": "must be a whole number"}]
    assert problems(step_list(), []) == [{"param": "steps", "problem": "has too few items: at least 1"}]
    since = PARAMS["memory_workspace.history.since"]
    assert problems(since, "soon")[0]["problem"].startswith("must be a time such as")


# What a part of a call cannot do without.
NEEDED: dict[str, Any] = {
    "task": "t",
    "name": "n",
    "title": "t",
    "content": "c",
    "type": "notes",
    "category": "bugfix",
    "tool": "t",
    "value": 1,
}


def described(model: type[Described] = Described) -> list[type[Described]]:
    return [each for child in model.__subclasses__() for each in (child, *described(child))]


@pytest.mark.parametrize("model", described(), ids=lambda model: model.__name__)
def test_null_in_a_part_of_a_call_stands_for_what_was_not_said(model: type[Described]) -> None:
    needed = {name: NEEDED.get(name, {}) for name, field in model.model_fields.items() if field.is_required()}
    nulls = dict.fromkeys(model.model_fields.keys() - needed.keys())

    assert model.model_validate({**nulls, **needed}) == model.model_validate(needed)
    with pytest.raises(ValidationError):
        model.model_validate({**needed, "unknown": 1})
