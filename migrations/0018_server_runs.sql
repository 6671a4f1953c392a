-- Servers that wrote something. One that left without signing off has no ended_at, and its file in processes/, called
-- like its row, is free: another one looks the database over then, once, and keeps what it found.
CREATE TABLE server_runs (
    name TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    checked_by TEXT,
    checked_at TEXT,
    problems TEXT CHECK (problems IS NULL OR json_valid(problems))
) STRICT;
CREATE INDEX server_runs_started ON server_runs (started_at);
CREATE INDEX server_runs_unfinished ON server_runs (name) WHERE ended_at IS NULL AND checked_at IS NULL;
CREATE INDEX server_runs_checked ON server_runs (checked_at) WHERE checked_at IS NOT NULL;
