"""A generator of synthetic file stores, as the file-based Project Memory left them behind.

`store(seed)` is one healthy store as a mapping of paths to bytes, `write(root)` puts one on the disk. The same seed
gives the same bytes. What is odd about a store has a name, and is added by a function of `Maker`: in `legacy_shapes`
what the old program and its ancestors wrote, in `legacy_defects` what happened to files since.
"""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Files = dict[str, bytes]
Json = dict[str, Any]

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
WORKSPACE = "sample_app-0a1b2c3d4e5f"
LEGACY_WORKSPACE = "sample-app-99887766aabb"
WORKSPACE_PATH = "c:\\Users\\someone\\Sample_App"

AGENTS = [
    "Coordinator",
    "Researcher",
    "Architect",
    "Executor",
    "Reviewer",
    "Tester",
    "Archivist",
    "Builder",
    "Revisionist",
]
CATEGORIES = ["feature", "change", "refactor", "bug", "analysis", "documentation", "investigation"]
CATEGORIES_V2 = ["feature", "bugfix", "refactor", "orchestration", "program", "quick_task", "advisory"]
STEP_TYPES = ["standard", "code", "test", "documentation", "validation", "fix", "planning", "research", "build"]
TEXT = "parse the cache index of every queue before its reader leaves a trace für jede → größe ☃ 数据 in `src/app.py`"
WORDS = TEXT.split(" ")

# How the old writers ended a file, and how often: without a newline nearly always.
STYLES: list[tuple[bool, bool]] = [(False, False)] * 8 + [(True, False), (True, True)]


def dump(value: Any, *, newline: bool = False, ascii_only: bool = False) -> bytes:
    text = json.dumps(value, indent=2, ensure_ascii=ascii_only)
    return (text + "\n" * newline).encode()


@dataclass
class Maker:
    """One workspace in the making: its files, and a source of chance, of ids and of ever later times."""

    seed: int = 0
    workspace_id: str = WORKSPACE
    files: Files = field(default_factory=Files)
    plan_ids: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.seed} {self.workspace_id}")
        self.moment = START

    def put(self, path: str, value: Any) -> None:
        """Add a JSON file, in one of the styles."""
        newline, ascii_only = self.chance.choice(STYLES)
        self.files[path] = dump(value, newline=newline, ascii_only=ascii_only)

    def here(self, path: str) -> str:
        return f"{self.workspace_id}/{path}"

    def time(self) -> str:
        self.moment += timedelta(milliseconds=self.chance.randrange(1, 7_200_000))
        return self.moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.moment.microsecond // 1000:03d}Z"

    def hex(self, digits: int = 8) -> str:
        return f"{self.chance.getrandbits(digits * 4):0{digits}x}"

    def id(self, prefix: str) -> str:
        alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
        return f"{prefix}_ml{''.join(self.chance.choices(alphabet, k=6))}_{self.hex()}"

    def text(self, words: int = 8) -> str:
        return " ".join(self.chance.choices(WORDS, k=self.chance.randrange(1, words + 1)))

    def texts(self, most: int = 4) -> list[str]:
        return [self.text() for _ in range(self.chance.randrange(most + 1))]

    def agent(self) -> str:
        return self.chance.choice(AGENTS)

    def maybe(self, share: float = 0.5) -> bool:
        return self.chance.random() < share


# Plans


def step(m: Maker, index: int, phase: str) -> Json:
    status = m.chance.choices(["done", "pending", "blocked", "active"], [12, 6, 1, 1])[0]
    found: Json = {"index": index, "phase": phase, "task": m.text(14), "status": status}
    if m.maybe(0.9):
        found["type"] = m.chance.choice(STEP_TYPES)
    if m.maybe(0.4):
        found["assignee"] = m.agent()
    if m.maybe(0.4):
        found["notes"] = m.text(20) + "\nsecond line" * m.maybe(0.2)
    if status == "done" and m.maybe(0.8):
        found["completed_at"] = m.time()
    if index and m.maybe(0.2):
        found["depends_on"] = sorted(m.chance.sample(range(index), k=1))
    for flag in ("requires_validation", "requires_confirmation", "requires_user_confirmation"):
        if m.maybe(0.1):
            found[flag] = m.maybe()
    if m.maybe(0.05):
        found["context_priority"] = "high"
    return found


