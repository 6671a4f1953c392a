"""Answers of the tools, put together from as many calls as they take."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from server.importers.layout import Ask

TEXTS = ("title", "description", "content", "summary", "notes", "task", "reason", "note")
MAX_BYTES = 45_000
LIMIT = 200

Json = dict[str, Any]


async def whole(ask: Ask, tool: str, arguments: Mapping[str, object]) -> Json:
    """Return an answer with its long value, which comes in pieces, put together."""
    first = answer = await ask(tool, {**arguments, "max_bytes": MAX_BYTES})
    if "next_offset" not in first:
        return first
    pieces = [str(answer["text"])]
    while "next_offset" in answer:
        answer = await ask(tool, {**arguments, "max_bytes": MAX_BYTES, "offset": answer["next_offset"]})
        pieces.append(str(answer["text"]))
    name, joined = first["field"], "".join(pieces)
    if name == "result":
        return json.loads(joined)
    others = {key: value for key, value in first.items() if key not in ("field", "text", "length", "next_offset")}
    return {**others, name: joined if name in TEXTS else json.loads(joined)}


async def every(ask: Ask, tool: str, key: str, arguments: Mapping[str, object]) -> list[Json]:
    """Return all rows of a list."""
    return [row async for page in pages(ask, tool, key, arguments) for row in page]


async def pages(ask: Ask, tool: str, key: str, arguments: Mapping[str, object]) -> AsyncGenerator[list[Json]]:
    """Yield the rows of a list, page by page."""
    more: Json = {}
    while True:
        page = await ask(tool, {**arguments, "limit": LIMIT, "max_bytes": MAX_BYTES, **more})
        yield page[key]
        if "next_cursor" not in page:
            return
        more = {"cursor": page["next_cursor"]}
