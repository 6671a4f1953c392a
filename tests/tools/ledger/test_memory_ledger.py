"""memory_ledger: decisions, calls, runs, artifacts, figures, progress, caches, agents and terms."""

import asyncio
import json
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.text import redaction
from tests.conftest import Agent

pytestmark = pytest.mark.any_transport

TOOL = "memory_ledger"
PAST = "2020-01-01T00:00:00.000Z"


async def make_plan(agent: Agent, workspace_id: str, title: str = "Parser") -> tuple[str, list[str]]:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title=title, steps=[{"task": "a"}])
    return plan["plan_id"], plan["step_ids"]


async def change(db: Database, sql: str, **params: Any) -> None:
    async with db.transaction() as tx:
        await tx.run(sql, params)


async def test_a_decision_is_found_by_its_words_until_another_takes_its_place(agent: Agent, workspace_id: str) -> None:
    plan_id, [step_id] = await make_plan(agent, workspace_id)
    why = {"rationale": "It sorts like time", "alternatives": ["Unix seconds", "two columns"]}
    first = await agent(TOOL, "decide", plan_id=plan_id, decision="Store dates as text", agent="ada", **why)
    hits = (await agent("memory_context", "search", query="dates text", workspace_id=workspace_id))["hits"]
    [hit] = [one for one in hits if one["kind"] == "decision"]
    assert (hit["decision_id"], hit["by"]) == (first["decision_id"], "ada")
    read = dict(hit["read"])
    told = await agent(read.pop("tool"), read.pop("action"), **read)
    assert "It sorts like time" in json.dumps(told)

    second = await agent(
        TOOL, "decide", decision="Store dates as numbers", rationale="r", supersedes=first["decision_id"], agent="bob",
        context={"asked": [1, None, {"b": "a"}]}, decision_type="storage",
    )  # fmt: skip
    assert second["plan_id"] == plan_id
    old = await agent(TOOL, "list_decisions", decision_id=first["decision_id"])
    new = await agent(TOOL, "list_decisions", decision_id=second["decision_id"])
    assert (old["superseded_by"], new["supersedes"]) == (second["decision_id"], first["decision_id"])
    assert (new["context"], new["decision_type"]) == ({"asked": [1, None, {"b": "a"}]}, "storage")
    hits = (await agent("memory_context", "search", query="store dates", workspace_id=workspace_id))["hits"]
    assert [one["decision_id"] for one in hits if one["kind"] == "decision"] == [second["decision_id"]]
    assert [one["decision_id"] for one in (await agent(TOOL, "list_decisions", plan_id=plan_id))["decisions"]] == [
        second["decision_id"]
    ]
    assert (await agent(TOOL, "list_decisions", plan_id=plan_id, history=True))["total"] == 2

    error = await agent.fails(TOOL, "decide", decision="x", rationale="y", supersedes=first["decision_id"], agent="bob")
    assert (error["code"], error["superseded_by"]) == ("conflict", second["decision_id"])
    await agent(TOOL, "decide", step_id=step_id, decision="Only here", rationale="r", agent="bob")
    assert (await agent(TOOL, "list_decisions", step_id=step_id))["total"] == 1
    assert (await agent(TOOL, "list_decisions", workspace_id=workspace_id, agent="bob"))["total"] == 2
    assert (await agent(TOOL, "list_decisions", workspace_id=workspace_id, decision_type="storage"))["total"] == 1


