-- What there is to find. `title`, `body` and `rest` hold the words of a row as the code prepared them; `facets` those that
-- say where it belongs. The triggers of the tables only note what changed, in `search_pending`; the code reads that in
-- the same transaction, before it commits. `search_backlog` is worked off before a server serves.
CREATE TABLE search_documents (
    doc INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    workspace_id TEXT,
    plan_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    subtype TEXT,
    tags TEXT CHECK (tags IS NULL OR json_valid(tags)),
    author TEXT,
    trust TEXT NOT NULL CHECK (trust IN ('human', 'agent', 'import')),
    archived INTEGER NOT NULL CHECK (archived IN (0, 1)),
    expires_at TEXT,
    updated_at TEXT NOT NULL,
    facets TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    rest TEXT
) STRICT;
CREATE UNIQUE INDEX search_documents_entity ON search_documents (entity_id, kind);

CREATE TABLE search_pending (
    entity_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (entity_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE search_backlog (
    place INTEGER PRIMARY KEY,
    entity_id TEXT NOT NULL,
    kind TEXT NOT NULL
) STRICT;

-- The words that were ever indexed, with their endings: queries are completed and corrected by them.
CREATE TABLE search_words (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE search_index USING fts5 (
    facets, title, body, rest, content = 'search_documents', content_rowid = 'doc', tokenize = 'ascii', detail = 'column'
);
CREATE TRIGGER search_documents_inserted AFTER INSERT ON search_documents BEGIN
    INSERT INTO search_index (rowid, facets, title, body, rest)
    VALUES (NEW.doc, NEW.facets, NEW.title, NEW.body, NEW.rest);
END;
CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, facets, title, body, rest)
    VALUES ('delete', OLD.doc, OLD.facets, OLD.title, OLD.body, OLD.rest);
END;
CREATE TRIGGER search_documents_changed AFTER UPDATE OF doc, facets, title, body, rest ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, facets, title, body, rest)
    VALUES ('delete', OLD.doc, OLD.facets, OLD.title, OLD.body, OLD.rest);
    INSERT INTO search_index (rowid, facets, title, body, rest)
    VALUES (NEW.doc, NEW.facets, NEW.title, NEW.body, NEW.rest);
END;

-- Rows that are new or changed. A row that goes to the archive, or comes back, only changes its flag.
CREATE TRIGGER programs_insert_search AFTER INSERT ON programs BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.program_id, 'program') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER programs_update_search AFTER UPDATE OF
    program_id, title, description, goals, success_criteria, workspace_id
ON programs BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.program_id, 'program') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER programs_touch_search AFTER UPDATE OF updated_at ON programs BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.program_id AND kind = 'program' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER programs_delete_search AFTER DELETE ON programs BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.program_id AND kind = 'program';
END;

CREATE TRIGGER plans_insert_search AFTER INSERT ON plans
WHEN NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = NEW.plan_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_update_search AFTER UPDATE OF
    plan_id, title, description, goals, success_criteria, category, source, workspace_id
ON plans BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_touch_search AFTER UPDATE OF updated_at ON plans BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.plan_id AND kind = 'plan' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER plans_delete_search AFTER DELETE ON plans BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.plan_id AND kind = 'plan'
        AND EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = OLD.plan_id);
    DELETE FROM search_documents WHERE entity_id = OLD.plan_id AND kind = 'plan'
        AND NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = OLD.plan_id);
