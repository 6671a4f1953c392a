-- A decision whose successor was deleted holds again, and is found. Printed by scripts/search_triggers.py.
DROP TRIGGER decisions_archive_insert_search;
DROP TRIGGER decisions_insert_search;
CREATE TRIGGER decisions_insert_search AFTER INSERT ON decisions
WHEN NOT EXISTS (SELECT 1 FROM decisions_archive WHERE decision_id = NEW.decision_id) AND (NEW.superseded_by IS NULL
    OR NOT EXISTS (SELECT 1 FROM decisions n WHERE n.decision_id = NEW.superseded_by
        UNION ALL SELECT 1 FROM decisions_archive n WHERE n.decision_id = NEW.superseded_by)) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.decision_id, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_insert_hides_search AFTER INSERT ON decisions
WHEN NEW.supersedes IS NOT NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.supersedes, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_delete_hides_search AFTER DELETE ON decisions
WHEN OLD.supersedes IS NOT NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (OLD.supersedes, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_archive_insert_search AFTER INSERT ON decisions_archive
WHEN NOT EXISTS (SELECT 1 FROM decisions WHERE decision_id = NEW.decision_id) AND (NEW.superseded_by IS NULL
    OR NOT EXISTS (SELECT 1 FROM decisions n WHERE n.decision_id = NEW.superseded_by
        UNION ALL SELECT 1 FROM decisions_archive n WHERE n.decision_id = NEW.superseded_by)) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.decision_id, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_archive_insert_hides_search AFTER INSERT ON decisions_archive
WHEN NEW.supersedes IS NOT NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.supersedes, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_archive_delete_hides_search AFTER DELETE ON decisions_archive
WHEN OLD.supersedes IS NOT NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (OLD.supersedes, 'decision') ON CONFLICT DO NOTHING;
END;
-- Decisions whose successors were deleted before are read once.
INSERT INTO search_pending (entity_id, kind) SELECT decision_id, 'decision' FROM decisions
WHERE superseded_by IS NOT NULL ON CONFLICT DO NOTHING;
INSERT INTO search_pending (entity_id, kind) SELECT decision_id, 'decision' FROM decisions_archive
WHERE superseded_by IS NOT NULL ON CONFLICT DO NOTHING;
