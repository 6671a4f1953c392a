"""Pydantic AI: an MCP server as a toolset, its schemas also as they are rewritten for models of two makers."""

import asyncio
import json
import sys
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

from fastmcp.client.transports import StdioTransport  # pyright: ignore[reportMissingImports]
from pydantic_ai.exceptions import ModelRetry  # pyright: ignore[reportMissingImports]
from pydantic_ai.mcp import MCPToolset  # pyright: ignore[reportMissingImports]
from pydantic_ai.profiles import google  # pyright: ignore[reportMissingImports]
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer  # pyright: ignore[reportMissingImports]

MAKERS = (OpenAIJsonSchemaTransformer, google.GoogleJsonSchemaTransformer, google.GoogleOpenAPISchemaTransformer)


async def answered(server: Any, call: dict[str, Any]) -> dict[str, Any]:
    try:
        told = await server.direct_call_tool(call["tool"], call["arguments"])
    except ModelRetry as error:
        return {"text": error.message, "failed": True}
    return {"text": told if isinstance(told, str) else json.dumps(told, ensure_ascii=False), "failed": False}


async def run(wish: dict[str, Any]) -> dict[str, Any]:
    transport = StdioTransport(**{name: wish[name] for name in ("command", "args", "env", "cwd")})
    async with MCPToolset(transport) as server:
        offered = await server.get_tools(SimpleNamespace(max_retries=1))
        tools = [
            {
                "name": name,
                "description": tool.tool_def.description,
                "parameters": tool.tool_def.parameters_json_schema,
                "converted": [make(deepcopy(tool.tool_def.parameters_json_schema)).walk() for make in MAKERS],
            }
            for name, tool in offered.items()
        ]
        return {"tools": tools, "answers": [await answered(server, call) for call in wish["calls"]]}


async def main() -> None:
    json.dump([await run(wish) for wish in json.load(sys.stdin)], sys.stdout)


asyncio.run(main())
