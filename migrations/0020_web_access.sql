-- Who may use the server over HTTP: tokens of programs, and the browsers of the person whose database this is. Of each
-- secret there is a hash alone. Nothing of it is ever exported.
CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('agent', 'reader')),
    hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    revoked_at TEXT
) STRICT;
CREATE UNIQUE INDEX tokens_in_use ON tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE web_links (
    hash TEXT PRIMARY KEY,
    expires_at TEXT NOT NULL
) STRICT;

CREATE TABLE web_sessions (
    web_session_id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    browser TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