END;
CREATE TRIGGER plans_archive_insert_search AFTER INSERT ON plans_archive
WHEN NOT EXISTS (SELECT 1 FROM plans WHERE plan_id = NEW.plan_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_archive_update_search AFTER UPDATE OF
    plan_id, title, description, goals, success_criteria, category, source, workspace_id
ON plans_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_archive_touch_search AFTER UPDATE OF updated_at ON plans_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.plan_id AND kind = 'plan' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER plans_archive_delete_search AFTER DELETE ON plans_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.plan_id AND kind = 'plan'
        AND EXISTS (SELECT 1 FROM plans WHERE plan_id = OLD.plan_id);
    DELETE FROM search_documents WHERE entity_id = OLD.plan_id AND kind = 'plan'
        AND NOT EXISTS (SELECT 1 FROM plans WHERE plan_id = OLD.plan_id);
END;

CREATE TRIGGER phases_insert_search AFTER INSERT ON phases
WHEN NOT EXISTS (SELECT 1 FROM phases_archive WHERE phase_id = NEW.phase_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_update_search AFTER UPDATE OF
    phase_id, name, description, success_criteria, plan_id
ON phases BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_touch_search AFTER UPDATE OF updated_at ON phases BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.phase_id AND kind = 'phase' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER phases_delete_search AFTER DELETE ON phases BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.phase_id AND kind = 'phase'
        AND EXISTS (SELECT 1 FROM phases_archive WHERE phase_id = OLD.phase_id);
    DELETE FROM search_documents WHERE entity_id = OLD.phase_id AND kind = 'phase'
        AND NOT EXISTS (SELECT 1 FROM phases_archive WHERE phase_id = OLD.phase_id);
END;
CREATE TRIGGER phases_archive_insert_search AFTER INSERT ON phases_archive
WHEN NOT EXISTS (SELECT 1 FROM phases WHERE phase_id = NEW.phase_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_archive_update_search AFTER UPDATE OF
    phase_id, name, description, success_criteria, plan_id
ON phases_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_archive_touch_search AFTER UPDATE OF updated_at ON phases_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.phase_id AND kind = 'phase' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER phases_archive_delete_search AFTER DELETE ON phases_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.phase_id AND kind = 'phase'
        AND EXISTS (SELECT 1 FROM phases WHERE phase_id = OLD.phase_id);
    DELETE FROM search_documents WHERE entity_id = OLD.phase_id AND kind = 'phase'
        AND NOT EXISTS (SELECT 1 FROM phases WHERE phase_id = OLD.phase_id);
END;

CREATE TRIGGER steps_insert_search AFTER INSERT ON steps
WHEN NOT EXISTS (SELECT 1 FROM steps_archive WHERE step_id = NEW.step_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_update_search AFTER UPDATE OF
    step_id, task, notes, section, assignee, plan_id
ON steps BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_touch_search AFTER UPDATE OF updated_at ON steps BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.step_id AND kind = 'step' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER steps_delete_search AFTER DELETE ON steps BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.step_id AND kind = 'step'
        AND EXISTS (SELECT 1 FROM steps_archive WHERE step_id = OLD.step_id);
    DELETE FROM search_documents WHERE entity_id = OLD.step_id AND kind = 'step'
        AND NOT EXISTS (SELECT 1 FROM steps_archive WHERE step_id = OLD.step_id);
END;
CREATE TRIGGER steps_archive_insert_search AFTER INSERT ON steps_archive
WHEN NOT EXISTS (SELECT 1 FROM steps WHERE step_id = NEW.step_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_archive_update_search AFTER UPDATE OF
    step_id, task, notes, section, assignee, plan_id
ON steps_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_archive_touch_search AFTER UPDATE OF updated_at ON steps_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.step_id AND kind = 'step' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER steps_archive_delete_search AFTER DELETE ON steps_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.step_id AND kind = 'step'
        AND EXISTS (SELECT 1 FROM steps WHERE step_id = OLD.step_id);
    DELETE FROM search_documents WHERE entity_id = OLD.step_id AND kind = 'step'
        AND NOT EXISTS (SELECT 1 FROM steps WHERE step_id = OLD.step_id);
END;

CREATE TRIGGER plan_notes_insert_search AFTER INSERT ON plan_notes
WHEN NOT EXISTS (SELECT 1 FROM plan_notes_archive WHERE note_id = NEW.note_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.note_id, 'note') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plan_notes_update_search AFTER UPDATE OF
    note_id, note, added_by, plan_id
ON plan_notes BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.note_id, 'note') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plan_notes_touch_search AFTER UPDATE OF updated_at ON plan_notes BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.note_id AND kind = 'note' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER plan_notes_delete_search AFTER DELETE ON plan_notes BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.note_id AND kind = 'note'
        AND EXISTS (SELECT 1 FROM plan_notes_archive WHERE note_id = OLD.note_id);
    DELETE FROM search_documents WHERE entity_id = OLD.note_id AND kind = 'note'
        AND NOT EXISTS (SELECT 1 FROM plan_notes_archive WHERE note_id = OLD.note_id);
END;
CREATE TRIGGER plan_notes_archive_insert_search AFTER INSERT ON plan_notes_archive
WHEN NOT EXISTS (SELECT 1 FROM plan_notes WHERE note_id = NEW.note_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.note_id, 'note') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plan_notes_archive_update_search AFTER UPDATE OF
    note_id, note, added_by, plan_id
ON plan_notes_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.note_id, 'note') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plan_notes_archive_touch_search AFTER UPDATE OF updated_at ON plan_notes_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.note_id AND kind = 'note' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER plan_notes_archive_delete_search AFTER DELETE ON plan_notes_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.note_id AND kind = 'note'
        AND EXISTS (SELECT 1 FROM plan_notes WHERE note_id = OLD.note_id);
    DELETE FROM search_documents WHERE entity_id = OLD.note_id AND kind = 'note'
        AND NOT EXISTS (SELECT 1 FROM plan_notes WHERE note_id = OLD.note_id);
END;

CREATE TRIGGER sessions_insert_search AFTER INSERT ON sessions
WHEN NOT EXISTS (SELECT 1 FROM sessions_archive WHERE session_id = NEW.session_id) AND NEW.summary IS NOT NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_update_search AFTER UPDATE OF
    session_id, summary, artifacts, agent, plan_id, workspace_id
ON sessions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_touch_search AFTER UPDATE OF updated_at ON sessions BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.session_id AND kind = 'session' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER sessions_delete_search AFTER DELETE ON sessions BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.session_id AND kind = 'session'
        AND EXISTS (SELECT 1 FROM sessions_archive WHERE session_id = OLD.session_id);
    DELETE FROM search_documents WHERE entity_id = OLD.session_id AND kind = 'session'
        AND NOT EXISTS (SELECT 1 FROM sessions_archive WHERE session_id = OLD.session_id);
END;
CREATE TRIGGER sessions_archive_insert_search AFTER INSERT ON sessions_archive
WHEN NOT EXISTS (SELECT 1 FROM sessions WHERE session_id = NEW.session_id) AND NEW.summary IS NOT NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_archive_update_search AFTER UPDATE OF
    session_id, summary, artifacts, agent, plan_id, workspace_id
ON sessions_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_archive_touch_search AFTER UPDATE OF updated_at ON sessions_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.session_id AND kind = 'session' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER sessions_archive_delete_search AFTER DELETE ON sessions_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.session_id AND kind = 'session'
        AND EXISTS (SELECT 1 FROM sessions WHERE session_id = OLD.session_id);
    DELETE FROM search_documents WHERE entity_id = OLD.session_id AND kind = 'session'
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE session_id = OLD.session_id);
END;

CREATE TRIGGER lineage_insert_search AFTER INSERT ON lineage
WHEN NOT EXISTS (SELECT 1 FROM lineage_archive WHERE lineage_id = NEW.lineage_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER lineage_update_search AFTER UPDATE OF
    lineage_id, from_agent, to_agent, reason, data, plan_id, workspace_id
ON lineage BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER lineage_delete_search AFTER DELETE ON lineage BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.lineage_id AND kind = 'handoff'
        AND EXISTS (SELECT 1 FROM lineage_archive WHERE lineage_id = OLD.lineage_id);
    DELETE FROM search_documents WHERE entity_id = OLD.lineage_id AND kind = 'handoff'
        AND NOT EXISTS (SELECT 1 FROM lineage_archive WHERE lineage_id = OLD.lineage_id);
END;
CREATE TRIGGER lineage_archive_insert_search AFTER INSERT ON lineage_archive
WHEN NOT EXISTS (SELECT 1 FROM lineage WHERE lineage_id = NEW.lineage_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER lineage_archive_update_search AFTER UPDATE OF
    lineage_id, from_agent, to_agent, reason, data, plan_id, workspace_id
ON lineage_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER lineage_archive_delete_search AFTER DELETE ON lineage_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.lineage_id AND kind = 'handoff'
        AND EXISTS (SELECT 1 FROM lineage WHERE lineage_id = OLD.lineage_id);
    DELETE FROM search_documents WHERE entity_id = OLD.lineage_id AND kind = 'handoff'
        AND NOT EXISTS (SELECT 1 FROM lineage WHERE lineage_id = OLD.lineage_id);
END;

CREATE TRIGGER messages_insert_search AFTER INSERT ON messages BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.message_id, 'message') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_update_search AFTER UPDATE OF
    message_id, content, from_agent, to_agent, plan_id, workspace_id
ON messages BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.message_id, 'message') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_touch_search AFTER UPDATE OF updated_at ON messages BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.message_id AND kind = 'message' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER messages_delete_search AFTER DELETE ON messages BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.message_id AND kind = 'message';
END;

CREATE TRIGGER context_items_insert_search AFTER INSERT ON context_items
WHEN NOT EXISTS (SELECT 1 FROM context_items_archive WHERE item_id = NEW.item_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER context_items_update_search AFTER UPDATE OF
    item_id, type, data, tags, parent_type, parent_id, created_by, expires_at, workspace_id
ON context_items BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) VALUES (OLD.item_id, 'context') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER context_items_touch_search AFTER UPDATE OF updated_at ON context_items BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.item_id AND kind = 'context' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER context_items_delete_search AFTER DELETE ON context_items BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.item_id AND kind = 'context'
        AND EXISTS (SELECT 1 FROM context_items_archive WHERE item_id = OLD.item_id);
    DELETE FROM search_documents WHERE entity_id = OLD.item_id AND kind = 'context'
        AND NOT EXISTS (SELECT 1 FROM context_items_archive WHERE item_id = OLD.item_id);
END;
CREATE TRIGGER context_items_archive_insert_search AFTER INSERT ON context_items_archive
WHEN NOT EXISTS (SELECT 1 FROM context_items WHERE item_id = NEW.item_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER context_items_archive_update_search AFTER UPDATE OF
    item_id, type, data, tags, parent_type, parent_id, created_by, expires_at, workspace_id
ON context_items_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER context_items_archive_touch_search AFTER UPDATE OF updated_at ON context_items_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.item_id AND kind = 'context' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER context_items_archive_delete_search AFTER DELETE ON context_items_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.item_id AND kind = 'context'
        AND EXISTS (SELECT 1 FROM context_items WHERE item_id = OLD.item_id);
    DELETE FROM search_documents WHERE entity_id = OLD.item_id AND kind = 'context'
        AND NOT EXISTS (SELECT 1 FROM context_items WHERE item_id = OLD.item_id);
END;

CREATE TRIGGER research_documents_insert_search AFTER INSERT ON research_documents
WHEN NOT EXISTS (SELECT 1 FROM research_documents_archive WHERE document_id = NEW.document_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.document_id, 'research') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER research_documents_update_search AFTER UPDATE OF
    document_id, filename, content, parent_type, parent_id, created_by, workspace_id
ON research_documents BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.document_id, 'research') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER research_documents_touch_search AFTER UPDATE OF updated_at ON research_documents BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.document_id AND kind = 'research' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER research_documents_delete_search AFTER DELETE ON research_documents BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.document_id AND kind = 'research'
        AND EXISTS (SELECT 1 FROM research_documents_archive WHERE document_id = OLD.document_id);
    DELETE FROM search_documents WHERE entity_id = OLD.document_id AND kind = 'research'
        AND NOT EXISTS (SELECT 1 FROM research_documents_archive WHERE document_id = OLD.document_id);
END;
CREATE TRIGGER research_documents_archive_insert_search AFTER INSERT ON research_documents_archive
WHEN NOT EXISTS (SELECT 1 FROM research_documents WHERE document_id = NEW.document_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.document_id, 'research') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER research_documents_archive_update_search AFTER UPDATE OF
    document_id, filename, content, parent_type, parent_id, created_by, workspace_id
ON research_documents_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.document_id, 'research') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER research_documents_archive_touch_search AFTER UPDATE OF updated_at ON research_documents_archive BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.document_id AND kind = 'research' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER research_documents_archive_delete_search AFTER DELETE ON research_documents_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.document_id AND kind = 'research'
        AND EXISTS (SELECT 1 FROM research_documents WHERE document_id = OLD.document_id);
    DELETE FROM search_documents WHERE entity_id = OLD.document_id AND kind = 'research'
        AND NOT EXISTS (SELECT 1 FROM research_documents WHERE document_id = OLD.document_id);
END;

CREATE TRIGGER knowledge_insert_search AFTER INSERT ON knowledge BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.knowledge_id, 'knowledge') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER knowledge_update_search AFTER UPDATE OF
    knowledge_id, slug, title, content, category, tags, superseded_by, created_by_agent, created_by_plan, workspace_id
