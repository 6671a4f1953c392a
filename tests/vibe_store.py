"""A generator of synthetic projects of vibe-agency: every file that its programs wrote, in each of the shapes.

`store()` is one healthy project as a mapping of paths to bytes with what has to come of it (`Expected`), counted here
and not by the code under test; `put` writes one to the disk. `missions_db` and `history_db` make their databases.
"""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Files = dict[str, bytes]

ROOT_ID = "0b6d2f8e-3c1a-4a55-9d0e-7f2c4b1a9e60"
CLIENT_ID = "temple-reader-001"
MISSION_ID = "genesis-2025-11"
TEXT = "größe → ☃ 数据 `src/app.py` 🎯"
HANDOFF = ".session_handoff.json"
MISSION = ".vibe/state/active_mission.json"
ROADMAP = ".vibe/config/roadmap.yaml"
CLEANUP = "docs/cleanup_roadmap.json"
PHASE_3 = "docs/roadmap/phase_3.json"
MEMORY = ".vibe/project_memory.json"
DEBTS = ".debt_backlog.json"
INDEX = "workspaces/.workspace_index.yaml"
CLIENT = "workspaces/temple_reader/project_manifest.json"
FLAT = "workspaces/old_toolkit/project_manifest.json"
DATABASE = ".vibe/state/vibe_agency.db"
HISTORY = "data/vibe.db"


def dump(value: Any, *, ascii_only: bool = False, newline: bool = False, indent: int | None = 2) -> bytes:
    return (json.dumps(value, indent=indent, ensure_ascii=ascii_only) + "\n" * newline).encode()


@dataclass
class Store:
    """The files of a project, and how many rows of each table have to come of them."""

    files: Files = field(default_factory=Files)
    rows: Counter[str] = field(default_factory=Counter[str])

    def put(self, path: str, content: bytes, **rows: int) -> None:
        self.files[path] = content
        self.rows.update(rows)


def manifest(project_id: str = ROOT_ID, name: str = "agency", phase: str = "CODING") -> Json:
    """A manifest of the first version: 4 artifacts, 2 gates, a budget, a roadmap of 2 versions with 3 features."""
    return {
        "apiVersion": "agency.os/v1alpha1",
        "kind": "Project",
        "metadata": {
            "projectId": project_id, "name": name, "description": f"The project {name}: {TEXT}",
            "owner": "someone@example.org", "createdAt": "2025-11-12T14:00:00Z",
            "lastUpdatedAt": "2025-11-14T13:25:00.5Z", "tags": ["cli", "nonprofit"],
        },
        "spec": {"vibe": {"project_type": "nonprofit", "core_values": TEXT}, "genesis": {}},
        "status": {
            "projectPhase": phase, "planningSubState": None, "lastUpdate": "2025-11-14 13:25:00",
            "message": f"All prompts are designed. {TEXT}",
            "qualityGates": {
                "PLANNING → CODING": {
                    "transition": "PLANNING → CODING",
                    "gates": [
                        {"check": "prompt_security_scan", "status": "PASS", "timestamp": "2025-11-13T10:00:00Z",
                         "duration_ms": 12.5, "severity": "critical", "blocking": True, "findings": []},
                        {"check": "data_privacy_scan", "status": "FAIL", "timestamp": "2025-11-13T10:00:01+0000",
                         "message": "two fields", "remediation": "mask them", "findings": [{"field": "mail"}]},
                    ],
                },
            },
        },
        "artifacts": {
            "planning": {
                "architecture": {"ref": "ef1c122a4a57", "path": "/artifacts/planning/architecture.v1.json"},
                "lean canvas": {"path": "artifacts/lean.json", "created_at": "2025-11-13", "status": "approved"},
            },
            "code": {
                "mainRepository": {"url": "https://example.org/agency.git", "branch": "main", "lastCommit": "ef1c122"},
            },
            "test": {},
            "deployment": {"receipt": "artifacts/receipt.json"},
        },
        "budget": {
            "max_cost_usd": 10.0, "current_cost_usd": 2.5, "alert_threshold": 0.75, "cost_breakdown": {"coding": 2.5},
        },
        "roadmap": {
            "v1.0": {"status": "completed", "timeline": "Q4", "features": ["reader", "parser"]},
            "v2.0": {"status": "planned", "timeline": None, "features": [{"name": "sync", "id": "F-3", "e": 10.0}]},
        },
        "x_unknown": {"empty": {}, "none": None, "list": [], "ten": 10.0, "deep": [{"a": [1, 2.50]}]},
    }  # fmt: skip


