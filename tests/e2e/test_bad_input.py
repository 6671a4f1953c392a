"""Whatever a client writes, it gets an answer, and the server lives."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ENVELOPE, HELLO, Message, RawServer, Start

pytestmark = pytest.mark.any_start

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
PARAMS, METHOD, ID = '"params" must be an object', '"method" must be a string', '"id" must be a string or an integer'
NO_REQUEST: list[tuple[bytes, object, str]] = [
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":[]}', 7, f"{PARAMS}, but it is an array"),
    (b'{"jsonrpc":"2.0","id":"seven","method":"tools/list","params":[1]}', "seven", PARAMS),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":"x"}', 7, f'{PARAMS}, but it is "x"'),
    (b'{"jsonrpc":"2.0","method":"tools/list","params":7}', None, f"{PARAMS}, but it is 7"),
    (b'{"jsonrpc":"2.0","id":7,"method":5}', 7, f"{METHOD}, but it is 5"),
    (b'{"jsonrpc":"1.0","id":7,"method":"tools/list"}', 7, '"jsonrpc" must be "2.0", but it is "1.0"'),
    (b'{"id":7,"method":"tools/list"}', 7, '"jsonrpc" must be "2.0", but there is none'),
    (b'{"jsonrpc":"2.0","id":7}', 7, f"{METHOD}, but there is none"),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', None, f"{ID}, but it is 1.5"),
    (b'{"jsonrpc":"2.0","id":1.0,"method":"tools/list"}', None, f"{ID}, but it is 1.0"),
    (b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}', None, f"{ID}, but it is null"),
    (b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}', None, f"{ID}, but it is true"),
    (b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}', None, f"{ID}, but it is an object"),
    (b'{"jsonrpc":"2.0","id":[7],"method":"tools/list"}', None, f"{ID}, but it is an array"),
    (b'{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}', None, f"{ID}, but it is NaN"),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"notifications/initialized"}', None, ID),
    (b'{"jsonrpc":"2.0","id":7,"result":[]}', 7, '"result" must be an object'),
    (b'{"jsonrpc":"2.0","id":7,"error":"x"}', 7, '"error" must be an object'),
    (b'{"jsonrpc":"2.0","result":{}}', None, 'needs the "id"'),
    (b"{}", None, f'"jsonrpc" must be "2.0", but there is none; {METHOD}'),
    (b"[]", None, "a batch"),
    (b'[{"jsonrpc":"2.0","id":7,"method":"tools/list"}]', None, "a batch"),
    (b"5", None, "This one is 5"),
    (b"null", None, "This one is null"),
    (b'"text"', None, 'This one is "text"'),
    (rb'{"jsonrpc":"2.0","id":"\ud800","method":"tools/list"}', None, r"'id' holds \ud800"),
    (rb'{"jsonrpc":"2.0","id":7,"method":"tools/\udc00"}', 7, r"'method' holds \udc00"),
]


async def test_a_line_that_is_no_json_is_a_parse_error(start: Start) -> None:
    server = await start()
    for line in NO_JSON:
        answer = await answer_to(server, line)

        assert answer["error"]["code"] == PARSE_ERROR, line
        assert await server.is_alive(), line


async def test_json_that_is_no_request_is_an_invalid_one(start: Start) -> None:
    server = await start()
    for line, request_id, problem in NO_REQUEST:
        answer = await answer_to(server, line)

        assert (answer["error"]["code"], answer["id"]) == (INVALID_REQUEST, request_id), line
        assert problem in answer["error"]["message"], answer
        assert await server.is_alive(), line


async def test_numbers_that_are_none_do_no_harm(start: Start) -> None:
    server = await start()
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


HALF = "half of a surrogate pair, which is no character. Send valid Unicode"
SURROGATES = [
    (r'{"action":"create","title":"a\ud800b"}', "title", "d800"),
    (r'{"action":"create","title":"a","goals":["b","\ude00c"]}', "goals[1]", "de00"),
    (r'{"action":"create","title":"a","steps":[{"task":"b","\ud800":1}]}', "steps[0]", "d800"),
    (r'{"action":"create","title":"a","steps":"[{\"task\":\"\\ud800\"}]"}', "steps[0].task", "d800"),
    (r'{"action":"create","title":"a","goals":"[\"\\udfff\"]"}', "goals[0]", "dfff"),
]


@pytest.mark.parametrize(("arguments", "param", "half"), SURROGATES)
async def test_half_a_character_is_refused_and_nothing_is_stored(
    start: Start, project: Path, arguments: str, param: str, half: str
) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    error = told(await answer_to(server, call_line(arguments)))["error"]
    listed = await server.call("memory_plan", "list")

    assert error["code"] == "invalid_arguments"
    assert {"param": param, "problem": f"holds \\u{half}, {HALF}"} in error["invalid"]
    assert listed["total"] == 0


async def test_half_a_character_beside_the_arguments_is_an_error_of_the_protocol(start: Start) -> None:
    server = await start()
    for line, code, path in (
        (rb'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\ud800"}}', INVALID_PARAMS, "params.name"),
        (
            rb'{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"\ud800"}}',
            INVALID_PARAMS,
            "params.uri",
        ),
        (rb'{"jsonrpc":"2.0","id":7,"method":"tools/list","\ud800":1}', INVALID_REQUEST, ""),
    ):
        answer = await answer_to(server, line)

        assert (answer["error"]["code"], answer["id"]) == (code, 7)
        assert answer["error"]["message"].startswith(f"'{path}' holds \\ud800")
        assert await server.is_alive()


async def test_two_halves_are_a_character(start: Start, project: Path) -> None:
    server = await start(cwd=project)
    await server.call("memory_workspace", "register", workspace_path=str(project))
    plan = told(await answer_to(server, call_line(r'{"action":"create","title":"\ud83d\udca5"}')))

    assert (await server.call("memory_plan", "get", plan_id=plan["plan_id"]))["title"] == "💥"


async def test_bytes_that_are_no_text_are_refused_not_mended(start: Start) -> None:
    server = await start()
    answer = await answer_to(server, call_line('{"action":"create","title":"X"}').replace(b"X", b"\xff"))

    assert (answer["error"]["code"], answer["id"]) == (PARSE_ERROR, "x")
    assert "no UTF-8" in answer["error"]["message"]


async def test_a_byte_order_mark_does_no_harm(start: Start) -> None:
    server = await start()
    answer = await answer_to(server, b"\xef\xbb\xbf" + call_line('{"action":"help"}'))

    assert not answer["result"].get("isError")


async def test_requests_that_share_an_id_are_all_answered(start: Start) -> None:
    server = await start()
    await server.send(b"\n".join([call_line('{"action":"help"}')] * 3))

    assert [(await server.receive())["id"] for _ in range(3)] == ["x"] * 3
    assert await server.end() == (0, [])


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


Nonsense = tuple[str, dict[str, Any] | None, int, str]
NONSENSE: list[Nonsense] = [
    ("tools/nothing", None, METHOD_NOT_FOUND, ""),
    ("", {}, METHOD_NOT_FOUND, ""),
    ("prompts/nothing", None, METHOD_NOT_FOUND, ""),
    ("prompts/get", {"name": 5}, INVALID_PARAMS, ""),
    ("completion/complete", {"ref": 5}, INVALID_PARAMS, ""),
    ("tools/call", {}, INVALID_PARAMS, '"name" must be a string, but there is none'),
    ("tools/call", {"name": 5, "arguments": "{}"}, INVALID_PARAMS, '"name" must be a string, but it is 5; "arguments"'),
    ("tools/call", {"name": "memory_plan", "arguments": [1]}, INVALID_PARAMS, '"arguments" must be an object'),
    ("tools/list", {"cursor": 5}, INVALID_PARAMS, '"cursor" must be a string, but it is 5'),
    ("resources/list", {"cursor": {}}, INVALID_PARAMS, '"cursor" must be a string'),
    ("resources/templates/list", {"cursor": []}, INVALID_PARAMS, '"cursor" must be a string'),
    ("resources/read", {"uri": "memory://nothing"}, INVALID_PARAMS, "There is no resource 'memory://nothing'"),
    ("resources/read", {}, INVALID_PARAMS, '"uri" must be a string, but there is none'),
    ("resources/read", {"uri": ["a"]}, INVALID_PARAMS, '"uri" must be a string, but it is an array'),
]
OLDER_NONSENSE: list[Nonsense] = [
    ("tools/call", {"name": "memory_plan", "_meta": 5}, INVALID_PARAMS, '"_meta" must be an object'),
    ("resources/subscribe", {"uri": 5}, INVALID_PARAMS, '"uri" must be a string'),
    ("resources/subscribe", {"uri": "memory://nothing"}, INVALID_PARAMS, "There is no resource"),
    ("resources/unsubscribe", {}, INVALID_PARAMS, '"uri" must be a string'),
    ("initialize", {"protocolVersion": 5}, INVALID_PARAMS, '"protocolVersion" must be a string, but it is 5'),
]
NEWER_NONSENSE: list[Nonsense] = [
    ("subscriptions/listen", {}, INVALID_PARAMS, '"notifications" must be an object'),
    ("subscriptions/listen", {"notifications": {"resourceSubscriptions": 5}}, INVALID_PARAMS, "nested value"),
]
OF_OTHERS = ("Traceback", "pydantic", "Invalid request parameters", "validation error", "ValidationError", "mcp.types")


async def test_a_request_that_asks_for_nonsense_gets_the_error_of_the_protocol(start: Start) -> None:
    server = await start()
    for method, params, code, problem in NONSENSE + OLDER_NONSENSE:
        answer = await server.request(method, params)

        assert answer["error"]["code"] == code, (method, params)
        assert problem in answer["error"]["message"], answer
        assert not [words for words in OF_OTHERS if words in json.dumps(answer)], answer
        assert await server.is_alive()


async def test_nonsense_is_answered_in_the_newer_era_too(start: Start) -> None:
    server = await start(greet=False)
    for method, params, code, problem in NONSENSE + NEWER_NONSENSE:
        answer = await server.request(method, {"_meta": ENVELOPE, **(params or {})})

        assert answer["error"]["code"] == code, (method, params, answer)
        assert problem in answer["error"]["message"], answer
        assert not [words for words in OF_OTHERS if words in json.dumps(answer)], answer


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


async def test_a_name_with_a_line_break_forges_no_line_of_the_log(start: Start) -> None:
    server = await start("--log-level", "debug")
    forged = "2026-01-01 00:00:00,000 CRITICAL server.store: forged \x1b[31m"
    await server.send(json.dumps({"jsonrpc": "2.0", "method": f"notifications/x\n{forged}"}).encode())
    assert await server.is_alive()
    await server.end()

    assert "forged" in server.logged
    assert "\x1b" not in server.logged
    assert not [line for line in server.logged.splitlines() if " CRITICAL " in line[:40]]
