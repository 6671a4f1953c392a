"""MCP: the only importer of the SDK besides the demo's client."""
