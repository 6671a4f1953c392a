"""Makes stores of agent-hive as its programs left them, with how many rows of each table they have to become."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

BACKLOG = """<!--
AGENT_ACTION: RESTRICTED
- [ ] **No task of anybody** - in a comment
-->

# 📋 Hive - Master Backlog

**Last Updated**: July 20, 2025

---

## 🔥 P0 - Critical (This Week)

### System Recovery
- [x] **Backlog Recovery** - Restored from history (Est: 2hr) ✅ COMPLETE
- [ ] **Consolidate issues** (GitHub #77 vs #75) - merge them (Est: 30min)

## 🚀 P1 - High Priority (Next 2 Weeks)

### Documentation → für alle
- [x] **API Documentation** (GitHub #8) - update (Est: 3hr) ✅
- [ ] **Security Framework** - JWT auth (Est: 8hr)
  - [ ] **Token Rotation** - a part of it

## 📊 P2 - Medium Priority (Next Month)
- [ ] **Webhook System** - reliable events (Est: 3hr)

## 🎯 P3 - Lower Priority (Future Sprints)
- [ ] **Mobile Dashboard** - responsive UI (Est: 8hr)

## 🔄 Sync Status

### Maintenance Items:
- [ ] **Weekly Review** - validate priorities (Est: 15min/week)
"""
PRIORITIES = {
    "Backlog Recovery": "critical", "Consolidate issues": "critical", "API Documentation": "high",
    "Security Framework": "high", "Token Rotation": "high", "Webhook System": "medium", "Mobile Dashboard": "low",
    "Weekly Review": None,
}  # fmt: skip

LOG = """2025-07-19 09:22:46 INFO     leanvibe.startup                                    Logging initialized
2025-07-19 09:22:47 WARNING  hive.core                    [corr=c-1,task=t-1,agent=pm-agent]  slow
2025-07-19 09:22:48,123 - ERROR - it failed
Traceback (most recent call last):
  File "hive.py", line 1, in <module>
ValueError: no
2025-07-19 09:22:49,001 - hive.core - CRITICAL - it is over
2025-07-19 09:22:50 [INFO] hive.core: again
2025-07-19 09:22:51,500 - plainly said
{"timestamp": "2025-07-16T16:43:12.440758Z", "level": "ERROR", "logger": "acc", "message": "overdue", "line": 292}
🤖 a print
of two lines
"""
LOG_ENTRIES = 8

TABLES = {
    "agents": "agent_id TEXT PRIMARY KEY, agent_type TEXT NOT NULL, status TEXT NOT NULL, worktree_path TEXT, "
    "branch_name TEXT, created_at TEXT, last_activity TEXT, configuration JSON",
    "agent_messages": "message_id TEXT PRIMARY KEY, from_agent TEXT, to_agent TEXT, message_type TEXT, content TEXT, "
    "priority INTEGER DEFAULT 5, sent_at TEXT, delivered_at TEXT, acknowledged_at TEXT",
    "tasks": "task_id TEXT PRIMARY KEY, agent_id TEXT, title TEXT NOT NULL, description TEXT, status TEXT, "
    "priority TEXT, created_at TEXT, started_at TEXT, completed_at TEXT, estimated_duration INTEGER, "
    "actual_duration INTEGER, confidence_score REAL, parent_task_id TEXT, tags JSON, metadata JSON",
    "projects": "project_id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, status TEXT, created_at TEXT, "
    "target_completion TEXT, metadata JSON",
    "project_tasks": "project_id TEXT, task_id TEXT, PRIMARY KEY (project_id, task_id)",
    "context_sessions": "session_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, context_data JSON, usage_percent REAL, "
    "token_count INTEGER, max_tokens INTEGER DEFAULT 200000, created_at TEXT, last_accessed TEXT, is_active BOOLEAN",
    "memory_snapshots": "snapshot_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, memory_type TEXT, content_path TEXT, "
    "content_hash TEXT, compression_ratio REAL, importance_score REAL DEFAULT 0.5, created_at TEXT, expires_at TEXT, "
    "tags JSON",
    "context_events": "event_id TEXT PRIMARY KEY, session_id TEXT, event_type TEXT, details JSON, timestamp TEXT",
    "performance_metrics": "metric_id TEXT PRIMARY KEY, agent_id TEXT, task_id TEXT, metric_type TEXT, "
    "value REAL NOT NULL, unit TEXT, context JSON, recorded_at TEXT",
    "checkpoints": "checkpoint_id TEXT PRIMARY KEY, project_id TEXT, name TEXT NOT NULL, git_tag TEXT, metrics JSON, "
    "quality_score REAL, passed BOOLEAN, created_at TEXT, validated_at TEXT",
    "git_state": "state_id TEXT PRIMARY KEY, agent_id TEXT, branch_name TEXT NOT NULL, commit_hash TEXT, "
    "pr_number INTEGER, pr_status TEXT, lines_added INTEGER, lines_removed INTEGER, files_changed INTEGER, "
    "updated_at TEXT",
    "pull_requests": "pr_id TEXT PRIMARY KEY, pr_number INTEGER UNIQUE, title TEXT NOT NULL, description TEXT, "
    "author_agent TEXT, status TEXT NOT NULL, size_lines INTEGER, test_coverage REAL, quality_score REAL, "
    "created_at TEXT, merged_at TEXT, conflicts_resolved_at TEXT",
    "configurations": "config_id TEXT PRIMARY KEY, agent_id TEXT, category TEXT NOT NULL, key TEXT NOT NULL, "
    "value JSON NOT NULL, updated_at TEXT, updated_by TEXT, UNIQUE (agent_id, category, key)",
    "events": "event_id TEXT PRIMARY KEY, agent_id TEXT, event_type TEXT NOT NULL, severity TEXT, "
    "message TEXT NOT NULL, details JSON, timestamp TEXT, correlation_id TEXT",
}  # fmt: skip
T = "2025-07-{:02}T10:00:00.123456"
STATE = {"working": "ü → 🐝", "open": [1, 2.5, None, {}], "path": "C:\\hive\\a", "when": "CheckpointType.MANUAL"}


@dataclass
class HiveStore:
    """Files by their paths, and the rows that they have to become: counted here, not by what is tested."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    rows: Counter[str] = field(default_factory=Counter[str])
    databases: dict[str, dict[str, tuple[str, list[tuple[Any, ...]]]]] = field(default_factory=dict[str, Any])

    def json(self, path: str, value: Any, **counts: int) -> None:
        self.put(path, dump(value), **counts)

    def text(self, path: str, text: str, **counts: int) -> None:
        self.put(path, text.encode(), **counts)

    def put(self, path: str, data: bytes, **counts: int) -> None:
        self.files[path] = data
        self.rows.update(counts)

    def database(self, path: str, tables: dict[str, tuple[str, list[tuple[Any, ...]]]], **counts: int) -> None:
        self.databases[path] = tables
        self.rows.update(counts)

    def write(self, root: Path) -> Path:
        """Write the store into a folder, and return that."""
        for path, data in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        for path, tables in self.databases.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            made(root / path, tables)
        return root


def made(path: Path, tables: dict[str, tuple[str, list[tuple[Any, ...]]]]) -> None:
    """Make a database with these tables: their columns, and their rows."""
    with closing(sqlite3.connect(path)) as db, db:
        for name, (columns, rows) in tables.items():
            db.execute(f'CREATE TABLE "{name}" ({columns})')
            for row in rows:
                db.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(row))})', row)


