"""What `tools/list` says is understood by every client that was measured, and is not cut by any."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client

from server import catalog
from server.protocol.app import INSTRUCTIONS, INSTRUCTIONS_LIMIT, READING, build
from server.registry import DESCRIPTION_LIMIT, SCALAR_TYPES, Tool
from server.settings import Settings
from server.tools import TOOLS

# Above 5,000 bytes one client drops every description in a schema; the rest is room for what it adds.
SCHEMA_BYTES = 4_700
LIST_BYTES = 44_000
FORBIDDEN_AT_THE_ROOT = {"oneOf", "anyOf", "allOf", "not", "enum", "$ref", "if", "then", "else"}
FORBIDDEN_ANYWHERE = {
    "$ref",
    "$defs",
    "definitions",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "const",
    "default",
    "format",
    "pattern",
    "title",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "prefixItems",
    "patternProperties",
    "propertyNames",
    "examples",
    "deprecated",
}
KNOWN_KEYS = {"type", "enum", "items", "description", "properties", "required", "additionalProperties"}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

every_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def schemas(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all schemas in it. The names of properties are no keywords."""
    yield node
    for child in node.get("properties", {}).values():
        yield from schemas(child)
    if "items" in node:
        yield from schemas(node["items"])


@every_tool
def test_the_root_is_a_plain_object_that_asks_for_the_action_alone(tool: Tool) -> None:
    schema = tool.input_schema()

    assert schema["type"] == "object"
    assert schema["required"] == ["action"]
    assert schema["additionalProperties"] is False
    assert FORBIDDEN_AT_THE_ROOT.isdisjoint(schema)


@every_tool
def test_no_keyword_is_used_that_a_client_refuses_or_hides(tool: Tool) -> None:
    for node in schemas(tool.input_schema()):
        assert FORBIDDEN_ANYWHERE.isdisjoint(node)
        assert node.keys() <= KNOWN_KEYS


@every_tool
def test_every_node_has_one_type_and_every_array_has_items(tool: Tool) -> None:
    for node in schemas(tool.input_schema()):
        assert node["type"] in (*SCALAR_TYPES, "array", "object")
        if node["type"] == "array":
            assert isinstance(node["items"], dict)
            assert node["items"]["type"]


@every_tool
def test_enums_are_of_texts_and_never_empty(tool: Tool) -> None:
    for node in schemas(tool.input_schema()):
        if "enum" in node:
            assert node["type"] == "string"
            assert node["enum"]
            assert all(isinstance(value, str) and value for value in node["enum"])


@every_tool
def test_names_are_portable(tool: Tool) -> None:
    assert NAME.fullmatch(tool.name)
    assert len(tool.name) <= 24
    for name in tool.input_schema()["properties"]:
        assert PROPERTY.fullmatch(name), name
    for action in tool.actions.values():
        assert all(NAME.fullmatch(name) for name in (action.name, *action.aliases))


@every_tool
def test_the_action_enum_lists_the_actions_and_no_alias(tool: Tool) -> None:
    assert tool.input_schema()["properties"]["action"]["enum"] == sorted(tool.actions)
    assert not tool.aliases.keys() & tool.actions.keys()


@every_tool
def test_every_parameter_of_every_action_is_in_the_schema(tool: Tool) -> None:
    taken = {name for action in tool.actions.values() for name in action.params}

    assert tool.input_schema()["properties"].keys() == {"action", *taken}


@every_tool
def test_a_schema_stays_below_the_size_at_which_descriptions_are_dropped(tool: Tool) -> None:
    assert len(compact(tool.input_schema())) <= SCHEMA_BYTES


@every_tool
def test_a_description_is_not_cut_by_any_client(tool: Tool) -> None:
    assert len(tool.description()) <= DESCRIPTION_LIMIT


@every_tool
def test_the_description_names_every_action_with_its_required_parameters(tool: Tool) -> None:
    lines = tool.description().splitlines()

    assert lines[0] == tool.purpose
    assert len(lines) == len(tool.actions) + 1
    for line, name in zip(lines[1:], sorted(tool.actions), strict=True):
        action = tool.actions[name]
        assert line.startswith(f"{name}({', '.join(action.required)})")


@every_tool
def test_annotations_hold_for_every_action_of_the_tool(tool: Tool) -> None:
    hints = catalog.entry(tool)["annotations"]

    assert hints["readOnlyHint"] is all(action.read_only for action in tool.actions.values())
    assert hints["destructiveHint"] is any(action.destructive for action in tool.actions.values())
    assert hints.keys() == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    assert not any(action.read_only and action.destructive for action in tool.actions.values())


@pytest.mark.parametrize("text", [INSTRUCTIONS, READING])
def test_the_instructions_are_not_cut_by_any_client(text: str) -> None:
    assert 0 < len(text) <= INSTRUCTIONS_LIMIT


async def test_the_whole_listing_is_within_its_budget_and_equal_to_the_registry(settings: Settings) -> None:
    async with Client(build(settings)) as client:
        listed = await client.list_tools()
    wire = [tool.model_dump(by_alias=True, exclude_none=True) for tool in listed.tools]

    assert len(compact(wire)) < LIST_BYTES
    assert sorted(tool["name"] for tool in wire) == sorted(TOOLS)
    assert not any("outputSchema" in tool for tool in wire)
    for tool in wire:
        entry = catalog.entry(TOOLS[tool["name"]])
        assert {key: tool[key] for key in ("title", "description", "inputSchema", "annotations")} == {
            key: entry[key] for key in ("title", "description", "inputSchema", "annotations")
        }
