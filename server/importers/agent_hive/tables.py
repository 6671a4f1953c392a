"""The tables of a hive's databases that are known: what a row of each becomes. A mapper says whether it became one."""

import json
from collections.abc import Callable, Collection
from typing import Any

from server.importers.agent_hive import agents, configuration, exchange, memories, metrics, snapshots, tasks
from server.importers.agent_hive.hive import HivePart
from server.importers.values import Object

Mapper = Callable[[HivePart, Object, str], bool]

# The table, columns that tell it from another one of that name, and what its rows become: the first that fits.
KNOWN: tuple[tuple[str, frozenset[str], Mapper], ...] = (
    ("projects", frozenset({"project_id", "name"}), tasks.project),
    ("project_tasks", frozenset({"project_id", "task_id"}), tasks.membership),
    ("agents", frozenset({"agent_id", "status"}), agents.row),
    ("tasks", frozenset({"task_id", "status"}), tasks.task),
    ("tasks", frozenset({"id", "agent", "status"}), tasks.task),
    ("backlog_items", frozenset({"title", "priority", "section"}), tasks.backlog_item),
    ("item_history", frozenset({"item_id", "change_type"}), metrics.change),
    ("context_sessions", frozenset({"session_id", "agent_id"}), memories.session_row),
    ("memory_snapshots", frozenset({"snapshot_id"}), snapshots.row),
    ("checkpoints", frozenset({"checkpoint_id"}), snapshots.checkpoint),
    ("checkpoints", frozenset({"id"}), snapshots.checkpoint),
    ("agent_messages", frozenset({"from_agent", "to_agent"}), exchange.message_row),
    ("context_events", frozenset({"event_id", "event_type"}), exchange.event_row),
    ("events", frozenset({"event_id", "event_type"}), exchange.event_row),
    ("sync_log", frozenset({"batch_id"}), exchange.sync_row),
    ("performance_metrics", frozenset({"metric_type", "value"}), metrics.metric),
    ("baseline_metrics", frozenset({"metric_name", "value"}), metrics.metric),
    ("performance", frozenset({"task_id", "duration"}), metrics.performance),
    ("system_snapshots", frozenset({"timestamp"}), metrics.wide),
    ("sprint_metrics", frozenset({"sprint_date"}), metrics.wide),
    ("git_state", frozenset({"branch_name"}), metrics.git_state),
    ("pull_requests", frozenset({"pr_number", "title"}), metrics.pull_request),
    ("configurations", frozenset({"category", "key", "value"}), configuration.row),
)  # fmt: skip
ORDER = tuple(dict.fromkeys(name for name, _, _ in KNOWN))
JSON_COLUMNS = (
    "configuration", "capabilities", "performance_metrics", "metadata", "tags", "details", "context", "context_data",
    "metrics", "data", "content", "value", "errors",
)  # fmt: skip


def place_of(table: str) -> tuple[int, str]:
    """Return the place of a table: what others name comes before them."""
    return (ORDER.index(table) if table in ORDER else len(ORDER)), table


def mapper_of(table: str, columns: Collection[str]) -> Mapper | None:
    """Return what makes rows of a table, or None if it is not known."""
    found = next((one for name, needed, one in KNOWN if name == table and needed <= set(columns)), None)
    return (lambda part, value, where: found(part, opened(value), where)) if found else None


def opened(value: Object) -> Object:
    """Return a row with the JSON in it as values, and without what is NULL."""
    return {name: _json(name, item) for name, item in value.items() if item is not None}


def _json(name: str, item: Any) -> Any:
    if name not in JSON_COLUMNS or not isinstance(item, str) or item[:1] not in ("{", "[", '"'):
        return item
    try:
        return json.loads(item)
    except ValueError:
        return item
