-- Changes of files that are decided: whoever writes next carries out what a process that died left undone.
CREATE TABLE file_changes (
    change_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    change TEXT NOT NULL CHECK (json_valid(change)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX file_changes_workspace ON file_changes (workspace_id);
