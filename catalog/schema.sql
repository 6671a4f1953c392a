-- f067c8d2b2266828a10066bea9ceadcd9903c7d11ed07a3d440c3d956b381655
CREATE TABLE workspace_aliases (
    alias TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    created_at TEXT NOT NULL
, kind TEXT NOT NULL DEFAULT 'id' CHECK (kind IN ('id', 'path'))) STRICT;
CREATE INDEX workspace_aliases_workspace ON workspace_aliases (workspace_id);
CREATE TABLE programs (
    program_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    title TEXT NOT NULL,
    description TEXT,
    category TEXT NOT NULL DEFAULT 'feature',
    priority TEXT NOT NULL DEFAULT 'medium',
    status TEXT NOT NULL DEFAULT 'active',
    goals TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(goals)),
    success_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(success_criteria)),
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    archived_at TEXT,
    version INTEGER NOT NULL DEFAULT 1
, owner TEXT, source_system TEXT, external_id TEXT) STRICT;
CREATE INDEX programs_workspace ON programs (workspace_id, status);
CREATE TABLE program_plans (
    program_id TEXT NOT NULL REFERENCES programs ON DELETE CASCADE,
    plan_id TEXT NOT NULL,
    order_index INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (program_id, plan_id)
) STRICT;
CREATE INDEX program_plans_plan ON program_plans (plan_id);
CREATE TABLE program_workspace_links (
    program_id TEXT NOT NULL REFERENCES programs ON DELETE CASCADE,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    PRIMARY KEY (program_id, workspace_id)
) STRICT;
CREATE INDEX program_workspace_links_workspace ON program_workspace_links (workspace_id);
CREATE TABLE program_risks (
    risk_id TEXT PRIMARY KEY,
    program_id TEXT NOT NULL REFERENCES programs ON DELETE CASCADE,
    title TEXT NOT NULL,
    description TEXT,
    type TEXT NOT NULL DEFAULT 'dependency_risk',
    severity TEXT NOT NULL DEFAULT 'medium',
    status TEXT NOT NULL DEFAULT 'identified',
    mitigation TEXT,
    detected_by TEXT NOT NULL DEFAULT 'manual',
    source_plan_id TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
, likelihood TEXT, found_key TEXT) STRICT;
CREATE INDEX program_risks_program ON program_risks (program_id, status);
CREATE TABLE plans (
    plan_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    program_id TEXT REFERENCES programs ON DELETE SET NULL,
    title TEXT NOT NULL,
    description TEXT,
    category TEXT NOT NULL DEFAULT 'feature',
    priority TEXT NOT NULL DEFAULT 'medium',
    status TEXT NOT NULL DEFAULT 'active',
    goals TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(goals)),
    success_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(success_criteria)),
    categorization TEXT CHECK (categorization IS NULL OR json_valid(categorization)),
    deployment_context TEXT CHECK (deployment_context IS NULL OR json_valid(deployment_context)),
    paused_at TEXT,
    paused_at_snapshot TEXT CHECK (paused_at_snapshot IS NULL OR json_valid(paused_at_snapshot)),
    recommended_next_agent TEXT,
    workflow_mode TEXT NOT NULL DEFAULT 'standard',
    owner TEXT,
    phase_gates INTEGER NOT NULL DEFAULT 0 CHECK (phase_gates IN (0, 1)),
    source TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT,
    archived_at TEXT,
    version INTEGER NOT NULL DEFAULT 1
