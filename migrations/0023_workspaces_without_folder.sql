-- What another program kept for no project is a workspace without a folder: its path is NULL.
CREATE TABLE workspaces_anew (
    workspace_id TEXT PRIMARY KEY,
    path TEXT UNIQUE,
    name TEXT NOT NULL,
    display_name TEXT,
    git_common_dir TEXT,
    parent_workspace_id TEXT REFERENCES workspaces ON DELETE SET NULL,
    profile TEXT CHECK (profile IS NULL OR json_valid(profile)),
    meta TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(meta)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    importing TEXT,
    source_system TEXT,
    external_id TEXT,
    last_used_at TEXT
) STRICT;
INSERT INTO workspaces_anew (
    workspace_id, path, name, display_name, git_common_dir, parent_workspace_id, profile, meta, created_at, updated_at,
    importing, source_system, external_id, last_used_at
)
SELECT
    workspace_id, path, name, display_name, git_common_dir, parent_workspace_id, profile, meta, created_at, updated_at,
    importing, source_system, external_id, last_used_at
FROM workspaces;
DROP TABLE workspaces;
ALTER TABLE workspaces_anew RENAME TO workspaces;
CREATE INDEX workspaces_parent ON workspaces (parent_workspace_id);
CREATE INDEX workspaces_git ON workspaces (git_common_dir);
CREATE INDEX workspaces_importing ON workspaces (workspace_id) WHERE importing IS NOT NULL;
CREATE INDEX workspaces_external ON workspaces (external_id) WHERE external_id IS NOT NULL;

-- What hangs on a polymorphic parent goes with it.
CREATE TRIGGER workspaces_deleted AFTER DELETE ON workspaces BEGIN
    DELETE FROM context_items WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM research_documents WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
END;
CREATE TRIGGER workspaces_deleted_ledger AFTER DELETE ON workspaces BEGIN
    DELETE FROM artifacts WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM metric_points WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM task_progress WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM cache_entries WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM field_changes WHERE entity_type = 'workspace' AND entity_id = OLD.workspace_id;
END;
