-- Which free steps of a plan are for nobody or for a name, so that those of others are not looked at.
CREATE INDEX steps_given ON steps (plan_id, status, waits_for, lower(coalesce(assignee, '')), order_index);

-- A workspace is known by its old ids, and by the paths that it was moved from.
ALTER TABLE workspace_aliases ADD COLUMN kind TEXT NOT NULL DEFAULT 'id' CHECK (kind IN ('id', 'path'));
