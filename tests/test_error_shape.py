"""Every action of every tool: what it says of itself, how it refuses, and that a read writes nothing."""

import itertools
from collections.abc import Iterable
from typing import Any
from zlib import crc32

import pytest
from mcp import Client

from server.errors import InvalidArguments, ProjectMemoryError
from server.registry import Action, Param, Tool
from server.tools import TOOLS
from server.tools.render import MAX_BYTES
from tests.populated_store import PopulatedStore, answer, connected, rows
from tests.thoroughness import often

ACTIONS = [action for tool in TOOLS.values() for action in tool.actions.values()]
WRITES = [action for action in ACTIONS if not action.read_only]
READS = [action for action in ACTIONS if action.read_only]
LISTS = [action for action in READS if "cursor" in action.params]
SUMMARY_LENGTH = 60
STRIDE = often(1, usual=3)  # among what a careless client may send; no two actions take quite the same
WRONG = {
    "string": {"a": 1},
    "integer": "seven",
    "number": "seven",
    "boolean": "perhaps",
    "array": 5,
    "object": 5,
}
# Arguments that are read in one place, for nearly all actions: the first of a tool that takes one stands for the rest.
EVERYWHERE = ("workspace_id", "workspace_path", "session_id", "agent", "max_bytes", "offset")
NASTY: list[object] = [
    10**30,
    -(10**30),
    -1,
    2**63,
    1e308,
    "",
    "\0",
    "a\0b",
    '["\\ud800"]',
    '{"\\ud800":"\\ud800"}',
    '{"a":NaN}',
    '[{"a":1e999}]',
    "0001-01-01",
    "9999-12-31T23:59:59.999Z",
    "%_'\"; DROP TABLE plans; --",
    "💥\u202e\r\n\t",
    "x" * 100_000,
    "[" * 50_000,
    [],
    {},
    [None],
    [[[]]],
    [2**63],
    {"x" * 10_000: {}},
]


def codes(error: type[ProjectMemoryError]) -> set[str]:
    return {error.code}.union(*(codes(child) for child in error.__subclasses__()))


CODES = codes(ProjectMemoryError)


def label(action: Action) -> str:
    return f"{action.tool}.{action.name}"


def of(tool: Tool, actions: list[Action]) -> list[Action]:
    return [action for action in actions if action.tool == tool.name]


every_action = pytest.mark.parametrize("action", ACTIONS, ids=label)
every_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)


NARROWING = {
    *("query", "prefix", "tags", "types", "since", "until", "since_id", "key", "status", "limit", "paths", "thread_id"),
    *("message_id", "lineage_id", "checkpoint_id", "status_filter", "file_path", "phase", "assignee", "category"),
    *("note_type", "deliver_to", "type", "parent_type", "parent_id", "priority", "namespace", "name", "detail"),
}


@every_action
def test_the_summary_is_one_terse_line(action: Action) -> None:
    assert 0 < len(action.summary) <= SUMMARY_LENGTH
    assert action.doc.partition("\n")[2].partition("\n")[0] == ""


@every_action
def test_the_example_is_a_valid_call_of_the_action(action: Action) -> None:
    bound = TOOLS[action.tool].bind(action.example)

    assert bound.action is action


@every_action
def test_every_parameter_has_an_effect_on_the_handler_or_the_call(action: Action) -> None:
    shared = {param.name for param in action.shared}

    assert action.params.keys() == action.own.keys() | shared
    assert all(name in action.params for group in action.one_of for name in group)


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.required], ids=label)
def test_a_call_without_what_is_required_tells_what_is_missing_and_how_to_call(action: Action) -> None:
    with pytest.raises(InvalidArguments) as caught:
        TOOLS[action.tool].bind({"action": action.name})

    assert caught.value.details["missing"] == action.required
    assert caught.value.details["usage"] == {"required": action.required, "optional": action.optional}
    assert all(name in str(caught.value) for name in action.required)
    assert f"topic='{action.name}'" in str(caught.value)


@every_action
def test_an_unknown_parameter_is_named_with_the_nearest_one(action: Action) -> None:
    for name in action.params:
        with pytest.raises(InvalidArguments) as caught:
            TOOLS[action.tool].bind({**action.example, f"{name}_": "x", "zzzzzzzzz": 1})

        assert caught.value.details["unknown"] == {f"{name}_": name, "zzzzzzzzz": None}


