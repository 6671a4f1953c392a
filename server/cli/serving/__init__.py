"""The server over HTTP: serving, and who may use it."""
