"""The command line, as a process."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from server import __version__
from server.cli import app
from server.settings import PACKAGE, SETTINGS
from server.tools import CORE, FURTHER
from tests.e2e import commands


def run(*words: str, env: Mapping[str, str] | None = None, told: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with an input that ends at once, or behind what it is told."""
    return subprocess.run(
        words,
        cwd=PACKAGE.parent,
        env={**os.environ, **(env or {})},
        stdin=None if told else subprocess.DEVNULL,
        input=told,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def server(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run(*commands.program(), *words, env=env)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_subcommand_and_every_setting(flag: str) -> None:
    done = server(flag)

    named = {word for s in SETTINGS for word in (s.flag, s.env, *s.choices)}
    named |= {command.name or "" for command in app.registered_commands}
    assert {word for word in named if word not in done.stdout} == set()
    assert all(setting.meaning in done.stdout for setting in SETTINGS)
    assert (done.returncode, done.stderr) == (0, "")


def groups(group: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """The commands that have commands of their own, however deep, by their words."""
    yield words
    for name, inner in group.commands.items():
        if hasattr(inner, "commands"):
            yield from groups(inner, *words, name)


@pytest.mark.parametrize("words", list(groups(get_command(app))), ids=" ".join)
def test_help_tells_what_each_subcommand_does_in_a_whole_line(words: tuple[str, ...]) -> None:
    commands: Any = get_command(app)
    for word in words:
        commands = commands.commands[word]

    told_of, _, _ = server(*words, "--help", env={"COLUMNS": "80"}).stdout.partition("Settings")
    lines = [line.strip() for line in told_of.splitlines()]

    does = {name: one.help.partition("\n")[0].partition(". ")[0].rstrip(".") for name, one in commands.commands.items()}
    told = {line.split()[0]: line.partition(" ")[2].strip().rstrip(".") for line in lines if line[:1].islower()}
    assert {name: told.get(name) for name in does} == does


def usages(group: Any) -> Iterator[str]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from usages(one)
        else:
            yield " ".join(one.collect_usage_pieces(one.make_context(name, [], resilient_parsing=True)))


def test_every_usage_marks_what_may_be_left_out_and_what_may_come_again_once() -> None:
    shaped = re.compile(r"\[OPTIONS\]( [\[{]?[A-Z][A-Z= ]*[\]}]?(\.\.\.)?)*( \{bash\|zsh\|fish\})?")

    assert [usage for usage in usages(get_command(app)) if not shaped.fullmatch(usage)] == []


def test_version_tells_the_version() -> None:
    done = server("--version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"project-memory {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["--log-level", "loud"], {}, "--log-level"),
        ([], {"PM_SYNCHRONOUS": "maybe"}, "PM_SYNCHRONOUS"),
        (["--data-root"], {}, "--data-root"),
        (["--tools", "memory_plans"], {}, "memory_plans"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(words: list[str], env: Mapping[str, str], said: str) -> None:
    done = server(*words, env=env)

    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("project-memory: ")
    assert said in line


@pytest.mark.parametrize("words", [["dmeo"], ["--date-root", "x"], ["demo", "--kepe", "x"]])
def test_an_unknown_word_is_refused(words: list[str]) -> None:
    done = server(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert "No such" in done.stderr


@pytest.mark.parametrize("words", [["--workspace", "x", "demo"], ["demo", "--workspace=x"]])
def test_a_setting_may_stand_before_and_after_the_subcommand(words: list[str]) -> None:
    done = server(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert "--workspace has no effect on the demo" in done.stderr


def test_to_serve_nothing_of_the_command_line_is_imported(tmp_path: object) -> None:
    done = run(sys.executable, "-X", "importtime", "-m", "server", "--data-root", str(tmp_path))

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "server.protocol.loop" in imported
    assert {name for name in imported if name.split(".")[0] in ("typer", "rich") or name == "server.cli"} == set()


def test_a_server_imports_the_tool_that_is_called_before_the_others(tmp_path: Path) -> None:
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "one", "version": "1"}}
    call = {"name": "memory_steps", "arguments": {"action": "help"}}
    asked = [("initialize", client), ("tools/call", call)]
    told = [json.dumps({"jsonrpc": "2.0", "id": at, "method": to, "params": of}) for at, (to, of) in enumerate(asked)]
    done = run(
        sys.executable, "-X", "importtime", "-m", "server", "--data-root", str(tmp_path), told="\n".join([*told, ""])
    )

    tools = {f"server.tools.{name}.tool" for name in (*CORE, *FURTHER)}
    imported = [name for line in done.stderr.splitlines() if (name := line.rpartition("|")[2].strip()) in tools]
    assert "purpose" in done.stdout
    assert imported[0] == "server.tools.steps.tool"


@pytest.mark.parametrize(
    "words", [["status"], ["log"], ["check"], ["approvals"], ["messages"], ["setup"]], ids=" ".join
)
def test_what_only_looks_imports_no_tool(tmp_path: Path, words: list[str]) -> None:
    done = run(sys.executable, "-X", "importtime", "-m", "server", "--data-root", str(tmp_path / "data"), *words)

    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "server.cli.app" in modules
    assert modules & {"server.calls", "server.tools.plan", "mcp"} == set()
