"""What older rows say of who confirmed, and what a look at gates costs."""

import shutil
from pathlib import Path

import pytest

from server.db.plans import phases, plans
from server.db.steps import steps
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.db.workspaces import workspaces
from server.models.steps import NewStep
from server.settings import ASSETS, Settings
from server.store import open_store
from tests.db.plans.test_plan_archive import NOW, insert
from tests.older_schema import search_what_is_there


async def test_an_older_confirmation_says_that_nobody_knows_how_it_was_given(
    unused: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for path in (ASSETS / "migrations").glob("000[1-8]_*.sql"):
        shutil.copy(path, old)
    db = await open_database(unused.database)
    await migrate(db, old)
    await search_what_is_there(monkeypatch, db)
    async with db.transaction() as tx:
        workspace = await workspaces.insert(tx, path="/srv/old", name="old")
        plan = await plans.insert(tx, workspace_id=workspace.workspace_id, title="Old")
        [made] = await steps.insert_many(tx, plan.plan_id, [NewStep(task="a", type="confirmation")])
        await tx.run("UPDATE steps SET completed_by = 'ada' WHERE step_id = :id", {"id": made.step_id})
        given = {"confirmed_by": "user", "plan_id": plan.plan_id, "created_at": NOW}
        await insert(tx, "confirmations", confirmation_id="conf_1", step_id=made.step_id, **given)
        await insert(tx, "confirmations", confirmation_id="conf_2", phase_id=made.phase_id, **given)
    await db.close()
    monkeypatch.undo()

    db = await open_store(unused)
    rows = await db.all("SELECT confirmed_by, via FROM confirmations")
    assert {(row["confirmed_by"], row["via"]) for row in rows} == {("user", "unknown")}
    assert (await phases.progress(db, plan.plan_id))[0].confirmed_via == "unknown"
    assert [row["agent"] for row in await db.all("SELECT agent FROM step_workers")] == ["ada"]
    await db.close()