MANIFEST_ROWS = {"plans": 1, "plan_terms": 2, "plan_notes": 1, "quality_gates": 2, "artifacts": 4, "budgets": 1,
                 "phases": 2, "steps": 3}  # fmt: skip


def flat_manifest(project_id: str = "old_toolkit_001") -> Json:
    """A manifest as they were before, in a phase that their tables refuse."""
    return {
        "project_id": project_id,
        "project_name": "Old toolkit",
        "project_type": "internal",
        "workspace": "old_toolkit",
        "current_state": "AWAITING_CODE_GENERATION",
        "current_agent": "GENESIS_BLUEPRINT",
        "metadata": {
            "description": "Tools of old", "target_users": "agents", "tech_stack": ["python"], "complexity": "low",
        },
        "links": {"repo": "https://example.org/toolkit", "docs": None},
        "artifacts": {"coding": {"bundle": {"path": "artifacts/bundle.json", "validation": {"ok": True}}}},
        "created_at": "2025-11-13T00:00:00Z",
        "framework_version": "1.1.0",
    }  # fmt: skip


FLAT_ROWS = {"plans": 1, "artifacts": 1}


def genesis_mission() -> Json:
    return {
        "mission_id": MISSION_ID,
        "mission_name": "Genesis",
        "status": "active",
        "created_at": "2025-11-20T08:00:00+00:00",
        "genesis_time": "2025-11-20T08:00:00+00:00",
        "description": f"The first mission. {TEXT}",
        "objectives": ["boot", "verify", TEXT],
        "context": {"mode": "genesis", "genesis": True, "version": "1.0", "phase": "PLANNING"},
    }


def task(key: str, status: str = "TODO", **more: Any) -> Json:
    """A task as the task manager dumps it: times without a zone, a scale of 1 to 10."""
    return {
        "version": 1, "id": key, "name": f"Task {key}", "description": f"What {key} does", "status": status,
        "priority": 9, "created_at": "2025-11-20 10:00:00.123456", "started_at": None, "completed_at": None,
        "time_budget_mins": 120, "time_used_mins": 0, "validation_checks": [], "blocking_reason": None,
        "blocked_by": [], "blocking_tasks": [], "related_files": ["src/app.py"], "git_commits": [], **more,
    }  # fmt: skip


def check(key: str, *, passed: bool, at: str | None) -> Json:
    return {"id": key, "description": f"{key} holds", "validator": "run_tests", "params": {}, "status": passed,
            "last_check": at, "error": None}  # fmt: skip


def manager_mission() -> Json:
    """What the task manager has in hand: no id, and a task with two checks."""
    checks = [check("tests", passed=True, at="2025-11-20 11:00:00"), check("lint", passed=False, at=None)]
    return {
        "version": 1,
        "current_task": task("T-9", "IN_PROGRESS", started_at="2025-11-20 10:30:00", validation_checks=checks),
        "total_tasks_completed": 4,
        "total_time_spent_mins": 210,
        "current_phase": "CODING",
        "last_updated": "2025-11-20 11:02:03.5",
    }


MANAGER_ROWS = {"plans": 1, "phases": 1, "steps": 1, "quality_gates": 2}