ON knowledge BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.knowledge_id, 'knowledge') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER knowledge_touch_search AFTER UPDATE OF updated_at ON knowledge BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.knowledge_id AND kind = 'knowledge' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER knowledge_delete_search AFTER DELETE ON knowledge BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.knowledge_id AND kind = 'knowledge';
END;

CREATE TRIGGER memory_entries_insert_search AFTER INSERT ON memory_entries BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.entry_id, 'memory') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER memory_entries_update_search AFTER UPDATE OF
    entry_id, namespace, key, value, scope, scope_id, created_by, expires_at, workspace_id
ON memory_entries BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.entry_id, 'memory') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) VALUES (OLD.entry_id, 'memory') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER memory_entries_touch_search AFTER UPDATE OF updated_at ON memory_entries BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.entry_id AND kind = 'memory' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER memory_entries_delete_search AFTER DELETE ON memory_entries BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.entry_id AND kind = 'memory';
END;

CREATE TRIGGER agent_definitions_insert_search AFTER INSERT ON agent_definitions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'agent') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER agent_definitions_update_search AFTER UPDATE OF
    name, description, body, origin
ON agent_definitions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'agent') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER agent_definitions_touch_search AFTER UPDATE OF updated_at ON agent_definitions BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.name AND kind = 'agent' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER agent_definitions_delete_search AFTER DELETE ON agent_definitions BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.name AND kind = 'agent';
END;

