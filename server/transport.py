"""MCP over stdio, with an answer for the lines that the SDK drops."""

import json
import logging
import os
import re
from types import TracebackType
from typing import Any, cast

import anyio
import mcp.types as wire
from mcp.server import NotificationOptions
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from server.app import build
from server.settings import Settings

logger = logging.getLogger(__name__)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
REQUEST_ID = re.compile(r'"id"\s*:\s*(-?\d+|"[^"\\]{1,100}")')
SURROGATES = re.compile("[\ud800-\udfff]")


async def serve(settings: Settings) -> None:
    """Serve until stdin ends."""
    logger.info("process %d serves %s", os.getpid(), settings.database)
    server = build(settings)
    async with stdio_server() as (read, write):
        await server.run(Mended(read, write), write, server.create_initialization_options(NotificationOptions()))


class Mended:
    """The messages that come in. A line that is none is answered with a JSON-RPC error instead of silence."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read = read
        self._write = write

    async def receive(self) -> SessionMessage | Exception:
        while isinstance(item := await self._read.receive(), ValidationError):
            mended = _mend(item)
            if not isinstance(mended, wire.JSONRPCError):
                return SessionMessage(mended)
            await self._write.send(SessionMessage(mended))
        return item

    async def aclose(self) -> None:
        await self._read.aclose()

    def __aiter__(self) -> "Mended":
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> "Mended":
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


def _mend(error: ValidationError) -> Any:
    """Return the message with its lone surrogates replaced, or the error that answers the line."""
    problems = error.errors(include_url=False)
    line = problems[0]["input"]
    if problems[0]["type"] != "json_invalid" or not isinstance(line, str):
        return _refuse(INVALID_REQUEST, "Not a JSON-RPC 2.0 message: params must be an object.", _id_of(problems))
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return wire.jsonrpc_message_adapter.validate_json(SURROGATES.sub("\ufffd", text), by_name=False)
    except (ValueError, RecursionError):
        found = REQUEST_ID.search(line[:1000])
        message = f"The line is no valid JSON: {problems[0]['msg']}."
        return _refuse(PARSE_ERROR, message, json.loads(found[1]) if found else None)


def _id_of(problems: list[Any]) -> str | int | None:
    for problem in problems:
        if isinstance(problem["input"], dict):
            found = cast(dict[str, object], problem["input"]).get("id")
            return found if isinstance(found, str | int) else None
    return None


def _refuse(code: int, message: str, request_id: str | int | None) -> wire.JSONRPCError:
    return wire.JSONRPCError(jsonrpc="2.0", id=request_id, error=wire.ErrorData(code=code, message=message))
