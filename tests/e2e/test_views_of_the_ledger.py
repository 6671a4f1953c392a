"""What a person sees of the ledger by real commands: the lines of `status`, lists, and things by the ids they had."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from server.settings import DATABASE_NAME
from tests.conftest import Agent
from tests.e2e.terminals import piped
from tests.e2e.test_views import root, shown

LEDGER = "memory_ledger"
Ids = dict[str, Any]


@pytest_asyncio.fixture
async def worked(agent: Agent, workspace_id: str) -> Ids:
    """A plan with an entry of each kind, by an agent that is not the terminal's."""
    steps = [{"task": "parse"}, {"task": "print", "required_gates": ["lint", "tests"]}]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Parser", steps=steps)
    on = {"plan_id": plan["plan_id"], "agent": "ada"}
    await agent(LEDGER, "set_budget", **on, max=1_500_000, unit="tokens")
    await agent(LEDGER, "spend", **on, amount=1_234_567, unit="tokens")
    await agent(LEDGER, "record_gate", **on, gate_name="lint", status="passed")
    decision = await agent(LEDGER, "decide", **on, decision="One pass", rationale="It is enough")
    call = await agent(LEDGER, "log_call", **on, tool="pytest", args={"path": "tests"}, duration_ms=12)
    for name, ends in (("nightly", True), ("weekly", False), ("hourly", None)):
        run = await agent(LEDGER, "start_run", **on, name=name)
        if ends is not None:
            await agent(LEDGER, "finish_run", run_id=run["run_id"], success=ends)
    await agent(LEDGER, "add_artifact", **on, artifact_type="code", name="parser", path="src/parser.py")
    await agent(LEDGER, "record_metric", **on, name="coverage", value=87.5)
    await agent(LEDGER, "set_progress", **on, task_name="reindex", percent=40)
    await agent(LEDGER, "add_term", **on, term="grammar", kind="concept")
    await agent(LEDGER, "set_agent", workspace_id=workspace_id, agent="ada", branch="parser")
    return {"workspace_id": workspace_id, **plan, "decision_id": decision["decision_id"], "call_id": call["call_id"]}


def change(agent: Agent, sql: str, *params: object) -> None:
    with closing(sqlite3.connect(root(agent) / DATABASE_NAME)) as db, db:
        db.execute(sql, params)


async def test_status_of_a_plan_tells_what_is_spent_which_gates_miss_and_how_runs_went(
    agent: Agent, worked: Ids
) -> None:
    text = shown(agent, "status", worked["plan_id"])
    assert "spent\t1,234,567 of 1,500,000 tokens\n" in text
    assert "gates\ttests not passed (holds back #1)\n" in text
    assert "runs\t1 done, 1 failed, 1 running\n" in text
    assert "#1\tpending\tprint\t\t\tgates that have not passed" in text

    change(agent, "UPDATE runs SET expires_at = '2020-01-01T00:00:00.000Z' WHERE name = 'hourly'")
    told = json.loads(shown(agent, "status", worked["plan_id"], "--json"))
    assert told["runs"] == {"done": 1, "failed": 1, "lost": 1}
    assert [(one["unit"], one["spent"], one["over"]) for one in told["budgets"]] == [("tokens", 1_234_567, False)]
    assert told["held_by_gates"] == [
        {"phase": "Steps", "step_id": worked["step_ids"][1], "index": 1, "gates": ["tests"]}
    ]


async def test_status_of_a_plan_without_a_ledger_says_nothing_of_it(agent: Agent, workspace_id: str) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Bare", steps=[{"task": "a"}])
    text = shown(agent, "status", plan["plan_id"])
    assert not any(line.startswith(("spent", "gates", "runs", "focus", "blockers")) for line in text.splitlines())


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("list_decisions", "One pass"), ("list_calls", "pytest"), ("call_stats", "mean_ms: 12"),
        ("list_runs", "weekly"), ("list_gates", "lint"), ("list_artifacts", "src/parser.py"),
        ("list_metrics", "87.5"), ("list_progress", "reindex"), ("budgets", "1,234,567 of 1,500,000"),
        ("list_agents", "branch: parser"), ("list_terms", "grammar"),
    ],
)  # fmt: skip
async def test_a_list_in_the_terminal_shows_what_agents_wrote(
    agent: Agent, worked: Ids, action: str, says: str
) -> None:
    here = f"workspace_id={worked['workspace_id']}"
    assert says in shown(agent, "call", LEDGER, action, here)
    if action in ("list_decisions", "list_calls", "list_gates", "list_agents"):
        assert says in shown(agent, "call", LEDGER, action, here, "agent=ada")
        assert says not in shown(agent, "call", LEDGER, action, here, "agent=bob")


