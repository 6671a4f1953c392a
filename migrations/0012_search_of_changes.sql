-- A row of which nothing changed that its document is made of is not looked at by the search; only the time is noted.
-- Printed by scripts/search_triggers.py.
DROP TRIGGER agent_definitions_touch_search;
DROP TRIGGER agent_definitions_update_search;
DROP TRIGGER context_items_archive_touch_search;
DROP TRIGGER context_items_archive_update_search;
DROP TRIGGER context_items_touch_search;
DROP TRIGGER context_items_update_search;
DROP TRIGGER instruction_files_touch_search;
DROP TRIGGER instruction_files_update_search;
DROP TRIGGER knowledge_insert_search;
DROP TRIGGER knowledge_touch_search;
DROP TRIGGER knowledge_update_search;
DROP TRIGGER lineage_archive_update_search;
DROP TRIGGER lineage_update_search;
DROP TRIGGER memory_entries_touch_search;
DROP TRIGGER memory_entries_update_search;
DROP TRIGGER messages_touch_search;
DROP TRIGGER messages_update_search;
DROP TRIGGER phases_archive_touch_search;
DROP TRIGGER phases_archive_update_search;
DROP TRIGGER phases_moved_search;
DROP TRIGGER phases_touch_search;
DROP TRIGGER phases_update_search;
DROP TRIGGER plan_notes_archive_touch_search;
DROP TRIGGER plan_notes_archive_update_search;
DROP TRIGGER plan_notes_touch_search;
DROP TRIGGER plan_notes_update_search;
DROP TRIGGER plans_archive_moved_search;
DROP TRIGGER plans_archive_touch_search;
DROP TRIGGER plans_archive_update_search;
DROP TRIGGER plans_moved_search;
DROP TRIGGER plans_touch_search;
DROP TRIGGER plans_update_search;
DROP TRIGGER programs_touch_search;
DROP TRIGGER programs_update_search;
DROP TRIGGER research_documents_archive_touch_search;
DROP TRIGGER research_documents_archive_update_search;
DROP TRIGGER research_documents_touch_search;
DROP TRIGGER research_documents_update_search;
DROP TRIGGER sessions_archive_touch_search;
DROP TRIGGER sessions_archive_update_search;
DROP TRIGGER sessions_moved_search;
DROP TRIGGER sessions_touch_search;
DROP TRIGGER sessions_update_search;
DROP TRIGGER skill_definitions_touch_search;
DROP TRIGGER skill_definitions_update_search;
DROP TRIGGER steps_archive_touch_search;
DROP TRIGGER steps_archive_update_search;
DROP TRIGGER steps_moved_search;
DROP TRIGGER steps_touch_search;
DROP TRIGGER steps_update_search;
DROP TRIGGER tool_actions_update_search;
CREATE TRIGGER programs_update_search AFTER UPDATE OF
    program_id, title, description, goals, success_criteria, workspace_id
