"""However a command ends: what went wrong in a line, a pipe that nobody reads, Ctrl-C; never a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.app import app
from tests.conftest import Agent
from tests.e2e import commands
from tests.e2e.conftest import environment
from tests.populated_store import PopulatedStore

COMMAND = [sys.executable, "-m", "server"]
SECONDS = 60
EXAMPLES = {
    "export": ["out"],
    "import": ["nothing-there"],
    "verify": ["nothing-there"],
    "call": ["workspace", "list"],
    "mirror": ["--mirror", "m"],
    "approvals": [],
    "search-index": [],
}


def server(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*commands.program(), "--data-root", str(root), *words],
        check=False, capture_output=True, text=True, env=environment(), timeout=SECONDS, stdin=subprocess.DEVNULL,
        cwd=root.parent,
    )  # fmt: skip


@pytest.fixture
def root(agent: Agent, workspace_id: str) -> Path:
    assert agent.settings
    return agent.settings.data_root


def test_wrong_arguments_are_told_in_a_line_or_as_usage(root: Path, tmp_path: Path) -> None:
    a_file = tmp_path / "file"
    a_file.write_text("x", encoding="utf-8")
    for words in (
        ("import", "nothing-there"),
        ("import", str(a_file)),
        ("import", "a\udcff"),
        ("verify", "nothing-there"),
        ("export", str(a_file)),
        ("export", str(a_file / "below")),
        ("export", "out", "--plan", "plan_none"),
        ("export", "out", "--workspace", "none"),
        ("export", "out", "--format", "pdf"),
        ("mirror",),
        ("mirror", "--mirror", str(a_file)),
        ("mirror", "--check", "--mirror", str(a_file)),
        ("search-index", "--rebuilt"),
        ("demo", "nothing-there.md"),
        ("demo", str(tmp_path)),
        ("demo", "--keep", str(tmp_path)),
        ("confirm",),
        ("confirm", "x"),
        ("config", "get", "nothing"),
        ("call", "plan", "get", "plan_id=@nothing-there"),
    ):
        done = server(root, *words)
        assert done.returncode in (1, 2), (words, done)
        assert "Traceback" not in done.stderr + done.stdout, (words, done.stderr)
        assert "should not" not in done.stderr, (words, done.stderr)
        assert done.stderr or words[0] in ("import", "verify"), words


@pytest.mark.parametrize("words", [["export", "out"], ["search-index"]])
@pytest.mark.parametrize("kind", ["none", "file", "garbage", "folder"])
def test_a_data_root_that_is_none_is_told_in_a_line(tmp_path: Path, words: list[str], kind: str) -> None:
    root = tmp_path / "data"
    if kind == "file":
        root.write_text("x", encoding="utf-8")
    elif kind != "none":
        root.mkdir()
        (root / "project-memory.db").write_bytes(b"no database at all, of any length" * 100)
        if kind == "folder":
            (root / "project-memory.db").unlink()
            (root / "project-memory.db").mkdir()
    done = server(root, *words)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("project-memory: ")
    assert (done.returncode in (1, 2), done.stdout) == (True, "")


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_pipe_that_nobody_reads_ends_a_command_quietly(root: Path, name: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        [*COMMAND, "--data-root", str(root), name, *EXAMPLES[name]],
        stdout=writing, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment(), cwd=root.parent,
    )  # fmt: skip
    os.close(writing)
    _, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors.decode()) == (141, "")


@pytest.mark.skipif(os.name != "posix", reason="pipes tell nobody there that they are closed")
def test_who_follows_ends_when_nobody_reads_any_more_though_nothing_happens(root: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--data-root", str(root), "log", "--all", "--follow"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline()
    process.stdout.close()
    try:
        assert process.wait(SECONDS) == 141
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


def test_a_full_disk_behind_stdout_is_told(root: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = subprocess.run(
            [*COMMAND, "--data-root", str(root), "call", "workspace", "list"],
            check=False, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), timeout=SECONDS,
        )  # fmt: skip
    [line] = process.stderr.splitlines()
    assert (process.returncode, "No space left" in line) == (1, True)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_streams_that_are_closed_do_no_harm(root: Path, closed: str) -> None:
    for words in ("call workspace list", "confirm step_x", "approvals"):
        done = subprocess.run(
            ["bash", "-c", f'"$@" {words} {closed}', "-", *COMMAND, "--data-root", str(root)],
            check=False, capture_output=True, text=True, env=environment(), timeout=SECONDS,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1)


def test_help_and_usage_name_every_command() -> None:
    commands = {command.name for command in app.registered_commands}
    assert set(EXAMPLES) <= commands


BROKEN = """
from server.cli import app, run

@app.command()
def broken() -> None:
    raise RuntimeError("nobody thought of this")

run(["broken"], {"log_level": LEVEL})
"""


@pytest.mark.parametrize(("level", "whole"), [("info", False), ("debug", True)])
def test_a_defect_is_told_in_two_lines_and_whole_to_who_debugs(level: str, whole: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN.replace("LEVEL", repr(level))],
        check=False, capture_output=True, text=True, env=environment(), timeout=SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout, "nobody thought of this" in done.stderr) == (1, "", True)
    assert ("Traceback" in done.stderr, len(done.stderr.splitlines()) == 2) == (whole, not whole)


# Modules by whose import one knows how far a command is: after `server.cli` typer makes the commands.
MOMENTS = ["server.settings", "typer", "server.cli.app", "server.cli", "server.db.search.index_repair"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment_ends_a_command_quietly(copy: PopulatedStore, moment: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "--data-root", copy.data_root, "search-index", "--rebuild"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment(), text=True,
    )  # fmt: skip
    assert process.stderr
    while (line := process.stderr.readline()) and line.rpartition("|")[2].strip() != moment:
        pass
    assert line
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert [line for line in errors.splitlines() if not line.startswith("import time:")] == []
    assert process.returncode in (130, -signal.SIGINT)
    assert server(copy.data_root, "search-index").returncode == 0
