// The AI SDK, which has a protocol client of its own: an MCP server's tools as tools of a model.
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { readFileSync } from "node:fs";

async function run({ command, args, env, cwd, calls }) {
  const client = await createMCPClient({ transport: new StdioTransport({ command, args, env, cwd }) });
  const offered = await client.tools();
  const tools = Object.entries(offered).map(([name, tool]) => ({
    name,
    description: tool.description,
    parameters: tool.inputSchema.jsonSchema,
  }));
  const answers = [];
  for (const { tool, arguments: given } of calls) {
    const told = await offered[tool].execute(given, { messages: [], toolCallId: "call" });
    answers.push({ text: told.content[0].text, failed: told.isError === true });
  }
  await client.close();
  return { tools, answers };
}

const found = [];
for (const wish of JSON.parse(readFileSync(0, "utf8"))) {
  found.push(await run(wish));
}
console.log(JSON.stringify(found));
