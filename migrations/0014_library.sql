-- A definition may belong to one workspace, or come from a file of one. `shipped_hash` is of the file that ships under
-- its name now, `based_on` of the one that it was edited from: where they differ, a newer one ships.
ALTER TABLE agent_definitions ADD COLUMN workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE;
ALTER TABLE agent_definitions ADD COLUMN imported_from TEXT;
ALTER TABLE agent_definitions ADD COLUMN shipped_hash TEXT;
ALTER TABLE agent_definitions ADD COLUMN based_on TEXT;
ALTER TABLE agent_definitions ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX agent_definitions_workspace ON agent_definitions (workspace_id) WHERE workspace_id IS NOT NULL;
UPDATE agent_definitions SET shipped_hash = content_hash WHERE origin = 'shipped';

ALTER TABLE instruction_files ADD COLUMN workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE;
ALTER TABLE instruction_files ADD COLUMN imported_from TEXT;
ALTER TABLE instruction_files ADD COLUMN shipped_hash TEXT;
ALTER TABLE instruction_files ADD COLUMN based_on TEXT;
ALTER TABLE instruction_files ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX instruction_files_workspace ON instruction_files (workspace_id) WHERE workspace_id IS NOT NULL;
UPDATE instruction_files SET shipped_hash = content_hash WHERE origin = 'shipped';

ALTER TABLE skill_definitions ADD COLUMN workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE;
ALTER TABLE skill_definitions ADD COLUMN imported_from TEXT;
ALTER TABLE skill_definitions ADD COLUMN shipped_hash TEXT;
ALTER TABLE skill_definitions ADD COLUMN based_on TEXT;
ALTER TABLE skill_definitions ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX skill_definitions_workspace ON skill_definitions (workspace_id) WHERE workspace_id IS NOT NULL;
UPDATE skill_definitions SET shipped_hash = content_hash WHERE origin = 'shipped';

CREATE TABLE workspace_agents (
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name TEXT NOT NULL REFERENCES agent_definitions ON DELETE CASCADE,
    notes TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, name)
) STRICT;
CREATE INDEX workspace_agents_name ON workspace_agents (name);

-- What was written into the folders of workspaces: whole files, or, with a `block`, a part of one between marks. `hash`
-- is of what was written, `previous_hash` of what it took the place of: a server that dies in between left that. `source`
-- is the content_hash of the definition.
CREATE TABLE deployed_files (
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    client TEXT NOT NULL,
    path TEXT NOT NULL,
    block TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    previous_hash TEXT,
    source TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, client, path, block)
) STRICT;
CREATE INDEX deployed_files_definition ON deployed_files (kind, name);

-- Which workspace a definition is of, and where it came from, is searched. Printed by scripts/search_triggers.py.
DROP TRIGGER agent_definitions_touch_search;
DROP TRIGGER agent_definitions_update_search;
DROP TRIGGER import_rows_delete_search;
DROP TRIGGER import_rows_insert_search;
DROP TRIGGER instruction_files_touch_search;
DROP TRIGGER instruction_files_update_search;
DROP TRIGGER skill_definitions_touch_search;
DROP TRIGGER skill_definitions_update_search;
CREATE TRIGGER agent_definitions_update_search AFTER UPDATE OF
    name, description, body, workspace_id, origin, imported_from
