"""memory_plan: the commands that build and test a project, by name."""

import os
import shlex
from pathlib import Path, PurePath
from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from server.db.audit import events, trash
from server.db.plans import build_scripts
from server.db.storage.connection import Transaction
from server.errors import Conflict, InvalidArguments
from server.models.build_scripts import BuildScript
from server.models.events import Event
from server.models.text import Id, Line, SomeText, Text
from server.models.workspaces import Workspace
from server.text import command_rules
from server.tools import paths
from server.tools.common import Call
from server.tools.plan.tool import TOOL
from server.tools.plan_rules import workspace_of
from server.tools.project_files.places import root_of
from server.tools.render import Page
from server.tools.running import execution

ScriptName = Annotated[Line, Field(description="or its id")]
# What the first word of a command ends in when it is a file of the project and not a program of the machine.
FILES = (".ps1", ".sh", ".cmd", ".bat", ".exe", ".js", ".ts", ".mjs", ".cjs", ".py")


@TOOL.action()
async def add_build_script(
    call: Call,
    *,
    script_name: ScriptName,
    script_command: SomeText,
    script_directory: Line = ".",
    script_description: Text | None = None,
    plan_id: Id | None = None,
) -> dict[str, Any]:
    """Keep a command under a name.

    For the workspace, or for one plan of it. script_directory is relative to the workspace. The same script again
    changes nothing; another one under a name that is taken is a conflict.

    Example: {"action":"add_build_script","script_name":"test","script_command":"pytest -q"}
    """
    words(script_command)
    async with call.write() as tx:
        workspace = await workspace_of(call, tx, plan_id)
        directory = paths.folder_in(workspace, script_directory, "script_directory")
        wanted = {"command": script_command, "directory": directory, "description": script_description}
        found = await build_scripts.named(tx, workspace.workspace_id, plan_id, script_name)
        if found:
            _refuse_other(found, wanted)
            return _shown(workspace, found)
        made = await build_scripts.insert(
            tx, workspace_id=workspace.workspace_id, plan_id=plan_id, name=script_name, **wanted
        )
        _record(tx, "build_script_added", made, f"build script {script_name!r} added")
        return _shown(workspace, made)


def words(command: str) -> list[str]:
    """Return the words of a command as a program gets them, or refuse what no shell would take either."""
    try:
        found = shlex.split(command)
    except ValueError as error:
        raise InvalidArguments(f"script_command cannot be split into words: {error}. Close what is open.") from error
    if not found:
        raise InvalidArguments("script_command names no program.")
    return found


def _refuse_other(found: BuildScript, wanted: dict[str, Any]) -> None:
    there = {
        "command": found.script_command,
        "directory": found.script_directory,
        "description": found.script_description,
    }
    if differing := sorted(name for name, value in wanted.items() if value != there[name]):
        raise Conflict(
            f"There is a build script {found.script_name!r} with another {', '.join(differing)}: "
            f"{found.script_command!r} in {found.script_directory!r}. Take another name, or delete_build_script first.",
            script_id=found.script_id,
        )


def _shown(workspace: Workspace, script: BuildScript) -> dict[str, Any]:
    """Return a script with where it runs."""
    told = {"workspace_id": workspace.workspace_id, **dict(script), "directory_path": _directory(workspace, script)}
    return {name: value for name, value in told.items() if value is not None}


def _directory(workspace: Workspace, script: BuildScript) -> str | None:
    """Return the folder on this machine that a script runs in."""
    return os.path.normpath(Path(workspace.path, script.script_directory)) if workspace.path else None


def _record(tx: Transaction, kind: str, script: BuildScript, summary: str, **data: Any) -> None:
    event = Event(kind, "build_script", script.script_id, plan_id=script.plan_id, summary=summary, data=data)
    events.record(tx, event)


@TOOL.action(read_only=True, takes=("page",))
async def list_build_scripts(call: Call, *, plan_id: Id | None = None) -> Page:
    """The commands of a workspace.

    With plan_id those of the plan and of the workspace, without it those of all plans, too.

    Example: {"action":"list_build_scripts"}
    """
    workspace = await workspace_of(call, call.db, plan_id)
    found = await build_scripts.reached(call.db, workspace.workspace_id, plan_id)
    after = call.after("build_scripts", 1)
    first = next((at + 1 for at, one in enumerate(found) if after and one.script_id == after[0]), 0)
    rows = [_shown(workspace, one) for one in found[first : first + call.shared.limit + 1]]
    extra = {"workspace_id": workspace.workspace_id}
    return Page("scripts", rows, len(found), call.shared.limit, _position, "build_scripts", extra)


