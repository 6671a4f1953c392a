-- What agents of a hive ask: who wrote, what was logged of an agent or under one correlation, which snapshots a session
-- has. They are for rows that say so: what this program writes of its own work pays for none of them.
CREATE INDEX messages_from ON messages (workspace_id, from_agent, created_at) WHERE from_agent IS NOT NULL;
CREATE INDEX checkpoints_session ON checkpoints (session_id, kind) WHERE session_id IS NOT NULL AND kind IS NOT NULL;
CREATE INDEX checkpoints_content ON checkpoints (content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX checkpoints_importance ON checkpoints (workspace_id, importance) WHERE importance IS NOT NULL;
CREATE INDEX sessions_agent ON sessions (workspace_id, agent, status);
CREATE INDEX sessions_usage ON sessions (workspace_id, usage_percent) WHERE usage_percent IS NOT NULL;
CREATE INDEX event_log_agent ON event_log (workspace_id, agent, timestamp) WHERE source IS NOT NULL;
CREATE INDEX event_log_severity ON event_log (workspace_id, severity, timestamp) WHERE severity IS NOT NULL;
CREATE INDEX event_log_sourced_type ON event_log (workspace_id, type, timestamp) WHERE source IS NOT NULL;
CREATE INDEX event_log_correlation ON event_log (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX artifacts_status ON artifacts (workspace_id, artifact_type, status) WHERE status IS NOT NULL;
CREATE INDEX artifacts_agent ON artifacts (workspace_id, agent, artifact_type) WHERE agent IS NOT NULL;
