// The Google Gen AI SDK with the protocol's own TypeScript client: an MCP server's tools as function declarations.
import { mcpToTool } from "@google/genai";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { readFileSync } from "node:fs";

async function run({ command, args, env, cwd, calls }) {
  const client = new Client({ name: "genai", version: "1.0.0" });
  await client.connect(new StdioClientTransport({ command, args, env, cwd }));
  const callable = mcpToTool(client);
  const { functionDeclarations } = await callable.tool();
  const tools = functionDeclarations.map(({ name, description, parameters, parametersJsonSchema }) => ({
    name,
    description,
    parameters: parametersJsonSchema ?? parameters,
  }));
  const answers = [];
  for (const { tool, arguments: given } of calls) {
    const [part] = await callable.callTool([{ name: tool, args: given }]);
    const { response } = part.functionResponse;
    const told = response.error ?? response;
    answers.push({ text: told.content[0].text, failed: "error" in response || told.isError === true });
  }
  await client.close();
  return { tools, answers };
}

const found = [];
for (const wish of JSON.parse(readFileSync(0, "utf8"))) {
  found.push(await run(wish));
}
console.log(JSON.stringify(found));