def _position(row: dict[str, Any]) -> list[str | int]:
    return [row["script_id"]]


async def _run(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    return await execution.carried_out(call, result) if "run_id" in result else result


@TOOL.action(writes_with="execute", with_it=("timeout_seconds", "background"), takes=("budget", "request"), then=_run)
async def run_build_script(
    call: Call,
    *,
    script_name: ScriptName,
    plan_id: Id | None = None,
    execute: bool = False,
    timeout_seconds: execution.Timeout = 600,
    background: bool = False,
) -> dict[str, Any]:
    """Run a script with execute=true, else show what it is.

    Looks among the scripts of plan_id first, then among those of the workspace. Shown are its words (`args`) and the
    folder to run them in. execute=true runs these words there, as memory_terminal run does: no shell, so a command with
    a pipe, `&&`, a redirection or a variable is refused; what no rule of the workspace's allowlist names is gated, and
    runs once after a human said yes to this very vector and the same call was sent again. memory_terminal read_output
    and kill take the run_id.

    Example: {"action":"run_build_script","script_name":"test","execute":true}
    """
    workspace = await workspace_of(call, call.db, plan_id)
    script = await build_scripts.require(call.db, workspace.workspace_id, plan_id, script_name)
    args = words(script.script_command)
    file = _file(workspace, script, args[0])
    told = {**_shown(workspace, script), "args": args, **({"command_path": file} if file else {})}
    if not execute:
        return told
    root = await root_of(call, workspace_id=workspace.workspace_id)
    what = await run_sync(execution.wanted, root, _vector(script, args, file), script.script_directory)
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx, workspace.workspace_id)
        ordered = await execution.ordered(
            call,
            tx,
            workspace_id,
            what,
            timeout_seconds=timeout_seconds,
            background=background,
            script=script.script_name,
        )
        return {**told, **ordered}


def _vector(script: BuildScript, args: list[str], file: str | None) -> list[str]:
    """Return the words that are run. A file of the project is named by its path: a bare name is that of a program."""
    if found := command_rules.of_a_shell(script.script_command):
        raise InvalidArguments(
            f"The build script {script.script_name!r} needs a shell, for {found}, and none is started: "
            f"{script.script_command[:500]!r}. Nothing was run. Put that into a file of the project and let the "
            "command start it (`sh build.sh`), or name the shell (`sh -c '...'`); script_directory says where it runs. "
            "memory_plan action='add_build_script' keeps such a command under another name."
        )
    is_bare = file is not None and not {"/", "\\"} & set(args[0])
    return command_rules.checked([f"./{args[0]}" if is_bare else args[0], *args[1:]])


def _file(workspace: Workspace, script: BuildScript, word: str) -> str | None:
    """Return the file of the project that a command begins with, if it is one."""
    is_file = PurePath(word).is_absolute() or "/" in word or "\\" in word or word.endswith(FILES)
    return os.path.normpath(Path(workspace.folder, script.script_directory, word)) if is_file else None


@TOOL.action(destructive=True)
async def delete_build_script(
    call: Call, *, script_name: ScriptName, plan_id: Id | None = None, confirm: bool = False
) -> dict[str, Any]:
    """Remove a script to the trash; preview unless confirm.

    memory_workspace restore brings it back.

    Example: {"action":"delete_build_script","script_name":"test"}
    """
    async with call.write() as tx:
        workspace = await workspace_of(call, tx, plan_id)
        script = await build_scripts.require(tx, workspace.workspace_id, plan_id, script_name)
        if not confirm:
            return {"workspace_id": workspace.workspace_id, "preview": {"would_delete": _shown(workspace, script)}}
        trash_id = await trash.put(
            tx,
            entity_type="build_script",
            entity_id=script.script_id,
            title=script.script_name,
            workspace_id=workspace.workspace_id,
            plan_id=script.plan_id,
            rows={"build_scripts": [await build_scripts.delete(tx, script.script_id)]},
        )
        _record(tx, "build_script_deleted", script, f"build script {script.script_name!r} deleted", trash_id=trash_id)
        told = {"script_id": script.script_id, "script_name": script.script_name, "deleted": True, "trash_id": trash_id}
        return {"workspace_id": workspace.workspace_id, **told}
