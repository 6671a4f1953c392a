"""What a human said of a plan that is there already is said here: no file opens a gate, or says it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.errors import Gated
from server.models.documents import digest
from tests.conftest import Agent
from tests.exporters.test_round_trip import written
from tests.importers.conftest import Taker

STEPS = "memory_steps"


async def gated_plan(agent: Agent, workspace_id: str) -> tuple[str, str]:
    steps = [{"task": "look", "type": "confirmation"}]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P", steps=steps)
    return plan["plan_id"], plan["step_ids"][0]


def changed(out: Path, plan_id: str, **tables: list[dict[str, Any]]) -> None:
    """Put other rows into the document of a plan, as whoever holds the file can."""
    [path] = out.rglob(f"{plan_id}.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["tables"] |= tables
    document["sha256"] = digest(document)
    path.write_text(json.dumps(document), encoding="utf-8")


async def is_held(elsewhere: Taker, **step: Any) -> bool:
    try:
        await elsewhere.ask(STEPS, {"action": "update", "agent": "bob", **step})
    except Gated:
        return True
    return False


async def test_a_source_that_changed_opens_no_gate_of_a_plan_that_was_imported(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path
) -> None:
    plan_id, step_id = await gated_plan(agent, workspace_id)
    cancel = {"step_id": step_id, "status": "cancelled"}
    await agent.fails(STEPS, "update", **cancel, agent="ada")
    out = await written(db, tmp_path / "out")
    assert (await elsewhere(out)).exit_code == 0
    [row] = [dict(row) for row in await elsewhere.db.all("SELECT * FROM approvals")]

    word = {"confirmation_id": "conf_1", "plan_id": plan_id, "step_id": step_id, "confirmed_by": "human"}
    said = {**row, "status": "approved", "via": "terminal", "arguments": json.loads(row["arguments"])}
    changed(
        out,
        plan_id,
        confirmations=[{**word, "via": "terminal", "created_at": row["created_at"]}],
        approvals=[{**said, "versions": json.loads(row["versions"])}],
    )
    report = await elsewhere(out)

    told = [finding.what for finding in report.findings if finding.severity == "error"]
    assert told == ["a human's word on a plan that is there already; left out"] * 2
    assert [row["status"] for row in await elsewhere.db.all("SELECT status FROM approvals")] == ["open"]
    assert await is_held(elsewhere, step_id=step_id, status="done")
    assert await is_held(elsewhere, **cancel)


@pytest.mark.parametrize("archived", [False, True])
async def test_what_is_asked_here_and_in_the_source_is_asked_once(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path, *, archived: bool
) -> None:
    plan_id, _ = await gated_plan(agent, workspace_id)
    await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="Q", steps=[{"task": "b"}], depends_on_plans=[plan_id]
    )
    if archived:
        await agent("memory_plan", "archive", plan_id=plan_id)
    await elsewhere(await written(db, tmp_path / "out"))
    delete: dict[str, Any] = {"action": "delete", "plan_id": plan_id, "confirm": True, "agent": "ada"}
    theirs = (await agent.fails("memory_plan", "delete", **{k: v for k, v in delete.items() if k != "action"}))[
        "approval_id"
    ]
    with pytest.raises(Gated) as refused:
        await elsewhere.ask("memory_plan", delete)
    ours = refused.value.details["approval_id"]

    report = await elsewhere(await written(db, tmp_path / "out"))

    assert theirs != ours
    assert [finding.value for finding in report.findings if finding.severity == "error"] == [theirs]
    listed = await elsewhere.ask("memory_workspace", {"action": "approvals", "plan_id": plan_id})
    assert [row["approval_id"] for row in listed["approvals"] if "approval_id" in row] == [ours]
    with pytest.raises(Gated) as again:
        await elsewhere.ask("memory_plan", delete)
    assert again.value.details["approval_id"] == ours


async def test_what_may_run_here_is_neither_allowed_nor_asked_by_a_file(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path
) -> None:
    run, rules = {"command": "ls -l"}, {"patterns": ["ls *"]}
    await agent.fails("memory_terminal", "run", workspace_id=workspace_id, **run)
    await agent.fails("memory_terminal", "update_allowlist", workspace_id=workspace_id, **rules)
    async with db.transaction() as tx:
        await tx.run("UPDATE approvals SET status = 'approved' WHERE kind = 'run'", {})

    report = await elsewhere(await written(db, tmp_path / "out"))

    assert (report.exit_code, [finding.severity for finding in report.findings]) == (0, ["warning"] * 2)
    assert [dict(row) for row in await elsewhere.db.all("SELECT kind, status FROM approvals")] == []
    with pytest.raises(Gated):
        await elsewhere.ask("memory_terminal", {"action": "run", "workspace_id": workspace_id, **run})
