"""A line from a client: the message in it, or the error that answers it."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from server.text.broken import broken_text

Id = str | int
Message = dict[str, Any]

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32602, -32603
LONGEST_LINE = 64 * 1024 * 1024
ID = re.compile(rb'"id"\s*:\s*(-?\d{1,100}|"[ !#-\[\]-~]{0,100}")')
HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
SHOWN = 60

encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class Refused(Exception):
    """The line is no message; `answer` says why."""

    def __init__(self, code: int, message: str, request_id: Id | None = None) -> None:
        super().__init__(message)
        self.answer: Message = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def message_of(line: bytes) -> Message:
    """Return the message of a line, or raise Refused."""
    if len(line) > LONGEST_LINE:
        raise Refused(INVALID_REQUEST, f"The line is longer than {LONGEST_LINE} bytes; it was not read. Send less.")
    found = _parsed(line)
    if not isinstance(found, dict):
        kind = "a batch of messages: send each on a line of its own" if isinstance(found, list) else shown(found)
        raise Refused(INVALID_REQUEST, f"A line holds one JSON-RPC message, an object. This one is {kind}.")
    raw = cast(Message, found)
    request_id = raw.get("id")
    known = request_id if type(request_id) in (str, int) else None
    if problems := _problems(raw):
        raise Refused(INVALID_REQUEST, f"Not a JSON-RPC 2.0 message: {'; '.join(problems)}.", known)
    if HALF_A_PAIR.search(line):
        _refuse_broken_text(raw, known)
    return raw


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is no UTF-8"
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at column {error.colno}"
    except ValueError:
        problem = "a number in it has too many digits"
    except RecursionError:
        problem = "it is nested too deeply"
    told = ID.search(line[:1000])
    raise Refused(PARSE_ERROR, f"The line is no valid JSON: {problem}.", json.loads(told[1]) if told else None)


def _problems(raw: Message) -> list[str]:
    problems: list[str] = []
    if raw.get("jsonrpc") != "2.0":
        problems.append(f'"jsonrpc" must be "2.0", {but(raw, "jsonrpc")}')
    if "id" in raw and type(raw["id"]) not in (str, int):
        problems.append(f'"id" must be a string or an integer, {but(raw, "id")}')
    if "method" in raw or not raw.keys() & {"result", "error"}:
        if not isinstance(raw.get("method"), str):
            problems.append(f'"method" must be a string, {but(raw, "method")}')
        if not isinstance(raw.get("params"), dict | None):
            problems.append(f'"params" must be an object, {but(raw, "params")}')
        return problems
    if "id" not in raw:
        problems.append('an answer needs the "id" of its request')
    if "result" in raw and not isinstance(raw["result"], dict):
        problems.append(f'"result" must be an object, {but(raw, "result")}')
    if "result" not in raw and not _is_error(raw["error"]):
        problems.append('"error" must be an object with an integer "code" and a string "message"')
    return problems


def _is_error(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    error = cast(dict[str, object], value)
    return type(error.get("code")) is int and isinstance(error.get("message"), str)


def but(raw: Mapping[str, Any], name: str) -> str:
    """Return what stands where something else has to, in words."""
    return f"but it is {shown(raw[name])}" if name in raw else "but there is none"


def shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _refuse_broken_text(raw: Message, request_id: Id | None) -> None:
    """Refuse text that no database and no answer can hold. A tool says itself which of its arguments has it."""
    params: object = raw.get("params")
    if raw.get("method") == "tools/call" and isinstance(params, dict):
        raw = {**raw, "params": {**cast(Message, params), "arguments": None}}
    if (where := broken_text(raw)) is None:
        return
    path = ".".join(map(str, where.path))
    code = INVALID_PARAMS if where.path[:1] == ("params",) and where.path[1:] else INVALID_REQUEST
    raise Refused(code, f"{path!a} {where.problem}.", None if path == "id" else request_id)