async def test_a_thing_is_shown_by_the_id_that_it_had_elsewhere(agent: Agent, worked: Ids) -> None:
    elsewhere = {
        "plans": ("MISSION-7", "plan_id", worked["plan_id"]),
        "steps": ("ABC-417", "step_id", worked["step_ids"][0]),
        "decisions": ("decision:9", "decision_id", worked["decision_id"]),
    }
    for table, (foreign, key, own) in elsewhere.items():
        change(agent, f"UPDATE {table} SET external_id = ?, source_system = 'jira' WHERE {key} = ?", foreign, own)
        assert json.loads(shown(agent, "show", foreign, "--json"))[key] == own
    for table in ("metric_points", "task_progress", "tool_calls"):  # what is about a thing has its id there, too
        change(agent, f"UPDATE {table} SET external_id = 'ABC-417', source_system = 'jira'")
    assert json.loads(shown(agent, "show", "ABC-417", "--json"))["step_id"] == worked["step_ids"][0]
    assert json.loads(shown(agent, "show", worked["call_id"], "--json"))["args"] == {"path": "tests"}
    plan = json.loads(shown(agent, "show", "MISSION-7", "--json"))
    assert (plan["external_id"], plan["source_system"]) == ("MISSION-7", "jira")
    done = piped(root(agent), "show", "ABC-418")
    assert done.returncode
    assert "ABC-418" in done.stderr


async def test_a_run_and_a_budget_are_shown_as_their_lists_tell_them(agent: Agent, worked: Ids) -> None:
    on = {"workspace_id": worked["workspace_id"]}
    runs = {one["name"]: one["run_id"] for one in (await agent(LEDGER, "list_runs", **on))["runs"]}
    change(agent, "UPDATE runs SET expires_at = '2020-01-01T00:00:00.000Z' WHERE name = 'hourly'")
    assert "status\tlost\n" in shown(agent, "show", runs["hourly"])
    assert "success\tno\n" in shown(agent, "show", runs["weekly"])
    await agent(LEDGER, "spend", plan_id=worked["plan_id"], amount=300_000, unit="tokens")
    [budget] = (await agent(LEDGER, "budgets", plan_id=worked["plan_id"]))["budgets"]
    text = shown(agent, "show", budget["budget_id"])
    assert "over\tyes\n" in text
    assert "1,534,567 of 1,500,000 tokens are spent" in text


async def test_what_expired_is_not_shown(agent: Agent, worked: Ids) -> None:
    on = {"workspace_id": worked["workspace_id"]}
    await agent(LEDGER, "cache_set", **on, key="total", payload={"n": 1}, ttl_seconds=3600)
    await agent("memory_context", "remember", **on, key="colour", value="blue", ttl_seconds=3600)
    await agent("memory_context", "store", plan_id=worked["plan_id"], type="mood", data={"n": 1})
    change(agent, "UPDATE context_items SET expires_at = '2999-01-01T00:00:00.000Z'")  # as imports set it
    ids = dict[str, str]()
    with closing(sqlite3.connect(root(agent) / DATABASE_NAME)) as db:
        for table, key in (("cache_entries", "entry_id"), ("memory_entries", "entry_id"), ("context_items", "item_id")):
            [ids[table]] = db.execute(f"SELECT {key} FROM {table} WHERE expires_at IS NOT NULL").fetchone()
    for table, name in ids.items():
        assert name in shown(agent, "show", name)
        change(agent, f"UPDATE {table} SET expires_at = '2020-01-01T00:00:00.000Z'")
        assert piped(root(agent), "show", name).returncode


async def test_a_plan_is_shown_with_its_forecast_and_where_it_stood_elsewhere(agent: Agent, worked: Ids) -> None:
    assert "expected" not in shown(agent, "show", worked["plan_id"])
    first = datetime.now(UTC).date() - timedelta(days=14)
    for n in range(14):
        change(agent, "INSERT INTO step_counts (plan_id, day, finished) VALUES (?, ?, 1)", worked["plan_id"],
               (first + timedelta(days=n)).isoformat())  # fmt: skip
    stood = "current_phase = 'CODING', current_focus = 'the parser', completed_phases = '[\"PLANNING\"]', blockers = ?"
    blockers = ["no EPUB", {"id": 3}]
    change(agent, f"UPDATE plans SET {stood} WHERE plan_id = ?", json.dumps(blockers), worked["plan_id"])

    text = shown(agent, "show", worked["plan_id"])
    assert f"expected\taround {(first + timedelta(days=16)).isoformat()} (" in text
    assert "current focus\tthe parser\n" in text
    assert "forecast" not in text
    told = json.loads(shown(agent, "show", worked["plan_id"], "--json"))
    assert told["forecast"]["finished_a_week"] == 7.0
    assert (told["stated_phase"], told["blockers"]) == ("CODING", blockers)
    assert told["completed_phases"] == ["PLANNING"]
    status = shown(agent, "status", worked["plan_id"])
    assert "focus\tthe parser\n" in status
    assert 'blockers\tno EPUB, {"id":3}\n' in status
