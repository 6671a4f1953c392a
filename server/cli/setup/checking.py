"""`setup --check`: start the server as each client would, on a store of its own, or reach it, and list its tools."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from server.cli.setup.asking import NotReached, tools_at
from server.cli.setup.editors import START_SECONDS, Editor
from server.cli.setup.launching import LaunchCommand, settings_in
from server.cli.setup.looking import Checked, EditorLook, SetupJob, fresh_like, is_same, reach_in, started_by
from server.cli.setup.reaching import Reach
from server.errors import innermost

# What a server that is only tried must not touch: the store of its user, and what is kept like that store.
OF_THE_STORE = ("data_root", "mirror", "auto_import", "workspace")
SAID = 300


def check(findings: Sequence[EditorLook], job: SetupJob, *, is_named: bool) -> list[Checked]:
    """Try the entries that are there; one that setup would not write is told and never run."""
    return list(_checked(findings, job, is_named=is_named))


def _checked(findings: Sequence[EditorLook], job: SetupJob, *, is_named: bool) -> Iterator[Checked]:
    for one in findings:
        if one.state == "cannot be read":
            yield Checked(one.editor, False, one.state, f"{one.file}: {one.why}")
        elif one.found is None:
            if is_named:
                yield Checked(one.editor, False, "no entry", str(one.file))
        elif not is_same(one.editor, one.found, fresh_like(one.editor, one.found, replace(job, reach=None))):
            words = " ".join(started_by(one.found)) or "no command"
            yield Checked(one.editor, False, "not started", f"it is not what setup writes: {words}")
        elif reach := reach_in(one.editor, one.found):
            yield _reached(one.editor, reach, job)
        else:
            yield _tried(one, job)


def _reached(editor: Editor, reach: Reach, job: SetupJob) -> Checked:
    begun = time.perf_counter()
    try:
        tools = tools_at(reach, job.machine.environ)
    except NotReached as failure:
        return Checked(editor, False, "failed", str(failure))
    return _works(editor, tools, begun)


def _works(editor: Editor, tools: Sequence[str], begun: float) -> Checked:
    took = (time.perf_counter() - begun) * 1000
    return Checked(editor, True, "works", f"{len(tools)} tools after {took:.0f} ms: {', '.join(tools)}")


def _tried(finding: EditorLook, job: SetupJob) -> Checked:
    kept = settings_in(started_by(finding.found)) or {}
    flags = {name: value for name, value in kept.items() if name not in OF_THE_STORE}
    with (
        tempfile.TemporaryDirectory(prefix="project-memory-check-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
    ):
        start = job.start.with_settings({**flags, "data_root": str(Path(folder, "data"))})
        begun = time.perf_counter()
        try:
            tools = anyio.run(_tools, start, str(job.machine.project), log)
        except (MCPError, OSError, TimeoutError, BaseExceptionGroup) as failure:
            log.seek(0)
            said = " ".join(log.read().split())[-SAID:] or str(innermost(failure)) or type(innermost(failure)).__name__
            return Checked(finding.editor, False, "failed", said)
    return _works(finding.editor, tools, begun)


async def _tools(start: LaunchCommand, folder: str, log: TextIO) -> list[str]:
    parameters = StdioServerParameters(command=start.command, args=start.args, env=start.env, cwd=folder)
    with anyio.fail_after(START_SECONDS):
        async with Client(stdio_client(parameters, log), read_timeout_seconds=START_SECONDS) as client:
            return [tool.name for tool in (await client.list_tools()).tools]