, open_steps INTEGER NOT NULL DEFAULT 0, source_system TEXT, external_id TEXT, current_phase TEXT, current_focus TEXT, sub_state TEXT, blockers TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(blockers)), completed_phases TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(completed_phases))) STRICT;
CREATE INDEX plans_status ON plans (workspace_id, status);
CREATE INDEX plans_category ON plans (workspace_id, category);
CREATE INDEX plans_updated ON plans (workspace_id, updated_at, plan_id);
CREATE INDEX plans_program ON plans (program_id);
CREATE TABLE phases (
    phase_id TEXT PRIMARY KEY,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    order_index INTEGER NOT NULL,
    approval_required INTEGER NOT NULL DEFAULT 0 CHECK (approval_required IN (0, 1)),
    success_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(success_criteria)),
    required_agents TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_agents)),
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
, source_system TEXT, external_id TEXT, raw_status TEXT, objective TEXT, progress REAL, required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates))) STRICT;
CREATE INDEX phases_order ON phases (plan_id, order_index);
CREATE UNIQUE INDEX phases_name ON phases (plan_id, name);
CREATE TABLE steps (
    step_id TEXT PRIMARY KEY,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    phase_id TEXT NOT NULL REFERENCES phases ON DELETE CASCADE,
    order_index INTEGER NOT NULL,
    section TEXT,
    task TEXT NOT NULL,
    type TEXT NOT NULL DEFAULT 'standard',
    status TEXT NOT NULL DEFAULT 'pending',
    assignee TEXT,
    notes TEXT,
    priority TEXT,
    requires_validation INTEGER NOT NULL DEFAULT 0 CHECK (requires_validation IN (0, 1)),
    requires_confirmation INTEGER NOT NULL DEFAULT 0 CHECK (requires_confirmation IN (0, 1)),
    requires_user_confirmation INTEGER NOT NULL DEFAULT 0 CHECK (requires_user_confirmation IN (0, 1)),
    waits_for INTEGER NOT NULL DEFAULT 0,
    claimed_by TEXT,
    claim_token INTEGER NOT NULL DEFAULT 0,
    lease_expires_at TEXT,
    completed_at TEXT,
    completed_by TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
, source_system TEXT, external_id TEXT, parent_step_id TEXT, result TEXT CHECK (result IS NULL OR json_valid(result)), started_at TEXT, due_at TEXT, estimated_minutes REAL, actual_minutes REAL, confidence REAL, acceptance_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(acceptance_criteria)), tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)), required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates))) STRICT;
CREATE INDEX steps_order ON steps (plan_id, order_index);
CREATE INDEX steps_status ON steps (plan_id, status, order_index);
CREATE INDEX steps_claimed ON steps (claimed_by) WHERE claimed_by IS NOT NULL;
CREATE INDEX steps_lease ON steps (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE TABLE plan_notes (
    note_id TEXT PRIMARY KEY,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    note TEXT NOT NULL,
    note_type TEXT NOT NULL DEFAULT 'info',
    deliver_to TEXT,
    added_by TEXT,
    acknowledged_by TEXT,
    acknowledged_at TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX plan_notes_plan ON plan_notes (plan_id, created_at);
CREATE TABLE confirmations (
    confirmation_id TEXT PRIMARY KEY,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    phase_id TEXT REFERENCES phases ON DELETE CASCADE,
    step_id TEXT REFERENCES steps ON DELETE CASCADE,
    confirmed_by TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL, via TEXT NOT NULL DEFAULT 'unknown', relayed_by TEXT, client TEXT, note TEXT,
    CHECK ((phase_id IS NULL) <> (step_id IS NULL))
) STRICT;
CREATE INDEX confirmations_plan ON confirmations (plan_id);
CREATE UNIQUE INDEX confirmations_phase ON confirmations (phase_id);
CREATE UNIQUE INDEX confirmations_step ON confirmations (step_id);
CREATE TABLE dependencies (
    dependency_id TEXT PRIMARY KEY,
    source_type TEXT NOT NULL CHECK (source_type IN ('program', 'plan', 'phase', 'step')),
    source_id TEXT NOT NULL,
    target_type TEXT NOT NULL CHECK (target_type IN ('program', 'plan', 'phase', 'step')),
    target_id TEXT NOT NULL,
    dep_type TEXT NOT NULL DEFAULT 'blocks' CHECK (dep_type IN ('blocks', 'informs')),
    dep_status TEXT NOT NULL DEFAULT 'pending' CHECK (dep_status IN ('pending', 'satisfied')),
    satisfied_at TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL, added_at TEXT,
    UNIQUE (source_type, source_id, target_type, target_id)
) STRICT;
CREATE INDEX dependencies_source ON dependencies (source_type, source_id);
CREATE INDEX dependencies_target ON dependencies (target_type, target_id);
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT,
    agent TEXT NOT NULL,
    parent_session_id TEXT,
    status TEXT NOT NULL DEFAULT 'active',
    summary TEXT,
    artifacts TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(artifacts)),
    context TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(context)),
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    started_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    completed_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
, source_system TEXT, external_id TEXT, session_num INTEGER, phase TEXT, usage_percent REAL, token_count INTEGER, max_tokens INTEGER) STRICT;
CREATE INDEX sessions_workspace ON sessions (workspace_id, status, started_at);
CREATE INDEX sessions_plan ON sessions (plan_id, started_at);
CREATE INDEX sessions_parent ON sessions (parent_session_id);
CREATE TABLE lineage (
    lineage_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    session_id TEXT,
    from_agent TEXT NOT NULL,
    to_agent TEXT NOT NULL,
    reason TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL
, source_system TEXT, external_id TEXT, state TEXT, blocker TEXT, schema_version TEXT) STRICT;
CREATE INDEX lineage_plan ON lineage (plan_id, created_at);
CREATE TABLE messages (
    message_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT,
    thread_id TEXT,
    from_agent TEXT,
    from_session_id TEXT,
    to_agent TEXT NOT NULL,
    priority TEXT NOT NULL DEFAULT 'medium',
    content TEXT NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
, source_system TEXT, external_id TEXT, message_type TEXT, correlation_id TEXT, delivered_at TEXT, expires_at TEXT, extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))) STRICT;
CREATE INDEX messages_waiting ON messages (workspace_id, lower(to_agent), created_at) WHERE acknowledged_at IS NULL;
CREATE INDEX messages_workspace ON messages (workspace_id, created_at);
CREATE INDEX messages_thread ON messages (thread_id, created_at);
CREATE TABLE file_reservations (
    reservation_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT,
    session_id TEXT,
    holder TEXT NOT NULL,
    path TEXT NOT NULL,
    exclusive INTEGER NOT NULL DEFAULT 1 CHECK (exclusive IN (0, 1)),
    reason TEXT,
    lease_expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX file_reservations_workspace ON file_reservations (workspace_id, lease_expires_at);
CREATE INDEX file_reservations_holder ON file_reservations (holder);
CREATE TABLE checkpoints (
    checkpoint_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    session_id TEXT,
    agent TEXT,
    name TEXT NOT NULL,
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data)),
    standing TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(standing)),
    created_at TEXT NOT NULL
, source_system TEXT, external_id TEXT, kind TEXT, git_ref TEXT, content_hash TEXT, importance REAL, expires_at TEXT, metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics)), quality_score REAL, passed INTEGER, validated_at TEXT, tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)), extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))) STRICT;
CREATE INDEX checkpoints_workspace ON checkpoints (workspace_id, created_at);
CREATE INDEX checkpoints_plan ON checkpoints (plan_id, created_at);
CREATE TABLE step_file_edits (
    edit_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT NOT NULL REFERENCES plans ON DELETE CASCADE,
    step_id TEXT REFERENCES steps ON DELETE CASCADE,
    file_path TEXT NOT NULL,
    previous_path TEXT,
    change_type TEXT NOT NULL,
    notes TEXT,
    agent TEXT,
    session_id TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX step_file_edits_workspace ON step_file_edits (workspace_id, file_path, created_at);
CREATE INDEX step_file_edits_plan ON step_file_edits (plan_id, created_at);
CREATE INDEX step_file_edits_step ON step_file_edits (step_id);
CREATE TABLE context_items (
    item_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    parent_type TEXT NOT NULL CHECK (parent_type IN ('program', 'workspace', 'plan', 'phase', 'step', 'session', 'agent')),
    parent_id TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data)),
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    created_by TEXT,
    expires_at TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX context_items_parent ON context_items (workspace_id, parent_type, parent_id, type);
