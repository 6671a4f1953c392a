"""A gate that holds here is neither taken away nor opened by a source that changed, which anybody may write to."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.importers.conftest import Taker

TASK = {"id": 1, "title": "Ship it", "description": "", "status": "pending", "priority": "high", "dependencies": []}
COLUMNS = "requires_confirmation, requires_user_confirmation, type, required_gates, status, completed_at"


def write(project: Path, **more: Any) -> None:
    file = project / ".taskmaster" / "tasks" / "tasks.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"master": {"tasks": [TASK | more]}}))


@pytest.mark.parametrize("on_conflict", ["merge", "overwrite"])
@pytest.mark.parametrize(
    "gate",
    [
        {"requires_confirmation": 1},
        {"requires_user_confirmation": 1},
        {"type": "user_validation"},
        {"type": "critical"},
        {"required_gates": '["tests"]'},
    ],
    ids=str,
)
async def test_a_source_that_says_done_leaves_a_step_behind_its_gate(
    take: Taker, project: Path, gate: dict[str, Any], on_conflict: str
) -> None:
    write(project)
    await take(project)
    step_id = await take.db.value("SELECT step_id FROM steps")
    [(name, value)] = gate.items()
    async with take.db.transaction() as tx:
        await tx.run(f"UPDATE steps SET {name} = :value WHERE step_id = :id", {"value": value, "id": step_id})
    before = await take.db.one(f"SELECT {COLUMNS} FROM steps")
    assert before
    write(project, title="Ship it now", status="done")
    report = await take(project, on_conflict=on_conflict)

    after = await take.db.one(f"SELECT {COLUMNS}, task FROM steps")
    assert after
    assert tuple(after)[:-1] == tuple(before)
    assert after["task"] == "Ship it now"
    kept = {one.json_path: one.used for one in report.findings if one.what.startswith("status stays")}
    assert kept.pop("$.master", "active") == "active"  # the plan, which its only step would complete
    assert list(kept.values()) == ["pending"]
    assert set((await take(project)).files) == {"unchanged"}


async def test_without_a_gate_a_step_is_done(take: Taker, project: Path) -> None:
    write(project)
    await take(project)
    write(project, status="done")
    await take(project)
    assert await take.db.value("SELECT status FROM steps") == "done"
