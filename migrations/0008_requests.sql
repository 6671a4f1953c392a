-- What writes answered that a caller may send again because the answer was lost. A row is of use for a day. What
-- belongs to no workspace has '' for one.
CREATE TABLE requests (
    request_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    tool TEXT NOT NULL,
    action TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (request_id, agent, tool, action, workspace_id)
) STRICT;
CREATE INDEX requests_by_age ON requests (created_at);
CREATE INDEX requests_workspace ON requests (workspace_id);
