"""memory_terminal: programs are run, watched and ended."""

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from pydantic import Field

from server import left_behind
from server.confined.folder import OpenFolder, translated
from server.db.audit import events
from server.db.gates import approvals
from server.db.storage.connection import Transaction
from server.db.terminal import allowlist, runs, servers
from server.errors import Conflict, NotAllowed, ProjectMemoryError
from server.models.approvals import Need
from server.models.events import Event
from server.models.terminal import RunRow
from server.models.text import Id, Text
from server.processes import Running, entrance, environment, found_program, search_path
from server.text import command_rules
from server.tools.approvals.gate_rules import NeedsHuman
from server.tools.common import Call
from server.tools.project_files.places import FilePath, Root, root_of
from server.tools.terminal.tool import TOOL

logger = logging.getLogger(__name__)

WAIT_SECONDS = 45  # that a call waits for a program, at most
TELL_SECONDS = 5  # between two messages of progress
END_SECONDS = 1.0  # that a call waits for a program when the server ends
SHOWN = 3000  # bytes of each stream in the answer of `run`
Command = Annotated[Text, Field(description="split into words once; no shell")]
Timeout = Annotated[int, Field(ge=1, le=3600)]
From = Annotated[int, Field(ge=0, description="next_stdout of the last answer")]
FromErr = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Invocation:
    """What is to be run: the exact vector, the file it starts, and where."""

    vector: list[str]
    program: str
    cwd: str  # in the workspace
    file: str | None = None  # that the program is a link to
    sha256: str | None = None  # of a program that lies in the workspace, where agents write

    @property
    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def what(self) -> str:
        """The file that is started, in words."""
        return self.program + (f" (a link to {self.file})" if self.file else "")