CREATE INDEX context_items_of ON context_items (parent_type, parent_id, type);
CREATE INDEX context_items_expiry ON context_items (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE research_documents (
    document_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    parent_type TEXT NOT NULL CHECK (parent_type IN ('program', 'workspace', 'plan', 'phase', 'step', 'session', 'agent')),
    parent_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    content TEXT NOT NULL,
    created_by TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX research_documents_workspace ON research_documents (workspace_id);
CREATE TABLE knowledge (
    knowledge_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    category TEXT NOT NULL DEFAULT 'reference',
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    supersedes TEXT REFERENCES knowledge ON DELETE SET NULL,
    superseded_by TEXT REFERENCES knowledge ON DELETE SET NULL,
    created_by_agent TEXT,
    created_by_plan TEXT,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX knowledge_workspace ON knowledge (workspace_id, category);
CREATE UNIQUE INDEX knowledge_slug ON knowledge (workspace_id, slug);
CREATE TABLE memory_entries (
    entry_id TEXT PRIMARY KEY,
    workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE,
    scope TEXT NOT NULL CHECK (scope IN ('workspace', 'plan', 'agent', 'global')),
    scope_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    created_by TEXT,
    expires_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX memory_entries_key ON memory_entries (scope, scope_id, namespace, key, coalesce(workspace_id, ''));
CREATE INDEX memory_entries_workspace ON memory_entries (workspace_id);
CREATE INDEX memory_entries_expiry ON memory_entries (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE build_scripts (
    script_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    plan_id TEXT REFERENCES plans ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    command TEXT NOT NULL,
    directory TEXT NOT NULL DEFAULT '.',
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX build_scripts_workspace ON build_scripts (workspace_id);
CREATE INDEX build_scripts_plan ON build_scripts (plan_id);
CREATE TABLE tools (
    name TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    input_schema TEXT NOT NULL CHECK (json_valid(input_schema))
) STRICT;
CREATE TABLE tool_actions (
    tool TEXT NOT NULL REFERENCES tools ON DELETE CASCADE,
    action TEXT NOT NULL,
    summary TEXT NOT NULL,
    help TEXT NOT NULL,
    read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
    destructive INTEGER NOT NULL CHECK (destructive IN (0, 1)),
    PRIMARY KEY (tool, action)
) STRICT;
CREATE TABLE tool_action_params (
    tool TEXT NOT NULL,
    action TEXT NOT NULL,
    name TEXT NOT NULL,
    order_index INTEGER NOT NULL,
    required INTEGER NOT NULL CHECK (required IN (0, 1)),
    schema TEXT NOT NULL CHECK (json_valid(schema)),
    description TEXT,
    PRIMARY KEY (tool, action, name),
    FOREIGN KEY (tool, action) REFERENCES tool_actions ON DELETE CASCADE
) STRICT;
CREATE TABLE agent_definitions (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    body TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    origin TEXT NOT NULL CHECK (origin IN ('shipped', 'user')),
    content_hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
, workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE, imported_from TEXT, shipped_hash TEXT, based_on TEXT, version INTEGER NOT NULL DEFAULT 1) STRICT;
CREATE TABLE instruction_files (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    body TEXT NOT NULL,
    applies_to TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(applies_to)),
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    origin TEXT NOT NULL CHECK (origin IN ('shipped', 'user')),
    content_hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
, workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE, imported_from TEXT, shipped_hash TEXT, based_on TEXT, version INTEGER NOT NULL DEFAULT 1) STRICT;
CREATE TABLE skill_definitions (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    body TEXT NOT NULL,
    category TEXT,
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    languages TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(languages)),
    frameworks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(frameworks)),
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    origin TEXT NOT NULL CHECK (origin IN ('shipped', 'user')),
    content_hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
, workspace_id TEXT REFERENCES workspaces ON DELETE CASCADE, imported_from TEXT, shipped_hash TEXT, based_on TEXT, version INTEGER NOT NULL DEFAULT 1) STRICT;
CREATE TABLE workspace_instructions (
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name TEXT NOT NULL REFERENCES instruction_files ON DELETE CASCADE,
    notes TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, name)
) STRICT;
CREATE INDEX workspace_instructions_name ON workspace_instructions (name);
CREATE TABLE workspace_skills (
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name TEXT NOT NULL REFERENCES skill_definitions ON DELETE CASCADE,
    notes TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, name)
) STRICT;
CREATE INDEX workspace_skills_name ON workspace_skills (name);
CREATE TABLE seeds (
    name TEXT PRIMARY KEY,
    content_hash TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE TABLE event_log (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    workspace_id TEXT,
    plan_id TEXT,
    type TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    session_id TEXT,
    agent TEXT,
    tool TEXT,
    action TEXT,
    data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(data))
, severity TEXT, message TEXT, correlation_id TEXT, source TEXT, source_line INTEGER) STRICT;
CREATE INDEX event_log_timestamp ON event_log (timestamp);
CREATE INDEX event_log_workspace ON event_log (workspace_id, event_id);
CREATE INDEX event_log_plan ON event_log (plan_id, event_id);
CREATE TABLE update_log (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    workspace_id TEXT,
    plan_id TEXT,
    tool TEXT,
    action TEXT,
    session_id TEXT,
    agent TEXT,
    summary TEXT NOT NULL,
    extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))
) STRICT;
CREATE INDEX update_log_workspace ON update_log (workspace_id, log_id);
CREATE INDEX update_log_plan ON update_log (plan_id, log_id);
CREATE INDEX update_log_timestamp ON update_log (timestamp);
CREATE TABLE trash (
    trash_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    title TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data)),
    deleted_by TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX trash_workspace ON trash (workspace_id, created_at);
