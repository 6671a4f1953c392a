"""Shipped content follows the files; what a user made or edited stays."""

from typing import Any

import pytest

from server.db.library import seed
from server.db.storage.connection import Database
from server.models.library import AgentDefinition, InstructionFile, SkillDefinition


def agent(name: str, body: str = "Go.") -> AgentDefinition:
    return AgentDefinition(name=name, description="d", body=body, content_hash=body, metadata={"can_implement": True})


def instruction(name: str, body: str = "Go.") -> InstructionFile:
    return InstructionFile(
        name=name, description="d", body=body, content_hash=body, metadata={}, applies_to=["**/*.py"]
    )


def skill(name: str, body: str = "Go.") -> SkillDefinition:
    return SkillDefinition(
        name=name,
        description="d",
        body=body,
        content_hash=body,
        metadata={},
        category="testing",
        tags=["a", "b"],
        languages=["python"],
        frameworks=[],
    )


TABLES = {
    "agent_definitions": agent,
    "instruction_files": instruction,
    "skill_definitions": skill,
}


async def seeded(db: Database, table: str, *items: Any, content_hash: str = "h") -> None:
    agents, instructions, skills = ([*items] if table == name else [] for name in TABLES)
    await seed.seed_content(db, agents, instructions, skills, content_hash)


async def bodies(db: Database, table: str) -> dict[str, str]:
    return {row["name"]: row["body"] for row in await db.all(f"SELECT name, body FROM {table}")}


async def test_a_new_database_holds_everything_that_ships(db: Database) -> None:
    counts = {table: await db.value(f"SELECT count(*) FROM {table}") for table in TABLES}

    assert counts == {"agent_definitions": 16, "instruction_files": 6, "skill_definitions": 11}
    for table in TABLES:
        assert await db.value(f"SELECT count(*) FROM {table} WHERE origin <> 'shipped' OR body = ''") == 0


async def test_lists_and_metadata_are_stored_as_json(db: Database) -> None:
    await seed.seed_content(db, [agent("A")], [instruction("I")], [skill("S")], "h")

    assert await db.value("SELECT metadata FROM agent_definitions") == '{"can_implement":true}'
    assert await db.value("SELECT applies_to FROM instruction_files") == '["**/*.py"]'
    assert tuple((await db.all("SELECT category, tags, languages, frameworks FROM skill_definitions"))[0]) == (
        "testing",
        '["a","b"]',
        '["python"]',
        "[]",
    )


@pytest.mark.parametrize("table", TABLES)
async def test_a_file_that_changed_replaces_its_row_and_one_that_vanished_takes_it_along(
    db: Database, table: str
) -> None:
    make = TABLES[table]
    await seeded(db, table, make("kept"), make("changed"), make("gone"))
    await seeded(db, table, make("kept"), make("changed", "Better."), make("added"))

    assert await bodies(db, table) == {"kept": "Go.", "changed": "Better.", "added": "Go."}


@pytest.mark.parametrize("table", TABLES)
async def test_an_unchanged_file_leaves_its_row_alone(db: Database, table: str) -> None:
    make = TABLES[table]
    await seeded(db, table, make("kept"))
    async with db.transaction() as tx:
        await tx.run(f"UPDATE {table} SET updated_at = 'then'")
    await seeded(db, table, make("kept"))

    assert await db.value(f"SELECT updated_at FROM {table}") == "then"


@pytest.mark.parametrize("table", TABLES)
async def test_what_a_user_made_or_edited_survives_every_seed(db: Database, table: str) -> None:
    make = TABLES[table]
    await seeded(db, table, make("edited"), make("other"))
    async with db.transaction() as tx:
        await tx.run(f"UPDATE {table} SET body = 'mine', origin = 'user' WHERE name = 'edited'")
        await tx.run(
            f"""
            INSERT INTO {table} (name, description, body, origin, content_hash, created_at, updated_at)
            VALUES ('made', 'd', 'mine too', 'user', '', 'now', 'now')
            """
        )
    await seeded(db, table, make("edited", "Shipped anew."))

    assert await bodies(db, table) == {"edited": "mine", "made": "mine too"}


async def test_a_seed_that_fails_changes_nothing_and_is_done_again(db: Database) -> None:
    before = await bodies(db, "agent_definitions")
    with pytest.raises(Exception, match="NOT NULL"):
        await seed.seed_catalog(
            db, [{"name": "t", "title": "T", "description": None, "inputSchema": {}, "actions": []}], "bad"
        )

    assert await bodies(db, "agent_definitions") == before
    assert (await seed.hashes(db))["catalog"] != "bad"
    assert await db.value("SELECT count(*) FROM tools") > 0
