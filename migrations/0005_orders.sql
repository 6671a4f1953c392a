-- Orders in which the lists of a large workspace are read: its plans as `ready` goes through them, the others by age.
CREATE INDEX plans_ready ON plans (
    workspace_id, status,
    CASE priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END,
    created_at, plan_id
);
CREATE INDEX sessions_started ON sessions (workspace_id, started_at, session_id);
CREATE INDEX step_file_edits_made ON step_file_edits (workspace_id, created_at, edit_id);
CREATE INDEX step_file_edits_renamed ON step_file_edits (workspace_id, previous_path) WHERE previous_path IS NOT NULL;
DROP INDEX lineage_workspace;
CREATE INDEX lineage_workspace ON lineage (workspace_id, created_at);
CREATE INDEX lineage_to ON lineage (workspace_id, lower(to_agent), created_at);

-- Which steps of a plan are free. SQLite preferred steps_status to the partial indexes, and looked at all that wait.
DROP INDEX steps_free;
DROP INDEX steps_waiting;
CREATE INDEX steps_free ON steps (plan_id, status, waits_for, order_index);

-- How far a phase is stands in the index alone.
DROP INDEX steps_phase;
CREATE INDEX steps_phase ON steps (phase_id, status);

-- What a phase waits for may be archived; a plan that is archived lets go of its files.
CREATE INDEX steps_archive_phase ON steps_archive (phase_id, status);
CREATE INDEX file_reservations_plan ON file_reservations (plan_id);

-- What the archive holds of a workspace.
CREATE INDEX context_items_archive_workspace ON context_items_archive (workspace_id);
CREATE INDEX research_documents_archive_workspace ON research_documents_archive (workspace_id);
CREATE INDEX step_file_edits_archive_workspace ON step_file_edits_archive (workspace_id);

-- Most knowledge is superseded by nothing: an index of that would be taken for a way to find rows, and find nearly all.
DROP INDEX knowledge_supersedes;
DROP INDEX knowledge_superseded_by;
CREATE INDEX knowledge_supersedes ON knowledge (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX knowledge_superseded_by ON knowledge (superseded_by) WHERE superseded_by IS NOT NULL;
