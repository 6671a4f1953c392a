"""The stored number of open steps of a plan is theirs, whatever writes, and whoever does."""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from server.db.plans import plan_archive, plans
from server.db.plans.plans import Miscounted
from server.db.storage import migrations
from server.db.storage.connection import Database
from server.db.storage.opening import open_database
from server.settings import ASSETS
from tests.db.plans.test_plan_archive import make_plan

SHIPPED = ASSETS / "migrations"
STATUSES = ("pending", "active", "blocked", "failed", "done", "cancelled")
TABLES = pytest.mark.parametrize("suffix", ["", plan_archive.ARCHIVE])


def write(path: Path, statements: Iterable[str]) -> dict[str, int | None]:
    """Write as another program does, and return the stored numbers by plan, in the live tables and in the archive."""
    with closing(sqlite3.connect(path)) as other, other:
        for statement in statements:
            other.execute(statement)
        query = "SELECT plan_id, open_steps FROM plans UNION ALL SELECT plan_id, open_steps FROM plans_archive"
        return dict(other.execute(query).fetchall())


def plan(suffix: str, plan_id: str, open_steps: str = "0") -> str:
    return f"""
        INSERT INTO plans{suffix} (plan_id, workspace_id, title, open_steps, created_at, updated_at)
        VALUES ('{plan_id}', 'w', 't', {open_steps}, 'now', 'now')
    """


def step(suffix: str, step_id: str, status: str, plan_id: str = "p") -> str:
    return f"""
        INSERT INTO steps{suffix} (step_id, plan_id, phase_id, order_index, task, status, created_at, updated_at)
        VALUES ('{step_id}', '{plan_id}', 'f', 0, 't', '{status}', 'now', 'now')
    """


@TABLES
async def test_what_is_inserted_changed_moved_and_deleted_is_counted(db: Database, suffix: str) -> None:
    begun = [plan(suffix, "p"), plan(suffix, "q"), *(step(suffix, status, status) for status in STATUSES)]
    assert write(db.path, begun) == {"p": 4, "q": 0}

    for status, left in (("pending", 6), ("blocked", 6), ("done", 0), ("cancelled", 0), ("active", 6)):
        assert write(db.path, [f"UPDATE steps{suffix} SET status = '{status}'"]) == {"p": left, "q": 0}
    moved = f"UPDATE steps{suffix} SET plan_id = 'q', status = step_id WHERE step_id IN ('done', 'failed')"
    assert write(db.path, [moved]) == {"p": 4, "q": 1}
    assert write(db.path, [f"DELETE FROM steps{suffix} WHERE step_id IN ('pending', 'done')"]) == {"p": 3, "q": 1}
    assert await plans.miscounted(db) == []


@TABLES
@pytest.mark.parametrize("told", ["0", "7"])
async def test_a_plan_that_comes_with_a_number_has_the_one_of_its_steps(db: Database, suffix: str, told: str) -> None:
    steps = [step(suffix, status, status) for status in STATUSES]

    assert write(db.path, [plan(suffix, "p", told), *steps]) == {"p": 4}
    assert write(db.path, [f"DELETE FROM plans{suffix}", plan(suffix, "p", told)]) == {"p": 4}  # the steps stayed
    assert await plans.miscounted(db) == []


async def test_an_archived_plan_without_a_number_gets_one(db: Database) -> None:
    assert write(db.path, [step("_archive", "s", "failed"), plan("_archive", "p", "NULL")]) == {"p": 1}
    assert await plans.miscounted(db) == []


async def test_a_phase_that_goes_takes_its_open_steps_along(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.run("INSERT INTO workspaces (workspace_id, path, name, created_at, updated_at) VALUES (1, 1, 1, 1, 1)")
        plan_id, step_ids = await make_plan(tx, "1", "Walnut")
        await tx.run("UPDATE steps SET status = 'done' WHERE step_id = :id", {"id": step_ids[0]})
    assert await plans.open_steps(db, plan_id) == 3

    async with db.transaction() as tx:
        await tx.run("DELETE FROM phases WHERE name = 'Ship'")
    assert await plans.open_steps(db, plan_id) == 1
    assert await plans.miscounted(db) == []


async def test_a_plan_in_the_archive_and_back_keeps_its_number(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.run("INSERT INTO workspaces (workspace_id, path, name, created_at, updated_at) VALUES (1, 1, 1, 1, 1)")
        plan_id, step_ids = await make_plan(tx, "1", "Walnut")
        await tx.run("UPDATE steps SET status = 'cancelled' WHERE step_id = :id", {"id": step_ids[0]})
        await plan_archive.archive(tx, plan_id)
    assert write(db.path, []) == {plan_id: 3}

    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, plan_id)
    assert write(db.path, []) == {plan_id: 3}
    assert await plans.miscounted(db) == []


async def test_a_wrong_number_is_told(db: Database) -> None:
    for suffix in ("", "_archive"):
        write(db.path, [plan(suffix, f"p{suffix}"), step(suffix, "s", "pending", f"p{suffix}")])
        write(db.path, [f"UPDATE plans{suffix} SET open_steps = 5"])

    assert await plans.miscounted(db) == [Miscounted("p", 5, 1), Miscounted("p_archive", 5, 1)]


async def test_the_migration_counts_what_is_there(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for file in sorted(SHIPPED.glob("*.sql")):
        if "open_steps" in file.name:
            break
        shutil.copy(file, earlier)
    db = await open_database(tmp_path / "some.db")
    await migrations.migrate(db, earlier)
    with closing(sqlite3.connect(db.path)) as other, other:
        for suffix in ("", "_archive"):
            other.execute(plan(suffix, f"p{suffix}").replace("open_steps, ", "").replace("'t', 0,", "'t',"))
            for status in STATUSES:
                other.execute(step(suffix, status, status, f"p{suffix}"))
        other.execute("INSERT INTO workspaces VALUES ('w', '/w', 'w', NULL, NULL, NULL, NULL, '{}', '1', '1', NULL)")
        other.execute("INSERT INTO phases (phase_id, plan_id, name, order_index, created_at, updated_at)"
                      " VALUES ('f', 'p', 'f', 0, '1', '1')")  # fmt: skip
    await migrations.migrate(db, SHIPPED)

    assert write(db.path, []) == {"p": 4, "p_archive": 4}
    assert await plans.miscounted(db) == []
    await db.close()