ROADMAP_YAML = f"""\
# Written by the task manager; comments stay.
version: 1
project_name: "Vibe roadmap"
phases:
  - name: Foundation   # first
    status: COMPLETED
    progress: 100
    task_ids: [T-1, T-2]
  - name: Growth
    status: IN_PROGRESS
    progress: 40
    task_ids:
      - T-3
      - T-4
tasks:
  T-1:
    id: T-1
    name: "Lay the ground"
    status: DONE
    priority: 10
    created_at: '2025-11-18 09:00:00'
    completed_at: 2025-11-18 10:00:00
    time_budget_mins: 60
    blocking_tasks: [T-2]
  T-2:
    id: T-2
    name: Build on it
    status: DONE
    priority: 5
    blocked_by: [T-1]
  T-3:
    id: T-3
    name: {TEXT!r}
    status: IN_PROGRESS
    priority: 7
    blocked_by: [T-2]
  T-4:
    id: T-4
    name: Wait
    status: BLOCKED
    blocking_reason: waits for T-3
    blocked_by: [T-3]
    priority: 1
  T-5:
    id: T-5
    name: Of no phase
    status: TODO
    priority: 3
"""
ROADMAP_ROWS = {"plans": 1, "phases": 3, "steps": 5, "dependencies": 3}


def cleanup_roadmap() -> Json:
    """The first shape: tasks say nothing of their status; `progress_tracking` lists what is done."""

    def one(key: str, *waits: str, **more: Any) -> Json:
        return {
            "task_id": key, "name": f"Clean {key}", "description": f"{key}: {TEXT}",
            "acceptance_criteria": [f"{key} is clean", "tests pass"], "estimated_time_mins": 45, "priority": "P0",
            "dependencies": list(waits), **more,
        }  # fmt: skip

    return {
        "roadmap_version": "1.0.0-cleanup",
        "roadmap_name": "Foundation Cleanup & Stabilization",
        "created_at": "2025-11-20",
        "strategy": "Self-healing",
        "context": f"It grew too fast. {TEXT}",
        "phases": [
            {"phase_id": "PHASE_0", "phase_name": "Triage", "objective": "Sort", "estimated_sessions": 2,
             "status": "complete", "tasks": [one("Q001"), one("Q002", "Q001", deliverables=["docs/a.md"])]},
            {"phase_id": "PHASE_1", "phase_name": "Stop the bleeding", "objective": "Mend", "estimated_sessions": 2,
             "status": "pending", "tasks": [one("B001", "Q002"), one("B002", "B001", "Z999", priority="P2")]},
        ],
        "execution_strategy": {"mode": "steward_sessions", "workflow": ["boot", "pick", "work"]},
        "progress_tracking": {
            "current_phase": "PHASE_1", "current_task": "B001", "completed_tasks": ["Q001", "Q002"],
            "blocked_tasks": [], "estimated_total_time_mins": 180, "last_updated": "2025-11-21T10:35:00.000000Z",
        },
        "metrics": {"before": {"loc": "~500+"}, "after_target": {"loc": 200.0}},
    }  # fmt: skip


CLEANUP_ROWS = {"plans": 1, "phases": 2, "steps": 4, "dependencies": 3}


def phase_3_roadmap() -> Json:
    """The second shape: tasks have a status, ids are numbers, two phases share a name."""
    return {
        "name": "Phase 3",
        "start_date": "2025-11-22",
        "phases": [
            {"id": 1, "name": "Split", "status": "complete", "tasks": [
                {"id": 1, "name": "Move the kernel", "status": "complete", "files": ["kernel/a.py"]},
                {"id": 2, "name": "Move the agency", "status": "done"},
            ]},
            {"id": 2, "name": "Split", "status": "pending", "tasks": [
                {"id": 3, "name": "Weld", "status": "pending"},
                "only a text",
            ]},
        ],
        "risks": [{"risk": "drift", "severity": "high", "mitigation": "audit"}],
    }  # fmt: skip


PHASE_3_ROWS = {"plans": 1, "phases": 2, "steps": 4}


