"""`/mcp`: MCP over streamable HTTP, both protocol eras, each request by itself: a restart breaks no client."""