ON agent_definitions
WHEN (
    NEW.name, NEW.description, NEW.body, NEW.workspace_id, NEW.origin, NEW.imported_from
) IS NOT (
    OLD.name, OLD.description, OLD.body, OLD.workspace_id, OLD.origin, OLD.imported_from
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'agent') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.name, 'agent'
        WHERE OLD.name IS NOT NEW.name ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER agent_definitions_touch_search AFTER UPDATE OF updated_at ON agent_definitions
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.name, NEW.description, NEW.body, NEW.workspace_id, NEW.origin, NEW.imported_from
) IS (
    OLD.name, OLD.description, OLD.body, OLD.workspace_id, OLD.origin, OLD.imported_from
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.name AND kind = 'agent';
END;
CREATE TRIGGER instruction_files_update_search AFTER UPDATE OF
    name, description, body, workspace_id, origin, imported_from
ON instruction_files
WHEN (
    NEW.name, NEW.description, NEW.body, NEW.workspace_id, NEW.origin, NEW.imported_from
) IS NOT (
    OLD.name, OLD.description, OLD.body, OLD.workspace_id, OLD.origin, OLD.imported_from
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'instruction') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.name, 'instruction'
        WHERE OLD.name IS NOT NEW.name ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER instruction_files_touch_search AFTER UPDATE OF updated_at ON instruction_files
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.name, NEW.description, NEW.body, NEW.workspace_id, NEW.origin, NEW.imported_from
) IS (
    OLD.name, OLD.description, OLD.body, OLD.workspace_id, OLD.origin, OLD.imported_from
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.name AND kind = 'instruction';
END;
CREATE TRIGGER skill_definitions_update_search AFTER UPDATE OF
    name, description, body, languages, frameworks, workspace_id, tags, origin, imported_from
ON skill_definitions
WHEN (
    NEW.name, NEW.description, NEW.body, NEW.languages, NEW.frameworks, NEW.workspace_id, NEW.tags, NEW.origin,
    NEW.imported_from
) IS NOT (
    OLD.name, OLD.description, OLD.body, OLD.languages, OLD.frameworks, OLD.workspace_id, OLD.tags, OLD.origin,
    OLD.imported_from
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'skill') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.name, 'skill'
        WHERE OLD.name IS NOT NEW.name ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER skill_definitions_touch_search AFTER UPDATE OF updated_at ON skill_definitions
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.name, NEW.description, NEW.body, NEW.languages, NEW.frameworks, NEW.workspace_id, NEW.tags, NEW.origin,
    NEW.imported_from
) IS (
    OLD.name, OLD.description, OLD.body, OLD.languages, OLD.frameworks, OLD.workspace_id, OLD.tags, OLD.origin,
    OLD.imported_from
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.name AND kind = 'skill';
END;
CREATE TRIGGER import_rows_insert_search AFTER INSERT ON import_rows WHEN NEW.table_name IN (
    'programs', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages', 'context_items',
    'research_documents', 'knowledge', 'memory_entries', 'agent_definitions', 'instruction_files', 'skill_definitions'
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.row_key, CASE NEW.table_name
        WHEN 'programs' THEN 'program'
        WHEN 'plans' THEN 'plan'
        WHEN 'phases' THEN 'phase'
        WHEN 'steps' THEN 'step'
        WHEN 'plan_notes' THEN 'note'
        WHEN 'sessions' THEN 'session'
        WHEN 'lineage' THEN 'handoff'
        WHEN 'messages' THEN 'message'
        WHEN 'context_items' THEN 'context'
        WHEN 'research_documents' THEN 'research'
        WHEN 'knowledge' THEN 'knowledge'
        WHEN 'memory_entries' THEN 'memory'
        WHEN 'agent_definitions' THEN 'agent'
        WHEN 'instruction_files' THEN 'instruction'
        WHEN 'skill_definitions' THEN 'skill'
    END) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER import_rows_delete_search AFTER DELETE ON import_rows WHEN OLD.table_name IN (
    'programs', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages', 'context_items',
    'research_documents', 'knowledge', 'memory_entries', 'agent_definitions', 'instruction_files', 'skill_definitions'
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (OLD.row_key, CASE OLD.table_name
        WHEN 'programs' THEN 'program'
        WHEN 'plans' THEN 'plan'
        WHEN 'phases' THEN 'phase'
        WHEN 'steps' THEN 'step'
        WHEN 'plan_notes' THEN 'note'
        WHEN 'sessions' THEN 'session'
        WHEN 'lineage' THEN 'handoff'
        WHEN 'messages' THEN 'message'
        WHEN 'context_items' THEN 'context'
        WHEN 'research_documents' THEN 'research'
        WHEN 'knowledge' THEN 'knowledge'
        WHEN 'memory_entries' THEN 'memory'
        WHEN 'agent_definitions' THEN 'agent'
        WHEN 'instruction_files' THEN 'instruction'
        WHEN 'skill_definitions' THEN 'skill'
    END) ON CONFLICT DO NOTHING;
END;
