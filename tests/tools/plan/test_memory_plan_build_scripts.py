"""memory_plan: commands that build and test a project, kept under a name."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.settings import Settings
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, make
from tests.tools.terminal.test_memory_terminal import answered

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


PYTHON = [sys.executable, "-c", "import os; open('made', 'a').write('x'); print(os.getcwd())"]


async def run(agent: Agent, workspace_id: str, **more: Any) -> dict[str, Any]:
    call = {"workspace_id": workspace_id, "script_name": "test", "execute": True, **more}
    return await agent("memory_plan", "run_build_script", **call)


async def refused(agent: Agent, workspace_id: str, **more: Any) -> dict[str, Any]:
    call = {"workspace_id": workspace_id, "script_name": "test", "execute": True, **more}
    return await agent.fails("memory_plan", "run_build_script", **call)


async def test_a_script_runs_once_after_a_human_said_yes_to_its_very_vector(
    agent: Agent, workspace_id: str, project: Path, settings: Settings
) -> None:
    (project / "sub/dir").mkdir(parents=True)
    await add(agent, workspace_id, script_command=shlex.join(PYTHON))
    asked = await refused(agent, workspace_id)
    assert asked["code"] == "gated"
    assert not (project / "sub/dir/made").exists()
    [row] = (await agent("memory_workspace", "approvals", workspace_id=workspace_id))["approvals"]
    assert (row["call"]["vector"], row["call"]["cwd"]) == (PYTHON, "sub/dir")

    await answered(settings, asked["approval_id"])
    done = await run(agent, workspace_id)

    assert (done["exit_code"], done["command"], done["script_name"]) == (0, PYTHON, "test")
    assert done["stdout"].strip() == str(project / "sub/dir")
    assert (project / "sub/dir/made").read_text(encoding="utf-8") == "x"
    assert (await refused(agent, workspace_id))["code"] == "gated"
    told = await agent("memory_terminal", "read_output", run_id=done["run_id"])
    assert told["stdout"] == done["stdout"]
    logged = await agent("memory_workspace", "events", types=["run"], workspace_id=workspace_id)
    started = next(one for one in logged["events"] if one["type"] == "run_started")
    assert started["data"]["script"] == "test"


async def test_a_rule_of_the_terminal_allows_a_script_and_one_approval_serves_both_tools(
    agent: Agent, workspace_id: str, settings: Settings
) -> None:
    await add(agent, workspace_id, script_command=shlex.join([sys.executable, "-V"]), script_directory=".")
    asked = await refused(agent, workspace_id, timeout_seconds=60)
    await answered(settings, asked["approval_id"])
    at_hand = {"command": sys.executable, "args": ["-V"], "timeout_seconds": 60}
    assert (await agent("memory_terminal", "run", workspace_id=workspace_id, **at_hand))["exit_code"] == 0

    assert (await refused(agent, workspace_id, timeout_seconds=60))["code"] == "gated"
    await agent.person_allows(workspace_id, shlex.join([sys.executable, "-V"]))
    assert (await run(agent, workspace_id))["exit_code"] == 0


async def test_a_file_of_the_project_is_run_by_its_path(agent: Agent, workspace_id: str, project: Path) -> None:
    (project / "build.sh").write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    (project / "build.sh").chmod(0o755)
    await add(agent, workspace_id, script_command="build.sh", script_directory=".")
    await agent.person_allows(workspace_id, "./build.sh")

    done = await run(agent, workspace_id)

    assert (done["command"], done["exit_code"], done["program"]) == (["./build.sh"], 7, str(project / "build.sh"))


@pytest.mark.parametrize(
    "command",
    [
        *("make | tee log", "make && make test", "make; make test", "make > log", "(make)", "make\nmake test"),
        *("echo $HOME", 'echo "$HOME"', "echo `id`", "echo ${A}", "A=1 make", "ls *.py", "ls ~/x", "make &"),
    ],
)
async def test_what_needs_a_shell_is_refused_with_what_to_do(
    agent: Agent, workspace_id: str, project: Path, command: str
) -> None:
    await add(agent, workspace_id, script_command=command, script_directory=".")
    await agent.person_allows(workspace_id, "make *", "echo *", "ls *")

    error = await refused(agent, workspace_id)

    assert error["code"] == "invalid_arguments"
    assert "sh -c" in error["message"]
    assert (await agent("memory_workspace", "approvals", workspace_id=workspace_id))["approvals"] == []
    assert (await agent("memory_plan", "run_build_script", workspace_id=workspace_id, script_name="test"))["args"]
    assert [path.name for path in project.iterdir()] == [".projectmemory"]


@pytest.mark.parametrize("command", ["echo 'a|b' \"c&&d\" e\\;f", "echo 'cost: $5' a$ x~y", "echo --glob='*.py'"])
async def test_what_is_quoted_is_a_word_and_needs_no_shell(agent: Agent, workspace_id: str, command: str) -> None:
    await add(agent, workspace_id, script_command=command, script_directory=".")
    await agent.person_allows(workspace_id, "echo *")

    done = await run(agent, workspace_id)

    assert done["stdout"].rstrip("\n") == " ".join(shlex.split(command)[1:])


async def test_a_script_runs_in_no_folder_but_one_of_the_project(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    await agent.person_allows(workspace_id, "echo *")
    (project / "away").mkdir()
    await add(agent, workspace_id, script_command="echo a", script_directory="away")
    (project / "away").rmdir()
    assert (await refused(agent, workspace_id))["code"] == "not_found"
    (project / "away").symlink_to("/")

    assert (await refused(agent, workspace_id))["code"] == "not_allowed"


async def test_a_script_that_is_only_looked_at_keeps_nothing_for_a_request_id(agent: Agent, workspace_id: str) -> None:
    await add(agent, workspace_id)
    look = {"workspace_id": workspace_id, "script_name": "test", "agent": "ada", "request_id": "1"}

    assert (await agent("memory_plan", "run_build_script", **look))["args"][0] == "./run"
    assert (await agent("memory_plan", "run_build_script", **look, execute=False))["args"][0] == "./run"