def memory(project_id: str | None = ROOT_ID) -> Json:
    return {
        "_schema_version": "1.0",
        "_created": "2025-11-15T09:00:00",
        "project_id": project_id,
        "narrative": [
            {"session": 1, "summary": "Began", "date": "2025-11-15", "phase": "PLANNING"},
            {"session": 2, "summary": f"Went on {TEXT}", "date": "2025-11-16T10:00:00.12Z", "phase": "CODING"},
        ],
        "domain": {"type": "cli", "concepts": ["epub", "plugin"], "concerns": ["authenticity", "epub"]},
        "trajectory": {
            "phase": "CODING", "completed": ["PLANNING"], "current_focus": "the parser", "blockers": ["no EPUB"],
        },
        "intent_history": [
            {"session": 1, "intent": "plan", "confidence": 0.9}, {"session": 2, "intent": "plan", "confidence": 1},
        ],
    }  # fmt: skip


MEMORY_ROWS = {"sessions": 2, "plan_terms": 6}

HANDOFFS: dict[str, Json] = {
    "flat": {
        "from_agent": "Claude Code", "from_session": "claude/branch-01", "date": "2025-11-16", "branch": "main",
        "completed": ["✅ layer one", "tests"], "next_session_todos": ["layer two"],
        "critical_files_to_understand": ["vibe-cli"], "commits": [{"sha": "ef1c", "message": "m"}], "meta": {"n": 1.0},
        "context_for_next_session": {}, "state": "in-progress",
    },
    "2.0_4layer": {
        "_schema_version": "2.0_4layer", "_token_budget": 450,
        "layer0_bedrock": {"from": "STEWARD - claude/x", "date": "2025-11-19", "state": "complete", "blocker": None},
        "layer1_runtime": {"completed_summary": f"Boot mended {TEXT}", "todos": ["go on"], "critical_files": []},
        "layer2_detail": {"warnings": [], "next_steps_detail": [{}], "completed": [], "key_decisions": ["keep"]},
    },
    "camel": {
        "sessionInfo": {"sessionId": "s-7", "agent": "steward", "timestamp": "2025-11-17T08:00:00Z"},
        "systemState": {"status": "operational"}, "workContext": {"phase": "CODING", "blockers": []},
        "artifacts": {}, "verification": {"tests": "96.3%"},
    },
    "3.0": {
        "_schema_version": "3.0_AUDIT_COMPLETE", "_verified_date": "2025-11-20T20:52:00Z", "_CRITICAL": "drift",
        "layer0_bedrock": {"from": "STEWARD", "state": "AUDIT_COMPLETE"},
        "p0_critical_blockers": [{"id": "P0-001", "title": "RouterBridge missing", "status": "open",
                                  "acceptance_criteria": ["it is there"]}],
        "next_session_briefing": "Close the gap.",
    },
    "loader": {"phase": "CODING", "last_task": "T-1", "blockers": ["none"], "backlog": ["T-2"]},
}  # fmt: skip


def debts() -> Json:
    return {
        "version": "1.2",
        "last_updated": "2025-11-21",
        "system_status": {"health": "ok"},
        "work_packages": [
            {"id": "WP-01", "title": "Mend the gates", "description": TEXT, "semantics": {}, "impact": {"users": 3},
             "effort": {"estimated_hours": 2.5, "actual_hours": 3, "phases": ["a"], "priority": "P1"},
             "dependencies": [], "status": "COMPLETED", "lean_score": 8.0, "tracked_in": "docs/a.md",
             "completed_at": "2025-11-20T12:00:00Z"},
            {"id": "WP-02", "title": "Then the rest", "status": "TODO", "dependencies": ["WP-01"],
             "effort": {"estimated_hours": 8, "phases": [], "priority": "medium"}, "tracked_in": ["a.md", "b.md"]},
        ],
        "regression_analysis": {"found": []},
    }  # fmt: skip


DEBT_ROWS = {"plans": 1, "phases": 1, "steps": 2, "dependencies": 1}