def takes_anything(param: Param) -> bool:
    return param.full_schema.keys() <= {"description", "default"}


@every_action
def test_every_value_of_a_wrong_type_is_named(action: Action) -> None:
    params = [param for param in action.params.values() if not takes_anything(param)]
    if not params:
        return
    with pytest.raises(InvalidArguments) as caught:
        TOOLS[action.tool].bind({"action": action.name, **{p.name: WRONG[p.schema["type"]] for p in params}})

    invalid: Any = caught.value.details["invalid"]
    assert {problem["param"].partition(".")[0] for problem in invalid} == {param.name for param in params}


@every_action
def test_null_counts_as_absent(action: Action) -> None:
    tool = TOOLS[action.tool]
    nulls = dict.fromkeys(action.params.keys() - action.example.keys())

    assert tool.bind({**nulls, **action.example}) == tool.bind(action.example)


@every_tool
async def test_help_explains_every_action(tool: Tool, world: PopulatedStore) -> None:
    async with connected(world.data_root) as client:
        answers = {name: await answer(client, tool.name, {"action": "help", "topic": name}) for name in tool.actions}

    for name, action in tool.actions.items():
        failed, told, _ = answers[name]
        assert not failed
        assert told["action"] == name
        assert told["help"].startswith(action.summary)
        assert [param["name"] for param in told.get("params", [])] == list(action.params)
        assert told["example"] == action.example


@every_tool
async def test_help_lists_every_action(tool: Tool, world: PopulatedStore) -> None:
    async with connected(world.data_root) as client:
        failed, told, _ = await answer(client, tool.name, {"action": "help"})

    assert not failed
    assert {a["action"]: a["summary"] for a in told["actions"]} == {a.name: a.summary for a in tool.actions.values()}


@every_tool
async def test_a_read_writes_nothing(tool: Tool, world: PopulatedStore) -> None:
    before = rows(world.data_root)
    async with connected(world.data_root) as client:
        for action in of(tool, READS):
            failed, told, _ = await answer(client, tool.name, world.plausible(action))
            least = {"action": action.name, **{n: v for n, v in world.arguments.items() if n in action.required}}
            await answer(client, tool.name, least)

            assert not failed, (action.name, told)
            assert rows(world.data_root) == before, action.name

    assert rows(world.data_root) == before


@every_tool
async def test_a_read_only_server_allows_no_write(tool: Tool, world: PopulatedStore) -> None:
    before = rows(world.data_root)
    async with connected(world.data_root, read_only=True) as client:
        for action in of(tool, WRITES):
            failed, told, _ = await answer(client, tool.name, world.plausible(action))

            assert failed, action.name
            assert told["error"]["code"] == "not_allowed", action.name
            assert "--read-only" in told["error"]["message"]
            assert rows(world.data_root) == before, action.name

    assert rows(world.data_root) == before


@every_tool
async def test_a_list_refuses_a_cursor_that_it_did_not_give(tool: Tool, world: PopulatedStore) -> None:
    async with connected(world.data_root) as client:
        for action in of(tool, LISTS):
            call = {**world.plausible(action), "cursor": "WyJub25lIl0"}
            failed, told, _ = await answer(client, tool.name, call)

            assert failed, action.name
            assert told["error"]["code"] == "invalid_arguments", action.name
            assert "'cursor'" in told["error"]["message"]


def listed(told: dict[str, Any]) -> list[Any]:
    """The rows of a page: the one top-level list, an empty one included."""
    [rows] = [value for value in told.values() if isinstance(value, list)]
    return rows


@pytest.mark.parametrize("action", LISTS, ids=label)
async def test_a_list_read_row_by_row_is_the_list(action: Action, world: PopulatedStore) -> None:
    needed = {*action.required, *(name for group in action.one_of for name in group)}
    wanted = {name: value for name, value in world.plausible(action).items() if name not in NARROWING - needed}
    whole = {**wanted, "limit": 200, "max_bytes": MAX_BYTES}
    seen: list[Any] = []
    async with connected(world.data_root) as client:
        _, together, _ = await answer(client, action.tool, whole)
        arguments = {**wanted, "limit": 1}
        for _ in range(len(listed(together)) + 1):
            _, told, _ = await answer(client, action.tool, arguments)
            seen += listed(told)
            if "next_cursor" not in told:
                break
            arguments["cursor"] = told["next_cursor"]

    assert seen == listed(together)
    assert len(seen) == together["total"]


