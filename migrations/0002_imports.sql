-- What an import wrote, as it wrote it: the common ancestor when a file and the row made of it have both moved on.
CREATE TABLE import_rows (
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    workspace_id TEXT,
    path TEXT NOT NULL,
    base TEXT NOT NULL CHECK (json_valid(base)),
    updated_at TEXT NOT NULL,
    PRIMARY KEY (table_name, row_key)
) STRICT;
CREATE INDEX import_rows_workspace ON import_rows (workspace_id, path);