CREATE INDEX trash_expiry ON trash (expires_at);
CREATE TABLE import_runs (
    run_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    layout TEXT NOT NULL,
    source_path TEXT NOT NULL,
    status TEXT NOT NULL,
    report TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(report)),
    started_at TEXT NOT NULL,
    completed_at TEXT
, holder TEXT, written_at TEXT) STRICT;
CREATE INDEX import_runs_workspace ON import_runs (workspace_id);
CREATE TABLE import_files (
    file_id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES import_runs ON DELETE CASCADE,
    workspace_id TEXT,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('imported', 'unchanged', 'duplicate', 'skipped', 'failed')),
    reason TEXT,
    entity_type TEXT,
    entity_id TEXT,
    raw BLOB,
    created_at TEXT NOT NULL
, modified_at TEXT) STRICT;
CREATE INDEX import_files_run ON import_files (run_id);
CREATE INDEX import_files_path ON import_files (workspace_id, path);
CREATE INDEX import_files_sha ON import_files (sha256);
CREATE TABLE plans_archive (
    plan_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    program_id TEXT,
    title TEXT,
    description TEXT,
    category TEXT,
    priority TEXT,
    status TEXT,
    goals TEXT,
    success_criteria TEXT,
    categorization TEXT,
    deployment_context TEXT,
    paused_at TEXT,
    paused_at_snapshot TEXT,
    recommended_next_agent TEXT,
    workflow_mode TEXT,
    owner TEXT,
    phase_gates INTEGER,
    source TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT,
    completed_at TEXT,
    archived_at TEXT,
    version INTEGER
, open_steps INTEGER, source_system TEXT, external_id TEXT, current_phase TEXT, current_focus TEXT, sub_state TEXT, blockers TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(blockers)), completed_phases TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(completed_phases))) STRICT;
CREATE INDEX plans_archive_workspace ON plans_archive (workspace_id, updated_at, plan_id);
CREATE TABLE phases_archive (
    phase_id TEXT PRIMARY KEY,
    plan_id TEXT,
    name TEXT,
    description TEXT,
    order_index INTEGER,
    approval_required INTEGER,
    success_criteria TEXT,
    required_agents TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT,
    version INTEGER
, source_system TEXT, external_id TEXT, raw_status TEXT, objective TEXT, progress REAL, required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates))) STRICT;
CREATE INDEX phases_archive_plan ON phases_archive (plan_id, order_index);
CREATE TABLE steps_archive (
    step_id TEXT PRIMARY KEY,
    plan_id TEXT,
    phase_id TEXT,
    order_index INTEGER,
    section TEXT,
    task TEXT,
    type TEXT,
    status TEXT,
    assignee TEXT,
    notes TEXT,
    priority TEXT,
    requires_validation INTEGER,
    requires_confirmation INTEGER,
    requires_user_confirmation INTEGER,
    waits_for INTEGER,
    claimed_by TEXT,
    claim_token INTEGER,
    lease_expires_at TEXT,
    completed_at TEXT,
    completed_by TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT,
    version INTEGER
, source_system TEXT, external_id TEXT, parent_step_id TEXT, result TEXT, started_at TEXT, due_at TEXT, estimated_minutes REAL, actual_minutes REAL, confidence REAL, acceptance_criteria TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(acceptance_criteria)), tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)), required_gates TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_gates))) STRICT;
CREATE INDEX steps_archive_plan ON steps_archive (plan_id, order_index);
CREATE TABLE sessions_archive (
    session_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    agent TEXT,
    parent_session_id TEXT,
    status TEXT,
    summary TEXT,
    artifacts TEXT,
    context TEXT,
    extra TEXT,
    started_at TEXT,
    last_seen_at TEXT,
    completed_at TEXT,
    created_at TEXT,
    updated_at TEXT,
    version INTEGER
, source_system TEXT, external_id TEXT, session_num INTEGER, phase TEXT, usage_percent REAL, token_count INTEGER, max_tokens INTEGER) STRICT;
CREATE INDEX sessions_archive_workspace ON sessions_archive (workspace_id);
CREATE INDEX sessions_archive_plan ON sessions_archive (plan_id);
CREATE TABLE lineage_archive (
    lineage_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    session_id TEXT,
    from_agent TEXT,
    to_agent TEXT,
    reason TEXT,
    data TEXT,
    extra TEXT,
    created_at TEXT
, source_system TEXT, external_id TEXT, state TEXT, blocker TEXT, schema_version TEXT) STRICT;
CREATE INDEX lineage_archive_workspace ON lineage_archive (workspace_id);
CREATE INDEX lineage_archive_plan ON lineage_archive (plan_id);
CREATE TABLE plan_notes_archive (
    note_id TEXT PRIMARY KEY,
    plan_id TEXT,
    note TEXT,
    note_type TEXT,
    deliver_to TEXT,
    added_by TEXT,
    acknowledged_by TEXT,
    acknowledged_at TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT
) STRICT;
CREATE INDEX plan_notes_archive_plan ON plan_notes_archive (plan_id);
CREATE TABLE confirmations_archive (
    confirmation_id TEXT PRIMARY KEY,
    plan_id TEXT,
    phase_id TEXT,
    step_id TEXT,
    confirmed_by TEXT,
    extra TEXT,
    created_at TEXT
, via TEXT DEFAULT 'unknown', relayed_by TEXT, client TEXT, note TEXT) STRICT;
CREATE INDEX confirmations_archive_plan ON confirmations_archive (plan_id);
CREATE INDEX confirmations_archive_step ON confirmations_archive (step_id);
CREATE TABLE context_items_archive (
    item_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    type TEXT,
    data TEXT,
    tags TEXT,
    created_by TEXT,
    expires_at TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT,
    version INTEGER
) STRICT;
CREATE INDEX context_items_archive_parent ON context_items_archive (parent_type, parent_id);
CREATE TABLE research_documents_archive (
    document_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    parent_type TEXT,
    parent_id TEXT,
    filename TEXT,
    content TEXT,
    created_by TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT,
    version INTEGER
) STRICT;
CREATE INDEX research_documents_archive_parent ON research_documents_archive (parent_type, parent_id);
CREATE TABLE dependencies_archive (
    dependency_id TEXT PRIMARY KEY,
    source_type TEXT,
    source_id TEXT,
    target_type TEXT,
    target_id TEXT,
    dep_type TEXT,
    dep_status TEXT,
    satisfied_at TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT
, added_at TEXT) STRICT;
CREATE INDEX dependencies_archive_source ON dependencies_archive (source_type, source_id);
CREATE INDEX dependencies_archive_target ON dependencies_archive (target_type, target_id);
CREATE TABLE step_file_edits_archive (
    edit_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    step_id TEXT,
    file_path TEXT,
    previous_path TEXT,
    change_type TEXT,
    notes TEXT,
    agent TEXT,
    session_id TEXT,
    created_at TEXT
) STRICT;
CREATE INDEX step_file_edits_archive_plan ON step_file_edits_archive (plan_id);
CREATE INDEX step_file_edits_archive_step ON step_file_edits_archive (step_id);
CREATE TABLE checkpoints_archive (
    checkpoint_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    session_id TEXT,
    agent TEXT,
    name TEXT,
    data TEXT,
    standing TEXT,
    created_at TEXT
, source_system TEXT, external_id TEXT, kind TEXT, git_ref TEXT, content_hash TEXT, importance REAL, expires_at TEXT, metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics)), quality_score REAL, passed INTEGER, validated_at TEXT, tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)), extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))) STRICT;
CREATE INDEX checkpoints_archive_workspace ON checkpoints_archive (workspace_id);
CREATE INDEX checkpoints_archive_plan ON checkpoints_archive (plan_id);
CREATE TABLE build_scripts_archive (
    script_id TEXT PRIMARY KEY,
    workspace_id TEXT,
    plan_id TEXT,
    name TEXT,
    description TEXT,
    command TEXT,
    directory TEXT,
    extra TEXT,
    created_at TEXT,
    updated_at TEXT
) STRICT;
CREATE INDEX build_scripts_archive_workspace ON build_scripts_archive (workspace_id);
CREATE INDEX build_scripts_archive_plan ON build_scripts_archive (plan_id);
CREATE TRIGGER dependencies_inserted AFTER INSERT ON dependencies WHEN NEW.source_type = 'step' BEGIN
    UPDATE steps SET waits_for = (
        SELECT count(*) FROM dependencies
        WHERE source_type = 'step' AND source_id = NEW.source_id AND dep_type = 'blocks' AND dep_status = 'pending'
    ) WHERE step_id = NEW.source_id;
