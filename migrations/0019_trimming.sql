-- What a trim remembers. Whoever followed the log of a workspace ('' for none) no further than to before newest_id has
-- missed something, and reads anew.
CREATE TABLE trimmed_logs (
    table_name TEXT NOT NULL,
    of_workspace TEXT NOT NULL,
    newest_id INTEGER NOT NULL,
    trimmed_at TEXT NOT NULL,
    PRIMARY KEY (table_name, of_workspace)
) STRICT;

-- Entries of the logs that came with an import: they stay, since an export gives them back. Ranges do not overlap.
CREATE TABLE imported_logs (
    table_name TEXT NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    PRIMARY KEY (table_name, first_id)
) STRICT;
-- Entries out of our own documents do not tell: what was there at the last such import counts as imported.
INSERT INTO imported_logs (table_name, first_id, last_id)
SELECT 'event_log', 1, max(event_id) FROM event_log
WHERE type = 'imported' AND data ->> 'layout' = 'documents' HAVING max(event_id) IS NOT NULL;
INSERT INTO imported_logs (table_name, first_id, last_id)
SELECT 'update_log', 1, max(u.log_id) FROM update_log u
WHERE u.timestamp <= (SELECT max(timestamp) FROM event_log WHERE type = 'imported' AND data ->> 'layout' = 'documents')
HAVING max(u.log_id) IS NOT NULL;
INSERT INTO imported_logs (table_name, first_id, last_id)
SELECT 'event_log', event_id, event_id FROM event_log
WHERE instr(data, '"legacy_id":') > 0
  AND event_id > coalesce((SELECT max(last_id) FROM imported_logs WHERE table_name = 'event_log'), 0);
INSERT INTO imported_logs (table_name, first_id, last_id)
SELECT 'update_log', log_id, log_id FROM update_log
WHERE instr(extra, '"legacy":') > 0
  AND log_id > coalesce((SELECT max(last_id) FROM imported_logs WHERE table_name = 'update_log'), 0);

-- What happened to the steps of a plan on a day, of events that are gone.
CREATE TABLE step_counts (
    plan_id TEXT NOT NULL,
    day TEXT NOT NULL,
    added INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    reopened INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plan_id, day)
) STRICT;

-- When a process last took its turn at what only one of all does.
CREATE TABLE upkeep_turns (
    task TEXT PRIMARY KEY,
    taken_at TEXT NOT NULL
) STRICT;

CREATE INDEX messages_acknowledged ON messages (acknowledged_at) WHERE acknowledged_at IS NOT NULL;
CREATE INDEX trash_created ON trash (created_at);
