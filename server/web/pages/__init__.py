"""The dashboard: pages for the owner, made of what the actions of the tools answer."""
