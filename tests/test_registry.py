"""How signatures become schemas, and what a caller is told about a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from server.errors import InvalidArguments, ProjectMemoryError, UnknownAction
from server.models.text import Data, Index, Line, Text
from server.registry import Param, Tool, nearest, params_of


class Part(BaseModel):
    """One part."""

    task: Line
    notes: Text | None = None


Colour = Literal["red", "green"]


@dataclass(frozen=True)
class Shared:
    who: Annotated[str, Field(description="who you are")] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    force: bool = False


SHARED = params_of(Shared)
GROUPS: Mapping[str, tuple[Param, ...]] = {
    "who": (SHARED["who"],),
    "page": (SHARED["limit"],),
    "force": (SHARED["force"],),
}


def sample() -> Tool:
    tool = Tool("things", "Things", "All about things.", GROUPS, always=("who",), on_write=("force",))

    @tool.action(aliases=("make",))
    async def create(
        call: object,
        *,
        title: Line,
        colour: Annotated[Colour, Field(description="what it looks like")] = "red",
        parts: Annotated[list[Part], Field(max_length=3)] | None = None,
        data: Data | None = None,
        index: Index | None = None,
    ) -> dict[str, Any]:
        """Make a thing.

        A colour is optional.

        Example: {"action":"create","title":"A thing"}
        """
        return {"title": title, "colour": colour, "parts": parts, "data": data, "index": index}

    @tool.action(read_only=True, takes=("page",), one_of=(("thing_id",), ("title", "index")))
    async def list_(
        call: object, *, thing_id: str | None = None, title: Line | None = None, index: Index | None = None
    ) -> dict[str, Any]:
        """List things."""
        return {"thing_id": thing_id, "title": title, "index": index}

    return tool


TOOL = sample()


def refused(**arguments: Any) -> ProjectMemoryError:
    with pytest.raises(ProjectMemoryError) as caught:
        TOOL.bind(arguments)
    return caught.value


def test_the_signature_is_the_schema() -> None:
    assert TOOL.input_schema() == {
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": ["create", "help", "list"]},
            "colour": {"type": "string", "enum": ["red", "green"], "description": "what it looks like"},
            "data": {"type": "object"},
            "force": {"type": "boolean"},
            "index": {"type": "integer"},
            "limit": {"type": "integer"},
            "parts": {"type": "array", "items": {"type": "object"}},
            "thing_id": {"type": "string"},
            "title": {"type": "string"},
            "topic": {"type": "string"},
            "who": {"type": "string", "description": "who you are"},
        },
        "required": ["action"],
        "additionalProperties": False,
    }


def test_the_description_has_a_line_an_action_with_what_it_requires() -> None:
    assert TOOL.description().splitlines() == [
        "All about things.",
        "create(title): Make a thing.",
        "help(): All actions, or one of them in full.",
        "list(thing_id or title+index): List things.",
    ]


def test_a_long_description_loses_its_summaries_before_its_actions() -> None:
    tool = Tool("many", "Many", "Purpose.")
    for number in range(60):

        async def act(call: object) -> None:
            """Do something long, with a remark behind a comma that can be left out of a list."""

        act.__name__ = f"action_number_{number:03}"
        tool.action()(act)

    lines = tool.description().splitlines()
    assert len(tool.description()) <= 2048
    assert lines[1] == "action_number_000()"
    assert len(lines) == 62


def test_a_description_that_cannot_fit_is_a_defect() -> None:
    tool = Tool("many", "Many", "p" * 2048)

    with pytest.raises(ValueError, match="exceeds 2048"):
        tool.description()


def test_one_name_has_one_shape_in_a_tool() -> None:
    tool = Tool("odd", "Odd", "Purpose.")

    @tool.action()
    async def one(call: object, *, size: int) -> None:
        """One."""

    @tool.action()
    async def two(call: object, *, size: str) -> None:
        """Two."""

    with pytest.raises(ValueError, match="odd two: 'size' differs"):
        tool.input_schema()


@pytest.mark.parametrize("taken", ["create", "make"])
def test_a_name_is_given_to_one_action_only(taken: str) -> None:
    async def again(call: object) -> None:
        """Again."""

    again.__name__ = taken
    with pytest.raises(ValueError, match="already has an action"):
        sample().action()(again)


def test_a_good_call_is_bound_to_its_action_and_split_in_own_and_shared() -> None:
    bound = TOOL.bind({"action": "create", "title": " A thing ", "who": "me", "force": True})

    assert bound.action is TOOL.actions["create"]
    assert bound.arguments == {"title": "A thing"}
    assert bound.shared == {"who": "me", "force": True}


def test_an_alias_is_the_action_itself_and_is_not_listed() -> None:
    assert TOOL.bind({"action": "make", "title": "A"}).action.name == "create"
    assert "make" not in TOOL.input_schema()["properties"]["action"]["enum"]
    assert "make" not in TOOL.description()


def test_all_problems_are_told_at_once() -> None:
    error = refused(action="create", titel="A", colour="blue", zzz=1, index=-1)

    assert isinstance(error, InvalidArguments)
    assert error.details == {
        "missing": ["title"],
        "unknown": {"titel": "title", "zzz": None},
        "invalid": [
            {"param": "colour", "problem": "must be 'red' or 'green'"},
            {"param": "index", "problem": "must be at least 0"},
        ],
        "usage": {"required": ["title"], "optional": ["colour", "parts", "data", "index", "who", "force"]},
    }
    assert str(error) == (
        "things create: 'title' is required; 'titel': did you mean 'title'?; 'zzz' is no parameter of this action; "
        "'colour': must be 'red' or 'green'; 'index': must be at least 0. "
        "action='help' topic='create' shows types, limits and an example."
    )


def test_a_parameter_of_another_action_is_unknown_here() -> None:
    assert refused(action="create", title="A", limit=3).details["unknown"] == {"limit": None}


def test_an_alternative_has_to_be_complete() -> None:
    assert refused(action="list", title="A").details["missing"] == ["thing_id or title+index"]
    assert TOOL.bind({"action": "list", "title": "A", "index": 0}).arguments == {"title": "A", "index": 0}
    assert TOOL.bind({"action": "list", "thing_id": "x"}).arguments == {"thing_id": "x"}


def test_null_counts_as_absent_even_for_a_required_or_unknown_name() -> None:
    assert refused(action="create", title=None).details["missing"] == ["title"]
    assert TOOL.bind({"action": "create", "title": "A", "colour": None, "nonsense": None}).arguments == {"title": "A"}


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ('[{"task":"a"},{"task":"b"}]', [Part(task="a"), Part(task="b")]),
        ([{"task": "a"}], [Part(task="a")]),
        (['{"task":"a"}'], None),
        ("[]", []),
        ("[1", None),
        ("", None),
        ("null", None),
        ("[" * 100_000, None),
        ('[{"task":"a"},{}]', None),
        ('[{"task":"a"},{"task":"b"},{"task":"c"},{"task":"d"}]', None),
    ],
)
def test_a_list_may_come_as_json_text(sent: object, understood: list[Part] | None) -> None:
    arguments = {"action": "create", "title": "A", "parts": sent}
    if understood is None:
        assert refused(**arguments).code == "invalid_arguments"
    else:
        assert TOOL.bind(arguments).arguments["parts"] == understood


def test_an_object_may_come_as_json_text_and_a_text_that_looks_like_json_stays_a_text() -> None:
    bound = TOOL.bind({"action": "create", "title": '{"a":1}', "data": ' {"a": [1, null]}'})

    assert bound.arguments == {"title": '{"a":1}', "data": {"a": [1, None]}}


def test_a_problem_inside_a_list_is_told_with_its_place() -> None:
    [problem] = refused(action="create", title="A", parts=[{"task": "a"}, {"task": 5}]).details["invalid"]  # pyright: ignore[reportGeneralTypeIssues]

    assert problem == {"param": "parts[1].task", "problem": "must be text"}


@pytest.mark.parametrize("number", ["7", 7, 7.0])
def test_an_integer_may_come_as_digits(number: object) -> None:
    assert TOOL.bind({"action": "create", "title": "A", "index": number}).arguments["index"] == 7


@pytest.mark.parametrize("number", ["seven", 7.5, "", [], {}, "1" * 5000])
def test_what_is_no_integer_is_refused(number: object) -> None:
    assert refused(action="create", title="A", index=number).code == "invalid_arguments"


@pytest.mark.parametrize("data", ['{"a":NaN}', '{"a":[-Infinity]}', {"a": float("inf")}, {"a": {"b": float("nan")}}])
def test_numbers_that_json_does_not_know_are_refused(data: object) -> None:
    [problem] = refused(action="create", title="A", data=data).details["invalid"]  # pyright: ignore[reportGeneralTypeIssues]

    assert problem["param"] == "data"


def test_an_unknown_action_names_the_nearest_and_lists_all() -> None:
    error = refused(action="creat")

    assert isinstance(error, UnknownAction)
    assert error.details == {"did_you_mean": "create"}
    assert str(error) == (
        "things: there is no action 'creat'. Did you mean 'create'? Actions: create, help, list. "
        "action='help' explains them."
    )


@pytest.mark.parametrize("action", [None, "", 5, ["create"], {"a": 1}, True])
def test_an_action_that_is_no_name_is_an_unknown_one(action: object) -> None:
    assert refused(action=action).code == "unknown_action"


def test_a_missing_action_says_so() -> None:
    assert "the parameter 'action' is missing" in str(refused(title="A"))


def test_the_overview_lists_every_action() -> None:
    assert TOOL.overview()["actions"] == [
        {"action": "create", "required": ["title"], "summary": "Make a thing."},
        {"action": "help", "required": [], "summary": "All actions, or one of them in full."},
        {"action": "list", "required": ["thing_id or title+index"], "summary": "List things."},
    ]


def test_help_on_an_action_tells_types_limits_defaults_and_nested_shapes() -> None:
    told = TOOL.help_on("make")

    assert told["action"] == "create"
    assert told["help"] == "Make a thing.\n\nA colour is optional."
    assert told["example"] == {"action": "create", "title": "A thing"}
    assert told["aliases"] == ["make"]
    assert told["params"] == [
        {"name": "title", "required": True, "type": "string", "max_length": 500},
        {
            "name": "colour",
            "type": "string",
            "enum": ["red", "green"],
            "description": "what it looks like",
            "default": "red",
        },
        {
            "name": "parts",
            "type": "array",
            "items": {
                "type": "object",
                "fields": {"task*": {"type": "string", "max_length": 500}, "notes": {"type": "string"}},
                "description": "One part.",
            },
            "max_items": 3,
        },
        {"name": "data", "type": "object"},
        {"name": "index", "type": "integer", "minimum": 0},
        {"name": "who", "type": "string", "description": "who you are"},
        {"name": "force", "type": "boolean"},
    ]


def test_help_on_an_unknown_action_names_the_nearest() -> None:
    with pytest.raises(UnknownAction, match="Did you mean 'list'"):
        TOOL.help_on("lst")


def test_an_example_is_made_up_for_an_action_without_one() -> None:
    assert TOOL.actions["list"].example == {"action": "list"}


@pytest.mark.parametrize(
    ("name", "near"), [("titel", "title"), ("plan", "plan_id"), ("x", None), ("", None), ("TITLE", "title")]
)
def test_the_nearest_name_is_found_or_none(name: str, near: str | None) -> None:
    assert nearest(name, ["title", "plan_id", "workspace_path"]) == near


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    arguments=st.dictionaries(
        st.sampled_from(["action", "title", "colour", "parts", "data", "index", "who", "force", "limit", "x", ""]),
        JSON | st.sampled_from(["create", "list", "help", "make", "red"]),
    )
)
def test_any_call_is_bound_or_refused_with_an_error_of_ours(arguments: dict[str, object]) -> None:
    outcome = ""
    try:
        bound = TOOL.bind(arguments)
        outcome = "bound" if bound.arguments.keys() <= bound.action.own.keys() else "bound what nobody takes"
    except ProjectMemoryError as error:
        outcome = error.code

    assert outcome in ("bound", "invalid_arguments", "unknown_action", "too_large")
