"""memory_context: what is known of a workspace, in sections."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.models.base import encode
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts

ITEMS = {"items": [{"title": "shop", "description": "sells", "links": ["src/shop"]}]}
PROFILE = {
    "languages": [{"name": "Python", "percentage": 75.5}, {"name": "SQL", "percentage": 24.5}],
    "frameworks": ["pytest"],
    "build_system": {"type": "make", "build_command": "make"},
    "test_framework": {"name": "pytest", "test_command": "pytest -q"},
    "key_directories": [{"path": "src", "purpose": "source"}, {"path": "docs"}],
    "conventions": {"indentation": "spaces", "indent_size": 4, "quote_style": None},
}


async def sections(agent: Agent, workspace_id: str) -> dict[str, Any]:
    return (await agent("memory_context", "workspace_get", workspace_id=workspace_id))["sections"]


async def test_sections_come_back_as_they_were_set(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    wanted = {"purpose": {"summary": "Sells boats"}, "modules": ITEMS}
    told = await agent("memory_context", "workspace_set", **here, data={"sections": wanted})

    assert (told["sections"], told["version"]) == (["purpose", "modules"], 1)
    assert await sections(agent, workspace_id) == wanted
    again = await agent("memory_context", "workspace_set", **here, data={"sections": wanted})
    assert again["version"] == 1
    await agent("memory_context", "workspace_set", **here, data={"other": "one"})
    assert await sections(agent, workspace_id) == {"other": {"summary": "one"}}


async def test_looser_values_stand_for_sections(agent: Agent, workspace_id: str) -> None:
    data = {"a": "text", "b": ["x", {"title": "y"}], "c": {"k": 1}, "d": {"summary": "s"}, "updated_at": "whenever"}
    await agent("memory_context", "workspace_set", workspace_id=workspace_id, data=data)

    assert await sections(agent, workspace_id) == {
        "a": {"summary": "text"},
        "b": {"items": [{"title": "x"}, {"title": "y"}]},
        "c": {"summary": '{"k":1}'},
        "d": {"summary": "s"},
    }


async def test_an_update_changes_what_it_names_and_nothing_else(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    await agent("memory_context", "workspace_update", **here, data={"purpose": "Sells boats", "modules": ITEMS})
    await agent("memory_context", "workspace_update", **here, data={"modules": {"summary": "two"}, "new": ["n"]})

    assert await sections(agent, workspace_id) == {
        "purpose": {"summary": "Sells boats"},
        "modules": {**ITEMS, "summary": "two"},
        "new": {"items": [{"title": "n"}]},
    }
    stale = {**here, "data": {"x": "y"}, "expected_version": 1}
    assert (await agent.fails("memory_context", "workspace_update", **stale))["code"] == "conflict"


@pytest.mark.parametrize(
    "data", [{"a": 5}, {"a": [{"name": "no title"}]}, {"sections": []}, {"a": {"summary": "s", "more": 1}}]
)
async def test_what_is_no_section_is_refused_with_its_place(
    agent: Agent, workspace_id: str, db: Database, data: dict[str, Any]
) -> None:
    before = await counts(db)
    error = await agent.fails("memory_context", "workspace_set", workspace_id=workspace_id, data=data)

    assert error["code"] == "invalid_arguments"
    assert error["invalid"][0]["param"].startswith("data")
    assert await counts(db) == before


async def test_empty_sections_are_filled_from_the_profile(agent: Agent, workspace_id: str, db: Database) -> None:
    here = {"workspace_id": workspace_id}
    async with db.transaction() as tx:
        params = {"profile": encode(PROFILE), "id": workspace_id}
        await tx.run("UPDATE workspaces SET profile = :profile WHERE workspace_id = :id", params)
    await agent("memory_context", "workspace_set", **here, data={"dev_patterns": "our own", "modules": {"items": []}})
    told = await agent("memory_context", "workspace_populate", **here)

    found = await sections(agent, workspace_id)
    assert told["skipped"] == ["dev_patterns"]
    assert found["dev_patterns"] == {"summary": "our own"}
    assert found["project_details"]["summary"].endswith("Python 75.5 %, SQL 24.5 %")
    assert found["dependencies"] == {"items": [{"title": "pytest"}]}
    assert found["modules"] == {"items": [{"title": "src", "description": "source"}, {"title": "docs"}]}
    assert found["test_confirmations"] == {"summary": "pytest: pytest -q"}
    assert [item["title"] for item in found["resources"]["items"]] == ["build", "test"]
    again = await agent("memory_context", "workspace_populate", **here)
    assert (again.get("populated"), again["version"]) == (None, told["version"])


async def test_sections_go_to_the_trash_and_come_back(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    assert (await agent.fails("memory_context", "workspace_get", **here))["code"] == "not_found"
    await agent("memory_context", "workspace_set", **here, data={"purpose": "Sells boats"})
    preview = await agent("memory_context", "workspace_delete", **here)
    assert preview["preview"]["would_delete"]["sections"] == ["purpose"]
    told = await agent("memory_context", "workspace_delete", **here, confirm=True)
    assert (await agent.fails("memory_context", "workspace_delete", **here, confirm=True))["code"] == "not_found"

    await agent("memory_workspace", "restore", trash_id=told["trash_id"])
    assert await sections(agent, workspace_id) == {"purpose": {"summary": "Sells boats"}}


async def test_sections_are_found_by_their_words(agent: Agent, workspace_id: str) -> None:
    await agent("memory_context", "workspace_set", workspace_id=workspace_id, data={"purpose": "Sells quinqueremes"})
    found = await agent("memory_context", "search", workspace_id=workspace_id, query="quinqueremes")
    assert [hit["kind"] for hit in found["hits"]] == ["context"]


async def test_a_document_of_another_workspace_is_refused_and_one_of_another_machine_is_not(
    agent: Agent, workspace_id: str, tmp_path: Path, db: Database
) -> None:
    (tmp_path / "other").mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    async with db.transaction() as tx:
        await tx.run(
            "INSERT INTO workspace_aliases VALUES ('old-0123456789ab', :id, 'now', 'id')", {"id": workspace_id}
        )
    before = await counts(db)
    document = {
        "schema_version": "1.0.0",
        "workspace_path": "C:\\code\\shop",
        "sections": {"purpose": {"summary": "s"}},
    }
    for action in ("workspace_set", "workspace_update"):
        for foreign in (other, "project-000000000000"):
            wrong = {"workspace_id": workspace_id, "data": {**document, "workspace_id": foreign}}
            error = await agent.fails("memory_context", action, **wrong)
            assert (error["code"], foreign in error["message"]) == ("conflict", True)
    assert await counts(db) == before

    for own in (workspace_id, "old-0123456789ab"):
        data = {**document, "workspace_id": own}
        await agent("memory_context", "workspace_set", workspace_id=workspace_id, data=data)
    assert await sections(agent, workspace_id) == document["sections"]


async def test_sections_take_a_mebibyte_and_no_more(agent: Agent, workspace_id: str) -> None:
    here = {"workspace_id": workspace_id}
    await agent("memory_context", "workspace_set", **here, data={"a": "x" * 1_000_000})
    error = await agent.fails("memory_context", "workspace_update", **here, data={"b": "x" * 60_000})

    assert error["code"] == "too_large"
    assert [*await named(agent, workspace_id)] == ["a"]


async def test_what_a_workspace_knows_outlives_its_being_registered_again(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    (project / "package.json").write_text('{"name": "shop", "dependencies": {"react": "1"}}', encoding="utf-8")
    await agent("memory_context", "workspace_set", workspace_id=workspace_id, data={"project_details": "Ours"})
    before = await sections(agent, workspace_id)

    again = await agent("memory_workspace", "register", workspace_path=str(project))
    await agent("memory_workspace", "reindex", workspace_id=workspace_id)

    assert again["first_time"] is False
    assert await sections(agent, workspace_id) == before == {"project_details": {"summary": "Ours"}}


async def named(agent: Agent, workspace_id: str) -> dict[str, Any]:
    """The sections, however long they are."""
    text, offset = "", 0
    while offset is not None:
        told = await agent(
            "memory_context", "workspace_get", workspace_id=workspace_id, max_bytes=45_000, offset=offset
        )
        text, offset = text + told["text"], told.get("next_offset")
    return json.loads(text)
