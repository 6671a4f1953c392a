"""The first hour: the demo, and how editors are told to start the server."""
