"""Leases on files: they run out, are renewed, and go with what they were for."""

import pytest_asyncio

from server.db.sessions import file_reservations
from server.db.storage.connection import Database, Transaction
from server.db.workspaces import workspaces
from server.models.base import later
from server.models.events import Origin
from server.models.reservations import Reservation


@pytest_asyncio.fixture
async def workspace_id(db: Database) -> str:
    async with db.transaction() as tx:
        return (await workspaces.insert(tx, path="/project", name="project")).workspace_id


async def reserve(
    tx: Transaction, workspace_id: str, holder: str, *paths: str, seconds: float = 60, reason: str | None = None
) -> None:
    mine = [row.path for row in await file_reservations.live(tx, workspace_id) if row.held_by == holder]
    await file_reservations.grant(
        tx,
        paths,
        held=mine,
        workspace_id=workspace_id,
        holder=holder,
        plan_id=None,
        exclusive=True,
        reason=reason,
        until=later(tx.now(), seconds),
    )


async def held(db: Database, workspace_id: str) -> list[tuple[str, str]]:
    return [(row.path, row.held_by) for row in await file_reservations.live(db, workspace_id)]


async def test_reservations_are_listed_by_path_and_holder(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        await reserve(tx, workspace_id, "bob", "b", "a")
        await reserve(tx, workspace_id, "ada", "b")
    assert await held(db, workspace_id) == [("a", "bob"), ("b", "ada"), ("b", "bob")]


async def test_a_lease_that_ran_out_does_not_count_and_is_removed(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        await reserve(tx, workspace_id, "ada", "old", seconds=-1)
        await reserve(tx, workspace_id, "ada", "new")
    assert await held(db, workspace_id) == [("new", "ada")]
    assert await db.value("SELECT count(*) FROM file_reservations") == 2

    async with db.transaction() as tx:
        await file_reservations.remove_expired(tx, workspace_id)
    assert await db.value("SELECT group_concat(path) FROM file_reservations") == "new"


async def test_a_renewal_keeps_the_row_and_what_it_does_not_say(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        await reserve(tx, workspace_id, "ada", "a", seconds=10, reason="parser")
    before = await db.one("SELECT * FROM file_reservations")
    async with db.transaction() as tx:
        await reserve(tx, workspace_id, "ada", "a", "b", seconds=600)
    after = await db.one("SELECT * FROM file_reservations WHERE path = 'a'")
    assert before
    assert after
    assert (after["reservation_id"], after["reason"]) == (before["reservation_id"], "parser")
    assert after["lease_expires_at"] > before["lease_expires_at"]
    assert await held(db, workspace_id) == [("a", "ada"), ("b", "ada")]


async def test_a_release_tells_what_was_still_held_and_logs_it(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        other = (await workspaces.insert(tx, path="/other", name="other")).workspace_id
        await reserve(tx, workspace_id, "ada", "a", "b", "c")
        await reserve(tx, workspace_id, "ada", "old", seconds=-1)
        await reserve(tx, other, "ada", "d")
        await reserve(tx, workspace_id, "bob", "a")
        tx.events.clear()
        assert await file_reservations.release(tx, "ada", workspace_id=workspace_id, paths=["c", "x"]) == ["c"]
        assert sorted(await file_reservations.release(tx, "ada")) == ["a", "b", "d"]
        assert await file_reservations.release(tx, "ada") == []
        logged = [(event.type, event.workspace_id, event.data["paths"]) for event in tx.events]
    assert await held(db, workspace_id) == [("a", "bob")]
    assert logged[0] == ("files_released", workspace_id, ["c"])
    assert sorted(logged[1:]) == sorted(
        [("files_released", workspace_id, ["a", "b"]), ("files_released", other, ["d"])]
    )


async def test_the_agent_of_a_session_is_named(db: Database, workspace_id: str) -> None:
    async with db.transaction() as tx:
        await tx.run(
            """
            INSERT INTO sessions (session_id, workspace_id, agent, started_at, last_seen_at, created_at, updated_at)
            VALUES ('sess_1', :workspace_id, 'Executor', :now, :now, :now, :now)
            """,
            {"workspace_id": workspace_id, "now": tx.now()},
        )
        tx.origin = Origin(session_id="sess_1", agent="Executor")
        await reserve(tx, workspace_id, "sess_1", "a")
    [row] = await file_reservations.live(db, workspace_id)
    assert row == Reservation(
        path="a", held_by="sess_1", agent="Executor", exclusive=True, lease_expires_at=row.lease_expires_at
    )
