-- Every table but the search index. Timestamps are ISO-8601 UTC text; ids and times come from the code.

CREATE TABLE workspaces (
    workspace_id TEXT PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    display_name TEXT,
    git_common_dir TEXT,
    parent_workspace_id TEXT REFERENCES workspaces ON DELETE SET NULL,
    profile TEXT CHECK (profile IS NULL OR json_valid(profile)),
    meta TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(meta)),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX workspaces_parent ON workspaces (parent_workspace_id);
CREATE INDEX workspaces_git ON workspaces (git_common_dir);

CREATE TABLE workspace_aliases (
    alias TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    created_at TEXT NOT NULL
) STRICT;
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
) STRICT;
CREATE INDEX programs_workspace ON programs (workspace_id, status);

-- A program keeps naming a plan that was archived, so plan_id is no foreign key.
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
) STRICT;
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
) STRICT;
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
) STRICT;
CREATE INDEX phases_order ON phases (plan_id, order_index);
CREATE UNIQUE INDEX phases_name ON phases (plan_id, name);

-- order_index counts across the plan (phases may interleave). waits_for is the number of pending `blocks` dependencies,
-- kept by triggers, so that the next eligible step is found in an index however large the plan.
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
) STRICT;
CREATE INDEX steps_order ON steps (plan_id, order_index);
CREATE INDEX steps_phase ON steps (phase_id, order_index);
CREATE INDEX steps_status ON steps (plan_id, status, order_index);
CREATE INDEX steps_free ON steps (plan_id, order_index) WHERE status = 'pending' AND waits_for = 0;
CREATE INDEX steps_waiting ON steps (plan_id, order_index) WHERE status = 'pending' AND waits_for > 0;
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
    created_at TEXT NOT NULL,
    CHECK ((phase_id IS NULL) <> (step_id IS NULL))
) STRICT;
CREATE INDEX confirmations_plan ON confirmations (plan_id);
CREATE UNIQUE INDEX confirmations_phase ON confirmations (phase_id);
CREATE UNIQUE INDEX confirmations_step ON confirmations (step_id);

-- The source waits for the target.
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
    updated_at TEXT NOT NULL,
    UNIQUE (source_type, source_id, target_type, target_id)
) STRICT;
CREATE INDEX dependencies_source ON dependencies (source_type, source_id);
CREATE INDEX dependencies_target ON dependencies (target_type, target_id);

-- A session that is at work stays when its plan is archived, so plan_id is no foreign key here.
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
) STRICT;
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
) STRICT;
CREATE INDEX lineage_plan ON lineage (plan_id, created_at);
CREATE INDEX lineage_workspace ON lineage (workspace_id, to_agent, created_at);

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
) STRICT;
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
) STRICT;
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
CREATE UNIQUE INDEX research_documents_parent ON research_documents (parent_type, parent_id, filename);
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
CREATE INDEX knowledge_supersedes ON knowledge (supersedes);
CREATE INDEX knowledge_superseded_by ON knowledge (superseded_by);

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
) STRICT;

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
) STRICT;

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
) STRICT;

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

-- What was last seeded from the files beside the code.
CREATE TABLE seeds (
    name TEXT PRIMARY KEY,
    content_hash TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- The logs outlive what they speak of, so they have no foreign keys.
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
) STRICT;
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
) STRICT;
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
) STRICT;
CREATE INDEX import_files_run ON import_files (run_id);
CREATE INDEX import_files_path ON import_files (workspace_id, path);
CREATE INDEX import_files_sha ON import_files (sha256);

-- Archived plans and all that belongs to them: the columns of the live tables, in their order.
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
) STRICT;
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
) STRICT;
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
) STRICT;
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
) STRICT;
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
) STRICT;
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
) STRICT;
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
) STRICT;
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
) STRICT;
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
-- Steps count what they still wait for.
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

-- What hangs on a polymorphic parent goes with it. An archived parent still counts for what waits for it,
-- so the dependencies on it stay: its row is in the archive before it leaves the live table.
CREATE TRIGGER workspaces_deleted AFTER DELETE ON workspaces BEGIN
    DELETE FROM context_items WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
    DELETE FROM research_documents WHERE parent_type = 'workspace' AND parent_id = OLD.workspace_id;
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
