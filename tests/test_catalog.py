"""The catalog files say what the registry says, and the database says what the files say."""

import json
from pathlib import Path
from typing import Any

import pytest

from server import catalog
from server.db.library import seed
from server.db.storage.connection import Database
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.registry import Tool
from server.settings import ASSETS, Settings
from server.store import open_store
from server.tools import TOOLS

FOLDER = ASSETS / "catalog"


async def stored(db: Database) -> dict[str, dict[str, list[str]]]:
    """The catalog as the tables hold it: tool -> action -> parameters in order."""
    rows = await db.all(
        """
        SELECT a.tool, a.action, p.name FROM tool_actions a
        LEFT JOIN tool_action_params p ON p.tool = a.tool AND p.action = a.action
        ORDER BY a.tool, a.action, p.order_index
        """
    )
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        params = found.setdefault(row["tool"], {}).setdefault(row["action"], [])
        params += [row["name"]] if row["name"] else []
    return found


def entry(name: str, *actions: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.title(),
        "description": "For tests.",
        "inputSchema": {"type": "object"},
        "actions": [
            {
                "name": action,
                "summary": "Do it.",
                "help": "Do it well.",
                "readOnly": True,
                "destructive": False,
                "params": [{"name": "topic", "type": "string"}],
            }
            for action in actions
        ],
    }


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_the_file_of_a_tool_is_current(tool: Tool) -> None:
    assert (FOLDER / f"{tool.name}.json").read_text(encoding="utf-8") == catalog.render(tool)


def test_there_is_a_file_for_every_tool_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(TOOLS)


def test_what_else_ships_beside_it_is_no_part_of_the_catalog() -> None:
    others = {path.name for path in FOLDER.iterdir() if path.suffix != ".json"}

    assert others == {"templates", "demo-plan.md", "layouts", "protocol", "schema.sql"}


def test_stale_files_are_named_and_written_and_what_no_tool_stands_for_is_removed(tmp_path: Path) -> None:
    tool = next(iter(TOOLS.values()))
    (tmp_path / "memory_gone.json").write_text("{}", encoding="utf-8")
    (tmp_path / f"{tool.name}.json").write_text("{}", encoding="utf-8")

    assert catalog.stale([tool], tmp_path) == {"memory_gone.json": None, f"{tool.name}.json": catalog.render(tool)}
    assert catalog.write([tool], tmp_path) == sorted(["memory_gone.json", f"{tool.name}.json"])
    assert catalog.stale([tool], tmp_path) == {}
    assert [e["name"] for e in catalog.load(tmp_path)] == [tool.name]


def test_the_digest_follows_every_byte_and_every_name(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("{}", encoding="utf-8")
    seen = [catalog.digest(tmp_path), catalog.digest(tmp_path)]
    file.write_text("{ }", encoding="utf-8")
    seen.append(catalog.digest(tmp_path))
    file.rename(tmp_path / "b.json")
    seen.append(catalog.digest(tmp_path))

    assert seen[0] == seen[1]
    assert len(set(seen)) == 3


async def test_a_new_database_holds_the_whole_catalog(db: Database) -> None:
    files = catalog.load(FOLDER)
    wanted = {e["name"]: {a["name"]: [p["name"] for p in a["params"]] for a in e["actions"]} for e in files}
    schemas = await db.all("SELECT name, title, description, input_schema FROM tools")

    assert await stored(db) == wanted
    assert {r["name"]: json.loads(r["input_schema"]) for r in schemas} == {e["name"]: e["inputSchema"] for e in files}
    assert {r["name"]: r["description"] for r in schemas} == {e["name"]: e["description"] for e in files}


async def test_seeding_replaces_what_was_there(db: Database) -> None:
    await seed.seed_catalog(db, [entry("one", "old", "kept"), entry("two", "gone")], "first")
    await seed.seed_catalog(db, [entry("one", "kept", "new")], "second")

    assert await stored(db) == {"one": {"kept": ["topic"], "new": ["topic"]}}
    assert (await seed.hashes(db))["catalog"] == "second"


async def test_an_unchanged_catalog_writes_nothing_at_the_next_start(settings: Settings) -> None:
    first = await open_store(settings)
    await first.close()
    bare = await open_database(settings.database)
    before = await bare.value("PRAGMA data_version")
    second = await open_store(settings)
    await second.close()
    after = await bare.value("PRAGMA data_version")
    await bare.close()

    assert before == after


async def test_a_changed_catalog_is_seeded_at_the_next_start(settings: Settings) -> None:
    first = await open_store(settings)
    await seed.seed_catalog(first, [entry("one", "old")], "of another release")
    await first.close()

    second = await open_store(settings)
    found = await stored(second)
    await second.close()

    assert set(found) == set(TOOLS)


async def test_a_read_only_server_seeds_nothing(unused: Settings) -> None:
    bare = await open_database(unused.database)
    await migrate(bare, ASSETS / "migrations")
    await bare.close()

    reading = await open_store(Settings(data_root=unused.data_root, read_only=True))
    found = await stored(reading)
    await reading.close()

    assert found == {}