END;
CREATE TRIGGER dependencies_changed AFTER UPDATE OF dep_type, dep_status ON dependencies WHEN NEW.source_type = 'step' BEGIN
    UPDATE steps SET waits_for = (
        SELECT count(*) FROM dependencies
        WHERE source_type = 'step' AND source_id = NEW.source_id AND dep_type = 'blocks' AND dep_status = 'pending'
    ) WHERE step_id = NEW.source_id;
END;
CREATE TRIGGER dependencies_deleted AFTER DELETE ON dependencies WHEN OLD.source_type = 'step' BEGIN
    UPDATE steps SET waits_for = (
        SELECT count(*) FROM dependencies
        WHERE source_type = 'step' AND source_id = OLD.source_id AND dep_type = 'blocks' AND dep_status = 'pending'
    ) WHERE step_id = OLD.source_id;
END;
CREATE TRIGGER programs_deleted AFTER DELETE ON programs BEGIN
    DELETE FROM dependencies WHERE source_type = 'program' AND source_id = OLD.program_id;
    DELETE FROM dependencies WHERE target_type = 'program' AND target_id = OLD.program_id;
    DELETE FROM context_items WHERE parent_type = 'program' AND parent_id = OLD.program_id;
    DELETE FROM research_documents WHERE parent_type = 'program' AND parent_id = OLD.program_id;
END;
CREATE TRIGGER plans_deleted AFTER DELETE ON plans BEGIN
    DELETE FROM dependencies WHERE source_type = 'plan' AND source_id = OLD.plan_id;
    DELETE FROM context_items WHERE parent_type = 'plan' AND parent_id = OLD.plan_id;
    DELETE FROM research_documents WHERE parent_type = 'plan' AND parent_id = OLD.plan_id;
    DELETE FROM memory_entries WHERE scope = 'plan' AND scope_id = OLD.plan_id
        AND NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = OLD.plan_id);
    DELETE FROM dependencies WHERE target_type = 'plan' AND target_id = OLD.plan_id
        AND NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = OLD.plan_id);
    DELETE FROM program_plans WHERE plan_id = OLD.plan_id
        AND NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = OLD.plan_id);
END;
CREATE TRIGGER phases_deleted AFTER DELETE ON phases BEGIN
    DELETE FROM dependencies WHERE source_type = 'phase' AND source_id = OLD.phase_id;
    DELETE FROM context_items WHERE parent_type = 'phase' AND parent_id = OLD.phase_id;
    DELETE FROM research_documents WHERE parent_type = 'phase' AND parent_id = OLD.phase_id;
    DELETE FROM dependencies WHERE target_type = 'phase' AND target_id = OLD.phase_id
        AND NOT EXISTS (SELECT 1 FROM phases_archive WHERE phase_id = OLD.phase_id);
