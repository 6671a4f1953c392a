// The conformance suite, which knows no token: every request gets one on its way.
import { getGlobalDispatcher, setGlobalDispatcher } from "undici";

const bearer = `Bearer ${process.env.TOKEN}`;

function admitted(headers) {
  if (Array.isArray(headers)) return [...headers, "authorization", bearer];
  return { ...(headers instanceof Headers ? Object.fromEntries(headers) : headers), authorization: bearer };
}

const dispatcher = getGlobalDispatcher();
setGlobalDispatcher(
  dispatcher.compose((dispatch) => (options, handler) =>
    dispatch({ ...options, headers: admitted(options.headers) }, handler),
  ),
);
await import("./node_modules/@modelcontextprotocol/conformance/dist/index.js");