def nasty_calls(action: Action, names: Iterable[str], plausible: dict[str, Any]) -> list[dict[str, Any]]:
    """The plausible call with one argument replaced by something that a careless client may send."""
    return [{**plausible, name: value} for name, value in itertools.product(names, NASTY) if name in action.params]


def first_with(tool: Tool, name: str) -> Action | None:
    return next((action for action in tool.actions.values() if name in action.params), None)


def fault(failed: bool, told: dict[str, Any], text: str) -> str | None:
    """Return what is wrong with the shape of an answer, or None."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return "too long"
    if not failed:
        return "an error that does not say so" if "error" in told else None
    error = told.get("error", {})
    if told.keys() != {"error"} or not isinstance(error.get("message"), str) or not error["message"]:
        return "no error object"
    if any(value in (None, "", [], {}) for value in error.values()):
        return "an empty detail"
    return None if error["code"] in CODES - {"internal", "storage"} else error["code"]


async def faults_of(client: Client, action: Action, calls: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    found = [(fault(*await answer(client, action.tool, arguments)), arguments) for arguments in calls]
    return [(action.name, wrong, str(arguments)[:300]) for wrong, arguments in found if wrong]


@every_action
async def test_whatever_is_sent_the_answer_is_ours_and_of_one_shape(action: Action, copy: PopulatedStore) -> None:
    names = [n for n in action.params if n not in EVERYWHERE or action is first_with(TOOLS[action.tool], n)]
    async with connected(copy.data_root) as client:
        calls = nasty_calls(action, names, copy.plausible(action))
        faults = await faults_of(client, action, calls[crc32(label(action).encode()) % STRIDE :: STRIDE])

    assert faults == []


@pytest.mark.soak
@every_tool
async def test_what_every_action_takes_is_refused_alike_by_all_of_a_tool(tool: Tool, copy: PopulatedStore) -> None:
    faults: list[tuple[str, str, str]] = []
    for action in tool.actions.values():
        async with connected(copy.data_root) as client:
            faults += await faults_of(client, action, nasty_calls(action, EVERYWHERE, copy.plausible(action)))

    assert faults == []


@every_tool
async def test_an_enormous_call_gets_a_short_answer(tool: Tool, copy: PopulatedStore) -> None:
    huge = "x" * 1_000_000
    calls: list[dict[str, Any]] = [
        {"action": huge},
        {"action": {"a": huge}},
        {"action": "help", "topic": huge},
        {"action": "help", huge: 1},
        {"action": "help", **{f"{n}": n for n in range(2_000)}},
        {"action": "help", "topic": [huge] * 3},
    ]
    many = [f"{n:0200}" for n in range(1_000)]
    calls += [
        {**a.example, p.name: value}
        for a in tool.actions.values()
        for p in a.own.values()
        if p.schema["type"] == "array"
        for value in ([{}] * 2_000, many)
    ]
    faults: list[tuple[str, str]] = []
    async with connected(copy.data_root) as client:
        for arguments in calls:
            failed, told, text = await answer(client, tool.name, arguments)
            if found := fault(failed, told, text):
                faults.append((found, str(arguments)[:300]))

    assert faults == []


async def test_an_unknown_tool_is_told_the_tools_there_are(world: PopulatedStore) -> None:
    async with connected(world.data_root) as client:
        failed, told, _ = await answer(client, "memory_plans", {"action": "list"})

    assert failed
    assert told["error"]["code"] == "unknown_action"
    assert "Did you mean 'memory_plan'?" in told["error"]["message"]
    assert all(name in told["error"]["message"] for name in TOOLS)


async def test_a_call_without_an_action_is_told_the_actions_there_are(world: PopulatedStore) -> None:
    async with connected(world.data_root) as client:
        for tool in TOOLS.values():
            failed, told, _ = await answer(client, tool.name, {})

            assert failed
            assert told["error"]["code"] == "unknown_action"
            assert all(name in told["error"]["message"] for name in tool.actions)
