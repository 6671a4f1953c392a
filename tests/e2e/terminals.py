"""A person at a terminal: commands of ours on one, or in a pipe, in a shell without a sign of an agent."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from server.cli import person
from tests.e2e import commands
from tests.e2e.processes import QUICK

SECONDS = 60
COMMAND = [sys.executable, "-I", "-m", "server"]
# The child of the terminal leads a session of its own, as a shell's does.
LOOKS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
SPAWN = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def environment(**more: str) -> dict[str, str]:
    """What a person's shell has: nothing that tells of an agent."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in LOOKS and not person.sign_of_an_agent({name: "1"})
    }
    return {**own, **QUICK, "TERM": "xterm-256color", **more}


class Terminal:
    """A pseudo-terminal of some size that controls one command of ours, and a person who reads and types."""

    def __init__(
        self,
        root: Path,
        *words: str,
        size: tuple[int, int] = (200, 50),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        program: Sequence[str] = COMMAND,
    ) -> None:
        self.shown = ""
        self.ours, theirs = os.openpty()
        self.resize(*size)
        self.modes = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SPAWN, *program, "--data-root", str(root), *words],
            env=environment(**(env or {})), stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd,
        )  # fmt: skip
        self.theirs = theirs

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read_to(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """Wait until the screen shows something, behind what was shown first."""
        end = time.monotonic() + SECONDS
        while (found := re.search(pattern, self.shown[after:])) is None:
            assert time.monotonic() < end, self.shown
            assert self._more(), self.shown
        return found

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def type_code(self) -> None:
        """Type back the code that is asked for."""
        self.type(self.read_to(r"Type (\w{4}) to ")[1] + "\n")

    def end(self) -> int:
        """Wait for the end of the command, read what is left, and return its exit code."""
        code = None
        end = time.monotonic() + SECONDS
        while code is None:
            assert time.monotonic() < end, self.shown
            self._more(0.05)
            code = self.process.poll()
        while self._more(0.05):
            pass
        self.modes_left = termios.tcgetattr(self.theirs)
        os.close(self.theirs)
        os.close(self.ours)
        return code

    def _more(self, seconds: float = SECONDS) -> bool:
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        data = os.read(self.ours, 65536)
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


def confirmed(root: Path, *words: str) -> str:
    """Let a person type the code back that a command asks for, and return what was shown."""
    terminal = Terminal(root, *words)
    terminal.type_code()
    assert terminal.end() == 0, terminal.shown
    return terminal.shown


def piped(
    root: Path, *words: str, text: str = "", cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in pipes."""
    return subprocess.run(
        [*commands.program(), "--data-root", str(root), *words],
        check=False, input=text, env=environment(**env), cwd=cwd,
        capture_output=True, text=True, encoding="utf-8", timeout=SECONDS,
    )  # fmt: skip
