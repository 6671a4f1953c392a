-- What happens to the steps of a plan on a day is counted as its events are logged, and no more when these go: who asks
-- reads a row a day. The events that are still there are counted once here.
ALTER TABLE step_counts ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;

INSERT INTO step_counts (plan_id, day, added, dropped, finished, reopened)
SELECT t.plan_id, substr(t.timestamp, 1, 10),
    sum(CASE t.type
        WHEN 'steps_added' THEN coalesce(json_array_length(t.data, '$.step_ids'), 0)
        WHEN 'steps_replaced' THEN coalesce(json_array_length(t.data, '$.added'), 0)
        WHEN 'plan_created' THEN coalesce(t.data ->> 'steps', 0)
        WHEN 'plans_merged' THEN coalesce(t.data ->> 'steps', 0)
        ELSE 0 END),
    sum(t.type = 'step_updated' AND t.data ->> 'from' NOT IN ('done', 'cancelled') AND t.data ->> 'to' = 'cancelled'),
    sum(t.type = 'step_updated' AND t.data ->> 'from' NOT IN ('done', 'cancelled') AND t.data ->> 'to' = 'done'),
    sum(t.type = 'step_updated' AND t.data ->> 'from' IN ('done', 'cancelled')
        AND t.data ->> 'to' NOT IN ('done', 'cancelled'))
FROM event_log t
WHERE t.plan_id IS NOT NULL AND (
    t.type IN ('steps_added', 'steps_replaced', 'plan_created', 'plans_merged')
    OR (t.type = 'step_updated' AND t.data ->> 'from' IS NOT NULL AND t.data ->> 'to' IS NOT NULL)
)
GROUP BY 1, 2
ON CONFLICT (plan_id, day) DO UPDATE SET added = added + excluded.added, dropped = dropped + excluded.dropped,
    finished = finished + excluded.finished, reopened = reopened + excluded.reopened;
