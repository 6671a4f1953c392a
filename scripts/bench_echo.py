"""The floor that `bench.py` compares with: a bare server of the same SDK whose one tool answers a text it was given.

`python bench_echo.py ANSWERS` reads the texts, by name, from a JSON file.
"""

import json
import sys
from pathlib import Path

import anyio
import mcp.types as wire
from mcp.server import NotificationOptions, Server, ServerRequestContext
from mcp.server.stdio import stdio_server

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def build(answers: dict[str, str]) -> Server:
    async def list_tools(_: ServerRequestContext, __: wire.PaginatedRequestParams | None) -> wire.ListToolsResult:
        return wire.ListToolsResult(tools=[wire.Tool(name="echo", description="Answer.", input_schema=SCHEMA)])

    async def call_tool(_: ServerRequestContext, params: wire.CallToolRequestParams) -> wire.CallToolResult:
        text = answers[str((params.arguments or {})["name"])]
        return wire.CallToolResult(content=[wire.TextContent(type="text", text=text)])

    return Server("echo", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve(answers: dict[str, str]) -> None:
    server = build(answers)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options(NotificationOptions()))


if __name__ == "__main__":
    anyio.run(serve, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
