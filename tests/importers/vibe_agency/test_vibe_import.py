"""A project of vibe-agency comes in whole: every file, every row, counted by who wrote the project."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tests import vibe_store
from tests.importers.conftest import Taker
from tests.vibe_store import Store


def rows(take: Taker, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(take.db.path)) as db:
        return db.execute(sql, values).fetchall()


async def test_every_row_of_every_file_comes_in(take: Taker, with_databases: Path, found: Store) -> None:
    report = await take(with_databases)

    told = {
        table: counts["new"] for table, counts in report.rows.items() if table not in ("workspaces", "context_items")
    }
    expected = {table: number for table, number in found.rows.items() if table != "context_items"}
    assert told == expected
    assert report.files == {"imported": len(found.files) + 2}
    assert [one for one in report.findings if one.severity == "error"] == []
    assert report.differences == []
    assert Counter(table for table, number in expected.items() for _ in range(number)) == Counter(
        table for table in expected for _ in rows(take, f"SELECT 1 FROM {table}")
    )


async def test_the_project_is_the_workspace(take: Taker, project: Path) -> None:
    await take(project)

    assert rows(take, "SELECT path FROM workspaces") == [(str(project),)]


async def test_a_manifest_is_a_plan_with_what_its_project_has_shown(take: Taker, project: Path) -> None:
    await take(project)

    told = await take.ask("memory_plan", {"action": "get", "plan_id": vibe_store.ROOT_ID, "detail": "full"})
    assert (told["title"], told["status"]) == ("agency", "active")
    assert (told["current_focus"], told["blockers"], told["completed_phases"]) == (
        "the parser", ["no EPUB"], ["PLANNING"],
    )  # fmt: skip
    assert "CODING" in (told.get("stated_phase"), told["current_phase"])
    brief = await take.ask("memory_plan", {"action": "get", "plan_id": vibe_store.ROOT_ID})
    assert (brief["current_focus"], brief["blockers"]) == ("the parser", ["no EPUB"])
    session = await take.ask("memory_agent", {"action": "init", "agent": "ada", "plan_id": vibe_store.ROOT_ID})
    assert (session["plan"]["current_focus"], session["plan"]["blockers"]) == ("the parser", ["no EPUB"])
    plan = {"plan_id": vibe_store.ROOT_ID}
    for words in ("the parser", "no EPUB"):
        hits = (await take.ask("memory_context", {**plan, "action": "search", "query": words}))["hits"]
        assert vibe_store.ROOT_ID in [one.get("plan_id") for one in hits]
    columns = "current_phase, current_focus, blockers, completed_phases, owner, external_id, source_system"
    [standing] = rows(take, f"SELECT {columns} FROM plans WHERE plan_id = ?", vibe_store.ROOT_ID)
    assert standing == (
        "CODING", "the parser", '["no EPUB"]', '["PLANNING"]', "someone@example.org", vibe_store.ROOT_ID,
        "vibe-agency",
    )  # fmt: skip
    budget = rows(take, "SELECT max, spent, alert_threshold, unit FROM budgets WHERE plan_id = ?", vibe_store.ROOT_ID)
    assert budget == [(10.0, 2.5, 0.75, "USD")]
    gates = rows(
        take, "SELECT gate_name, status, raw_status, transition FROM quality_gates WHERE plan_id = ? ORDER BY 1",
        vibe_store.ROOT_ID,
    )  # fmt: skip
    transition = "PLANNING → CODING"
    assert gates == [
        ("data_privacy_scan", "failed", "FAIL", transition), ("prompt_security_scan", "passed", "PASS", transition),
    ]  # fmt: skip
    kept = {row[0] for row in rows(take, "SELECT type FROM context_items WHERE parent_id = ?", vibe_store.ROOT_ID)}
    assert {"spec", "x_unknown", "project_memory"} <= kept
