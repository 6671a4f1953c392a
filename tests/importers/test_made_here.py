"""What was made here and has no place in the files of another program: an export says how much it leaves out."""

import importlib
from pathlib import Path

import pytest

from server.importers.values import plain_word
from tests.importers import layouts
from tests.importers.conftest import Taker

MADE = {
    "agent-hive": {"notes on plans": 1, "decisions": 1, "steps": 1, "plans": 1},
    "burndown-chart": {"notes on plans": 1, "decisions": 1},
    "vibe-agency": {"notes on plans": 1, "decisions": 1},
}


@pytest.mark.parametrize("name", sorted(MADE))
async def test_an_export_counts_what_it_has_no_place_for(take: Taker, project: Path, name: str) -> None:
    made = layouts.generators()[name](project, 1)
    await take(made.source)
    exporter = importlib.import_module(f"server.exporters.{plain_word(name)}")
    before = await exporter.left_out(take.db, None, None)
    assert set(before.values()) <= {1, 2, 3}  # files that held secrets
    assert not before.keys() & MADE[name].keys()

    row = await take.db.one("SELECT plan_id, workspace_id FROM plans ORDER BY title DESC LIMIT 1")
    assert row
    of_plan = {"plan_id": row["plan_id"], "agent": "me"}
    await take.ask("memory_plan", {"action": "add_note", "note": "Mind the gap", **of_plan})
    await take.ask("memory_ledger", {"action": "decide", "decision": "Stay", "rationale": "It is good", **of_plan})
    new = {"action": "create", "workspace_id": row["workspace_id"], "title": "New", "steps": [{"task": "Begin"}]}
    await take.ask("memory_plan", {**new, "agent": "me"})

    after = await exporter.left_out(take.db, None, None)
    assert {what: number for what, number in after.items() if what not in before} == MADE[name]