INDEX_YAML = """\
# ====================
# Workspace Registry
# ====================
version: "1.0.0"
kind: WorkspaceRegistry
metadata: {lastUpdated: "2025-11-14", totalWorkspaces: 2}
workspaces:
  - id: "temple-reader-001"
    name: temple_reader
    manifestPath: "workspaces/temple_reader/project_manifest.json"
    status: active   # for now
    metadata:
      tags: ["client", "cli-app"]
archived: []
conventions:
  note: |
    several
      lines
"""


def small(**shown: Any) -> bytes:
    return dump(shown, newline=True)


def store(mission: Json | None = None) -> Store:
    """A healthy project with a file of every kind."""
    found = Store()
    found.put("project_manifest.json", dump(manifest()), **MANIFEST_ROWS)
    client = manifest(CLIENT_ID, "Temple reader", "PRODUCTION")
    found.put(CLIENT, dump(client, ascii_only=True, newline=True), **MANIFEST_ROWS)
    found.put(f"{CLIENT}.bak", dump(flat_manifest("temple_reader_001"), indent=4), context_items=1)
    found.put(FLAT, dump(flat_manifest()), **FLAT_ROWS)
    found.put(MISSION, dump(mission or genesis_mission()), **(MANAGER_ROWS if mission else {"plans": 1}))
    found.put(ROADMAP, ROADMAP_YAML.encode(), **ROADMAP_ROWS)
    found.put(CLEANUP, dump(cleanup_roadmap(), newline=True), **CLEANUP_ROWS)
    found.put(PHASE_3, dump(phase_3_roadmap(), ascii_only=True), **PHASE_3_ROWS)
    found.put(MEMORY, dump(memory()), **MEMORY_ROWS)
    found.put(HANDOFF, dump(HANDOFFS["2.0_4layer"]), lineage=1)
    found.put(".session_handoff_gad006.json", dump(HANDOFFS["flat"], indent=None), lineage=1)
    found.put(DEBTS, dump(debts()), **DEBT_ROWS)
    found.put(INDEX, INDEX_YAML.encode(), context_items=1)
    papers(found)
    return found


def papers(found: Store) -> None:
    """Add what the programs wrote beside their work."""
    found.put(".vibe/runtime/context.json", small(session={"phase": "CODING"}, git={"branch": "main"}), context_items=1)
    trusted = {"core": {"a.py": {"path": "a.py", "sha256": "00" * 32, "critical": True}}}
    integrity = {"manifestVersion": "1", "generatedAt": "2025-11-20T00:00:00Z", "trustedBaseline": trusted}
    found.put(".vibe/system_integrity_manifest.json", small(**integrity), context_items=1)
    receipt = small(agent="coder", task="T-1", timestamp="2025-11-18T10:00:00Z", hash="abc")
    found.put(".vibe/receipts/T-1.json", receipt, artifacts=1)
    found.put(".vibe/history/mission_logs/T-1_completed.md", f"# T-1\n\n{TEXT}\n".encode(), research_documents=1)
    archive = small(id="T-0", name="Begin", status="DONE", priority=5, archived_at="2025-11-17 09:00:00",
                    validation_summary={"total_checks": 2, "passing_checks": 2})  # fmt: skip
    found.put(".vibe/archive/T-0_archive.json", archive, checkpoints=1)
    request = small(type="delegation", request_id="r-1", agent="coder", task_id="T-3", prompt="Do it",
                    timestamp="2025-11-19T10:00:00Z", metadata={"delegator": "vibe-cli", "mode": "file"})  # fmt: skip
    folder = "workspaces/temple_reader/.delegation"
    found.put(f"{folder}/request_r-1.json", request, messages=1)
    found.put(f"{folder}/response_r-1.json", small(result={"ok": True}), messages=1)
    found.put("workspaces/temple_reader/artifacts/planning/brief.md", b"# Brief\n", research_documents=1)


