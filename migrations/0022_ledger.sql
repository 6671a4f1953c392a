-- The ledger: evidence about work, and what other stores know of plans, steps, sessions and hand-offs.

-- What was decided, and why. One that another took the place of names it, and stays.
CREATE TABLE decisions (
    decision_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    step_id TEXT REFERENCES steps ON DELETE CASCADE,
    decision TEXT NOT NULL,
    decision_type TEXT NOT NULL DEFAULT 'decision',
    rationale TEXT NOT NULL,
    alternatives TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(alternatives)),
    context TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(context)),
    supersedes TEXT,
    superseded_by TEXT,
    agent TEXT,
    session_id TEXT,
    made_at TEXT NOT NULL,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_workspace ON decisions (workspace_id, made_at);
CREATE INDEX decisions_plan ON decisions (plan_id, made_at);
CREATE INDEX decisions_step ON decisions (step_id) WHERE step_id IS NOT NULL;
CREATE INDEX decisions_type ON decisions (workspace_id, decision_type, made_at);
CREATE INDEX decisions_agent ON decisions (workspace_id, agent, made_at);

-- Calls of tools, whoever's they are. Secrets are blanked out before they come here.
CREATE TABLE tool_calls (
    call_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    step_id TEXT REFERENCES steps ON DELETE CASCADE,
    tool TEXT NOT NULL,
    action TEXT,
    args TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(args)),
    result TEXT CHECK (result IS NULL OR json_valid(result)),
    success INTEGER NOT NULL DEFAULT 1 CHECK (success IN (0, 1)),
    error TEXT,
    started_at TEXT NOT NULL,
    duration_ms REAL CHECK (duration_ms IS NULL OR duration_ms >= 0),
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX tool_calls_workspace ON tool_calls (workspace_id, started_at);
CREATE INDEX tool_calls_plan ON tool_calls (plan_id, started_at);
CREATE INDEX tool_calls_step ON tool_calls (step_id) WHERE step_id IS NOT NULL;
CREATE INDEX tool_calls_tool ON tool_calls (workspace_id, tool, started_at);
CREATE INDEX tool_calls_failed ON tool_calls (workspace_id, started_at) WHERE success = 0;

-- What a gate said. The last entry of a name that is of the step, its phase or its whole plan counts.
CREATE TABLE quality_gates (
    gate_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    phase_id TEXT REFERENCES phases ON DELETE CASCADE,
    step_id TEXT REFERENCES steps ON DELETE CASCADE,
    gate_name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('passed', 'failed', 'skipped', 'unknown')),
    raw_status TEXT,
    transition TEXT,
    severity TEXT,
    blocking INTEGER CHECK (blocking IS NULL OR blocking IN (0, 1)),
    findings TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(findings)),
    message TEXT,
    remediation TEXT,
    duration_ms REAL,
    details TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(details)),
    agent TEXT,
    session_id TEXT,
    recorded_at TEXT NOT NULL,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX quality_gates_workspace ON quality_gates (workspace_id, recorded_at);
CREATE INDEX quality_gates_plan ON quality_gates (plan_id, gate_name, recorded_at, gate_id);
CREATE INDEX quality_gates_phase ON quality_gates (phase_id) WHERE phase_id IS NOT NULL;
CREATE INDEX quality_gates_step ON quality_gates (step_id) WHERE step_id IS NOT NULL;
CREATE INDEX quality_gates_status ON quality_gates (workspace_id, status, recorded_at);