def dump(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def snapshot(level: str = "normal", **more: Any) -> Json:
    return {
        "consolidation_level": level,
        "timestamp": "2025-07-19T08:50:31.812993",
        "state": {"agent_status": {"raw_output": "🤖 none"}, "critical_insights": [], "active_work": {}, "n": 10.0},
        "wake_instructions": ["read → first"],
        **more,
    }


def completion(number: int) -> Json:
    agent = f"agent-{number}"
    at = f"2025-07-16T02:22:1{number}.05"
    return {
        "agent_id": agent,
        "completion_time": at,
        "summary": {"agent_id": agent, "task_description": f"task {number}", "accomplishments": [], "metrics": {}},
        "validation": {"tests_passing": False, "build_successful": True, "pr_status": "unknown"},
        "overall_status": "completed_with_issues",
        "recommendations": ["Review"],
    }


def agent(name: str, status: str, **more: Any) -> Json:
    return {
        "agent_id": name, "agent_type": "frontend", "priority": "1.3", "task": f"What {name} does", "timeline": "2",
        "worktree_path": f"new-worktrees/{name}", "spawn_time": "2025-07-16T02:08:47.139418", "status": status,
        "human_decision_points": ["Day 1"], "success_criteria": ["it works"], "escalation_triggers": [], **more,
    }  # fmt: skip


def whole() -> HiveStore:
    """Return a store with every kind of file and every database, without defects."""
    store = HiveStore()
    _memory(store)
    _agents(store)
    _exchange(store)
    _configuration(store)
    store.text("BACKLOG.md", BACKLOG, plans=1, phases=5, steps=8)
    _databases(store)
    return store


def _memory(store: HiveStore) -> None:
    store.json(".claude/memory/LATEST_MEMORY_SNAPSHOT.json", snapshot(), checkpoints=1)
    by_hand = {"session_timestamp": "2025-07-18T10:00:00Z", "consolidation_level": "critical", "phase_status": {}}
    store.json(".claude/memory/HAND_SNAPSHOT.json", by_hand, checkpoints=1)
    deep = {"consolidation_type": "deep", "timestamp": "2025-07-16T12:31:08.712492", "critical_reminders": ["x"]}
    store.json(".claude/memory/DEEP_CONSOLIDATION_20250716_1231.md", deep, checkpoints=1)
    store.text(".claude/memory/LIGHT_CONSOLIDATION.md", "# Light\n\nreal Markdown ü", research_documents=1)
    store.text(".claude/memory/ESSENTIAL_WORKFLOW_KNOWLEDGE.md", "# What everybody knows\n\n- a", knowledge=1)
    for name in ("active-context", "product-context", "progress", "project-brief", "system-patterns", "tech-context"):
        store.text(f"memory-bank/{name}.md", f"# {name}\n", research_documents=1)
    store.json(
        ".claude/context/ctx_pm.json",
        {"session_id": "ctx_pm_1", "agent_id": "pm", "usage_percent": 81.5, "token_count": 1000, "max_tokens": 200000},
        sessions=1,
    )
    store.json(
        ".claude/checkpoints/checkpoint_1752640000_ab.json",
        {"checkpoint_id": "cp-1", "timestamp": "2025-07-16T05:00:00", "checkpoint_type": "CheckpointType.MANUAL",
         "git_status": {"branch": "main", "commit_hash": "abc123"}, "tasks": [], "quality_metrics": {"coverage": 81.5}},
        checkpoints=1,
    )  # fmt: skip
    store.json(
        ".claude/checkpoints/test-checkpoint.json",
        {"name": "test", "timestamp": 1752640000.25, "config": "Config(a=1)", "resource_limits": {}},
        checkpoints=1,
    )
    store.json(
        ".claude/migration_backups/backup_1.json",
        {
            "checkpoint_id": "mb-1",
            "agent_states": {"a": {"mode": "tmux", "capabilities": "set()"}},
            "bridge_config": {},
        },
        checkpoints=1,
    )


def _agents(store: HiveStore) -> None:
    done = {"completion_time": "2025-07-16T08:07:11.952629"}
    store.json(".claude/agents/frontend-1.json", agent("frontend-1", "completed", **done), plans=1, phases=1, steps=1)
    store.json(".claude/agents/backend-1.json", agent("backend-1", "active"), steps=1)
    store.rows["agents"] += 2
    store.put(
        ".claude/agent_completions.jsonl",
        lines(*(completion(n) for n in range(3))),
        lineage=3,
        quality_gates=9,
        agents=3,
    )


def _exchange(store: HiveStore) -> None:
    inbox = [
        {"id": "m-1", "timestamp": "2025-07-16T10:00:00", "from": "pm", "type": "command", "priority": "high",
         "content": "do it → now"},
        {"id": "m-2", "timestamp": "2025-07-16T10:00:01", "from": "pm", "type": "status", "priority": "P3",
         "content": "fine"},
    ]  # fmt: skip
    store.json("message_bus/inboxes/frontend-1.json", inbox, messages=2)
    store.json("message_bus/inboxes/backend-1.json", [], messages=0)
    beat = {"event_type": "heartbeat", "event_id": "hb-1", "timestamp": "2025-07-16T11:00:00", "agent_id": "frontend-1",
            "status": "working", "next_eta_minutes": 5, "schema_version": 1}  # fmt: skip
    store.json("coordination_protocols/heartbeat_frontend-1.json", beat, event_log=1)
    alert = {"event_id": "al-1", "timestamp": "2025-07-16T11:00:01", "event_type": "alert", "source": "monitor",
             "message": "too slow", "severity": "warning", "metadata": {"n": 1}}  # fmt: skip
    store.json(
        "coordination_protocols/coordination_alerts.json",
        {"events": [alert, {**alert, "event_id": "al-2"}], "system_health": {"ok": True}},
        event_log=2,
        context_items=1,
    )
    crisis = {"type": "COORDINATION_CRISIS", "task_id": "t", "overdue_hours": 9.98e-05, "escalation_level": "red"}
    store.put(
        "coordination_protocols/coordination_crisis_log.json",
        lines({**crisis, "timestamp": "2025-07-16T19:43:12"}, {**crisis, "timestamp": "2025-07-16T19:43:13"}),
        event_log=2,
    )
    store.json(
        "coordination_protocols/progress_gateway.json",
        {"component_id": "gateway", "report_timestamp": "2025-07-15T19:00:23.426266",
         "current_status": {"phase": "planning", "status": "not_started", "progress_percentage": 0.0}},
        context_items=1,
        task_progress=1,
    )  # fmt: skip
    store.json(
        "accountability_report_20250716.json",
        {"summary": {"on_track": 1}, "detailed_status": {"on_track": [
            {"task_id": "acc-1", "agent_id": "pm", "status": "in_progress", "progress_percentage": 40}]}},
        context_items=1,
        task_progress=1,
    )  # fmt: skip
    store.json(
        "week2_integration_progress.json",
        {"milestones": [{"id": "ms-1", "title": "First", "description": "d", "target_date": "2025-07-30",
                         "status": "in_progress", "criteria": ["a", "b"]}], "agent_assignments": {"pm": ["ms-1"]}},
        plans=1,
        phases=1,
        steps=1,
        context_items=1,
    )  # fmt: skip
    store.text(".claude/logs/leanvibe.log", LOG, event_log=LOG_ENTRIES)
    store.text(".claude/logs/empty.log", "")


def _configuration(store: HiveStore) -> None:
    store.text(
        ".claude/config/config.yaml",
        "# Hive\nsystem:\n  log_level: INFO  # quiet\n  ratio: 0.85\nagents:\n  claude: {cli_path: claude-code}\n",
        memory_entries=2,
    )
    store.json(".claude/config/context_thresholds.json", {"thresholds": {"light": 75}, "meta": {}}, memory_entries=2)
    store.json(".quality-gates.json", {"agent_name": "performance", "quality_gates": {"a": True}}, memory_entries=2)
    store.text(".claude/personas/pm.md", "# PM\n", research_documents=1)


def _databases(store: HiveStore) -> None:
    store.database(
        ".claude/state.db",
        {
            "checkpoints": ("id TEXT PRIMARY KEY, git_tag TEXT, metrics JSON, timestamp DATETIME",
                            [("scp-1", "milestone-1", '{"tests": 12}', 1752640000.25)]),
            "tasks": ("id TEXT PRIMARY KEY, agent TEXT, status TEXT, confidence REAL",
                      [("st-1", "frontend-1", "completed", 0.9), ("st-2", "new-one", "working", None)]),
            "performance": ("agent TEXT, task_id TEXT, duration REAL, success BOOL",
                            [("frontend-1", "st-1", 12.5, 1), ("frontend-1", "st-1", 12.5, 1)]),
        },
        checkpoints=1, steps=2, metric_points=4,
    )  # fmt: skip
    store.database("agent_hive.db", _fourteen(), **_FOURTEEN_ROWS)
    store.json("memory_snapshots/snap-1.json", STATE)
    store.database(
        "state/hive_state.db",
        {
            "agents": (("agent_id TEXT PRIMARY KEY, status TEXT NOT NULL, current_task_id TEXT, context_usage REAL, "
                       "last_activity TEXT NOT NULL, capabilities JSON, performance_metrics JSON"),
                       [("managed-1", "busy", "mt-1", 0.5, "2025-07-17T10:00:00", '["code"]', "{}")]),
            "tasks": (("task_id TEXT PRIMARY KEY, status TEXT NOT NULL, agent_id TEXT, priority INTEGER DEFAULT 5, "
                      "created_at TEXT NOT NULL, started_at TEXT, completed_at TEXT, metadata JSON"),
                      [("mt-1", "assigned", "managed-1", 1, T.format(1), None, None, '{"title": "Managed"}')]),
            "system_snapshots": ("id INTEGER PRIMARY KEY, timestamp TEXT, total_agents INTEGER, quality_score REAL",
                                 [(1, T.format(2), 4, 0.75)]),
            "checkpoints": ("id TEXT PRIMARY KEY, checkpoint_name TEXT, timestamp TEXT, data JSON",
                            [("mcp-1", "nightly", T.format(3), '{"a": [1]}'), ("mcp-2", "nightly", T.format(4), "{}")]),
        },
        agents=1, steps=1, metric_points=2, checkpoints=2,
    )  # fmt: skip
    store.database(
        "database/backlog.db",
        {
            "backlog_items": (("id INTEGER PRIMARY KEY, title TEXT, description TEXT, priority TEXT, status TEXT, "
                              "estimate TEXT, estimate_hours REAL, github_issue TEXT, created_date TEXT, section TEXT"),
                              [(1, "Mobile Dashboard", "", "P3", "pending", "8hr", 8.0, None, T.format(1), "x"),
                               (2, "Gone since", "d", "P1", "completed", "2hr", 2.0, "#9", T.format(1), "Docs")]),
            "item_history": (("id INTEGER PRIMARY KEY, item_id INTEGER, change_date TEXT, change_type TEXT, "
                             "old_value TEXT, new_value TEXT, sync_batch_id TEXT"),
                             [(1, 1, T.format(2), "priority_changed", "P2", "P3", "b-1"),
                              (2, 1, T.format(2), "priority_changed", "P3", "P2", "b-1")]),
            "sprint_metrics": ("sprint_date TEXT UNIQUE, total INTEGER, velocity REAL", [("2025-07-18", 22, 1.5)]),
            "sync_log": ("batch_id TEXT, items_processed INTEGER, errors JSON, backlog_md_hash TEXT",
                         [("b-1", 22, "[]", "abc")]),
        },
        plans=1, phases=1, steps=1, field_changes=2, metric_points=2, event_log=1, context_items=1,
    )  # fmt: skip
    store.database(
        "state/capabilities.db",
        {
            "agent_capabilities": ("agent_name TEXT, capability TEXT, proficiency_level REAL, icon BLOB",
                                   [("pm", "planning", 0.9, b"\x00\xff"), ("pm", "review", None, None)]),
        },
        context_items=1,
    )  # fmt: skip


_FOURTEEN_ROWS = {
    "agents": 2, "messages": 2, "plans": 2, "phases": 1, "steps": 3, "sessions": 2, "checkpoints": 2,
    "event_log": 3, "metric_points": 2, "artifacts": 2, "memory_entries": 2, "context_items": 2,
}  # fmt: skip


def _fourteen() -> dict[str, tuple[str, list[tuple[Any, ...]]]]:
    rows: dict[str, list[tuple[Any, ...]]] = {
        "agents": [
            ("db-agent", "pm", "active", "w/pm", "feature/pm", T.format(1), T.format(9), '{"model": "opus"}'),
            ("db-idle", "frontend", "sleeping", None, None, T.format(1), None, None),
        ],
        "agent_messages": [
            ("dm-1", "db-agent", "db-idle", "urgent", "wake up", 1, T.format(2), T.format(2), T.format(3)),
            ("dm-2", "db-idle", "db-agent", "status", "zzz", 5, T.format(4), None, None),
        ],
        "tasks": [
            ("dt-1", "db-agent", "Parent", "all", "in_progress", "high", T.format(1), T.format(2), None, 120, None,
             0.8, None, '["a", "b"]', '{"k": 1}'),
            ("dt-2", "db-agent", "Child", None, "completed", "low", T.format(1), T.format(2), T.format(3), 60, 90, 0.9,
             "dt-1", "[]", "{}"),
            ("dt-3", None, "Of both", None, "failed", "medium", T.format(1), None, None, None, None, None, None, None,
             None),
        ],
        "projects": [
            ("p-1", "First project", "it", "planning", T.format(1), "2025-09-01", "{}"),
            ("p-2", "Second project", None, "paused", T.format(1), None, None),
        ],
        "project_tasks": [("p-1", "dt-1"), ("p-1", "dt-2"), ("p-1", "dt-3"), ("p-2", "dt-3")],
        "context_sessions": [
            ("ctx_1", "db-agent", '{"a": 1}', 85.5, 171000, 200000, T.format(1), T.format(2), 1),
            ("ctx_2", "db-idle", None, 10.0, 20000, 200000, T.format(1), None, 0),
        ],
        "memory_snapshots": [
            ("snap-1", "ctx_1", "consolidated", "memory_snapshots/snap-1.json", None, 0.5, 0.9, T.format(1), None, ""),
        ],
        "context_events": [("ce-1", "ctx_1", "consolidation", '{"n": 1}', T.format(2))],
        "performance_metrics": [
            ("pm-1", "db-agent", "dt-1", "duration", 12.5, "minutes", '{"x": 1}', T.format(2)),
            ("pm-2", "db-agent", None, "quality", 0.75, None, None, T.format(3)),
        ],
        "checkpoints": [("dc-1", "p-1", "green", "v1", '{"tests": 3}', 0.9, 1, T.format(3), T.format(4))],
        "git_state": [("gs-1", "db-agent", "feature/pm", "abc", 12, "open", 10, 2, 1, T.format(3))],
        "pull_requests": [
            ("pr-1", 12, "A change", None, "db-agent", "open", 12, 80.5, 0.9, T.format(3), None, None),
        ],
        "configurations": [
            ("cf-1", None, "context", "light", "75", T.format(1), "pm"),
            ("cf-2", "db-agent", "context", "light", '{"a": [1]}', T.format(1), None),
        ],
        "events": [
            ("ev-1", "db-agent", "task_started", "info", "begun", '{"t": 1}', T.format(2), "corr-1"),
            ("ev-2", None, "crash", "critical", "gone", None, T.format(3), None),
        ],
    }  # fmt: skip
    return {name: (columns, rows[name]) for name, columns in TABLES.items()}
