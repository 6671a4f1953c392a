-- What an import wrote, as it wrote it: the common ancestor when a file and the row made of it have both moved on.
-- Entries of logs are never edited: of each log of a workspace (row_key) one row lists short digests of their keys.
CREATE TABLE import_rows (
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    workspace_id TEXT,
    path TEXT NOT NULL,
    json_path TEXT NOT NULL DEFAULT '$',
    base TEXT NOT NULL CHECK (json_valid(base)),
    updated_at TEXT NOT NULL,
    PRIMARY KEY (table_name, row_key)
) STRICT;
CREATE INDEX import_rows_workspace ON import_rows (workspace_id, path);

-- A file has one row, which says what became of it when it was last imported.
ALTER TABLE import_files ADD COLUMN modified_at TEXT;
CREATE UNIQUE INDEX import_files_place ON import_files (coalesce(workspace_id, ''), path);