def session(m: Maker) -> Json:
    found: Json = {
        "session_id": m.id("sess"),
        "agent_type": m.agent(),
        "started_at": m.time(),
        "context": {"deployed_by": "Coordinator", "instructions": m.text(), "attempt": m.chance.randrange(3)},
    }
    if m.maybe(0.9):
        found |= {"completed_at": m.time(), "summary": m.text(20), "artifacts": m.texts(2)}
    if m.maybe(0.2):
        found["handoff_stats"] = {"steps_completed": 2, "files_modified": 3, "blockers_hit": 0}
        found["stats_validation"] = {"valid": True, "discrepancies": []}
    return found


def handover(m: Maker) -> Json:
    return {
        "timestamp": m.time(),
        "from_agent": m.chance.choice(["User", *AGENTS]),
        "to_agent": m.agent(),
        "reason": m.text(),
    }


def confirmed(m: Maker) -> Json:
    return {"confirmed": True, "confirmed_by": m.chance.choice(["user", m.agent()]), "confirmed_at": m.time()}


def confirmation_state(m: Maker, steps: Sequence[Json]) -> Json:
    """Keys of steps are indices, written as text."""
    phases = list(dict.fromkeys(one["phase"] for one in steps))[:2]
    return {
        "phases": {phase: confirmed(m) for phase in phases},
        "steps": {str(s["index"]): confirmed(m) for s in steps[:1]},
    }


def build_script(m: Maker, plan_id: str | None) -> Json:
    found: Json = {"id": m.id("script"), "name": m.text(3), "description": m.text(), "command": "npm run build"}
    found |= {"directory": "c:\\work\\app", "workspace_id": m.workspace_id, "plan_id": plan_id, "created_at": m.time()}
    return {key: value for key, value in found.items() if value is not None}


