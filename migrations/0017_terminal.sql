-- What agents may run without being asked for, and what was run.

CREATE TABLE terminal_allowlist (
    rule_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    program TEXT NOT NULL,
    subcommand TEXT NOT NULL DEFAULT '',
    flags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(flags)),
    allowed_by TEXT NOT NULL,
    via TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (workspace_id, program, subcommand, flags)
) STRICT;

-- server tells the process that runs it from others of the same number: a run whose server is gone is lost.
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'running',
    arguments TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(arguments)),
    agent TEXT,
    session_id TEXT,
    allowed_by TEXT,
    server TEXT,
    exit_code INTEGER,
    ended_by TEXT,
    error TEXT,
    stdout_bytes INTEGER,
    stderr_bytes INTEGER,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX runs_workspace ON runs (workspace_id, started_at);
CREATE INDEX runs_running ON runs (server) WHERE status = 'running';
