"""What a shell is told when a command line is completed, and that real shells take it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.app import app
from server.settings import SETTINGS
from server.tools import TOOLS
from tests.e2e import commands
from tests.e2e.conftest import environment

PROGRAM = Path(sys.executable).with_name("project-memory")
SHORT = {name.removeprefix("memory_") for name in TOOLS}


def complete(line: str) -> list[str]:
    """Return the candidates for the end of a line, each without what it is about."""
    done = subprocess.run(
        [*commands.program(), "__complete", line],
        check=False, capture_output=True, text=True, env=environment(), timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return [found.partition("\t")[0] for found in done.stdout.splitlines()]


def test_commands_and_their_options_are_completed() -> None:
    assert {command.name for command in app.registered_commands} <= set(complete("project-memory "))
    assert complete("project-memory compl") == ["completion"]
    assert complete("project-memory config ") == ["get", "set", "list"]
    assert "--dry-run" in complete("project-memory import some/store --d")
    assert {setting.flag for setting in SETTINGS} <= set(complete("project-memory --"))
    assert complete("project-memory --synchronous ") == ["full", "normal"]
    assert complete("project-memory export ") == []  # the shell offers files


@pytest.mark.parametrize("before", ["", "--workspace call ", "--read-only "])
def test_tools_actions_and_parameters_are_completed(before: str) -> None:
    line = f"/usr/bin/project-memory {before}call "
    steps = TOOLS["memory_steps"]
    assert set(complete(line)) == SHORT
    assert set(complete(f"{line}memory_")) == set(TOOLS)
    assert set(complete(f"{line}--list pro")) == {"program"}
    assert set(complete(f"{line}steps ")) == set(steps.actions)
    assert complete(f"{line}memory_steps ne") == ["next"]
    assert set(complete(f"{line}steps list ")) == {f"{name}=" for name in steps.actions["list"].params}
    rest = set(complete(f"{line}steps list plan_id='a b' "))
    assert rest == {f"{name}=" for name in steps.actions["list"].params if name != "plan_id"}
    assert "--json" in complete(f"{line}steps list --")


def test_values_are_completed() -> None:
    line = "project-memory call"
    assert complete(f"{line} steps update status=a") == ["status=active"]
    assert complete(f"{line} plan archive force=") == ["force=true", "force=false"]
    assert complete(f"{line} plan help topic=add_n") == ["topic=add_note"]
    assert complete(f"{line} plan get plan_id=") == []
    assert complete(f"{line} plan get 'detail=f") == ["detail=full"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "project-memory",
        "project-memory call none ",
        "project-memory call ../x a",
        "project-memory call steps none x=",
        "project-memory 'call \"",
        "project-memory call steps next é= \\",
        "project-memory --data-root ",
    ],
)
def test_what_makes_no_sense_is_completed_with_nothing(line: str) -> None:
    assert complete(line) == []


def test_parameters_are_completed_without_the_tools_and_the_command_line() -> None:
    line = "project-memory call steps next plan"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "server", "__complete", line],
        check=False, capture_output=True, text=True, env=environment(), timeout=60,
    )  # fmt: skip
    imported = {name.rpartition("|")[2].strip() for name in done.stderr.splitlines()}
    assert done.stdout.startswith("plan_id=")
    assert {name for name in imported if name.split(".")[0] in ("typer", "pydantic", "mcp", "rich", "anyio")} == set()
    assert {name for name in imported if name.startswith(("server.cli", "server.registry", "server.tools"))} == set()


def in_shell(shell: str, script: str, folder: Path) -> str:
    done = subprocess.run(
        [shell, *(["--norc", "--noprofile"] if shell == "bash" else []), "-c", script],
        check=False, capture_output=True, text=True, timeout=60, cwd=folder,
        env={**environment(), "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


BASH = """
source <(project-memory completion bash)
complete -p project-memory
compopt() { echo "compopt $*"; }
try() {
    COMP_LINE="$1" COMP_POINT=${#1}
    _project_memory project-memory
    printf '<%s>' "${COMPREPLY[@]}"; echo
}
try 'project-memory call ste'
try 'project-memory call steps update st'
try 'project-memory call steps update status=bl'
try 'project-memory call steps update notes=@no'
"""


def test_bash_takes_the_script(tmp_path: Path) -> None:
    (tmp_path / "notes.md").touch()
    told = in_shell("bash", BASH, tmp_path).splitlines()
    assert told[0].endswith("-F _project_memory project-memory")
    assert told[1] == "<steps>"
    assert {"<step_id=>", "<status=>"} <= set(told[2].replace("><", "> <").split())
    assert told[3] == "<blocked>"
    assert told[4:] == ["compopt -o nospace", "<@notes.md>"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_scripts_name_what_they_call(shell: str, tmp_path: Path) -> None:
    script = in_shell("bash", f"project-memory completion {shell}", tmp_path)
    assert "__complete" in script
    assert "project-memory" in script.splitlines()[0]


def test_an_unknown_shell_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "server", "completion", "tcsh"],
        check=False, capture_output=True, text=True, env=environment(), timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "bash" in done.stderr
