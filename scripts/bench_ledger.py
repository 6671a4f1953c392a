"""What a store to measure on holds of the ledger and of research, and the calls that read it; part of `bench.py`."""

from typing import Any, Protocol

from server.db.context import research
from server.db.ledger import entries, series
from server.db.storage.connection import Transaction
from server.models.base import encode
from server.models.context import Parent
from server.models.plans import Plan

CALLS, DECISIONS, GATES, POINTS, TERMS = 20, 3, 3, 10, 3  # of a plan
TOOLS = ("pytest", "ruff", "grep", "git")
LEDGER = "memory_ledger"
Json = dict[str, Any]

READS: tuple[tuple[str, str, str, Json], ...] = (
    ("ledger calls", LEDGER, "list_calls", {}),
    ("ledger calls that failed", LEDGER, "list_calls", {"tool": "pytest", "success": False}),
    ("ledger call_stats", LEDGER, "call_stats", {}),
    ("ledger decisions", LEDGER, "list_decisions", {}),
    ("ledger gates", LEDGER, "list_gates", {}),
    ("ledger gates that failed", LEDGER, "list_gates", {"gate_name": "tests", "status": "failed"}),
    ("ledger metrics", LEDGER, "list_metrics", {}),
    ("ledger metrics by week", LEDGER, "list_metrics", {"name": "coverage", "bucket": "week"}),
    ("ledger progress", LEDGER, "list_progress", {}),
    ("ledger runs", LEDGER, "list_runs", {}),
    ("ledger artifacts", LEDGER, "list_artifacts", {}),
    ("ledger budgets", LEDGER, "budgets", {}),
    ("context list_research", "memory_context", "list_research", {}),
)
OF_A_WORKSPACE: tuple[tuple[str, str, str, Json], ...] = (
    *READS,
    ("ledger agents", LEDGER, "list_agents", {}),
    ("ledger find_by_term", LEDGER, "find_by_term", {"term": "term 1"}),
)
OF_A_PLAN: tuple[tuple[str, str, str, Json], ...] = (
    *((f"{name} of plan", tool, action, more) for name, tool, action, more in READS),
    ("ledger terms of plan", LEDGER, "list_terms", {}),
    ("context get_research", "memory_context", "get_research", {"filename": "notes.md"}),
)


class Writer(Protocol):
    """What makes sentences and draws lots."""

    def words(self, least: int, most: int) -> str: ...
    def number(self, below: int) -> int: ...


async def fill(tx: Transaction, prose: Writer, plan: Plan) -> None:
    """Insert what agents log while they work on a plan."""
    where = {"workspace_id": plan.workspace_id, "plan_id": plan.plan_id}
    parent = {"parent_type": "plan", "parent_id": plan.plan_id}
    now = tx.now()
    calls = [
        {
            **where, "tool": TOOLS[n % len(TOOLS)], "args": {"path": prose.words(1, 1)}, "success": n % 5 > 0,
            "result": encode(prose.words(5, 40)), "duration_ms": prose.number(9000), "started_at": now,
        }
        for n in range(CALLS)
    ]  # fmt: skip
    await entries.add_many(tx, entries.CALLS, calls)
    for table, count, values in (
        (entries.DECISIONS, DECISIONS, {"decision": "", "rationale": "", "made_at": now}),
        (entries.GATES, GATES, {"gate_name": "tests", "status": "failed", "recorded_at": now}),
        (entries.RUNS, 1, {"kind": "run", "name": "nightly", "started_at": now}),
        (entries.ARTIFACTS, 2, {**parent, "artifact_type": "code", "name": ""}),
        (entries.PROGRESS, 1, {**parent, "task_name": "", "percent": 40, "started_at": now}),
        (entries.BUDGETS, 1, {"unit": "usd", "max": 10, "spent": 3}),
    ):
        told = [
            {key: prose.words(4, 20) if value == "" else value for key, value in values.items()} for _ in range(count)
        ]
        await entries.add_many(tx, table, [{**where, **one} for one in told])
    terms = [{**where, "kind": "concept", "term": f"term {n + prose.number(5)}", "position": n} for n in range(TERMS)]
    await entries.add_many(tx, entries.TERMS, {one["term"]: one for one in terms}.values())
    points: list[Json] = [
        {
            **where, **parent, "category": "", "name": "coverage", "bucket": f"2026-01-{n + 1:02}", "value": float(n),
            "unit": "%", "data": {}, "recorded_at": now,
        }
        for n in range(POINTS)
    ]  # fmt: skip
    await series.add(tx, points)
    home = Parent(parent_type="plan", parent_id=plan.plan_id)
    await research.append(tx, home, "notes.md", prose.words(50, 200), workspace_id=plan.workspace_id)
