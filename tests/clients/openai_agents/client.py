"""The OpenAI Agents SDK: an MCP server's tools as functions of an agent."""

import asyncio
import json
import sys
from typing import Any

from agents.mcp import MCPServerStdio  # pyright: ignore[reportMissingImports]
from agents.mcp.util import MCPUtil  # pyright: ignore[reportMissingImports]


async def run(wish: dict[str, Any]) -> dict[str, Any]:
    params = {name: wish[name] for name in ("command", "args", "env", "cwd")}
    async with MCPServerStdio(params=params, client_session_timeout_seconds=60) as server:
        offered = [MCPUtil.to_function_tool(tool, server, False) for tool in await server.list_tools()]
        tools = [
            {"name": tool.name, "description": tool.description, "parameters": tool.params_json_schema}
            for tool in offered
        ]
        results = [await server.call_tool(call["tool"], call["arguments"]) for call in wish["calls"]]
        answers = [{"text": result.content[0].text, "failed": bool(result.is_error)} for result in results]
        return {"tools": tools, "answers": answers}


async def main() -> None:
    json.dump([await run(wish) for wish in json.load(sys.stdin)], sys.stdout)


asyncio.run(main())
