"""Whatever a client writes, it gets an answer, and the server lives."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import HELLO, Message, RawServer, Start

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
MEBIBYTE = 1024 * 1024


def call_line(arguments: str, request_id: str = '"x"') -> bytes:
    """A tool call whose arguments are given as JSON text."""
    params = f'{{"name":"memory_plan","arguments":{arguments}}}'
    return f'{{"jsonrpc":"2.0","id":{request_id},"method":"tools/call","params":{params}}}'.encode()


async def answer_to(server: RawServer, line: bytes) -> Message:
    await server.send(line)
    return await server.receive()


def told(answer: Message) -> dict[str, Any]:
    return json.loads(answer["result"]["content"][0]["text"])


NO_JSON = [
    b"hello",
    b"{",
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list"',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list",}',
    b"'single'",
    b"\xff\xfe\x00",
    b"\x00",
    call_line('{"action":"list","query":"\x01"}'),
]
NO_REQUEST: list[tuple[bytes, object]] = [
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":[]}', 7),
    (b'{"jsonrpc":"2.0","id":"seven","method":"tools/list","params":[1]}', "seven"),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":"x"}', 7),
    (b'{"jsonrpc":"2.0","id":7,"method":5}', 7),
    (b'{"jsonrpc":"1.0","id":7,"method":"tools/list"}', 7),
    (b'{"id":7,"method":"tools/list"}', 7),
    (b'{"jsonrpc":"2.0","id":7}', 7),
    (b"{}", None),
    (b"[]", None),
    (b'[{"jsonrpc":"2.0","id":7,"method":"tools/list"}]', None),
    (b"5", None),
    (b"null", None),
    (b'"text"', None),
]


async def test_a_line_that_is_no_json_is_a_parse_error(start: Start) -> None:
    server = await start()
    for line in NO_JSON:
        answer = await answer_to(server, line)

        assert answer["error"]["code"] == PARSE_ERROR, line
        assert await server.is_alive(), line


async def test_json_that_is_no_request_is_an_invalid_one(start: Start) -> None:
    server = await start()
    for line, request_id in NO_REQUEST:
        answer = await answer_to(server, line)

        assert (answer["error"]["code"], answer.get("id")) == (INVALID_REQUEST, request_id), line
        assert await server.is_alive(), line


async def test_numbers_that_are_none_do_no_harm(start: Start) -> None:
    server = await start()
    await server.send(b'{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}')
    for value in ("NaN", "-Infinity", "1e999", "9" * 400):
        answer = await answer_to(server, call_line(f'{{"action":"list","limit":{value},"query":{value}}}'))

        assert told(answer)["error"]["code"] == "invalid_arguments", value
    assert await server.is_alive()


async def test_an_empty_line_is_passed_over_or_answered_and_does_no_harm(start: Start) -> None:
    server = await start()
    for line in (b"", b"   ", b"\r"):
        await server.send(line)

    assert await server.is_alive()


async def test_a_line_may_end_as_on_windows(start: Start) -> None:
    server = await start()
    answer = await answer_to(server, b'{"jsonrpc":"2.0","id":"x","method":"tools/list"}\r')

    assert (answer["id"], bool(answer["result"]["tools"])) == ("x", True)


async def test_what_is_nested_without_end_is_answered(start: Start) -> None:
    server = await start()
    for line in (
        b"[" * 100_000,
        b'{"a":' * 100_000,
        call_line('{"action":"list","query":' + "[" * 100_000 + "]" * 100_000 + "}"),
        call_line('{"action":"create","title":"A","goals":' + "[" * 150 + "]" * 150 + "}"),
        call_line('{"action":"create","title":"A","goals":"' + "[" * 100_000 + '"}'),
    ):
        answer = await answer_to(server, line)

        assert "error" in answer or answer["result"]["isError"], line[:50]
        assert await server.is_alive()


async def test_a_lone_surrogate_is_answered_wherever_it_stands(start: Start, project: Path) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    for arguments in (
        r'{"action":"create","\ud800":"a"}',
        r'{"action":"\udc00"}',
        r'{"action":"create","title":"a","steps":"[{\"task\":\"\\ud800\"}]"}',
        r'{"action":"create","title":"a","steps":"[{\"\\ud800\":\"x\"}]"}',
    ):
        answer = await answer_to(server, call_line(arguments))

        assert told(answer)["error"]["code"] in ("invalid_arguments", "unknown_action"), arguments
        assert await server.is_alive()


async def test_a_lone_surrogate_becomes_the_replacement_character(start: Start, project: Path) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    answer = told(await answer_to(server, call_line(r'{"action":"create","title":"a\ud800b \ud83d\udca5"}')))
    pair = told(await answer_to(server, call_line(r'{"action":"create","title":"\ud83d\udca5"}')))

    assert answer["title"] == "a\ufffdb 💥"
    assert pair["title"] == "💥"


@pytest.mark.parametrize("character", ["x", "\n", "💥"])
async def test_a_mebibyte_of_text_comes_back_as_it_went_in(start: Start, project: Path, character: str) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    plan = await server.call("memory_plan", "create", title="A")
    text = character * ((MEBIBYTE - 100) // len(json.dumps(character, ensure_ascii=False).encode()[1:-1]))
    stored = await server.call("memory_context", "store", plan_id=plan["plan_id"], type="big", data={"text": text})
    found, offset = "", 0
    while True:
        piece = await server.call(
            "memory_context", "get", plan_id=plan["plan_id"], type="big", max_bytes=45_000, offset=offset
        )
        found += piece["text"]
        if "next_offset" not in piece:
            break
        offset = piece["next_offset"]

    assert "error" not in stored
    assert json.loads(found) == {"text": text}


async def test_more_than_a_mebibyte_is_too_large_and_writes_nothing(start: Start, project: Path) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    plan = await server.call("memory_plan", "create", title="A")
    for size in (MEBIBYTE, 8 * MEBIBYTE):
        refused = await server.call(
            "memory_context", "store", plan_id=plan["plan_id"], type="b", data={"t": "x" * size}
        )
        assert refused["error"]["code"] == "too_large"
    found = await server.call("memory_context", "list", plan_id=plan["plan_id"])

    assert found["total"] == 0


async def test_control_characters_are_refused_in_a_line(start: Start, project: Path) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    for text in ("a\0b", "a\x1b[31mb", "a\nb", "a\x7fb", "\u2028", "a\r\nb"):
        answer = await server.call("memory_plan", "create", title=text)

        assert answer["error"]["code"] == "invalid_arguments", repr(text)
    assert await server.is_alive()


NONSENSE: list[tuple[str, object, int]] = [
    ("tools/nothing", None, METHOD_NOT_FOUND),
    ("", {}, METHOD_NOT_FOUND),
    ("prompts/nothing", None, METHOD_NOT_FOUND),
    ("tools/call", {}, INVALID_PARAMS),
    ("tools/call", {"name": 5}, INVALID_PARAMS),
    ("tools/call", {"name": "memory_plan", "arguments": [1]}, INVALID_PARAMS),
    ("tools/call", {"name": "memory_plan", "arguments": "{}"}, INVALID_PARAMS),
    ("resources/read", {"uri": "memory://nothing"}, INVALID_PARAMS),
    ("resources/read", {}, INVALID_PARAMS),
]


async def test_a_request_that_asks_for_nonsense_gets_the_error_of_the_protocol(start: Start) -> None:
    server = await start()
    for method, params, code in NONSENSE:
        answer = await server.request(method, params)

        assert answer["error"]["code"] == code, (method, params)
        assert "Traceback" not in json.dumps(answer)
        assert await server.is_alive()


async def test_any_id_comes_back(start: Start) -> None:
    server = await start()
    for request_id in ("0", "-1", "9007199254740993", '""', '"\u00e9"', '"' + "x" * 10_000 + '"'):
        answer = await answer_to(server, call_line('{"action":"help"}', request_id))

        assert answer["id"] == json.loads(request_id)


async def test_a_request_before_the_handshake_is_answered(start: Start) -> None:
    server = await start(greet=False)
    answer = await server.request("tools/list")
    hello = await server.request("initialize", HELLO)

    assert "result" in answer or answer["error"]["code"] in (INVALID_REQUEST, INVALID_PARAMS, 0)
    assert hello["result"]["serverInfo"]["name"] == "project-memory"


async def test_a_notification_that_nobody_knows_is_passed_over(start: Start) -> None:
    server = await start()
    await server.send(b'{"jsonrpc":"2.0","method":"notifications/nothing","params":{"a":1}}')
    await server.send(b'{"jsonrpc":"2.0","id":5,"result":{}}')
    await server.send(b'{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"x"}}')

    assert await server.is_alive()


async def test_a_line_of_sixteen_mebibytes_is_answered(start: Start) -> None:
    server = await start()
    answer = await answer_to(server, call_line('{"action":"create","title":"' + "x" * 16 * MEBIBYTE + '"}'))

    assert told(answer)["error"]["code"] == "invalid_arguments"
    assert await server.is_alive()