CREATE TRIGGER instruction_files_insert_search AFTER INSERT ON instruction_files BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'instruction') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER instruction_files_update_search AFTER UPDATE OF
    name, description, body, origin
ON instruction_files BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'instruction') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER instruction_files_touch_search AFTER UPDATE OF updated_at ON instruction_files BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.name AND kind = 'instruction' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER instruction_files_delete_search AFTER DELETE ON instruction_files BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.name AND kind = 'instruction';
END;

CREATE TRIGGER skill_definitions_insert_search AFTER INSERT ON skill_definitions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'skill') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER skill_definitions_update_search AFTER UPDATE OF
    name, description, body, category, tags, languages, frameworks, origin
ON skill_definitions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'skill') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER skill_definitions_touch_search AFTER UPDATE OF updated_at ON skill_definitions BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at
    WHERE entity_id = NEW.name AND kind = 'skill' AND updated_at <> NEW.updated_at;
END;
CREATE TRIGGER skill_definitions_delete_search AFTER DELETE ON skill_definitions BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.name AND kind = 'skill';
END;

CREATE TRIGGER tool_actions_insert_search AFTER INSERT ON tool_actions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.tool || ' ' || NEW.action, 'action') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER tool_actions_update_search AFTER UPDATE OF
    summary, help
