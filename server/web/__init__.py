"""The server over HTTP: MCP, the stream of events, the dashboard; imported by `serve` alone."""