END;
CREATE TRIGGER steps_deleted AFTER DELETE ON steps BEGIN
    DELETE FROM dependencies WHERE source_type = 'step' AND source_id = OLD.step_id;
    DELETE FROM context_items WHERE parent_type = 'step' AND parent_id = OLD.step_id;
    DELETE FROM research_documents WHERE parent_type = 'step' AND parent_id = OLD.step_id;
    DELETE FROM dependencies WHERE target_type = 'step' AND target_id = OLD.step_id
        AND NOT EXISTS (SELECT 1 FROM steps_archive WHERE step_id = OLD.step_id);
END;
CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions
WHEN NOT EXISTS (SELECT 1 FROM sessions_archive WHERE session_id = OLD.session_id) BEGIN
    DELETE FROM context_items WHERE parent_type = 'session' AND parent_id = OLD.session_id;
    DELETE FROM research_documents WHERE parent_type = 'session' AND parent_id = OLD.session_id;
END;
CREATE TABLE import_rows (
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    workspace_id TEXT,
    path TEXT NOT NULL,
    json_path TEXT NOT NULL DEFAULT '$',
    base TEXT NOT NULL CHECK (json_valid(base)),
    updated_at TEXT NOT NULL,
    PRIMARY KEY (table_name, row_key)
) STRICT;
CREATE INDEX import_rows_workspace ON import_rows (workspace_id, path);
CREATE UNIQUE INDEX import_files_place ON import_files (coalesce(workspace_id, ''), path);
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
CREATE TABLE search_words (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE search_index USING fts5 (
    facets, title, body, rest, content = 'search_documents', content_rowid = 'doc', tokenize = 'ascii', detail = 'column'
);
CREATE TRIGGER search_documents_inserted AFTER INSERT ON search_documents BEGIN
    INSERT INTO search_index (rowid, facets, title, body, rest)
    VALUES (NEW.doc, NEW.facets, NEW.title, NEW.body, NEW.rest);
END;
CREATE TRIGGER search_documents_changed AFTER UPDATE OF doc, facets, title, body, rest ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, facets, title, body, rest)
    VALUES ('delete', OLD.doc, OLD.facets, OLD.title, OLD.body, OLD.rest);
    INSERT INTO search_index (rowid, facets, title, body, rest)
    VALUES (NEW.doc, NEW.facets, NEW.title, NEW.body, NEW.rest);
END;
CREATE TRIGGER programs_insert_search AFTER INSERT ON programs BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.program_id, 'program') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER programs_delete_search AFTER DELETE ON programs BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.program_id AND kind = 'program';
END;
CREATE TRIGGER plans_insert_search AFTER INSERT ON plans
WHEN NOT EXISTS (SELECT 1 FROM plans_archive WHERE plan_id = NEW.plan_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.plan_id, 'plan') ON CONFLICT DO NOTHING;
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
CREATE TRIGGER lineage_archive_delete_search AFTER DELETE ON lineage_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.lineage_id AND kind = 'handoff'
        AND EXISTS (SELECT 1 FROM lineage WHERE lineage_id = OLD.lineage_id);
    DELETE FROM search_documents WHERE entity_id = OLD.lineage_id AND kind = 'handoff'
        AND NOT EXISTS (SELECT 1 FROM lineage WHERE lineage_id = OLD.lineage_id);
END;
CREATE TRIGGER messages_insert_search AFTER INSERT ON messages BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.message_id, 'message') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER messages_delete_search AFTER DELETE ON messages BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.message_id AND kind = 'message';
END;
CREATE TRIGGER context_items_insert_search AFTER INSERT ON context_items
WHEN NOT EXISTS (SELECT 1 FROM context_items_archive WHERE item_id = NEW.item_id) BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.item_id, 'context') ON CONFLICT DO NOTHING;
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
CREATE TRIGGER research_documents_archive_delete_search AFTER DELETE ON research_documents_archive BEGIN
    UPDATE search_documents SET archived = 0 WHERE entity_id = OLD.document_id AND kind = 'research'
        AND EXISTS (SELECT 1 FROM research_documents WHERE document_id = OLD.document_id);
    DELETE FROM search_documents WHERE entity_id = OLD.document_id AND kind = 'research'
        AND NOT EXISTS (SELECT 1 FROM research_documents WHERE document_id = OLD.document_id);
END;
CREATE TRIGGER knowledge_delete_search AFTER DELETE ON knowledge BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.knowledge_id AND kind = 'knowledge';
END;
CREATE TRIGGER memory_entries_insert_search AFTER INSERT ON memory_entries BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.entry_id, 'memory') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER memory_entries_delete_search AFTER DELETE ON memory_entries BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.entry_id AND kind = 'memory';
END;
CREATE TRIGGER agent_definitions_insert_search AFTER INSERT ON agent_definitions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'agent') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER agent_definitions_delete_search AFTER DELETE ON agent_definitions BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.name AND kind = 'agent';
END;
CREATE TRIGGER instruction_files_insert_search AFTER INSERT ON instruction_files BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'instruction') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER instruction_files_delete_search AFTER DELETE ON instruction_files BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.name AND kind = 'instruction';
END;
CREATE TRIGGER skill_definitions_insert_search AFTER INSERT ON skill_definitions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.name, 'skill') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER skill_definitions_delete_search AFTER DELETE ON skill_definitions BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.name AND kind = 'skill';
END;
CREATE TRIGGER tool_actions_insert_search AFTER INSERT ON tool_actions BEGIN
    INSERT INTO search_pending (entity_id, kind) VALUES (NEW.tool || ' ' || NEW.action, 'action') ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER tool_actions_delete_search AFTER DELETE ON tool_actions BEGIN
    DELETE FROM search_documents WHERE entity_id = OLD.tool || ' ' || OLD.action AND kind = 'action';
