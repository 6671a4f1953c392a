"""memory_terminal: programs are run, watched and ended."""

from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from server import left_behind
from server.db.audit import events
from server.db.terminal import runs, servers
from server.errors import NotAllowed
from server.models.events import Event
from server.models.text import Id, Text
from server.text import command_rules
from server.tools.common import Call
from server.tools.project_files.places import FilePath, root_of
from server.tools.running import execution
from server.tools.terminal.tool import TOOL

Command = Annotated[Text, Field(description="split into words once; no shell")]
From = Annotated[int, Field(ge=0, description="next_stdout of the last answer")]
FromErr = Annotated[int, Field(ge=0)]


@TOOL.action(takes=("request",), destructive=True, then=execution.carried_out)
async def run(
    call: Call,
    *,
    command: Command,
    args: list[Text] | None = None,
    cwd: FilePath = ".",
    timeout_seconds: execution.Timeout = 60,
    background: bool = False,
) -> dict[str, Any]:
    """Run a program that a human allowed.

    What no rule allows is put to a human first, and then runs once.
    command is split into words as a shell splits them, args are further words as they are; no shell is started, so
    pipes, `&&`, `*` and `$NAME` mean nothing. The vector has to be allowed whole (get_allowlist), else the answer is
    gated; after a human said yes the same call runs. It gets no input, few variables and nothing that looks secret. At
    the timeout (at most 3600) the program and what it started is ended. Whoever runs longer than 45 s, or with
    background=true, is still `running`: read_output goes on. All of it ends with the server. This is no sandbox.

    Example: {"action":"run","command":"pytest -q tests","timeout_seconds":300}
    """
    vector = command_rules.split(command, args or ())
    root = await root_of(call)
    what = await run_sync(execution.wanted, root, vector, cwd)
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx, root.workspace_id)
        return await execution.ordered(
            call, tx, workspace_id, what, timeout_seconds=timeout_seconds, background=background
        )


@TOOL.action(read_only=True)
async def read_output(
    call: Call,
    *,
    run_id: Id,
    stdout_from: From = 0,
    stderr_from: FromErr = 0,
    wait_seconds: Annotated[int, Field(ge=0, le=25)] = 0,
) -> dict[str, Any]:
    """What a run said, also while it runs, and how it ended.

    Of each stream the last 100 KiB are kept; *_bytes tells how much there was. next_stdout and next_stderr, passed as
    stdout_from and stderr_from, go on from there; *_from in the answer tells that what was before is gone.
    wait_seconds waits for its end.

    Example: {"action":"read_output","run_id":"run_1rqewqexykb7","stdout_from":4096}
    """
    row = await runs.require(call.db, run_id)
    told = {"workspace_id": await call.workspace_id(call.db, row.workspace_id), "run_id": run_id}
    found = call.processes.find(run_id)
    if found is None:
        return {**told, "command": row.arguments.get("vector"), **execution.row_told(call.db, row)}
    with call.waits.at_most(wait_seconds):
        await found.done.wait()
    room = max(call.shared.max_bytes // 3, 100)  # control characters take six bytes each
    return {**told, **execution.told(found, (stdout_from, stderr_from), room)}


async def _kill(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    found = call.processes.find(result["run_id"])
    if found is None or not result["killed"]:
        return result
    found.end("killed")
    with call.waits.at_most(10):
        await found.done.wait()
    return {**result, **execution.told(found)}


@TOOL.action(destructive=True, then=_kill)
async def kill(call: Call, *, run_id: Id) -> dict[str, Any]:
    """End a program and all that it started.

    It is asked to end, and ended 3 s later. One that is over already is no error: killed is false then.

    Example: {"action":"kill","run_id":"run_1rqewqexykb7"}
    """
    async with call.write() as tx:
        row = await runs.require(tx, run_id)
        workspace_id = await call.workspace_id(tx, row.workspace_id)
        left_behind.end(await servers.lose_lost(call.db, tx))
        found = call.processes.find(run_id)
        is_over = found.is_over if found else row.status != "running" or servers.is_gone(call.db, row.server)
        if found is None and not is_over:
            raise NotAllowed(f"{run_id} runs under another server, which alone can end it; it ends with that server.")
        if not is_over:
            events.record(tx, Event("run_killed", "run", run_id, data={"command": row.name}))
        message = "It was over already." if is_over else "It is ended."
        return {"workspace_id": workspace_id, "run_id": run_id, "killed": not is_over, "message": message}
