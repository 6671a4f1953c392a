-- Risks are searched. Printed by scripts/search_triggers.py; those that are there are read once.
DROP TRIGGER import_rows_delete_search;
DROP TRIGGER import_rows_insert_search;
CREATE TRIGGER program_risks_insert_search AFTER INSERT ON program_risks BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.risk_id, 'risk') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER program_risks_update_search AFTER UPDATE OF
    risk_id, title, description, mitigation, program_id, source_plan_id, type, detected_by
ON program_risks
WHEN (
    NEW.risk_id, NEW.title, NEW.description, NEW.mitigation, NEW.program_id, NEW.source_plan_id, NEW.type,
    NEW.detected_by
) IS NOT (
    OLD.risk_id, OLD.title, OLD.description, OLD.mitigation, OLD.program_id, OLD.source_plan_id, OLD.type,
    OLD.detected_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.risk_id, 'risk') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.risk_id, 'risk'
        WHERE OLD.risk_id IS NOT NEW.risk_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER program_risks_touch_search AFTER UPDATE OF updated_at ON program_risks
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.risk_id, NEW.title, NEW.description, NEW.mitigation, NEW.program_id, NEW.source_plan_id, NEW.type,
    NEW.detected_by
) IS (
    OLD.risk_id, OLD.title, OLD.description, OLD.mitigation, OLD.program_id, OLD.source_plan_id, OLD.type,
    OLD.detected_by
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.risk_id AND kind = 'risk';
END;
CREATE TRIGGER program_risks_delete_search AFTER DELETE ON program_risks BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.risk_id AND kind = 'risk';
END;
CREATE TRIGGER programs_moved_search AFTER UPDATE OF workspace_id ON programs
WHEN NEW.workspace_id IS NOT OLD.workspace_id BEGIN
    INSERT INTO search_pending (entity_id, kind)
    SELECT risk_id, 'risk' FROM program_risks WHERE program_id = NEW.program_id
    ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER import_rows_insert_search AFTER INSERT ON import_rows WHEN NEW.table_name IN (
    'programs', 'program_risks', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages',
    'context_items', 'decisions', 'research_documents', 'knowledge', 'memory_entries', 'agent_definitions',
    'instruction_files', 'skill_definitions'
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.row_key, CASE NEW.table_name
        WHEN 'programs' THEN 'program'
        WHEN 'program_risks' THEN 'risk'
        WHEN 'plans' THEN 'plan'
        WHEN 'phases' THEN 'phase'
        WHEN 'steps' THEN 'step'
        WHEN 'plan_notes' THEN 'note'
        WHEN 'sessions' THEN 'session'
        WHEN 'lineage' THEN 'handoff'
        WHEN 'messages' THEN 'message'
        WHEN 'context_items' THEN 'context'
        WHEN 'decisions' THEN 'decision'
        WHEN 'research_documents' THEN 'research'
        WHEN 'knowledge' THEN 'knowledge'
        WHEN 'memory_entries' THEN 'memory'
        WHEN 'agent_definitions' THEN 'agent'
        WHEN 'instruction_files' THEN 'instruction'
        WHEN 'skill_definitions' THEN 'skill'
    END) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER import_rows_delete_search AFTER DELETE ON import_rows WHEN OLD.table_name IN (
    'programs', 'program_risks', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages',
    'context_items', 'decisions', 'research_documents', 'knowledge', 'memory_entries', 'agent_definitions',
    'instruction_files', 'skill_definitions'
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (OLD.row_key, CASE OLD.table_name
        WHEN 'programs' THEN 'program'
        WHEN 'program_risks' THEN 'risk'
        WHEN 'plans' THEN 'plan'
        WHEN 'phases' THEN 'phase'
        WHEN 'steps' THEN 'step'
        WHEN 'plan_notes' THEN 'note'
        WHEN 'sessions' THEN 'session'
        WHEN 'lineage' THEN 'handoff'
        WHEN 'messages' THEN 'message'
        WHEN 'context_items' THEN 'context'
        WHEN 'decisions' THEN 'decision'
        WHEN 'research_documents' THEN 'research'
        WHEN 'knowledge' THEN 'knowledge'
        WHEN 'memory_entries' THEN 'memory'
        WHEN 'agent_definitions' THEN 'agent'
        WHEN 'instruction_files' THEN 'instruction'
        WHEN 'skill_definitions' THEN 'skill'
    END) ON CONFLICT DO NOTHING;
END;
INSERT INTO search_pending (entity_id, kind) SELECT risk_id, 'risk' FROM program_risks WHERE 1 ON CONFLICT DO NOTHING;