END;
CREATE UNIQUE INDEX research_documents_parent ON research_documents (workspace_id, parent_type, parent_id, filename);
CREATE INDEX research_documents_of ON research_documents (parent_type, parent_id);
CREATE INDEX plans_ready ON plans (
    workspace_id, status,
    CASE priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END,
    created_at, plan_id
);
CREATE INDEX sessions_started ON sessions (workspace_id, started_at, session_id);
CREATE INDEX step_file_edits_made ON step_file_edits (workspace_id, created_at, edit_id);
CREATE INDEX step_file_edits_renamed ON step_file_edits (workspace_id, previous_path) WHERE previous_path IS NOT NULL;
CREATE INDEX lineage_workspace ON lineage (workspace_id, created_at);
CREATE INDEX lineage_to ON lineage (workspace_id, lower(to_agent), created_at);
CREATE INDEX steps_free ON steps (plan_id, status, waits_for, order_index);
CREATE INDEX steps_phase ON steps (phase_id, status);
CREATE INDEX steps_archive_phase ON steps_archive (phase_id, status);
CREATE INDEX file_reservations_plan ON file_reservations (plan_id);
CREATE INDEX context_items_archive_workspace ON context_items_archive (workspace_id);
CREATE INDEX research_documents_archive_workspace ON research_documents_archive (workspace_id);
CREATE INDEX step_file_edits_archive_workspace ON step_file_edits_archive (workspace_id);
CREATE INDEX knowledge_supersedes ON knowledge (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX knowledge_superseded_by ON knowledge (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, facets, title, body, rest)
    VALUES ('delete', OLD.doc, OLD.facets, OLD.title, OLD.body, OLD.rest);
END;
CREATE INDEX steps_given ON steps (plan_id, status, waits_for, lower(coalesce(assignee, '')), order_index);
CREATE TABLE requests (
    request_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    tool TEXT NOT NULL,
    action TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (request_id, agent, tool, action, workspace_id)
) STRICT;
CREATE INDEX requests_by_age ON requests (created_at);
CREATE INDEX requests_workspace ON requests (workspace_id);
CREATE INDEX confirmations_archive_phase ON confirmations_archive (phase_id);
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
CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    changed_by TEXT,
    via TEXT NOT NULL,
    client TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX steps_gates ON steps (plan_id, order_index) WHERE
    type IN ('confirmation', 'user_validation', 'critical') OR requires_confirmation = 1
    OR requires_user_confirmation = 1;
CREATE INDEX import_runs_open ON import_runs (coalesce(workspace_id, '')) WHERE status = 'running';
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
CREATE TRIGGER plans_insert_open AFTER INSERT ON plans BEGIN
    UPDATE plans SET open_steps = (
        SELECT count(*) FROM steps s WHERE s.plan_id = NEW.plan_id AND s.status NOT IN ('done', 'cancelled')
    ) WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_insert_open AFTER INSERT ON steps
WHEN NEW.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans SET open_steps = open_steps + 1 WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_delete_open AFTER DELETE ON steps
WHEN OLD.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans SET open_steps = open_steps - 1 WHERE plan_id = OLD.plan_id;
END;
CREATE TRIGGER steps_update_open AFTER UPDATE OF status ON steps
WHEN NEW.plan_id = OLD.plan_id AND (NEW.status IN ('done', 'cancelled')) <> (OLD.status IN ('done', 'cancelled')) BEGIN
    UPDATE plans SET open_steps = open_steps + CASE WHEN NEW.status IN ('done', 'cancelled') THEN -1 ELSE 1 END
    WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_moved_open AFTER UPDATE OF plan_id ON steps
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    UPDATE plans SET open_steps = open_steps - (OLD.status NOT IN ('done', 'cancelled')) WHERE plan_id = OLD.plan_id;
    UPDATE plans SET open_steps = open_steps + (NEW.status NOT IN ('done', 'cancelled')) WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER plans_archive_insert_open AFTER INSERT ON plans_archive BEGIN
    UPDATE plans_archive SET open_steps = (
        SELECT count(*) FROM steps_archive s WHERE s.plan_id = NEW.plan_id AND s.status NOT IN ('done', 'cancelled')
    ) WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_archive_insert_open AFTER INSERT ON steps_archive
WHEN NEW.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans_archive SET open_steps = open_steps + 1 WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_archive_delete_open AFTER DELETE ON steps_archive
WHEN OLD.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans_archive SET open_steps = open_steps - 1 WHERE plan_id = OLD.plan_id;
END;
CREATE TRIGGER steps_archive_update_open AFTER UPDATE OF status ON steps_archive
WHEN NEW.plan_id = OLD.plan_id AND (NEW.status IN ('done', 'cancelled')) <> (OLD.status IN ('done', 'cancelled')) BEGIN
    UPDATE plans_archive SET open_steps = open_steps + CASE WHEN NEW.status IN ('done', 'cancelled') THEN -1 ELSE 1 END
    WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_archive_moved_open AFTER UPDATE OF plan_id ON steps_archive
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    UPDATE plans_archive SET open_steps = open_steps - (OLD.status NOT IN ('done', 'cancelled')) WHERE plan_id = OLD.plan_id;
    UPDATE plans_archive SET open_steps = open_steps + (NEW.status NOT IN ('done', 'cancelled')) WHERE plan_id = NEW.plan_id;
END;
CREATE INDEX agent_definitions_workspace ON agent_definitions (workspace_id) WHERE workspace_id IS NOT NULL;
CREATE INDEX instruction_files_workspace ON instruction_files (workspace_id) WHERE workspace_id IS NOT NULL;
CREATE INDEX skill_definitions_workspace ON skill_definitions (workspace_id) WHERE workspace_id IS NOT NULL;
CREATE TABLE workspace_agents (
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name TEXT NOT NULL REFERENCES agent_definitions ON DELETE CASCADE,
    notes TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, name)
) STRICT;
CREATE INDEX workspace_agents_name ON workspace_agents (name);
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
CREATE UNIQUE INDEX program_risks_found ON program_risks (program_id, found_key);
CREATE INDEX programs_updated ON programs (workspace_id, updated_at, program_id);
CREATE TABLE file_changes (
    change_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    change TEXT NOT NULL CHECK (json_valid(change)),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX file_changes_workspace ON file_changes (workspace_id);
CREATE TABLE terminal_allowlist (
    rule_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    program TEXT NOT NULL,
    subcommand TEXT NOT NULL DEFAULT '',
    flags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(flags)),
    allowed_by TEXT NOT NULL,
    via TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (workspace_id, program, subcommand, flags)
) STRICT;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'running',
    arguments TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(arguments)),
    agent TEXT,
    session_id TEXT,
    allowed_by TEXT,
    server TEXT,
    exit_code INTEGER,
    ended_by TEXT,
    error TEXT,
    stdout_bytes INTEGER,
    stderr_bytes INTEGER,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