async def test_a_decision_whose_successor_was_deleted_is_found_again(agent: Agent, workspace_id: str) -> None:
    kept, _ = await make_plan(agent, workspace_id, "Kept")
    gone, _ = await make_plan(agent, workspace_id, "Gone")
    old = await agent(TOOL, "decide", plan_id=kept, decision="Walnut tables", rationale="r", agent="ada")
    links = {"supersedes": old["decision_id"]}
    new = await agent(TOOL, "decide", plan_id=gone, decision="Walnut chairs", rationale="r", agent="ada", **links)

    async def found() -> list[str]:
        told = await agent("memory_context", "search", query="walnut", workspace_id=workspace_id, include_archived=True)
        return [hit["decision_id"] for hit in told["hits"] if hit["kind"] == "decision"]

    async def links_of(decision_id: str, plan_id: str) -> list[str | None]:
        one = await agent(TOOL, "list_decisions", decision_id=decision_id)
        [listed] = (await agent(TOOL, "list_decisions", plan_id=plan_id, history=True))["decisions"]
        names = ("supersedes", "superseded_by")
        assert [one.get(name) for name in names] == [listed.get(name) for name in names]
        return [one.get(name) for name in names]

    await agent("memory_plan", "archive", plan_id=gone, agent="ada")
    assert await found() == [new["decision_id"]]
    await agent("memory_plan", "unarchive", plan_id=gone, agent="ada")
    assert await found() == [new["decision_id"]]
    deleted = await agent("memory_plan", "delete", plan_id=gone, confirm=True, agent="ada")
    assert await found() == [old["decision_id"]]
    assert await links_of(old["decision_id"], kept) == [None, None]
    await agent("memory_workspace", "restore", trash_id=deleted["trash_id"], agent="ada")
    assert await found() == [new["decision_id"]]
    assert await links_of(old["decision_id"], kept) == [None, new["decision_id"]]
    await agent("memory_plan", "delete", plan_id=kept, confirm=True, agent="ada")
    assert await found() == [new["decision_id"]]
    assert await links_of(new["decision_id"], gone) == [None, None]