-- What work left behind: one row for each parent, type and name. What it said before is in field_changes.
CREATE TABLE artifacts (
    artifact_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    parent_type TEXT NOT NULL CHECK (parent_type IN ('program', 'workspace', 'plan', 'phase', 'step', 'agent')),
    parent_id TEXT NOT NULL,
    artifact_type TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT,
    ref TEXT,
    url TEXT,
    branch TEXT,
    status TEXT,
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX artifacts_name ON artifacts (workspace_id, parent_type, parent_id, artifact_type, name);
CREATE INDEX artifacts_parent ON artifacts (parent_type, parent_id, artifact_type);
CREATE INDEX artifacts_workspace ON artifacts (workspace_id, updated_at);
CREATE INDEX artifacts_plan ON artifacts (plan_id, updated_at);
CREATE INDEX artifacts_ref ON artifacts (ref) WHERE ref IS NOT NULL;

-- Points of series. `bucket` is a moment, a day or an ISO week; one that another corrects names it, and stays.
CREATE TABLE metric_points (
    point_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    parent_type TEXT NOT NULL CHECK (parent_type IN ('program', 'workspace', 'plan', 'phase', 'step', 'agent')),
    parent_id TEXT NOT NULL,
    category TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL,
    bucket TEXT NOT NULL,
    value REAL,
    unit TEXT,
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
    corrected_by TEXT,
    agent TEXT,
    session_id TEXT,
    recorded_at TEXT NOT NULL,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX metric_points_series ON metric_points (workspace_id, parent_type, parent_id, name, category, bucket);
CREATE INDEX metric_points_parent ON metric_points (parent_type, parent_id, name, bucket);
CREATE INDEX metric_points_plan ON metric_points (plan_id, name, bucket);
CREATE INDEX metric_points_workspace ON metric_points (workspace_id, recorded_at);

-- What a field of something was before, and since when it is what it is.
CREATE TABLE field_changes (
    change_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    field TEXT NOT NULL,
    field_type TEXT,
    old_value TEXT,
    new_value TEXT,
    author TEXT,
    changed_at TEXT NOT NULL,
    expires_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX field_changes_entity ON field_changes (entity_type, entity_id, changed_at);
CREATE INDEX field_changes_workspace ON field_changes (workspace_id, changed_at);
CREATE INDEX field_changes_plan ON field_changes (plan_id, changed_at);
CREATE INDEX field_changes_field ON field_changes (workspace_id, field, changed_at);

-- How far long jobs are.
CREATE TABLE task_progress (
    progress_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    parent_type TEXT NOT NULL CHECK (parent_type IN ('program', 'workspace', 'plan', 'phase', 'step', 'agent')),
    parent_id TEXT NOT NULL,
    task_name TEXT NOT NULL,
    percent REAL NOT NULL CHECK (percent BETWEEN 0 AND 100),
    status TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    message TEXT,
    state TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(state)),
    agent TEXT,
    session_id TEXT,
    started_at TEXT NOT NULL,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX task_progress_name ON task_progress (workspace_id, parent_type, parent_id, task_name);
CREATE INDEX task_progress_parent ON task_progress (parent_type, parent_id);
CREATE INDEX task_progress_workspace ON task_progress (workspace_id, updated_at);
CREATE INDEX task_progress_plan ON task_progress (plan_id, updated_at);

-- Values for a while, each for a configuration.
CREATE TABLE cache_entries (
    entry_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    parent_type TEXT NOT NULL CHECK (parent_type IN ('program', 'workspace', 'plan', 'phase', 'step', 'agent')),
    parent_id TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    config_hash TEXT,
    expires_at TEXT,
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX cache_entries_key ON cache_entries (workspace_id, parent_type, parent_id, key);
CREATE INDEX cache_entries_parent ON cache_entries (parent_type, parent_id);
CREATE INDEX cache_entries_plan ON cache_entries (plan_id);
CREATE INDEX cache_entries_expiry ON cache_entries (expires_at) WHERE expires_at IS NOT NULL;

-- The words that a plan is about. An intent may stand there more than once.
CREATE TABLE plan_terms (
    term_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('concept', 'concern', 'intent', 'tag')),
    term TEXT NOT NULL,
    position INTEGER,
    confidence REAL,
    session_num INTEGER,
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX plan_terms_plan ON plan_terms (plan_id, kind, term);
CREATE UNIQUE INDEX plan_terms_once ON plan_terms (plan_id, kind, term) WHERE kind <> 'intent';
CREATE INDEX plan_terms_term ON plan_terms (workspace_id, lower(term), kind);

-- What a plan may cost in a unit, and what it has cost.
CREATE TABLE budgets (
    budget_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    unit TEXT NOT NULL,
    max REAL CHECK (max IS NULL OR max >= 0),
    spent REAL NOT NULL DEFAULT 0 CHECK (spent >= 0),
    alert_threshold REAL NOT NULL DEFAULT 0.8 CHECK (alert_threshold BETWEEN 0 AND 1),
    hard INTEGER NOT NULL DEFAULT 0 CHECK (hard IN (0, 1)),
    breakdown TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(breakdown)),
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX budgets_unit ON budgets (plan_id, unit);
CREATE INDEX budgets_workspace ON budgets (workspace_id);

-- Who works here. An agent definition is what one is told; this is one that is at work.
CREATE TABLE agents (
    agent_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    agent TEXT NOT NULL,
    type TEXT,
    status TEXT NOT NULL DEFAULT 'idle',
    worktree TEXT,
    branch TEXT,
    capabilities TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(capabilities)),
    configuration TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(configuration)),
    current_step_id TEXT,
    context_usage REAL,
    session_id TEXT,
    registered_at TEXT NOT NULL,
    last_activity_at TEXT NOT NULL,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX agents_name ON agents (workspace_id, agent);
CREATE INDEX agents_status ON agents (workspace_id, status);

-- What was run for a plan; one without an end is lost after expires_at.
ALTER TABLE runs ADD COLUMN plan_id TEXT REFERENCES plans ON DELETE CASCADE;
ALTER TABLE runs ADD COLUMN step_id TEXT REFERENCES steps ON DELETE CASCADE;
ALTER TABLE runs ADD COLUMN phase TEXT;
ALTER TABLE runs ADD COLUMN success INTEGER CHECK (success IS NULL OR success IN (0, 1));
ALTER TABLE runs ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics));
ALTER TABLE runs ADD COLUMN expires_at TEXT;
ALTER TABLE runs ADD COLUMN source_system TEXT;
ALTER TABLE runs ADD COLUMN external_id TEXT;
ALTER TABLE runs ADD COLUMN extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra));
CREATE INDEX runs_plan ON runs (plan_id, started_at) WHERE plan_id IS NOT NULL;
CREATE INDEX runs_step ON runs (step_id) WHERE step_id IS NOT NULL;
CREATE INDEX runs_open ON runs (expires_at) WHERE status = 'running' AND expires_at IS NOT NULL;