def put(folder: Path, found: Store) -> Path:
    """Write a project, with code of its own beside that is none of the store's."""
    for path, content in {**found.files, "src/app.py": b"print()\n", "package.json": b"{}"}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


# Their databases.

DDL = """
CREATE TABLE missions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, mission_uuid TEXT UNIQUE NOT NULL, phase TEXT NOT NULL, status TEXT NOT NULL,
    created_at TEXT NOT NULL, completed_at TEXT, updated_at TEXT, planning_sub_state TEXT, max_cost_usd REAL,
    current_cost_usd REAL DEFAULT 0.0, alert_threshold REAL DEFAULT 0.80, cost_breakdown JSON, owner TEXT,
    description TEXT, api_version TEXT DEFAULT 'agency.os/v1alpha1', metadata JSON);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, mission_id INTEGER NOT NULL REFERENCES missions ON DELETE CASCADE,
    tool_name TEXT NOT NULL, args JSON NOT NULL, result JSON, timestamp TEXT NOT NULL, duration_ms INTEGER,
    success INTEGER NOT NULL, error_message TEXT);
CREATE TABLE decisions (id INTEGER PRIMARY KEY, mission_id INTEGER NOT NULL, decision_type TEXT NOT NULL,
    rationale TEXT, timestamp TEXT NOT NULL, agent_name TEXT, context JSON);
CREATE TABLE playbook_runs (id INTEGER PRIMARY KEY, mission_id INTEGER NOT NULL, playbook_name TEXT NOT NULL,
    phase TEXT, started_at TEXT NOT NULL, completed_at TEXT, success INTEGER, metrics JSON, error_message TEXT);
CREATE TABLE agent_memory (id INTEGER PRIMARY KEY, mission_id INTEGER NOT NULL, key TEXT NOT NULL, value JSON,
    timestamp TEXT NOT NULL, ttl INTEGER, expires_at TEXT, UNIQUE (mission_id, key));
CREATE TABLE session_narrative (id INTEGER PRIMARY KEY, mission_id INTEGER, session_num INTEGER NOT NULL,
    summary TEXT NOT NULL, date TEXT NOT NULL, phase TEXT NOT NULL);
CREATE TABLE domain_concepts (id INTEGER PRIMARY KEY, mission_id INTEGER, concept TEXT NOT NULL,
    timestamp TEXT NOT NULL);
CREATE TABLE domain_concerns (id INTEGER PRIMARY KEY, mission_id INTEGER, concern TEXT NOT NULL,
    timestamp TEXT NOT NULL);
CREATE TABLE trajectory (id INTEGER PRIMARY KEY, mission_id INTEGER UNIQUE NOT NULL, current_phase TEXT NOT NULL,
    current_focus TEXT, completed_phases JSON, blockers JSON, updated_at TEXT NOT NULL);
CREATE TABLE artifacts (id INTEGER PRIMARY KEY, mission_id INTEGER, artifact_type TEXT NOT NULL,
    artifact_name TEXT NOT NULL, ref TEXT, path TEXT, url TEXT, branch TEXT, metadata JSON, created_at TEXT NOT NULL);
CREATE TABLE quality_gates (id INTEGER PRIMARY KEY, mission_id INTEGER, gate_name TEXT NOT NULL, status TEXT NOT NULL,
    details JSON, timestamp TEXT NOT NULL);
CREATE TABLE tasks (id TEXT PRIMARY KEY, description TEXT NOT NULL, parent_id TEXT REFERENCES tasks,
    status TEXT DEFAULT 'pending', result TEXT, created_at TEXT NOT NULL, updated_at TEXT);
CREATE VIEW active_missions AS SELECT * FROM missions WHERE status IN ('pending', 'in_progress');
PRAGMA user_version = 2;
"""
AT = "2025-11-20T10:00:00Z"
DATABASE_ROWS = {
    "plans": 2, "tool_calls": 2, "decisions": 1, "runs": 3, "memory_entries": 3, "sessions": 1, "plan_terms": 2,
    "artifacts": 1, "quality_gates": 1, "budgets": 1, "phases": 1, "steps": 3,
}  # fmt: skip


