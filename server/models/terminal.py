"""What may be run, and what was run."""

from server.models.base import JsonObject, Row, Strings


class AllowedRule(Row):
    """A row of `terminal_allowlist`."""

    program: str
    subcommand: str
    flags: Strings
    allowed_by: str
    via: str
    created_at: str


class RunRow(Row):
    """A row of `runs`."""

    run_id: str
    workspace_id: str
    kind: str
    name: str
    status: str
    arguments: JsonObject
    agent: str | None = None
    allowed_by: str | None = None
    server: str | None = None
    exit_code: int | None = None
    ended_by: str | None = None
    error: str | None = None
    stdout_bytes: int | None = None
    stderr_bytes: int | None = None
    started_at: str
    finished_at: str | None = None
