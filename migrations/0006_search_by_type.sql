-- The type of a step is searched, so a change of it is noted.
DROP TRIGGER steps_update_search;
CREATE TRIGGER steps_update_search AFTER UPDATE OF
    step_id, task, notes, section, assignee, type, plan_id
ON steps BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
END;
DROP TRIGGER steps_archive_update_search;
CREATE TRIGGER steps_archive_update_search AFTER UPDATE OF
    step_id, task, notes, section, assignee, type, plan_id
ON steps_archive BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
END;

-- Words are prepared in another way, and what kind of a kind a row is has facets of its own: all is made anew, in the
-- order in which it changed. The index is emptied at once, not document by document.
INSERT INTO search_backlog (entity_id, kind) SELECT entity_id, kind FROM search_documents ORDER BY doc;
DROP TRIGGER search_documents_deleted;
DELETE FROM search_documents;
CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, facets, title, body, rest)
    VALUES ('delete', OLD.doc, OLD.facets, OLD.title, OLD.body, OLD.rest);
END;
INSERT INTO search_index (search_index) VALUES ('delete-all');
DELETE FROM search_words;
