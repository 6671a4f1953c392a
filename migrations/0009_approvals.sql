-- Who gave a human's word and how, who worked on what, what waits for a human, and what all servers share.

ALTER TABLE confirmations ADD COLUMN via TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE confirmations ADD COLUMN relayed_by TEXT;
ALTER TABLE confirmations ADD COLUMN client TEXT;
ALTER TABLE confirmations ADD COLUMN note TEXT;
ALTER TABLE confirmations_archive ADD COLUMN via TEXT DEFAULT 'unknown';
ALTER TABLE confirmations_archive ADD COLUMN relayed_by TEXT;
ALTER TABLE confirmations_archive ADD COLUMN client TEXT;
ALTER TABLE confirmations_archive ADD COLUMN note TEXT;

CREATE INDEX confirmations_archive_phase ON confirmations_archive (phase_id);

-- Agents by name: sessions of one name are one agent.
CREATE TABLE step_workers (
    worker_id TEXT PRIMARY KEY,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    step_id TEXT NOT NULL REFERENCES steps ON DELETE CASCADE,
    agent TEXT NOT NULL,
    since TEXT NOT NULL,
    UNIQUE (step_id, agent)
) STRICT;
CREATE INDEX step_workers_plan ON step_workers (plan_id);
CREATE TABLE step_workers_archive (
    worker_id TEXT PRIMARY KEY,
    plan_id TEXT,
    step_id TEXT,
    agent TEXT,
    since TEXT
) STRICT;
CREATE INDEX step_workers_archive_plan ON step_workers_archive (plan_id);
CREATE INDEX step_workers_archive_step ON step_workers_archive (step_id);

-- arguments are the whole call that was refused, versions what it would have changed; one open row for the same thing.
CREATE TABLE approvals (
    approval_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    arguments TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(arguments)),
    versions TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(versions)),
    what TEXT NOT NULL,
    why TEXT NOT NULL,
    asked_by TEXT,
    session_id TEXT,
    status TEXT NOT NULL DEFAULT 'open',
    answered_by TEXT,
    answered_at TEXT,
    via TEXT,
    relayed_by TEXT,
    client TEXT,
    note TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX approvals_workspace ON approvals (workspace_id, status, created_at);
CREATE INDEX approvals_plan ON approvals (plan_id, status);
CREATE INDEX approvals_entity ON approvals (entity_id, status);
CREATE INDEX approvals_asked ON approvals (workspace_id, lower(asked_by), answered_at) WHERE answered_at IS NOT NULL;
CREATE INDEX approvals_open ON approvals (kind, entity_id, arguments) WHERE status = 'open';
CREATE TABLE approvals_archive (
    approval_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    kind TEXT,
    entity_id TEXT,
    arguments TEXT,
    versions TEXT,
    what TEXT,
    why TEXT,
    asked_by TEXT,
    session_id TEXT,
    status TEXT,
    answered_by TEXT,
    answered_at TEXT,
    via TEXT,
    relayed_by TEXT,
    client TEXT,
    note TEXT,
    created_at TEXT,
    updated_at TEXT
) STRICT;
CREATE INDEX approvals_archive_plan ON approvals_archive (plan_id);
CREATE INDEX approvals_archive_workspace ON approvals_archive (workspace_id);

-- What concerns everybody who shares the file.
CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    changed_by TEXT,
    via TEXT NOT NULL,
    client TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- The steps that wait for a human's word.
CREATE INDEX steps_gates ON steps (plan_id, order_index) WHERE
    type IN ('confirmation', 'user_validation', 'critical') OR requires_confirmation = 1
    OR requires_user_confirmation = 1;

-- Who finished, held or edited something so far.
INSERT INTO step_workers (worker_id, plan_id, step_id, agent, since)
SELECT 'worker_' || step_id || '_' || agent, plan_id, step_id, agent, min(since) FROM (
    SELECT s.plan_id, s.step_id, coalesce(h.agent, a.agent, s.completed_by) AS agent,
        coalesce(s.completed_at, s.updated_at) AS since
    FROM steps s LEFT JOIN sessions h ON h.session_id = s.completed_by
        LEFT JOIN sessions_archive a ON a.session_id = s.completed_by
    UNION ALL
    SELECT s.plan_id, s.step_id, coalesce(h.agent, s.claimed_by), s.updated_at
    FROM steps s LEFT JOIN sessions h ON h.session_id = s.claimed_by
    UNION ALL
    SELECT plan_id, step_id, agent, created_at FROM step_file_edits WHERE step_id IS NOT NULL
) AS workers
WHERE agent IS NOT NULL GROUP BY plan_id, step_id, agent;
INSERT INTO step_workers_archive (worker_id, plan_id, step_id, agent, since)
SELECT 'worker_' || step_id || '_' || agent, plan_id, step_id, agent, min(since) FROM (
    SELECT s.plan_id, s.step_id, coalesce(h.agent, a.agent, s.completed_by) AS agent,
        coalesce(s.completed_at, s.updated_at) AS since
    FROM steps_archive s LEFT JOIN sessions h ON h.session_id = s.completed_by
        LEFT JOIN sessions_archive a ON a.session_id = s.completed_by
    UNION ALL
    SELECT plan_id, step_id, agent, created_at FROM step_file_edits_archive WHERE step_id IS NOT NULL
) AS workers
WHERE agent IS NOT NULL GROUP BY plan_id, step_id, agent;