-- What comes from elsewhere keeps the id that it had there, and is found by it.
ALTER TABLE workspaces ADD COLUMN source_system TEXT;
ALTER TABLE workspaces ADD COLUMN external_id TEXT;
ALTER TABLE workspaces ADD COLUMN last_used_at TEXT;
ALTER TABLE programs ADD COLUMN source_system TEXT;
ALTER TABLE programs ADD COLUMN external_id TEXT;
ALTER TABLE plans ADD COLUMN source_system TEXT;
ALTER TABLE plans_archive ADD COLUMN source_system TEXT;
ALTER TABLE plans ADD COLUMN external_id TEXT;
ALTER TABLE plans_archive ADD COLUMN external_id TEXT;
ALTER TABLE plans ADD COLUMN current_phase TEXT;
ALTER TABLE plans_archive ADD COLUMN current_phase TEXT;
ALTER TABLE plans ADD COLUMN current_focus TEXT;
ALTER TABLE plans_archive ADD COLUMN current_focus TEXT;
ALTER TABLE plans ADD COLUMN sub_state TEXT;
ALTER TABLE plans_archive ADD COLUMN sub_state TEXT;
ALTER TABLE plans ADD COLUMN blockers TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(blockers));
ALTER TABLE plans_archive ADD COLUMN blockers TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(blockers));
ALTER TABLE plans ADD COLUMN completed_phases TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(completed_phases));
ALTER TABLE plans_archive ADD COLUMN completed_phases TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(completed_phases));
ALTER TABLE phases ADD COLUMN source_system TEXT;
ALTER TABLE phases_archive ADD COLUMN source_system TEXT;
ALTER TABLE phases ADD COLUMN external_id TEXT;
ALTER TABLE phases_archive ADD COLUMN external_id TEXT;
ALTER TABLE phases ADD COLUMN raw_status TEXT;
ALTER TABLE phases_archive ADD COLUMN raw_status TEXT;
ALTER TABLE phases ADD COLUMN objective TEXT;
ALTER TABLE phases_archive ADD COLUMN objective TEXT;
ALTER TABLE phases ADD COLUMN progress REAL;
ALTER TABLE phases_archive ADD COLUMN progress REAL;
ALTER TABLE phases ADD COLUMN required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates));
ALTER TABLE phases_archive ADD COLUMN required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates));
ALTER TABLE steps ADD COLUMN source_system TEXT;
ALTER TABLE steps_archive ADD COLUMN source_system TEXT;
ALTER TABLE steps ADD COLUMN external_id TEXT;
ALTER TABLE steps_archive ADD COLUMN external_id TEXT;
ALTER TABLE steps ADD COLUMN parent_step_id TEXT;
ALTER TABLE steps_archive ADD COLUMN parent_step_id TEXT;
ALTER TABLE steps ADD COLUMN result TEXT CHECK (result IS NULL OR json_valid(result));
ALTER TABLE steps_archive ADD COLUMN result TEXT;
ALTER TABLE steps ADD COLUMN started_at TEXT;
ALTER TABLE steps_archive ADD COLUMN started_at TEXT;
ALTER TABLE steps ADD COLUMN due_at TEXT;
ALTER TABLE steps_archive ADD COLUMN due_at TEXT;
ALTER TABLE steps ADD COLUMN estimated_minutes REAL;
ALTER TABLE steps_archive ADD COLUMN estimated_minutes REAL;
ALTER TABLE steps ADD COLUMN actual_minutes REAL;
ALTER TABLE steps_archive ADD COLUMN actual_minutes REAL;
ALTER TABLE steps ADD COLUMN confidence REAL;
ALTER TABLE steps_archive ADD COLUMN confidence REAL;
ALTER TABLE steps ADD COLUMN acceptance_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(acceptance_criteria));
ALTER TABLE steps_archive ADD COLUMN acceptance_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(acceptance_criteria));
ALTER TABLE steps ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));
ALTER TABLE steps_archive ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));
ALTER TABLE steps ADD COLUMN required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates));
ALTER TABLE steps_archive ADD COLUMN required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates));
ALTER TABLE sessions ADD COLUMN source_system TEXT;
ALTER TABLE sessions_archive ADD COLUMN source_system TEXT;
ALTER TABLE sessions ADD COLUMN external_id TEXT;
ALTER TABLE sessions_archive ADD COLUMN external_id TEXT;
ALTER TABLE sessions ADD COLUMN session_num INTEGER;
ALTER TABLE sessions_archive ADD COLUMN session_num INTEGER;
ALTER TABLE sessions ADD COLUMN phase TEXT;
ALTER TABLE sessions_archive ADD COLUMN phase TEXT;
ALTER TABLE sessions ADD COLUMN usage_percent REAL;
ALTER TABLE sessions_archive ADD COLUMN usage_percent REAL;
ALTER TABLE sessions ADD COLUMN token_count INTEGER;
ALTER TABLE sessions_archive ADD COLUMN token_count INTEGER;
ALTER TABLE sessions ADD COLUMN max_tokens INTEGER;
ALTER TABLE sessions_archive ADD COLUMN max_tokens INTEGER;
ALTER TABLE lineage ADD COLUMN source_system TEXT;
ALTER TABLE lineage_archive ADD COLUMN source_system TEXT;
ALTER TABLE lineage ADD COLUMN external_id TEXT;
ALTER TABLE lineage_archive ADD COLUMN external_id TEXT;
ALTER TABLE lineage ADD COLUMN state TEXT;
ALTER TABLE lineage_archive ADD COLUMN state TEXT;
ALTER TABLE lineage ADD COLUMN blocker TEXT;
ALTER TABLE lineage_archive ADD COLUMN blocker TEXT;
ALTER TABLE lineage ADD COLUMN schema_version TEXT;
ALTER TABLE lineage_archive ADD COLUMN schema_version TEXT;
ALTER TABLE messages ADD COLUMN source_system TEXT;
ALTER TABLE messages ADD COLUMN external_id TEXT;
ALTER TABLE messages ADD COLUMN message_type TEXT;
ALTER TABLE messages ADD COLUMN correlation_id TEXT;
ALTER TABLE messages ADD COLUMN delivered_at TEXT;
ALTER TABLE messages ADD COLUMN expires_at TEXT;
ALTER TABLE messages ADD COLUMN extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra));
ALTER TABLE checkpoints ADD COLUMN source_system TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN source_system TEXT;
ALTER TABLE checkpoints ADD COLUMN external_id TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN external_id TEXT;
ALTER TABLE checkpoints ADD COLUMN kind TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN kind TEXT;
ALTER TABLE checkpoints ADD COLUMN git_ref TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN git_ref TEXT;
ALTER TABLE checkpoints ADD COLUMN content_hash TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN content_hash TEXT;
ALTER TABLE checkpoints ADD COLUMN importance REAL;
ALTER TABLE checkpoints_archive ADD COLUMN importance REAL;
ALTER TABLE checkpoints ADD COLUMN expires_at TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN expires_at TEXT;
ALTER TABLE checkpoints ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics));
ALTER TABLE checkpoints_archive ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics));
ALTER TABLE checkpoints ADD COLUMN quality_score REAL;
ALTER TABLE checkpoints_archive ADD COLUMN quality_score REAL;
ALTER TABLE checkpoints ADD COLUMN passed INTEGER;
ALTER TABLE checkpoints_archive ADD COLUMN passed INTEGER;
ALTER TABLE checkpoints ADD COLUMN validated_at TEXT;
ALTER TABLE checkpoints_archive ADD COLUMN validated_at TEXT;
ALTER TABLE checkpoints ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));
ALTER TABLE checkpoints_archive ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags));
ALTER TABLE checkpoints ADD COLUMN extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra));
ALTER TABLE checkpoints_archive ADD COLUMN extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra));
ALTER TABLE dependencies ADD COLUMN added_at TEXT;
ALTER TABLE dependencies_archive ADD COLUMN added_at TEXT;
ALTER TABLE event_log ADD COLUMN severity TEXT;
ALTER TABLE event_log ADD COLUMN message TEXT;
ALTER TABLE event_log ADD COLUMN correlation_id TEXT;
ALTER TABLE event_log ADD COLUMN source TEXT;
ALTER TABLE event_log ADD COLUMN source_line INTEGER;
CREATE INDEX workspaces_external ON workspaces (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX programs_external ON programs (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX plans_external ON plans (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX plans_archive_external ON plans_archive (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX phases_external ON phases (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX phases_archive_external ON phases_archive (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX steps_external ON steps (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX steps_archive_external ON steps_archive (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sessions_external ON sessions (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sessions_archive_external ON sessions_archive (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX lineage_external ON lineage (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX lineage_archive_external ON lineage_archive (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX messages_external ON messages (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX checkpoints_external ON checkpoints (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX checkpoints_archive_external ON checkpoints_archive (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX decisions_external ON decisions (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tool_calls_external ON tool_calls (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX quality_gates_external ON quality_gates (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX artifacts_external ON artifacts (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX metric_points_external ON metric_points (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX field_changes_external ON field_changes (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX task_progress_external ON task_progress (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX cache_entries_external ON cache_entries (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX plan_terms_external ON plan_terms (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX budgets_external ON budgets (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX agents_external ON agents (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX plans_blocked ON plans (workspace_id) WHERE blockers <> '[]';
CREATE INDEX steps_parent ON steps (parent_step_id) WHERE parent_step_id IS NOT NULL;

-- Of archived plans.
CREATE TABLE decisions_archive (
    decision_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    step_id TEXT,
    decision TEXT,
    decision_type TEXT NOT NULL DEFAULT 'decision',
    rationale TEXT,
    alternatives TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(alternatives)),
    context TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(context)),
    supersedes TEXT,
    superseded_by TEXT,
    agent TEXT,
    session_id TEXT,
    made_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT
) STRICT;
CREATE INDEX decisions_archive_plan ON decisions_archive (plan_id);
CREATE INDEX decisions_archive_workspace ON decisions_archive (workspace_id);
CREATE INDEX decisions_archive_step ON decisions_archive (step_id);
CREATE TABLE tool_calls_archive (
    call_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    step_id TEXT,
    tool TEXT,
    action TEXT,
    args TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(args)),
    result TEXT,
    success INTEGER NOT NULL DEFAULT 1,
    error TEXT,
    started_at TEXT,
    duration_ms REAL,
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT
) STRICT;
CREATE INDEX tool_calls_archive_plan ON tool_calls_archive (plan_id);
CREATE INDEX tool_calls_archive_workspace ON tool_calls_archive (workspace_id);
CREATE INDEX tool_calls_archive_step ON tool_calls_archive (step_id);
CREATE TABLE quality_gates_archive (
    gate_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    phase_id TEXT,
    step_id TEXT,
    gate_name TEXT,
    status TEXT,
    raw_status TEXT,
    transition TEXT,
    severity TEXT,
    blocking INTEGER,
    findings TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(findings)),
    message TEXT,
    remediation TEXT,
    duration_ms REAL,
    details TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(details)),
    agent TEXT,
    session_id TEXT,
    recorded_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT
) STRICT;
CREATE INDEX quality_gates_archive_plan ON quality_gates_archive (plan_id);
CREATE INDEX quality_gates_archive_workspace ON quality_gates_archive (workspace_id);
CREATE INDEX quality_gates_archive_step ON quality_gates_archive (step_id);
CREATE TABLE artifacts_archive (
    artifact_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    artifact_type TEXT,
    name TEXT,
    path TEXT,
    ref TEXT,
    url TEXT,
    branch TEXT,
    status TEXT,
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT,
    updated_at TEXT,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX artifacts_archive_plan ON artifacts_archive (plan_id);
CREATE INDEX artifacts_archive_workspace ON artifacts_archive (workspace_id);
CREATE INDEX artifacts_archive_parent ON artifacts_archive (parent_type, parent_id);
CREATE TABLE metric_points_archive (
    point_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    category TEXT NOT NULL DEFAULT '',
    name TEXT,
    bucket TEXT,
    value REAL,
    unit TEXT,
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
    corrected_by TEXT,
    agent TEXT,
    session_id TEXT,
    recorded_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT
) STRICT;
CREATE INDEX metric_points_archive_plan ON metric_points_archive (plan_id);
CREATE INDEX metric_points_archive_workspace ON metric_points_archive (workspace_id);
CREATE INDEX metric_points_archive_parent ON metric_points_archive (parent_type, parent_id);
CREATE TABLE field_changes_archive (
    change_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    entity_type TEXT,
    entity_id TEXT,
    field TEXT,
    field_type TEXT,
    old_value TEXT,
    new_value TEXT,
    author TEXT,
    changed_at TEXT,
    expires_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT
) STRICT;
CREATE INDEX field_changes_archive_plan ON field_changes_archive (plan_id);
CREATE INDEX field_changes_archive_workspace ON field_changes_archive (workspace_id);
CREATE INDEX field_changes_archive_entity ON field_changes_archive (entity_type, entity_id);
CREATE TABLE task_progress_archive (
    progress_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    task_name TEXT,
    percent REAL,
    status TEXT NOT NULL DEFAULT 'running',
    message TEXT,
    state TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(state)),
    agent TEXT,
    session_id TEXT,
    started_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT,
    updated_at TEXT,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX task_progress_archive_plan ON task_progress_archive (plan_id);
CREATE INDEX task_progress_archive_workspace ON task_progress_archive (workspace_id);
CREATE INDEX task_progress_archive_parent ON task_progress_archive (parent_type, parent_id);
CREATE TABLE cache_entries_archive (
    entry_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    key TEXT,
    payload TEXT,
    config_hash TEXT,
    expires_at TEXT,
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT,
    updated_at TEXT
) STRICT;
CREATE INDEX cache_entries_archive_plan ON cache_entries_archive (plan_id);
CREATE INDEX cache_entries_archive_workspace ON cache_entries_archive (workspace_id);
CREATE INDEX cache_entries_archive_parent ON cache_entries_archive (parent_type, parent_id);
CREATE TABLE plan_terms_archive (
    term_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    kind TEXT,
    term TEXT,
    position INTEGER,
    confidence REAL,
    session_num INTEGER,
    agent TEXT,
    session_id TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT
) STRICT;
CREATE INDEX plan_terms_archive_plan ON plan_terms_archive (plan_id);
CREATE INDEX plan_terms_archive_workspace ON plan_terms_archive (workspace_id);
CREATE TABLE budgets_archive (
    budget_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    unit TEXT,
    max REAL,
    spent REAL NOT NULL DEFAULT 0,
    alert_threshold REAL NOT NULL DEFAULT 0.8,
    hard INTEGER NOT NULL DEFAULT 0,
    breakdown TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(breakdown)),
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT,
    updated_at TEXT,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX budgets_archive_plan ON budgets_archive (plan_id);
CREATE INDEX budgets_archive_workspace ON budgets_archive (workspace_id);
CREATE TABLE runs_archive (
    run_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    kind TEXT,
    name TEXT,
    status TEXT,
    arguments TEXT,
    agent TEXT,
    session_id TEXT,
    allowed_by TEXT,
    server TEXT,
    exit_code INTEGER,
    ended_by TEXT,
    error TEXT,
    stdout_bytes INTEGER,
    stderr_bytes INTEGER,
    started_at TEXT,
    finished_at TEXT,
    created_at TEXT,
    updated_at TEXT,
    plan_id TEXT,
    step_id TEXT,
    phase TEXT,
    success INTEGER,
    metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics)),
    expires_at TEXT,
    source_system TEXT,
    external_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))
) STRICT;
CREATE INDEX runs_archive_plan ON runs_archive (plan_id);
CREATE INDEX runs_archive_workspace ON runs_archive (workspace_id);
CREATE INDEX runs_archive_step ON runs_archive (step_id);

-- What hangs on a polymorphic parent goes with it.
CREATE TRIGGER workspaces_deleted_ledger AFTER DELETE ON workspaces BEGIN
    DELETE FROM artifacts WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM metric_points WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM task_progress WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM cache_entries WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM field_changes WHERE entity_type = 'workspace' AND entity_id = OLD.workspace_id;
END;
CREATE TRIGGER programs_deleted_ledger AFTER DELETE ON programs BEGIN
    DELETE FROM artifacts WHERE parent_type = 'program' AND parent_id = OLD.program_id;
    DELETE FROM metric_points WHERE parent_type = 'program' AND parent_id = OLD.program_id;
    DELETE FROM task_progress WHERE parent_type = 'program' AND parent_id = OLD.program_id;
    DELETE FROM cache_entries WHERE parent_type = 'program' AND parent_id = OLD.program_id;
    DELETE FROM field_changes WHERE entity_type = 'program' AND entity_id = OLD.program_id;
END;
CREATE TRIGGER plans_deleted_ledger AFTER DELETE ON plans BEGIN
    DELETE FROM artifacts WHERE parent_type = 'plan' AND parent_id = OLD.plan_id;
    DELETE FROM metric_points WHERE parent_type = 'plan' AND parent_id = OLD.plan_id;
    DELETE FROM task_progress WHERE parent_type = 'plan' AND parent_id = OLD.plan_id;
    DELETE FROM cache_entries WHERE parent_type = 'plan' AND parent_id = OLD.plan_id;
    DELETE FROM field_changes WHERE entity_type = 'plan' AND entity_id = OLD.plan_id;
END;
CREATE TRIGGER phases_deleted_ledger AFTER DELETE ON phases BEGIN
    DELETE FROM artifacts WHERE parent_type = 'phase' AND parent_id = OLD.phase_id;
    DELETE FROM metric_points WHERE parent_type = 'phase' AND parent_id = OLD.phase_id;
    DELETE FROM task_progress WHERE parent_type = 'phase' AND parent_id = OLD.phase_id;
    DELETE FROM cache_entries WHERE parent_type = 'phase' AND parent_id = OLD.phase_id;
    DELETE FROM field_changes WHERE entity_type = 'phase' AND entity_id = OLD.phase_id;
END;
CREATE TRIGGER steps_deleted_ledger AFTER DELETE ON steps BEGIN
    DELETE FROM artifacts WHERE parent_type = 'step' AND parent_id = OLD.step_id;
    DELETE FROM metric_points WHERE parent_type = 'step' AND parent_id = OLD.step_id;
    DELETE FROM task_progress WHERE parent_type = 'step' AND parent_id = OLD.step_id;
    DELETE FROM cache_entries WHERE parent_type = 'step' AND parent_id = OLD.step_id;
    DELETE FROM field_changes WHERE entity_type = 'step' AND entity_id = OLD.step_id;
END;
CREATE TRIGGER artifacts_deleted AFTER DELETE ON artifacts
WHEN NOT EXISTS (SELECT 1 FROM artifacts_archive WHERE artifact_id = OLD.artifact_id) BEGIN
    DELETE FROM field_changes WHERE entity_type = 'artifact' AND entity_id = OLD.artifact_id;
END;

-- Decisions are searched, and what stands for things elsewhere. Printed by scripts/search_triggers.py.
DROP TRIGGER import_rows_delete_search;
DROP TRIGGER import_rows_insert_search;
DROP TRIGGER lineage_archive_update_search;
DROP TRIGGER lineage_update_search;
DROP TRIGGER messages_touch_search;
DROP TRIGGER messages_update_search;
DROP TRIGGER phases_archive_touch_search;
DROP TRIGGER phases_archive_update_search;
DROP TRIGGER phases_touch_search;
DROP TRIGGER phases_update_search;
DROP TRIGGER plans_archive_touch_search;
DROP TRIGGER plans_archive_update_search;
DROP TRIGGER plans_touch_search;
DROP TRIGGER plans_update_search;
DROP TRIGGER programs_touch_search;
DROP TRIGGER programs_update_search;
DROP TRIGGER sessions_archive_touch_search;
DROP TRIGGER sessions_archive_update_search;
DROP TRIGGER sessions_touch_search;
DROP TRIGGER sessions_update_search;
DROP TRIGGER steps_archive_touch_search;
DROP TRIGGER steps_archive_update_search;
DROP TRIGGER steps_touch_search;
DROP TRIGGER steps_update_search;
CREATE TRIGGER programs_update_search AFTER UPDATE OF
    program_id, title, description, goals, success_criteria, external_id, workspace_id
ON programs
WHEN (
    NEW.program_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.external_id, NEW.workspace_id
) IS NOT (
    OLD.program_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.external_id, OLD.workspace_id
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.program_id, 'program') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.program_id, 'program'
        WHERE OLD.program_id IS NOT NEW.program_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER programs_touch_search AFTER UPDATE OF updated_at ON programs
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.program_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.external_id, NEW.workspace_id
) IS (
    OLD.program_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.external_id, OLD.workspace_id
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.program_id AND kind = 'program';
END;
CREATE TRIGGER plans_update_search AFTER UPDATE OF
    plan_id, title, description, goals, success_criteria, current_focus, blockers, external_id, workspace_id, category,
    source
ON plans
WHEN (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.current_focus, NEW.blockers,
    NEW.external_id, NEW.workspace_id, NEW.category, NEW.source
) IS NOT (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.current_focus, OLD.blockers,
    OLD.external_id, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.plan_id, 'plan'
        WHERE OLD.plan_id IS NOT NEW.plan_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_touch_search AFTER UPDATE OF updated_at ON plans
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.current_focus, NEW.blockers,
    NEW.external_id, NEW.workspace_id, NEW.category, NEW.source
) IS (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.current_focus, OLD.blockers,
    OLD.external_id, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.plan_id AND kind = 'plan';
END;
CREATE TRIGGER plans_archive_update_search AFTER UPDATE OF
    plan_id, title, description, goals, success_criteria, current_focus, blockers, external_id, workspace_id, category,
    source
ON plans_archive
WHEN (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.current_focus, NEW.blockers,
    NEW.external_id, NEW.workspace_id, NEW.category, NEW.source
) IS NOT (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.current_focus, OLD.blockers,
    OLD.external_id, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.plan_id, 'plan'
        WHERE OLD.plan_id IS NOT NEW.plan_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER plans_archive_touch_search AFTER UPDATE OF updated_at ON plans_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.plan_id, NEW.title, NEW.description, NEW.goals, NEW.success_criteria, NEW.current_focus, NEW.blockers,
    NEW.external_id, NEW.workspace_id, NEW.category, NEW.source
) IS (
    OLD.plan_id, OLD.title, OLD.description, OLD.goals, OLD.success_criteria, OLD.current_focus, OLD.blockers,
    OLD.external_id, OLD.workspace_id, OLD.category, OLD.source
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.plan_id AND kind = 'plan';
END;
CREATE TRIGGER phases_update_search AFTER UPDATE OF
    phase_id, name, description, objective, success_criteria, external_id, plan_id
ON phases
WHEN (
    NEW.phase_id, NEW.name, NEW.description, NEW.objective, NEW.success_criteria, NEW.external_id, NEW.plan_id
) IS NOT (
    OLD.phase_id, OLD.name, OLD.description, OLD.objective, OLD.success_criteria, OLD.external_id, OLD.plan_id
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.phase_id, 'phase'
        WHERE OLD.phase_id IS NOT NEW.phase_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_touch_search AFTER UPDATE OF updated_at ON phases
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.phase_id, NEW.name, NEW.description, NEW.objective, NEW.success_criteria, NEW.external_id, NEW.plan_id
) IS (
    OLD.phase_id, OLD.name, OLD.description, OLD.objective, OLD.success_criteria, OLD.external_id, OLD.plan_id
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.phase_id AND kind = 'phase';
END;
CREATE TRIGGER phases_archive_update_search AFTER UPDATE OF
    phase_id, name, description, objective, success_criteria, external_id, plan_id
ON phases_archive
WHEN (
    NEW.phase_id, NEW.name, NEW.description, NEW.objective, NEW.success_criteria, NEW.external_id, NEW.plan_id
) IS NOT (
    OLD.phase_id, OLD.name, OLD.description, OLD.objective, OLD.success_criteria, OLD.external_id, OLD.plan_id
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.phase_id, 'phase') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.phase_id, 'phase'
        WHERE OLD.phase_id IS NOT NEW.phase_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER phases_archive_touch_search AFTER UPDATE OF updated_at ON phases_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.phase_id, NEW.name, NEW.description, NEW.objective, NEW.success_criteria, NEW.external_id, NEW.plan_id
) IS (
    OLD.phase_id, OLD.name, OLD.description, OLD.objective, OLD.success_criteria, OLD.external_id, OLD.plan_id
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.phase_id AND kind = 'phase';
END;
CREATE TRIGGER steps_update_search AFTER UPDATE OF
    step_id, task, notes, section, external_id, plan_id, type
ON steps
WHEN (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.external_id, NEW.plan_id, NEW.type
) IS NOT (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.external_id, OLD.plan_id, OLD.type
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.step_id, 'step'
        WHERE OLD.step_id IS NOT NEW.step_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_touch_search AFTER UPDATE OF updated_at ON steps
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.external_id, NEW.plan_id, NEW.type
) IS (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.external_id, OLD.plan_id, OLD.type
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.step_id AND kind = 'step';
END;
CREATE TRIGGER steps_archive_update_search AFTER UPDATE OF
    step_id, task, notes, section, external_id, plan_id, type
ON steps_archive
WHEN (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.external_id, NEW.plan_id, NEW.type
) IS NOT (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.external_id, OLD.plan_id, OLD.type
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.step_id, 'step') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.step_id, 'step'
        WHERE OLD.step_id IS NOT NEW.step_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER steps_archive_touch_search AFTER UPDATE OF updated_at ON steps_archive
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.step_id, NEW.task, NEW.notes, NEW.section, NEW.external_id, NEW.plan_id, NEW.type
) IS (
    OLD.step_id, OLD.task, OLD.notes, OLD.section, OLD.external_id, OLD.plan_id, OLD.type
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.step_id AND kind = 'step';
END;
CREATE TRIGGER sessions_update_search AFTER UPDATE OF
    session_id, summary, artifacts, external_id, workspace_id, plan_id, agent
ON sessions
WHEN (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.external_id, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS NOT (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.external_id, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.session_id, 'session'
        WHERE OLD.session_id IS NOT NEW.session_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_touch_search AFTER UPDATE OF updated_at ON sessions
WHEN NEW.summary IS NOT NULL AND NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.external_id, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.external_id, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.session_id AND kind = 'session';
END;
CREATE TRIGGER sessions_archive_update_search AFTER UPDATE OF
    session_id, summary, artifacts, external_id, workspace_id, plan_id, agent
ON sessions_archive
WHEN (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.external_id, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS NOT (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.external_id, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.session_id, 'session') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.session_id, 'session'
        WHERE OLD.session_id IS NOT NEW.session_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER sessions_archive_touch_search AFTER UPDATE OF updated_at ON sessions_archive
WHEN NEW.summary IS NOT NULL AND NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.session_id, NEW.summary, NEW.artifacts, NEW.external_id, NEW.workspace_id, NEW.plan_id, NEW.agent
) IS (
    OLD.session_id, OLD.summary, OLD.artifacts, OLD.external_id, OLD.workspace_id, OLD.plan_id, OLD.agent
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.session_id AND kind = 'session';
END;
CREATE TRIGGER lineage_update_search AFTER UPDATE OF
    lineage_id, reason, data, to_agent, state, blocker, external_id, workspace_id, plan_id, from_agent
ON lineage
WHEN (
    NEW.lineage_id, NEW.reason, NEW.data, NEW.to_agent, NEW.state, NEW.blocker, NEW.external_id, NEW.workspace_id,
    NEW.plan_id, NEW.from_agent
) IS NOT (
    OLD.lineage_id, OLD.reason, OLD.data, OLD.to_agent, OLD.state, OLD.blocker, OLD.external_id, OLD.workspace_id,
    OLD.plan_id, OLD.from_agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.lineage_id, 'handoff'
        WHERE OLD.lineage_id IS NOT NEW.lineage_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER lineage_archive_update_search AFTER UPDATE OF
    lineage_id, reason, data, to_agent, state, blocker, external_id, workspace_id, plan_id, from_agent
ON lineage_archive
WHEN (
    NEW.lineage_id, NEW.reason, NEW.data, NEW.to_agent, NEW.state, NEW.blocker, NEW.external_id, NEW.workspace_id,
    NEW.plan_id, NEW.from_agent
) IS NOT (
    OLD.lineage_id, OLD.reason, OLD.data, OLD.to_agent, OLD.state, OLD.blocker, OLD.external_id, OLD.workspace_id,
    OLD.plan_id, OLD.from_agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.lineage_id, 'handoff') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.lineage_id, 'handoff'
        WHERE OLD.lineage_id IS NOT NEW.lineage_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_update_search AFTER UPDATE OF
    message_id, content, to_agent, external_id, workspace_id, plan_id, from_agent
ON messages
WHEN (
    NEW.message_id, NEW.content, NEW.to_agent, NEW.external_id, NEW.workspace_id, NEW.plan_id, NEW.from_agent
) IS NOT (
    OLD.message_id, OLD.content, OLD.to_agent, OLD.external_id, OLD.workspace_id, OLD.plan_id, OLD.from_agent
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.message_id, 'message') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.message_id, 'message'
        WHERE OLD.message_id IS NOT NEW.message_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_touch_search AFTER UPDATE OF updated_at ON messages
WHEN NEW.updated_at IS NOT OLD.updated_at AND (
    NEW.message_id, NEW.content, NEW.to_agent, NEW.external_id, NEW.workspace_id, NEW.plan_id, NEW.from_agent
) IS (
    OLD.message_id, OLD.content, OLD.to_agent, OLD.external_id, OLD.workspace_id, OLD.plan_id, OLD.from_agent
) BEGIN
    UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = NEW.message_id AND kind = 'message';
END;
CREATE TRIGGER decisions_insert_search AFTER INSERT ON decisions
WHEN NOT EXISTS (SELECT 1 FROM decisions_archive WHERE decision_id = NEW.decision_id) AND NEW.superseded_by IS NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.decision_id, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_update_search AFTER UPDATE OF
    decision_id, decision, rationale, alternatives, context, decision_type, external_id, workspace_id, plan_id, agent,
    superseded_by
ON decisions
WHEN (
    NEW.decision_id, NEW.decision, NEW.rationale, NEW.alternatives, NEW.context, NEW.decision_type, NEW.external_id,
    NEW.workspace_id, NEW.plan_id, NEW.agent, NEW.superseded_by
) IS NOT (
    OLD.decision_id, OLD.decision, OLD.rationale, OLD.alternatives, OLD.context, OLD.decision_type, OLD.external_id,
    OLD.workspace_id, OLD.plan_id, OLD.agent, OLD.superseded_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.decision_id, 'decision') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.decision_id, 'decision'
        WHERE OLD.decision_id IS NOT NEW.decision_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_delete_search AFTER DELETE ON decisions BEGIN
    UPDATE search_documents SET archived = 1 WHERE entity_id = OLD.decision_id AND kind = 'decision'
        AND EXISTS (SELECT 1 FROM decisions_archive WHERE decision_id = OLD.decision_id);
    DELETE FROM search_documents WHERE entity_id = OLD.decision_id AND kind = 'decision'
        AND NOT EXISTS (SELECT 1 FROM decisions_archive WHERE decision_id = OLD.decision_id);
END;
CREATE TRIGGER decisions_archive_insert_search AFTER INSERT ON decisions_archive
WHEN NOT EXISTS (SELECT 1 FROM decisions WHERE decision_id = NEW.decision_id) AND NEW.superseded_by IS NULL BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.decision_id, 'decision') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_archive_update_search AFTER UPDATE OF
    decision_id, decision, rationale, alternatives, context, decision_type, external_id, workspace_id, plan_id, agent,
    superseded_by
ON decisions_archive
WHEN (
    NEW.decision_id, NEW.decision, NEW.rationale, NEW.alternatives, NEW.context, NEW.decision_type, NEW.external_id,
    NEW.workspace_id, NEW.plan_id, NEW.agent, NEW.superseded_by
) IS NOT (
    OLD.decision_id, OLD.decision, OLD.rationale, OLD.alternatives, OLD.context, OLD.decision_type, OLD.external_id,
    OLD.workspace_id, OLD.plan_id, OLD.agent, OLD.superseded_by
) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.decision_id, 'decision') ON CONFLICT DO NOTHING;
    INSERT INTO search_pending (entity_id, kind) SELECT OLD.decision_id, 'decision'
        WHERE OLD.decision_id IS NOT NEW.decision_id ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER decisions_archive_delete_search AFTER DELETE ON decisions_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.decision_id AND kind = 'decision'
        AND EXISTS (SELECT 1 FROM decisions WHERE decision_id = OLD.decision_id);
    DELETE FROM search_documents WHERE entity_id = OLD.decision_id AND kind = 'decision'
        AND NOT EXISTS (SELECT 1 FROM decisions WHERE decision_id = OLD.decision_id);
END;
CREATE TRIGGER import_rows_insert_search AFTER INSERT ON import_rows WHEN NEW.table_name IN (
    'programs', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages', 'context_items',
    'decisions', 'research_documents', 'knowledge', 'memory_entries', 'agent_definitions', 'instruction_files',
    'skill_definitions'
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
    'programs', 'plans', 'phases', 'steps', 'plan_notes', 'sessions', 'lineage', 'messages', 'context_items',
    'decisions', 'research_documents', 'knowledge', 'memory_entries', 'agent_definitions', 'instruction_files',
    'skill_definitions'
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
        WHEN 'decisions' THEN 'decision'
        WHEN 'research_documents' THEN 'research'
        WHEN 'knowledge' THEN 'knowledge'
        WHEN 'memory_entries' THEN 'memory'
        WHEN 'agent_definitions' THEN 'agent'
        WHEN 'instruction_files' THEN 'instruction'
        WHEN 'skill_definitions' THEN 'skill'
    END) ON CONFLICT DO NOTHING;
END;
