"""Whatever has an id is found by it, by the end of it, and can be called by a name."""

import re

import pytest

from server.db.search import identities
from server.db.search.identities import IDENTITIES
from server.db.storage.connection import Database
from server.db.workspaces import workspaces
from server.errors import Ambiguous, NotFound
from server.models.events import ENTITIES
from server.settings import Settings
from server.store import open_store
from tests.populated_store import PopulatedStore

# Rows that nobody speaks of by their id: files of an import belong to it, who worked on a step to the step. Tokens have
# names, and what a browser is known by is a secret.
UNNAMED = {
    *("import_files", "requests", "step_workers", "step_workers_archive", "file_changes", "servers"),
    *("tokens", "web_sessions"),
}
# What events are about that is no row with an id.
WITHOUT_ID = {"definition", "file", "link", "store"}


async def test_every_table_with_ids_is_known(db: Database) -> None:
    tables = await db.all(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%_id TEXT PRIMARY KEY%'"
    )
    found = {row["name"] for row in tables if re.search(r"\(\s*\w+_id TEXT PRIMARY KEY", row["sql"])}

    assert found - UNNAMED == {table for of in IDENTITIES.values() for table in of.tables}


async def test_what_events_are_about_has_a_name(db: Database) -> None:
    known = {*IDENTITIES, *identities.EVENTS, *WITHOUT_ID}
    assert ENTITIES - known == set()


async def test_everything_in_a_store_is_found_by_its_id_and_by_the_end_of_it(copy: PopulatedStore) -> None:
    db = await open_store(Settings(data_root=copy.data_root, read_only=True))
    try:
        seen: set[str] = set()
        for kind, of in IDENTITIES.items():
            query = f"SELECT {of.key} AS id FROM {of.table} WHERE NOT ({of.hidden}) LIMIT 3"
            for row in await db.all(query, {"now": db.now()}):
                found = await identities.named(db, row["id"])
                assert (found.kind, found.id) == (kind, row["id"])
                assert (await identities.named(db, row["id"][1:])).id == row["id"]
                assert (await identities.row(db, found))[of.key] == row["id"]
                seen.add(kind)
    finally:
        await db.close()
    assert {"workspace", "plan", "phase", "step", "session", "message", "note"} <= seen


async def test_an_end_has_four_characters_and_belongs_to_one(db: Database) -> None:
    ids = ["ws_abcdefgh0same", "ws_abcdefgh1same"]
    async with db.transaction() as tx:
        for number, name in enumerate(ids):
            await workspaces.insert(tx, path=f"/{number}", name="x", workspace_id=name)
    with pytest.raises(Ambiguous, match=" and |".join(ids)):
        await identities.named(db, "same")
    with pytest.raises(NotFound, match="4 characters or more"):
        await identities.named(db, "ame")
    assert (await identities.named(db, "0same")).id == ids[0]
