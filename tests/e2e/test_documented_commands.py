"""The commands that the documents show a person are run, so that none of them is wrong.

Each page of `docs/` is a story: the ```` ```sh ```` blocks in it are run in their order, by one shell that stops at the
first command that fails, in a project folder and with a HOME of their own. `project-memory` is this program, without
anything of yours in the environment. A page needs nothing but its blocks. What a reader need not see stands in comments
of the Markdown, each on lines of its own:

    <!-- run first:
    mkdir ~/.codex
    -->
    ```sh
    project-memory setup codex
    ```
    <!-- then:
    grep -q project-memory ~/.codex/config.toml
    -->

Both kinds are run where they stand, so `then` can check what the command did. A command that has to fail says with
which code, in a comment of the shell: `project-memory show nothing   # exit code 1`. What cannot be run (it asks a
person for a code, it never ends, it is for another system) is in a block of another kind: ```` ```console ````,
```` ```text ````.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli import person
from server.settings import ASSETS
from tests.e2e import commands
from tests.e2e.processes import QUICK

SECONDS = 300
FOUND = re.compile(
    r"^```sh\n(?P<shown>.*?)^```$|^<!-- (?:run first|then):\n(?P<hidden>.*?)^-->$", re.DOTALL | re.MULTILINE
)
EXPECTED = re.compile(r"\s+# exit code (\d+)\s*$")
PAGES = sorted((ASSETS / "docs").glob("*.md"))


def script(text: str) -> str:
    """All that a page says is to be run, as one script."""
    blocks = [found["shown"] or found["hidden"] or "" for found in FOUND.finditer(text)]
    return "\n".join(["set -euo pipefail", *(line for block in blocks for line in lines(block))])


def lines(block: str) -> Iterator[str]:
    """The lines of a block; a command whose code is given must end with it."""
    for line in block.splitlines():
        expected = EXPECTED.search(line)
        yield f"code=0; {line[: expected.start()]} || code=$?; [ $code = {expected[1]} ]" if expected else line


def play(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what a page says, as a person who has just installed this."""
    programs, home, project = folder / "bin", folder / "a home", folder / "a home" / "shop"
    for each in (programs, project):
        each.mkdir(parents=True)
    program = programs / "project-memory"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(commands.program())} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PM_", "XDG_"))}
    own = {name: value for name, value in own.items() if not person.sign_of_an_agent({name: "1"})}
    return subprocess.run(
        ["bash", "-c", script(text)],
        cwd=project,
        env={
            **own,
            **QUICK,
            "HOME": str(home),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "120",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=SECONDS,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_works(page: Path, tmp_path: Path) -> None:
    done = play(page.read_text(encoding="utf-8"), tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_is_run_from_the_top_with_what_it_does_not_show(tmp_path: Path) -> None:
    page = """# Title
<!-- run first:
echo 1 > file
-->
```sh
project-memory --version >> file
grep -q nothing file   # exit code 1
```
```console
$ exit 7
```
Some text, and `sh` in it.
<!-- then:
grep -q project-memory file
-->
"""
    done = play(page, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "project-memory" in (tmp_path / "a home" / "shop" / "file").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "block",
    ["false\necho late", "project-memory no-such-command | cat", "true   # exit code 1", "exit 3   # exit code 1"],
)
def test_a_page_with_a_command_that_does_not_do_what_it_says_is_noticed(block: str, tmp_path: Path) -> None:
    done = play(f"```sh\n{block}\n```\n", tmp_path)

    assert done.returncode != 0
    assert "late" not in done.stdout