async def _run(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Start what the call was allowed to run, once that is stored, and tell how it goes."""
    run_id = result["run_id"]
    if run_id in call.decided:
        try:
            found = await _started(call, result)
        except (ProjectMemoryError, OSError) as error:
            await _finish(call, run_id, status="failed", error=str(error))
            raise
        return {**result, **await _watched(call, found, result)}
    known = call.processes.find(run_id)  # the call is sent again: nothing is run twice
    return {**result, **(_told(known) if known else await _stored(call, run_id))}


@TOOL.action(takes=("request",), destructive=True, then=_run)
async def run(
    call: Call,
    *,
    command: Command,
    args: list[Text] | None = None,
    cwd: FilePath = ".",
    timeout_seconds: Timeout = 60,
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
    wanted = await run_sync(_wanted, root, vector, cwd)
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx, root.workspace_id)
        allowed_by = await _permission(tx, workspace_id, wanted, timeout_seconds)
        left_behind.end(await servers.lose_lost(tx))
        run_id = await runs.insert(
            tx,
            workspace_id=workspace_id,
            kind="terminal",
            name=command_rules.joined(vector)[:500],
            server=servers.ours(),
            arguments=wanted.as_json,
            allowed_by=allowed_by,
        )
        call.decided.append(run_id)
        about = {"vector": vector, "cwd": wanted.cwd, "allowed_by": allowed_by}
        summary = f"Ran {command_rules.joined(vector)[:200]}"
        events.record(tx, Event("run_started", "run", run_id, summary=summary, data=about))
        told = {"workspace_id": workspace_id, "run_id": run_id, "command": vector, **wanted.as_json}
        del told["vector"]
        return {**told, "timeout_seconds": timeout_seconds, "background": background or None}


def _wanted(root: Root, vector: list[str], cwd: str) -> Invocation:
    parts = root.place(cwd)
    with OpenFolder.opened(root.path, parts):  # refuses what is no folder, or a link that came into the way
        folder = str(Path(root.path, *parts))
    program = found_program(vector[0], folder, search_path(os.environ, root.path), root.path)
    file = os.path.realpath(program)
    with translated(vector[0]), open(file, "rb") as found:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(found.fileno()).st_mode):
            raise NotAllowed(f"{vector[0][:200]!r} is no program.")
        is_ours = Path(file).is_relative_to(root.path)
        sha256 = hashlib.file_digest(found, "sha256").hexdigest() if is_ours else None
    return Invocation(vector, program, "/".join(parts) or ".", file if file != program else None, sha256)


async def _permission(tx: Transaction, workspace_id: str, wanted: Invocation, seconds: int) -> str:
    """Return who allowed this vector, for always or for once; raise NeedsHuman."""
    for rule in map(allowlist.rule_of, await allowlist.of_workspace(tx, workspace_id)):
        if rule.allows(wanted.vector, in_project_folder=wanted.cwd == "."):
            return f"rule {rule.text}"
    request = {**wanted.as_json, "timeout_seconds": seconds}
    if approved := await approvals.answered_of(tx, "run", workspace_id, request):
        await approvals.use(tx, approved)
        return f"{approved.answered_by} ({approved.approval_id})"
    what = f"Run {wanted.vector} in {wanted.cwd!r}"
    why = f"no rule allows it; it starts {wanted.what} with your rights, for at most {seconds} s"
    raise NeedsHuman(Need("run", (), what, why, home=workspace_id, call=request))


async def _started(call: Call, result: Mapping[str, Any]) -> Running:
    """Start what was allowed, if it still is what it was."""
    root = await root_of(call, workspace_id=result["workspace_id"])
    vector, cwd = result["command"], result["cwd"]
    now = (await run_sync(_wanted, root, vector, cwd)).as_json
    if any(now.get(name) != result.get(name) for name in ("program", "file", "sha256")):
        raise Conflict("Another program has that name since it was allowed. Nothing was run; send the call again.")
    env = environment(os.environ, root.path, result["run_id"])
    with OpenFolder.opened(root.path, root.place(cwd)) as folder:
        where = entrance(folder.path, folder.handle)
        return call.processes.start(result["run_id"], vector, result["program"], where, env)


async def _watched(call: Call, found: Running, result: Mapping[str, Any]) -> dict[str, Any]:
    """See to it that a program ends in time, and wait for it as long as a call may."""
    seconds = result["timeout_seconds"]
    ending = call.processes.follow(_until_over(call, found, seconds))
    if not result.get("background"):
        await _waited(call, found, ending, min(seconds + 5, WAIT_SECONDS))
    return _told(found)


async def _until_over(call: Call, found: Running, seconds: float) -> None:
    """Let a program run for so long, and store how it ended."""
    with anyio.move_on_after(seconds):
        await found.done.wait()
    if not found.is_over:
        found.end("timeout")
        await found.done.wait()
    status = "done" if found.exit_code == 0 else "failed"
    how = {"exit_code": found.exit_code, "ended_by": found.ended_by}
    sizes = {"stdout_bytes": found.out.total, "stderr_bytes": found.err.total}
    await _finish(call, found.run_id, status="ended" if found.ended_by else status, **how, **sizes)


async def _finish(call: Call, run_id: str, *, status: str, **how: Any) -> None:
    """Store how a run ended. What cannot be stored now is found to be lost by the next server."""
    try:
        async with call.db.transaction() as tx:
            if row := await runs.finish(tx, run_id, status=status, **how):
                data = {"status": status, **{name: value for name, value in how.items() if value is not None}}
                events.record(tx, Event("run_finished", "run", run_id, row.workspace_id, data=data))
                await events.flush(tx)
    except ProjectMemoryError as error:
        logger.warning("the end of %s is not stored: %s", run_id, error)


async def _waited(call: Call, found: Running, ending: "asyncio.Task[None]", seconds: float) -> None:
    """Wait for a program, telling how far it is. Who does not want the answer any more does not want the program."""
    try:
        with call.waits.at_most(seconds):
            while not ending.done():
                await asyncio.wait({ending}, timeout=TELL_SECONDS)
                if call.progress and not ending.done():
                    said = f"{found.out.total + found.err.total} bytes of output"
                    await call.progress(round(found.elapsed, 1), seconds, said)
        if call.waits.are_over:  # the server ends, and the program with it
            await asyncio.wait({ending}, timeout=END_SECONDS)
    except BaseException:
        found.end("killed")
        raise


def _told(found: Running, since: tuple[int, int] | None = None, most: int = SHOWN) -> dict[str, Any]:
    """Return how a run goes, with the end of what it said, or what it said since then."""
    told: dict[str, Any] = {"running": not found.is_over, "exit_code": found.exit_code, "ended_by": found.ended_by}
    told["seconds"] = round(found.elapsed, 2)
    for name, ring, offset in zip(("stdout", "stderr"), (found.out, found.err), since or (None, None), strict=True):
        start, text, end = ring.tail(most) if offset is None else ring.since(offset, most)
        told |= {name: text, f"{name}_bytes": ring.total, f"next_{name}": end}
        if start > (offset or 0):
            told[f"{name}_from"] = start
    cut = [name for name in ("stdout", "stderr") if f"{name}_from" in told]
    if cut and since is None:
        told["hint"] = f"This is the end of {' and '.join(cut)}; read_output with stdout_from=0 shows the last 100 KiB."
    return told


async def _stored(call: Call, run_id: str) -> dict[str, Any]:
    return _row_told(await runs.require(call.db, run_id))


def _row_told(row: RunRow) -> dict[str, Any]:
    """Return a run of another server, or of long ago, of which no output is left."""
    status = "lost" if row.status == "running" and servers.is_gone(row.server or "") else row.status
    told = {"running": status == "running", "status": status, "exit_code": row.exit_code, "ended_by": row.ended_by}
    told |= {"stdout_bytes": row.stdout_bytes, "stderr_bytes": row.stderr_bytes, "error": row.error}
    return {**told, "started_at": row.started_at, "finished_at": row.finished_at, "hint": "Its output is not kept."}


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
        return {**told, "command": row.arguments.get("vector"), **_row_told(row)}
    with call.waits.at_most(wait_seconds):
        await found.done.wait()
    room = max(call.shared.max_bytes // 3, 100)  # control characters take six bytes each
    return {**told, **_told(found, (stdout_from, stderr_from), room)}


async def _kill(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    found = call.processes.find(result["run_id"])
    if found is None or not result["killed"]:
        return result
    found.end("killed")
    with call.waits.at_most(10):
        await found.done.wait()
    return {**result, **_told(found)}


@TOOL.action(destructive=True, then=_kill)
async def kill(call: Call, *, run_id: Id) -> dict[str, Any]:
    """End a program and all that it started.

    It is asked to end, and ended 3 s later. One that is over already is no error: killed is false then.

    Example: {"action":"kill","run_id":"run_1rqewqexykb7"}
    """
    async with call.write() as tx:
        row = await runs.require(tx, run_id)
        workspace_id = await call.workspace_id(tx, row.workspace_id)
        left_behind.end(await servers.lose_lost(tx))
        found = call.processes.find(run_id)
        is_over = found.is_over if found else row.status != "running" or servers.is_gone(row.server or "")
        if found is None and not is_over:
            raise NotAllowed(f"{run_id} runs under another server, which alone can end it; it ends with that server.")
        if not is_over:
            events.record(tx, Event("run_killed", "run", run_id, data={"command": row.name}))
        message = "It was over already." if is_over else "It is ended."
        return {"workspace_id": workspace_id, "run_id": run_id, "killed": not is_over, "message": message}