, plan_id TEXT REFERENCES plans ON DELETE CASCADE, step_id TEXT REFERENCES steps ON DELETE CASCADE, phase TEXT, success INTEGER CHECK (success IS NULL OR success IN (0, 1)), metrics TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics)), expires_at TEXT, source_system TEXT, external_id TEXT, extra TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extra))) STRICT;
CREATE INDEX runs_workspace ON runs (workspace_id, started_at);
CREATE INDEX runs_running ON runs (server) WHERE status = 'running';
CREATE TABLE server_runs (
    name TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    checked_by TEXT,
    checked_at TEXT,
    problems TEXT CHECK (problems IS NULL OR json_valid(problems))
) STRICT;
CREATE INDEX server_runs_started ON server_runs (started_at);
CREATE INDEX server_runs_unfinished ON server_runs (name) WHERE ended_at IS NULL AND checked_at IS NULL;
CREATE INDEX server_runs_checked ON server_runs (checked_at) WHERE checked_at IS NOT NULL;
CREATE TABLE trimmed_logs (
    table_name TEXT NOT NULL,
    of_workspace TEXT NOT NULL,
    newest_id INTEGER NOT NULL,
    trimmed_at TEXT NOT NULL,
    PRIMARY KEY (table_name, of_workspace)
) STRICT;
CREATE TABLE imported_logs (
    table_name TEXT NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    PRIMARY KEY (table_name, first_id)
) STRICT;
CREATE TABLE step_counts (
    plan_id TEXT NOT NULL,
    day TEXT NOT NULL,
    added INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    reopened INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plan_id, day)
) STRICT;
CREATE TABLE upkeep_turns (
    task TEXT PRIMARY KEY,
    taken_at TEXT NOT NULL
) STRICT;
CREATE INDEX messages_acknowledged ON messages (acknowledged_at) WHERE acknowledged_at IS NOT NULL;
CREATE INDEX trash_created ON trash (created_at);
CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('agent', 'reader')),
    hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    revoked_at TEXT
) STRICT;
CREATE UNIQUE INDEX tokens_in_use ON tokens (name) WHERE revoked_at IS NULL;
CREATE TABLE web_links (
    hash TEXT PRIMARY KEY,
    expires_at TEXT NOT NULL
) STRICT;
CREATE TABLE web_sessions (
    web_session_id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    browser TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
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
CREATE INDEX runs_plan ON runs (plan_id, started_at) WHERE plan_id IS NOT NULL;
CREATE INDEX runs_step ON runs (step_id) WHERE step_id IS NOT NULL;
CREATE INDEX runs_open ON runs (expires_at) WHERE status = 'running' AND expires_at IS NOT NULL;
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
CREATE TABLE "workspaces" (
    workspace_id TEXT PRIMARY KEY,
    path TEXT UNIQUE,
    name TEXT NOT NULL,
    display_name TEXT,
    git_common_dir TEXT,
    parent_workspace_id TEXT REFERENCES workspaces ON DELETE SET NULL,
    profile TEXT CHECK (profile IS NULL OR json_valid(profile)),
    meta TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(meta)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    importing TEXT,
    source_system TEXT,
    external_id TEXT,
    last_used_at TEXT
) STRICT;
CREATE INDEX workspaces_parent ON workspaces (parent_workspace_id);
CREATE INDEX workspaces_git ON workspaces (git_common_dir);
CREATE INDEX workspaces_importing ON workspaces (workspace_id) WHERE importing IS NOT NULL;
CREATE INDEX workspaces_external ON workspaces (external_id) WHERE external_id IS NOT NULL;
CREATE TRIGGER workspaces_deleted AFTER DELETE ON workspaces BEGIN
    DELETE FROM context_items WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM research_documents WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
END;
CREATE TRIGGER workspaces_deleted_ledger AFTER DELETE ON workspaces BEGIN
    DELETE FROM artifacts WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM metric_points WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM task_progress WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM cache_entries WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM field_changes WHERE entity_type = 'workspace' AND entity_id = OLD.workspace_id;
END;
CREATE TABLE check_findings (
    name TEXT NOT NULL,
    what TEXT NOT NULL,
    severity TEXT NOT NULL,
    why TEXT NOT NULL,
    command TEXT,
    advice TEXT,
    found_at TEXT NOT NULL,
    PRIMARY KEY (name, what)
) STRICT;
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
CREATE INDEX steps_gated ON steps (plan_id) WHERE required_gates <> '[]';
CREATE INDEX phases_gated ON phases (plan_id) WHERE required_gates <> '[]';
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
