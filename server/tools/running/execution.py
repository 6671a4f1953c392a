"""A program that is run for an agent: whether it may, what is stored of it, how it goes."""

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
from anyio.to_thread import run_sync
from pydantic import Field

from server import left_behind
from server.confined.folder import OpenFolder, translated
from server.db.audit import events
from server.db.gates import approvals
from server.db.storage.connection import Database, Transaction
from server.db.terminal import allowlist, runs, servers
from server.errors import Conflict, NotAllowed, ProjectMemoryError
from server.models.approvals import Need
from server.models.events import Event
from server.models.terminal import RunRow
from server.processes import Running, entrance, environment, found_program, search_path
from server.text import command_rules
from server.text.redaction.values import without_secrets_in
from server.tools.approvals.gate_rules import NeedsHuman
from server.tools.common import Call
from server.tools.project_files.places import Root, root_of

logger = logging.getLogger(__name__)

WAIT_SECONDS = 45  # that a call waits for a program, at most
TELL_SECONDS = 5  # between two messages of progress
END_SECONDS = 1.0  # that a call waits for a program when the server ends
SHOWN = 3000  # bytes of each stream in the answer to a call that runs something
Timeout = Annotated[int, Field(ge=1, le=3600)]


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


def wanted(root: Root, vector: list[str], cwd: str) -> Invocation:
    """Return what a vector means in a folder of the project, or refuse."""
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


async def ordered(
    call: Call,
    tx: Transaction,
    workspace_id: str,
    what: Invocation,
    *,
    timeout_seconds: int,
    background: bool,
    script: str | None = None,
) -> dict[str, Any]:
    """Store a run that is allowed, or raise NeedsHuman; `carried_out` starts it once that is committed.

    `script` is the name of the build script that it is, if it is one.
    """
    allowed_by = await _permission(tx, workspace_id, what, timeout_seconds)
    left_behind.end(await servers.lose_lost(call.db, tx))
    vector = cast(list[str], without_secrets_in(what.vector))  # as it is kept: those who read it need none
    run_id = await runs.insert(
        tx,
        workspace_id=workspace_id,
        kind="build_script" if script else "terminal",
        name=(script or command_rules.joined(vector))[:500],
        server=servers.ours(call.db),
        arguments={**what.as_json, "vector": vector},
        allowed_by=allowed_by,
    )
    call.decided.append(run_id)
    about = {"vector": vector, "cwd": what.cwd, "allowed_by": allowed_by, **({"script": script} if script else {})}
    summary = f"Ran {f'the build script {script!r}: ' if script else ''}{command_rules.joined(vector)[:200]}"
    events.record(tx, Event("run_started", "run", run_id, summary=summary, data=about))
    told = {"workspace_id": workspace_id, "run_id": run_id, "command": what.vector, **what.as_json}
    del told["vector"]
    return {**told, "timeout_seconds": timeout_seconds, "background": background or None}


async def _permission(tx: Transaction, workspace_id: str, what: Invocation, seconds: int) -> str:
    """Return who allowed this vector, for always or for once; raise NeedsHuman."""
    for rule in map(allowlist.rule_of, await allowlist.of_workspace(tx, workspace_id)):
        if rule.allows(what.vector, in_project_folder=what.cwd == "."):
            return f"rule {rule.text}"
    request = {**what.as_json, "timeout_seconds": seconds}
    if approved := await approvals.answered_of(tx, "run", workspace_id, request):
        await approvals.use(tx, approved)
        return f"{approved.answered_by} ({approved.approval_id})"
    asked = f"Run {what.vector} in {what.cwd!r}"
    why = f"no rule allows it; it starts {what.what} with your rights, for at most {seconds} s"
    raise NeedsHuman(Need("run", (), asked, why, home=workspace_id, call=request))


async def carried_out(call: Call, result: dict[str, Any]) -> dict[str, Any]:
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
    return {**result, **(told(known) if known else row_told(call.db, await runs.require(call.db, run_id)))}


async def _started(call: Call, result: Mapping[str, Any]) -> Running:
    """Start what was allowed, if it still is what it was."""
    root = await root_of(call, workspace_id=result["workspace_id"])
    vector, cwd = result["command"], result["cwd"]
    now = (await run_sync(wanted, root, vector, cwd)).as_json
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
    return told(found)


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


def told(found: Running, since: tuple[int, int] | None = None, most: int = SHOWN) -> dict[str, Any]:
    """Return how a run goes, with the end of what it said, or what it said since then."""
    how: dict[str, Any] = {"running": not found.is_over, "exit_code": found.exit_code, "ended_by": found.ended_by}
    how["seconds"] = round(found.elapsed, 2)
    for name, ring, offset in zip(("stdout", "stderr"), (found.out, found.err), since or (None, None), strict=True):
        start, text, end = ring.tail(most) if offset is None else ring.since(offset, most)
        how |= {name: text, f"{name}_bytes": ring.total, f"next_{name}": end}
        if start > (offset or 0):
            how[f"{name}_from"] = start
    cut = [name for name in ("stdout", "stderr") if f"{name}_from" in how]
    if cut and since is None:
        how["hint"] = (
            f"This is the end of {' and '.join(cut)}; memory_terminal action='read_output' run_id={found.run_id!r} "
            "shows the last 100 KiB."
        )
    return how


def row_told(db: Database, row: RunRow) -> dict[str, Any]:
    """Return a run of another server, or of long ago, of which no output is left."""
    status = "lost" if row.status == "running" and servers.is_gone(db, row.server) else row.status
    how = {"running": status == "running", "status": status, "exit_code": row.exit_code, "ended_by": row.ended_by}
    how |= {"stdout_bytes": row.stdout_bytes, "stderr_bytes": row.stderr_bytes, "error": row.error}
    return {**how, "started_at": row.started_at, "finished_at": row.finished_at, "hint": "Its output is not kept."}