async def test_decisions_move_with_their_plan_and_come_back(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    told = await agent(TOOL, "decide", plan_id=plan_id, decision="Walnut", rationale="r", agent="ada")
    await agent("memory_plan", "archive", plan_id=plan_id)
    query = {"query": "walnut", "workspace_id": workspace_id}
    assert (await agent("memory_context", "search", **query))["total"] == 0
    assert (await agent("memory_context", "search", include_archived=True, **query))["total"] == 1
    assert (await agent(TOOL, "list_decisions", plan_id=plan_id))["total"] == 1
    error = await agent.fails(TOOL, "decide", decision="x", rationale="y", supersedes=told["decision_id"], agent="a")
    assert error["code"] == "conflict"
    await agent("memory_plan", "unarchive", plan_id=plan_id)
    assert (await agent("memory_context", "search", **query))["total"] == 1
    gone = await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    assert (await agent("memory_context", "search", **query))["total"] == 0
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"], workspace_id=workspace_id)
    assert (await agent(TOOL, "list_decisions", decision_id=told["decision_id"]))["decision"] == "Walnut"


async def test_a_step_takes_its_evidence_to_the_trash_and_back(agent: Agent, workspace_id: str, db: Database) -> None:
    _, [step_id] = await make_plan(agent, workspace_id)
    on_step = {"step_id": step_id, "agent": "ada"}
    await agent(TOOL, "decide", decision="d", rationale="r", **on_step)
    await agent(TOOL, "log_call", tool="pytest", args={}, **on_step)
    await agent(TOOL, "start_run", name="n", **on_step)
    await agent(TOOL, "record_gate", gate_name="g", status="failed", **on_step)
    await agent(TOOL, "add_artifact", artifact_type="code", name="n", **on_step)
    await agent(TOOL, "add_artifact", artifact_type="code", name="n", path="a", **on_step)
    await agent(TOOL, "record_metric", name="m", value=1, **on_step)
    await agent(TOOL, "set_progress", task_name="t", percent=1, **on_step)
    await agent(TOOL, "cache_set", key="k", **on_step)
    tables = ("decisions", "tool_calls", "runs", "quality_gates", "artifacts", "metric_points", "task_progress",
              "cache_entries", "field_changes")  # fmt: skip

    async def everything() -> dict[str, list[dict[str, Any]]]:
        return {name: [dict(row) for row in await db.all(f"SELECT * FROM {name}")] for name in tables}

    before = await everything()
    assert {name: len(rows) for name, rows in before.items()} == dict.fromkeys(tables, 1)
    gone = await agent("memory_steps", "delete", step_id=step_id, confirm=True)
    assert await everything() == {name: [] for name in tables}
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"], workspace_id=workspace_id)
    assert await everything() == before


async def test_calls_are_logged_without_secrets_and_counted_by_tool(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    token = "ghp_" + "a1" * 18
    call = await agent(
        TOOL, "log_call", plan_id=plan_id, tool="http", agent="ada", success=False,
        args={"url": "https://me:hunter2@a.org", "headers": {"Authorization": f"Bearer {token}"}, "max_tokens": 5},
        result=json.dumps({"apiKey": "abcdef", "note": f"used {token}"}), error=f"401 for --token {token}",
    )  # fmt: skip
    got = await agent(TOOL, "list_calls", call_id=call["call_id"])
    assert token not in json.dumps(got)
    assert "hunter2" not in json.dumps(got)
    assert got["args"]["max_tokens"] == 5
    assert got["args"]["headers"]["Authorization"] == got["result"]["apiKey"] == redaction.BLANK
    assert (got["success"], got["error"]) == (False, f"401 for --token {redaction.BLANK}")

    times = [{"tool": "pytest", "args": {}, "duration_ms": n, "success": n != 7} for n in range(1, 21)]
    told = await agent(TOOL, "log_calls", plan_id=plan_id, calls=times, agent="ada")
    assert (told["logged"], told["failed"]) == (20, 1)
    [first, second] = (await agent(TOOL, "call_stats", plan_id=plan_id))["tools"]
    assert first == {
        "tool": "pytest", "calls": 20, "failures": 1, "mean_ms": 10.5, "p95_ms": 19.0, "max_ms": 20.0,
    }  # fmt: skip
    assert second == {"tool": "http", "calls": 1, "failures": 1}
    assert (await agent(TOOL, "list_calls", plan_id=plan_id, success=False))["total"] == 2
    assert (await agent(TOOL, "call_stats", plan_id=plan_id, until=PAST)) | {"workspace_id": ""} == {
        "tools": [], "total": 0, "workspace_id": "",
    }  # fmt: skip


async def test_one_bad_call_of_a_thousand_keeps_all_out(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id, [step_id] = await make_plan(agent, workspace_id)
    calls: list[dict[str, Any]] = [{"tool": "t", "args": {"n": n}, "step_id": step_id} for n in range(1000)]
    bad = [*calls[:998], {"tool": "t", "args": {}, "step_id": "step_000000000000"}, {"tool": "t", "args": {}}]
    error = await agent.fails(TOOL, "log_calls", plan_id=plan_id, calls=bad, agent="ada")
    assert (error["code"], len(error["problems"])) == ("not_found", 1)
    assert "calls[998]" in error["message"]
    bad[998] = {"tool": "t", "args": {}, "duration_ms": -1}
    error = await agent.fails(TOOL, "log_calls", plan_id=plan_id, calls=bad, agent="ada")
    assert error["code"] == "invalid_arguments"
    assert await db.value("SELECT count(*) FROM tool_calls") == 0

    told = await agent(TOOL, "log_calls", plan_id=plan_id, calls=calls, agent="ada")
    assert told["logged"] == 1000
    assert await db.value("SELECT count(*) FROM tool_calls WHERE step_id = :id", {"id": step_id}) == 1000
    assert await db.value("SELECT count(*) FROM event_log WHERE type = 'calls_logged'") == 1


async def test_a_run_ends_once_or_is_lost(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    who = {"agent": "ada"}
    run = await agent(
        TOOL, "start_run", plan_id=plan_id, name="nightly", kind="playbook", phase="TESTING", metrics={"a": 1}, **who
    )
    done = {"run_id": run["run_id"], "success": False, "error": "2 failed", "metrics": {"b": 2}}
    assert (await agent(TOOL, "finish_run", **done, **who))["status"] == "failed"
    assert (await agent(TOOL, "finish_run", **done, **who))["status"] == "failed"
    assert (await agent.fails(TOOL, "finish_run", run_id=run["run_id"], **who))["code"] == "conflict"
    got = await agent(TOOL, "list_runs", run_id=run["run_id"])
    assert (got["metrics"], got["error"], got["phase"]) == ({"a": 1, "b": 2}, "2 failed", "TESTING")

    silent = await agent(TOOL, "start_run", plan_id=plan_id, name="silent", limit_seconds=60, **who)
    await change(db, "UPDATE runs SET expires_at = :past WHERE run_id = :id", past=PAST, id=silent["run_id"])
    [lost] = (await agent(TOOL, "list_runs", plan_id=plan_id, status="lost"))["runs"]
    assert (lost["run_id"], lost["status"]) == (silent["run_id"], "lost")
    assert (await agent(TOOL, "list_runs", plan_id=plan_id, status="running"))["total"] == 0
    assert (await agent(TOOL, "finish_run", run_id=silent["run_id"], **who))["status"] == "done"
    assert (await agent(TOOL, "list_runs", plan_id=plan_id, kind="playbook"))["total"] == 1


async def test_what_memory_terminal_runs_ends_by_itself(agent: Agent, workspace_id: str) -> None:
    await agent.person_allows(workspace_id, "true")
    run = await agent("memory_terminal", "run", workspace_id=workspace_id, command="true")
    error = await agent.fails(TOOL, "finish_run", run_id=run["run_id"], agent="ada")
    assert error["code"] == "conflict"
    assert (await agent(TOOL, "list_runs", workspace_id=workspace_id, kind="terminal"))["total"] == 1
    error = await agent.fails(TOOL, "start_run", workspace_id=workspace_id, name="n", kind="terminal", agent="ada")
    assert error["code"] == "conflict"


async def test_an_artifact_keeps_what_it_was(agent: Agent, workspace_id: str) -> None:
    plan_id, [step_id] = await make_plan(agent, workspace_id)
    named = {"artifact_type": "coding", "name": "parser", "agent": "ada"}
    first = await agent(TOOL, "add_artifact", plan_id=plan_id, path="a.py", metadata={"lines": 1}, **named)
    same = await agent(TOOL, "add_artifact", plan_id=plan_id, path="a.py", **named)
    assert (same["artifact_id"], same["version"]) == (first["artifact_id"], 1)
    second = await agent(TOOL, "add_artifact", plan_id=plan_id, path="b.py", branch="x", metadata={"lines": 2}, **named)
    assert (second["artifact_id"], second["changed"]) == (first["artifact_id"], ["branch", "metadata", "path"])
    other = await agent(TOOL, "add_artifact", step_id=step_id, **named)
    assert other["artifact_id"] != first["artifact_id"]
    got = await agent(TOOL, "list_artifacts", artifact_id=first["artifact_id"])
    assert (got["path"], got["branch"], got["artifact_type"], got["metadata"]) == ("b.py", "x", "code", {"lines": 2})
    was = {one["field"]: one.get("old_value") for one in got["history"]}
    assert was == {"path": "a.py", "branch": None, "metadata": '{"lines":1}'}
    assert (await agent(TOOL, "list_artifacts", plan_id=plan_id, artifact_type="coding"))["total"] == 2
    assert (await agent(TOOL, "list_artifacts", step_id=step_id))["total"] == 1
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert len((await agent(TOOL, "list_artifacts", artifact_id=first["artifact_id"]))["history"]) == 3


async def test_a_figure_corrects_the_one_before_it_in_its_bucket(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    on_plan = {"plan_id": plan_id, "name": "coverage", "unit": "%", "agent": "ada"}
    first = await agent(TOOL, "record_metric", value=80, bucket="2030-W05", **on_plan)
    second = await agent(TOOL, "record_metric", value=81.5, bucket="2030-W05", data={"files": 3}, **on_plan)
    assert second["corrects"] == first["point_id"]
    [point] = (await agent(TOOL, "list_metrics", plan_id=plan_id, name="coverage"))["points"]
    assert (point["value"], point["bucket"], point["unit"]) == (81.5, "2030-W05", "%")
    both = (await agent(TOOL, "list_metrics", plan_id=plan_id, history=True))["points"]
    assert [one.get("corrected_by") for one in both] == [None, second["point_id"]]
    assert (await agent(TOOL, "list_metrics", point_id=second["point_id"]))["data"] == {"files": 3}
    await agent(TOOL, "record_metric", value=1, bucket="2030-W05", category="other", **on_plan)
    assert (await agent(TOOL, "list_metrics", plan_id=plan_id))["total"] == 2


async def test_figures_are_put_together_by_day_and_week_and_found_in_a_span(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    told = {"2030-01-30T08:00:00Z": 1, "2030-01-30T09:00:00Z": 3, "2030-02-01": 8, "2030-W06": 20}
    points = [{"name": "open", "value": value, "bucket": bucket} for bucket, value in told.items()]
    await agent(TOOL, "record_metrics", plan_id=plan_id, points=points, agent="ada")
    asked = {"plan_id": plan_id, "name": "open"}
    weeks = (await agent(TOOL, "list_metrics", bucket="week", **asked))["metrics"]
    assert [(one["bucket"], one["count"], one["mean"], one["last"]) for one in weeks] == [
        ("2030-W06", 1, 20.0, 20.0),
        ("2030-W05", 3, 4.0, 8.0),
    ]
    days = (await agent(TOOL, "list_metrics", bucket="day", **asked))["metrics"]
    assert [(one["bucket"], one["min"], one["max"], one["last"]) for one in days] == [
        ("2030-W06", 20.0, 20.0, 20.0), ("2030-02-01", 8.0, 8.0, 8.0), ("2030-01-30", 1.0, 3.0, 3.0),
    ]  # fmt: skip
    for span, values in (
        ({"since": "2030-01-30T09:00:00Z", "until": "2030-02-01"}, [3.0]),
        ({"since": "2030-02-01"}, [8.0, 20.0]),
        ({"until": "2030-02-01T00:00:01Z"}, [1.0, 3.0, 8.0]),
        ({"until": "0001-01-01"}, []),
        ({"since": "0001-01-01", "until": "9999-12-31T23:59:59Z"}, [1.0, 3.0, 8.0, 20.0]),
    ):
        found = await agent(TOOL, "list_metrics", **asked, **span)
        assert sorted(one["value"] for one in found["points"]) == values


@pytest.mark.parametrize(
    ("points", "word"),
    [
        ([{"name": "a", "value": 1}, {"name": "a", "value": 2}], "same series"),
        ([{"name": "a", "value": 1}, {"name": "b", "value": 1, "step_id": "step_000000000000"}], "points[1]"),
        ([{"name": "a", "value": 1, "bucket": "2030-W60"}], "ISO week"),
    ],
)
async def test_one_bad_figure_keeps_all_out(
    agent: Agent, workspace_id: str, db: Database, points: list[dict[str, Any]], word: str
) -> None:
    error = await agent.fails(TOOL, "record_metrics", workspace_id=workspace_id, points=points, agent="ada")
    assert word in error["message"]
    assert await db.value("SELECT count(*) FROM metric_points") == 0


async def test_progress_has_one_row_for_a_job_and_grows_stale(agent: Agent, workspace_id: str, db: Database) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    job = {"plan_id": plan_id, "task_name": "reindex", "agent": "ada"}
    first = await agent(TOOL, "set_progress", percent=10, message="begun", state={"at": 1}, **job)
    second = await agent(TOOL, "set_progress", percent=40.5, **job)
    assert first["progress_id"] == second["progress_id"]
    got = await agent(TOOL, "list_progress", progress_id=first["progress_id"])
    assert (got["percent"], got["status"], got["state"], got.get("stale")) == (40.5, "running", {"at": 1}, None)
    await change(db, "UPDATE task_progress SET updated_at = :past", past=PAST)
    [stale] = (await agent(TOOL, "list_progress", plan_id=plan_id, status="stale"))["progress"]
    assert stale["stale"] is True
    assert (await agent(TOOL, "list_progress", plan_id=plan_id, status="running"))["total"] == 0
    assert (await agent(TOOL, "set_progress", percent=100, **job))["status"] == "completed"
    assert (await agent(TOOL, "list_progress", plan_id=plan_id, status="completed"))["total"] == 1
    assert (await agent.fails(TOOL, "set_progress", percent=101, **job))["code"] == "invalid_arguments"


async def test_a_cached_value_is_of_its_place_and_configuration_until_it_expires(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan_id, [step_id] = await make_plan(agent, workspace_id)
    here = {"workspace_id": workspace_id}
    value = {"total": 87.5, "files": [1, None, {"b": "a"}]}
    await agent(TOOL, "cache_set", key="k", payload=value, ttl_seconds=60, config_hash="9f", **here)
    got = await agent(TOOL, "cache_get", key="k", config_hash="9f", **here)
    assert (got["hit"], got["payload"]) == (True, value)
    assert (await agent(TOOL, "cache_get", key="k", **here))["hit"] is True
    for other in ({"config_hash": "other", **here}, {"plan_id": plan_id}, {"step_id": step_id}):
        assert (await agent(TOOL, "cache_get", key="k", **other))["hit"] is False
    await agent(TOOL, "cache_set", key="k", payload={"of": "ada"}, scope="agent", agent="ada", **here)
    assert (await agent(TOOL, "cache_get", key="k", scope="agent", agent="ada", **here))["payload"] == {"of": "ada"}
    assert (await agent(TOOL, "cache_get", key="k", scope="agent", agent="bob", **here))["hit"] is False

    await change(db, "UPDATE cache_entries SET expires_at = :past WHERE parent_type = 'workspace'", past=PAST)
    assert (await agent(TOOL, "cache_get", key="k", **here))["hit"] is False
    assert (await agent(TOOL, "cache_clear", key="k", **here))["cleared"] == 0
    await agent(TOOL, "cache_set", key="k", payload={"new": 1}, **here)
    assert "expires_at" not in await agent(TOOL, "cache_get", key="k", **here)
    assert (await agent(TOOL, "cache_clear", key="k", **here))["cleared"] == 1
    assert (await agent(TOOL, "cache_get", key="k", **here))["hit"] is False


async def test_a_session_keeps_the_row_of_its_agent_current(agent: Agent, workspace_id: str) -> None:
    plan_id, [step_id] = await make_plan(agent, workspace_id)
    where = {"worktree": "../app-login", "branch": "login", "capabilities": ["python"], "data": {"model": "m"}}
    made = await agent(TOOL, "set_agent", workspace_id=workspace_id, agent="Executor", type="coder", **where)
    assert made["status"] == "idle"
    session = await agent("memory_agent", "init", agent="Executor", plan_id=plan_id)
    me = {"session_id": session["session_id"]}
    await agent("memory_steps", "next", plan_id=plan_id, **me)
    [row] = (await agent(TOOL, "list_agents", workspace_id=workspace_id, agent="Executor", detail="full"))["agents"]
    assert (row["status"], row["session_id"], row["current_step_id"]) == ("active", me["session_id"], step_id)
    assert (row["branch"], row["type"], row["configuration"]) == ("login", "coder", {"model": "m"})
    await agent("memory_agent", "complete", summary="done", **me)
    [row] = (await agent(TOOL, "list_agents", workspace_id=workspace_id, status="idle"))["agents"]
    assert row["agent"] == "Executor"
    assert "session_id" not in row
    told = await agent(
        TOOL, "set_agent", workspace_id=workspace_id, agent="Executor", status="sleeping", branch="login"
    )
    assert told["changed"] == ["status"]


async def test_plans_are_found_by_what_they_are_about(agent: Agent, workspace_id: str) -> None:
    first, _ = await make_plan(agent, workspace_id, "First")
    second, _ = await make_plan(agent, workspace_id, "Second")
    who = {"agent": "ada"}
    await agent(TOOL, "add_term", plan_id=first, term="Authentication", kind="concept", **who)
    again = await agent(TOOL, "add_term", plan_id=first, term="authentication", kind="concept", **who)
    assert (again["added"], again["term"]) == (False, "Authentication")
    await agent(TOOL, "add_term", plan_id=second, term="AUTHENTICATION", kind="concern", **who)
    await agent(TOOL, "add_term", plan_id=second, term="Größe", kind="tag", **who)
    for _ in range(2):
        await agent(TOOL, "add_term", plan_id=second, term="go fast", kind="intent", **who)
    found = await agent(TOOL, "find_by_term", workspace_id=workspace_id, term="authentication")
    assert {one["plan_id"] for one in found["plans"]} == {first, second}
    concerns = await agent(TOOL, "find_by_term", workspace_id=workspace_id, term="authentication", kind="concern")
    assert [one["title"] for one in concerns["plans"]] == ["Second"]
    assert (await agent(TOOL, "find_by_term", workspace_id=workspace_id, term="GRÖSSE"))["total"] == 1
    assert (await agent(TOOL, "list_terms", plan_id=second, kind="intent"))["total"] == 2
    await agent("memory_plan", "archive", plan_id=second)
    found = await agent(TOOL, "find_by_term", workspace_id=workspace_id, term="größe")
    assert [one["archived"] for one in found["plans"]] == [True]


async def test_what_came_from_elsewhere_is_found_by_its_id_there(agent: Agent, workspace_id: str, db: Database) -> None:
    _plan_id, [step_id] = await make_plan(agent, workspace_id)
    await change(db, "UPDATE steps SET external_id = 'ABC-417', source_system = 'jira' WHERE step_id = :id", id=step_id)
    hits = (await agent("memory_context", "search", query="ABC-417", workspace_id=workspace_id))["hits"]
    assert [one["step_id"] for one in hits] == [step_id]


async def test_a_call_or_run_with_an_error_failed_unless_it_says_otherwise(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    await agent(TOOL, "log_call", plan_id=plan_id, tool="t", args={}, error="boom")
    calls = [{"tool": "t", "args": {}, "error": "boom"}, {"tool": "t", "args": {}, "error": "warned", "success": True}]
    told = await agent(TOOL, "log_calls", plan_id=plan_id, calls=calls)
    assert told["failed"] == 1
    assert (await agent(TOOL, "call_stats", plan_id=plan_id))["tools"] == [{"tool": "t", "calls": 3, "failures": 2}]
    run = await agent(TOOL, "start_run", name="nightly", plan_id=plan_id)
    ended = await agent(TOOL, "finish_run", run_id=run["run_id"], error="boom")
    assert ended["status"] == "failed"


async def test_the_name_of_a_logged_tool_holds_no_secret(agent: Agent, workspace_id: str, db: Database) -> None:
    await agent(TOOL, "log_call", workspace_id=workspace_id, tool="curl https://a.org?token=hunter2", args={})
    [call] = (await agent(TOOL, "list_calls", workspace_id=workspace_id))["calls"]
    assert call["tool"] == f"curl https://a.org?token={redaction.BLANK}"
    assert await db.value("SELECT count(*) FROM event_log WHERE instr(data, 'hunter2')") == 0


async def test_other_figures_for_a_run_that_ended_are_a_conflict(agent: Agent, workspace_id: str) -> None:
    run = await agent(TOOL, "start_run", name="nightly", workspace_id=workspace_id, metrics={"tests": 1})
    await agent(TOOL, "finish_run", run_id=run["run_id"], metrics={"failed": 0})
    again = await agent(TOOL, "finish_run", run_id=run["run_id"], metrics={"failed": 0})
    assert again["status"] == "done"
    error = await agent.fails(TOOL, "finish_run", run_id=run["run_id"], metrics={"failed": 3})
    assert error["code"] == "conflict"
    assert (await agent(TOOL, "list_runs", run_id=run["run_id"]))["metrics"] == {"tests": 1, "failed": 0}


async def test_a_decision_holds_again_when_its_successor_is_gone(agent: Agent, workspace_id: str) -> None:
    kept, _ = await make_plan(agent, workspace_id, "Kept")
    thrown, _ = await make_plan(agent, workspace_id, "Thrown")
    old = await agent(TOOL, "decide", plan_id=kept, decision="SQLite", rationale="small")
    of_old = {"supersedes": old["decision_id"], "decision": "Postgres", "rationale": "big"}
    new = await agent(TOOL, "decide", plan_id=thrown, **of_old)
    gone = await agent("memory_plan", "delete", plan_id=thrown, confirm=True)
    assert (await agent(TOOL, "list_decisions", plan_id=kept))["total"] == 1
    await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert (await agent(TOOL, "list_decisions", plan_id=kept))["total"] == 0
    error = await agent.fails(TOOL, "decide", **of_old)
    assert error["superseded_by"] == new["decision_id"]
    await agent("memory_plan", "archive", plan_id=thrown)
    assert (await agent(TOOL, "list_decisions", plan_id=kept))["total"] == 0
    await agent("memory_plan", "unarchive", plan_id=thrown)
    await agent("memory_plan", "delete", plan_id=thrown, confirm=True)
    assert (await agent(TOOL, "decide", plan_id=kept, **of_old))["supersedes"] == old["decision_id"]


async def test_an_agent_is_not_at_a_step_that_is_gone(agent: Agent, workspace_id: str) -> None:
    _, [step_id] = await make_plan(agent, workspace_id)
    await agent(TOOL, "set_agent", agent="ada", step_id=step_id)
    [there] = (await agent(TOOL, "list_agents", workspace_id=workspace_id))["agents"]
    assert there["current_step_id"] == step_id
    await agent("memory_steps", "delete", step_id=step_id, confirm=True)
    [there] = (await agent(TOOL, "list_agents", workspace_id=workspace_id))["agents"]
    assert "current_step_id" not in there


async def test_an_intent_that_is_sent_twice_is_there_once(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    sent = {"plan_id": plan_id, "term": "log in", "kind": "intent", "agent": "ada", "request_id": "r1"}
    assert await agent(TOOL, "add_term", **sent) == await agent(TOOL, "add_term", **sent)
    assert (await agent(TOOL, "list_terms", plan_id=plan_id))["total"] == 1


async def test_an_unknown_run_names_the_call_that_lists_runs(agent: Agent, workspace_id: str) -> None:
    error = await agent.fails(TOOL, "finish_run", run_id="run_000000000000", workspace_id=workspace_id)
    assert "memory_ledger action='list_runs'" in error["message"]


async def test_who_waits_for_a_job_hears_how_far_it_is_and_never_of_a_way_back(
    agent: Agent, workspace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.tools.ledger.progress.LOOK_SECONDS", 0.01)
    job = {"workspace_id": workspace_id, "task_name": "reindex"}
    heard: list[tuple[float, float | None, str | None]] = []
    queue: asyncio.Queue[float] = asyncio.Queue()

    def waiting(told: list[tuple[float, float | None, str | None]]) -> asyncio.Task[Any]:
        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, total, message))
            queue.put_nowait(progress)

        sent = {"action": "list_progress", "wait_seconds": 25, **job}
        return asyncio.create_task(agent.client.call_tool(TOOL, sent, progress_callback=hear))

    await agent(TOOL, "set_progress", **job, percent=10)
    first = waiting(heard)
    assert await queue.get() == 10
    await agent(TOOL, "set_progress", **job, percent=40, message="4,000 of 10,000 files")
    assert await queue.get() == 40
    await agent(TOOL, "set_progress", **job, percent=30)
    second = waiting([])
    assert await queue.get() == 30  # heard by who began to wait then
    await agent(TOOL, "set_progress", **job, percent=70)
    assert [await queue.get(), await queue.get()] == [70, 70]
    await agent(TOOL, "set_progress", **job, percent=70, status="failed", message="disk full")

    for task in (first, second):
        [block] = (await task).content
        [row] = json.loads(block.text)["progress"]
        assert (row["status"], row["percent"], row["message"]) == ("failed", 70, "disk full")
    assert heard == [(10, 100, "reindex"), (40, 100, "4,000 of 10,000 files"), (70, 100, "reindex")]


async def test_a_wait_ends_with_its_time_or_at_once_where_there_is_nothing_to_wait_for(
    agent: Agent, workspace_id: str
) -> None:
    job = {"workspace_id": workspace_id, "task_name": "reindex"}
    assert (await agent(TOOL, "list_progress", **job, wait_seconds=25))["total"] == 0
    await agent(TOOL, "set_progress", **job, percent=100)
    assert (await agent(TOOL, "list_progress", **job, wait_seconds=25))["progress"][0]["status"] == "completed"
    await agent(TOOL, "set_progress", **job, percent=1)
    assert (await agent(TOOL, "list_progress", **job, wait_seconds=1))["progress"][0]["status"] == "running"
    error = await agent.fails(TOOL, "list_progress", **job, wait_seconds=26)
    assert error["code"] == "invalid_arguments"


async def test_a_row_of_a_list_repeats_neither_its_plan_nor_its_workspace(agent: Agent, workspace_id: str) -> None:
    plan_id, [step_id] = await make_plan(agent, workspace_id)
    for home in ({"workspace_id": workspace_id}, {"plan_id": plan_id}, {"step_id": step_id}):
        await agent(TOOL, "set_progress", task_name="reindex", percent=1, **home)
        await agent(TOOL, "add_artifact", artifact_type="code", name="parser", **home)
        await agent(TOOL, "record_metric", name="coverage", value=1, **home)
    here = {"workspace_id": workspace_id}
    for action, key in (("list_progress", "progress"), ("list_artifacts", "artifacts"), ("list_metrics", "points")):
        rows = (await agent(TOOL, action, **here))[key]
        assert [(row.get("plan_id"), row.get("parent_id")) for row in rows] == [
            (plan_id, step_id), (plan_id, None), (None, None),
        ]  # fmt: skip
        whole = (await agent(TOOL, action, **here, detail="full"))[key]
        assert [row["parent_id"] for row in whole] == [step_id, plan_id, workspace_id]


async def test_a_limit_is_told_as_the_number_that_it_is(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    error = await agent.fails(TOOL, "set_progress", task_name="reindex", percent=101, plan_id=plan_id)
    assert "must be at most 100." in error["message"]
    error = await agent.fails(TOOL, "set_budget", plan_id=plan_id, max=1e13)
    assert "must be at most 1,000,000,000,000." in error["message"]
