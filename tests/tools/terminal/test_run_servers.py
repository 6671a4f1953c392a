"""A server that something runs under is there for as long as it uses the database, whatever has its number."""

import os

from server.db.storage.connection import Database
from server.db.terminal import servers
from server.settings import Settings
from server.store import open_store


async def test_a_server_is_gone_when_it_no_longer_uses_the_database_though_its_number_is_taken(
    settings: Settings, db: Database
) -> None:
    other = await open_store(settings)
    name = other.lock.name
    before = servers.is_gone(db, name)
    await other.close()

    assert name.startswith(f"{os.getpid()}-")
    assert (before, servers.is_gone(db, name)) == (False, True)
    assert servers.is_gone(db, "1-00000000")  # the first process of a machine, or of a container, always lives
    assert servers.ours(db) == db.lock.name
    assert not servers.is_gone(db, servers.ours(db))


async def test_a_server_that_others_cannot_see_is_never_gone(db: Database) -> None:
    (db.path.parent / "processes" / db.lock.name).unlink()

    assert servers.ours(db) == ""
    assert not servers.is_gone(db, db.lock.name)
    assert not servers.is_gone(db, servers.ours(db))
    assert not servers.is_gone(db, None)


async def test_a_name_that_is_a_path_removes_nothing(db: Database) -> None:
    (db.path.parent / "mine").write_text("x", encoding="utf-8")

    assert servers.is_gone(db, "../mine")
    assert (db.path.parent / "mine").exists()