ON tool_actions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.tool || ' ' || NEW.action, 'action') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER tool_actions_delete_search AFTER DELETE ON tool_actions BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.tool || ' ' || OLD.action AND kind = 'action';
END;

-- What hangs on a row that moves is somewhere else now.
CREATE TRIGGER plans_moved_search AFTER UPDATE OF workspace_id ON plans BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT phase_id, 'phase' FROM phases WHERE plan_id = NEW.plan_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT step_id, 'step' FROM steps WHERE plan_id = NEW.plan_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT note_id, 'note' FROM plan_notes WHERE plan_id = NEW.plan_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_archive_moved_search AFTER UPDATE OF workspace_id ON plans_archive BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT phase_id, 'phase' FROM phases_archive WHERE plan_id = NEW.plan_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT step_id, 'step' FROM steps_archive WHERE plan_id = NEW.plan_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT note_id, 'note' FROM plan_notes_archive WHERE plan_id = NEW.plan_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_moved_search AFTER UPDATE OF plan_id ON phases BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT item_id, 'context' FROM context_items WHERE parent_type = 'phase' AND parent_id = NEW.phase_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT document_id, 'research' FROM research_documents WHERE parent_type = 'phase' AND parent_id = NEW.phase_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_moved_search AFTER UPDATE OF plan_id ON steps BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT item_id, 'context' FROM context_items WHERE parent_type = 'step' AND parent_id = NEW.step_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT document_id, 'research' FROM research_documents WHERE parent_type = 'step' AND parent_id = NEW.step_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_moved_search AFTER UPDATE OF plan_id ON sessions BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT item_id, 'context' FROM context_items WHERE parent_type = 'session' AND parent_id = NEW.session_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT document_id, 'research' FROM research_documents WHERE parent_type = 'session' AND parent_id = NEW.session_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER import_rows_insert_search AFTER INSERT ON import_rows WHEN NEW.table_name IN (
    'programs', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages', 'context_items',
    'research_documents', 'knowledge', 'memory_entries'
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
    END) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER import_rows_delete_search AFTER DELETE ON import_rows WHEN OLD.table_name IN (
    'programs', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages', 'context_items',
    'research_documents', 'knowledge', 'memory_entries'
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
    END) ON CONFLICT DO NOTHING;