def missions_db(path: Path) -> Path:
    """Make a database with a mission of its own, the one of the file, and everything that hangs on them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(DDL)
        db.executemany(
            "INSERT INTO missions (id, mission_uuid, phase, status, created_at, max_cost_usd, current_cost_usd, owner,"
            " cost_breakdown, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (1, MISSION_ID, "PLANNING", "in_progress", AT, None, 0.0, None, None, "{}"),
                (2, "m-of-the-db", "TESTING", "completed", AT, 5.0, 1.25, "me", '{"a": 1.0}', '{"name": "Kept"}'),
            ],
        )
        _evidence(db)
        _standing(db)
        db.executemany(
            "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)",
            [("t1", "The whole", None, "in_progress", None, AT, AT),
             ("t2", "A part", "t1", "completed", '{"ok": true}', AT, AT),
             ("t3", "Another", "t1", "failed", "no JSON", AT, None)],
        )  # fmt: skip
    return path


def _evidence(db: sqlite3.Connection) -> None:
    db.executemany(
        "INSERT INTO tool_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(1, 1, "read_file", '{"path": "a"}', '{"bytes": 3}', AT, 12, 1, None),
         (2, 2, "write_file", "[]", None, "2025-11-20 10:00:01", None, 0, "denied")],
    )  # fmt: skip
    db.execute(
        "INSERT INTO decisions VALUES (1, 1, 'routing', 'Use the parser.\nIt is there.', ?, 'planner', '{}')", (AT,)
    )
    db.executemany(
        "INSERT INTO playbook_runs VALUES (?, 2, ?, 'TESTING', ?, ?, ?, ?, ?)",
        [(1, "restore", AT, AT, 1, '{"ms": 5}', None), (2, "deploy", AT, AT, 0, None, "no key"),
         (3, "endless", AT, None, None, None, None)],
    )  # fmt: skip
    db.executemany(
        "INSERT INTO agent_memory VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(1, 1, "kept", '"a text"', AT, None, None), (2, 1, "short", '{"n": 1.0}', AT, 3600, "2025-11-20 11:00:00"),
         (3, 2, "session_handoff", '{"from": "x"}', AT, 60, None)],
    )  # fmt: skip
    db.execute(
        "INSERT INTO artifacts VALUES (1, 2, 'testing', 'report', 'ef1', 'r.json', NULL, NULL, '{\"n\": 1}', ?)", (AT,)
    )
    db.execute("INSERT INTO quality_gates VALUES (1, 2, 'lint', 'passed', '{\"errors\": 0}', ?)", (AT,))


def _standing(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO session_narrative VALUES (1, 2, 7, 'Tested', '2025-11-20', 'TESTING')")
    db.execute("INSERT INTO domain_concepts VALUES (1, 2, 'sqlite', ?)", (AT,))
    db.execute("INSERT INTO domain_concerns VALUES (1, 2, 'locks', ?)", (AT,))
    db.execute(
        "INSERT INTO trajectory VALUES (1, 2, 'TESTING', 'the report', '[\"PLANNING\"]', '[\"no key\"]', ?)", (AT,)
    )


HISTORY_ROWS = {"runs": 3}


def history_db(path: Path) -> Path:
    """Make their other database: how tasks ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE task_history (task_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, input_payload JSON NOT NULL,"
            " output_result JSON, status TEXT NOT NULL, error_message TEXT, timestamp TEXT NOT NULL)"
        )
        db.executemany(
            "INSERT INTO task_history VALUES (?, ?, ?, ?, ?, ?, ?)",
            [("h1", "coder", '{"a": 1}', '{"b": 2}', "COMPLETED", None, AT),
             ("h2", "coder", "{}", None, "FAILED", "boom", AT), ("h3", "tester", "{}", None, "STARTED", None, AT)],
        )  # fmt: skip
    return path
