"""A line from a client: the message in it, or the error that answers it."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import mcp.types as wire

from server.registry import broken_text

ID = re.compile(rb'"id"\s*:\s*(-?\d{1,100}|"[ !#-\[\]-~]{0,100}")')
HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
SHOWN = 60
KINDS: Mapping[type, str] = {dict: "an object", str: "a string", int: "an integer"}

# What the methods that are served must be told, and may be.
PARAMS: Mapping[str, Mapping[str, type]] = {
    "initialize": {"protocolVersion": str, "capabilities": dict, "clientInfo": dict},
    "tools/call": {"name": str},
    "resources/read": {"uri": str},
    "resources/subscribe": {"uri": str},
    "resources/unsubscribe": {"uri": str},
    "subscriptions/listen": {"notifications": dict},
}
OPTIONAL: Mapping[str, type] = {"arguments": dict, "cursor": str, "_meta": dict}


class Refused(Exception):
    """The line is no message; `answer` says why."""

    def __init__(self, code: int, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.answer = wire.JSONRPCError(jsonrpc="2.0", id=request_id, error=wire.ErrorData(code=code, message=message))


def message_of(line: bytes) -> wire.JSONRPCMessage:
    """Return the message of a line, or raise Refused."""
    text, found = _parsed(line)
    if not isinstance(found, dict):
        kind = "a batch of messages: send each on a line of its own" if isinstance(found, list) else _shown(found)
        raise Refused(wire.INVALID_REQUEST, f"A line holds one JSON-RPC message, an object. This one is {kind}.")
    raw = cast(dict[str, Any], found)
    request_id = raw.get("id")
    known = request_id if type(request_id) in (str, int) else None
    if problems := _problems(raw):
        raise Refused(wire.INVALID_REQUEST, f"Not a JSON-RPC 2.0 message: {'; '.join(problems)}.", known)
    if HALF_A_PAIR.search(text):
        _refuse_broken_text(raw, known)
    if "method" in raw:
        model = wire.JSONRPCRequest if "id" in raw else wire.JSONRPCNotification
    else:
        model = wire.JSONRPCResponse if "result" in raw else wire.JSONRPCError
    return model.model_validate(raw, by_name=False)


def _parsed(line: bytes) -> tuple[str, object]:
    try:
        text = line.decode("utf-8-sig")
        return text, json.loads(text)
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is no UTF-8"
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at column {error.colno}"
    except ValueError:
        problem = "a number in it has too many digits"
    except RecursionError:
        problem = "it is nested too deeply"
    told = ID.search(line[:1000])
    raise Refused(wire.PARSE_ERROR, f"The line is no valid JSON: {problem}.", json.loads(told[1]) if told else None)


def _problems(raw: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    if raw.get("jsonrpc") != "2.0":
        problems.append(f'"jsonrpc" must be "2.0", {_but(raw, "jsonrpc")}')
    if "id" in raw and type(raw["id"]) not in (str, int):
        problems.append(f'"id" must be a string or an integer, {_but(raw, "id")}')
    if "method" in raw or not raw.keys() & {"result", "error"}:
        if not isinstance(raw.get("method"), str):
            problems.append(f'"method" must be a string, {_but(raw, "method")}')
        if not isinstance(raw.get("params"), dict | None):
            problems.append(f'"params" must be an object, {_but(raw, "params")}')
        return problems
    if "id" not in raw:
        problems.append('an answer needs the "id" of its request')
    if "result" in raw and not isinstance(raw["result"], dict):
        problems.append(f'"result" must be an object, {_but(raw, "result")}')
    if "result" not in raw and not _is_error(raw["error"]):
        problems.append('"error" must be an object with an integer "code" and a string "message"')
    return problems


def _is_error(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    error = cast(dict[str, object], value)
    return type(error.get("code")) is int and isinstance(error.get("message"), str)


def _but(raw: Mapping[str, Any], name: str) -> str:
    return f"but it is {_shown(raw[name])}" if name in raw else "but there is none"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _refuse_broken_text(raw: dict[str, Any], request_id: str | int | None) -> None:
    """Refuse text that no database and no answer can hold. A tool says itself which of its arguments has it."""
    params: object = raw.get("params")
    if raw.get("method") == "tools/call" and isinstance(params, dict):
        raw = {**raw, "params": {**cast(dict[str, Any], params), "arguments": None}}
    if (where := broken_text(raw)) is None:
        return
    path = ".".join(map(str, where.path))
    code = wire.INVALID_PARAMS if where.path[:1] == ("params",) and where.path[1:] else wire.INVALID_REQUEST
    raise Refused(code, f"{path!a} {where.problem}.", None if path == "id" else request_id)


def explained(request: wire.JSONRPCRequest, error: wire.ErrorData) -> wire.ErrorData:
    """Return an error about the parameters of a request with what is wrong with them."""
    if error.code != wire.INVALID_PARAMS or error.data != "":
        return error
    params = request.params or {}
    wanted = PARAMS.get(request.method, {})
    problems = [
        f'"{name}" must be {KINDS[kind]}, {_but(params, name)}'
        for name, kind in {**wanted, **OPTIONAL}.items()
        if (name in wanted or params.get(name) is not None) and not isinstance(params.get(name), kind)
    ]
    told = "; ".join(problems) or "a nested value is missing or of the wrong type, or initialize was not sent yet"
    return wire.ErrorData(code=error.code, message=f"The params of {request.method} do not fit: {told}.")