END;

-- All that is there already, in the order in which it changed.
INSERT INTO search_backlog (entity_id, kind)
SELECT entity_id, kind FROM (
    SELECT tool || ' ' || action AS entity_id, 'action' AS kind, '' AS changed FROM tool_actions
    UNION ALL
    SELECT program_id, 'program', updated_at FROM programs
    UNION ALL
    SELECT plan_id, 'plan', updated_at FROM plans
    UNION ALL
    SELECT plan_id, 'plan', updated_at FROM plans_archive
    UNION ALL
    SELECT phase_id, 'phase', updated_at FROM phases
    UNION ALL
    SELECT phase_id, 'phase', updated_at FROM phases_archive
    UNION ALL
    SELECT step_id, 'step', updated_at FROM steps
    UNION ALL
    SELECT step_id, 'step', updated_at FROM steps_archive
    UNION ALL
    SELECT note_id, 'note', updated_at FROM plan_notes
    UNION ALL
    SELECT note_id, 'note', updated_at FROM plan_notes_archive
    UNION ALL
    SELECT session_id, 'session', updated_at FROM sessions WHERE summary IS NOT NULL
    UNION ALL
    SELECT session_id, 'session', updated_at FROM sessions_archive WHERE summary IS NOT NULL
    UNION ALL
    SELECT lineage_id, 'handoff', created_at FROM lineage
    UNION ALL
    SELECT lineage_id, 'handoff', created_at FROM lineage_archive
    UNION ALL
    SELECT message_id, 'message', updated_at FROM messages
    UNION ALL
    SELECT item_id, 'context', updated_at FROM context_items
    UNION ALL
    SELECT item_id, 'context', updated_at FROM context_items_archive
    UNION ALL
    SELECT document_id, 'research', updated_at FROM research_documents
    UNION ALL
    SELECT document_id, 'research', updated_at FROM research_documents_archive
    UNION ALL
    SELECT knowledge_id, 'knowledge', updated_at FROM knowledge
    UNION ALL
    SELECT entry_id, 'memory', updated_at FROM memory_entries
    UNION ALL
    SELECT name, 'agent', '' FROM agent_definitions
    UNION ALL
    SELECT name, 'instruction', '' FROM instruction_files
    UNION ALL
    SELECT name, 'skill', '' FROM skill_definitions
) ORDER BY changed, kind, entity_id;