ON programs
WHEN (
    NEW.program_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.workspace_id
) IS NOT (
    OLD.program_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.workspace_id
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.program_id, 'program') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.program_id, 'program'
        WHERE OLD.program_id IS NOT NEW.program_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER programs_touch_search AFTER UPDATE OF updated_at ON programs
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.program_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.workspace_id
) IS (
    OLD.program_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.workspace_id
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.program_id AND kind = 'program';
END;
CREATE TRIGGER plans_update_search AFTER UPDATE OF
    plan_id, title, description, goals, success_criteria, workspace_id, category, source
ON plans
WHEN (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.workspace_id, NEW.category, NEW.source
) IS NOT (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.plan_id, 'plan'
        WHERE OLD.plan_id IS NOT NEW.plan_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_touch_search AFTER UPDATE OF updated_at ON plans
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.workspace_id, NEW.category, NEW.source
) IS (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.plan_id AND kind = 'plan';
END;
CREATE TRIGGER plans_archive_update_search AFTER UPDATE OF
    plan_id, title, description, goals, success_criteria, workspace_id, category, source
ON plans_archive
WHEN (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.workspace_id, NEW.category, NEW.source
) IS NOT (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.plan_id, 'plan'
        WHERE OLD.plan_id IS NOT NEW.plan_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_archive_touch_search AFTER UPDATE OF updated_at ON plans_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.workspace_id, NEW.category, NEW.source
) IS (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.plan_id AND kind = 'plan';
END;
CREATE TRIGGER phases_update_search AFTER UPDATE OF
    phase_id, name, description, success_criteria, plan_id
ON phases
WHEN (
    NEW.phase_id, NEW.name, NEW.description, NEW.success_criteria, NEW.plan_id
) IS NOT (
    OLD.phase_id, OLD.name, OLD.description, OLD.success_criteria, OLD.plan_id
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.phase_id, 'phase'
        WHERE OLD.phase_id IS NOT NEW.phase_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_touch_search AFTER UPDATE OF updated_at ON phases
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.phase_id, NEW.name, NEW.description, NEW.success_criteria, NEW.plan_id
) IS (
    OLD.phase_id, OLD.name, OLD.description, OLD.success_criteria, OLD.plan_id
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.phase_id AND kind = 'phase';
END;
CREATE TRIGGER phases_archive_update_search AFTER UPDATE OF
    phase_id, name, description, success_criteria, plan_id
ON phases_archive
WHEN (
    NEW.phase_id, NEW.name, NEW.description, NEW.success_criteria, NEW.plan_id
) IS NOT (
    OLD.phase_id, OLD.name, OLD.description, OLD.success_criteria, OLD.plan_id
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.phase_id, 'phase'
        WHERE OLD.phase_id IS NOT NEW.phase_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_archive_touch_search AFTER UPDATE OF updated_at ON phases_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.phase_id, NEW.name, NEW.description, NEW.success_criteria, NEW.plan_id
) IS (
    OLD.phase_id, OLD.name, OLD.description, OLD.success_criteria, OLD.plan_id
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.phase_id AND kind = 'phase';
END;
CREATE TRIGGER steps_update_search AFTER UPDATE OF
    step_id, task, notes, section, plan_id, type
ON steps
WHEN (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.plan_id, NEW.type
) IS NOT (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.plan_id, OLD.type
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.step_id, 'step'
        WHERE OLD.step_id IS NOT NEW.step_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_touch_search AFTER UPDATE OF updated_at ON steps
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.plan_id, NEW.type
) IS (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.plan_id, OLD.type
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.step_id AND kind = 'step';
END;
CREATE TRIGGER steps_archive_update_search AFTER UPDATE OF
    step_id, task, notes, section, plan_id, type
ON steps_archive
WHEN (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.plan_id, NEW.type
) IS NOT (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.plan_id, OLD.type
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.step_id, 'step'
        WHERE OLD.step_id IS NOT NEW.step_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_archive_touch_search AFTER UPDATE OF updated_at ON steps_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.plan_id, NEW.type
) IS (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.plan_id, OLD.type
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.step_id AND kind = 'step';
END;
CREATE TRIGGER plan_notes_update_search AFTER UPDATE OF
    note_id, note, plan_id, added_by
ON plan_notes
WHEN (
    NEW.note_id, NEW.note, NEW.plan_id, NEW.added_by
) IS NOT (
    OLD.note_id, OLD.note, OLD.plan_id, OLD.added_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.note_id, 'note') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.note_id, 'note'
        WHERE OLD.note_id IS NOT NEW.note_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plan_notes_touch_search AFTER UPDATE OF updated_at ON plan_notes
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.note_id, NEW.note, NEW.plan_id, NEW.added_by
) IS (
    OLD.note_id, OLD.note, OLD.plan_id, OLD.added_by
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.note_id AND kind = 'note';
END;
CREATE TRIGGER plan_notes_archive_update_search AFTER UPDATE OF
    note_id, note, plan_id, added_by
ON plan_notes_archive
WHEN (
    NEW.note_id, NEW.note, NEW.plan_id, NEW.added_by
) IS NOT (
    OLD.note_id, OLD.note, OLD.plan_id, OLD.added_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.note_id, 'note') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.note_id, 'note'
        WHERE OLD.note_id IS NOT NEW.note_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plan_notes_archive_touch_search AFTER UPDATE OF updated_at ON plan_notes_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.note_id, NEW.note, NEW.plan_id, NEW.added_by
) IS (
    OLD.note_id, OLD.note, OLD.plan_id, OLD.added_by
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.note_id AND kind = 'note';
END;
CREATE TRIGGER sessions_update_search AFTER UPDATE OF
    session_id, summary, artifacts, workspace_id, plan_id, agent
ON sessions
WHEN (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS NOT (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.session_id, 'session'
        WHERE OLD.session_id IS NOT NEW.session_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_touch_search AFTER UPDATE OF updated_at ON sessions
WHEN NEW.summary IS NOT NULL AND NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.session_id AND kind = 'session';
END;
CREATE TRIGGER sessions_archive_update_search AFTER UPDATE OF
    session_id, summary, artifacts, workspace_id, plan_id, agent
ON sessions_archive
WHEN (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS NOT (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.session_id, 'session'
        WHERE OLD.session_id IS NOT NEW.session_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_archive_touch_search AFTER UPDATE OF updated_at ON sessions_archive
WHEN NEW.summary IS NOT NULL AND NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.session_id AND kind = 'session';
END;
CREATE TRIGGER lineage_update_search AFTER UPDATE OF
    lineage_id, reason, data, to_agent, workspace_id, plan_id, from_agent
ON lineage
WHEN (
    NEW.lineage_id, NEW.reason, NEW.data, NEW.to_agent, NEW.workspace_id, NEW.plan_id, NEW.from_agent
) IS NOT (
    OLD.lineage_id, OLD.reason, OLD.data, OLD.to_agent, OLD.workspace_id, OLD.plan_id, OLD.from_agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.lineage_id, 'handoff'
        WHERE OLD.lineage_id IS NOT NEW.lineage_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER lineage_archive_update_search AFTER UPDATE OF
    lineage_id, reason, data, to_agent, workspace_id, plan_id, from_agent
ON lineage_archive
WHEN (
    NEW.lineage_id, NEW.reason, NEW.data, NEW.to_agent, NEW.workspace_id, NEW.plan_id, NEW.from_agent
) IS NOT (
    OLD.lineage_id, OLD.reason, OLD.data, OLD.to_agent, OLD.workspace_id, OLD.plan_id, OLD.from_agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.lineage_id, 'handoff'
        WHERE OLD.lineage_id IS NOT NEW.lineage_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_update_search AFTER UPDATE OF
    message_id, content, to_agent, workspace_id, plan_id, from_agent
ON messages
WHEN (
    NEW.message_id, NEW.content, NEW.to_agent, NEW.workspace_id, NEW.plan_id, NEW.from_agent
) IS NOT (
    OLD.message_id, OLD.content, OLD.to_agent, OLD.workspace_id, OLD.plan_id, OLD.from_agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.message_id, 'message') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.message_id, 'message'
        WHERE OLD.message_id IS NOT NEW.message_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_touch_search AFTER UPDATE OF updated_at ON messages
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.message_id, NEW.content, NEW.to_agent, NEW.workspace_id, NEW.plan_id, NEW.from_agent
) IS (
    OLD.message_id, OLD.content, OLD.to_agent, OLD.workspace_id, OLD.plan_id, OLD.from_agent
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.message_id AND kind = 'message';
END;
CREATE TRIGGER context_items_update_search AFTER UPDATE OF
    item_id, type, data, workspace_id, parent_type, parent_id, tags, created_by, expires_at
ON context_items
WHEN (
    NEW.item_id, NEW.type, NEW.data, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.tags, NEW.created_by,
    NEW.expires_at
) IS NOT (
    OLD.item_id, OLD.type, OLD.data, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.tags, OLD.created_by,
    OLD.expires_at
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.item_id, 'context'
        WHERE OLD.item_id IS NOT NEW.item_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER context_items_touch_search AFTER UPDATE OF updated_at ON context_items
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.item_id, NEW.type, NEW.data, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.tags, NEW.created_by,
    NEW.expires_at
) IS (
    OLD.item_id, OLD.type, OLD.data, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.tags, OLD.created_by,
    OLD.expires_at
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.item_id AND kind = 'context';
END;
CREATE TRIGGER context_items_archive_update_search AFTER UPDATE OF
    item_id, type, data, workspace_id, parent_type, parent_id, tags, created_by, expires_at
ON context_items_archive
WHEN (
    NEW.item_id, NEW.type, NEW.data, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.tags, NEW.created_by,
    NEW.expires_at
) IS NOT (
    OLD.item_id, OLD.type, OLD.data, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.tags, OLD.created_by,
    OLD.expires_at
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.item_id, 'context'
        WHERE OLD.item_id IS NOT NEW.item_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER context_items_archive_touch_search AFTER UPDATE OF updated_at ON context_items_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.item_id, NEW.type, NEW.data, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.tags, NEW.created_by,
    NEW.expires_at
) IS (
    OLD.item_id, OLD.type, OLD.data, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.tags, OLD.created_by,
    OLD.expires_at
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.item_id AND kind = 'context';
END;
CREATE TRIGGER research_documents_update_search AFTER UPDATE OF
    document_id, filename, content, workspace_id, parent_type, parent_id, created_by
ON research_documents
WHEN (
    NEW.document_id, NEW.filename, NEW.content, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.created_by
) IS NOT (
    OLD.document_id, OLD.filename, OLD.content, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.created_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.document_id, 'research') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.document_id, 'research'
        WHERE OLD.document_id IS NOT NEW.document_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER research_documents_touch_search AFTER UPDATE OF updated_at ON research_documents
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.document_id, NEW.filename, NEW.content, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.created_by
) IS (
    OLD.document_id, OLD.filename, OLD.content, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.created_by
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.document_id AND kind = 'research';
END;
CREATE TRIGGER research_documents_archive_update_search AFTER UPDATE OF
    document_id, filename, content, workspace_id, parent_type, parent_id, created_by
ON research_documents_archive
WHEN (
    NEW.document_id, NEW.filename, NEW.content, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.created_by
) IS NOT (
    OLD.document_id, OLD.filename, OLD.content, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.created_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.document_id, 'research') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.document_id, 'research'
        WHERE OLD.document_id IS NOT NEW.document_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER research_documents_archive_touch_search AFTER UPDATE OF updated_at ON research_documents_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.document_id, NEW.filename, NEW.content, NEW.workspace_id, NEW.parent_type, NEW.parent_id, NEW.created_by
) IS (
    OLD.document_id, OLD.filename, OLD.content, OLD.workspace_id, OLD.parent_type, OLD.parent_id, OLD.created_by
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.document_id AND kind = 'research';
END;
CREATE TRIGGER knowledge_insert_search AFTER INSERT ON knowledge
WHEN NEW.superseded_by IS NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.knowledge_id, 'knowledge') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER knowledge_update_search AFTER UPDATE OF
    knowledge_id, title, content, workspace_id, created_by_plan, category, slug, tags, created_by_agent, superseded_by
ON knowledge
WHEN (
    NEW.knowledge_id, NEW.title, NEW.content, NEW.workspace_id, NEW.created_by_plan, NEW.category, NEW.slug, NEW.tags,
    NEW.created_by_agent, NEW.superseded_by
) IS NOT (
    OLD.knowledge_id, OLD.title, OLD.content, OLD.workspace_id, OLD.created_by_plan, OLD.category, OLD.slug, OLD.tags,
    OLD.created_by_agent, OLD.superseded_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.knowledge_id, 'knowledge') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.knowledge_id, 'knowledge'
        WHERE OLD.knowledge_id IS NOT NEW.knowledge_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER knowledge_touch_search AFTER UPDATE OF updated_at ON knowledge
WHEN NEW.superseded_by IS NULL AND NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.knowledge_id, NEW.title, NEW.content, NEW.workspace_id, NEW.created_by_plan, NEW.category, NEW.slug, NEW.tags,
    NEW.created_by_agent, NEW.superseded_by
) IS (
    OLD.knowledge_id, OLD.title, OLD.content, OLD.workspace_id, OLD.created_by_plan, OLD.category, OLD.slug, OLD.tags,
    OLD.created_by_agent, OLD.superseded_by
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.knowledge_id AND kind = 'knowledge';
END;
CREATE TRIGGER memory_entries_update_search AFTER UPDATE OF
    entry_id, key, value, namespace, workspace_id, scope, scope_id, created_by, expires_at
ON memory_entries
WHEN (
    NEW.entry_id, NEW.key, NEW.value, NEW.namespace, NEW.workspace_id, NEW.scope, NEW.scope_id, NEW.created_by,
    NEW.expires_at
) IS NOT (
    OLD.entry_id, OLD.key, OLD.value, OLD.namespace, OLD.workspace_id, OLD.scope, OLD.scope_id, OLD.created_by,
    OLD.expires_at
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.entry_id, 'memory') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.entry_id, 'memory'
        WHERE OLD.entry_id IS NOT NEW.entry_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER memory_entries_touch_search AFTER UPDATE OF updated_at ON memory_entries
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.entry_id, NEW.key, NEW.value, NEW.namespace, NEW.workspace_id, NEW.scope, NEW.scope_id, NEW.created_by,
    NEW.expires_at
) IS (
    OLD.entry_id, OLD.key, OLD.value, OLD.namespace, OLD.workspace_id, OLD.scope, OLD.scope_id, OLD.created_by,
    OLD.expires_at
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.entry_id AND kind = 'memory';
END;
CREATE TRIGGER agent_definitions_update_search AFTER UPDATE OF
    name, description, body, origin
ON agent_definitions
WHEN (
    NEW.name, NEW.description, NEW.body, NEW.origin
) IS NOT (
    OLD.name, OLD.description, OLD.body, OLD.origin
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'agent') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.name, 'agent'
        WHERE OLD.name IS NOT NEW.name ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER agent_definitions_touch_search AFTER UPDATE OF updated_at ON agent_definitions
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.name, NEW.description, NEW.body, NEW.origin
) IS (
    OLD.name, OLD.description, OLD.body, OLD.origin
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.name AND kind = 'agent';
END;
CREATE TRIGGER instruction_files_update_search AFTER UPDATE OF
    name, description, body, origin
ON instruction_files
WHEN (
    NEW.name, NEW.description, NEW.body, NEW.origin
) IS NOT (
    OLD.name, OLD.description, OLD.body, OLD.origin
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'instruction') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.name, 'instruction'
        WHERE OLD.name IS NOT NEW.name ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER instruction_files_touch_search AFTER UPDATE OF updated_at ON instruction_files
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.name, NEW.description, NEW.body, NEW.origin
) IS (
    OLD.name, OLD.description, OLD.body, OLD.origin
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.name AND kind = 'instruction';
END;
CREATE TRIGGER skill_definitions_update_search AFTER UPDATE OF
    name, description, body, languages, frameworks, tags, origin
ON skill_definitions
WHEN (
    NEW.name, NEW.description, NEW.body, NEW.languages, NEW.frameworks, NEW.tags, NEW.origin
) IS NOT (
    OLD.name, OLD.description, OLD.body, OLD.languages, OLD.frameworks, OLD.tags, OLD.origin
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'skill') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.name, 'skill'
        WHERE OLD.name IS NOT NEW.name ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER skill_definitions_touch_search AFTER UPDATE OF updated_at ON skill_definitions
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.name, NEW.description, NEW.body, NEW.languages, NEW.frameworks, NEW.tags, NEW.origin
) IS (
    OLD.name, OLD.description, OLD.body, OLD.languages, OLD.frameworks, OLD.tags, OLD.origin
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.name AND kind = 'skill';
END;
CREATE TRIGGER tool_actions_update_search AFTER UPDATE OF
    tool, action, help
ON tool_actions
WHEN (
    NEW.tool, NEW.action, NEW.help
) IS NOT (
    OLD.tool, OLD.action, OLD.help
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.tool || ' ' || NEW.action, 'action') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.tool || ' ' || OLD.action, 'action'
        WHERE OLD.tool || ' ' || OLD.action IS NOT NEW.tool || ' ' || NEW.action ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_moved_search AFTER UPDATE OF plan_id ON phases
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT item_id, 'context' FROM context_items WHERE parent_type = 'phase' AND parent_id = NEW.phase_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT document_id, 'research' FROM research_documents WHERE parent_type = 'phase' AND parent_id = NEW.phase_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_moved_search AFTER UPDATE OF workspace_id ON plans
WHEN NEW.workspace_id IS NOT OLD.workspace_id BEGIN
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
CREATE TRIGGER plans_archive_moved_search AFTER UPDATE OF workspace_id ON plans_archive
WHEN NEW.workspace_id IS NOT OLD.workspace_id BEGIN
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
CREATE TRIGGER sessions_moved_search AFTER UPDATE OF plan_id ON sessions
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT item_id, 'context' FROM context_items WHERE parent_type = 'session' AND parent_id = NEW.session_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT document_id, 'research' FROM research_documents WHERE parent_type = 'session' AND parent_id = NEW.session_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_moved_search AFTER UPDATE OF plan_id ON steps
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT item_id, 'context' FROM context_items WHERE parent_type = 'step' AND parent_id = NEW.step_id
    ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind)
    SELECT document_id, 'research' FROM research_documents WHERE parent_type = 'step' AND parent_id = NEW.step_id
    ON CONFLICT DO NOTHING;
END;
