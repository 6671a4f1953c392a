"""memory_plan: commands that build and test a project, kept under a name."""

from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, make

SCRIPT = {"script_name": "test", "script_command": "./run -q 'two words'", "script_directory": "sub/dir"}


async def add(agent: Agent, workspace_id: str, **more: Any) -> dict[str, Any]:
    return await agent("memory_plan", "add_build_script", workspace_id=workspace_id, **{**SCRIPT, **more})


async def names(agent: Agent, workspace_id: str, **more: Any) -> list[str]:
    told = await agent("memory_plan", "list_build_scripts", workspace_id=workspace_id, **more)
    assert told["total"] >= len(told["scripts"])
    return [script["script_name"] for script in told["scripts"]]


async def test_a_script_is_resolved_to_words_and_a_folder(agent: Agent, workspace_id: str) -> None:
    made = await add(agent, workspace_id, script_description="all tests")
    home = Path((await agent("memory_workspace", "info", workspace_id=workspace_id))["path"])

    for name in ("TEST", made["script_id"]):
        told = await agent("memory_plan", "run_build_script", workspace_id=workspace_id, script_name=name)
        assert told["args"] == ["./run", "-q", "two words"]
        assert told["directory_path"] == str(home / "sub" / "dir")
        assert told["command_path"] == str(home / "sub" / "dir" / "run")
        assert told["script_description"] == "all tests"


@pytest.mark.parametrize(("command", "file"), [("pytest -q", None), ("build.sh", "build.sh"), ("../up", "../up")])
async def test_only_a_file_of_the_project_has_a_path(
    agent: Agent, workspace_id: str, command: str, file: str | None
) -> None:
    await add(agent, workspace_id, script_command=command)
    told = await agent("memory_plan", "run_build_script", workspace_id=workspace_id, script_name="test")
    assert told.get("command_path") == (file and str(Path(told["directory_path"], file).resolve()))


async def test_the_same_script_again_changes_nothing_and_another_is_a_conflict(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    made = await add(agent, workspace_id)
    before = await counts(db)
    assert await add(agent, workspace_id) == made
    error = await agent.fails(
        "memory_plan", "add_build_script", workspace_id=workspace_id, **{**SCRIPT, "script_command": "make"}
    )

    assert (error["code"], error["script_id"]) == ("conflict", made["script_id"])
    assert await counts(db) == before


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"script_directory": "../elsewhere"}, "not_allowed"),
        ({"script_directory": "/etc"}, "not_allowed"),
        ({"script_command": "echo 'open"}, "invalid_arguments"),
        ({"script_command": "#"}, None),
        ({"plan_id": "plan_nowhere"}, "not_found"),
    ],
)
async def test_what_cannot_run_is_refused(
    agent: Agent, workspace_id: str, db: Database, wrong: dict[str, Any], code: str | None
) -> None:
    before = await counts(db)
    if code is None:
        assert (await add(agent, workspace_id, **wrong))["script_command"] == "#"
        return
    error = await agent.fails("memory_plan", "add_build_script", workspace_id=workspace_id, **{**SCRIPT, **wrong})
    assert error["code"] == code
    assert await counts(db) == before


async def test_the_script_of_a_plan_comes_before_that_of_its_workspace(agent: Agent, workspace_id: str) -> None:
    plan_id = (await make(agent, workspace_id, "P"))["plan_id"]
    await add(agent, workspace_id)
    await add(agent, workspace_id, plan_id=plan_id, script_command="make check")
    await add(agent, workspace_id, plan_id=plan_id, script_name="own")

    here = {"workspace_id": workspace_id, "script_name": "test"}
    assert (await agent("memory_plan", "run_build_script", **here))["args"][0] == "./run"
    assert (await agent("memory_plan", "run_build_script", **here, plan_id=plan_id))["args"] == ["make", "check"]
    assert await names(agent, workspace_id, plan_id=plan_id) == ["own", "test", "test"]
    assert len(await names(agent, workspace_id)) == 3
    error = await agent.fails("memory_plan", "run_build_script", workspace_id=workspace_id, script_name="own")
    assert error["code"] == "not_found"
    assert {script["script_name"] for script in error["near"]} == {"own", "test"}


async def test_pages_of_scripts_go_on_where_they_stopped(agent: Agent, workspace_id: str) -> None:
    for number in range(5):
        await add(agent, workspace_id, script_name=f"s{number}")
    seen, cursor = list[str](), None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await agent("memory_plan", "list_build_scripts", workspace_id=workspace_id, limit=2, **more)
        seen += [script["script_name"] for script in page["scripts"]]
        if not (cursor := page.get("next_cursor")):
            break
    assert seen == ["s0", "s1", "s2", "s3", "s4"]


async def test_a_deleted_script_comes_back_from_the_trash(agent: Agent, workspace_id: str) -> None:
    await add(agent, workspace_id)
    gone = {"workspace_id": workspace_id, "script_name": "test"}
    preview = await agent("memory_plan", "delete_build_script", **gone)
    assert preview["preview"]["would_delete"]["script_name"] == "test"
    assert await names(agent, workspace_id) == ["test"]
    told = await agent("memory_plan", "delete_build_script", **gone, confirm=True)
    assert await names(agent, workspace_id) == []
    assert (await agent.fails("memory_plan", "delete_build_script", **gone, confirm=True))["code"] == "not_found"

    await agent("memory_workspace", "restore", trash_id=told["trash_id"])
    assert await names(agent, workspace_id) == ["test"]
