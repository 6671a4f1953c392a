-- A workspace that an import fills is hidden, in all that reads workspaces, until it is whole.
ALTER TABLE workspaces ADD COLUMN importing TEXT;
CREATE INDEX workspaces_importing ON workspaces (workspace_id) WHERE importing IS NOT NULL;

-- Who writes a run that is not completed, and when something of it was last written.
ALTER TABLE import_runs ADD COLUMN holder TEXT;
ALTER TABLE import_runs ADD COLUMN written_at TEXT;
CREATE INDEX import_runs_open ON import_runs (coalesce(workspace_id, '')) WHERE status = 'running';