def plan(m: Maker, *, steps: int = 4, phases: int = 2, **more: Any) -> Json:
    """Return a plan as version 1 wrote it: no `schema_version`, no `phases`."""
    plan_id = m.id("plan")
    names = [f"Phase {n + 1}: {m.text(3)}" for n in range(max(phases, 1))]
    made = [step(m, n, names[n * len(names) // max(steps, 1)]) for n in range(steps)]
    found: Json = {
        "id": plan_id,
        "workspace_id": m.workspace_id,
        "title": m.text(6),
        "description": m.text(30),
        "priority": m.chance.choice(["low", "medium", "high", "critical"]),
        "category": m.chance.choice(CATEGORIES),
        "status": m.chance.choice(["active", "archived", "archived"]),
        "current_phase": made[0]["phase"] if made else "initialization",
        "current_agent": m.chance.choice([None, m.agent()]),
        "created_at": m.time(),
        "updated_at": m.time(),
        "agent_sessions": [session(m) for _ in range(m.chance.randrange(3))],
        "lineage": [handover(m) for _ in range(m.chance.randrange(3))],
        "steps": made,
    }
    return found | _extras(m, plan_id, made) | more


def _extras(m: Maker, plan_id: str, steps: Sequence[Json]) -> Json:
    """Return some of the fields that only some plans have."""
    found: Json = {
        "confirmation_state": confirmation_state(m, steps),
        "recommended_next_agent": m.agent(),
        "goals": m.texts(),
        "success_criteria": m.texts(),
        "pending_notes": [
            {"note": m.text(), "type": kind, "added_at": m.time(), "added_by": m.chance.choice(["user", "agent"])}
            for kind in ("info", "warning", "instruction")[: m.chance.randrange(4)]
        ],
        "deployment_context": {
            "deployed_agent": m.agent(),
            "deployed_by": "Coordinator",
            "reason": m.text(),
            "override_validation": m.maybe(),
            "deployed_at": m.time(),
        },
        "build_scripts": [build_script(m, plan_id)],
        "categorization": {
            "category": m.chance.choice(CATEGORIES),
            "confidence": m.chance.choice([0.9, 1, 1.0, 0.75]),
            "reasoning": m.text(),
            "suggested_workflow": ["Coordinator", "Executor"],
        },
    }
    return {key: value for key, value in found.items() if m.maybe(0.6)}


def plan_v2(m: Maker, *, steps: int = 4, phases: int = 2, **more: Any) -> Json:
    """Return a plan as version 2 wrote it."""
    found = plan(m, steps=steps, phases=phases)
    names = list(dict.fromkeys(one["phase"] for one in found["steps"])) or ["Only"]
    listed: list[Json] = [
        {
            "name": name,
            "sequence": n + 1,
            "success_criteria": m.texts(2),
            "required_agents": [m.agent()],
            "context_files": [{"path": f"notes/{n}.md", "persistence": "phase"}],
            "linked_skills": [],
            "approval_required": m.maybe(0.3),
            "estimated_steps": m.chance.randrange(9),
            "auto_continue_eligible": m.maybe(),
        }
        for n, name in enumerate(names)
    ]
    found |= {"schema_version": "2.0", "category": m.chance.choice(CATEGORIES_V2), "phases": listed}
    return found | {"current_phase": m.chance.choice(["initialization", "complete"])} | more


def add_plan(m: Maker, state: Json, *, folder: str | None = None, archived: bool = False) -> str:
    """Add the plan's state.json and return its folder."""
    path = m.here(f"plans/{'_archived/' * archived}{folder or state['id']}")
    m.put(f"{path}/state.json", state)
    m.plan_ids.append(state["id"])
    return path


# What lies beside a plan


def envelope(m: Maker, kind: str, state: Json) -> Json:
    security = {"source": f"context/{kind}", "timestamp": m.time(), "sanitized": True, "warning": "Not yours to obey."}
    data = {
        "_security": security,
        "summary": m.text(30),
        "items": m.texts(),
        "nested": {"count": 3, "ratio": 1.0, "none": None},
    }
    return {"type": kind, "plan_id": state["id"], "workspace_id": m.workspace_id, "stored_at": m.time(), "data": data}


def handoff(m: Maker, source: str, target: str) -> Json:
    return {
        "timestamp": m.time(),
        "from_agent": source,
        "to_agent": target,
        "reason": m.text(),
        "data": {"files": m.texts()},
    }


def request(m: Maker, state: Json, *, plain: bool = False) -> Json:
    """`plain` is the older form of what the user asked for."""
    text = m.text(40)
    asked: Any = text if plain else {"sanitized": text, "wasModified": False, "injectionAttempts": [], "warnings": []}
    context: Json = {
        "files_mentioned": ["src/app.py"],
        "file_contents": {},
        "requirements": m.texts(),
        "constraints": [],
    }
    context |= {"examples": [], "conversation_context": m.text()}
    found = {
        "type": "original_request",
        "plan_id": state["id"],
        "workspace_id": m.workspace_id,
        "captured_at": m.time(),
    }
    return found | {"user_request": asked, "context": context}


def lane(m: Maker, state: Json, status: str) -> Json:
    run: Json = {
        "run_id": f"run_{m.id('sess')}",
        "workspace_id": m.workspace_id,
        "plan_id": state["id"],
        "status": status,
    }
    run |= {"started_at": m.time(), "last_updated_at": m.time(), "owner_agent": m.agent()}
    if status == "released":
        run["release_reason_code"] = "DONE"
    found = {"type": "active_run_lane", "workspace_id": m.workspace_id, "plan_id": state["id"], "active_run": run}
    return found | {"updated_at": m.time()}


def recovery(m: Maker, state: Json) -> Json:
    found: Json = {"type": "stale_run_recovery", "workspace_id": m.workspace_id, "plan_id": state["id"]}
    return found | {"recovered_at": m.time(), "stale_session_count": 1, "stale_step_count": 0, "note": m.text()}


PROMPT = """---
agent: "Executor"
description: "{0}"
mode: "agent"
version: "1.0.0"
created_by: "Coordinator"
plan_id: "{1}"
step_indices: [0, 1]
tags: ["one", "two"]
archived: false
---

Do {0}.
"""


def add_company(m: Maker, state: Json, path: str) -> None:
    """Add context files, hand-offs, notes and prompts to the plan's folder."""
    for kind in m.chance.sample(["review", "execution_log", "architecture", "test_results", "pivot", "odd_type"], k=2):
        m.put(f"{path}/{kind}.json", envelope(m, kind, state))
    m.put(f"{path}/original_request.json", request(m, state, plain=m.maybe()))
    m.put(f"{path}/active_run_lane.json", lane(m, state, m.chance.choice(["active", "released"])))
    for source, target in [("Executor", "Coordinator"), ("Coordinator", "Reviewer")][: m.chance.randrange(3)]:
        m.put(f"{path}/handoff_{source.lower()}_to_{target.lower()}.json", handoff(m, source, target))
    if m.maybe():
        m.put(f"{path}/stale_run_recovery.json", recovery(m, state))
        m.files[f"{path}/research_notes/{m.hex()}.md"] = f"# {m.text()}\n\n{m.text(60)}\n".encode()
        m.files[f"{path}/prompts/{m.hex()}.prompt.md"] = PROMPT.format(m.text(), state["id"]).encode()
    m.files[f"{path}/plan.md"] = f"# {state['title']}\n\n**Plan ID:** {state['id']}\n".encode()


# Programs


def program(m: Maker, plan_ids: Iterable[str]) -> str:
    """Add the four files of a version 2 program; return its id. The first plan must finish before the second."""
    program_id, listed = m.id("prog"), list(plan_ids)
    path = m.here(f"programs/{program_id}")
    about: Json = {"id": program_id, "workspace_id": m.workspace_id, "title": m.text(4), "description": m.text(20)}
    about |= {
        "priority": "high",
        "category": m.text(2),
        "status": "active",
        "created_at": m.time(),
        "updated_at": m.time(),
    }
    m.put(f"{path}/program.json", about)
    m.put(f"{path}/manifest.json", {"program_id": program_id, "plan_ids": listed, "updated_at": m.time()})
    waits: list[Json] = [
        {"id": m.id("dep"), "source_plan_id": source, "target_plan_id": target, "type": kind, "status": "pending"}
        for source, target, kind in zip(listed, listed[1:], ["blocks", "informs", "blocks"], strict=False)
    ]
    m.put(f"{path}/dependencies.json", [one | {"created_at": m.time()} for one in waits])
    risk: Json = {"id": m.id("risk"), "program_id": program_id, "type": "dependency_risk", "severity": "high"}
    risk |= {"status": "identified", "title": m.text(4), "description": m.text(), "detected_by": "auto"}
    m.put(f"{path}/risks.json", [risk | {"created_at": m.time(), "updated_at": m.time()}])
    return program_id


def program_v1(m: Maker, children: Iterable[Json], **more: Any) -> Json:
    """Add a version 1 program, which is a plan, and its children, which name it; return it."""
    own = plan(m, steps=2, current_phase="Program Container", status="active", is_program=True)
    made = list(children)
    for child in made:
        add_plan(m, child | {"program_id": own["id"]})
    own |= {"child_plan_ids": [child["id"] for child in made], **more}
    add_plan(m, own)
    return own


# The workspace


def log_entry(m: Maker, **more: Any) -> Json:
    found: Json = {"timestamp": m.time(), "tool": "memory_steps", "action": "save_plan_state"}
    return (
        found
        | {"file_path": f"/data/{m.workspace_id}/plans/x/state.json", "summary": m.text(6), "untracked": True}
        | more
    )


def add_workspace(m: Maker, *, log_entries: int = 6, **meta: Any) -> None:
    """Add the files of the workspace itself. They come last: they list the plans."""
    about: Json = {
        "schema_version": "1.0.0",
        "workspace_id": m.workspace_id,
        "workspace_path": WORKSPACE_PATH,
        "path": WORKSPACE_PATH,
        "name": WORKSPACE_PATH,
        "created_at": START.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "updated_at": m.time(),
        "registered_at": m.time(),
        "last_accessed": m.time(),
        "last_seen_at": m.time(),
        "data_root": "/data",
        "legacy_workspace_ids": [LEGACY_WORKSPACE],
        "active_plans": m.plan_ids[::2],
        "archived_plans": ["_archived", *m.plan_ids[1::2]],
        "indexed": True,
        "profile": {"languages": ["python"], "frameworks": [], "build_system": {"type": "none"}},
        "workspace_build_scripts": [build_script(m, None)],
    }
    m.put(m.here("workspace.meta.json"), about | meta)
    m.put(m.here("workspace.context.json"), workspace_context(m, log_entries))
    m.put(m.here("terminal-allowlist.json"), {"patterns": ["git status", "npm test"], "updated_at": m.time()})
    slug = f"plan-summary-{m.hex()}"
    m.put(m.here(f"knowledge/{slug}.json"), knowledge(m, slug))


def workspace_context(m: Maker, log_entries: int) -> Json:
    items = [{"title": m.text(3), "description": m.text(), "links": ["https://example.org/a"]}, {"title": m.text(2)}]
    sections = {key: {"summary": m.text(12), "items": items} for key in ("purpose", "modules", "resources")}
    updates = [log_entry(m) for _ in range(log_entries - log_entries // 2)]
    audits = [
        log_entry(m, plan_id=m.chance.choice(m.plan_ids or ["plan_x"]), warning=m.text())
        for _ in range(log_entries // 2)
    ]
    found: Json = {"schema_version": "1.0.0", "workspace_id": m.workspace_id, "workspace_path": WORKSPACE_PATH}
    found |= {"name": WORKSPACE_PATH, "created_at": m.time(), "updated_at": m.time(), "sections": sections}
    found["update_log"] = {"entries": updates, "last_updated": m.time()}
    return found | {"audit_log": {"entries": audits, "last_updated": m.time()}}


def knowledge(m: Maker, slug: str) -> Json:
    found: Json = {
        "slug": slug,
        "title": m.text(4),
        "category": "plan-summary",
        "content": m.text(30),
        "tags": ["a", "b"],
    }
    return found | {"created_at": m.time(), "updated_at": m.time(), "created_by_agent": m.agent()}


# The data root


def event(m: Maker, **more: Any) -> Json:
    found: Json = {
        "id": f"evt_{m.hex(12)}",
        "type": "step_updated",
        "timestamp": m.time(),
        "workspace_id": m.workspace_id,
    }
    return (
        found | {"plan_id": m.chance.choice(m.plan_ids or ["plan_x"]), "agent_type": m.agent(), "data": {"n": 1}} | more
    )


def add_events(m: Maker, count: int) -> None:
    """Every second event has a file of its own, and two thirds are lines of the log: some are in both."""
    made = [event(m) for _ in range(count)]
    for one in made[::2]:
        m.put(f"events/{one['id']}.json", one)
    lines = [json.dumps(one, ensure_ascii=False) for n, one in enumerate(made) if n % 2 or n % 3 == 0]
    m.files["events/events.log"] = "".join(f"{line}\n" for line in lines).encode()


def registry(m: Maker) -> Json:
    path = WORKSPACE_PATH.replace("\\", "/").lower()
    return {"schema_version": "1.0.0", "entries": {path: m.workspace_id}, "updated_at": m.time()}


def store(
    seed: int = 0,
    *,
    plans: int = 4,
    steps: int = 4,
    log_entries: int = 6,
    events: int = 4,
    shapes: Iterable[Callable[[Maker], object]] = (),
) -> Files:
    """Return the files of a data root with one workspace: half of its plans of version 1, some in the archive."""
    m = Maker(seed)
    for n in range(plans):
        state = (plan_v2 if n % 2 else plan)(m, steps=m.chance.randrange(steps + 1), phases=m.chance.randrange(1, 4))
        add_company(m, state, add_plan(m, state, archived=n % 5 == 4))
    if plans > 1:
        program(m, m.plan_ids[:3])
    for add in shapes:
        add(m)
    add_workspace(m, log_entries=log_entries)
    add_events(m, events)
    m.put("workspace-registry.json", registry(m))
    m.files["logs/dashboard-errors.log"] = f"{m.time()} error {m.text()}\n".encode()
    return m.files


def put(root: Path, files: Files) -> Path:
    """Write files below `root` and return it. A path that ends in a slash is an empty folder."""
    for name, content in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write(root: Path, *, seed: int = 0, plans: int = 4, log_entries: int = 6, events: int = 4, steps: int = 20) -> Path:
    """Write a store of a size: at its default of `steps`, plans are about as large as real ones."""
    return put(root, store(seed, plans=plans, steps=steps, log_entries=log_entries, events=events))


def read(root: Path) -> Files:
    """Return what lies below `root`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
