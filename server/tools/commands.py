"""The command line as it works where it is printed: in another folder, with whatever a path has in it."""

import os
import shlex
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from server.settings import PACKAGE, Settings, default_root

SCRIPT = "project-memory"


def command(settings: Settings, *words: str) -> str:
    """Return a command of ours for a person to type, on the database of `settings`."""
    return on(settings.data_root, *words)


def on(data_root: Path, *words: str) -> str:
    """Return a command of ours for a person to type, on the database of a data root."""
    root = [] if data_root == Path(default_root()) else ["--data-root", str(data_root)]
    return joined(*_start(), *words, *root)


def joined(*words: str) -> str:
    """Return words as a shell of this system takes them."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


@cache
def _start() -> tuple[str, ...]:
    """Return what starts this program from any folder: the script if it is on the path, else the interpreter.

    A folder called `server` would be imported in place of ours by a plain `-m server`: -I looks at what is installed.
    """
    found = shutil.which(SCRIPT)
    if found and Path(found).parent == Path(sys.executable).parent:
        return (SCRIPT,)
    try:
        distribution(SCRIPT)
    except PackageNotFoundError:  # run out of its repository
        return (str(PACKAGE.parent / "scripts" / "run"),)
    return (sys.executable, "-I", "-m", "server")
