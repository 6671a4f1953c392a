"""The queries for which agent-hive promised an index read no table from end to end here, whatever it holds.

That ten agents write and read at once without blocking is shown by tests/e2e/test_many_agents.py.
"""

import pytest

from server.db.storage.connection import Database

# The index that was promised, and the query of it on the tables that its rows are in now.
QUERIES = {
    "agents(status)": "SELECT * FROM agents WHERE workspace_id = 'w' AND status = 'active'",
    "agent_messages(to_agent, delivered_at)": """
        SELECT * FROM messages WHERE workspace_id = 'w' AND lower(to_agent) = 'a' AND acknowledged_at IS NULL
        ORDER BY created_at
    """,
    "agent_messages(from_agent)": "SELECT * FROM messages WHERE workspace_id = 'w' AND from_agent = 'a'",
    "tasks(agent_id, status)": """
        SELECT * FROM steps WHERE plan_id = 'p' AND status = 'pending' AND waits_for = 0
          AND lower(coalesce(assignee, '')) = 'a'
    """,
    "tasks(status)": "SELECT * FROM steps WHERE plan_id = 'p' AND status = 'pending' ORDER BY order_index",
    "tasks(parent_task_id)": "SELECT * FROM steps WHERE parent_step_id = 's'",
    "tasks(task_id)": "SELECT * FROM steps WHERE external_id = 't'",
    "projects(status)": "SELECT * FROM plans WHERE workspace_id = 'w' AND status = 'active'",
    "project_tasks(project_id)": "SELECT * FROM steps WHERE plan_id = 'p' ORDER BY order_index",
    "context_sessions(agent_id, is_active)": """
        SELECT * FROM sessions WHERE workspace_id = 'w' AND agent = 'a' AND status = 'active'
    """,
    "context_sessions(usage_percent)": "SELECT * FROM sessions WHERE workspace_id = 'w' AND usage_percent > 80",
    "memory_snapshots(session_id, memory_type)": """
        SELECT checkpoint_id FROM checkpoints WHERE session_id = 's' AND kind = 'critical'
    """,
    "memory_snapshots(content_hash)": "SELECT checkpoint_id FROM checkpoints WHERE content_hash = 'h'",
    "memory_snapshots(importance_score)": """
        SELECT checkpoint_id FROM checkpoints WHERE workspace_id = 'w' AND importance > 0.8
    """,
    "context_events(timestamp)": "SELECT * FROM event_log WHERE workspace_id = 'w' ORDER BY event_id LIMIT 9",
    "events(agent_id, timestamp)": """
        SELECT * FROM event_log WHERE workspace_id = 'w' AND agent = 'a' AND source IS NOT NULL ORDER BY timestamp
    """,
    "events(event_type, timestamp)": """
        SELECT * FROM event_log WHERE workspace_id = 'w' AND type = 't' AND source IS NOT NULL ORDER BY timestamp
    """,
    "events(severity, timestamp)": """
        SELECT * FROM event_log WHERE workspace_id = 'w' AND severity = 'critical' ORDER BY timestamp
    """,
    "events(correlation_id)": "SELECT * FROM event_log WHERE correlation_id = 'c'",
    "performance_metrics(agent_id, metric_type)": """
        SELECT * FROM metric_points WHERE parent_type = 'agent' AND parent_id = 'a' AND name = 'duration'
    """,
    "performance_metrics(task_id, metric_type)": """
        SELECT * FROM metric_points WHERE parent_type = 'step' AND parent_id = 's' AND name = 'duration'
    """,
    "performance_metrics(recorded_at)": """
        SELECT * FROM metric_points WHERE workspace_id = 'w' AND recorded_at > '2025'
    """,
    "checkpoints(project_id, created_at)": "SELECT * FROM checkpoints WHERE plan_id = 'p' ORDER BY created_at",
    "git_state(agent_id)": "SELECT * FROM artifacts WHERE parent_type = 'agent' AND parent_id = 'a'",
    "pull_requests(status)": """
        SELECT * FROM artifacts WHERE workspace_id = 'w' AND artifact_type = 'pull_request' AND status = 'open'
    """,
    "pull_requests(author_agent)": "SELECT * FROM artifacts WHERE workspace_id = 'w' AND agent = 'a'",
    "configurations(agent_id, category, key)": """
        SELECT * FROM memory_entries WHERE scope = 'agent' AND scope_id = 'a' AND namespace = 'n' AND key = 'k'
    """,
    "item_history(item_id)": "SELECT * FROM field_changes WHERE entity_type = 'step' AND entity_id = 's'",
}


@pytest.mark.parametrize("promised", QUERIES)
async def test_a_query_that_had_an_index_has_one(db: Database, promised: str) -> None:
    plan = [row["detail"] for row in await db.all(f"EXPLAIN QUERY PLAN {QUERIES[promised]}")]
    assert [line for line in plan if not line.startswith("SEARCH ")] == [], plan
    assert "AUTOMATIC" not in " ".join(plan)
